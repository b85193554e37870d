/*
 * inbox.c - every schedule of giving jobs to a pool whose workers go to sleep: none is left lying.
 *
 * SPDX-License-Identifier: MIT
 *
 * The pool, its inbox and its workers are the runtime's own; left out are the start of workers, and
 * the moment for which they look.  At the end workers may sleep, but then every job has been run,
 * or taken back, once.  All are sampled.
 */
#include "model_core.h"

#pragma GCC diagnostic ignored "-Wshadow" /* by the model's own scope */
#include "pool/inbox.c"
#include "pool/pool.c"
#define leave crew_leave
#include "pool/crew.c"
#undef leave

enum { SAMPLES = 1000, JOBS = 4, WORKERS_MAX = 2 };

static urd_pool pool;
static urd__task *places[WORKERS_MAX];
static urd_pool_job jobs[JOBS];
static int given[JOBS], ran[JOBS], dropped[JOBS];
static int opened; /* atomic, futex: what the first job waits for */

/* ---- What these sources need and this model leaves out -------------------------------------- */

const urd__crew urd__crew_processes;

void *urd__os_alloc_aligned(size_t alignment, size_t size)
{
    (void)alignment;
    return explore_alloc(size);
}

int urd__go(urd_scope *s, const urd__go_args *args)
{
    (void)s, (void)args;
    return -ENOMEM;
}

int urd_yield(void)
{
    return 0;
}

urd_time urd_now(void)
{
    return 0;
}

int urd__wait_end_until(urd__task *self, uint64_t word, int64_t when)
{
    (void)word, (void)when;
    return urd__wait_end(self);
}

void urd__unread_open(urd_pool *p)
{
    (void)p;
}

void urd__unread_add(urd_pool *p, urd_pool_job *job)
{
    (void)p, (void)job;
}

void urd__unread_take(urd_pool_job *job)
{
    (void)job;
}

void urd__unread_close(urd_pool *p, int rc)
{
    (void)p, (void)rc;
}

void urd__flow_done(urd_pool_job *job, urd__link *woken)
{
    (void)job, (void)woken;
}

/* ---- Before ---------------------------------------------------------------------------------- */

static void setup(void)
{
    core_setup();
    memset(jobs, 0, sizeof jobs);
    memset(given, 0, sizeof given);
    memset(ran, 0, sizeof ran);
    memset(dropped, 0, sizeof dropped);
    opened = 0;
    urd__rt.nworkers = 2; /* who has ended a job looks for the next */
    pool = (urd_pool){.crew = &urd__crew_inside,
                      .kind = URD_THREAD,
                      .workers = WORKERS_MAX,
                      .workers_min = WORKERS_MAX,
                      .idle_duration = URD_FOREVER,
                      .scope = &scope,
                      .has_inbox = true,
                      .up = WORKERS_MAX,
                      .tasks = places};
    urd__list_init(&pool.queue);
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void worker(void)
{
    int rc = work(&pool, &tasks[explore_self()]);
    explore_assert(rc == 0 || rc == -ECANCELED);
}

static int run_one(const void *in, void *out)
{
    (void)out;
    explore_ghost_add(&ran[*(const int *)in], 1);
    return 0;
}

static int run_and_open(const void *in, void *out)
{
    urd__store_rel(&opened, 1);
    explore_futex_wake(&opened, 1);
    return run_one(in, out);
}

static int run_when_open(const void *in, void *out)
{
    while (!urd__load_acq(&opened))
        explore_futex_wait(&opened, 0);
    return run_one(in, out);
}

static void give(int i, urd_pool_fn *fn)
{
    static const int numbers[JOBS] = {0, 1, 2, 3};
    int rc = urd_pool_submit(&jobs[i], &pool, fn, &numbers[i], sizeof(int), NULL, 0);
    explore_assert(rc == 0 || rc == -ECANCELED);
    if (rc == 0)
        explore_ghost_add(&given[i], 1);
}

static void give_0(void)
{
    give(0, run_one);
}

static void give_0_and_1(void)
{
    give_0();
    give(1, run_one);
}

static void give_2(void)
{
    give(2, run_one);
}

static void give_2_and_3(void)
{
    give(2, run_one);
    give(3, run_one);
}

static void wait_for_each(void)
{
    for (int i = 0; i < 3; i++) {
        give(i, run_one);
        explore_assert(urd_pool_wait(&jobs[i]) == 0);
    }
}

/* The first can end only when the second has run. */
static void give_two_that_need_both_workers(void)
{
    give(0, run_when_open);
    give(1, run_and_open);
}

static void give_and_take_back(void)
{
    give_0_and_1();
    for (int i = 0; i < 2; i++)
        if (urd_pool_drop(&jobs[i]) == 0)
            explore_ghost_add(&dropped[i], 1);
}

static void cancel(void)
{
    urd_pool_cancel(&pool);
}

/* ---- Afterwards ------------------------------------------------------------------------------ */

static void each_came_to_an_end(void)
{
    for (int i = 0; i < JOBS; i++) {
        if (!given[i])
            continue;
        bool taken_back = jobs[i].result == -ECANCELED;
        explore_assert(jobs[i].done);
        explore_assert(ran[i] == !taken_back);
        explore_assert(!dropped[i] || taken_back);
    }
    explore_assert(!top_of(pool.inbox) && pool.undone == 0);
}

enum { WORKER_1 = 1 << 1, WORKER_2 = 1 << 2 };

const struct explore_model explore_models[] = {
    {.name = "a_job_beside_a_worker_that_lies_down",
     .setup = setup,
     .threads = {give_0, worker},
     .thread_names = {"giver", "worker"},
     .may_wait = WORKER_1,
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = each_came_to_an_end},
    {.name = "jobs_that_are_waited_for_one_by_one",
     .setup = setup,
     .threads = {wait_for_each, worker, worker},
     .thread_names = {"giver", "worker", "worker 2"},
     .may_wait = WORKER_1 | WORKER_2,
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = each_came_to_an_end},
    {.name = "two_give_to_one_worker",
     .setup = setup,
     .threads = {give_0_and_1, worker, give_2_and_3},
     .thread_names = {"giver", "worker", "giver 2"},
     .may_wait = WORKER_1,
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = each_came_to_an_end},
    {.name = "a_job_comes_as_a_worker_begins_to_look",
     .setup = setup,
     .threads = {give_0, worker, worker, give_2},
     .thread_names = {"giver", "worker", "worker 2", "giver 2"},
     .may_wait = WORKER_1 | WORKER_2,
     .stale_reads = 1,
     .random = 4 * SAMPLES,
     .finish = each_came_to_an_end},
    {.name = "two_give_to_two_workers",
     .setup = setup,
     .threads = {give_0_and_1, worker, worker, give_2_and_3},
     .thread_names = {"giver", "worker", "worker 2", "giver 2"},
     .may_wait = WORKER_1 | WORKER_2,
     .stale_reads = 1,
     .random = 2 * SAMPLES,
     .finish = each_came_to_an_end},
    {.name = "no_job_waits_behind_another_while_a_worker_is_idle",
     .setup = setup,
     .threads = {give_two_that_need_both_workers, worker, worker},
     .thread_names = {"giver", "worker", "worker 2"},
     .may_wait = WORKER_1 | WORKER_2,
     .stale_reads = 1,
     .random = 2 * SAMPLES,
     .finish = each_came_to_an_end},
    {.name = "what_is_taken_back_is_not_run",
     .setup = setup,
     .threads = {give_and_take_back, worker, give_2_and_3},
     .thread_names = {"giver", "worker", "giver 2"},
     .may_wait = WORKER_1,
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = each_came_to_an_end},
    {.name = "a_pool_that_is_cancelled_leaves_no_job",
     .setup = setup,
     .threads = {give_0_and_1, worker, cancel},
     .thread_names = {"giver", "worker", "canceller"},
     .stale_reads = 1,
     .random = 2 * SAMPLES,
     .finish = each_came_to_an_end},
    {.name = NULL},
};
