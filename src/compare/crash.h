/*
 * crash.h - name the job in which a measured program crashes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_COMPARE_CRASH_H
#define URD_COMPARE_CRASH_H

#include "compare/compare.h"

/* From now on a deadly signal is noted on the board, and then goes to whoever handled it before. */
void urd__crash_watch(urd__board *board);

#endif
