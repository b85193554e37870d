/*
 * pass.c - a descriptor goes to another process, over a Unix socket.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "urd.h"

typedef union control {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int))];
} control;

int urd_unix_send_fd(int socket, int fd)
{
    control c = {.head = {.cmsg_len = CMSG_LEN(sizeof fd),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&c.head), &fd, sizeof fd);
    char byte = 0; /* a descriptor goes beside data only */
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = c.bytes,
                             .msg_controllen = CMSG_SPACE(sizeof fd)};
    ssize_t n = urd_sendmsg(socket, &message, MSG_NOSIGNAL);
    return n < 0 ? (int)n : 0;
}

int urd_unix_recv_fd(int socket)
{
    control c;
    char byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = c.bytes,
                             .msg_controllen = CMSG_LEN(sizeof(int))}; /* a second has no room */
    ssize_t n = urd_recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (n <= 0)
        return n < 0 ? (int)n : -ENODATA;
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    int fd = -EBADMSG;
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
        head->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(head), sizeof fd);
    if (fd >= 0 && (message.msg_flags & MSG_CTRUNC)) { /* there were several */
        urd_close(fd);
        fd = -EBADMSG;
    }
    return fd;
}
