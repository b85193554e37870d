/*
 * os_self.h - system calls by which a process changes itself: place, limits, processors.
 *
 * SPDX-License-Identifier: MIT
 *
 * As in os.h: 0, or a negative errno.  For a process with one thread: priority and processors are
 * the calling thread's, and of those that it makes.
 */
#ifndef URD_BASE_OS_SELF_H
#define URD_BASE_OS_SELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int urd__os_env_clear(void);
int urd__os_env_change(const char *entry); /* "NAME=value" sets, "NAME" takes away; copied */
int urd__os_directory_change(const char *path);
int urd__os_cgroup_join(const char *folder); /* of either version */
int urd__os_nice(int added);
int urd__os_cpus_restrict(const int *cpus, size_t n); /* numbers below OS_CPUS_MAX */
int urd__os_limit(int resource, uint64_t soft, uint64_t hard);
enum { OS_CPUS_MAX = 8192 };

/* Has it more rights than who started it (a set-user-ID program, say), whose environment is then
 * not to be believed? */
bool urd__os_privileged(void);

void urd__os_random(void *out, size_t size); /* at most 256 bytes; zeros where there are none */

#endif
