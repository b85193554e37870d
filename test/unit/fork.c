/*
 * fork.c - a forked job runs once, wherever it runs, and its result comes back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/fork.h"

#include <errno.h>

#include "base/atomic.h"
#include "core/runtime.h"
#include "runs.h"

typedef struct work {
    urd_fn *then; /* before it ends */
    int runs, rc;
    urd__task *ran_on;
} work;

static int run(void *arg)
{
    work *w = arg;
    urd__add_ar(&w->runs, 1);
    w->ran_on = urd__task_self();
    if (w->then)
        CHECK_EQ(w->then(NULL), 0);
    return w->rc;
}

static int sleep_a_second(void *arg)
{
    (void)arg;
    return urd_sleep(URD_SECOND);
}

static int join_what_nobody_took(void *arg)
{
    (void)arg;
    work w = {.rc = -EIO};
    urd__fork forked;
    urd__fork_push(urd__worker_self, &forked, run, &w, URD_HERE);
    CHECK_EQ(w.runs, 0);
    CHECK_EQ(urd__fork_join(urd__worker_self, &forked), -EIO);
    CHECK_EQ(w.runs, 1);
    CHECK_PTR(w.ran_on, urd__task_self());
    return 0;
}

TEST(a_job_that_nobody_took_is_run_by_its_join)
{
    test_run_workers(1, join_what_nobody_took);
}

/* While the forker sleeps, its worker begins the job, which is still running at the join. */
static int wait_for_it(void *arg)
{
    (void)arg;
    work w = {.rc = -EIO, .then = sleep_a_second};
    urd__fork forked;
    urd__fork_push(urd__worker_self, &forked, run, &w, URD_HERE);
    CHECK_EQ(urd_sleep(URD_MS), 0);
    CHECK_EQ(w.runs, 1);
    CHECK(w.ran_on != urd__task_self());
    urd_time before = urd_now();
    CHECK_EQ(urd__fork_join(urd__worker_self, &forked), -EIO);
    CHECK_EQ(urd_now() - before, URD_SECOND - URD_MS);
    return 0;
}

TEST(a_join_waits_for_whoever_took_the_job)
{
    test_run_workers(1, wait_for_it);
    run_seeds(20, wait_for_it);
}

static int find_it_ended(void *arg)
{
    (void)arg;
    work w = {.rc = -EIO};
    urd__fork forked;
    urd__fork_push(urd__worker_self, &forked, run, &w, URD_HERE);
    CHECK_EQ(urd_sleep(URD_MS), 0);
    CHECK_EQ(w.runs, 1);
    CHECK_EQ(urd__fork_join(urd__worker_self, &forked), -EIO);
    return 0;
}

TEST(a_job_that_has_ended_is_not_waited_for)
{
    run_seeds(20, find_it_ended);
}

/* As where a thief has no stack for it. */
static int refuse_it(void *arg)
{
    (void)arg;
    work w = {.rc = -EIO};
    urd__fork forked;
    urd__fork_push(urd__worker_self, &forked, run, &w, URD_HERE);
    CHECK_PTR(urd__deque_pop(&urd__worker_self->deque), &forked.job);
    urd__fork_refuse(&forked.job);
    CHECK_EQ(w.runs, 0);
    CHECK_EQ(urd__fork_join(urd__worker_self, &forked), -EIO);
    CHECK_EQ(w.runs, 1);
    return 0;
}

TEST(a_job_that_its_thief_refuses_is_run_by_its_join)
{
    test_run_workers(1, refuse_it);
}

static int take_it_back(void *arg)
{
    (void)arg;
    work w = {.rc = -EIO};
    urd__fork forked;
    urd__fork_push(urd__worker_self, &forked, run, &w, URD_HERE);
    CHECK(urd__fork_take_back(urd__worker_self, &forked));
    CHECK_EQ(urd_sleep(URD_MS), 0);
    CHECK_EQ(w.runs, 0);
    urd__fork_push(urd__worker_self, &forked, run, &w, URD_HERE);
    CHECK_EQ(urd_sleep(URD_MS), 0);
    CHECK(!urd__fork_take_back(urd__worker_self, &forked));
    CHECK_EQ(forked.job.result, -EIO);
    CHECK_EQ(w.runs, 1);
    return 0;
}

TEST(what_nobody_has_begun_can_be_taken_back)
{
    test_run_workers(1, take_it_back);
}

/* A job of an outer scope, started in between, lies above the fork in the deque. */
static int join_below_a_newer_job(void *arg)
{
    (void)arg;
    work w = {.rc = -EIO}, newer = {.rc = 0};
    urd_scope s;
    urd_scope_open(&s);
    urd__fork forked;
    urd__fork_push(urd__worker_self, &forked, run, &w, URD_HERE);
    urd_go(&s, run, &newer);
    CHECK_EQ(urd__fork_join(urd__worker_self, &forked), -EIO);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(w.runs, 1);
    CHECK_EQ(newer.runs, 1);
    return 0;
}

TEST(a_newer_job_above_the_fork_is_not_lost)
{
    test_run_workers(1, join_below_a_newer_job);
    run_seeds(50, join_below_a_newer_job);
}

/* The job is in the forker's scope: it is cancelled with it. */
static int cancel_it(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd__fork forked;
    urd__fork_push(urd__worker_self, &forked, wait_for_ever, NULL, URD_HERE);
    CHECK_EQ(urd_sleep(URD_MS), 0);
    urd_scope_cancel(&s, -EPERM);
    CHECK_EQ(urd__fork_join(urd__worker_self, &forked), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -EPERM);
    return 0;
}

TEST(a_cancel_of_the_scope_reaches_a_forked_job)
{
    run_seeds(20, cancel_it);
}

typedef struct tree {
    int depth;
    long leaves;
} tree;

static int grow(void *arg)
{
    tree *t = arg;
    if (t->depth == 0) {
        t->leaves = 1;
        return t->leaves % 64 == 0 ? urd_yield() : 0;
    }
    tree left = {.depth = t->depth - 1}, right = left;
    urd__fork forked;
    urd__fork_push(urd__worker_self, &forked, grow, &right, URD_HERE);
    CHECK_EQ(grow(&left), 0);
    CHECK_EQ(urd__fork_join(urd__worker_self, &forked), 0);
    t->leaves = left.leaves + right.leaves;
    return 0;
}

static int grow_a_tree(void *arg)
{
    (void)arg;
    tree t = {.depth = test_under_slow_tool() ? 8 : 14};
    CHECK_EQ(grow(&t), 0);
    CHECK_EQ(t.leaves, 1L << t.depth);
    return 0;
}

TEST(every_job_of_a_tree_runs_once)
{
    run_seeds(20, grow_a_tree);
    for (int workers = 1; workers <= 4; workers++)
        run_real(workers, grow_a_tree);
}

static int ask(void *arg)
{
    (void)arg;
    CHECK(!urd__fork_wanted(urd__worker_self));
    return 0;
}

TEST(alone_nobody_wants_work)
{
    test_run_workers(1, ask);
}

static int be_asked(void *arg)
{
    (void)arg;
    for (long i = 0; !urd__fork_wanted(urd__worker_self); i++)
        CHECK_LT(i, 1L << 36);
    work w = {.rc = 0};
    urd__fork forked;
    urd__fork_push(urd__worker_self, &forked, run, &w, URD_HERE);
    while (urd__load_acq(&w.runs) == 0) /* a thief has it, or the test hangs and is killed */
        CHECK(!urd_cancelled());
    CHECK_EQ(urd__fork_join(urd__worker_self, &forked), 0);
    CHECK(w.ran_on != urd__task_self());
    return 0;
}

TEST(an_idle_worker_takes_what_is_offered)
{
    run_real(2, be_asked);
}
