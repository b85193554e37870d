/*
 * os_io.c - the system calls of I/O; turns errno into -errno, once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/os_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "base/os_proc.h"

static const int64_t SECOND = 1000000000;

/* Beyond this a table by number would be too large; the kernel's default limit is 2^20. */
static const rlim_t FDS_MAX = 1 << 22;

static ssize_t result(ssize_t rc)
{
    return rc < 0 ? -errno : rc;
}

/* ---- Reads and writes on anything ------------------------------------------------------------ */

static bool is_file(int fd)
{
    struct stat stat;
    return fstat(fd, &stat) == 0 && (S_ISREG(stat.st_mode) || S_ISBLK(stat.st_mode));
}

/* File systems with no disk below: nothing there can be waited for. */
static bool is_in_memory(int fd)
{
    static const long memory[] = {TMPFS_MAGIC, RAMFS_MAGIC, HUGETLBFS_MAGIC};
    struct statfs fs;
    bool in_memory = false;
    if (fstatfs(fd, &fs) == 0)
        for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
            in_memory |= (long)fs.f_type == memory[i];
    return in_memory;
}

static ssize_t read_if_ready(int fd, const struct iovec *parts, int n)
{
    return urd__os_poll(fd, POLLIN, -1, 0) ? result(readv(fd, parts, n)) : -EAGAIN;
}

/* It was told to fail rather than wait, and did: because it has to, or does not know how. */
static bool failed(ssize_t rc)
{
    return rc == -EAGAIN || rc == -EOPNOTSUPP || rc == -ENOSYS;
}

static ssize_t read_once(int fd, const struct iovec *parts, int n, off_t at)
{
    ssize_t rc = result(preadv2(fd, parts, n, at, RWF_NOWAIT));
    if (!failed(rc))
        return rc;
    if (is_file(fd))
        return rc != -EAGAIN && is_in_memory(fd) ? result(preadv2(fd, parts, n, at, 0))
                                                 : URD__OS_ON_DISK;
    if (rc == -EAGAIN)
        return rc;
    return at < 0 ? read_if_ready(fd, parts, n) : result(preadv2(fd, parts, n, at, 0));
}

ssize_t urd__os_try_read(int fd, const struct iovec *parts, int n)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    ssize_t rc;
    do {
        rc = n == 1 ? result(recv(fd, parts->iov_base, parts->iov_len, MSG_DONTWAIT)) : -ENOTSOCK;
        if (rc == -ENOTSOCK)
            rc = read_once(fd, parts, n, -1);
    } while (rc == -EINTR);
    return rc;
}

/* A ready pipe takes this much at once, but perhaps not more. */
static ssize_t write_if_ready(int fd, const struct iovec *parts, int n)
{
    if (!urd__os_poll(fd, POLLOUT, -1, 0))
        return -EAGAIN;
    struct iovec first = *parts;
    size_t all = 0;
    for (int i = 0; i < n; i++)
        all += parts[i].iov_len;
    if (all <= PIPE_BUF)
        return result(writev(fd, parts, n));
    while (first.iov_len == 0)
        first = *++parts;
    return result(write(fd, first.iov_base, first.iov_len < PIPE_BUF ? first.iov_len : PIPE_BUF));
}

static ssize_t write_once(int fd, const struct iovec *parts, int n, off_t at)
{
    ssize_t rc = result(pwritev2(fd, parts, n, at, RWF_NOWAIT));
    if (!failed(rc))
        return rc;
    if (is_file(fd))
        return rc != -EAGAIN && is_in_memory(fd) ? result(pwritev2(fd, parts, n, at, 0))
                                                 : URD__OS_ON_DISK;
    if (rc == -EAGAIN)
        return rc;
    return at < 0 ? write_if_ready(fd, parts, n) : result(pwritev2(fd, parts, n, at, 0));
}

/* Of the calls that write, only those on sockets can be told not to raise SIGPIPE. */
typedef struct muted {
    sigset_t pipe, old, pending;
} muted;

static void mute(muted *m)
{
    sigemptyset(&m->pipe);
    sigaddset(&m->pipe, SIGPIPE);
    sigpending(&m->pending);
    pthread_sigmask(SIG_BLOCK, &m->pipe, &m->old);
}

static ssize_t unmute(const muted *m, ssize_t rc)
{
    const struct timespec now = {0};
    if (rc == -EPIPE && !sigismember(&m->pending, SIGPIPE))
        sigtimedwait(&m->pipe, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &m->old, NULL);
    return rc;
}

static ssize_t write_without_signal(int fd, const struct iovec *parts, int n)
{
    muted m;
    mute(&m);
    return unmute(&m, write_once(fd, parts, n, -1));
}

int urd__os_write_unread(int fd, const char *text, size_t size)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    muted m;
    mute(&m);
    return (int)unmute(&m, urd__os_write(fd, text, size));
}

static ssize_t send_parts(int fd, const struct iovec *parts, int n)
{
    if (n == 1)
        return result(send(fd, parts->iov_base, parts->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL));
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)n};
    return result(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

ssize_t urd__os_try_write(int fd, const struct iovec *parts, int n)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    ssize_t rc;
    do {
        rc = send_parts(fd, parts, n);
        if (rc == -ENOTSOCK)
            rc = write_without_signal(fd, parts, n);
    } while (rc == -EINTR);
    return rc;
}

ssize_t urd__os_try_pread(int fd, const struct iovec *parts, int n, off_t at)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    ssize_t rc;
    do
        rc = read_once(fd, parts, n, at);
    while (rc == -EINTR);
    return rc;
}

/* What has places is no pipe, so no SIGPIPE comes. */
ssize_t urd__os_try_pwrite(int fd, const struct iovec *parts, int n, off_t at)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    ssize_t rc;
    do
        rc = write_once(fd, parts, n, at);
    while (rc == -EINTR);
    return rc;
}

ssize_t urd__os_pread(int fd, const struct iovec *parts, int n, off_t at)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    ssize_t rc;
    do
        rc = result(preadv2(fd, parts, n, at, 0));
    while (rc == -EINTR);
    return rc;
}

ssize_t urd__os_pwrite(int fd, const struct iovec *parts, int n, off_t at)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    ssize_t rc;
    do
        rc = result(pwritev2(fd, parts, n, at, 0));
    while (rc == -EINTR);
    return rc;
}

/* ---- From one to another --------------------------------------------------------------------- */

/* Its old flags, or -errno. */
static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_NONBLOCK))
        return (int)result(flags);
    int rc = fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    return rc < 0 ? -errno : flags;
}

int urd__os_set_blocking(int fd)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    int flags = (int)result(fcntl(fd, F_GETFL));
    return flags < 0 ? flags : (int)result(fcntl(fd, F_SETFL, flags & ~O_NONBLOCK));
}

ssize_t urd__os_sendfile(int out, int in, off_t *at, size_t size)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    int rc_in = set_nonblocking(in), flags = set_nonblocking(out); /* a socket may be read, too */
    if (rc_in < 0 || flags < 0)
        return rc_in < 0 ? rc_in : flags;
    muted m;
    mute(&m);
    ssize_t rc;
    do
        rc = result(sendfile(out, in, at, size));
    while (rc == -EINTR);
    return unmute(&m, rc);
}

/* Its first byte stands for the rest, which the kernel reads ahead. */
ssize_t urd__os_try_sendfile(int out, int in, off_t *at, size_t size)
{
    char first;
    off_t from = at ? *at : lseek(in, 0, SEEK_CUR);
    if (from >= 0 && read_once(in, &(struct iovec){&first, 1}, 1, from) == URD__OS_ON_DISK)
        return URD__OS_ON_DISK;
    return urd__os_sendfile(out, in, at, size);
}

ssize_t urd__os_try_splice(int in, int out, size_t size, unsigned flags)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    int rc_in = set_nonblocking(in), rc_out = set_nonblocking(out);
    if (rc_in < 0 || rc_out < 0)
        return rc_in < 0 ? rc_in : rc_out;
    muted m;
    mute(&m);
    ssize_t rc;
    do
        rc = result(splice(in, NULL, out, NULL, size, flags | SPLICE_F_NONBLOCK));
    while (rc == -EINTR);
    return unmute(&m, rc);
}

/* ---- Sockets --------------------------------------------------------------------------------- */

ssize_t urd__os_try_recv(int fd, void *buf, size_t size, int flags)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    ssize_t rc;
    do
        rc = result(recv(fd, buf, size, flags | MSG_DONTWAIT));
    while (rc == -EINTR);
    return rc;
}

ssize_t urd__os_try_send(int fd, const void *buf, size_t size, int flags)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    ssize_t rc;
    do
        rc = result(send(fd, buf, size, flags | MSG_DONTWAIT | MSG_NOSIGNAL));
    while (rc == -EINTR);
    return rc;
}

ssize_t urd__os_try_recvmsg(int fd, struct msghdr *message, int flags)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    ssize_t rc;
    do
        rc = result(recvmsg(fd, message, flags | MSG_DONTWAIT));
    while (rc == -EINTR);
    return rc;
}

ssize_t urd__os_try_sendmsg(int fd, const struct msghdr *message, int flags)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    ssize_t rc;
    do
        rc = result(sendmsg(fd, message, flags | MSG_DONTWAIT | MSG_NOSIGNAL));
    while (rc == -EINTR);
    return rc;
}

int urd__os_try_accept(int fd, struct sockaddr *from, socklen_t *from_size)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    int rc = set_nonblocking(fd);
    if (rc < 0)
        return rc;
    do
        rc = (int)result(accept4(fd, from, from_size, SOCK_CLOEXEC | SOCK_NONBLOCK));
    while (rc == -EINTR);
    return rc;
}

int urd__os_connect_begin(int fd, const struct sockaddr *to, socklen_t size)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    int flags = set_nonblocking(fd);
    if (flags < 0)
        return flags;
    int rc;
    do
        rc = (int)result(connect(fd, to, size));
    while (rc == -EINTR);
    if (!(flags & O_NONBLOCK))
        fcntl(fd, F_SETFL, flags); /* as it was */
    return rc;
}

int urd__os_connect_result(int fd)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    int error = 0;
    socklen_t size = sizeof error;
    int rc = (int)result(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
    return rc < 0 ? rc : -error;
}

int urd__os_shutdown(int fd, int how)
{
    int fault = urd__os_fault();
    return fault ? fault : (int)result(shutdown(fd, how));
}

int urd__os_close_checked(int fd)
{
    int rc = (int)result(close(fd));
    return rc == -EINTR ? 0 : rc; /* Linux has closed it */
}

/* ---- Readiness ------------------------------------------------------------------------------- */

static struct timespec time_left(int64_t until)
{
    int64_t left = until > 0 ? until - urd__os_now() : 0;
    if (left < 0)
        left = 0;
    return (struct timespec){.tv_sec = (time_t)(left / SECOND), .tv_nsec = (long)(left % SECOND)};
}

short urd__os_poll(int fd, short events, int wake, int64_t until)
{
    struct pollfd list[] = {{.fd = fd, .events = events}, {.fd = wake, .events = POLLIN}};
    struct timespec timeout = time_left(until);
    int saved = errno;
    int n = ppoll(list, 2, until == INT64_MAX ? NULL : &timeout, NULL);
    errno = saved;
    return n > 0 ? list[0].revents : 0;
}

bool urd__os_poll_any(struct pollfd *list, unsigned n, long timeout_ns)
{
    struct timespec timeout = {.tv_nsec = timeout_ns};
    int saved = errno;
    int ready = ppoll(list, n, &timeout, NULL);
    errno = saved;
    return ready > 0;
}

int urd__os_fd_limit(void)
{
    struct rlimit limit;
    rlim_t max = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : FDS_MAX;
    return (int)(max < FDS_MAX ? max : FDS_MAX);
}

int urd__os_epoll_open(void)
{
    int fault = urd__os_fault();
    return fault ? fault : (int)result(epoll_create1(EPOLL_CLOEXEC));
}

int urd__os_epoll_set(int epoll, int fd, short events, bool once)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    uint32_t how = (uint32_t)(once ? EPOLLONESHOT : EPOLLET);
    struct epoll_event event = {.events = (uint32_t)(unsigned short)events | how, .data.fd = fd};
    int rc = (int)result(epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event));
    if (rc == -ENOENT)
        rc = (int)result(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    return rc;
}

void urd__os_epoll_remove(int epoll, int fd)
{
    struct epoll_event none = {0};
    epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &none);
}

int urd__os_epoll_wait(int epoll, urd__os_ready_fd *out, int64_t until)
{
    struct epoll_event events[OS_EPOLL_BATCH];
    struct timespec timeout = time_left(until);
    int saved = errno;
    bool lacking = urd__os_under_valgrind();
    int n = lacking ? -1
                    : epoll_pwait2(epoll, events, OS_EPOLL_BATCH,
                                   until == INT64_MAX ? NULL : &timeout, NULL);
    if (lacking || (n < 0 && errno == ENOSYS)) { /* before Linux 5.11: in ms, rounded up */
        int64_t ms = timeout.tv_sec * 1000 + (timeout.tv_nsec + 999999) / 1000000;
        n = epoll_wait(epoll, events, OS_EPOLL_BATCH,
                       until == INT64_MAX ? -1 : (int)(ms < INT_MAX ? ms : INT_MAX));
    }
    errno = saved;
    for (int i = 0; i < n; i++)
        out[i] = (urd__os_ready_fd){.fd = events[i].data.fd,
                                    .events = (short)(events[i].events & 0x7fff)};
    return n > 0 ? n : 0;
}
