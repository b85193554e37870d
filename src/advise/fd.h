/*
 * fd.h - what stands behind a file descriptor of another process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_ADVISE_FD_H
#define URD_ADVISE_FD_H

#include "advise/advise.h"

/* Remembered for a moment; never NULL. */
const urd__fd *urd__fd_of(urd__process *process, int fd, int64_t now);

/* The kind that a link in /proc/PID/fd tells, without asking further: sockets are FD_SOCKET. */
urd__fd_kind urd__fd_kind_of_link(const char *link);

/* The descriptors that an epoll instance watches, by its fdinfo; how many. */
int urd__fd_epoll(pid_t pid, int fd, int *out, int max);
int urd__fd_parse_epoll(const char *text, int *out, int max);

#endif
