/*
 * kernel.h - system calls that stumble or fail as the kernel's may, below all code of ours.
 *
 * SPDX-License-Identifier: MIT
 *
 * For a program that is one file.  It has functions of the C library's names, which the library
 * that is linked into it calls instead: so each call is reached, also one that asks for no fault.
 *
 * A call stumbles when what befalls it harms nobody: it is interrupted, moves less than was asked,
 * tells of less than there is, or ends early.  A program must not notice.  A call fails with an
 * error that its manual page names.  Neither does what a kernel never does: what is edge-triggered
 * is told empty only when it is, and a short read of TCP says that there is no more.
 */
#ifndef TEST_FAIL_KERNEL_H
#define TEST_FAIL_KERNEL_H

#define FAULTS_IN_C_LIBRARY
#include "faults.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <linux/time_types.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

/* ---- What befalls a call --------------------------------------------------------------------- */

static struct {
    uint64_t rate; /* one call in so many stumbles; 0: none does, and one may fail */
    uint64_t turn; /* which of its errors a call fails with */
    bool served;   /* who accepts goes on after any of its errors: they are stumbles */
} kernel;

typedef struct fate {
    int error; /* 0: none */
    bool less; /* of what was asked */
} fate;

/* The number of a call and the seed say what befalls it. */
static uint64_t draw(void)
{
    uint64_t x = (uint64_t)urd__add_ar(&shared->calls, 1) + test_seed() * 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

/* errors: with which it may fail, up to a 0; NULL: it may not. */
static fate fate_of(const void *caller, const int *errors, bool may_be_less)
{
    if (!shared || !shared->fail_at || !is_in_program(caller))
        return (fate){0};
    if (kernel.rate) {
        uint64_t drawn = draw();
        if (drawn % kernel.rate)
            return (fate){0};
        urd__store_rel(&shared->fired, 1);
        bool less = may_be_less && (drawn >> 32) % 3;
        return (fate){.error = less ? 0 : EINTR, .less = less};
    }
    if (!errors || !fails_now())
        return (fate){0};
    uint64_t n = 0;
    while (errors[n])
        n++;
    int error = errors[(test_seed() + kernel.turn) % n];
    shared->error = -error;
    urd__store_rel(&shared->given[error], 1);
    return (fate){.error = error};
}

#define FATE(errors, less) fate_of(__builtin_return_address(0), (errors), (less))

static long failed_with(int error)
{
    errno = error;
    return -1;
}

/* ---- The C library --------------------------------------------------------------------------- */

#define C_CALLS(X)                                                                                 \
    X(recv)                                                                                        \
    X(recvmsg)                                                                                     \
    X(send)                                                                                        \
    X(sendmsg)                                                                                     \
    X(preadv2)                                                                                     \
    X(pwritev2)                                                                                    \
    X(sendfile)                                                                                    \
    X(splice)                                                                                      \
    X(accept4)                                                                                     \
    X(connect)                                                                                     \
    X(socket)                                                                                      \
    X(socketpair)                                                                                  \
    X(pipe2)                                                                                       \
    X(eventfd)                                                                                     \
    X(ppoll)                                                                                       \
    X(epoll_create1)                                                                               \
    X(epoll_ctl)                                                                                   \
    X(epoll_pwait2)                                                                                \
    X(syscall)
#ifdef HAVE_LIBURING
#define RING_CALLS(X)                                                                              \
    X(io_uring_queue_init_params)                                                                  \
    X(io_uring_submit)                                                                             \
    X(io_uring_submit_and_get_events)                                                              \
    X(io_uring_submit_and_wait)                                                                    \
    X(io_uring_submit_and_wait_timeout)
#else
#define RING_CALLS(X)
#endif

static struct {
#define MEMBER(name) __typeof__(name) *name;
    C_CALLS(MEMBER)
    RING_CALLS(MEMBER)
#undef MEMBER
    int found; /* atomic */
} libc;

/* A sanitizer calls some before any constructor has run. */
static void find_calls(void)
{
    if (urd__load_acq(&libc.found))
        return;
#define FIND(name) *(void **)(void *)&libc.name = dlsym(RTLD_NEXT, #name);
    C_CALLS(FIND)
    RING_CALLS(FIND)
#undef FIND
    urd__store_rel(&libc.found, 1);
}

#define REAL(name) (find_calls(), libc.name)

static const int RECEIVE[] = {ECONNRESET, ENOMEM, ETIMEDOUT, 0};
static const int SEND[] = {ECONNRESET, ENOBUFS, EPIPE, ENOMEM, 0};
static const int ACCEPT[] = {EMFILE, ECONNABORTED, ENFILE, ENOBUFS, EPROTO, ENOMEM, 0};
enum { REFUSALS = sizeof ACCEPT / sizeof *ACCEPT - 1 };
static const int CONNECT[] = {ECONNREFUSED, ENETUNREACH, ETIMEDOUT, EADDRNOTAVAIL, 0};
static const int MAKE[] = {EMFILE, ENFILE, ENOMEM, 0};
static const int WATCH[] = {ENOMEM, ENOSPC, 0};
static const int TRANSFER[] = {EIO, ENOMEM, 0};
#ifdef HAVE_LIBURING
static const int RING[] = {ENOMEM, EPERM, ENOSYS, EMFILE, 0};
#endif

/* ---- Moving bytes ---------------------------------------------------------------------------- */

static int socket_option(int fd, int option)
{
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

/* No message is cut, and TCP gives all it has. */
static bool may_give_less(int fd)
{
    int type = socket_option(fd, SO_TYPE);
    return type < 0 || (type == SOCK_STREAM && socket_option(fd, SO_DOMAIN) == AF_UNIX);
}

static bool may_take_less(int fd)
{
    int type = socket_option(fd, SO_TYPE);
    return type < 0 || type == SOCK_STREAM;
}

static size_t cut(fate f, size_t size)
{
    return f.less && size > 1 ? 1 + size / 3 : size;
}

ssize_t recv(int fd, void *buf, size_t size, int flags)
{
    fate f = FATE(RECEIVE, may_give_less(fd));
    return f.error ? failed_with(f.error) : REAL(recv)(fd, buf, cut(f, size), flags);
}

/* What follows its first part comes with the next call. */
static struct msghdr cut_message(fate f, const struct msghdr *message, struct iovec *part)
{
    struct msghdr cut_one = *message;
    if (f.less && message->msg_iovlen > 0) {
        *part = message->msg_iov[0];
        part->iov_len = cut(f, part->iov_len);
        cut_one.msg_iov = part;
        cut_one.msg_iovlen = 1;
    }
    return cut_one;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    struct iovec part, *parts = message->msg_iov;
    fate f = FATE(RECEIVE, may_give_less(fd));
    if (f.error)
        return failed_with(f.error);
    size_t n = message->msg_iovlen;
    *message = cut_message(f, message, &part);
    ssize_t rc = REAL(recvmsg)(fd, message, flags);
    message->msg_iov = parts;
    message->msg_iovlen = n;
    return rc;
}

ssize_t send(int fd, const void *buf, size_t size, int flags)
{
    fate f = FATE(SEND, may_take_less(fd));
    return f.error ? failed_with(f.error) : REAL(send)(fd, buf, cut(f, size), flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct iovec part;
    fate f = FATE(SEND, may_take_less(fd));
    struct msghdr cut_one = cut_message(f, message, &part);
    return f.error ? failed_with(f.error) : REAL(sendmsg)(fd, &cut_one, flags);
}

static bool is_regular(int fd)
{
    struct stat stat;
    return fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
}

/* What would have to wait for the disk says so where it was asked not to. */
static int error_of_transfer(int fd, int error, int flags)
{
    return error == EINTR && (flags & RWF_NOWAIT) && is_regular(fd) ? EAGAIN : error;
}

ssize_t preadv2(int fd, const struct iovec *parts, int n, off_t at, int flags)
{
    fate f = FATE(TRANSFER, n > 0);
    struct iovec part = *parts;
    part.iov_len = cut(f, part.iov_len);
    if (f.error)
        return failed_with(error_of_transfer(fd, f.error, flags));
    return REAL(preadv2)(fd, f.less ? &part : parts, f.less ? 1 : n, at, flags);
}

ssize_t pwritev2(int fd, const struct iovec *parts, int n, off_t at, int flags)
{
    fate f = FATE(TRANSFER, n > 0);
    struct iovec part = *parts;
    part.iov_len = cut(f, part.iov_len);
    if (f.error)
        return failed_with(error_of_transfer(fd, f.error, flags));
    return REAL(pwritev2)(fd, f.less ? &part : parts, f.less ? 1 : n, at, flags);
}

ssize_t sendfile(int out, int in, off_t *at, size_t size)
{
    fate f = FATE(TRANSFER, true);
    return f.error ? failed_with(f.error) : REAL(sendfile)(out, in, at, cut(f, size));
}

ssize_t splice(int in, off64_t *at_in, int out, off64_t *at_out, size_t size, unsigned flags)
{
    fate f = FATE(TRANSFER, true);
    return f.error ? failed_with(f.error)
                   : REAL(splice)(in, at_in, out, at_out, cut(f, size), flags);
}

/* ---- Making descriptors ---------------------------------------------------------------------- */

int accept4(int fd, __SOCKADDR_ARG from, socklen_t *restrict size, int flags)
{
    fate f = FATE(ACCEPT, false);
    if (f.error == EINTR && kernel.served)
        f.error = ACCEPT[(unsigned long)urd__load_acq(&shared->calls) % REFUSALS];
    return f.error ? (int)failed_with(f.error) : REAL(accept4)(fd, from, size, flags);
}

int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t size)
{
    fate f = FATE(CONNECT, false);
    return f.error ? (int)failed_with(f.error) : REAL(connect)(fd, to, size);
}

static int error_of_making(fate f)
{
    return kernel.rate ? 0 : f.error; /* which is never interrupted */
}

int socket(int family, int type, int protocol)
{
    int error = error_of_making(FATE(MAKE, false));
    return error ? (int)failed_with(error) : REAL(socket)(family, type, protocol);
}

int socketpair(int family, int type, int protocol, int ends[2])
{
    int error = error_of_making(FATE(MAKE, false));
    return error ? (int)failed_with(error) : REAL(socketpair)(family, type, protocol, ends);
}

int pipe2(int ends[2], int flags)
{
    int error = error_of_making(FATE(MAKE, false));
    return error ? (int)failed_with(error) : REAL(pipe2)(ends, flags);
}

int eventfd(unsigned count, int flags)
{
    int error = error_of_making(FATE(MAKE, false));
    return error ? (int)failed_with(error) : REAL(eventfd)(count, flags);
}

int epoll_create1(int flags)
{
    int error = error_of_making(FATE(MAKE, false));
    return error ? (int)failed_with(error) : REAL(epoll_create1)(flags);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

/* What is ready is told in any case. */
int ppoll(struct pollfd *list, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    fate f = FATE(NULL, false);
    if (!f.error)
        return REAL(ppoll)(list, n, timeout, mask);
    int ready = REAL(ppoll)(list, n, &(struct timespec){0}, mask);
    return ready ? ready : (int)failed_with(f.error);
}

int epoll_ctl(int set, int op, int fd, struct epoll_event *event)
{
    fate f = FATE(op == EPOLL_CTL_DEL ? NULL : WATCH, false);
    if (f.error && !kernel.rate)
        return (int)failed_with(f.error);
    return REAL(epoll_ctl)(set, op, fd, event);
}

int epoll_pwait2(int set, struct epoll_event *out, int n, const struct timespec *timeout,
                 const sigset_t *mask)
{
    fate f = FATE(NULL, true);
    if (!f.error)
        return REAL(epoll_pwait2)(set, out, f.less ? 1 : n, timeout, mask);
    int ready = REAL(epoll_pwait2)(set, out, n, &(struct timespec){0}, mask);
    return ready ? ready : (int)failed_with(f.error);
}

static bool is_futex_wait(long number, long op)
{
    bool any = false;
#ifdef SYS_futex_waitv
    any = number == SYS_futex_waitv;
#endif
    return any || (number == SYS_futex && (op & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET);
}

long syscall(long number, ...)
{
    enum { ARGS = 6 };
    long a[ARGS];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < ARGS; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    if (is_futex_wait(number, a[1])) {
        fate f = FATE(NULL, true);
        if (f.less)
            return 0; /* woken, and by nobody */
        if (f.error)
            return failed_with(f.error);
    }
    return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#ifdef HAVE_LIBURING
/* No memory for more: half of what is queued is handed over, and nothing is waited for. */
static int submit_half(struct io_uring *ring)
{
    unsigned tail = ring->sq.sqe_tail;
    ring->sq.sqe_tail -= (tail - ring->sq.sqe_head + 1) / 2;
    int n = REAL(io_uring_submit)(ring);
    ring->sq.sqe_tail = tail;
    return n;
}

/* Does it stumble?  Then *rc is what it says: half was handed over; or nothing was, there is no
 * memory for it, or its completions would not fit. */
static bool ring_stumbles(struct io_uring *ring, fate f, int *rc)
{
    static const int busy[] = {EBUSY, EAGAIN, EINTR};
    if (f.less)
        *rc = submit_half(ring);
    else if (f.error)
        *rc = -busy[(unsigned long)urd__load_acq(&shared->calls) % 3];
    return f.less || f.error;
}

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
    int error = error_of_making(FATE(RING, false));
    return error ? -error : REAL(io_uring_queue_init_params)(entries, ring, p);
}

int io_uring_submit(struct io_uring *ring)
{
    int rc;
    return ring_stumbles(ring, FATE(NULL, true), &rc) ? rc : REAL(io_uring_submit)(ring);
}

int io_uring_submit_and_get_events(struct io_uring *ring)
{
    int rc;
    return ring_stumbles(ring, FATE(NULL, true), &rc) ? rc
                                                      : REAL(io_uring_submit_and_get_events)(ring);
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned n)
{
    int rc;
    return ring_stumbles(ring, FATE(NULL, true), &rc) ? rc
                                                      : REAL(io_uring_submit_and_wait)(ring, n);
}

int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **out, unsigned n,
                                     struct __kernel_timespec *timeout, sigset_t *mask)
{
    int rc;
    return ring_stumbles(ring, FATE(NULL, true), &rc)
               ? rc
               : REAL(io_uring_submit_and_wait_timeout)(ring, out, n, timeout, mask);
}
#endif

#endif
