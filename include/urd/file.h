/*
 * file.h - files by name, without holding up a worker.
 *
 * SPDX-License-Identifier: MIT
 *
 * A disk has no "ready": who asks it waits.  So what the kernel has in memory is taken at once,
 * and what it does not have, or cannot be asked for like that, is fetched by a helper thread
 * (URD_LANE_FILES) while the task waits.  That goes for these calls and those of io.h:
 *
 *   - at once: reading what is cached, where the file system can say so (ext4, XFS, btrfs); all of
 *     tmpfs; opening and stat of a path that was used not long ago;
 *   - by a helper, some 10 us more: the rest, which is all that changes names, writes to most file
 *     systems, and fsync.
 *
 * Each is a cancel point.  -ECANCELED: nothing was done.  Once a helper is at it, it is waited for,
 * and its result is what counts.  In a thread, and in a compact task (urd_scope_compact), the call
 * is made directly, as by POSIX.  Errors are those of the system calls of the same name.
 */
#ifndef URD_FILE_H
#define URD_FILE_H

#include "urd/base.h"

/* Of <sys/stat.h>. */
struct stat;

URD_BEGIN_DECLS

/*
 * Open; flags as in open(2), mode for those that may create.  The descriptor is for the calls of
 * io.h, close-on-exec, and to be closed with urd_close.  O_NONBLOCK is added, which files do not
 * heed: a FIFO is open at once for reading, and -ENXIO for writing while nobody reads it.
 */
int urd_open(const char *path, int flags, mode_t mode) URD_MUST_USE;

/* What was written is on the disk; data: without what is not needed to read it (times). */
int urd_fsync(int fd) URD_MUST_USE;
int urd_fdatasync(int fd) URD_MUST_USE;
int urd_ftruncate(int fd, off_t size) URD_MUST_USE;

/* For an open descriptor fstat(2) does, which never waits for a disk. */
int urd_stat(const char *path, struct stat *out) URD_MUST_USE;
int urd_lstat(const char *path, struct stat *out) URD_MUST_USE;

int urd_unlink(const char *path) URD_MUST_USE;
int urd_rename(const char *from, const char *to) URD_MUST_USE;
int urd_mkdir(const char *path, mode_t mode) URD_MUST_USE;
int urd_rmdir(const char *path) URD_MUST_USE;

/* The entries of a directory, in no order.  By one job at a time. */
typedef struct urd_dir {
    int fd;            /* of the directory, for openat(2) and its kin; set once by open */
    unsigned at, size; /* private, as the rest */
    long reserved[2];
    uint64_t buffer[512];
} urd_dir;

typedef struct urd_dir_entry {
    const char *name; /* until the next call on the directory */
    uint64_t inode;
    int type; /* DT_REG, DT_DIR, DT_LNK ... of <dirent.h>; DT_UNKNOWN: it is not known */
} urd_dir_entry;

/* 0, or -errno and there is nothing to close. */
int urd_dir_open(urd_dir *d, const char *path) URD_MUST_USE;
/* The next one, without "." and "..": 1; 0 at the end; -errno. */
int urd_dir_next(urd_dir *d, urd_dir_entry *entry) URD_MUST_USE;
int urd_dir_close(urd_dir *d);

URD_END_DECLS

#endif
