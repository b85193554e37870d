/*
 * blocking_io.c - read, write, recv, send, connect, accept and their kin, made by tasks.
 *
 * SPDX-License-Identifier: MIT
 *
 * A descriptor is what its owner made it.  In non-blocking mode, or with MSG_DONTWAIT, nothing
 * waits.  In blocking mode a call waits as long as SO_RCVTIMEO and SO_SNDTIMEO allow, and a write
 * to a stream goes on until all is written, as the kernel's does; the mode is not changed, so a
 * try is told not to wait by a flag.  Each call tries before it asks for any of that.
 *
 * No flag tells accept() not to wait.  So one task at a time looks whether there is a connection
 * and takes it; that a stranger takes it in between would hold up this worker until the next.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/time.h>

#include "blocking/blocking.h"

typedef struct transfer transfer;
typedef ssize_t attempt(const transfer *t); /* never waits; -errno */

struct transfer {
    int fd, flags;
    struct iovec part;
    struct msghdr *in;
    const struct msghdr *out;
    struct sockaddr *from;
    socklen_t *from_size;
};

static bool is_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 || (flags & O_NONBLOCK);
}

/* What SO_RCVTIMEO or SO_SNDTIMEO of the descriptor allow, if it is a socket. */
static urd_time allowed_until(int fd, int option)
{
    struct timeval time = {0};
    socklen_t size = sizeof time;
    int rc = getsockopt(fd, SOL_SOCKET, option, &time, &size);
    return rc || (time.tv_sec == 0 && time.tv_usec == 0)
               ? URD_FOREVER
               : urd__blocking_after(time.tv_sec, time.tv_usec * URD_US);
}

/* Until a try does not have to wait.  -EAGAIN: it would, and must not or may no longer. */
static ssize_t run(const transfer *t, short events, attempt *try)
{
    ssize_t n = try(t);
    if (n != -EAGAIN || (t->flags & MSG_DONTWAIT) || is_nonblocking(t->fd))
        return n;
    urd_time until = allowed_until(t->fd, events == POLLIN ? SO_RCVTIMEO : SO_SNDTIMEO);
    struct pollfd one = {.fd = t->fd, .events = events};
    int rc;
    do {
        rc = urd__blocking_wait(&one, 1, until);
        if (rc == 0)
            n = try(t);
    } while (rc == 0 && n == -EAGAIN);
    return rc == 0 ? n : rc == -ETIMEDOUT ? -EAGAIN : rc;
}

/* ---- Receiving ------------------------------------------------------------------------------- */

static ssize_t try_recv(const transfer *t)
{
    return urd_recv(t->fd, t->part.iov_base, t->part.iov_len, t->flags | MSG_DONTWAIT);
}

static ssize_t try_recvfrom(const transfer *t)
{
    return urd_recvfrom(t->fd, t->part.iov_base, t->part.iov_len, t->flags | MSG_DONTWAIT, t->from,
                        t->from_size);
}

static ssize_t try_recvmsg(const transfer *t)
{
    return urd_recvmsg(t->fd, t->in, t->flags | MSG_DONTWAIT);
}

/* With MSG_WAITALL until there is so much, the end, or an error, which the next call returns. */
static ssize_t receive(const transfer *asked)
{
    transfer t = *asked;
    ssize_t n = run(&t, POLLIN, try_recv), done = n;
    bool all = (t.flags & (MSG_WAITALL | MSG_PEEK | MSG_DONTWAIT)) == MSG_WAITALL;
    while (all && n > 0 && (size_t)n < t.part.iov_len && !is_nonblocking(t.fd)) {
        t.part.iov_base = (char *)t.part.iov_base + n;
        t.part.iov_len -= (size_t)n;
        n = run(&t, POLLIN, try_recv);
        done += n > 0 ? n : 0;
    }
    return done;
}

static ssize_t read_here(int fd, void *buf, size_t size)
{
    ssize_t n = receive(&(transfer){.fd = fd, .part = {buf, size}});
    if (n != -ENOTSOCK)
        return urd__blocking_answer(n);
    return is_nonblocking(fd) ? urd__blocking_real()->read(fd, buf, size)
                              : urd__blocking_answer(urd_read(fd, buf, size));
}

static ssize_t readv_here(int fd, const struct iovec *parts, int n)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, // NOLINT
                             .msg_iovlen = (size_t)n};
    ssize_t got = n > 0 ? run(&(transfer){.fd = fd, .in = &message}, POLLIN, try_recvmsg) : -EINVAL;
    if (got != -ENOTSOCK)
        return urd__blocking_answer(got);
    return is_nonblocking(fd) ? urd__blocking_real()->readv(fd, parts, n)
                              : urd__blocking_answer(urd_readv(fd, parts, n));
}

static ssize_t recv_here(int fd, void *buf, size_t size, int flags)
{
    return urd__blocking_answer(
        receive(&(transfer){.fd = fd, .flags = flags, .part = {buf, size}}));
}

static ssize_t recvfrom_here(const transfer *t)
{
    return urd__blocking_answer(t->from ? run(t, POLLIN, try_recvfrom) : receive(t));
}

/* ---- Sending --------------------------------------------------------------------------------- */

static ssize_t try_send(const transfer *t)
{
    return urd_send(t->fd, t->part.iov_base, t->part.iov_len, t->flags | MSG_DONTWAIT);
}

static ssize_t try_sendmsg(const transfer *t)
{
    return urd_sendmsg(t->fd, t->out, t->flags | MSG_DONTWAIT);
}

static ssize_t try_write(const transfer *t)
{
    return urd_write(t->fd, t->part.iov_base, t->part.iov_len);
}

/* The rest of one part: how much went.  What went counts, and an error comes with the next call. */
static size_t send_part(transfer *t, attempt *try)
{
    size_t done = 0, size = t->part.iov_len;
    while (done < size) {
        ssize_t n = run(t, POLLOUT, try);
        if (n <= 0)
            break;
        done += (size_t)n;
        t->part.iov_base = (char *)t->part.iov_base + n;
        t->part.iov_len -= (size_t)n;
    }
    return done;
}

/* Of parts of which `done` bytes have gone, the rest.  How much has gone in all. */
static ssize_t send_rest(int fd, const struct iovec *parts, size_t n, ssize_t done, attempt *try)
{
    size_t skip = (size_t)done, all = skip;
    if (done <= 0 || is_nonblocking(fd))
        return done;
    for (size_t i = 0; i < n; i++) {
        size_t size = parts[i].iov_len, gone = skip < size ? skip : size;
        skip -= gone;
        transfer t = {.fd = fd, .part = {(char *)parts[i].iov_base + gone, size - gone}};
        size_t more = send_part(&t, try);
        all += more;
        if (more < size - gone)
            break;
    }
    return (ssize_t)all;
}

static size_t size_of(const struct iovec *parts, size_t n)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += parts[i].iov_len;
    return size;
}

/* What a send did not take, in a descriptor that blocks. */
static ssize_t complete(const transfer *t, const struct iovec *parts, size_t count, ssize_t n)
{
    if (n <= 0 || (t->flags & MSG_DONTWAIT) || (size_t)n == size_of(parts, count))
        return n;
    return send_rest(t->fd, parts, count, n, try_send);
}

static ssize_t send_here(int fd, const void *buf, size_t size, int flags)
{
    transfer t = {.fd = fd, .flags = flags, .part = {(void *)(uintptr_t)buf, size}}; // NOLINT
    return complete(&t, &t.part, 1, run(&t, POLLOUT, try_send));
}

static ssize_t sendmsg_here(int fd, const struct msghdr *message, int flags)
{
    transfer t = {.fd = fd, .flags = flags, .out = message};
    return complete(&t, message->msg_iov, message->msg_iovlen, run(&t, POLLOUT, try_sendmsg));
}

static ssize_t write_here(int fd, const void *buf, size_t size)
{
    ssize_t n = send_here(fd, buf, size, 0);
    if (n != -ENOTSOCK)
        return urd__blocking_answer(n);
    if (is_nonblocking(fd))
        return urd__blocking_real()->write(fd, buf, size);
    struct iovec part = {(void *)(uintptr_t)buf, size}; // NOLINT
    return urd__blocking_answer(send_rest(fd, &part, 1, urd_write(fd, buf, size), try_write));
}

static ssize_t writev_here(int fd, const struct iovec *parts, int n)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, // NOLINT
                             .msg_iovlen = (size_t)n};
    ssize_t sent = n > 0 ? sendmsg_here(fd, &message, 0) : -EINVAL;
    if (sent != -ENOTSOCK)
        return urd__blocking_answer(sent);
    if (is_nonblocking(fd))
        return urd__blocking_real()->writev(fd, parts, n);
    sent = urd_writev(fd, parts, n);
    return urd__blocking_answer(send_rest(fd, parts, (size_t)n, sent, try_write));
}

/* ---- Connections ----------------------------------------------------------------------------- */

typedef struct dialled {
    int fd;
    const struct sockaddr *to;
    socklen_t size;
} dialled;

static int dial(void *arg)
{
    const dialled *d = arg;
    return urd_connect(d->fd, d->to, d->size);
}

/* A connection that takes longer than SO_SNDTIMEO allows is one in progress, says Linux. */
static int connect_here(int fd, const struct sockaddr *to, socklen_t size)
{
    if (is_nonblocking(fd))
        return urd__blocking_real()->connect(fd, to, size);
    dialled d = {fd, to, size};
    int rc = urd__blocking_until(allowed_until(fd, SO_SNDTIMEO), dial, &d);
    return (int)urd__blocking_answer(rc == -ETIMEDOUT ? -EINPROGRESS : rc);
}

/* Blocking or not, it would not wait now; -EAGAIN. */
static ssize_t try_accept(const transfer *t)
{
    static pthread_mutex_t looking = PTHREAD_MUTEX_INITIALIZER;
    const urd__blocking_libc *real = urd__blocking_real();
    struct pollfd one = {.fd = t->fd, .events = POLLIN};
    real->pthread_mutex_lock(&looking);
    int rc = real->poll(&one, 1, 0) == 0
                 ? -EAGAIN
                 : real->accept4(t->fd, t->from, t->from_size, t->flags & ~MSG_DONTWAIT);
    rc = rc == -1 ? -errno : rc;
    real->pthread_mutex_unlock(&looking);
    return rc;
}

static int accept_here(int fd, struct sockaddr *from, socklen_t *size, int flags)
{
    if (is_nonblocking(fd))
        return urd__blocking_real()->accept4(fd, from, size, flags);
    if (urd_cancelled())
        return (int)urd__blocking_answer(-ECANCELED);
    transfer t = {.fd = fd, .flags = flags, .from = from, .from_size = size};
    return (int)urd__blocking_answer(run(&t, POLLIN, try_accept));
}

/* ---- Under the names of the C library -------------------------------------------------------- */

/* Addresses are of the unions that its headers have. */

#define REAL(call, ...) urd__blocking_real()->call(__VA_ARGS__)

ssize_t read(int fd, void *buf, size_t size)
{
    return URD__CAUGHT() ? read_here(fd, buf, size) : REAL(read, fd, buf, size);
}

ssize_t readv(int fd, const struct iovec *parts, int n)
{
    return URD__CAUGHT() ? readv_here(fd, parts, n) : REAL(readv, fd, parts, n);
}

ssize_t write(int fd, const void *buf, size_t size)
{
    return URD__CAUGHT() ? write_here(fd, buf, size) : REAL(write, fd, buf, size);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    return URD__CAUGHT() ? writev_here(fd, parts, n) : REAL(writev, fd, parts, n);
}

ssize_t recv(int fd, void *buf, size_t size, int flags)
{
    return URD__CAUGHT() ? recv_here(fd, buf, size, flags) : REAL(recv, fd, buf, size, flags);
}

ssize_t recvfrom(int fd, void *restrict buf, size_t size, int flags, __SOCKADDR_ARG from,
                 socklen_t *restrict from_size)
{
    transfer t = {fd, flags, {buf, size}, NULL, NULL, from.__sockaddr__, from_size};
    return URD__CAUGHT() ? recvfrom_here(&t)
                         : REAL(recvfrom, fd, buf, size, flags, from, from_size);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    transfer t = {.fd = fd, .flags = flags, .in = message};
    return URD__CAUGHT() ? urd__blocking_answer(run(&t, POLLIN, try_recvmsg))
                         : REAL(recvmsg, fd, message, flags);
}

ssize_t send(int fd, const void *buf, size_t size, int flags)
{
    return URD__CAUGHT() ? urd__blocking_answer(send_here(fd, buf, size, flags))
                         : REAL(send, fd, buf, size, flags);
}

ssize_t sendto(int fd, const void *buf, size_t size, int flags, __CONST_SOCKADDR_ARG to,
               socklen_t to_size)
{
    if (!URD__CAUGHT())
        return REAL(sendto, fd, buf, size, flags, to, to_size);
    struct iovec part = {(void *)(uintptr_t)buf, size};                      // NOLINT
    struct msghdr message = {.msg_name = (void *)(uintptr_t)to.__sockaddr__, // NOLINT
                             .msg_namelen = to.__sockaddr__ ? to_size : 0,
                             .msg_iov = &part,
                             .msg_iovlen = 1};
    return urd__blocking_answer(sendmsg_here(fd, &message, flags));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return URD__CAUGHT() ? urd__blocking_answer(sendmsg_here(fd, message, flags))
                         : REAL(sendmsg, fd, message, flags);
}

int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t size)
{
    return URD__CAUGHT() ? connect_here(fd, to.__sockaddr__, size) : REAL(connect, fd, to, size);
}

int accept(int fd, __SOCKADDR_ARG from, socklen_t *restrict size)
{
    return URD__CAUGHT() ? accept_here(fd, from.__sockaddr__, size, 0)
                         : REAL(accept, fd, from, size);
}

int accept4(int fd, __SOCKADDR_ARG from, socklen_t *restrict size, int flags)
{
    return URD__CAUGHT() ? accept_here(fd, from.__sockaddr__, size, flags)
                         : REAL(accept4, fd, from, size, flags);
}

/* Called instead where a program was compiled to have its buffers checked.  The compiler knows
 * these; no header has them. */
ssize_t __read_chk(int fd, void *buf, size_t size, size_t room);
ssize_t __recv_chk(int fd, void *buf, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *restrict buf, size_t size, size_t room, int flags,
                       __SOCKADDR_ARG from, socklen_t *restrict from_size);

static void check_room(size_t size, size_t room)
{
    if (size > room)
        __builtin_trap();
}

ssize_t __read_chk(int fd, void *buf, size_t size, size_t room)
{
    check_room(size, room);
    return URD__CAUGHT() ? read_here(fd, buf, size) : REAL(read, fd, buf, size);
}

ssize_t __recv_chk(int fd, void *buf, size_t size, size_t room, int flags)
{
    check_room(size, room);
    return URD__CAUGHT() ? recv_here(fd, buf, size, flags) : REAL(recv, fd, buf, size, flags);
}

ssize_t __recvfrom_chk(int fd, void *restrict buf, size_t size, size_t room, int flags,
                       __SOCKADDR_ARG from, socklen_t *restrict from_size)
{
    check_room(size, room);
    transfer t = {fd, flags, {buf, size}, NULL, NULL, from.__sockaddr__, from_size};
    return URD__CAUGHT() ? recvfrom_here(&t)
                         : REAL(recvfrom, fd, buf, size, flags, from, from_size);
}
