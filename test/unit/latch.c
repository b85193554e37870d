/*
 * latch.c - wait until a count has come down to zero.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "base/os.h"
#include "forks.h"
#include "runs.h"

enum { JOBS = 9, ROUNDS = 20 };

static urd_latch latch;
static int ended, through; /* atomic */

static int count_down(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_yield(), 0);
    urd__add_ar(&ended, 1);
    urd_latch_done(&latch);
    return 0;
}

static int wait_for_all(void *arg)
{
    CHECK_EQ(urd_latch_wait(&latch), 0);
    CHECK_EQ(urd__load_acq(&ended), *(const int *)arg);
    urd__add_ar(&through, 1);
    return 0;
}

static int rounds(void *arg)
{
    (void)arg;
    static int jobs = JOBS;
    for (int round = 0; round < 3; round++) {
        ended = through = 0;
        urd_scope s;
        urd_scope_open(&s);
        urd_latch_add(&latch, JOBS);
        CHECK_EQ(urd_latch_count(&latch), JOBS);
        urd_go(&s, wait_for_all, &jobs);
        urd_spawn(&s, URD_THREAD, wait_for_all, &jobs, 0);
        for (int i = 0; i < JOBS; i++)
            urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, count_down, NULL, 0);
        wait_for_all(&jobs);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(through, 3);
        CHECK_EQ(urd_latch_wait(&latch), 0); /* it is open */
    }
    return 0;
}

TEST(waiters_go_on_when_the_count_is_zero)
{
    run_seeds(20, rounds);
}

static void *count_down_in_a_thread(void *arg)
{
    urd_latch_done(arg);
    return NULL;
}

TEST(who_has_waited_may_free_the_latch)
{
    for (int i = 0; i < ROUNDS; i++) {
        urd_latch *l = calloc(1, sizeof *l);
        CHECK(l);
        urd_latch_add(l, 2);
        pthread_t ids[2];
        for (int k = 0; k < 2; k++)
            CHECK_EQ(pthread_create(&ids[k], NULL, count_down_in_a_thread, l), 0);
        CHECK_EQ(urd_latch_wait(l), 0);
        free(l);
        for (int k = 0; k < 2; k++)
            CHECK_EQ(pthread_join(ids[k], NULL), 0);
    }
}

static int wait_cancelled(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_latch_wait(&latch), -ECANCELED);
    return 0;
}

static int cancelled(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_latch_add(&latch, 1);
    urd_scope_open(&s);
    urd_go(&s, wait_cancelled, NULL);
    urd_spawn(&s, URD_THREAD, wait_cancelled, NULL, 0);
    let_others_run();
    urd_scope_cancel(&s, -EIO);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    urd_latch_done(&latch);
    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_latch_wait(&latch), -ECANCELED); /* an open one, too */
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(a_cancelled_waiter_leaves)
{
    run_seeds(10, cancelled);
}

static void below_zero(void)
{
    urd_latch_done(&latch);
}

static void too_many(void)
{
    urd_latch_add(&latch, 1);
    urd_latch_add(&latch, LONG_MAX);
}

TEST(misuse_aborts_with_a_message)
{
    CHECK_ABORTS(below_zero, "urd_latch_done: the count is zero already");
    CHECK_ABORTS(too_many, "urd_latch_add: ");
}

/* ---- Between processes ----------------------------------------------------------------------- */

static void run(urd_fn *fn)
{
    urd_config config = {.workers = 1};
    test_run_with(&config, fn, NULL);
}

static int counts_down_given(void *arg)
{
    urd_latch_done(arg);
    return 0;
}

static int waits_for(void *arg)
{
    return urd_latch_wait(arg);
}

static int dies_when_awaited(void *arg)
{
    urd_latch *l = arg;
    while (!(urd__load_acq(&l->lock) & 1)) /* until it is awaited */
        urd__os_yield();
    urd_latch_done(l);
    raise(SIGKILL);
    return 0;
}

static int between_processes(void *arg)
{
    (void)arg;
    urd_latch *l = urd_shared_alloc(sizeof *l);
    urd_scope s, doomed;
    for (int round = 0; round < 2; round++) {
        urd_latch_add(l, 4);
        urd_scope_open(&s);
        for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++) {
            CHECK_EQ(urd_spawn(&s, kind, waits_for, l, 0), 0);
            CHECK_EQ(urd_spawn(&s, kind, counts_down_given, l, 0), 0);
        }
        urd_scope_open(&doomed);
        CHECK_EQ(urd_spawn(&doomed, URD_PROCESS, dies_when_awaited, l, 0), 0);
        CHECK_EQ(urd_scope_join(&doomed), -ECHILD);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(urd_latch_count(l), 0);
        CHECK_EQ(urd_latch_wait(l), 0);
    }
    urd_shared_free(l);
    return 0;
}

TEST(processes_count_down_and_wait_whoever_dies)
{
    run(between_processes);
}

static int waits_in_vain(void *arg)
{
    CHECK_EQ(urd_latch_wait(arg), -ECANCELED);
    return 0;
}

static int cancelled_between(void *arg)
{
    (void)arg;
    urd_latch *l = urd_shared_alloc(sizeof *l);
    urd_scope s;
    urd_latch_add(l, 1);
    urd_scope_open(&s);
    urd_go(&s, waits_in_vain, l);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, waits_in_vain, l, 0), 0);
    CHECK_EQ(urd_yield(), 0);
    urd_scope_cancel(&s, -EDOM);
    CHECK_EQ(urd_scope_join(&s), -EDOM);
    CHECK_EQ(urd_latch_count(l), 1);
    urd_shared_free(l);
    return 0;
}

TEST(a_cancel_ends_a_wait_between_processes)
{
    run(cancelled_between);
}
