/*
 * lock.h - a spinning lock for sections of a few dozen instructions.
 *
 * SPDX-License-Identifier: MIT
 *
 * Held only where nothing blocks, switches tasks or calls user code.  After a bounded spin the
 * holder has probably lost its processor, and the waiter gives up its own.
 */
#ifndef URD_BASE_LOCK_H
#define URD_BASE_LOCK_H

#include "base/atomic.h"

/* So many looks at what another thread is to change; then it has probably lost its processor. */
enum { URD__SPINS_BEFORE_YIELD = 200 };

void urd__lock_slow(int *lock);

static inline void urd__lock(int *lock)
{
    /* [lock] pairs with urd__unlock() */
    int expected = 0;
    if (!urd__cas_ar(lock, &expected, 1))
        urd__lock_slow(lock);
}

static inline bool urd__trylock(int *lock)
{
    int expected = 0;
    return urd__cas_ar(lock, &expected, 1);
}

static inline void urd__unlock(int *lock)
{
    urd__store_rel(lock, 0); /* [lock] pairs with urd__lock() */
}

#endif
