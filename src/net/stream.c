/*
 * stream.c - sockets that listen and sockets that are connected; pipes and pairs.
 *
 * SPDX-License-Identifier: MIT
 *
 * Dialling is a race of tasks, one for each address that was begun, in a scope of their own.  Each
 * puts its descriptor or its error into a channel with room for all; the caller takes them out,
 * begins the next one when one failed or the time was up, and cancels the rest once one has
 * connected.  Those may have, too, meanwhile: what is in the channel after the join is closed.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/atomic.h"
#include "base/os_io.h"
#include "base/os_net.h"
#include "base/os_proc.h"
#include "core/runtime.h"
#include "io/fd.h"
#include "net/address.h"

enum { ADDRESSES_MAX = 16, BACKLOG = 4096 };
static const urd_time HEAD_START = 250 * URD_MS;

/* ---- One socket ------------------------------------------------------------------------------ */

static int make(int family, int type)
{
    int fd = urd__os_socket(family, type);
    if (fd >= 0)
        urd__fd_made(fd, family != AF_UNIX && type == SOCK_STREAM ? URD__FD_TCP : 0);
    return fd;
}

/* The descriptor, or closed and why. */
static int or_close(int fd, int rc)
{
    if (rc == 0)
        return fd;
    urd_close(fd);
    return rc;
}

static int set_nodelay(int fd, int family)
{
    return family == AF_UNIX ? 0 : urd__os_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static int dial_one(const urd_address *to, int type)
{
    const struct sockaddr *at = urd__address_in(to);
    int family = urd__address_family(to), fd = make(family, type);
    if (fd < 0)
        return fd;
    int rc = type == SOCK_STREAM ? set_nodelay(fd, family) : 0;
    return or_close(fd, rc ? rc : urd_connect(fd, at, to->size));
}

static int bind_one(int fd, const urd_address *at)
{
    return urd__os_bind(fd, urd__address_in(at), at->size);
}

static int listen_on(int fd, const urd_listen_options *options)
{
    int backlog = options && options->backlog > 0 ? options->backlog : BACKLOG;
    return urd__os_listen(fd, backlog);
}

/* ---- TCP: dial ------------------------------------------------------------------------------- */

typedef struct attempt {
    const urd_address *to;
    urd_chan *results;
} attempt;

static int try_one(void *arg)
{
    const attempt *a = arg;
    int fd = dial_one(a->to, SOCK_STREAM);
    return urd_chan_trysend(a->results, &fd);
}

/* A descriptor or an error; -ETIMEDOUT: neither until then. */
static int next_result(urd_chan *results, urd_time until, int *fd)
{
    urd_scope head_start;
    urd_scope_open(&head_start);
    urd_scope_deadline(&head_start, until);
    int rc = urd_chan_recv(results, fd);
    int over = urd_scope_join(&head_start);
    return rc == 0 ? 0 : over;
}

/* The first descriptor, or why there is none. */
static int race(urd_scope *s, attempt *attempts, int n, urd_chan *results)
{
    int begun = 0, ended = 0, fd = -ECANCELED, last = 0;
    while (ended < n) {
        if (begun < n) {
            int rc = urd_go(s, try_one, &attempts[begun]);
            if (rc)
                return rc;
            begun++;
        }
        int rc;
        do {
            rc = begun < n ? next_result(results, urd_now() + HEAD_START, &fd)
                           : urd_chan_recv(results, &fd);
            if (rc == 0 && fd >= 0)
                return fd;
            ended += rc == 0;
            last = rc == 0 ? fd : last;
        } while (rc == 0 && begun == n && ended < n);
        if (rc && rc != -ETIMEDOUT)
            return rc;
    }
    return last;
}

/* The families take turns, beginning with that of the first address. */
static void take_turns(const urd_address *list, int n, attempt *out)
{
    int first = urd__address_family(list), next[2] = {0, 0};
    for (int i = 0, turn = 0; i < n; i++, turn = !turn) {
        int at;
        for (int tries = 0; tries < 2; tries++, turn = !turn) {
            at = next[turn];
            while (at < n && (urd__address_family(&list[at]) != first) != turn)
                at++;
            next[turn] = at;
            if (at < n)
                break;
        }
        next[turn]++;
        out[i].to = &list[at];
    }
}

/* Where no task can run: one after the other. */
static int dial_in_turn(const attempt *attempts, int n)
{
    int fd = -EINVAL;
    for (int i = 0; i < n && fd < 0; i++)
        fd = dial_one(attempts[i].to, SOCK_STREAM);
    return fd;
}

int urd_tcp_dial_any(const urd_address *list, int n)
{
    attempt attempts[ADDRESSES_MAX];
    int ring[ADDRESSES_MAX], late;
    if (n <= 0 || n > ADDRESSES_MAX)
        return -EINVAL;
    take_turns(list, n, attempts);
    if (n == 1 || urd__load_acq(&urd__rt.state) != URD__RUNNING) /* [state] */
        return dial_in_turn(attempts, n);
    urd_chan results;
    urd_chan_init(&results, sizeof *ring, ring, ADDRESSES_MAX);
    for (int i = 0; i < n; i++)
        attempts[i].results = &results;
    urd_scope s;
    urd_scope_open(&s);
    int fd = race(&s, attempts, n, &results);
    urd_scope_cancel(&s, 0);
    int rc = urd_scope_join(&s); /* why it was cancelled, if that was before we did it */
    if (fd == -ECANCELED)
        fd = rc;
    while (urd_chan_tryrecv(&results, &late) == 0)
        if (late >= 0)
            urd_close(late);
    urd_chan_fini(&results);
    return fd;
}

int urd_tcp_dial(const char *host, int port)
{
    urd_address list[ADDRESSES_MAX];
    int n = urd_resolve(host, port, list, ADDRESSES_MAX);
    return n < 0 ? n : urd_tcp_dial_any(list, n);
}

/* ---- TCP: listen ----------------------------------------------------------------------------- */

/* One socket of IPv6 serves both families, where there is IPv6. */
static int open_all(int type, int port, urd_address *at)
{
    int rc = urd_address_parse(at, "::", port);
    if (rc)
        return rc;
    int fd = make(AF_INET6, type);
    if (fd >= 0)
        return or_close(fd, urd__os_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0));
    if (fd != -EAFNOSUPPORT)
        return fd;
    rc = urd_address_parse(at, "0.0.0.0", port);
    return rc ? rc : make(AF_INET, type);
}

static int finish_listening(int fd, const urd_address *at, const urd_listen_options *options)
{
    int rc = urd__os_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (rc == 0 && options && options->reuse_port)
        rc = urd__os_set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (rc == 0)
        rc = set_nodelay(fd, AF_INET); /* which accepted ones inherit */
    if (rc == 0)
        rc = bind_one(fd, at);
    return or_close(fd, rc ? rc : listen_on(fd, options));
}

int urd_tcp_listen_at(const urd_address *at, const urd_listen_options *options)
{
    int fd = make(urd__address_family(at), SOCK_STREAM);
    return fd < 0 ? fd : finish_listening(fd, at, options);
}

int urd_tcp_listen(const char *host, int port, const urd_listen_options *options)
{
    urd_address at;
    if (host) {
        int n = urd_resolve(host, port, &at, 1);
        return n < 0 ? n : urd_tcp_listen_at(&at, options);
    }
    int fd = open_all(SOCK_STREAM, port, &at);
    return fd < 0 ? fd : finish_listening(fd, &at, options);
}

/* ---- Unix ------------------------------------------------------------------------------------ */

int urd_unix_dial(const char *path)
{
    urd_address to;
    int rc = urd__address_unix(&to, path);
    return rc ? rc : dial_one(&to, SOCK_STREAM);
}

/* Left behind by a program that has ended: nobody listens.  Asked once: one that listens and has
 * no room for another connection says so at once. */
static bool is_abandoned(const char *path, const urd_address *at)
{
    int fd = urd__os_is_socket(path) ? make(AF_UNIX, SOCK_STREAM) : -EINVAL;
    if (fd < 0)
        return false;
    int rc = urd__os_connect_begin(fd, urd__address_in(at), at->size);
    urd_close(fd);
    return rc == -ECONNREFUSED;
}

static int listen_at_path(int fd, const char *path, const urd_address *at,
                          const urd_listen_options *options)
{
    int rc = bind_one(fd, at);
    if (rc == -EADDRINUSE && path[0] != '@' && is_abandoned(path, at)) {
        rc = urd__os_remove(path);
        rc = rc ? rc : bind_one(fd, at);
    }
    return rc ? rc : listen_on(fd, options);
}

/* Between bind and listen a socket looks abandoned, and of two who both find one so, the second
 * would remove the first one's: so it is one at a time in a folder, also among programs.  Where
 * that cannot be had (-1), without.  -ECANCELED. */
static int wait_for_folder(const char *path)
{
    int lock;
    while ((lock = urd__os_lock_folder(path)) == -EAGAIN) {
        int rc = urd_sleep(URD_MS);
        if (rc)
            return rc;
    }
    return lock < 0 ? -1 : lock;
}

int urd_unix_listen(const char *path, const urd_listen_options *options)
{
    urd_address at;
    int rc = urd__fd_point(urd__task_self());
    if (rc)
        return rc;
    int fd = urd__address_unix(&at, path);
    if (fd == 0)
        fd = make(AF_UNIX, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int lock = path[0] == '@' ? -1 : wait_for_folder(path);
    rc = lock == -ECANCELED ? lock : listen_at_path(fd, path, &at, options);
    urd__os_close(lock);
    return or_close(fd, rc);
}

/* ---- UDP ------------------------------------------------------------------------------------- */

int urd_udp_open(const char *host, int port)
{
    urd_address at;
    int n = host ? urd_resolve(host, port, &at, 1) : 0;
    if (n < 0)
        return n;
    int fd = host ? make(urd__address_family(&at), SOCK_DGRAM) : open_all(SOCK_DGRAM, port, &at);
    return fd < 0 ? fd : or_close(fd, bind_one(fd, &at));
}

int urd_udp_dial(const char *host, int port)
{
    urd_address to;
    int n = urd_resolve(host, port, &to, 1);
    return n < 0 ? n : dial_one(&to, SOCK_DGRAM);
}

/* ---- Within a program ------------------------------------------------------------------------ */

static int made(int rc, const int ends[2])
{
    for (int i = 0; rc == 0 && i < 2; i++)
        urd__fd_made(ends[i], 0);
    return rc;
}

int urd_pipe(int ends[2])
{
    return made(urd__os_pipe_pair(ends), ends);
}

int urd_pair(int ends[2])
{
    return made(urd__os_stream_pair(ends), ends);
}
