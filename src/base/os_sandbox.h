/*
 * os_sandbox.h - system calls that a process gives up for good.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_BASE_OS_SANDBOX_H
#define URD_BASE_OS_SANDBOX_H

#include "urd.h"

/*
 * The calling thread, and those that it makes, can make none of the calls that `flags` (of
 * urd_sandbox) take away: one that does is killed by SIGSYS.  If that can be said, `refused` is
 * called with its number first, as from a signal handler.  0; -EINVAL this kernel has no filters.
 */
int urd__os_sandbox(unsigned flags, void (*refused)(int number));

/* "socket"; NULL: none that is refused. */
const char *urd__os_sandbox_name(int number);

#endif
