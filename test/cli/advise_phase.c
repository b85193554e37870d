/*
 * advise_phase.c - where a program changes its nature, on windows that were made up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "advise/advise.h"
#include "test.h"

static urd__sum windows[WINDOWS_MAX];
static int ends[PHASES_MAX];

/* So many windows of 10 ms, active for a share of each, the rest spent in a wait. */
static int add(int count, int more, double active, urd__state wait)
{
    for (int i = count; i < count + more; i++) {
        windows[i] = (urd__sum){.span = 1e7};
        windows[i].active = windows[i].ran = windows[i].in[STATE_RUN] = active * 1e7;
        windows[i].wait[wait] = (1 - active) * 1e7;
    }
    return count + more;
}

TEST(a_program_that_does_one_thing_has_one_phase)
{
    int count = add(0, 200, 1, STATE_UNKNOWN);
    CHECK_EQ(urd__phases(windows, count, ends), 1);
    CHECK_EQ(ends[0], 200);
}

TEST(computing_and_then_waiting_are_two)
{
    int count = add(0, 80, 1, STATE_UNKNOWN);
    count = add(count, 120, 0, STATE_TIMER);
    CHECK_EQ(urd__phases(windows, count, ends), 2);
    CHECK_EQ(ends[0], 80);
    CHECK_EQ(ends[1], 200);
}

TEST(two_kinds_of_waiting_are_two)
{
    int count = add(0, 100, 0, STATE_DISK);
    count = add(count, 100, 0, STATE_NET);
    CHECK_EQ(urd__phases(windows, count, ends), 2);
    CHECK_EQ(ends[0], 100);
}

TEST(start_work_and_end_are_three)
{
    int count = add(0, 40, 0, STATE_DISK);
    count = add(count, 300, 1, STATE_UNKNOWN);
    count = add(count, 60, 0, STATE_NET);
    CHECK_EQ(urd__phases(windows, count, ends), 3);
    CHECK_EQ(ends[0], 40);
    CHECK_EQ(ends[1], 340);
    CHECK_EQ(ends[2], 400);
}

TEST(a_fine_mixture_is_one_phase)
{
    int count = 0;
    for (int i = 0; i < 100; i++) {
        count = add(count, 2, 1, STATE_UNKNOWN);
        count = add(count, 2, 0, STATE_NET);
    }
    CHECK_EQ(urd__phases(windows, count, ends), 1);
}

TEST(a_moment_is_no_phase)
{
    int count = add(0, 100, 0, STATE_NET);
    count = add(count, 5, 1, STATE_UNKNOWN);
    count = add(count, 100, 0, STATE_NET);
    CHECK_EQ(urd__phases(windows, count, ends), 1);
}

TEST(there_are_never_more_than_told)
{
    int count = 0;
    for (int i = 0; i < 8; i++)
        count = add(count, 50, i % 2, STATE_NET);
    CHECK_EQ(urd__phases(windows, count, ends), PHASES_MAX);
    CHECK_EQ(ends[PHASES_MAX - 1], count);
}
