/*
 * timer.h - call a function at a time; one heap a worker.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_TIMER_H
#define URD_CORE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "urd.h"

typedef struct urd__timer urd__timer;

typedef struct urd__timers {
    int lock;         /* held while a timer fires */
    urd__heap heap;   /* under lock */
    int64_t earliest; /* atomic, written under lock: of the next timer, or INT64_MAX */
} urd__timers;

void urd__timers_init(urd__timers *timers);

/*
 * Put in, or move.  timer->fire is called under the lock by the worker that owns `timers`; it must
 * not touch the timer once its owner may go on.  True if it is now the earliest.
 */
bool urd__timer_set(urd__timers *timers, urd__timer *timer, int64_t when);

/* Take out.  It does not fire any more, and is not firing, when this returns. */
void urd__timer_stop(urd__timer *timer);

/* Fire what is due. */
void urd__timers_fire(urd__timers *timers, int64_t now);

#endif
