/*
 * inbox.c - jobs that come without the lock are run in order, by whoever is free, and all of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "base/atomic.h"
#include "pools.h"

enum { JOBS = 200 };

static int order[JOBS], norder; /* of a pool with one worker */

static int note(const void *in, void *out)
{
    (void)out;
    order[norder++] = *(const int *)in;
    return 0;
}

static int in_order(void *arg)
{
    (void)arg;
    static urd_pool_job jobs[JOBS];
    static int numbers[JOBS];
    for (int k = 0; k < 2; k++) {
        urd_pool *p;
        norder = 0;
        CHECK_EQ(urd_pool_open(&p, kinds[k], 1, NULL), 0);
        for (int i = 0; i < JOBS; i++) {
            numbers[i] = i;
            CHECK_EQ(urd_pool_submit(&jobs[i], p, note, &numbers[i], sizeof(int), NULL, 0), 0);
        }
        CHECK_EQ(urd_pool_close(p), 0);
        CHECK_EQ(norder, JOBS);
        for (int i = 0; i < JOBS; i++)
            CHECK_EQ(order[i], i);
    }
    return 0;
}

TEST(one_worker_runs_jobs_in_the_order_in_which_they_came)
{
    run_all(in_order);
}

/* Each job but the last of a row waits until the next one has begun. */
static int begun[3]; /* atomic */

static int wait_for_next(const void *in, void *out)
{
    int i = *(const int *)in;
    (void)out;
    urd__store_rel(&begun[i], 1);
    while (i < 1 && !urd__load_acq(&begun[i + 1]))
        CHECK_EQ(urd_sleep(URD_US), 0);
    return 0;
}

static int pairs(void *arg)
{
    (void)arg;
    enum { ROUNDS = 50 };
    static const int numbers[] = {0, 1};
    for (int k = 0; k < 2; k++) {
        urd_pool *p = open_pool(kinds[k], NULL);
        for (int round = 0; round < ROUNDS; round++) {
            urd_pool_job jobs[2];
            begun[0] = begun[1] = 0;
            for (int i = 0; i < 2; i++)
                CHECK_EQ(
                    urd_pool_submit(&jobs[i], p, wait_for_next, &numbers[i], sizeof(int), NULL, 0),
                    0);
            for (int i = 0; i < 2; i++)
                CHECK_EQ(urd_pool_wait(&jobs[i]), 0);
        }
        CHECK_EQ(urd_pool_close(p), 0);
    }
    return 0;
}

TEST(no_job_waits_behind_another_while_a_worker_is_idle)
{
    run_all(pairs);
}

/* ---- Several that give ----------------------------------------------------------------------- */

static urd_pool *common;
static int ran; /* atomic */

static int count(const void *in, void *out)
{
    (void)in, (void)out;
    urd__add_ar(&ran, 1);
    return 0;
}

static int give_many(void *arg)
{
    (void)arg;
    urd_pool_job jobs[JOBS];
    int dropped = 0;
    for (int i = 0; i < JOBS; i++)
        CHECK_EQ(urd_pool_submit(&jobs[i], common, count, NULL, 0, NULL, 0), 0);
    for (int i = JOBS; i-- > 0;)
        if (i % 7 == 0 && urd_pool_drop(&jobs[i]) == 0)
            dropped++;
    for (int i = 0; i < JOBS; i++) {
        int rc = urd_pool_wait(&jobs[i]);
        CHECK(rc == 0 || (i % 7 == 0 && rc == -ECANCELED));
    }
    urd__add_ar(&ran, dropped);
    return 0;
}

static int several_givers(void *arg)
{
    (void)arg;
    for (int k = 0; k < 2; k++) {
        urd_scope s;
        ran = 0;
        common = open_pool(kinds[k], NULL);
        urd_scope_open(&s);
        for (int i = 0; i < 4; i++)
            CHECK_EQ(urd_spawn(&s, i % 2 ? URD_THREAD : URD_TASK, give_many, NULL, 0), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(urd__load_acq(&ran), 4 * JOBS);
        urd_pool_state state;
        urd_pool_get(common, &state);
        CHECK_EQ(state.waiting, 0);
        CHECK_EQ(state.running, 0);
        CHECK_EQ(urd_pool_close(common), 0);
    }
    return 0;
}

TEST(of_jobs_that_several_give_and_take_back_each_is_run_once_or_not_at_all)
{
    run_all(several_givers);
}

static int cancel_while_given(void *arg)
{
    (void)arg;
    static urd_pool_job jobs[JOBS];
    for (int k = 0; k < 2; k++) {
        int n = 0, done = 0, rc = 0;
        ran = 0;
        common = open_pool(kinds[k], NULL);
        for (; n < JOBS && rc == 0; n++) {
            if (n == JOBS / 2)
                urd_pool_cancel(common);
            rc = urd_pool_submit(&jobs[n], common, count, NULL, 0, NULL, 0);
        }
        CHECK_EQ(rc, -ECANCELED);
        CHECK_EQ(n, JOBS / 2 + 1);
        for (int i = 0; i < n - 1; i++)
            done += urd_pool_wait(&jobs[i]) == 0;
        CHECK_EQ(urd_pool_close(common), -ECANCELED);
        CHECK_EQ(urd__load_acq(&ran), done);
    }
    return 0;
}

TEST(a_cancel_takes_back_what_has_come_and_is_not_begun)
{
    run_all(cancel_while_given);
}
