/*
 * shared.h - the heap that every process of the program sees at the same address.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_PROC_SHARED_H
#define URD_PROC_SHARED_H

#include <stdbool.h>
#include <stddef.h>

#include "core/peer.h"

/* Reserve the heap, and behind it a table of processes; before the zygote is made.  0, -ENOMEM,
 * -EINVAL too small or above 1 TiB. */
int urd__shared_map(size_t bytes);
urd__peers *urd__shared_peers(void);

/* Nothing of it may be in use any more. */
void urd__shared_unmap(void);

bool urd__shared_holds(const void *p);

/* Where it is; bytes 0: there is none. */
void *urd__shared_place(size_t *bytes);

/* The file that it is a mapping of, by which a process finds it that does not inherit it.  -1: it
 * was closed here; or, unless it has_file, there is none. */
int urd__shared_file(void);
bool urd__shared_has_file(void);
void urd__shared_close_file(void);

/* In such a process: 0; -EEXIST: something else is at this place; -ENOMEM. */
int urd__shared_join(int fd, void *place, size_t bytes);

#endif
