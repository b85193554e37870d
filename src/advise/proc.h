/*
 * proc.h - the lines that the kernel writes about a thread, taken apart.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_ADVISE_PROC_H
#define URD_ADVISE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* /proc/PID/task/TID/schedstat */
typedef struct urd__schedstat {
    int64_t cpu, ready; /* ns */
    int64_t slices;     /* how often it came onto a core */
} urd__schedstat;

/* /proc/PID/task/TID/syscall */
typedef struct urd__call {
    enum { CALL_HIDDEN, CALL_RUNNING, CALL_NONE, CALL_SYSTEM } kind; /* NONE: blocked outside one */
    long number;
    uint64_t args[6];
    uint64_t sp, pc;
} urd__call;

/* /proc/PID/stat */
typedef struct urd__stat {
    char name[16];
    char state;
    pid_t parent;
    int64_t major_faults, minor_faults;
    int threads;
    int64_t resident_pages;
} urd__stat;

bool urd__proc_schedstat(const char *text, urd__schedstat *out);
void urd__proc_call(const char *text, urd__call *out); /* "" is hidden */
bool urd__proc_stat(const char *text, urd__stat *out);

/* The text of a small file, NUL-terminated and cut to size; bytes, or -1. */
long urd__proc_read(const char *path, char *out, size_t size);
/* The same from a kept descriptor. */
long urd__proc_reread(int fd, char *out, size_t size);

/* Memory of another process.  False: not allowed, or not there. */
bool urd__proc_peek(pid_t pid, uint64_t address, void *out, size_t size);

#endif
