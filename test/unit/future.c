/*
 * future.c - the first result wins, and everybody gets it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "runs.h"

static urd_future future;
static int room, got;

static int wait_for_it(void *arg)
{
    int v = -1;
    int rc = urd_future_wait(&future, &v);
    CHECK_EQ(rc, *(int *)arg);
    CHECK_EQ(v, rc ? -1 : 42);
    urd__add_ar(&got, 1);
    return 0;
}

static int all_get_it(void *arg)
{
    (void)arg;
    static int results[] = {0, -EIO};
    for (int i = 0; i < 2; i++) {
        int v = 42, other = 7;
        got = 0;
        urd_future_init(&future, sizeof(int), &room);
        CHECK_EQ(urd_future_trywait(&future, &v), -EAGAIN);
        CHECK(!urd_future_is_done(&future));
        urd_scope s;
        urd_scope_open(&s);
        for (int n = 0; n < 5; n++)
            urd_spawn(&s, n ? URD_TASK : URD_THREAD, wait_for_it, &results[i], 0);
        if (test_random(2))
            let_others_run();
        CHECK_EQ(i ? urd_future_fail(&future, -EIO) : urd_future_set(&future, &v), 0);
        CHECK(urd_future_is_done(&future));
        CHECK_EQ(urd_future_set(&future, &other), -EALREADY);
        CHECK_EQ(urd_future_fail(&future, -EPERM), -EALREADY);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(got, 5);
        v = -1;
        CHECK_EQ(urd_future_trywait(&future, &v), results[i]);
        CHECK_EQ(v, i ? -1 : 42);
        CHECK_EQ(urd_future_wait(&future, NULL), results[i]);
    }
    return 0;
}

TEST(all_who_wait_get_the_value_or_the_error)
{
    run_seeds(20, all_get_it);
}

static int winners;

static int set_own(void *arg)
{
    if (urd_future_set(&future, arg) == 0)
        urd__add_ar(&winners, *(int *)arg);
    return 0;
}

static int first_wins(void *arg)
{
    (void)arg;
    int numbers[] = {1, 2, 3, 4}, v;
    winners = 0;
    urd_future_init(&future, sizeof(int), &room);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 4; i++)
        urd_spawn(&s, i ? URD_TASK : URD_THREAD, set_own, &numbers[i], 0);
    CHECK_EQ(urd_future_wait(&future, &v), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(winners, v);
    return 0;
}

TEST(of_several_who_set_it_the_first_wins)
{
    run_seeds(20, first_wins);
}

static int in_a_select(void *arg)
{
    (void)arg;
    urd_future_init(&future, 0, NULL);
    urd_op ops[] = {urd_op_event(&future.done), urd_op_until(urd_now() + 5)};
    CHECK_EQ(urd_select(ops, 2), 1);
    CHECK_EQ(urd_future_set(&future, NULL), 0);
    CHECK_EQ(urd_tryselect(ops, 1), 0);
    return 0;
}

TEST(its_event_is_an_arm_of_a_select)
{
    test_run(in_a_select);
}

static int cancelled(void *arg)
{
    (void)arg;
    urd_future_init(&future, sizeof(int), &room);
    int v = 3;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + 5);
    CHECK_EQ(urd_future_wait(&future, &v), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    CHECK_EQ(v, 3);
    return 0;
}

TEST(a_cancelled_wait_leaves_the_future_as_it_was)
{
    test_run(cancelled);
}

static void no_room(void)
{
    urd_future_init(&future, 4, NULL);
}

static void no_value(void)
{
    urd_future_init(&future, 4, &room);
    urd_future_set(&future, NULL);
}

static void no_error(void)
{
    urd_future_init(&future, 4, &room);
    urd_future_fail(&future, 0);
}

TEST(no_room_no_value_and_no_error_abort)
{
    CHECK_ABORTS(no_room, "urd_future_init: 4 bytes and no room for them");
    CHECK_ABORTS(no_value, "urd_future_set: no value, and one of 4 bytes is awaited");
    CHECK_ABORTS(no_error, "urd_future_fail: 0 is no negative errno");
}
