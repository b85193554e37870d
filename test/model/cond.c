/*
 * cond.c - every schedule of threads that wait for a condition, signal it, and are cancelled.
 *
 * SPDX-License-Identifier: MIT
 *
 * Tokens are counted in a plain variable under the mutex: who returned without the mutex would race
 * on it.  A signal that is lost, or spent on a waiter that was cancelled, leaves a waiter asleep
 * beside a token.
 */
#include "model_core.h"

#include "sync/mutex.c"

#include "sync/cond.c"

enum { SAMPLES = 4000 };

static urd_mutex mutex;
static urd_cond cond;
static int tokens; /* plain, under mutex */
static int given, taken, cancelled;
static int came; /* atomic: waiters that had the mutex, or were cancelled before */

static void setup(void)
{
    core_setup();
    mutex = (urd_mutex){0};
    cond = (urd_cond){0};
    tokens = given = taken = cancelled = came = 0;
    tasks[1].scope = NULL; /* the second waiter is not cancelled */
    tasks[2].scope = NULL;
    tasks[3].scope = NULL;
}

static void take_token(void)
{
    int rc = urd_mutex_lock(&mutex);
    urd__add_ar(&came, 1);
    if (rc == 0) {
        while (rc == 0 && tokens == 0)
            rc = urd_cond_wait(&cond, &mutex);
        explore_assert(rc == 0 || rc == -ECANCELED);
        if (rc == 0)
            tokens--;
        urd_mutex_unlock(&mutex);
    }
    explore_ghost_add(rc ? &cancelled : &taken, 1);
}

static void give_token(void)
{
    int rc = urd_mutex_lock(&mutex);
    explore_assert(rc == 0);
    tokens++;
    explore_ghost_add(&given, 1);
    urd_cond_signal(&cond, 1);
    urd_mutex_unlock(&mutex);
}

static void give_token_then_signal(void)
{
    int rc = urd_mutex_lock(&mutex);
    explore_assert(rc == 0);
    tokens++;
    explore_ghost_add(&given, 1);
    urd_mutex_unlock(&mutex);
    urd_cond_signal(&cond, 1);
}

static void give_two_tokens(void)
{
    int rc = urd_mutex_lock(&mutex);
    explore_assert(rc == 0);
    tokens += 2;
    explore_ghost_add(&given, 2);
    urd_mutex_unlock(&mutex);
    urd_cond_broadcast(&cond);
}

static void cancel_scope(void)
{
    urd_scope_cancel(&scope, -ECANCELED);
}

static void wait_for_both(void)
{
    while (urd__load_acq(&came) < 2)
        explore_yield();
}

static void give_token_to_two(void)
{
    wait_for_both();
    give_token();
}

static void cancel_when_both_wait(void)
{
    wait_for_both();
    cancel_scope();
}

static void nothing_left(void)
{
    core_finish();
    explore_assert(given == taken + tokens);
    explore_assert(mutex.owner == 0);
    explore_assert(urd__list_empty(&mutex.waiters));
}

static void all_taken(void)
{
    nothing_left();
    explore_assert(tokens == 0 && cancelled == 0);
}

/* One token for two: who waits for ever may do so only if the other has it. */
static void no_token_beside_a_sleeper(void)
{
    explore_assert(taken == 1 && tokens == 0);
}

const struct explore_model explore_models[] = {
    {.name = "a_signal_under_the_mutex_is_not_lost",
     .setup = setup,
     .threads = {take_token, give_token},
     .random = SAMPLES,
     .finish = all_taken},
    {.name = "a_signal_after_the_mutex_is_not_lost",
     .setup = setup,
     .threads = {take_token, give_token_then_signal},
     .stale_reads = 1,
     .finish = all_taken},
    {.name = "a_broadcast_reaches_both",
     .setup = setup,
     .threads = {take_token, take_token, give_two_tokens},
     .random = SAMPLES,
     .finish = all_taken},
    {.name = "two_signals_reach_both",
     .setup = setup,
     .threads = {take_token, take_token, give_token, give_token_then_signal},
     .random = SAMPLES,
     .finish = all_taken},
    {.name = "who_is_cancelled_has_the_mutex",
     .setup = setup,
     .threads = {take_token, give_token, cancel_scope},
     .random = SAMPLES,
     .finish = nothing_left},
    {.name = "a_signal_is_not_spent_on_a_cancelled_waiter",
     .setup = setup,
     .threads = {take_token, take_token, give_token_to_two, cancel_when_both_wait},
     .thread_names = {"cancelled", "other", "giver", "canceller"},
     .may_wait = 2,
     .random = SAMPLES * 3,
     .finish = no_token_beside_a_sleeper},
    {.name = NULL},
};
