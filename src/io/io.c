/*
 * io.c - the calls on descriptors: try, wait until ready, try again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>

#include "base/os_io.h"
#include "io/fd.h"
#include "io/file.h"

typedef struct request request;
typedef ssize_t call(int fd, const request *r);

/* What a call is to do, as far as it matters to its try. */
struct request {
    union {
        struct iovec part;
        const struct iovec *parts;
        struct msghdr *in;
        const struct msghdr *out;
    };
    int n; /* of parts, 0: it is `part`; or the descriptor at the other end */
    int flags;
    off_t at, *place;
    struct sockaddr *from;
    socklen_t *from_size;
    call *on_disk; /* after a try that was URD__OS_ON_DISK: the same, and waits for that */
};

/* ---- Files ----------------------------------------------------------------------------------- */

typedef struct disk_call {
    int fd;
    const request *r;
    ssize_t n; /* written by who makes the call */
} disk_call;

static int call_disk(void *arg)
{
    disk_call *c = arg;
    c->n = c->r->on_disk(c->fd, c->r);
    return 0;
}

static ssize_t wait_for_disk(urd__fd_use *use, const request *r)
{
    disk_call c = {.fd = use->number, .r = r};
    int rc = urd__fd_stay(use);
    if (rc == 0)
        rc = urd__file_wait(call_disk, &c);
    return rc ? rc : c.n;
}

static const struct iovec *parts_of(const request *r, int *n)
{
    *n = r->n ? r->n : 1;
    return r->n ? r->parts : &r->part;
}

/* At its own position. */
static ssize_t disk_read(int fd, const request *r)
{
    int n;
    const struct iovec *parts = parts_of(r, &n);
    return urd__os_pread(fd, parts, n, -1);
}

static ssize_t disk_write(int fd, const request *r)
{
    int n;
    const struct iovec *parts = parts_of(r, &n);
    return urd__os_pwrite(fd, parts, n, -1);
}

/* ---- Any call -------------------------------------------------------------------------------- */

static ssize_t run(int fd, short events, call *attempt, const request *r)
{
    urd__fd_use use;
    int rc = urd__fd_begin(&use, fd);
    if (rc)
        return rc;
    ssize_t n;
    do
        n = attempt(fd, r);
    while (n == -EAGAIN && events && (rc = urd__fd_await(&use, events)) == 0);
    if (n == URD__OS_ON_DISK)
        n = wait_for_disk(&use, r);
    urd__fd_end(&use);
    return rc ? rc : n;
}

static void *writable(const void *p)
{
    return (void *)(uintptr_t)p; // NOLINT(performance-no-int-to-ptr)
}

/* ---- Reading and writing --------------------------------------------------------------------- */

static ssize_t try_read_file(int fd, const request *r)
{
    int n;
    const struct iovec *parts = parts_of(r, &n);
    return urd__os_try_pread(fd, parts, n, -1);
}

/* The same as run(), but a stream that was read empty is not tried again until there is news. */
static ssize_t read_stream(int fd, call *attempt, const request *r)
{
    urd__fd_use use;
    int rc = urd__fd_begin(&use, fd);
    if (rc)
        return rc;
    if (urd__fd_flags(&use) & URD__FD_FILE)
        attempt = try_read_file;
    ssize_t n = -EAGAIN;
    do {
        if (n == -EAGAIN && !use.inside && urd__fd_drained(&use))
            continue;
        n = attempt(fd, r);
        if (n > 0 && (size_t)n < r->part.iov_len)
            urd__fd_set_drained(&use);
    } while (n == -EAGAIN && (rc = urd__fd_await(&use, POLLIN)) == 0);
    if (n == URD__OS_ON_DISK)
        n = wait_for_disk(&use, r);
    urd__fd_end(&use);
    return rc ? rc : n;
}

static ssize_t try_read(int fd, const request *r)
{
    return urd__os_try_read(fd, &r->part, 1);
}

static ssize_t try_readv(int fd, const request *r)
{
    return urd__os_try_read(fd, r->parts, r->n);
}

static ssize_t try_write(int fd, const request *r)
{
    return urd__os_try_write(fd, &r->part, 1);
}

static ssize_t try_writev(int fd, const request *r)
{
    return urd__os_try_write(fd, r->parts, r->n);
}

ssize_t urd_read(int fd, void *buf, size_t size)
{
    return read_stream(fd, try_read, &(request){.part = {buf, size}, .on_disk = disk_read});
}

ssize_t urd_write(int fd, const void *buf, size_t size)
{
    return run(fd, POLLOUT, try_write,
               &(request){.part = {writable(buf), size}, .on_disk = disk_write});
}

/* What it has seen of a stream, the next wait knows. */
ssize_t urd_tryread(int fd, void *buf, size_t size)
{
    urd__fd_use use = {.fd = urd__fd_find(fd), .number = fd};
    request r = {.part = {buf, size}};
    use.edges = urd__fd_edges(use.fd);
    ssize_t n = urd__fd_flags(&use) & URD__FD_FILE ? try_read_file(fd, &r) : try_read(fd, &r);
    if (n > 0 && (size_t)n < size)
        urd__fd_set_drained(&use);
    return n == URD__OS_ON_DISK ? -EAGAIN : n;
}

ssize_t urd_trywrite(int fd, const void *buf, size_t size)
{
    ssize_t n = try_write(fd, &(request){.part = {writable(buf), size}});
    return n == URD__OS_ON_DISK ? -EAGAIN : n;
}

ssize_t urd_readv(int fd, const struct iovec *parts, int n)
{
    request r = {.parts = parts, .n = n, .on_disk = disk_read};
    return n <= 0 || n > IOV_MAX ? -EINVAL : run(fd, POLLIN, try_readv, &r);
}

ssize_t urd_writev(int fd, const struct iovec *parts, int n)
{
    request r = {.parts = parts, .n = n, .on_disk = disk_write};
    return n <= 0 || n > IOV_MAX ? -EINVAL : run(fd, POLLOUT, try_writev, &r);
}

/* How many bytes there are, and with fewer than `size` in *rc why. */
static size_t fill(int fd, void *buf, size_t size, ssize_t *rc)
{
    size_t done = 0;
    *rc = 1;
    while (done<size && * rc> 0) {
        *rc = urd_read(fd, (char *)buf + done, size - done);
        done += *rc > 0 ? (size_t)*rc : 0;
    }
    return done;
}

ssize_t urd_read_all(int fd, void *buf, size_t size)
{
    ssize_t rc;
    size_t done = fill(fd, buf, size, &rc);
    return done == 0 && rc < 0 ? rc : (ssize_t)done;
}

ssize_t urd_read_exact(int fd, void *buf, size_t size)
{
    ssize_t rc;
    size_t done = fill(fd, buf, size, &rc);
    return rc < 0 ? rc : done == size || done == 0 ? (ssize_t)done : -ENODATA;
}

ssize_t urd_write_all(int fd, const void *buf, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = urd_write(fd, (const char *)buf + done, size - done);
        if (n < 0)
            return n;
        done += (size_t)n;
    }
    return (ssize_t)size;
}

static ssize_t try_pread(int fd, const request *r)
{
    return urd__os_try_pread(fd, &r->part, 1, r->at);
}

static ssize_t try_pwrite(int fd, const request *r)
{
    return urd__os_try_pwrite(fd, &r->part, 1, r->at);
}

static ssize_t disk_pread(int fd, const request *r)
{
    return urd__os_pread(fd, &r->part, 1, r->at);
}

static ssize_t disk_pwrite(int fd, const request *r)
{
    return urd__os_pwrite(fd, &r->part, 1, r->at);
}

ssize_t urd_pread(int fd, void *buf, size_t size, off_t at)
{
    request r = {.part = {buf, size}, .at = at, .on_disk = disk_pread};
    return at < 0 ? -EINVAL : run(fd, POLLIN, try_pread, &r);
}

ssize_t urd_pwrite(int fd, const void *buf, size_t size, off_t at)
{
    request r = {.part = {writable(buf), size}, .at = at, .on_disk = disk_pwrite};
    return at < 0 ? -EINVAL : run(fd, POLLOUT, try_pwrite, &r);
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static ssize_t try_recv(int fd, const request *r)
{
    return urd__os_try_recv(fd, r->part.iov_base, r->part.iov_len, r->flags);
}

static ssize_t try_send(int fd, const request *r)
{
    return urd__os_try_send(fd, r->part.iov_base, r->part.iov_len, r->flags);
}

static ssize_t try_recvmsg(int fd, const request *r)
{
    return urd__os_try_recvmsg(fd, r->in, r->flags);
}

static ssize_t try_sendmsg(int fd, const request *r)
{
    return urd__os_try_sendmsg(fd, r->out, r->flags);
}

/* With MSG_DONTWAIT the caller wants -EAGAIN, not a wait. */
static ssize_t on_socket(int fd, short events, call *attempt, const request *r)
{
    return run(fd, r->flags & MSG_DONTWAIT ? 0 : events, attempt, r);
}

ssize_t urd_recv(int fd, void *buf, size_t size, int flags)
{
    request r = {.part = {buf, size}, .flags = flags};
    return flags ? on_socket(fd, POLLIN, try_recv, &r) : read_stream(fd, try_recv, &r);
}

ssize_t urd_send(int fd, const void *buf, size_t size, int flags)
{
    request r = {.part = {writable(buf), size}, .flags = flags};
    return on_socket(fd, POLLOUT, try_send, &r);
}

ssize_t urd_recvmsg(int fd, struct msghdr *message, int flags)
{
    return on_socket(fd, POLLIN, try_recvmsg, &(request){.in = message, .flags = flags});
}

ssize_t urd_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return on_socket(fd, POLLOUT, try_sendmsg, &(request){.out = message, .flags = flags});
}

ssize_t urd_recvfrom(int fd, void *buf, size_t size, int flags, struct sockaddr *from,
                     unsigned *from_size)
{
    struct iovec part = {buf, size};
    struct msghdr message = {
        .msg_name = from, .msg_namelen = from ? *from_size : 0, .msg_iov = &part, .msg_iovlen = 1};
    ssize_t n = urd_recvmsg(fd, &message, flags);
    if (n >= 0 && from)
        *from_size = message.msg_namelen;
    return n;
}

ssize_t urd_sendto(int fd, const void *buf, size_t size, int flags, const struct sockaddr *to,
                   unsigned to_size)
{
    struct iovec part = {writable(buf), size};
    struct msghdr message = {
        .msg_name = writable(to), .msg_namelen = to_size, .msg_iov = &part, .msg_iovlen = 1};
    return urd_sendmsg(fd, &message, flags);
}

static ssize_t try_accept(int fd, const request *r)
{
    return urd__os_try_accept(fd, r->from, r->from_size);
}

int urd_accept(int fd, struct sockaddr *from, unsigned *from_size)
{
    struct sockaddr_storage unasked;
    socklen_t size = sizeof unasked;
    request r = {.from = from ? from : (struct sockaddr *)&unasked,
                 .from_size = from ? from_size : &size};
    int accepted = (int)run(fd, POLLIN, try_accept, &r);
    if (accepted >= 0) {
        bool inet = r.from->sa_family == AF_INET || r.from->sa_family == AF_INET6;
        urd__fd_made(accepted, inet ? URD__FD_TCP : 0);
    }
    return accepted;
}

static ssize_t try_connect_result(int fd, const request *r)
{
    (void)r;
    return urd__os_poll(fd, POLLOUT, -1, 0) ? urd__os_connect_result(fd) : -EAGAIN;
}

int urd_connect(int fd, const struct sockaddr *to, unsigned size)
{
    urd__fd_use use;
    int rc = urd__fd_begin(&use, fd);
    if (rc)
        return rc;
    /* -EAGAIN: at the other end of a Unix socket too many wait already, and nothing tells when. */
    while ((rc = urd__os_connect_begin(fd, to, size)) == -EAGAIN)
        if ((rc = urd_sleep(URD_MS)) < 0)
            return rc;
    return rc == -EINPROGRESS ? (int)run(fd, POLLOUT, try_connect_result, &(request){.n = 0}) : rc;
}

int urd_shutdown(int fd, int how)
{
    return urd__os_shutdown(fd, how);
}

int urd_close(int fd)
{
    urd__fd_retire(fd);
    return urd__os_close_checked(fd);
}

/* ---- From one to another --------------------------------------------------------------------- */

/* As run(), with two ends.  Which of them a try would have waited for is asked of both; that one
 * then has no news that this wait could miss. */
static ssize_t between(int in, int out, call *attempt, const request *r)
{
    urd__fd_use from, to;
    int rc = urd__fd_begin(&from, in);
    if (rc == 0)
        rc = urd__fd_begin(&to, out);
    if (rc)
        return rc;
    ssize_t n;
    do {
        n = attempt(in, r);
        if (n == URD__OS_ON_DISK && (rc = urd__fd_stay(&to)) == 0)
            n = wait_for_disk(&from, r);
        if (n != -EAGAIN || rc)
            break;
        if (!urd__os_poll(in, POLLIN, -1, 0))
            rc = urd__fd_await(&from, POLLIN);
        else if (!urd__os_poll(out, POLLOUT, -1, 0))
            rc = urd__fd_await(&to, POLLOUT);
        else /* both are ready, for others than this call: urgent data of TCP is such */
            rc = urd_sleep(URD_MS);
    } while (rc == 0);
    urd__fd_end(&from);
    urd__fd_end(&to);
    return rc ? rc : n;
}

static ssize_t try_sendfile(int in, const request *r)
{
    return urd__os_try_sendfile(r->n, in, r->place, r->part.iov_len);
}

static ssize_t disk_sendfile(int in, const request *r)
{
    return urd__os_sendfile(r->n, in, r->place, r->part.iov_len);
}

static ssize_t try_splice(int in, const request *r)
{
    return urd__os_try_splice(in, r->n, r->part.iov_len, (unsigned)r->flags);
}

ssize_t urd_sendfile(int out, int in, off_t *at, size_t size)
{
    request r = {.part = {NULL, size}, .n = out, .place = at, .on_disk = disk_sendfile};
    return between(in, out, try_sendfile, &r);
}

ssize_t urd_splice(int in, int out, size_t size, unsigned flags)
{
    request r = {.part = {NULL, size}, .n = out, .flags = (int)flags};
    return between(in, out, try_splice, &r);
}

/* ---- As a stream ----------------------------------------------------------------------------- */

static int number_of(void *context)
{
    return (int)(intptr_t)context;
}

static ssize_t stream_read(void *context, void *buf, size_t size)
{
    return urd_read(number_of(context), buf, size);
}

static ssize_t stream_write(void *context, const void *buf, size_t size)
{
    return urd_write(number_of(context), buf, size);
}

urd_stream urd_stream_fd(int fd)
{
    return (urd_stream){.read = stream_read,
                        .write = stream_write,
                        .context = (void *)(intptr_t)fd}; // NOLINT(performance-no-int-to-ptr)
}

/* ---- Any descriptor -------------------------------------------------------------------------- */

static ssize_t try_ready(int fd, const request *r)
{
    return urd__fd_holding(fd, (short)r->flags);
}

int urd_wait_fd(int fd, short events)
{
    return (int)run(fd, events, try_ready, &(request){.flags = events});
}
