/*
 * scope.c - every schedule of jobs that end while their owner joins, fails are cancelled, or wait.
 *
 * SPDX-License-Identifier: MIT
 *
 * Thread 0 owns the scope and joins it; then its memory is written over, so that a job which still
 * touches it is found.  The other threads are its jobs, or cancel from outside.  The larger models
 * are sampled.
 */
#include "model_core.h"

enum { SAMPLES = 8000 };

static urd__job jobs[EXPLORE_THREADS_MAX];
static int results[EXPLORE_THREADS_MAX]; /* plain: written by the job, read after the join */
static int cause_seen;                   /* plain, as results */
static struct {
    int lock;
    urd__link waiters;
} never; /* nobody wakes who waits here */

static void setup_jobs(int count)
{
    core_setup();
    memset(jobs, 0, sizeof jobs);
    memset(results, 0, sizeof results);
    never.waiters = (urd__link){0};
    never.lock = cause_seen = 0;
    tasks[0].scope = &scope;
    scope.pending = count;
    for (int i = 0; i < EXPLORE_THREADS_MAX; i++)
        jobs[i].scope = &scope;
}

static void setup_1(void)
{
    setup_jobs(1);
}

static void setup_2(void)
{
    setup_jobs(2);
}

static void join_expecting(int expected)
{
    int rc = urd_scope_join(&scope);
    leave(&scope, sizeof scope);
    explore_assert(rc == expected);
}

static void join_for_0(void)
{
    join_expecting(0);
    explore_assert(results[1] == 1);
}

static void join_two_for_0(void)
{
    join_expecting(0);
    explore_assert(results[1] == 1 && results[2] == 2);
}

static void join_for_error(void)
{
    join_expecting(-EIO);
}

static void join_for_cancel(void)
{
    int rc = urd_scope_join(&scope);
    leave(&scope, sizeof scope);
    explore_assert(rc == -ECANCELED || rc == 0);
}

/* Of two errors the first is the cause, and stays it. */
static void join_for_first_error(void)
{
    int rc = urd_scope_join(&scope);
    leave(&scope, sizeof scope);
    explore_assert(rc == -EIO || rc == -EPERM);
    explore_assert(rc == cause_seen);
}

static void end_well(void)
{
    int self = explore_self();
    results[self] = self;
    urd__job_done(&jobs[self], 0);
}

static void fail_with_EIO(void)
{
    urd__job_done(&jobs[explore_self()], -EIO);
}

static void fail_with_EPERM(void)
{
    urd__scope_fail(&scope, -EPERM);
    cause_seen = urd__load_acq(&scope.cause);
    urd__job_done(&jobs[explore_self()], -EPERM);
}

/* Waits for what never comes: only a cancel lets it end. */
static void wait_for_cancel(void)
{
    urd__task *self = &tasks[explore_self()];
    int rc = urd__wait_enter(self);
    if (rc == 0) {
        urd__lock(&never.lock);
        urd__waiter waiter = {0};
        rc = urd__wait_on(self, &never.waiters, &never.lock, &waiter, URD__ON_NOTHING, NULL);
        leave(&waiter, sizeof waiter);
    }
    explore_assert(rc == -ECANCELED);
    urd__scope_forget_task(self);
    urd__job_done(&jobs[explore_self()], rc);
}

static void cancel_root(void)
{
    urd_scope_cancel(&urd__rt.root, -ECANCELED);
}

static void nothing_is_left(void)
{
    core_finish();
    explore_assert(urd__list_empty(&urd__rt.root.inner));
    explore_assert(tasks[0].scope == &urd__rt.root);
}

/* ---- Two counters: jobs that the owner's worker runs, before it waits and then; one elsewhere */

static void end_one_more_here(void)
{
    urd__job_done(&jobs[3], 0);
}

static void setup_split(void)
{
    static urd__worker home;
    setup_jobs(0);
    home = (urd__worker){.current = &tasks[0]};
    worker_of[1] = scope.home = &home; /* of thread 0 */
    scope.local = 3;
    while_parked = end_one_more_here;
}

static void end_one_here_and_join(void)
{
    urd__job_done(&jobs[0], 0);
    int rc = urd_scope_join(&scope);
    leave(&scope, sizeof scope);
    explore_assert(rc == 0);
    explore_assert(results[1] == 1);
}

static void start_and_end_one_more_and_end(void)
{
    urd__scope_count_in(&scope, urd__worker_self);
    urd__job_done(&jobs[2], 0);
    end_well();
}

/* ---- The limit: who may start a job, starts it and ends it --------------------------------- */

static void setup_limit(void)
{
    setup_jobs(0);
    scope.limit = 1;
    scope.flags = URD__SCOPE_LIMIT;
}

static void start_and_end_one(void)
{
    int rc = urd__scope_admit(&scope);
    explore_assert(rc == 0);
    results[0]++; /* one at a time: otherwise a race */
    urd__scope_give_place(&scope);
}

static void start_or_be_cancelled(void)
{
    int rc = urd__scope_admit(&scope);
    explore_assert(rc == 0 || rc == -ECANCELED);
    if (rc)
        return;
    results[0]++;
    urd__scope_give_place(&scope);
}

static void cancel_scope(void)
{
    urd_scope_cancel(&scope, -ECANCELED);
}

static void all_places_are_free(void)
{
    core_finish();
    explore_assert(scope.running == 0);
    explore_assert(urd__list_empty(&scope.limited));
}

/* ---- A periodic timer: it starts a job and is none; the wheel's lock orders it with its stop - */

static struct {
    int lock;
    bool stopped; /* under lock */
} timer;

static void setup_timer(void)
{
    setup_jobs(1);
    timer.lock = 0;
    timer.stopped = false;
}

static void start_one_from_timer(void)
{
    urd__lock(&timer.lock);
    bool begun = !timer.stopped && urd__scope_count_in_late(&scope);
    urd__unlock(&timer.lock);
    if (begun)
        end_well();
}

static void stop_timer_and_join(void)
{
    int rc = urd_scope_wait(&scope);
    explore_assert(rc == 0 && results[1] == 1);
    urd__lock(&timer.lock);
    timer.stopped = true;
    urd__unlock(&timer.lock);
    join_expecting(0);
}

const struct explore_model explore_models[] = {
    {.name = "join_waits_for_a_job",
     .setup = setup_1,
     .threads = {join_for_0, end_well},
     .thread_names = {"owner", "job"},
     .finish = nothing_is_left},
    {.name = "join_waits_for_two_jobs",
     .setup = setup_2,
     .threads = {join_two_for_0, end_well, end_well},
     .thread_names = {"owner", "job", "other job"},
     .finish = nothing_is_left},
    {.name = "join_returns_the_error_of_a_job",
     .setup = setup_1,
     .threads = {join_for_error, fail_with_EIO},
     .thread_names = {"owner", "job"},
     .finish = nothing_is_left},
    {.name = "a_failed_job_cancels_its_sibling",
     .setup = setup_2,
     .threads = {join_for_error, fail_with_EIO, wait_for_cancel},
     .thread_names = {"owner", "job", "sibling"},
     .random = SAMPLES,
     .finish = nothing_is_left},
    {.name = "of_two_errors_the_first_is_the_cause",
     .setup = setup_2,
     .threads = {join_for_first_error, fail_with_EIO, fail_with_EPERM},
     .thread_names = {"owner", "job", "other job"},
     .random = SAMPLES,
     .finish = nothing_is_left},
    {.name = "a_cancel_from_outside_beside_a_join",
     .setup = setup_1,
     .threads = {join_for_cancel, end_well, cancel_root},
     .thread_names = {"owner", "job", "canceller"},
     .finish = nothing_is_left},
    {.name = "a_cancel_from_outside_reaches_a_job_that_waits",
     .setup = setup_1,
     .threads = {join_for_cancel, wait_for_cancel, cancel_root},
     .thread_names = {"owner", "job", "canceller"},
     .random = SAMPLES,
     .finish = nothing_is_left},
    {.name = "two_jobs_publish_their_scope_at_once",
     .setup = setup_2,
     .threads = {join_for_cancel, wait_for_cancel, wait_for_cancel, cancel_root},
     .thread_names = {"owner", "job", "other job", "canceller"},
     .random = SAMPLES,
     .finish = nothing_is_left},
    {.name = "jobs_end_here_and_elsewhere",
     .setup = setup_split,
     .threads = {end_one_here_and_join, start_and_end_one_more_and_end},
     .thread_names = {"owner", "job"},
     .finish = nothing_is_left},
    {.name = "a_timer_starts_a_job_as_the_last_one_ends",
     .setup = setup_timer,
     .threads = {stop_timer_and_join, end_well, start_one_from_timer},
     .thread_names = {"owner", "job", "timer"},
     .random = SAMPLES,
     .finish = nothing_is_left},
    {.name = "under_a_limit_of_one_jobs_take_turns",
     .setup = setup_limit,
     .threads = {start_and_end_one, start_and_end_one},
     .finish = all_places_are_free},
    {.name = "under_a_limit_three_take_turns",
     .setup = setup_limit,
     .threads = {start_and_end_one, start_and_end_one, start_and_end_one},
     .random = SAMPLES,
     .finish = all_places_are_free},
    {.name = "a_cancelled_starter_leaves_its_place_to_others",
     .setup = setup_limit,
     .threads = {start_or_be_cancelled, start_or_be_cancelled, cancel_scope},
     .random = SAMPLES,
     .finish = all_places_are_free},
    {.name = NULL},
};
