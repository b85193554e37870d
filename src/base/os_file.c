/*
 * os_file.c - the system calls on files; turns errno into -errno, once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/os_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/os.h"
#include "base/os_proc.h"

static int result(int rc)
{
    return rc < 0 ? -errno : rc;
}

/* ---- What the kernel has in memory ----------------------------------------------------------- */

/* A kernel before Linux 5.12, a filter of system calls, an emulator or valgrind does not know the
 * question; then it is for the call that waits to say what is wrong. */
static int ask(const char *path, int flags)
{
    const struct open_how how = {.flags = (unsigned)flags, .resolve = RESOLVE_CACHED};
    int rc = urd__os_under_valgrind() ? -ENOSYS : urd__os_fault();
    if (rc == 0)
        rc = result((int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
    return rc == -ENOSYS || rc == -EINVAL || rc == -EPERM || rc == -E2BIG ? -EAGAIN : rc;
}

int urd__os_open_known(const char *path, int flags)
{
    return ask(path, flags | O_CLOEXEC | O_NONBLOCK);
}

int urd__os_stat_known(const char *path, bool follow, struct stat *out)
{
    int fd = ask(path, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
    if (fd < 0)
        return fd;
    int rc = result(fstat(fd, out));
    close(fd);
    return rc;
}

/* ---- What may wait --------------------------------------------------------------------------- */

int urd__os_open(const char *path, int flags, mode_t mode)
{
    int rc;
    do {
        rc = urd__os_fault();
        if (rc == 0)
            rc = result(open(path, flags | O_CLOEXEC | O_NONBLOCK, mode));
    } while (rc == -EINTR);
    return rc;
}

int urd__os_stat(const char *path, bool follow, struct stat *out)
{
    int fault = urd__os_fault();
    return fault ? fault : result(follow ? stat(path, out) : lstat(path, out));
}

int urd__os_rename(const char *from, const char *to)
{
    int fault = urd__os_fault();
    return fault ? fault : result(rename(from, to));
}

int urd__os_make_directory(const char *path, mode_t mode)
{
    int fault = urd__os_fault();
    return fault ? fault : result(mkdir(path, mode));
}

int urd__os_remove_directory(const char *path)
{
    int fault = urd__os_fault();
    return fault ? fault : result(rmdir(path));
}

int urd__os_truncate(int fd, off_t size)
{
    int rc;
    do {
        rc = urd__os_fault();
        if (rc == 0)
            rc = result(ftruncate(fd, size));
    } while (rc == -EINTR);
    return rc;
}

int urd__os_sync(int fd, bool data_only)
{
    int rc;
    do {
        rc = urd__os_fault();
        if (rc == 0)
            rc = result(data_only ? fdatasync(fd) : fsync(fd));
    } while (rc == -EINTR);
    return rc;
}

ssize_t urd__os_list(int fd, void *buf, size_t size)
{
    int fault = urd__os_fault();
    if (fault)
        return fault;
    ssize_t n = getdents64(fd, buf, size);
    return n < 0 ? -errno : n;
}
