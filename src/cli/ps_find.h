/*
 * ps_find.h - find the table that describes a runtime in another process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CLI_PS_FIND_H
#define URD_CLI_PS_FIND_H

#include <stdint.h>
#include <sys/types.h>

/* The address of its .urd.layout.  0; -ENOENT no file of it has one, -ESRCH, -EACCES, -EPERM. */
int urd__ps_find(pid_t pid, uintptr_t *layout);

#endif
