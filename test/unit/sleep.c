/*
 * sleep.c - waits for a time end at that time, in order; yields let others run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>

#include "base/atomic.h"
#include "core/wait.h"
#include "runs.h"

static int sleeps_exactly(void *arg)
{
    (void)arg;
    urd_time start = urd_now();
    CHECK_EQ(urd_sleep(5 * URD_SECOND), 0);
    CHECK_EQ(urd_now(), start + 5 * URD_SECOND);
    CHECK_EQ(urd_sleep_until(start + 7 * URD_SECOND), 0);
    CHECK_EQ(urd_now(), start + 7 * URD_SECOND);
    CHECK_EQ(urd_sleep(1), 0);
    CHECK_EQ(urd_now(), start + 7 * URD_SECOND + 1);
    return 0;
}

static int also_in_a_thread(void *arg)
{
    urd_scope s;
    CHECK_EQ(sleeps_exactly(arg), 0);
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, sleeps_exactly, NULL, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(a_sleep_ends_at_its_time_exactly)
{
    run_seeds(10, also_in_a_thread);
}

static int returns_at_once(void *arg)
{
    (void)arg;
    static const urd_time none[] = {0, -1, -URD_SECOND, INT64_MIN};
    urd_time start = urd_now();
    for (int i = 0; i < 4; i++)
        CHECK_EQ(urd_sleep(none[i]), 0);
    CHECK_EQ(urd_sleep_until(start), 0);
    CHECK_EQ(urd_sleep_until(0), 0);
    CHECK_EQ(urd_sleep_until(INT64_MIN), 0);
    CHECK_EQ(urd_now(), start);
    return 0;
}

TEST(a_time_that_has_passed_is_no_wait)
{
    test_run(returns_at_once);
}

static int set(void *arg)
{
    urd__store_rel((bool *)arg, true);
    return 0;
}

static int nap_until_set(void *arg)
{
    (void)arg;
    bool done = false;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, set, &done);
    while (!urd__load_acq(&done))
        CHECK_EQ(urd_sleep(0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(naps_that_are_over_at_once_do_not_starve_others)
{
    run_seeds(10, nap_until_set);
}

static int for_ever(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND * 1000000);
    CHECK_EQ(arg ? urd_sleep_until(URD_FOREVER) : urd_sleep(URD_FOREVER), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    return 0;
}

static int for_ever_twice(void *arg)
{
    for_ever(NULL);
    return for_ever(&arg);
}

TEST(forever_is_longer_than_any_deadline)
{
    test_run(for_ever_twice);
}

/* ---- Order ----------------------------------------------------------------------------------- */

enum { SLEEPERS = 200 };
static int woken; /* atomic */

typedef struct sleeper {
    urd_time until;
} sleeper;

static int sleep_and_check(void *arg)
{
    const sleeper *s = arg;
    CHECK_EQ(urd_sleep_until(s->until), 0);
    CHECK_EQ(urd_now(), s->until); /* not a moment later: others wait for their own time */
    urd__add_ar(&woken, 1);
    return 0;
}

static int many_sleepers(void *arg)
{
    (void)arg;
    sleeper sleepers[SLEEPERS];
    urd_scope s;
    woken = 0;
    urd_time start = urd_now();
    urd_scope_open(&s);
    for (int i = 0; i < SLEEPERS; i++) {
        sleepers[i].until = start + 1 + (urd_time)test_random(50);
        CHECK_EQ(urd_spawn(&s, i % 20 ? URD_TASK : URD_THREAD, sleep_and_check, &sleepers[i], 0),
                 0);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(woken, SLEEPERS);
    return 0;
}

TEST(sleepers_of_many_times_all_wake_at_their_own)
{
    run_seeds(30, many_sleepers);
}

/* ---- Yield ----------------------------------------------------------------------------------- */

static char order[16];
static int used;
static urd_event go_on;

static int write_thrice(void *arg)
{
    CHECK_EQ(urd_event_wait(&go_on), 0); /* until all have begun */
    for (int i = 0; i < 3; i++) {
        order[used++] = *(const char *)arg;
        CHECK_EQ(urd_yield(), 0);
    }
    return 0;
}

static int take_turns(void *arg)
{
    (void)arg;
    static char letters[] = "abc";
    used = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 3; i++)
        urd_go(&s, write_thrice, &letters[i]);
    let_others_run();
    urd_event_set(&go_on);
    let_others_run();
    order[used] = '\0';
    CHECK_STR(order, "cbacbacba");
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(those_who_yield_take_turns)
{
    test_run(take_turns);
}

static int yield_alone(void *arg)
{
    (void)arg;
    urd_time start = urd_now();
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(urd_yield(), 0);
    CHECK_EQ(urd_now(), start);
    return 0;
}

static int yield_anywhere(void *arg)
{
    urd_scope s;
    CHECK_EQ(yield_alone(arg), 0);
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, yield_alone, NULL, 0), 0);
    CHECK_EQ(urd_go(&s, yield_alone, NULL), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(one_may_yield_to_nobody)
{
    run_seeds(5, yield_anywhere);
}

/* ---- By the machine's clock ------------------------------------------------------------------ */

static void *sleeps_in_a_thread(void *arg)
{
    urd_time until = urd_now() + URD_MS;
    CHECK_EQ(urd_sleep_until(until), 0);
    CHECK_GE(urd_now(), until);
    CHECK_EQ(urd_yield(), 0);
    return arg;
}

TEST(a_thread_may_sleep_without_a_runtime)
{
    CHECK(sleeps_in_a_thread(&woken));
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, sleeps_in_a_thread, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

static int sleeps_in_a_job(void *arg)
{
    sleeps_in_a_thread(arg);
    return 0;
}

static int in_real_time(void *arg)
{
    (void)arg;
    urd_scope s, inner;
    urd_time end = urd_now() + URD_MS;
    urd_scope_open(&s);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(urd_spawn(&s, i % 2 ? URD_TASK : URD_THREAD, sleeps_in_a_job, NULL, 0), 0);
    urd_scope_open(&inner);
    urd_spawn(&inner, URD_THREAD, wait_for_ever, NULL, 0);
    urd_spawn(&inner, URD_TASK, wait_for_ever, NULL, 0);
    urd_scope_deadline(&inner, end);
    CHECK_EQ(urd_scope_join(&inner), -ETIMEDOUT);
    CHECK_GE(urd_now(), end);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(in_real_time_no_sleep_ends_early_and_a_cancel_ends_it)
{
    for (int workers = 1; workers <= WORKERS; workers++)
        run_real(workers, in_real_time);
}

static urd__task *waiter_task;
static uint64_t waiter_word;

static int wait_until(void *arg)
{
    urd_time when = *(urd_time *)arg;
    waiter_task = urd__task_self();
    int rc = urd__wait_enter(waiter_task);
    if (rc) /* the deadline was first */
        return rc;
    waiter_word = urd__wait_begin(waiter_task, waiter_task->scope, URD__ON_NOTHING, NULL);
    return urd__wait_end_until(waiter_task, waiter_word, when);
}

static int timed_waits(void *arg)
{
    (void)arg;
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        urd_time start = urd_now(), soon = start + 5, never = URD_FOREVER;
        urd_scope s;
        urd_scope_open(&s);
        urd_spawn(&s, (urd_kind)kind, wait_until, &soon, 0);
        CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
        CHECK_EQ(urd_now(), start + 5);
        CHECK(!urd__wait_claim(waiter_task, waiter_word)); /* it was taken back */

        urd_time times[] = {urd_now() + 100, never};
        for (int i = 0; i < 2; i++) {
            urd_scope_open(&s);
            urd_spawn(&s, (urd_kind)kind, wait_until, &times[i], 0);
            let_others_run();
            CHECK(urd__wait_claim(waiter_task, waiter_word));
            urd__task_ready(waiter_task);
            CHECK_EQ(urd_scope_join(&s), 0);
            CHECK_LT(urd_now(), start + 50);

            urd_scope_open(&s);
            urd_spawn(&s, (urd_kind)kind, wait_until, &times[i], 0);
            let_others_run();
            urd_scope_cancel(&s, -EIO);
            CHECK_EQ(urd_scope_join(&s), -EIO);
        }
    }
    return 0;
}

TEST(a_wait_with_a_time_ends_by_the_first_of_wake_cancel_and_time)
{
    run_seeds(10, timed_waits);
}

static int timed_waits_of_threads(void *arg)
{
    (void)arg;
    urd_time past = urd_now(), never = URD_FOREVER;
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_THREAD, wait_until, &past, 0);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_MS);
    urd_spawn(&s, URD_THREAD, wait_until, &never, 0);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    return 0;
}

TEST(in_real_time_a_thread_waits_by_the_kernels_clock)
{
    run_real(1, timed_waits_of_threads);
}
