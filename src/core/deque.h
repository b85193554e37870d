/*
 * deque.h - the jobs of a worker that have not started: it takes the newest, thieves the oldest.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_DEQUE_H
#define URD_CORE_DEQUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

struct urd__job;

/* How many jobs one theft takes at the most. */
#ifdef URD_MODEL
enum { URD__STEAL_MAX = 2, URD__DEQUE_SLOTS_FIRST = 2 };
#else
enum { URD__STEAL_MAX = 32, URD__DEQUE_SLOTS_FIRST = 256 };
#endif

typedef struct urd__deque {
    int64_t bottom;           /* atomic, owner writes: one past the newest */
    struct urd__job **slots;  /* under lock for thieves and growth */
    int64_t mask;             /* as slots; their number less one, a power of two less one */
    _Alignas(64) int64_t top; /* atomic, under lock: the oldest */
    int64_t copied;           /* atomic, under lock: slots below it may be written again */
    int lock;
} urd__deque;

/* Must owners fence?  Else thieves do it for them.  Written before there are any. */
extern bool urd__deque_fenced;

/* Will there be thieves?  Before the first deque is used. */
void urd__deques_open(bool thieves);

int urd__deque_init(urd__deque *d); /* 0, -ENOMEM */
void urd__deque_fini(urd__deque *d);

/* A thief: the oldest half, up to `max`, into out.  Returns how many. */
int urd__deque_steal(urd__deque *d, struct urd__job **out, int max);

/* Owner: the oldest, if it fits (fits NULL: any does); NULL: it does not, there is none, or a thief
 * is at work. */
struct urd__job *urd__deque_oldest(urd__deque *d,
                                   bool (*fits)(const struct urd__job *job, const void *what),
                                   const void *what);

/* The rare halves of push and pop: the array is full; a thief may want the same job. */
int urd__deque_grow(urd__deque *d); /* 0, -ENOMEM */
struct urd__job *urd__deque_pop_last(urd__deque *d, int64_t bottom);

/* Owner.  0, -ENOMEM. */
static inline int urd__deque_push(urd__deque *d, struct urd__job *job)
{
    int64_t bottom = urd__load_rlx(&d->bottom); /* own store */
    /* [copied] pairs with urd__deque_steal() */
    if (__builtin_expect(bottom - urd__load_acq(&d->copied) > d->mask, 0)) {
        int rc = urd__deque_grow(d);
        if (rc)
            return rc;
    }
    d->slots[bottom & d->mask] = job;
    urd__store_rel(&d->bottom, bottom + 1); /* [push] pairs with urd__deque_steal() */
    return 0;
}

/* Owner: the newest, or NULL. */
static inline struct urd__job *urd__deque_pop(urd__deque *d)
{
    int64_t bottom = urd__load_rlx(&d->bottom) - 1; /* own store */
    urd__store_rlx(&d->bottom, bottom);             /* P1, ordered by P2 */
    if (__builtin_expect(urd__deque_fenced, 0))
        urd__fence_seq(); /* P2 */
    else
        urd__fence_light(); /* P2 */
    if (__builtin_expect(urd__load_rlx(&d->top) <= bottom, 1))
        return d->slots[bottom & d->mask];
    return urd__deque_pop_last(d, bottom);
}

/* Seen from anywhere: the number, counted from 1, of the job that is the only one; or 0.  A guess,
 * as the next one is. */
static inline int64_t urd__deque_lone(const urd__deque *d)
{
    int64_t bottom = urd__load_acq(&d->bottom); /* the thief that follows asks again */
    return bottom - urd__load_rlx(&d->top) == 1 ? bottom : 0;
}

/* Seen from anywhere, true only while there was a moment without jobs. */
static inline bool urd__deque_empty(const urd__deque *d)
{
    /* A guess for thieves; a worker that parks asks behind a fence, with top settled or raised by
     * a thief that is awake. */
    return urd__load_acq(&d->bottom) <= urd__load_rlx(&d->top);
}

#endif
