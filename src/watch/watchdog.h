/*
 * watchdog.h - which worker has been kept by one task for too long?
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_WATCH_WATCHDOG_H
#define URD_WATCH_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

/* Of one worker, as it was seen last. */
typedef struct urd__kept {
    uintptr_t task;
    unsigned tick;
    int64_t since; /* it has been seen so */
    bool told;
} urd__kept;

/* Look at all workers; report those that one task has kept for `limit` ns or more, once each time.
 * kept: for as many as there are.  How many reports were written. */
int urd__watchdog_look(urd__kept *kept, int64_t now, int64_t limit);

#endif
