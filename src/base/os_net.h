/*
 * os_net.h - the system calls that make sockets, and the system's way from names to addresses.
 *
 * SPDX-License-Identifier: MIT
 *
 * As in os.h: 0, a count or a new descriptor, or a negative errno; every call may be made to fail
 * by a test.  Descriptors are close-on-exec and in non-blocking mode.
 */
#ifndef URD_BASE_OS_NET_H
#define URD_BASE_OS_NET_H

#include <stdbool.h>
#include <sys/socket.h>

int urd__os_socket(int family, int type);
int urd__os_set_option(int fd, int level, int option, int value);
int urd__os_bind(int fd, const struct sockaddr *at, socklen_t size);
int urd__os_listen(int fd, int backlog);
int urd__os_socket_name(int fd, bool peer, struct sockaddr *out, socklen_t *size);
int urd__os_stream_pair(int ends[2]);
int urd__os_pipe_pair(int ends[2]);

/* A socket of the file system: is it one?  And remove it. */
bool urd__os_is_socket(const char *path);
int urd__os_remove(const char *path);

/* Keep others who do the same out of the folder in which a path lies, until this is closed.
 * -EAGAIN: somebody is in; else there is no such lock to be had. */
int urd__os_lock_folder(const char *path);

/* The addresses of a host, by getaddrinfo(), each given to `each` until that returns false.  Waits
 * as long as it takes.  0, -ENOENT, -EAGAIN, -EIO, -ENOMEM. */
typedef bool urd__os_found(void *to, const struct sockaddr *address, socklen_t size);
int urd__os_lookup(const char *host, urd__os_found *each, void *to);

/* The name of an address, by getnameinfo(), in the same way.  Its length; -ENOSPC too. */
int urd__os_lookup_name(const struct sockaddr *address, socklen_t size, char *name,
                        size_t name_size);

#endif
