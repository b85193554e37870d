/*
 * shared.h - memory that every process of the program sees.
 *
 * SPDX-License-Identifier: MIT
 *
 * Memory that every process of the program sees at the same address: what a process job is given by
 * pointer must lie here.  Aligned to 16 bytes, filled with zeros.  It goes with the last process.
 */
#ifndef URD_SHARED_H
#define URD_SHARED_H

#include "urd/base.h"

URD_BEGIN_DECLS

void *urd_shared_alloc(size_t size); /* NULL: the heap is full, size 0, or no runtime is running */
void urd_shared_free(void *p);       /* NULL: nothing; aborts if p was not allocated here */

URD_END_DECLS

#endif
