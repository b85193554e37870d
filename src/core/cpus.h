/*
 * cpus.h - how many processors this program may use.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_CPUS_H
#define URD_CORE_CPUS_H

/* min(affinity mask, CPU quota of every visible cgroup, rounded up); at least 1. */
int urd__cpus(void);

/* The quota alone, with the files of /proc and /sys below `root`; 0: none. */
int urd__cpus_quota(const char *root);

#endif
