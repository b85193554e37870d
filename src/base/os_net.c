/*
 * os_net.c - the system calls that make sockets, and the system's way from names to addresses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/os_net.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"

static int result(int rc)
{
    return rc < 0 ? -errno : rc;
}

int urd__os_socket(int family, int type)
{
    int fault = urd__os_fault();
    return fault ? fault : result(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

int urd__os_set_option(int fd, int level, int option, int value)
{
    int fault = urd__os_fault();
    return fault ? fault : result(setsockopt(fd, level, option, &value, sizeof value));
}

int urd__os_bind(int fd, const struct sockaddr *at, socklen_t size)
{
    int fault = urd__os_fault();
    return fault ? fault : result(bind(fd, at, size));
}

int urd__os_listen(int fd, int backlog)
{
    int fault = urd__os_fault();
    return fault ? fault : result(listen(fd, backlog));
}

int urd__os_socket_name(int fd, bool peer, struct sockaddr *out, socklen_t *size)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    return result(peer ? getpeername(fd, out, size) : getsockname(fd, out, size));
}

int urd__os_stream_pair(int ends[2])
{
    int fault = urd__os_fault();
    int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    return fault ? fault : result(socketpair(AF_UNIX, type, 0, ends));
}

int urd__os_pipe_pair(int ends[2])
{
    int fault = urd__os_fault();
    return fault ? fault : result(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
}

bool urd__os_is_socket(const char *path)
{
    struct stat stat;
    return lstat(path, &stat) == 0 && S_ISSOCK(stat.st_mode);
}

int urd__os_remove(const char *path)
{
    int fault = urd__os_fault();
    return fault ? fault : result(unlink(path));
}

int urd__os_lock_folder(const char *path)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    char folder[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    size_t size =
        slash ? (size_t)(slash - path) + 1 : 0; /* with the slash: the root has no other */
    if (size >= sizeof folder)
        return -ENAMETOOLONG;
    if (slash) {
        memcpy(folder, path, size);
        folder[size] = 0;
    }
    int fd = result(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0)
        return fd;
    int rc = result(flock(fd, LOCK_EX | LOCK_NB));
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

static int lookup_error(int rc)
{
    switch (rc) {
    case 0:
        return 0;
    case EAI_NONAME:
    case EAI_NODATA:
        return -ENOENT;
    case EAI_AGAIN:
        return -EAGAIN;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_OVERFLOW:
        return -ENOSPC;
    case EAI_SYSTEM:
        return errno ? -errno : -EIO;
    default:
        return -EIO;
    }
}

int urd__os_lookup(const char *host, urd__os_found *each, void *to)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int rc = lookup_error(getaddrinfo(host, NULL, &hints, &list));
    for (const struct addrinfo *one = list; rc == 0 && one; one = one->ai_next)
        if (!each(to, one->ai_addr, one->ai_addrlen))
            break;
    if (list)
        freeaddrinfo(list);
    return rc;
}

int urd__os_lookup_name(const struct sockaddr *address, socklen_t size, char *name,
                        size_t name_size)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    char whole[NI_MAXHOST];
    int rc = lookup_error(getnameinfo(address, size, whole, sizeof whole, NULL, 0, NI_NAMEREQD));
    size_t length = rc ? 0 : strlen(whole);
    if (rc || length >= name_size)
        return rc ? rc : -ENOSPC;
    memcpy(name, whole, length + 1);
    return (int)length;
}
