/*
 * home.c - every schedule of a lock at home: one holder at a time, wherever it comes from.
 *
 * SPDX-License-Identifier: MIT
 *
 * A lock is given a home at its second use in a row (URD_MODEL).  What it guards is a plain
 * variable: two holders at once would race on it.
 */
#include "model_core.h"

enum { SAMPLES = 6000 };

static urd__worker workers[2];
static urd__home lock, other;
static int guarded, guarded_by_other; /* plain, under the locks */
static int counted;
static int users; /* plain, under lock: who will still use it */

/* The first so many threads are workers. */
static void setup_workers(int n)
{
    core_setup();
    memset(workers, 0, sizeof workers);
    for (int i = 0; i < n; i++)
        worker_of[i + 1] = &workers[i];
    lock = other = (urd__home){0};
    guarded = guarded_by_other = counted = 0;
    users = 2;
    urd__homes_open();
}

static void setup_two_workers(void)
{
    setup_workers(2);
}

static void setup_at_home(void)
{
    setup_workers(1);
    lock.worker = other.worker = (uintptr_t)&workers[0];
}

static void count(void)
{
    urd__held held = urd__home_lock(&lock);
    guarded++;
    urd__home_unlock(held);
    explore_ghost_add(&counted, 1);
}

static void count_twice(void)
{
    count();
    count();
}

static void count_three_times(void)
{
    count_twice();
    count();
}

/* As a select does. */
static void count_away(void)
{
    urd__home_lock_away(&lock);
    guarded++;
    urd__unlock(&lock.word);
    explore_ghost_add(&counted, 1);
}

static void count_away_and_again(void)
{
    count_away();
    count();
}

/* What was done under the one is seen by who finds the worker in the other. */
static void count_under_both(void)
{
    count();
    urd__held held = urd__home_lock(&other);
    guarded_by_other++;
    urd__home_unlock(held);
}

/* As the count of an object in memory that the last user frees. */
static void let_go(void)
{
    urd__held held = urd__home_lock(&lock);
    bool last = --users == 0;
    urd__home_unlock(held);
    if (last)
        leave(&lock, sizeof lock);
}

static void all_counted(void)
{
    explore_assert(guarded == counted && lock.word == 0);
    explore_assert(!workers[0].inside && !workers[1].inside);
}

const struct explore_model explore_models[] = {
    {.name = "at_home_beside_a_stranger",
     .setup = setup_at_home,
     .threads = {count, count},
     .thread_names = {"home", "stranger"},
     .finish = all_counted},
    {.name = "twice_at_home_beside_a_stranger",
     .setup = setup_at_home,
     .threads = {count_twice, count},
     .thread_names = {"home", "stranger"},
     .random = SAMPLES,
     .finish = all_counted},
    {.name = "at_home_beside_two_strangers",
     .setup = setup_at_home,
     .threads = {count, count, count_away},
     .thread_names = {"home", "stranger", "other stranger"},
     .random = SAMPLES,
     .finish = all_counted},
    {.name = "the_home_worker_has_gone_on_to_another_lock",
     .setup = setup_at_home,
     .threads = {count_under_both, count},
     .thread_names = {"home", "stranger"},
     .random = SAMPLES,
     .finish = all_counted},
    {.name = "the_home_worker_takes_it_away_itself",
     .setup = setup_at_home,
     .threads = {count_away_and_again, count},
     .thread_names = {"home", "stranger"},
     .random = SAMPLES,
     .finish = all_counted},
    {.name = "homes_are_given_and_lost_on_both_sides",
     .setup = setup_two_workers,
     .threads = {count_three_times, count_three_times},
     .thread_names = {"worker", "other worker"},
     .random = SAMPLES,
     .finish = all_counted},
    {.name = "the_last_user_frees_it",
     .setup = setup_at_home,
     .threads = {let_go, let_go},
     .thread_names = {"home", "stranger"},
     .finish = core_finish},
    {.name = NULL},
};
