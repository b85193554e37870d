/*
 * pool.c - a pool runs every job once, on every kind, until it is closed or cancelled.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/atomic.h"
#include "pools.h"

/* ---- Maps ------------------------------------------------------------------------------------ */

static void map_many(urd_kind kind)
{
    static long in[MANY], out[MANY];
    urd_pool *p = open_pool(kind, NULL);
    for (int round = 1; round <= 3; round++) {
        for (long i = 0; i < MANY; i++) {
            in[i] = i * round;
            out[i] = -1;
        }
        CHECK_EQ(urd_pool_map(p, square, in, out, MANY), 0);
        for (long i = 0; i < MANY; i++)
            CHECK_EQ(out[i], in[i] * in[i]);
    }
    CHECK_EQ(urd_pool_map_sized(p, square, in, 0, out, 0, 0), 0);
    urd_pool_state state;
    urd_pool_get(p, &state);
    CHECK_EQ(state.ended, 3 * MANY);
    CHECK_EQ(state.waiting, 0);
    CHECK_EQ(state.running, 0);
    CHECK_EQ(state.died, 0);
    CHECK_EQ(urd_pool_close(p), 0);
}

static int map_all(void *arg)
{
    (void)arg;
    for (int i = 0; i < KINDS; i++)
        map_many(kinds[i]);
    return 0;
}

TEST(a_map_runs_each_element_once_and_keeps_the_order)
{
    run_all(map_all);
}

static int fail_at_40(const void *in, void *out)
{
    *(long *)out = 1;
    return *(const long *)in == 40 ? -EXDEV : *(const long *)in == 41 ? -EDOM : 0;
}

static int errors(void *arg)
{
    (void)arg;
    static long in[MANY], out[MANY];
    for (long i = 0; i < MANY; i++)
        in[i] = i;
    for (int i = 0; i < KINDS; i++) {
        urd_pool *p = open_pool(kinds[i], NULL);
        memset(out, 0, sizeof out);
        int rc = urd_pool_map(p, fail_at_40, in, out, MANY);
        CHECK(rc == -EXDEV || rc == -EDOM);
        for (int k = 0; k < 40; k++)
            CHECK_EQ(out[k], 1);
        CHECK_EQ(urd_pool_map(p, square, in, out, MANY), 0); /* the pool goes on */
        CHECK_EQ(urd_pool_close(p), 0);
    }
    return 0;
}

TEST(an_error_ends_the_map_and_not_the_pool)
{
    run_all(errors);
}

/* ---- Jobs by hand ---------------------------------------------------------------------------- */

static int by_hand(void *arg)
{
    (void)arg;
    enum { N = 50 };
    urd_pool_job jobs[N];
    long in[N], out[N];
    for (int i = 0; i < KINDS; i++) {
        urd_pool *p = open_pool(kinds[i], NULL);
        for (int k = 0; k < N; k++) {
            in[k] = k;
            CHECK_EQ(
                urd_pool_submit(&jobs[k], p, square, &in[k], sizeof(long), &out[k], sizeof(long)),
                0);
        }
        for (int k = 0; k < N; k++) {
            CHECK_EQ(urd_pool_wait(&jobs[k]), 0);
            CHECK(urd_pool_done(&jobs[k]));
            CHECK_EQ(urd_pool_wait(&jobs[k]), 0);
            CHECK_EQ(out[k], in[k] * in[k]);
            CHECK_STR(urd_pool_detail(&jobs[k]), "");
            CHECK_EQ(urd_pool_drop(&jobs[k]), -EBUSY);
        }
        CHECK_EQ(urd_pool_close(p), 0);
    }
    return 0;
}

TEST(jobs_given_by_hand_are_waited_for_by_hand)
{
    run_all(by_hand);
}

static int drops(void *arg)
{
    (void)arg;
    enum { N = 20 };
    urd_pool_job jobs[N];
    int *gate = urd_shared_alloc(sizeof *gate);
    for (int i = 0; i < KINDS; i++) {
        *gate = 0;
        urd_pool *p = open_pool(kinds[i], NULL);
        int dropped = 0;
        for (int k = 0; k < N; k++)
            CHECK_EQ(urd_pool_submit(&jobs[k], p, at_gate, &gate, sizeof gate, NULL, 0), 0);
        for (int k = 0; k < N; k++) {
            int rc = urd_pool_drop(&jobs[k]);
            CHECK(rc == 0 || rc == -EBUSY);
            if (rc == 0)
                CHECK_EQ(urd_pool_wait(&jobs[k]), -ECANCELED);
            dropped += rc == 0;
        }
        CHECK_LE(N - WORKERS, dropped);
        urd__store_rel(gate, 1);
        CHECK_EQ(urd_pool_close(p), 0);
        for (int k = 0; k < N; k++)
            CHECK(urd_pool_done(&jobs[k]));
    }
    urd_shared_free(gate);
    return 0;
}

TEST(a_job_that_nobody_has_begun_can_be_dropped)
{
    run_all(drops);
}

/* ---- Cancels --------------------------------------------------------------------------------- */

static int map_under_deadline(void *arg)
{
    (void)arg;
    enum { N = 100 };
    int *in[N], *gate = urd_shared_alloc(sizeof *gate);
    char out[N];
    for (int i = 0; i < N; i++)
        in[i] = gate;
    for (int i = 0; i < KINDS; i++) {
        urd_pool *p = open_pool(kinds[i], NULL);
        urd_scope s;
        urd_scope_open(&s);
        *gate = 0;
        urd_scope_deadline(&s, urd_now() + 5 * URD_MS);
        urd_pool_job opener;
        CHECK_EQ(urd_pool_submit(&opener, p, at_gate, &gate, sizeof gate, NULL, 0), 0);
        CHECK_EQ(urd_pool_wait(&opener), -ECANCELED); /* it goes on */
        CHECK(!urd_pool_done(&opener));
        CHECK_EQ(urd_pool_map(p, at_gate, in, out, N), -ECANCELED); /* and did nothing */
        CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
        urd__store_rel(gate, 1);
        CHECK_EQ(urd_pool_wait(&opener), 0);
        CHECK_EQ(urd_pool_close(p), 0);
    }
    urd_shared_free(gate);
    return 0;
}

TEST(a_deadline_ends_the_wait_and_the_pool_goes_on)
{
    run_all(map_under_deadline);
}

static int cancel_scope(void *arg)
{
    urd_scope_cancel(arg, -EXDEV);
    return 0;
}

static int with_its_scope(void *arg)
{
    (void)arg;
    enum { N = 100 };
    int *in[N], *gate = urd_shared_alloc(sizeof *gate);
    char out[N];
    for (int i = 0; i < N; i++)
        in[i] = gate;
    for (int i = 0; i < KINDS; i++) {
        urd_scope s;
        urd_scope_open(&s);
        urd_pool *p = open_pool(kinds[i], NULL);
        urd_go(&s, cancel_scope, &s);
        CHECK_EQ(urd_pool_map(p, at_gate, in, out, N), -ECANCELED);
        urd_pool_job late;
        CHECK_EQ(urd_pool_submit(&late, p, at_gate, &gate, sizeof gate, NULL, 0), -ECANCELED);
        CHECK_EQ(urd_pool_close(p), -ECANCELED);
        CHECK_EQ(urd_scope_join(&s), -EXDEV);
    }
    urd_shared_free(gate);
    return 0;
}

TEST(a_pool_is_cancelled_with_the_scope_it_was_opened_in)
{
    run_all(with_its_scope);
}

static int by_name(void *arg)
{
    (void)arg;
    urd_pool_job job;
    for (int i = 0; i < KINDS; i++) {
        urd_pool *p = open_pool(kinds[i], NULL);
        long in = 3, out;
        CHECK_EQ(urd_pool_map(p, square, &in, &out, 1), 0);
        urd_pool_cancel(p);
        urd_pool_cancel(p);
        CHECK_EQ(urd_pool_submit(&job, p, square, &in, sizeof in, &out, sizeof out), -ECANCELED);
        CHECK_EQ(urd_pool_close(p), -ECANCELED);
    }
    return 0;
}

TEST(a_cancelled_pool_takes_no_job_and_closes)
{
    run_all(by_name);
}

/* ---- Options --------------------------------------------------------------------------------- */

typedef struct counts {
    int begun, ended; /* atomic */
    int rc;
} counts;

static int count_begin(void *arg)
{
    counts *c = arg;
    urd__add_ar(&c->begun, 1);
    return c->rc;
}

static int count_end(void *arg)
{
    counts *c = arg;
    urd__add_ar(&c->ended, 1);
    return 0;
}

static int begin_and_end(void *arg)
{
    (void)arg;
    counts *c = urd_shared_alloc(sizeof *c);
    urd_pool_options o = {.begin = count_begin, .end = count_end, .arg = c};
    for (int i = 0; i < 2 * KINDS; i++) {
        *c = (counts){.rc = i < KINDS ? 0 : -EXDEV};
        urd_pool *p = open_pool(kinds[i % KINDS], &o);
        long in = 3, out;
        CHECK_EQ(urd_pool_map(p, square, &in, &out, 1), c->rc);
        CHECK_EQ(urd_pool_close(p), c->rc);
        CHECK_LE(1, c->begun); /* a worker may have been stopped before it began */
        CHECK_EQ(c->ended, c->rc ? 0 : c->begun);
    }
    urd_shared_free(c);
    return 0;
}

TEST(each_worker_begins_and_ends_and_an_error_there_breaks_the_pool)
{
    run_all(begin_and_end);
}

static int wrong(void *arg)
{
    (void)arg;
    urd_pool *p = (urd_pool *)&p;
    CHECK_EQ(urd_pool_open(&p, (urd_kind)7, 1, NULL), -EINVAL);
    CHECK(!p);
    CHECK_EQ(urd_pool_open(&p, URD_TASK, -1, NULL), -EINVAL);
    CHECK_EQ(urd_pool_open(&p, URD_TASK, 1000000, NULL), -EINVAL);
    CHECK_EQ(urd_pool_open(&p, URD_TASK, 1, &(urd_pool_options){.retries_max = -1}), -EINVAL);
    CHECK_EQ(urd_pool_open(&p, URD_PROCESS, 1, NULL), -ENOTSUP);
    return 0;
}

TEST(wrong_options_are_refused)
{
    test_run(wrong); /* without processes */
}

/* ---- Other threads --------------------------------------------------------------------------- */

static void *submit_from_outside(void *arg)
{
    long in = 5, out = 0;
    CHECK_EQ(urd_pool_map((urd_pool *)arg, square, &in, &out, 1), 0);
    CHECK_EQ(out, 25);
    return NULL;
}

/* A worker must not stand still meanwhile: tasks of the pool may be its own. */
static int join_thread(void *arg)
{
    CHECK_EQ(pthread_join(*(pthread_t *)arg, NULL), 0);
    return 0;
}

static int from_threads(void *arg)
{
    (void)arg;
    for (int i = 0; i < KINDS; i++) {
        urd_pool *p = open_pool(kinds[i], NULL);
        pthread_t threads[2];
        for (int k = 0; k < 2; k++)
            CHECK_EQ(pthread_create(&threads[k], NULL, submit_from_outside, p), 0);
        urd_sleep(URD_MS);
        for (int k = 0; k < 2; k++) {
            long in = 5, out = 0;
            CHECK_EQ(urd_pool_map(p, square, &in, &out, 1), 0);
        }
        for (int k = 0; k < 2; k++)
            CHECK_EQ(urd_block(join_thread, &threads[k]), 0);
        CHECK_EQ(urd_pool_close(p), 0);
    }
    return 0;
}

TEST(threads_of_the_program_may_use_a_pool)
{
    run_all(from_threads);
}
