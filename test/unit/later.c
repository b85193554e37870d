/*
 * later.c - timers that start jobs: when, how often, and what ends them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "base/atomic.h"
#include "runs.h"

enum { TIMERS = 200 };

static urd_time start, begun_at[TIMERS];
static int begun, ended;

static int note(void *arg)
{
    (void)arg;
    CHECK_LT(begun, TIMERS);
    begun_at[begun++] = urd_now() - start;
    return 0;
}

static int note_and_sleep(void *arg)
{
    note(arg);
    int rc = urd_sleep(*(const urd_time *)arg);
    ended++;
    return rc;
}

static void open_scope(urd_scope *s)
{
    begun = ended = 0;
    start = urd_now();
    urd_scope_open(s);
}

static int join_waits(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_timer a, b, passed;
    open_scope(&s);
    CHECK_EQ(urd_timer_once(&a, &s, start + 20, note, NULL), 0);
    CHECK_EQ(urd_timer_once(&b, &s, start + 10, note, NULL), 0);
    CHECK_EQ(urd_timer_once(&passed, &s, start - 5, note, NULL), 0);
    CHECK_EQ(begun, 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(begun, 3);
    CHECK_EQ(begun_at[0], 0);
    CHECK_EQ(begun_at[1], 10);
    CHECK_EQ(begun_at[2], 20);
    CHECK(!urd_timer_stop(&a));
    return 0;
}

TEST(a_timer_starts_its_job_at_its_time_and_the_join_waits_for_it)
{
    test_run(join_waits);
    run_seeds(20, join_waits);
}

static int stop_some(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_timer timers[TIMERS];
    open_scope(&s);
    for (int i = 0; i < TIMERS; i++)
        CHECK_EQ(urd_timer_once(&timers[i], &s, start + 10 + i, note, NULL), 0);
    for (int i = 0; i < TIMERS; i += 2) {
        CHECK(urd_timer_stop(&timers[i]));
        CHECK(!urd_timer_stop(&timers[i]));
    }
    CHECK_EQ(urd_timer_once(&timers[0], &s, start + 5, note, NULL), 0); /* used again */
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(begun, TIMERS / 2 + 1);
    CHECK_EQ(begun_at[0], 5);
    CHECK_EQ(begun_at[1], 11);
    return 0;
}

TEST(a_stopped_timer_does_not_fire_and_the_join_does_not_wait_for_it)
{
    test_run(stop_some);
}

static int in_order(void *arg)
{
    int *last = arg;
    CHECK_EQ(*last + 1, begun);
    *last = begun++;
    return 0;
}

static int overdue(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_timer timers[TIMERS];
    struct {
        int last;
    } seen = {-1};
    open_scope(&s);
    for (int i = 0; i < 60; i++) /* as many as fire at once */
        CHECK_EQ(urd_timer_once(&timers[i], &s, start + 1, in_order, &seen.last), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(begun, 60);
    return 0;
}

TEST(jobs_of_one_moment_begin_in_the_order_in_which_their_timers_were_set)
{
    urd_config config = {.workers = 1, .virtual_clock = true, .processes = URD_PROCESSES_NONE};
    test_run_with(&config, overdue, NULL);
}

static int fail(void *arg)
{
    (void)arg;
    return -EIO;
}

static int failing(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_timer bad, late, every;
    open_scope(&s);
    CHECK_EQ(urd_timer_once(&late, &s, start + URD_SECOND, note, NULL), 0);
    CHECK_EQ(urd_timer_every(&every, &s, 4, note, NULL), 0);
    CHECK_EQ(urd_timer_once(&bad, &s, start + 10, fail, NULL), 0);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    CHECK_EQ(begun, 2);
    CHECK_EQ(urd_now() - start, 10);
    CHECK(!urd_timer_stop(&late));
    CHECK(!urd_timer_stop(&every));
    return 0;
}

TEST(a_job_that_fails_cancels_the_timers_that_are_left)
{
    test_run(failing);
    run_seeds(20, failing);
}

static int cancelled_already(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_timer once, every, never;
    open_scope(&s);
    CHECK_EQ(urd_timer_once(&never, &s, URD_FOREVER, note, NULL), 0);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_timer_once(&once, &s, start + 1, note, NULL), -ECANCELED);
    CHECK_EQ(urd_timer_every(&every, &s, 1, note, NULL), -ECANCELED);
    CHECK(!urd_timer_stop(&once));
    CHECK(!urd_timer_stop(&never));
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    CHECK_EQ(begun, 0);
    CHECK_EQ(urd_now(), start);
    return 0;
}

TEST(in_a_cancelled_scope_no_timer_fires)
{
    test_run(cancelled_already);
    run_seeds(20, cancelled_already);
}

static int deadline(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_timer late, every;
    open_scope(&s);
    urd_scope_deadline(&s, start + 35);
    CHECK_EQ(urd_timer_every(&every, &s, 10, note, NULL), 0);
    CHECK_EQ(urd_timer_once(&late, &s, start + URD_SECOND, note, NULL), 0);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    CHECK_EQ(begun, 3);
    CHECK_EQ(urd_now() - start, 35);
    return 0;
}

TEST(a_deadline_ends_the_timers_of_its_scope)
{
    test_run(deadline);
    run_seeds(20, deadline);
}

static int periodic(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_timer every;
    open_scope(&s);
    CHECK_EQ(urd_timer_every(&every, &s, 10, note, NULL), 0);
    CHECK_EQ(urd_sleep(55), 0);
    CHECK(urd_timer_stop(&every));
    CHECK(!urd_timer_stop(&every));
    CHECK_EQ(urd_sleep(100), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(begun, 5);
    for (int i = 0; i < begun; i++)
        CHECK_EQ(begun_at[i], (i + 1) * 10);
    CHECK_EQ(urd_timer_missed(&every), 0);
    return 0;
}

TEST(a_periodic_timer_does_not_drift)
{
    test_run(periodic);
    run_seeds(20, periodic);
}

static int slow(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_timer every;
    urd_time nap = 25;
    open_scope(&s);
    CHECK_EQ(urd_timer_every(&every, &s, 10, note_and_sleep, &nap), 0);
    CHECK_EQ(urd_sleep(95), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(begun, 3);
    CHECK_EQ(ended, begun);
    for (int i = 0; i < begun; i++)
        CHECK_EQ(begun_at[i], 10 + 30 * i);
    CHECK_EQ(urd_timer_missed(&every), 6);
    return 0;
}

TEST(a_firing_that_is_due_while_the_last_one_runs_is_missed)
{
    test_run(slow);
}

static int job_of_95(void *arg)
{
    (void)arg;
    return urd_sleep(95);
}

static int join_stops(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_timer every;
    open_scope(&s);
    CHECK_EQ(urd_timer_every(&every, &s, 10, note, NULL), 0);
    urd_go(&s, job_of_95, NULL);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(begun, 9);
    CHECK_EQ(urd_now() - start, 95);
    CHECK(!urd_timer_stop(&every));
    return 0;
}

TEST(a_join_waits_for_the_jobs_and_then_stops_a_periodic_timer)
{
    test_run(join_stops);
    run_seeds(20, join_stops);
}

static int under_a_limit(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_timer once, every;
    open_scope(&s);
    urd_scope_limit(&s, 1);
    CHECK_EQ(urd_timer_once(&once, &s, start + 15, note, NULL), 0);
    CHECK_EQ(urd_timer_every(&every, &s, 10, note, NULL), 0);
    urd_go(&s, job_of_95, NULL);
    urd_go(&s, job_of_95, NULL); /* waits for the first */
    CHECK_EQ(urd_now() - start, 95);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(begun, 20);
    CHECK_EQ(urd_now() - start, 190);
    return 0;
}

TEST(a_limit_does_not_hold_up_what_timers_start)
{
    test_run(under_a_limit);
}

static int rearm(void *arg)
{
    urd_timer *t = arg;
    note(NULL);
    return begun < 5 ? urd_timer_once(t, t->scope, urd_now() + 10, rearm, t) : 0;
}

static int again_from_its_job(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_timer t;
    open_scope(&s);
    CHECK_EQ(urd_timer_once(&t, &s, start + 10, rearm, &t), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(begun, 5);
    CHECK_EQ(urd_now() - start, 50);
    return 0;
}

TEST(a_job_may_set_the_timer_that_started_it_again)
{
    test_run(again_from_its_job);
    run_seeds(20, again_from_its_job);
}

/* In real time, in the scope of a plain thread: no worker is its home. */
static int count;

static int add_one(void *arg)
{
    (void)arg;
    urd__add_ar(&count, 1);
    return 0;
}

static void *timers_of_a_thread(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_timer once, every, never;
    urd_scope_open(&s);
    CHECK_EQ(urd_timer_every(&every, &s, 100 * URD_US, add_one, NULL), 0);
    CHECK_EQ(urd_timer_once(&never, &s, urd_now() + 3600 * URD_SECOND, add_one, NULL), 0);
    while (urd__load_acq(&count) < 5)
        sched_yield();
    CHECK(urd_timer_stop(&never));
    CHECK_EQ(urd_timer_once(&once, &s, urd_now() + 100 * URD_US, add_one, NULL), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_GE(urd__load_acq(&count), 6);
    return NULL;
}

static int wait_for_thread(void *arg)
{
    return -pthread_join(*(pthread_t *)arg, NULL);
}

static int beside_a_thread(void *arg)
{
    (void)arg;
    pthread_t thread;
    urd_scope s;
    CHECK_EQ(pthread_create(&thread, NULL, timers_of_a_thread, NULL), 0);
    urd_scope_open(&s);
    urd_spawn(&s, URD_THREAD, wait_for_thread, &thread, 0);
    return urd_scope_join(&s);
}

TEST(a_thread_that_the_runtime_did_not_make_may_set_timers)
{
    run_real(2, beside_a_thread);
}

/* Many ends of scopes beside firings, so that they meet. */
static int ends_beside_firings(void *arg)
{
    (void)arg;
    for (int i = 0; i < (test_under_slow_tool() ? 20 : 200); i++) {
        urd_scope s;
        urd_timer every, once;
        urd_scope_open(&s);
        CHECK_EQ(urd_timer_every(&every, &s, 1000, add_one, NULL), 0);
        CHECK_EQ(urd_timer_once(&once, &s, urd_now() + i * 500, add_one, NULL), 0);
        urd_go(&s, add_one, NULL);
        if (i % 3 == 0)
            urd_scope_cancel(&s, 0);
        CHECK_EQ(urd_scope_join(&s), i % 3 == 0 ? -ECANCELED : 0);
    }
    return 0;
}

TEST(a_scope_may_end_as_its_timers_fire)
{
    run_real(3, ends_beside_firings);
}

static int no_period(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_timer every;
    urd_scope_open(&s);
    urd_timer_every(&every, &s, 0, note, NULL);
    return urd_scope_join(&s);
}

static void run_no_period(void)
{
    test_run(no_period);
}

static void without_runtime(void)
{
    urd_scope s;
    urd_timer t;
    urd_scope_open(&s);
    urd_timer_once(&t, &s, 1, note, NULL);
}

TEST(misuse_is_named)
{
    CHECK_ABORTS(run_no_period, "the period is 0 ns");
    CHECK_ABORTS(without_runtime, "urd_timer_once: no runtime is running");
}
