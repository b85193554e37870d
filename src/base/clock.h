/*
 * clock.h - the time: the machine's, or a virtual one that only jumps.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_BASE_CLOCK_H
#define URD_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t urd__clock_now(void);
bool urd__clock_is_virtual(void);

/* Show a virtual clock that starts at `start`, or the machine's again.  Not while tasks run. */
void urd__clock_use_virtual(int64_t start);
void urd__clock_use_real(void);

/* Move the virtual clock on to `when`; never back. */
void urd__clock_advance(int64_t when);

#endif
