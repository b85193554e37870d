/*
 * network.h - a network that is simulated below the system calls, in virtual time, by a seed.
 *
 * SPDX-License-Identifier: MIT
 *
 * For a program that is one file.  It has functions of the C library's names, which the library
 * that is linked into it calls.  A socket of the Internet is one end of a local pair here, and the
 * other end is the network's: so all of the library runs as it is, down to the backend, and the
 * kernel tells what is ready.  Tasks of the network carry what comes there to the other socket,
 * each piece at its time.
 *
 * Streams come late, by a piece's own latency and by what is lost and sent again; nothing passes
 * what was sent before.  So much is on its way as a window has room for, and then the sender waits.
 * A connection may be reset, or fall silent for ever.  Datagrams come late, twice, never, and in
 * any order.  A connection is made by one way there and back, and the last byte of the address says
 * how: NORMAL, REFUSES, or SILENT, which does not answer.
 *
 * For one worker: nothing here is locked, and a seed gives the same run again.
 */
#ifndef TEST_STRESS_NETWORK_H
#define TEST_STRESS_NETWORK_H

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

enum { NORMAL = 1, REFUSES = 2, SILENT = 3 };
enum { FDS = 1024, SEGMENT = 1400, WINDOW = 6, BACKLOG = 8, DATAGRAM = 512, FIRST_PORT = 1000 };

/* ---- How bad it is --------------------------------------------------------------------------- */

static struct {
    urd_scope tasks;
    urd_time latency, jitter;
    unsigned lost;         /* pieces in 100, of streams and datagrams */
    unsigned doubled;      /* datagrams in 100 */
    unsigned reset, muted; /* connections in 100 */
    int accepted_max;      /* 0: no limit; else with so many open accept4 says EMFILE */
    int accepted, refused; /* how many are open; how often it did */
    int port;              /* of the next socket */
    uint64_t random, trace;
    int made, resets, mutes; /* connections, and what became of them */
} net;

static uint64_t net_draw(uint64_t below)
{
    net.random = net.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (net.random >> 33) % below;
}

static bool in_100(unsigned n)
{
    return net_draw(100) < n;
}

/* What happened, in order, as one number. */
static void note(uint64_t what)
{
    net.trace = (net.trace ^ what ^ (uint64_t)urd_now()) * UINT64_C(0x100000001b3);
}

/* ---- Sockets --------------------------------------------------------------------------------- */

typedef struct net_socket net_socket;

typedef struct connection {
    net_socket *ends[2]; /* NULL: closed */
    int number;
    int fate;       /* segments until it is reset or silent; -1: never */
    bool mute, cut; /* it is silent; it was reset */
    int sockets;    /* that are not released */
} connection;

struct net_socket {
    int fd, far, type; /* the program's end and the network's */
    int port, to;      /* its own, and of the peer of datagrams */
    int holders;       /* the program, and tasks of the network */
    int error;         /* of a connect */
    bool listens;
    connection *connection;
    net_socket *accepted; /* whom its connection is for: by a listener's accept4 */
    net_socket *queue[BACKLOG];
    int queued;
};

static net_socket *by_fd[FDS];

static net_socket *find(int fd)
{
    return fd >= 0 && fd < FDS ? by_fd[fd] : NULL;
}

static net_socket *at_port(int port, int type)
{
    for (int i = 0; i < FDS; i++)
        if (by_fd[i] && by_fd[i]->port == port && by_fd[i]->type == type &&
            (type == SOCK_DGRAM || by_fd[i]->listens))
            return by_fd[i];
    return NULL;
}

static int sockets_open(void)
{
    int n = 0;
    for (int i = 0; i < FDS; i++)
        n += by_fd[i] != NULL;
    return n;
}

#define C_CALLS(X)                                                                                 \
    X(socket)                                                                                      \
    X(close)                                                                                       \
    X(setsockopt)                                                                                  \
    X(getsockopt)                                                                                  \
    X(bind)                                                                                        \
    X(listen)                                                                                      \
    X(getsockname)                                                                                 \
    X(connect)                                                                                     \
    X(accept4)                                                                                     \
    X(recv)                                                                                        \
    X(send)                                                                                        \
    X(recvmsg)                                                                                     \
    X(sendmsg)                                                                                     \
    X(ppoll)

static struct {
#define MEMBER(name) __typeof__(name) *name;
    C_CALLS(MEMBER)
#undef MEMBER
    bool found;
} libc;

static void find_calls(void)
{
    if (libc.found)
        return;
#define FIND(name) *(void **)(void *)&libc.name = dlsym(RTLD_NEXT, #name);
    C_CALLS(FIND)
#undef FIND
    libc.found = true;
}

#define REAL(name) (find_calls(), libc.name)

static int failed_with(int error)
{
    errno = error;
    return -1;
}

static net_socket *new_socket(int type, int flags)
{
    int ends[2];
    if (socketpair(AF_UNIX, type | flags, 0, ends))
        return NULL;
    for (int i = 0; i < 2; i++) /* little is enough, and quickly full */
        REAL(setsockopt)(ends[i], SOL_SOCKET, SO_SNDBUF, &(int){1}, sizeof(int));
    net_socket *s = calloc(1, sizeof *s);
    CHECK(s && ends[0] < FDS);
    *s = (net_socket){.fd = ends[0], .far = ends[1], .type = type, .holders = 1};
    by_fd[s->fd] = s;
    return s;
}

static void release(net_socket *s)
{
    if (--s->holders > 0)
        return;
    if (s->connection && --s->connection->sockets == 0)
        free(s->connection);
    REAL(close)(s->far);
    free(s);
}

/* ---- Streams --------------------------------------------------------------------------------- */

/* A piece of lost ones comes after 200 ms, 400, 800 ... */
static urd_time time_of_way(void)
{
    urd_time way = net.latency + (urd_time)net_draw((uint64_t)net.jitter + 1);
    for (urd_time again = 200 * URD_MS; in_100(net.lost); again *= 2)
        way += again;
    return way;
}

static void shut(net_socket *s)
{
    if (s)
        shutdown(s->far, SHUT_RDWR);
}

/* Both sides find out by their next call. */
static void cut(connection *c)
{
    c->cut = true;
    note((uint64_t)c->number << 8);
    shut(c->ends[0]);
    shut(c->ends[1]);
}

typedef struct segment {
    urd_time arrives;
    int size; /* 0: the end */
    char bytes[SEGMENT];
} segment;

typedef struct pump {
    connection *c;
    net_socket *from, *to;
    urd_chan way;
} pump;

/* The end of a way: what it carried to a socket that is closed is answered by a reset. */
static int deliver(void *arg)
{
    pump *p = arg;
    segment s;
    int rc;
    while ((rc = urd_chan_recv(&p->way, &s)) == 0) {
        rc = urd_sleep_until(s.arrives);
        if (rc)
            return rc;
        if (p->c->mute || p->c->cut)
            continue;
        note((uint64_t)p->c->number << 32 | (uint64_t)s.size);
        if (s.size == 0)
            shutdown(p->to->far, SHUT_WR);
        else if (urd_write_all(p->to->far, s.bytes, (size_t)s.size) < 0)
            cut(p->c);
    }
    return 0;
}

static void meet_fate(connection *c)
{
    if (c->fate < 0 || c->fate-- > 0 || c->cut || c->mute)
        return;
    if (in_100(50)) {
        net.resets++;
        cut(c);
    } else {
        net.mutes++;
        c->mute = true;
    }
}

static int collect(pump *p)
{
    segment s;
    urd_time last = 0;
    do {
        ssize_t n = urd_read(p->from->far, s.bytes, 1 + net_draw(SEGMENT));
        if (n == -ECANCELED)
            return (int)n;
        meet_fate(p->c);
        s.size = n > 0 ? (int)n : 0;
        s.arrives = urd_now() + time_of_way();
        last = s.arrives = s.arrives > last ? s.arrives : last;
        int rc = urd_chan_send(&p->way, &s);
        if (rc)
            return rc;
    } while (s.size > 0);
    return 0;
}

static int carry(void *arg)
{
    pump *p = arg;
    segment *window = malloc(WINDOW * sizeof *window);
    urd_chan_init(&p->way, sizeof *window, window, WINDOW);
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, deliver, p), 0);
    int rc = collect(p);
    urd_chan_close(&p->way);
    int joined = urd_scope_join(&s);
    urd_chan_fini(&p->way);
    free(window);
    release(p->from);
    release(p->to);
    free(p);
    return rc ? rc : joined;
}

static void start_pump(connection *c, net_socket *from, net_socket *to)
{
    pump *p = calloc(1, sizeof *p);
    *p = (pump){.c = c, .from = from, .to = to};
    from->holders++;
    to->holders++;
    CHECK_EQ(urd_go(&net.tasks, carry, p), 0);
}

/* ---- Connecting ------------------------------------------------------------------------------ */

/* Such a socket is not writable. */
static void fill_up(net_socket *s)
{
    static const char junk[SEGMENT];
    while (REAL(send)(s->fd, junk, sizeof junk, MSG_DONTWAIT) > 0)
        continue;
}

static void drain(net_socket *s)
{
    char junk[SEGMENT];
    while (REAL(recv)(s->far, junk, sizeof junk, MSG_DONTWAIT) > 0)
        continue;
}

static void establish(net_socket *client, net_socket *listener)
{
    connection *c = calloc(1, sizeof *c);
    net_socket *server = new_socket(SOCK_STREAM, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CHECK(server);
    c->number = ++net.made;
    c->fate = in_100(net.reset + net.muted) ? (int)net_draw(8) : -1;
    c->ends[0] = client;
    c->ends[1] = server;
    c->sockets = 2;
    client->connection = server->connection = c;
    listener->queue[listener->queued++] = server;
    start_pump(c, client, server);
    start_pump(c, server, client);
    CHECK_EQ(urd_write_all(listener->far, "c", 1), 1);
}

typedef struct dialled {
    net_socket *from;
    int host, port;
} dialled;

/* One that finds no room there is sent again after 1 s, 2, 4 ... */
static int connect_later(void *arg)
{
    dialled *d = arg;
    net_socket *s = d->from, *listener = NULL;
    int rc = 0;
    for (urd_time again = URD_SECOND; rc == 0 && s->fd >= 0; again *= 2) {
        rc = urd_sleep(2 * time_of_way());
        listener = at_port(d->port, SOCK_STREAM);
        if (rc || s->fd < 0 || (d->host != SILENT && (!listener || listener->queued < BACKLOG)))
            break;
        rc = urd_sleep(again);
    }
    if (rc == 0 && s->fd >= 0) { /* else it was given up meanwhile */
        drain(s);
        s->error = d->host == REFUSES || !listener ? ECONNREFUSED : 0;
        note((uint64_t)s->error + 1);
        if (!s->error)
            establish(s, listener);
    }
    release(s);
    return rc;
}

static int begin_connect(net_socket *s, const struct sockaddr_in *to)
{
    dialled d = {s, (int)(ntohl(to->sin_addr.s_addr) & 0xff), ntohs(to->sin_port)};
    if (s->type == SOCK_DGRAM) {
        s->to = d.port;
        return 0;
    }
    fill_up(s);
    s->holders++;
    CHECK_EQ(urd_go_copy(&net.tasks, connect_later, &d, sizeof d), 0);
    return failed_with(EINPROGRESS);
}

/* ---- Datagrams ------------------------------------------------------------------------------- */

/* With the port it is for, or, on its way to the program, the one it is from. */
typedef struct datagram {
    int from, to, size;
    char bytes[DATAGRAM];
} datagram;

static int bring(void *arg)
{
    const datagram *d = arg;
    int rc = urd_sleep(net.latency + (urd_time)net_draw((uint64_t)net.jitter * 4 + 1));
    net_socket *to = at_port(d->to, SOCK_DGRAM);
    if (rc || !to)
        return rc;
    note((uint64_t)d->from << 32 | (uint64_t)d->size);
    ssize_t n = send(to->far, d, sizeof *d, MSG_DONTWAIT); /* who has no room loses it */
    (void)n;
    return 0;
}

static int carry_datagrams(void *arg)
{
    net_socket *s = *(net_socket **)arg;
    datagram d;
    ssize_t n;
    while ((n = urd_read(s->far, &d, sizeof d)) == (ssize_t)sizeof d)
        for (int copies = in_100(net.lost) ? 0 : 1 + in_100(net.doubled); copies > 0; copies--)
            CHECK_EQ(urd_go_copy(&net.tasks, bring, &d, sizeof d), 0);
    release(s);
    return n < 0 ? (int)n : 0;
}

static ssize_t send_datagram(net_socket *s, const struct msghdr *m)
{
    datagram d = {.from = s->port, .to = s->to};
    if (m->msg_name)
        d.to = ntohs(((const struct sockaddr_in *)m->msg_name)->sin_port);
    CHECK_EQ(m->msg_iovlen, 1);
    CHECK_LE(m->msg_iov->iov_len, DATAGRAM);
    d.size = (int)m->msg_iov->iov_len;
    memcpy(d.bytes, m->msg_iov->iov_base, m->msg_iov->iov_len);
    ssize_t n = REAL(send)(s->fd, &d, sizeof d, MSG_DONTWAIT);
    return n < 0 ? n : d.size;
}

static struct sockaddr_in address_of(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(0x0a000000 | NORMAL)};
}

static ssize_t receive_datagram(net_socket *s, struct msghdr *m)
{
    datagram d;
    ssize_t n = REAL(recv)(s->fd, &d, sizeof d, MSG_DONTWAIT);
    if (n < 0)
        return n;
    size_t room = m->msg_iov->iov_len, size = (size_t)d.size < room ? (size_t)d.size : room;
    memcpy(m->msg_iov->iov_base, d.bytes, size);
    if (m->msg_name) {
        struct sockaddr_in from = address_of(d.from);
        memcpy(m->msg_name, &from, sizeof from);
        m->msg_namelen = sizeof from;
    }
    return (ssize_t)size;
}

/* ---- The calls ------------------------------------------------------------------------------- */

int socket(int family, int type, int protocol)
{
    int kind = type & (SOCK_STREAM | SOCK_DGRAM);
    if (family == AF_UNIX)
        return REAL(socket)(family, type, protocol);
    net_socket *s = new_socket(kind, type & ~kind);
    if (!s)
        return -1;
    s->port = FIRST_PORT + net.port++;
    if (kind == SOCK_DGRAM) {
        s->holders++;
        CHECK_EQ(urd_go_copy(&net.tasks, carry_datagrams, &(net_socket *){s}, sizeof s), 0);
    }
    return s->fd;
}

/* The network keeps its end until nothing is under way. */
int close(int fd)
{
    net_socket *s = find(fd);
    if (s) {
        by_fd[fd] = NULL;
        s->fd = -1;
        net.accepted -= s->accepted != NULL;
        for (int i = 0; i < 2 && s->connection; i++)
            if (s->connection->ends[i] == s)
                s->connection->ends[i] = NULL;
        for (int i = 0; i < s->queued; i++)
            close(s->queue[i]->fd);
        release(s);
    }
    return REAL(close)(fd);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    return find(fd) ? 0 : REAL(setsockopt)(fd, level, option, value, size);
}

int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict size)
{
    const net_socket *s = find(fd);
    if (!s || level != SOL_SOCKET || option != SO_ERROR)
        return REAL(getsockopt)(fd, level, option, value, size);
    memcpy(value, &s->error, sizeof s->error);
    return 0;
}

int bind(int fd, __CONST_SOCKADDR_ARG at, socklen_t size)
{
    return find(fd) ? 0 : REAL(bind)(fd, at, size);
}

int listen(int fd, int backlog)
{
    net_socket *s = find(fd);
    if (!s)
        return REAL(listen)(fd, backlog);
    s->listens = true;
    return 0;
}

int getsockname(int fd, __SOCKADDR_ARG out, socklen_t *restrict size)
{
    const net_socket *s = find(fd);
    if (!s)
        return REAL(getsockname)(fd, out, size);
    struct sockaddr_in at = address_of(s->port);
    memcpy(out.__sockaddr__, &at, sizeof at);
    *size = sizeof at;
    return 0;
}

int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t size)
{
    net_socket *s = find(fd);
    return s ? begin_connect(s, to.__sockaddr_in__) : REAL(connect)(fd, to, size);
}

int accept4(int fd, __SOCKADDR_ARG from, socklen_t *restrict size, int flags)
{
    net_socket *s = find(fd);
    char token;
    if (!s || !s->listens)
        return REAL(accept4)(fd, from, size, flags);
    if (s->queued && net.accepted_max && net.accepted >= net.accepted_max) {
        net.refused++;
        return failed_with(EMFILE);
    }
    if (REAL(recv)(fd, &token, 1, MSG_DONTWAIT) != 1)
        return failed_with(EAGAIN);
    net_socket *first = s->queue[0];
    memmove(s->queue, s->queue + 1, (size_t)--s->queued * sizeof *s->queue);
    first->accepted = s;
    net.accepted++;
    struct sockaddr_in at = address_of(first->port);
    memcpy(from.__sockaddr__, &at, sizeof at);
    *size = sizeof at;
    return first->fd;
}

static bool was_cut(const net_socket *s)
{
    return s && s->connection && s->connection->cut;
}

ssize_t recv(int fd, void *buf, size_t size, int flags)
{
    net_socket *s = find(fd);
    struct iovec part = {buf, size};
    if (s && s->type == SOCK_DGRAM)
        return receive_datagram(s, &(struct msghdr){.msg_iov = &part, .msg_iovlen = 1});
    ssize_t n = REAL(recv)(fd, buf, size, flags);
    return n == 0 && size > 0 && was_cut(s) ? failed_with(ECONNRESET) : n;
}

ssize_t send(int fd, const void *buf, size_t size, int flags)
{
    net_socket *s = find(fd);
    struct iovec part = {(void *)(uintptr_t)buf, size};
    if (s && s->type == SOCK_DGRAM)
        return send_datagram(s, &(struct msghdr){.msg_iov = &part, .msg_iovlen = 1});
    return was_cut(s) ? failed_with(ECONNRESET) : REAL(send)(fd, buf, size, flags);
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    net_socket *s = find(fd);
    return s && s->type == SOCK_DGRAM ? receive_datagram(s, m) : REAL(recvmsg)(fd, m, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    net_socket *s = find(fd);
    if (s && s->type == SOCK_DGRAM)
        return send_datagram(s, m);
    return was_cut(s) ? failed_with(ECONNRESET) : REAL(sendmsg)(fd, m, flags);
}

/* Nothing happens in the background here, so nobody needs to give it a moment. */
int ppoll(struct pollfd *list, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    struct timespec none = {0};
    bool moment = timeout && timeout->tv_sec == 0 && timeout->tv_nsec < URD_MS;
    return REAL(ppoll)(list, n, moment ? &none : timeout, mask);
}

/* ---- From the beginning to the end ----------------------------------------------------------- */

static void net_open(void)
{
    memset(&net, 0, sizeof net);
    net.random = test_seed();
    net.latency = (urd_time)(1 + net_draw(40)) * URD_MS;
    net.jitter = (urd_time)(1 + net_draw(30)) * URD_MS;
    net.lost = (unsigned)net_draw(12);
    net.doubled = (unsigned)net_draw(12);
    urd_scope_open(&net.tasks);
    urd_scope_keep_going(&net.tasks);
}

/* The program has closed all it had. */
static void net_close(void)
{
    CHECK_EQ(sockets_open(), 0);
    CHECK_EQ(net.accepted, 0);
    urd_scope_cancel(&net.tasks, 0);
    int rc = urd_scope_join(&net.tasks);
    CHECK(rc == 0 || rc == -ECANCELED);
}

#endif
