/*
 * robust.c - every schedule of processes that lock, unlock, and are killed at any step of it.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each thread is a process.  A doomed one may end before any of its atomic steps; the zygote then
 * notes its death.  Whoever lives must get the mutex, and be told if what it guards is half done.
 */
#include "model_zygote.h"

#undef urd__cas_ar
#define urd__cas_ar(p, expected, v) (step(), MODEL_CAS("cas_ar", p, expected, v, EXPLORE_AR))
#undef urd__store_rlx
#define urd__store_rlx(p, v) (step(), MODEL_STORE("store_rlx", p, v, EXPLORE_RLX))
#define urd__place_own (*place())
#include "sync/robust.c"
#undef urd__place_own

enum { SAMPLES = 2000 };

static urd_mutex mutex;
static int half_done; /* plain, under mutex */
static int held, told, cancelled, refused;
static bool repairs;

urd__task *urd__mutex_owner(const urd_mutex *m)
{
    return urd__robust_owner(m);
}

static void setup(void)
{
    death_setup(&mutex, sizeof mutex);
    mutex = (urd_mutex){0};
    half_done = held = told = cancelled = refused = 0;
    repairs = true;
}

static void setup_doomed(void)
{
    setup();
    doomed[0] = true;
}

static void setup_doomed_and_not_repaired(void)
{
    setup_doomed();
    repairs = false;
}

static void setup_cancelled(void)
{
    setup();
    may_be_cancelled[2] = true;
}

static const urd__mutex_use use = {URD__ON_MUTEX, "lock", "unlock"};

static void lock_and_unlock(void)
{
    int rc = urd__robust_lock(&mutex, &use, &mutex);
    explore_assert(rc == 0 || rc == -EOWNERDEAD || rc == -ECANCELED || rc == -ENOTRECOVERABLE);
    if (rc == -ECANCELED || rc == -ENOTRECOVERABLE) {
        explore_ghost_add(rc == -ECANCELED ? &cancelled : &refused, 1);
        return;
    }
    explore_ghost_add(&held, 1);
    if (rc == 0) {
        explore_assert(!half_done);
    } else {
        explore_ghost_add(&told, 1);
        if (repairs) {
            half_done = 0;
            urd_mutex_repair(&mutex);
        }
    }
    if (rc == 0 || repairs) {
        half_done = 1;
        step();
        half_done = 0;
    }
    urd__robust_unlock(&mutex, &use);
}

static void lock_and_poison(void)
{
    int rc = urd__robust_lock(&mutex, &use, &mutex);
    explore_assert(rc == 0);
    explore_ghost_add(&held, 1);
    urd_mutex_poison(&mutex);
}

static void lock_twice(void)
{
    lock_and_unlock();
    lock_and_unlock();
}

static void lock_and_maybe_die(void)
{
    maybe_die_in(lock_and_unlock);
}

static void all_held(void)
{
    core_finish();
    explore_assert(held == 2 && told == 0 && mutex.lock == 0);
}

static void all_three_held(void)
{
    explore_assert(held == 3 && told == 0 && mutex.lock == 0);
}

static void the_living_held(void)
{
    explore_assert(held >= 1 && told <= 1);
    explore_assert(number_of(mutex.lock) == 0 || number_of(mutex.lock) == 1);
    explore_assert(!half_done || number_of(mutex.lock) == 1);
}

static void all_are_told_until_it_is_repaired(void)
{
    explore_assert(held >= 2);
    explore_assert(!half_done || told >= 1 || number_of(mutex.lock) == 1);
}

static void held_or_cancelled(void)
{
    explore_assert(held + cancelled == 3 && number_of(mutex.lock) == 0);
}

static void held_or_refused(void)
{
    explore_assert(held + refused == 3 && held >= 1);
}

const struct explore_model explore_models[] = {
    {.name = "two_processes_take_turns",
     .setup = setup,
     .threads = {lock_and_unlock, lock_and_unlock},
     .stale_reads = 1,
     .finish = all_held},
    {.name = "three_processes_take_turns",
     .setup = setup,
     .threads = {lock_and_unlock, lock_and_unlock, lock_and_unlock},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_three_held},
    {.name = "an_owner_that_died_is_followed",
     .setup = setup_doomed,
     .threads = {lock_and_maybe_die, lock_and_unlock, zygote},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = the_living_held},
    {.name = "whoever_dies_others_go_on",
     .setup = setup_doomed,
     .threads = {lock_and_maybe_die, lock_and_unlock, lock_twice, zygote},
     .stale_reads = 1,
     .random = 4 * SAMPLES,
     .finish = the_living_held},
    {.name = "all_are_told_until_it_is_repaired",
     .setup = setup_doomed_and_not_repaired,
     .threads = {lock_and_maybe_die, lock_and_unlock, lock_and_unlock, zygote},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_are_told_until_it_is_repaired},
    {.name = "a_cancelled_waiter_hands_its_wake_on",
     .setup = setup_cancelled,
     .threads = {lock_and_unlock, lock_and_unlock, lock_and_unlock},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = held_or_cancelled},
    {.name = "poison_reaches_all",
     .setup = setup,
     .threads = {lock_and_poison, lock_and_unlock, lock_and_unlock},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = held_or_refused},
    {.name = NULL},
};
