/*
 * oom.h - was it for memory that the kernel killed a process?
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_PROC_OOM_H
#define URD_PROC_OOM_H

#include <stddef.h>
#include <stdint.h>

enum { URD__OOM_PATH_BYTES = 4096 };

/* The folder of this process's control group for memory, of either version; "": there is none to be
 * seen.  root "": the machine's own; a test has another tree there. */
void urd__oom_find_group(const char *root, char *out, size_t size);

/* The file of a group that counts, to be read often; below 0: there is none.  What it says now. */
int urd__oom_open(const char *group);
int64_t urd__oom_read(int fd);

/* How many processes the kernel has killed for memory so far; -1: it cannot be read.  In a group;
 * on the whole machine. */
int64_t urd__oom_kills(const char *group);
int64_t urd__oom_kills_everywhere(const char *root);

/* A process was killed by SIGKILL.  In words that last how that came, as far as the counts from
 * before its start and from now tell. */
typedef struct urd__oom_counts {
    int64_t group, everywhere;
} urd__oom_counts;
const char *urd__oom_words(urd__oom_counts before, urd__oom_counts now);

#endif
