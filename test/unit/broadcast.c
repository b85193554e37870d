/*
 * broadcast.c - all get every value in order; the slow make wait, or miss some and know it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/atomic.h"
#include "runs.h"

static urd_broadcast cast;
static int ring[4];

static int send_numbers(void *arg)
{
    for (int i = 1; i <= *(const int *)arg; i++)
        CHECK_EQ(urd_broadcast_send(&cast, &i), 0);
    return 0;
}

/* Gets 1, 2, 3 ... to the end. */
static int recv_all(void *arg)
{
    urd_subscriber *s = arg;
    int v, expected = 1, rc;
    while ((rc = urd_subscriber_recv(s, &v)) == 0) {
        CHECK_EQ(v, expected++);
        if (v % 7 == 0)
            CHECK_EQ(urd_sleep(1), 0);
    }
    CHECK_EQ(rc, -EPIPE);
    CHECK_EQ(expected, 31);
    urd_subscriber_close(s);
    return 0;
}

static int everyone_gets_all(void *arg)
{
    (void)arg;
    enum { SUBSCRIBERS = 4 };
    urd_subscriber subscribers[SUBSCRIBERS];
    int count = 30;
    urd_broadcast_init(&cast, sizeof(int), ring, 1 + test_random(4));
    urd_scope s, senders;
    urd_scope_open(&s);
    for (int i = 0; i < SUBSCRIBERS; i++) {
        urd_subscriber_open(&subscribers[i], &cast);
        urd_spawn(&s, i ? URD_TASK : URD_THREAD, recv_all, &subscribers[i], 0);
    }
    urd_scope_open(&senders);
    urd_go(&senders, send_numbers, &count);
    CHECK_EQ(urd_scope_join(&senders), 0);
    urd_broadcast_close(&cast);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_broadcast_fini(&cast);
    return 0;
}

TEST(every_subscriber_gets_every_value_in_order)
{
    run_seeds(30, everyone_gets_all);
}

static void try_send(int v, int expected)
{
    CHECK_EQ(urd_broadcast_trysend(&cast, &v), expected);
}

static int try_recv(urd_subscriber *s, int expected)
{
    int v = -1;
    CHECK_EQ(urd_subscriber_tryrecv(s, &v), expected);
    return v;
}

TEST(the_slowest_subscriber_makes_senders_wait)
{
    urd_subscriber fast, slow;
    urd_broadcast_init(&cast, sizeof(int), ring, 2);
    for (int i = 0; i < 5; i++)
        try_send(i, 0); /* nobody is subscribed */
    urd_subscriber_open(&fast, &cast);
    urd_subscriber_open(&slow, &cast);
    try_recv(&fast, -EAGAIN);
    try_send(10, 0);
    try_send(11, 0);
    try_send(12, -EAGAIN);
    CHECK_EQ(try_recv(&fast, 0), 10);
    CHECK_EQ(try_recv(&fast, 0), 11);
    try_send(12, -EAGAIN);
    CHECK_EQ(try_recv(&slow, 0), 10);
    try_send(12, 0);
    try_send(13, -EAGAIN);
    urd_subscriber_close(&slow); /* who has gone keeps nobody waiting */
    try_send(13, 0);
    CHECK_EQ(try_recv(&fast, 0), 12);
    CHECK_EQ(try_recv(&fast, 0), 13);
    urd_subscriber_close(&fast);
    urd_broadcast_fini(&cast);
}

static int sent;

static int send_one(void *arg)
{
    CHECK_EQ(urd_broadcast_send(&cast, arg), 0);
    urd__add_ar(&sent, 1);
    return 0;
}

static int room_by_leaving(void *arg)
{
    (void)arg;
    urd_subscriber slow, fast;
    int one = 1, two = 2, three = 3;
    sent = 0;
    urd_broadcast_init(&cast, sizeof(int), ring, 1);
    urd_subscriber_open(&slow, &cast);
    urd_subscriber_open(&fast, &cast);
    try_send(0, 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, send_one, &one);
    let_others_run();
    urd_go(&s, send_one, &two);
    urd_spawn(&s, URD_THREAD, send_one, &three, 0);
    CHECK_EQ(try_recv(&fast, 0), 0);
    let_others_run();
    CHECK_EQ(urd__load_acq(&sent), 0);
    urd_subscriber_close(&slow);
    int v, sum = 0;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(urd_subscriber_recv(&fast, &v), 0);
        CHECK(i > 0 || v == 1); /* who waited longest is first */
        sum += v;
    }
    CHECK_EQ(sum, 6);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_subscriber_close(&fast);
    urd_broadcast_fini(&cast);
    return 0;
}

TEST(a_receive_and_a_leave_make_room_for_those_who_wait)
{
    run_seeds(20, room_by_leaving);
}

TEST(of_a_lossy_broadcast_the_slow_miss_the_oldest_and_are_told_how_many)
{
    urd_subscriber s;
    urd_broadcast_init_lossy(&cast, sizeof(int), ring, 3);
    urd_subscriber_open(&s, &cast);
    for (int i = 1; i <= 10; i++)
        try_send(i, 0);
    CHECK_EQ(try_recv(&s, 7), 8);
    CHECK_EQ(try_recv(&s, 0), 9);
    try_send(11, 0);
    try_send(12, 0);
    CHECK_EQ(try_recv(&s, 0), 10);
    for (int i = 13; i <= 16; i++)
        try_send(i, 0);
    CHECK_EQ(try_recv(&s, 3), 14);
    CHECK_EQ(try_recv(&s, 0), 15);
    CHECK_EQ(try_recv(&s, 0), 16);
    try_recv(&s, -EAGAIN);
    urd_subscriber_close(&s);
    urd_broadcast_fini(&cast);
}

static int watch(void *arg)
{
    urd_subscriber s;
    int v, last = *(int *)arg;
    urd_subscriber_open_latest(&s, &cast);
    do
        CHECK_GE(urd_subscriber_recv(&s, &v), 0);
    while (v != last);
    urd_subscriber_close(&s);
    return 0;
}

static int one_slot(void *arg)
{
    (void)arg;
    int v, last = 20;
    urd_subscriber s;
    urd_broadcast_init_lossy(&cast, sizeof(int), ring, 1);
    CHECK_EQ(urd_broadcast_latest(&cast, &v), -EAGAIN);
    urd_subscriber_open_latest(&s, &cast);
    try_recv(&s, -EAGAIN); /* there is no latest yet */
    urd_subscriber_close(&s);
    urd_scope scope;
    urd_scope_open(&scope);
    for (int i = 0; i < 3; i++)
        urd_spawn(&scope, i ? URD_TASK : URD_THREAD, watch, &last, 0);
    for (int i = 1; i <= last; i++) {
        CHECK_EQ(urd_broadcast_send(&cast, &i), 0);
        CHECK_EQ(urd_broadcast_latest(&cast, &v), 0);
        CHECK_EQ(v, i);
        if (i % 4 == 0)
            let_others_run();
    }
    urd_go(&scope, watch, &last); /* comes late and sees the latest all the same */
    CHECK_EQ(urd_scope_join(&scope), 0);
    urd_broadcast_close(&cast);
    CHECK_EQ(urd_broadcast_latest(&cast, &v), 0);
    CHECK_EQ(v, last);
    urd_broadcast_fini(&cast);
    return 0;
}

TEST(a_lossy_broadcast_of_one_slot_is_a_value_to_watch)
{
    run_seeds(20, one_slot);
}

static int recv_closed(void *arg)
{
    urd_subscriber s;
    int v = 5;
    urd_subscriber_open(&s, &cast);
    CHECK_EQ(urd_subscriber_recv(&s, &v), *(int *)arg);
    CHECK_EQ(v, 5);
    urd_subscriber_close(&s);
    return 0;
}

static int send_closed(void *arg)
{
    int v = 7;
    CHECK_EQ(urd_broadcast_send(&cast, &v), *(int *)arg);
    return 0;
}

static int ends(void *arg)
{
    (void)arg;
    static int results[] = {-EPIPE, -ECANCELED};
    for (int i = 0; i < 2; i++) {
        urd_subscriber full;
        urd_broadcast_init(&cast, sizeof(int), ring, 1);
        urd_scope s;
        urd_scope_open(&s);
        urd_go(&s, recv_closed, &results[i]);
        urd_spawn(&s, URD_THREAD, recv_closed, &results[i], 0);
        let_others_run();
        if (i == 0)
            urd_broadcast_close(&cast);
        else
            urd_scope_cancel(&s, -EIO);
        CHECK_EQ(urd_scope_join(&s), i ? -EIO : 0);

        urd_broadcast_init(&cast, sizeof(int), ring, 1);
        urd_subscriber_open(&full, &cast);
        try_send(1, 0);
        urd_scope_open(&s);
        urd_go(&s, send_closed, &results[i]);
        urd_spawn(&s, URD_THREAD, send_closed, &results[i], 0);
        let_others_run();
        if (i == 0)
            urd_broadcast_close(&cast);
        else
            urd_scope_cancel(&s, -EIO);
        CHECK_EQ(urd_scope_join(&s), i ? -EIO : 0);
        CHECK_EQ(try_recv(&full, 0), 1); /* what was sent is still there; no more was */
        try_recv(&full, i ? -EAGAIN : -EPIPE);
        urd_subscriber_close(&full);
        urd_broadcast_fini(&cast);
    }
    return 0;
}

TEST(a_close_and_a_cancel_end_every_wait)
{
    run_seeds(20, ends);
}

static void without_slots(void)
{
    urd_broadcast_init(&cast, sizeof(int), ring, 0);
}

static void fini_subscribed(void)
{
    urd_subscriber s;
    urd_broadcast_init_lossy(&cast, 0, ring, 1);
    urd_subscriber_open(&s, &cast);
    CHECK_EQ(urd_broadcast_trysend(&cast, NULL), 0);
    CHECK_EQ(urd_subscriber_tryrecv(&s, NULL), 0);
    urd_broadcast_fini(&cast);
}

TEST(no_slots_and_fini_with_a_subscriber_abort)
{
    CHECK_ABORTS(without_slots, "urd_broadcast_init: no ring, or no slots");
    CHECK_ABORTS(fini_subscribed, "urd_broadcast_fini: somebody is subscribed");
}
