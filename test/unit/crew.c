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

/* ---- Pools that grow and shrink -------------------------------------------------------------- */

static urd_event gate;

static int wait_at_gate(const void *in, void *out)
{
    (void)in, (void)out;
    return urd_event_wait(&gate);
}

static int workers_up(urd_pool *p)
{
    urd_pool_state state;
    urd_pool_get(p, &state);
    return state.workers;
}

static int count(void *arg)
{
    urd__add_ar((int *)arg, 1);
    return 0;
}

static int grow_and_shrink(void *arg)
{
    (void)arg;
    enum { MAX = 4, JOBS = 6 };
    for (int k = 0; k < 2; k++) {
        int ended = 0;
        urd_pool *p;
        urd_pool_job jobs[JOBS], last;
        urd_pool_options o = {
            .workers_min = 1, .idle_duration = 10 * URD_SECOND, .end = count, .arg = &ended};
        urd_event_clear(&gate);
        CHECK_EQ(urd_pool_open(&p, kinds[k], MAX, &o), 0);
        CHECK_EQ(workers_up(p), 1);
        CHECK_EQ(urd_sleep(URD_MS), 0); /* now it waits for a job */
        for (int i = 0; i < JOBS; i++) {
            CHECK_EQ(urd_pool_submit(&jobs[i], p, wait_at_gate, NULL, 0, NULL, 0), 0);
            CHECK_EQ(workers_up(p), i < MAX ? i + 1 : MAX);
        }
        CHECK_EQ(urd_sleep(60 * URD_SECOND), 0);
        urd_event_set(&gate);
        for (int i = 0; i < JOBS; i++)
            CHECK_EQ(urd_pool_wait(&jobs[i]), 0);
        CHECK_EQ(urd_sleep(9 * URD_SECOND), 0);
        CHECK_EQ(workers_up(p), MAX);
        CHECK_EQ(urd_sleep(2 * URD_SECOND), 0);
        CHECK_EQ(workers_up(p), 1);
        CHECK_EQ(urd__load_acq(&ended), MAX - 1);
        CHECK_EQ(urd_pool_submit(&last, p, wait_at_gate, NULL, 0, NULL, 0), 0);
        CHECK_EQ(urd_pool_wait(&last), 0);
        CHECK_EQ(workers_up(p), 1);
        CHECK_EQ(urd_pool_close(p), 0);
        CHECK_EQ(ended, MAX);
    }
    return 0;
}

TEST(a_pool_grows_while_nobody_is_free_and_shrinks_when_idle)
{
    test_run(grow_and_shrink);
}

static int trickle(void *arg)
{
    (void)arg;
    urd_pool *p;
    urd_pool_job jobs[3];
    urd_pool_options o = {.workers_min = 1, .idle_duration = 10 * URD_SECOND};
    urd_event_clear(&gate);
    CHECK_EQ(urd_pool_open(&p, URD_TASK, 3, &o), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(urd_pool_submit(&jobs[i], p, wait_at_gate, NULL, 0, NULL, 0), 0);
    urd_event_set(&gate);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(urd_pool_wait(&jobs[i]), 0);
    CHECK_EQ(workers_up(p), 3);
    for (int i = 0; i < 6; i++) {
        CHECK_EQ(urd_sleep(2 * URD_SECOND), 0);
        CHECK_EQ(urd_pool_submit(&jobs[0], p, wait_at_gate, NULL, 0, NULL, 0), 0);
        CHECK_EQ(urd_pool_wait(&jobs[0]), 0);
    }
    CHECK_EQ(workers_up(p), 1);
    return urd_pool_close(p);
}

TEST(a_few_jobs_now_and_then_keep_one_worker_up_and_not_all)
{
    test_run(trickle);
}

static int under_a_limit(void *arg)
{
    (void)arg;
    urd_pool *p;
    urd_pool_job jobs[3];
    urd_scope s;
    urd_event_clear(&gate);
    urd_scope_open(&s);
    urd_scope_limit(&s, 1);
    CHECK_EQ(urd_pool_open(&p, URD_TASK, 3, &(urd_pool_options){.workers_min = 2}), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(urd_pool_submit(&jobs[i], p, wait_at_gate, NULL, 0, NULL, 0), 0);
    CHECK_EQ(workers_up(p), 3);
    urd_event_set(&gate);
    CHECK_EQ(urd_pool_close(p), 0);
    CHECK_EQ(urd_go(&s, count, &(int){0}), 0); /* and the limit holds as before */
    return urd_scope_join(&s);
}

TEST(a_limit_of_the_scope_does_not_hold_up_the_workers_of_a_pool)
{
    test_run(under_a_limit);
}

static int wrong_numbers(void *arg)
{
    (void)arg;
    urd_pool *p;
    CHECK_EQ(urd_pool_open(&p, URD_TASK, 2, &(urd_pool_options){.workers_min = 3}), -EINVAL);
    CHECK_EQ(urd_pool_open(&p, URD_TASK, 2, &(urd_pool_options){.workers_min = -1}), -EINVAL);
    CHECK_EQ(urd_pool_open(&p, URD_TASK, 2, &(urd_pool_options){.idle_duration = -1}), -EINVAL);
    return 0;
}

TEST(a_pool_cannot_shrink_to_more_than_it_may_have)
{
    test_run(wrong_numbers);
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

/* ---- Carriers -------------------------------------------------------------------------------- */

typedef struct cart {
    long loads, elements, most, closed; /* atomic; most: at once, by whoever was last to see it */
    long fails_at;                      /* the argument that does; -1: none */
} cart;

static int carry_here(void *arg, urd_pool_load *load)
{
    cart *c = arg;
    const long *in = load->in;
    long *out = load->out;
    urd__add_ar(&c->loads, 1);
    urd__add_ar(&c->elements, (long)load->n);
    if ((long)load->n > urd__load_acq(&c->most))
        urd__store_rel(&c->most, (long)load->n);
    for (size_t i = 0; i < load->n; i++) {
        if (in[i] == c->fails_at) {
            load->failed = i;
            load->detail[0] = 'x';
            return -EDOM;
        }
        int rc = load->fn(&in[i], &out[i]);
        if (rc)
            return rc;
    }
    return urd_cancelled() ? -ECANCELED : 0;
}

static int carries_square(void *arg, urd_pool_fn *fn)
{
    (void)arg;
    return fn == square ? 0 : -EINVAL;
}

static int count_close(void *arg)
{
    cart *c = arg;
    c->closed++;
    return c->fails_at < 0 ? 0 : -EBADF;
}

static const urd_pool_carrier carrier = {carries_square, carry_here, count_close};

static int carried(void *arg)
{
    (void)arg;
    static long in[MANY], out[MANY];
    for (long i = 0; i < MANY; i++)
        in[i] = i;
    for (int k = 0; k < 2; k++) {
        cart c = {.fails_at = -1};
        urd_pool *p =
            open_pool(kinds[k], &(urd_pool_options){.carrier = &carrier, .carrier_arg = &c});
        CHECK_EQ(urd_pool_map(p, square, in, out, MANY), 0);
        for (long i = 0; i < MANY; i++)
            CHECK_EQ(out[i], i * i);
        CHECK_EQ(c.elements, MANY);
        CHECK(c.loads < MANY);     /* they take no time, so many go at once */
        CHECK(c.most <= MANY / 2); /* and leave the other its share */
        CHECK_EQ(urd_pool_map(p, do_nothing, in, out, 1), -EINVAL);
        CHECK_EQ(c.closed, 0);
        CHECK_EQ(urd_pool_close(p), 0);
        CHECK_EQ(c.closed, 1);
    }
    return 0;
}

TEST(a_carrier_runs_the_jobs_in_place_of_the_workers)
{
    run_all(carried);
}

static int carried_and_failed(void *arg)
{
    (void)arg;
    static long in[MANY], out[MANY];
    for (long i = 0; i < MANY; i++)
        in[i] = i;
    cart c = {.fails_at = 1234};
    urd_pool_options o = {.carrier = &carrier, .carrier_arg = &c};
    urd_pool *p = open_pool(URD_TASK, &o);
    urd_pool_job j;
    CHECK_EQ(urd_pool_map(p, square, in, out, MANY), -EDOM);
    CHECK(c.elements < MANY);
    CHECK_EQ(urd_pool_submit(&j, p, square, &in[1234], sizeof(long), out, sizeof(long)), 0);
    CHECK_EQ(urd_pool_wait(&j), -EDOM);
    CHECK_STR(urd_pool_detail(&j), "x");
    CHECK_EQ(urd_pool_close(p), -EBADF);
    CHECK_EQ(urd_pool_open(&p, URD_PROCESS, 1, &o), -EINVAL);
    return 0;
}

TEST(the_error_of_a_carrier_is_that_of_the_element)
{
    run_all(carried_and_failed);
}
