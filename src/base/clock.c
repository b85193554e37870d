/*
 * clock.c - monotonic time, or virtual time in tests.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/clock.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/os.h"

/* Atomic.  0: the machine's clock; else what the virtual clock shows.  [clock] publishes it. */
static int64_t virtual_now;

int64_t urd__clock_now(void)
{
    int64_t now = urd__load_acq(&virtual_now); /* [clock] pairs with the stores below */
    return now ? now : urd__os_now();
}

bool urd__clock_is_virtual(void)
{
    return urd__load_acq(&virtual_now) != 0;
}

void urd__clock_use_virtual(int64_t start)
{
    urd__assert(start > 0);
    urd__store_rel(&virtual_now, start); /* [clock] */
}

void urd__clock_use_real(void)
{
    urd__store_rel(&virtual_now, 0); /* [clock] */
}

void urd__clock_advance(int64_t when)
{
    int64_t now = urd__load_acq(&virtual_now);
    urd__assert(now != 0);
    if (when > now)
        urd__store_rel(&virtual_now, when); /* [clock] only the last worker awake comes here */
}
