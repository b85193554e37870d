/*
 * foreign.c - threads that the runtime did not make, beside a busy worker and at the end of a run.
 *
 * SPDX-License-Identifier: MIT
 *
 * What such threads may do otherwise is in the tests of the calls: go, chan, event, mutex, cancel.
 */
#include <errno.h>
#include <pthread.h>

#include "base/atomic.h"
#include "core/runtime.h"
#include "runs.h"

static int over; /* atomic: the thread has done what it was to do */

static void *(*beside)(void *);

/* The worker, which keeps the timers of such threads, computes until then. */
static int compute(void *unused)
{
    (void)unused;
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, beside, NULL), 0);
    while (!urd__load_acq(&over))
        ;
    return -pthread_join(thread, NULL);
}

static void run_beside(void *(*thread_main)(void *))
{
    beside = thread_main;
    run_real(1, compute);
}

static void open_for_a_millisecond(urd_scope *s)
{
    urd_scope_open(s);
    urd_scope_deadline(s, urd_now() + URD_MS);
}

static void *sleep_for_ever(void *unused)
{
    (void)unused;
    urd_scope s;
    open_for_a_millisecond(&s);
    CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    urd__store_rel(&over, 1);
    return NULL;
}

TEST(a_thread_that_waits_keeps_its_deadline_while_the_worker_computes)
{
    run_beside(sleep_for_ever);
}

static void *sleep_further_in(void *unused)
{
    (void)unused;
    urd_scope outer, inner;
    open_for_a_millisecond(&outer);
    urd_scope_open(&inner);
    urd_scope_deadline(&inner, urd_now() + 3600 * URD_SECOND);
    CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    CHECK_EQ(urd_scope_join(&inner), -ECANCELED);
    CHECK_EQ(urd_scope_join(&outer), -ETIMEDOUT);
    urd__store_rel(&over, 1);
    return NULL;
}

TEST(the_deadline_may_be_of_a_scope_further_out)
{
    run_beside(sleep_further_in);
}

static void *join_a_thread_job(void *unused)
{
    (void)unused;
    urd_scope s;
    open_for_a_millisecond(&s);
    urd_spawn(&s, URD_THREAD, wait_for_ever, NULL, 0);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    urd__store_rel(&over, 1);
    return NULL;
}

TEST(a_join_keeps_the_deadline_too)
{
    run_beside(join_a_thread_job);
}

static void *only_ask(void *unused)
{
    (void)unused;
    urd_scope s;
    open_for_a_millisecond(&s);
    while (!urd_cancelled())
        ;
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    urd__store_rel(&over, 1);
    return NULL;
}

TEST(a_thread_that_only_asks_sees_its_deadline_pass)
{
    run_beside(only_ask);
}

static urd_event last;

static void *set_it(void *unused)
{
    (void)unused;
    urd_event_set(&last);
    return NULL;
}

static int wait_for_it(void *arg)
{
    CHECK_EQ(pthread_create(arg, NULL, set_it, NULL), 0);
    return urd_event_wait(&last);
}

/* Joined only after the run. */
TEST(a_thread_that_woke_the_last_task_may_outlive_the_run)
{
    for (int i = 0; i < (test_under_slow_tool() ? 20 : 200); i++) {
        pthread_t thread;
        urd_config config = {.workers = 1 + i % 3, .processes = URD_PROCESSES_NONE};
        urd_event_clear(&last);
        test_run_with(&config, wait_for_it, &thread);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
}

static int note_worker(void *arg)
{
    *(urd__worker **)arg = &urd__rt.workers[urd__rt.nworkers - 1];
    return 0;
}

/* That race is rarely met, so here is what such a thread does last, late on purpose. */
TEST(whether_a_worker_sleeps_may_be_asked_after_the_run)
{
    for (int workers = 1; workers <= WORKERS; workers++) {
        urd__worker *worker = NULL;
        urd_config config = {.workers = workers, .processes = URD_PROCESSES_NONE};
        test_run_with(&config, note_worker, &worker);
        urd__park_wake(worker);
        urd__park_wake_any();
        CHECK_EQ(urd__load_acq(&worker->parked), 0);
    }
}
