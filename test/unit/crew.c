/*
 * crew.c - workers that are tasks or threads: jobs of jobs, and elements that none waits behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "base/atomic.h"
#include "pools.h"

static urd_pool *nested_pool;

static int nested(const void *in, void *out)
{
    long half[2] = {*(const long *)in, *(const long *)in + 1}, squares[2];
    int rc = urd_pool_map(nested_pool, square, half, squares, 2);
    *(long *)out = squares[0] + squares[1];
    return rc;
}

static int maps_in_maps(void *arg)
{
    (void)arg;
    enum { N = 20 };
    long in[N], out[N];
    for (int i = 0; i < N; i++)
        in[i] = i;
    for (int k = 0; k < 2; k++) { /* not for processes: their parent's pool is not theirs */
        nested_pool = open_pool(kinds[k], NULL);
        CHECK_EQ(urd_pool_map(nested_pool, nested, in, out, N), 0);
        for (long i = 0; i < N; i++)
            CHECK_EQ(out[i], i * i + (i + 1) * (i + 1));
        CHECK_EQ(urd_pool_close(nested_pool), 0);
    }
    return 0;
}

TEST(a_job_may_give_its_own_pool_jobs_and_wait)
{
    run_all(maps_in_maps);
}

/* The first element takes until all others have been run. */
static int wait_for_others(const void *in, void *out)
{
    int *left = *(int *const *)in;
    (void)out;
    if (urd__sub_ar(left, 1) == MANY)
        while (urd__load_acq(left) > 0)
            CHECK_EQ(urd_sleep(URD_US), 0);
    return 0;
}

static int a_long_one(void *arg)
{
    (void)arg;
    static int *in[MANY];
    static char out[MANY];
    for (int k = 0; k < 2; k++) {
        int left = MANY;
        for (int i = 0; i < MANY; i++)
            in[i] = &left;
        urd_pool *p = open_pool(kinds[k], NULL);
        CHECK_EQ(urd_pool_map(p, wait_for_others, in, out, MANY), 0);
        CHECK_EQ(urd_pool_close(p), 0);
    }
    return 0;
}

TEST(no_element_waits_behind_a_long_one_while_a_worker_is_free)
{
    run_all(a_long_one);
}

static int do_nothing(const void *in, void *out)
{
    (void)in;
    (void)out;
    return 0;
}

static int cancel_it(void *scope)
{
    urd_scope_cancel(scope, -EXDEV);
    return 0;
}

/* A map that would never end, on the only worker, beside a job that ends it, or a deadline. */
static int beside_a_map(void *arg)
{
    (void)arg;
    urd_pool *p;
    CHECK_EQ(urd_pool_open(&p, URD_TASK, 1, NULL), 0);
    for (int by_deadline = 0; by_deadline < 2; by_deadline++) {
        urd_scope s;
        urd_scope_open(&s);
        if (by_deadline)
            urd_scope_deadline(&s, urd_now() + URD_MS);
        else
            urd_go(&s, cancel_it, &s);
        CHECK_EQ(urd_pool_map_sized(p, do_nothing, NULL, 0, NULL, 0, SIZE_MAX / 2), -ECANCELED);
        CHECK_EQ(urd_scope_join(&s), by_deadline ? -ETIMEDOUT : -EXDEV);
    }
    urd_pool_job job;
    CHECK_EQ(urd_pool_submit(&job, p, do_nothing, NULL, 0, NULL, 0), 0);
    CHECK_EQ(urd_pool_wait(&job), 0);
    CHECK_EQ(urd_pool_close(p), 0);
    return 0;
}

TEST(a_map_on_tasks_keeps_neither_others_nor_deadlines_from_the_worker)
{
    urd_config one = {.workers = 1, .processes = URD_PROCESSES_NONE};
    test_run_with(&one, beside_a_map, NULL);
}

static urd_mutex kept;

static int keep_a_lock(const void *in, void *out)
{
    (void)in, (void)out;
    return urd_mutex_lock(&kept);
}

static int leave_open(const void *in, void *out)
{
    (void)in;
    urd_scope_open_at(out, "open.c:1");
    return 0;
}

static int give_2(const void *in, void *out)
{
    (void)in, (void)out;
    return 2;
}

static urd_pool_fn *misuse;
static urd_scope left;

static int misuses(void *arg)
{
    (void)arg;
    urd_pool *p = open_pool(URD_TASK, NULL);
    urd_pool_job job;
    CHECK_EQ(urd_pool_submit(&job, p, misuse, NULL, 0, &left, sizeof left), 0);
    CHECK_EQ(urd_pool_wait(&job), 0);
    return urd_pool_close(p);
}

static void run_misuse(void)
{
    test_run(misuses);
}

TEST(a_job_that_leaves_something_behind_aborts)
{
    misuse = keep_a_lock;
    CHECK_ABORTS(run_misuse, "a job of the pool returned with 1 lock held");
    misuse = leave_open;
    CHECK_ABORTS(run_misuse, "returned with the scope opened at open.c:1 not joined");
    misuse = give_2;
    CHECK_ABORTS(run_misuse, "a job of the pool returned 2; it returns 0 or a negative errno");
}
