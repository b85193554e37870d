/*
 * timer.h - call a function at a time; one wheel a worker.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_TIMER_H
#define URD_CORE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "urd.h"

typedef struct urd__timer urd__timer;

#ifdef URD_MODEL
enum { URD__WHEEL_SLOTS = 64 }; /* models leave the wheel out */
#else
enum { URD__WHEEL_SLOTS = 2624 }; /* of all levels */
#endif
enum { URD__WHEEL_LEVELS = 8, URD__WHEEL_LANES = 4, URD__WHEEL_WORDS = URD__WHEEL_SLOTS / 64 };

/* What a timer is for. */
typedef struct urd__timer_ops {
    /* Its time has come.  Called under the lock by the worker that owns the wheel; it must not
     * touch the timer once its owner may go on.  True: put it in again, for the time that `when`
     * has been set to. */
    bool (*fire)(urd__timer *timer);
    /* Or NULL.  Its time comes soon: ask for the memory that fire writes.  Under the lock. */
    void (*soon)(urd__timer *timer);
} urd__timer_ops;

/* What it says is of use only while its bit in `used` is set. */
typedef struct urd__wheel_slot {
    urd__link lanes[URD__WHEEL_LANES]; /* timers of one time are in the same */
    int64_t least, most;               /* no timer in it is earlier, or later */
} urd__wheel_slot;

typedef struct urd__timers {
    int lock;        /* held while a timer fires */
    unsigned levels; /* under lock, as all that follows: a bit for each level that has timers */
    int64_t
        earliest; /* atomic, written under lock: the next timer is not before; INT64_MAX: none */
    int64_t base; /* no timer is before; moved only forward */
    int filled[URD__WHEEL_LEVELS];   /* slots of a level that have timers */
    uint64_t used[URD__WHEEL_WORDS]; /* a bit for each slot that has timers */
    urd__wheel_slot slots[URD__WHEEL_SLOTS];
} urd__timers;

/* `now`: most timers will be set for times soon after it.  Leaves the slots as they are. */
void urd__timers_init(urd__timers *timers, int64_t now);

/*
 * Put in, or move; timer->ops has been set.  True if it is now the earliest.
 */
bool urd__timer_set(urd__timers *timers, urd__timer *timer, int64_t when);

/* Take out.  It does not fire any more, and is not firing, when this returns. */
void urd__timer_stop(urd__timer *timer);

/* The time for which it is set; INT64_MAX: it is not. */
int64_t urd__timer_when(urd__timer *timer);

/*
 * Fire what is due: earlier timers first, and of equal ones that which was set first; up to about
 * `max` of them, so that those they wake are served while they are in the cache.  Those that are
 * left are due again at the next call.
 */
void urd__timers_fire(urd__timers *timers, int64_t now, int max);

#endif
