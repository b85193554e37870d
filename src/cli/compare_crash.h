/*
 * compare_crash.h - name the job in which a measured program crashes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CLI_COMPARE_CRASH_H
#define URD_CLI_COMPARE_CRASH_H

#include "cli/compare.h"

/* From now on a deadly signal is noted on the board, and then goes to whoever handled it before. */
void urd__crash_watch(urd__board *board);

#endif
