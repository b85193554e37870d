/*
 * lock.c - the contended path of the spinning lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/lock.h"

#include "base/os.h"

void urd__lock_slow(int *lock)
{
    for (int spins = 0;; spins++) {
        /* Read first: a waiting compare-and-swap would take the line from the holder. */
        if (urd__load_rlx(lock) == 0 && urd__trylock(lock))
            return;
        if (spins < URD__SPINS_BEFORE_YIELD)
            urd__spin_hint();
        else
            urd__os_yield();
    }
}
