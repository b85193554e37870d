/*
 * mutex.c - every schedule of threads that lock, unlock and are cancelled as they wait.
 *
 * SPDX-License-Identifier: MIT
 *
 * What the mutex guards is a plain variable: two owners at once would race on it.  Here nobody
 * spins, and who has lost once is given the mutex.
 */
#include "model_core.h"

#include "sync/mutex.c"

enum { SAMPLES = 8000 };

static urd_mutex mutex;
static int guarded; /* plain, under mutex */
static int held, cancelled;
static int users; /* plain, under mutex: who will still use it */
static int came;  /* atomic: the waiter is back */

static void setup(void)
{
    core_setup();
    mutex = (urd_mutex){0};
    guarded = held = cancelled = 0;
    users = 2;
    came = 0;
}

static void setup_not_cancelled(void)
{
    setup();
    tasks[0].scope = NULL;
}

static void lock_and_unlock(void)
{
    int rc = urd_mutex_lock(&mutex);
    explore_assert(rc == 0 || rc == -ECANCELED);
    explore_ghost_add(rc ? &cancelled : &held, 1);
    if (rc)
        return;
    guarded++;
    urd_mutex_unlock(&mutex);
}

static void try_and_unlock(void)
{
    int rc = urd_mutex_trylock(&mutex);
    explore_assert(rc == 0 || rc == -EAGAIN);
    if (rc)
        return;
    explore_ghost_add(&held, 1);
    guarded++;
    urd_mutex_unlock(&mutex);
}

static void lock_twice(void)
{
    lock_and_unlock();
    lock_and_unlock();
}

/* As the count of an object in memory that the last user frees. */
static void let_go(void)
{
    bool last = --users == 0;
    urd_mutex_unlock(&mutex);
    if (last)
        leave(&mutex, sizeof mutex);
}

static void lock_and_let_go(void)
{
    int rc = urd_mutex_lock(&mutex);
    explore_assert(rc == 0);
    while (!urd__load_acq(&came))
        explore_yield();
    let_go();
}

/* Its wait is cancelled: then the unlock that was to wake it finds nobody. */
static void wait_and_let_go(void)
{
    int rc = urd_mutex_lock(&mutex);
    urd__store_rel(&came, 1);
    if (rc) {
        while (urd_mutex_trylock(&mutex) != 0)
            explore_yield();
    }
    let_go();
}

static void cancel_scope(void)
{
    urd_scope_cancel(&scope, -ECANCELED);
}

static void mutex_is_free(void)
{
    core_finish();
    explore_assert(guarded == held);
    explore_assert(urd__list_empty(&mutex.waiters));
    explore_assert(mutex.owner == 0);
}

static void all_held(void)
{
    mutex_is_free();
    explore_assert(cancelled == 0);
}

const struct explore_model explore_models[] = {
    {.name = "two_take_turns",
     .setup = setup,
     .threads = {lock_and_unlock, lock_and_unlock},
     .stale_reads = 1,
     .finish = all_held},
    {.name = "a_try_beside_a_lock",
     .setup = setup,
     .threads = {lock_and_unlock, try_and_unlock},
     .finish = all_held},
    {.name = "one_comes_back_at_once",
     .setup = setup,
     .threads = {lock_twice, lock_and_unlock},
     .random = SAMPLES,
     .finish = all_held},
    {.name = "three_take_turns",
     .setup = setup,
     .threads = {lock_and_unlock, lock_and_unlock, lock_and_unlock},
     .random = SAMPLES,
     .finish = all_held},
    {.name = "who_comes_back_twice_overtakes_a_waiter_once",
     .setup = setup,
     .threads = {lock_twice, lock_twice},
     .random = SAMPLES,
     .finish = all_held},
    {.name = "three_come_back_at_once",
     .setup = setup,
     .threads = {lock_twice, lock_twice, lock_twice},
     .random = SAMPLES,
     .finish = all_held},
    {.name = "the_last_user_frees_it",
     .setup = setup_not_cancelled,
     .threads = {lock_and_let_go, wait_and_let_go, cancel_scope},
     .random = SAMPLES,
     .finish = core_finish},
    {.name = "a_cancelled_waiter_does_not_keep_the_mutex",
     .setup = setup,
     .threads = {lock_and_unlock, lock_and_unlock, cancel_scope},
     .thread_names = {"owner", "other", "canceller"},
     .random = SAMPLES,
     .finish = mutex_is_free},
    {.name = "of_two_waiters_one_is_cancelled",
     .setup = setup,
     .threads = {lock_and_unlock, lock_and_unlock, lock_and_unlock, cancel_scope},
     .thread_names = {"owner", "other", "third", "canceller"},
     .random = SAMPLES,
     .finish = mutex_is_free},
    {.name = NULL},
};
