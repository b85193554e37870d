/*
 * fork.c - every meeting of a forker that joins with the thief that ends its job.
 *
 * SPDX-License-Identifier: MIT
 *
 * The job has been taken from the deque already; that part is deque.c's.
 */
#include "model_core.h"

#include "core/fork.c"

static urd__fork forked;
static int result; /* plain: written by the job, read after the join */

void urd__park_wake_any(void)
{
}

static void setup(void)
{
    core_setup();
    result = 0;
    forked = (urd__fork){.owner = &tasks[0], .job.kind = URD__KIND_FORK};
}

static void join(void)
{
    static urd__worker worker;
    int rc = urd__fork_join(&worker, &forked);
    explore_assert(rc == -EIO && result == 7);
    leave(&forked, sizeof forked);
}

static void end_elsewhere(void)
{
    result = 7;
    urd__fork_done(&forked.job, -EIO);
}

/* The thief has no stack for it: the forker runs the job. */
static int run_late(void *arg)
{
    (void)arg;
    result = 7;
    return -EIO;
}

static void setup_refused(void)
{
    setup();
    forked.job.fn = run_late;
    forked.job.scope = &scope;
}

static void refuse(void)
{
    urd__fork_refuse(&forked.job);
}

/* A cancel of the scope does not cut the wait short: the thief still has the forker's memory. */
static void cancel(void)
{
    urd_scope_cancel(&urd__rt.root, -ECANCELED);
}

const struct explore_model explore_models[] = {
    {.name = "a_forker_meets_the_thief",
     .setup = setup,
     .threads = {join, end_elsewhere},
     .finish = core_finish},
    {.name = "a_forker_meets_a_thief_that_cannot_begin",
     .setup = setup_refused,
     .threads = {join, refuse},
     .thread_names = {"forker", "thief"},
     .finish = core_finish},
    {.name = "a_cancel_does_not_part_them",
     .setup = setup,
     .threads = {join, end_elsewhere, cancel},
     .thread_names = {"forker", "thief", "canceller"},
     .finish = core_finish},
    {.name = NULL},
};
