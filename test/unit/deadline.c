/*
 * deadline.c - a scope's time is up: at its time, moved to and fro, asked for without waiting.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runs.h"

static int deadline_passes(void *arg)
{
    (void)arg;
    urd_scope s, inner;
    urd_time start = urd_now();
    urd_scope_open(&s);
    urd_scope_deadline(&s, start + 100);
    urd_go(&s, wait_for_ever, NULL);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, wait_for_ever, NULL, 0), 0);
    urd_scope_open(&inner);
    CHECK_EQ(urd_sleep(99), 0);
    CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    CHECK_EQ(urd_scope_join(&inner), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    CHECK_EQ(urd_now(), start + 100);
    return 0;
}

TEST(a_deadline_cancels_with_ETIMEDOUT_at_its_time)
{
    run_seeds(20, deadline_passes);
}

static int deadline_not_reached(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_time start = urd_now();
    urd_scope_open(&s);
    urd_scope_deadline(&s, start + 100);
    CHECK_EQ(urd_sleep(50), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_scope_open(&s); /* and it does not come back with the next scope in this place */
    CHECK_EQ(urd_sleep(200), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(a_deadline_goes_with_its_scope)
{
    run_seeds(10, deadline_not_reached);
}

typedef struct mover {
    urd_scope *scope;
    urd_time when, to;
} mover;

static int move_deadline(void *arg)
{
    const mover *m = arg;
    CHECK_EQ(urd_sleep_until(m->when), 0);
    urd_scope_deadline(m->scope, m->to);
    return 0;
}

/* When does a scope end whose deadline is moved from 100 to `to` at the time 50? */
static urd_time moved(urd_time to, int by)
{
    urd_scope outer, s;
    urd_time start = urd_now();
    urd_scope_open(&outer);
    urd_scope_open(&s);
    urd_scope_deadline(&s, start + 100);
    mover m = {&s, start + 50, to == URD_FOREVER ? to : start + to};
    if (by < 0)
        move_deadline(&m);
    else
        CHECK_EQ(urd_spawn(by == 2 ? &outer : &s, by ? URD_THREAD : URD_TASK, move_deadline, &m, 0),
                 0);
    CHECK_EQ(urd_sleep(300), to == URD_FOREVER ? 0 : -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), to == URD_FOREVER ? 0 : -ETIMEDOUT);
    urd_time end = urd_now();
    CHECK_EQ(urd_scope_join(&outer), 0);
    return end - start;
}

static int deadline_moves(void *arg)
{
    (void)arg;
    for (int by = -1; by <= 2; by++) { /* oneself, a task, a thread, a thread of another scope */
        CHECK_EQ(moved(100, by), 100);
        CHECK_EQ(moved(200, by), 200);
        CHECK_EQ(moved(70, by), 70);
        CHECK_EQ(moved(30, by), 50); /* has passed: at once */
        CHECK_EQ(moved(URD_FOREVER, by), by < 0 ? 350 : 300);
    }
    return 0;
}

TEST(a_deadline_may_be_moved_by_any_job_later_earlier_and_away)
{
    run_seeds(20, deadline_moves);
}

static int passed_already(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now());
    CHECK(urd_cancelled());
    CHECK_EQ(urd_sleep(0), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    urd_scope_open(&s);
    urd_scope_deadline(&s, 1);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    return 0;
}

TEST(a_deadline_that_has_passed_cancels_at_once)
{
    run_seeds(5, passed_already);
}

static int compute(void *arg)
{
    (void)arg;
    while (!urd_cancelled())
        continue;
    return -ECANCELED;
}

static int computes(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_MS);
    compute(NULL);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_MS);
    urd_go(&s, compute, NULL);
    urd_go(&s, compute, NULL);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, compute, NULL, 0), 0);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    return 0;
}

TEST(a_computation_that_only_asks_sees_its_deadline_pass)
{
    run_real(1, computes);
    run_real(2, computes);
}

enum { MOVES = 200 };

static int moves_to_and_fro(void *arg)
{
    urd_scope *s = arg;
    for (int i = 0; i < MOVES; i++) {
        urd_scope_deadline(s, i % 3 ? urd_now() + URD_SECOND * 3600 : URD_FOREVER);
        if (i % 16 == 0 && urd_yield())
            break;
    }
    return 0;
}

static int all_move_it(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(urd_spawn(&s, i % 2 ? URD_THREAD : URD_TASK, moves_to_and_fro, &s, 0), 0);
    CHECK_EQ(urd_scope_wait(&s), 0);
    urd_scope_deadline(&s, urd_now() + URD_US);
    CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    return 0;
}

TEST(many_jobs_may_move_one_deadline_at_once)
{
    run_seeds(20, all_move_it);
    for (int i = 0; i < 10; i++)
        run_real(WORKERS, all_move_it);
}
