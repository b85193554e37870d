/*
 * barrier.c - rounds, the last to come, abort, reset, cancels.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>

#include "base/atomic.h"
#include "runs.h"

enum { PARTIES = 6, ROUNDS = 20 };

static urd_barrier barrier;
static int came[ROUNDS], last; /* atomic */

static int go_round(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        urd__add_ar(&came[i], 1);
        int rc = urd_barrier_wait(&barrier);
        CHECK(rc == 0 || rc == 1);
        CHECK_EQ(urd__load_acq(&came[i]), PARTIES);
        urd__add_ar(&last, rc);
    }
    return 0;
}

static void start_anew(void)
{
    urd_barrier_init(&barrier, PARTIES);
    for (int i = 0; i < ROUNDS; i++)
        came[i] = 0;
    last = 0;
}

static int rounds(void *arg)
{
    (void)arg;
    start_anew();
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < PARTIES; i++)
        urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, go_round, NULL, 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(last, ROUNDS); /* one in each round */
    CHECK_EQ(urd_barrier_waiting(&barrier), 0);
    return 0;
}

TEST(all_come_before_anybody_goes_on_and_one_is_the_last)
{
    run_seeds(20, rounds);
}

static void *go_round_in_a_thread(void *arg)
{
    go_round(arg);
    return NULL;
}

TEST(threads_need_no_runtime_for_a_barrier)
{
    pthread_t ids[PARTIES - 1];
    start_anew();
    for (int i = 0; i < PARTIES - 1; i++)
        CHECK_EQ(pthread_create(&ids[i], NULL, go_round_in_a_thread, NULL), 0);
    go_round(NULL);
    for (int i = 0; i < PARTIES - 1; i++)
        CHECK_EQ(pthread_join(ids[i], NULL), 0);
}

static int wait_for(void *arg)
{
    CHECK_EQ(urd_barrier_wait(&barrier), *(const int *)arg);
    return 0;
}

static int abort_and_reset(void *arg)
{
    (void)arg;
    static int broken = -EPIPE;
    urd_barrier_init(&barrier, 3);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, wait_for, &broken);
    urd_spawn(&s, URD_THREAD, wait_for, &broken, 0);
    let_others_run();
    CHECK_EQ(urd_barrier_waiting(&barrier), 2);
    CHECK(!urd_barrier_broken(&barrier));
    urd_barrier_abort(&barrier);
    CHECK(urd_barrier_broken(&barrier));
    CHECK_EQ(urd_barrier_wait(&barrier), -EPIPE);
    CHECK_EQ(urd_scope_wait(&s), 0);
    urd_barrier_reset(&barrier);
    CHECK(!urd_barrier_broken(&barrier));
    urd_go(&s, wait_for, &broken);
    let_others_run();
    urd_barrier_reset(&barrier); /* sends away who waits */
    CHECK_EQ(urd_scope_wait(&s), 0);
    static int zero;
    urd_go(&s, wait_for, &zero);
    urd_go(&s, wait_for, &zero);
    let_others_run();
    CHECK_EQ(urd_barrier_wait(&barrier), 1);
    return urd_scope_join(&s);
}

TEST(abort_breaks_it_and_reset_makes_it_whole)
{
    run_seeds(20, abort_and_reset);
}

static int one_leaves(void *arg)
{
    (void)arg;
    static int zero, cancelled = -ECANCELED;
    urd_barrier_init(&barrier, 3);
    urd_scope outer, s;
    urd_scope_open(&outer);
    urd_go(&outer, wait_for, &zero);
    let_others_run();
    urd_scope_open(&s);
    urd_go(&s, wait_for, &cancelled);
    let_others_run();
    CHECK_EQ(urd_barrier_waiting(&barrier), 2);
    urd_scope_cancel(&s, -EIO);
    CHECK_EQ(urd_barrier_wait(&barrier), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    CHECK_EQ(urd_barrier_waiting(&barrier), 1); /* as if they had not come */
    urd_spawn(&outer, URD_THREAD, wait_for, &zero, 0);
    let_others_run();
    CHECK_EQ(urd_barrier_wait(&barrier), 1);
    return urd_scope_join(&outer);
}

TEST(a_cancelled_waiter_leaves_as_if_it_had_not_come)
{
    run_seeds(20, one_leaves);
}

static int done[2]; /* atomic: rounds that counted, by those who may be cancelled and the others */

static int wait_at(void *arg)
{
    urd_time when = *(const urd_time *)arg;
    int rc = urd_sleep_until(when);
    if (rc == 0)
        rc = urd_barrier_wait(&barrier);
    if (rc >= 0)
        urd__add_ar(&done[0], 1);
    return rc < 0 ? rc : 0;
}

static int wait_at_in_peace(void *arg)
{
    urd_time when = *(const urd_time *)arg;
    CHECK_EQ(urd_sleep_until(when), 0);
    int rc = urd_barrier_wait(&barrier);
    urd__add_ar(&done[1], rc >= 0);
    return rc == -EPIPE ? 0 : rc < 0 ? rc : 0;
}

/* Two come in peace and one who may be cancelled: all three are through, or none. */
static int cancelled_on_the_way(void *arg)
{
    (void)arg;
    urd_time when = urd_now() + 5;
    urd_barrier_init(&barrier, 3);
    done[0] = done[1] = 0;
    urd_scope outer, s;
    urd_scope_open(&outer);
    urd_go(&outer, wait_at_in_peace, &when);
    urd_spawn(&outer, URD_THREAD, wait_at_in_peace, &when, 0);
    urd_scope_open(&s);
    urd_scope_deadline(&s, when);
    urd_spawn(&s, test_random(2) ? URD_TASK : URD_THREAD, wait_at, &when, 0);
    int rc = urd_scope_join(&s);
    CHECK(rc == -ETIMEDOUT || rc == 0);
    CHECK_EQ(urd_sleep(10), 0);
    urd_barrier_abort(&barrier);
    CHECK_EQ(urd_scope_join(&outer), 0);
    CHECK_EQ(done[1], 2 * done[0]);
    return 0;
}

TEST(a_round_and_a_cancel_at_once_agree_who_was_there)
{
    run_seeds(100, cancelled_on_the_way);
}

static void no_parties(void)
{
    urd_barrier_init(&barrier, 0);
}

static int wait_for_zeros(void *arg)
{
    (void)arg;
    urd_barrier zeros = {0};
    return urd_barrier_wait(&zeros);
}

static void zeros(void)
{
    test_run(wait_for_zeros);
}

TEST(misuse_aborts_with_a_message)
{
    CHECK_ABORTS(no_parties, "urd_barrier_init: 0 parties");
    CHECK_ABORTS(zeros, "urd_barrier_wait: the barrier was not initialised");
}
