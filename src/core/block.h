/*
 * block.h - helper threads for blocking calls.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_BLOCK_H
#define URD_CORE_BLOCK_H

#include <stdint.h>

#include "urd.h"

/* Nobody blocks any more: let all helpers end; then, when they have, be ready for the next run. */
void urd__block_close(void);
void urd__block_open(void);

/* For tests: how many helpers there are, and how long one stays idle (ns; set before the first). */
int urd__block_helpers(urd_lane lane);
extern int64_t urd__block_idle_max;

#endif
