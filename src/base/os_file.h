/*
 * os_file.h - the system calls on files by name, and those that only a disk makes wait.
 *
 * SPDX-License-Identifier: MIT
 *
 * As in os_io.h.  What is `known` the kernel can say from memory: these never wait, and are -EAGAIN
 * where it would have to look at the disk, or cannot be asked like this.  All others may wait.
 */
#ifndef URD_BASE_OS_FILE_H
#define URD_BASE_OS_FILE_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Close-on-exec, and in non-blocking mode: of a FIFO the other end is not waited for. */
int urd__os_open_known(const char *path, int flags);
int urd__os_open(const char *path, int flags, mode_t mode);

/* follow: of what a symbolic link leads to. */
int urd__os_stat_known(const char *path, bool follow, struct stat *out);
int urd__os_stat(const char *path, bool follow, struct stat *out);

int urd__os_rename(const char *from, const char *to);
int urd__os_make_directory(const char *path, mode_t mode);
int urd__os_remove_directory(const char *path);
int urd__os_truncate(int fd, off_t size);
int urd__os_sync(int fd, bool data_only);

/* Entries of a directory, in the kernel's layout.  Bytes; 0 at the end. */
ssize_t urd__os_list(int fd, void *buf, size_t size);

#endif
