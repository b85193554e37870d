/*
 * file.c - files by name: what is in memory at once, the rest on a helper thread.
 *
 * SPDX-License-Identifier: MIT
 *
 * Rejected: requests in the ring, where there is one.  See docs/design.md.
 */
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "base/os_file.h"
#include "base/os_net.h"
#include "core/wait.h"
#include "io/fd.h"

int urd__file_wait(urd_fn *fn, void *arg)
{
    /* Frames of a compact task are not where a helper would look for them. */
    int rc = urd__task_self()->compact ? -EAGAIN : urd_block_on(URD_LANE_FILES, fn, arg);
    return rc == -EAGAIN ? fn(arg) : rc; /* no helper could be made: held up, but done */
}

/* One system call, for who may wait in it. */
typedef struct request {
    ssize_t (*call)(const struct request *r);
    const char *path, *to;
    int fd, flags;
    mode_t mode;
    off_t length;
    struct stat *stat;
    void *buf;
    size_t size;
    ssize_t result; /* written by who makes the call */
} request;

static int make_call(void *arg)
{
    request *r = arg;
    r->result = r->call(r);
    return 0;
}

static ssize_t wait_for(request r)
{
    int rc = urd__file_wait(make_call, &r);
    return rc ? rc : r.result;
}

/* ---- By name --------------------------------------------------------------------------------- */

static int change(const request *r)
{
    int rc = urd__fd_point(urd__task_self());
    return rc ? rc : (int)wait_for(*r);
}

/* In a thread nobody else is held up, so it need not ask first. */
static bool may_ask(void)
{
    return urd__task_self()->worker != NULL;
}

static ssize_t open_path(const request *r)
{
    return urd__os_open(r->path, r->flags, r->mode);
}

int urd_open(const char *path, int flags, mode_t mode)
{
    int fd = urd__fd_point(urd__task_self());
    if (fd)
        return fd;
    bool makes = flags & (O_CREAT | O_TRUNC); /* which no kernel does from memory */
    fd = may_ask() && !makes ? urd__os_open_known(path, flags) : -EAGAIN;
    if (fd == -EAGAIN)
        fd =
            (int)wait_for((request){.call = open_path, .path = path, .flags = flags, .mode = mode});
    if (fd >= 0)
        urd__fd_made(fd, URD__FD_FILE);
    return fd;
}

static ssize_t stat_path(const request *r)
{
    return urd__os_stat(r->path, r->flags, r->stat);
}

static int get_stat(const char *path, bool follow, struct stat *out)
{
    int rc = urd__fd_point(urd__task_self());
    if (rc)
        return rc;
    rc = may_ask() ? urd__os_stat_known(path, follow, out) : -EAGAIN;
    if (rc == -EAGAIN)
        rc =
            (int)wait_for((request){.call = stat_path, .path = path, .flags = follow, .stat = out});
    return rc;
}

int urd_stat(const char *path, struct stat *out)
{
    return get_stat(path, true, out);
}

int urd_lstat(const char *path, struct stat *out)
{
    return get_stat(path, false, out);
}

static ssize_t unlink_path(const request *r)
{
    return urd__os_remove(r->path);
}

int urd_unlink(const char *path)
{
    return change(&(request){.call = unlink_path, .path = path});
}

static ssize_t rename_path(const request *r)
{
    return urd__os_rename(r->path, r->to);
}

int urd_rename(const char *from, const char *to)
{
    return change(&(request){.call = rename_path, .path = from, .to = to});
}

static ssize_t mkdir_path(const request *r)
{
    return urd__os_make_directory(r->path, r->mode);
}

int urd_mkdir(const char *path, mode_t mode)
{
    return change(&(request){.call = mkdir_path, .path = path, .mode = mode});
}

static ssize_t rmdir_path(const request *r)
{
    return urd__os_remove_directory(r->path);
}

int urd_rmdir(const char *path)
{
    return change(&(request){.call = rmdir_path, .path = path});
}

/* ---- By descriptor --------------------------------------------------------------------------- */

/* The descriptor is ours until it is done: closing waits. */
static ssize_t on_open(const request *r)
{
    urd__fd_use use;
    int rc = urd__fd_begin(&use, r->fd);
    if (rc)
        return rc;
    rc = urd__fd_stay(&use);
    ssize_t n = rc ? rc : wait_for(*r);
    urd__fd_end(&use);
    return n;
}

static ssize_t sync_open(const request *r)
{
    return urd__os_sync(r->fd, r->flags);
}

int urd_fsync(int fd)
{
    return (int)on_open(&(request){.call = sync_open, .fd = fd});
}

int urd_fdatasync(int fd)
{
    return (int)on_open(&(request){.call = sync_open, .fd = fd, .flags = true});
}

static ssize_t truncate_open(const request *r)
{
    return urd__os_truncate(r->fd, r->length);
}

int urd_ftruncate(int fd, off_t size)
{
    return (int)on_open(&(request){.call = truncate_open, .fd = fd, .length = size});
}

/* ---- Directories ----------------------------------------------------------------------------- */

int urd_dir_open(urd_dir *d, const char *path)
{
    int fd = urd_open(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fd;
    d->fd = fd;
    d->at = d->size = 0;
    return 0;
}

static ssize_t list_open(const request *r)
{
    return urd__os_list(r->fd, r->buf, r->size);
}

static bool is_itself_or_above(const char *name)
{
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

int urd_dir_next(urd_dir *d, urd_dir_entry *entry)
{
    int rc = urd__fd_point(urd__task_self());
    if (rc)
        return rc;
    for (;;) {
        if (d->at == d->size) {
            ssize_t n = on_open(&(request){
                .call = list_open, .fd = d->fd, .buf = d->buffer, .size = sizeof d->buffer});
            if (n <= 0)
                return (int)n;
            d->at = 0;
            d->size = (unsigned)n;
        }
        const struct dirent64 *next = (const void *)((const char *)d->buffer + d->at);
        d->at += next->d_reclen;
        if (is_itself_or_above(next->d_name))
            continue;
        *entry = (urd_dir_entry){.name = next->d_name, .inode = next->d_ino, .type = next->d_type};
        return 1;
    }
}

int urd_dir_close(urd_dir *d)
{
    return urd_close(d->fd);
}
