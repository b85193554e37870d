/*
 * lock.c - every schedule of the spinning lock of src/base.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/lock.c"

#include "explore.h"

static int lock;
static int guarded; /* plain, under lock: two holders at once would race on it */

void urd__os_yield(void)
{
    explore_yield();
}

static void setup(void)
{
    lock = guarded = 0;
}

static void count(void)
{
    urd__lock(&lock);
    guarded++;
    urd__unlock(&lock);
}

static void try_to_count(void)
{
    if (!urd__trylock(&lock))
        return;
    guarded++;
    urd__unlock(&lock);
}

static void count_twice(void)
{
    count();
    count();
}

static void two_counted(void)
{
    explore_assert(guarded == 2 && lock == 0);
}

static void three_counted(void)
{
    explore_assert(guarded == 3 && lock == 0);
}

static void lock_is_free(void)
{
    explore_assert(lock == 0);
}

const struct explore_model explore_models[] = {
    {.name = "two_take_turns", .setup = setup, .threads = {count, count}, .finish = two_counted},
    {.name = "one_comes_back_at_once",
     .setup = setup,
     .threads = {count_twice, count},
     .stale_reads = 1,
     .finish = three_counted},
    {.name = "three_take_turns",
     .setup = setup,
     .threads = {count, count, count},
     .stale_reads = 1,
     .finish = three_counted},
    {.name = "a_try_gives_up_or_holds",
     .setup = setup,
     .threads = {count, try_to_count},
     .finish = lock_is_free},
    {.name = NULL},
};
