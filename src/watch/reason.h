/*
 * reason.h - what a task waits for, in words.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_WATCH_REASON_H
#define URD_WATCH_REASON_H

#include <stdbool.h>

/* Of a urd__reason; "something" where there is no such, as a report may read torn memory. */
const char *urd__reason_words(int reason);

/* May something else than a job of this program end the wait?  In doubt it may. */
bool urd__reason_outside(int reason);

#endif
