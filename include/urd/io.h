/*
 * io.h - reading, writing, accepting and connecting, without holding up a worker.
 *
 * SPDX-License-Identifier: MIT
 *
 * These are POSIX calls on plain file descriptors: the same names, argument order and results, but
 * errors come as a negative errno.  A call that has to wait lets other tasks run meanwhile; in a
 * thread it waits in the kernel.  Any number of tasks and threads may use one descriptor.
 *
 *   - Each call is a cancel point, and tries before it waits.  -ECANCELED: nothing was read,
 *     written or accepted; what came first is never lost.
 *   - Descriptors may be in blocking mode, as those of other libraries and standard input are, and
 *     stay so; but a listening socket does not, nor do the ends of urd_sendfile and urd_splice.
 *   - Of a file on a disk what is in memory is read at once; a helper fetches the rest, and writes
 *     (file.h).  A write to a terminal that does not take it holds up the worker.
 *   - A write to a connection or pipe that nobody reads any more is -EPIPE, never a SIGPIPE.
 *   - A first wait may also fail for want of the poller: -ENOMEM, -EMFILE, -ENFILE.
 */
#ifndef URD_IO_H
#define URD_IO_H

#include "urd/base.h"

/* Of <sys/uio.h> and <sys/socket.h>, which name too much to be included here. */
struct iovec;
struct msghdr;
struct sockaddr;

URD_BEGIN_DECLS

/* Bytes read, which may be fewer than asked for; 0 at the end; -errno. */
ssize_t urd_read(int fd, void *buf, size_t size) URD_MUST_USE;
ssize_t urd_readv(int fd, const struct iovec *parts, int n) URD_MUST_USE;

/* Bytes written, which may be fewer than given; -errno. */
ssize_t urd_write(int fd, const void *buf, size_t size) URD_MUST_USE;
ssize_t urd_writev(int fd, const struct iovec *parts, int n) URD_MUST_USE;

/*
 * The same without waiting: -EAGAIN where those would wait, for a disk too.  No cancel point, and
 * no other task runs meanwhile: for what a library calls back and must not be left, such as a BIO
 * of OpenSSL.  Who does nothing else has to yield.
 */
ssize_t urd_tryread(int fd, void *buf, size_t size) URD_MUST_USE;
ssize_t urd_trywrite(int fd, const void *buf, size_t size) URD_MUST_USE;

/*
 * Read until there are `size` bytes, or the end.  How many there are; fewer than `size` at the end,
 * or when an error or a cancel came after some: the next call then returns it.
 */
ssize_t urd_read_all(int fd, void *buf, size_t size) URD_MUST_USE;

/*
 * Read `size` bytes: `size`; 0 if the end came first; -ENODATA if it came in between.  After
 * another -errno some may have been read, and are in buf.
 */
ssize_t urd_read_exact(int fd, void *buf, size_t size) URD_MUST_USE;

/* Write all of it: `size`; or -errno, and then some of it may have been written. */
ssize_t urd_write_all(int fd, const void *buf, size_t size) URD_MUST_USE;

/* At a place in a file; its position does not move.  at < 0: -EINVAL. */
ssize_t urd_pread(int fd, void *buf, size_t size, off_t at) URD_MUST_USE;
ssize_t urd_pwrite(int fd, const void *buf, size_t size, off_t at) URD_MUST_USE;

/* On sockets.  flags as in recv(2) and send(2). */
ssize_t urd_recv(int fd, void *buf, size_t size, int flags) URD_MUST_USE;
ssize_t urd_send(int fd, const void *buf, size_t size, int flags) URD_MUST_USE;
ssize_t urd_recvmsg(int fd, struct msghdr *message, int flags) URD_MUST_USE;
ssize_t urd_sendmsg(int fd, const struct msghdr *message, int flags) URD_MUST_USE;

/* With whom: from, from_size (a socklen_t) as in recvfrom(2), or NULL; to as in sendto(2). */
ssize_t urd_recvfrom(int fd, void *buf, size_t size, int flags, struct sockaddr *from,
                     unsigned *from_size) URD_MUST_USE;
ssize_t urd_sendto(int fd, const void *buf, size_t size, int flags, const struct sockaddr *to,
                   unsigned to_size) URD_MUST_USE;

/*
 * Bytes from one descriptor to another that do not pass through this program: as sendfile(2), from
 * a file; as splice(2), between two of which one is a pipe, neither at a place in a file.  How many
 * went, which may be fewer; 0 at the end; -errno.  Both ends are put into non-blocking mode.
 */
ssize_t urd_sendfile(int out, int in, off_t *at, size_t size) URD_MUST_USE;
ssize_t urd_splice(int in, int out, size_t size, unsigned flags) URD_MUST_USE;

/*
 * The next connection: a new descriptor, close-on-exec and in non-blocking mode, to be closed with
 * urd_close; -errno, -EMFILE too, after which the connection still waits.  The listening socket is
 * put into non-blocking mode.  from, from_size (a socklen_t): as in accept(2), or NULL.
 */
int urd_accept(int fd, struct sockaddr *from, unsigned *from_size) URD_MUST_USE;

/* Connect.  0, or -errno; after -ECANCELED the socket may yet connect, and is to be closed. */
int urd_connect(int fd, const struct sockaddr *to, unsigned size) URD_MUST_USE;

/* As shutdown(2).  Never waits: no cancel point. */
int urd_shutdown(int fd, int how);

/*
 * Close.  Every call that waits on the descriptor first returns -ECANCELED, and has returned before
 * the number can come again; for that it may wait, and cannot be cancelled.  What urd_accept and
 * other calls here have made must be closed by this; anything may be.  0, or -errno.
 */
int urd_close(int fd);

/*
 * Wait until one of `events` (POLLIN, POLLOUT, POLLPRI, POLLRDHUP) holds at any pollable
 * descriptor.  Which do, and with them POLLERR and POLLHUP, as a number above 0; or -errno.
 */
int urd_wait_fd(int fd, short events) URD_MUST_USE;

URD_END_DECLS

#endif
