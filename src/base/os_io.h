/*
 * os_io.h - the system calls of I/O: one try each that never waits, and readiness.
 *
 * SPDX-License-Identifier: MIT
 *
 * As in os.h: 0 or a count, or a negative errno; every call may be made to fail by a test.  A try
 * returns -EAGAIN where it would have to wait, whether or not the descriptor is in non-blocking
 * mode, which is not changed: it may be shared with other programs.  Interrupted ones are repeated.
 */
#ifndef URD_BASE_OS_IO_H
#define URD_BASE_OS_IO_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * Reads and writes on any descriptor.  Two kinds cannot be asked to fail instead of waiting, or not
 * always.  A file that is not in memory, or whose file system cannot tell, is URD__OS_ON_DISK:
 * nothing was done.  Devices that know no RWF_NOWAIT, such as terminals, are asked first whether
 * they are ready, so a read of theirs can wait only if somebody else is quicker; a write of more
 * than they take at once waits for the rest.
 */
enum { URD__OS_ON_DISK = -EINPROGRESS }; /* which no read or write is otherwise */
ssize_t urd__os_try_read(int fd, const struct iovec *parts, int n);
ssize_t urd__os_try_write(int fd, const struct iovec *parts, int n); /* never a SIGPIPE */

/* At a place, or -1 at its own position; not of sockets.  The latter two wait for the disk. */
ssize_t urd__os_try_pread(int fd, const struct iovec *parts, int n, off_t at);
ssize_t urd__os_try_pwrite(int fd, const struct iovec *parts, int n, off_t at);
ssize_t urd__os_pread(int fd, const struct iovec *parts, int n, off_t at);
ssize_t urd__os_pwrite(int fd, const struct iovec *parts, int n, off_t at);

/* From one to another, both of which are put into non-blocking mode: no flag of the calls could do
 * instead where an end is a socket.  -EAGAIN does not say which end would wait.  A try is also
 * URD__OS_ON_DISK; without, a file is waited for. */
ssize_t urd__os_try_sendfile(int out, int in, off_t *at, size_t size);
ssize_t urd__os_sendfile(int out, int in, off_t *at, size_t size);
ssize_t urd__os_try_splice(int in, int out, size_t size, unsigned flags);

/* On sockets; MSG_DONTWAIT and MSG_NOSIGNAL are added. */
ssize_t urd__os_try_recv(int fd, void *buf, size_t size, int flags);
ssize_t urd__os_try_send(int fd, const void *buf, size_t size, int flags);
ssize_t urd__os_try_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t urd__os_try_sendmsg(int fd, const struct msghdr *message, int flags);

/* A listening socket is put into non-blocking mode: no flag of the call could do instead. */
int urd__os_try_accept(int fd, struct sockaddr *from, socklen_t *from_size);

/* Begin to connect: 0 it is, -EINPROGRESS it will be or fail when the socket is writable. */
int urd__os_connect_begin(int fd, const struct sockaddr *to, socklen_t size);
int urd__os_connect_result(int fd); /* 0, or why it failed */

/* All of it, in whatever mode the descriptor is, waiting if need be: 0, or -errno; no SIGPIPE. */
int urd__os_write_unread(int fd, const char *text, size_t size);

int urd__os_set_blocking(int fd);
int urd__os_shutdown(int fd, int how);
int urd__os_close_checked(int fd); /* 0, -EBADF, -EIO ... */

/* Which of `events` (and POLLERR, POLLHUP, POLLNVAL) hold at fd; 0: none yet, and either the event
 * `wake` (-1: none) was set, the time `until` came, or a signal. */
short urd__os_poll(int fd, short events, int wake, int64_t until);

/* Is any of them ready, within so many ns? */
bool urd__os_poll_any(struct pollfd *list, unsigned n, long timeout_ns);

int urd__os_fd_limit(void); /* one more than the highest number that a descriptor may ever have */

/* A set of watched descriptors, with epoll.  What comes back is the number, and what holds. */
typedef struct urd__os_ready_fd {
    int fd;
    short events;
} urd__os_ready_fd;
enum { OS_EPOLL_BATCH = 128 };
int urd__os_epoll_open(void);
/* once: told once, then not before it is set again; else of each change.  A new one, or again. */
int urd__os_epoll_set(int epoll, int fd, short events, bool once);
void urd__os_epoll_remove(int epoll, int fd);
int urd__os_epoll_wait(int epoll, urd__os_ready_fd *out, int64_t until); /* how many */

#endif
