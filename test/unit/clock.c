/*
 * clock.c - the machine's time, and one that only jumps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/clock.h"

#include "base/os.h"
#include "test.h"

TEST(the_clock_is_the_machines_until_told_otherwise)
{
    CHECK(!urd__clock_is_virtual());
    int64_t before = urd__os_now(), now = urd__clock_now(), after = urd__os_now();
    CHECK_LE(before, now);
    CHECK_LE(now, after);
}

TEST(a_virtual_clock_stands_still_until_it_is_moved)
{
    urd__clock_use_virtual(URD_SECOND);
    CHECK(urd__clock_is_virtual());
    for (int64_t start = urd__os_now(); urd__os_now() < start + URD_MS;)
        CHECK_EQ(urd__clock_now(), URD_SECOND);
    urd__clock_advance(3 * URD_SECOND);
    CHECK_EQ(urd__clock_now(), 3 * URD_SECOND);
}

TEST(a_virtual_clock_never_goes_back)
{
    urd__clock_use_virtual(5 * URD_SECOND);
    urd__clock_advance(4 * URD_SECOND);
    CHECK_EQ(urd__clock_now(), 5 * URD_SECOND);
    urd__clock_advance(5 * URD_SECOND + 1);
    CHECK_EQ(urd__clock_now(), 5 * URD_SECOND + 1);
}

TEST(the_machines_clock_comes_back)
{
    urd__clock_use_virtual(1);
    urd__clock_use_real();
    CHECK(!urd__clock_is_virtual());
    int64_t before = urd__os_now();
    CHECK_GE(urd__clock_now(), before);
}

static void start_at_zero(void)
{
    urd__clock_use_virtual(0);
}

static void move_the_machines_clock(void)
{
    urd__clock_advance(1);
}

TEST(a_virtual_clock_does_not_start_at_zero)
{
    CHECK_ABORTS(start_at_zero, "broken invariant: start > 0");
}

TEST(the_machines_clock_is_not_moved)
{
    CHECK_ABORTS(move_the_machines_clock, "broken invariant: now != 0");
}
