/*
 * shared.h - the heap that every process of the program sees at the same address.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_PROC_SHARED_H
#define URD_PROC_SHARED_H

#include <stdbool.h>
#include <stddef.h>

/* Reserve the heap; before the zygote is made.  0, -ENOMEM, -EINVAL too small or above 1 TiB. */
int urd__shared_map(size_t bytes);

/* Nothing of it may be in use any more. */
void urd__shared_unmap(void);

bool urd__shared_holds(const void *p);

/* Where it is; bytes 0: there is none. */
void *urd__shared_place(size_t *bytes);

#endif
