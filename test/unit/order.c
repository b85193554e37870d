/*
 * order.c - newest first, by priority, and equals in the order in which they came.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "runs.h"

enum { SLOTS = 16 };

static urd_chan chan;

typedef struct work {
    short number;
    int64_t priority;
    char text[5];
} work;

static unsigned char ring[SLOTS * URD_CHAN_PRIORITY_BYTES(sizeof(work))];

static void send_number(int v)
{
    CHECK_EQ(urd_chan_trysend(&chan, &v), 0);
}

static int recv_number(void)
{
    int v = -1;
    CHECK_EQ(urd_chan_tryrecv(&chan, &v), 0);
    return v;
}

TEST(of_a_lifo_channel_the_newest_leaves_first)
{
    urd_chan_init_lifo(&chan, sizeof(int), ring, 3);
    for (int round = 0; round < 3; round++) {
        int four = 4;
        for (int v = 1; v <= 3; v++)
            send_number(v);
        CHECK_EQ(urd_chan_trysend(&chan, &four), -EAGAIN);
        CHECK_EQ(recv_number(), 3);
        send_number(7);
        CHECK_EQ(recv_number(), 7);
        CHECK_EQ(recv_number(), 2);
        CHECK_EQ(recv_number(), 1);
        CHECK_EQ(urd_chan_tryrecv(&chan, &four), -EAGAIN);
    }
    urd_chan_init_lifo(&chan, 0, ring, 2);
    CHECK_EQ(urd_chan_trysend(&chan, NULL), 0);
    CHECK_EQ(urd_chan_depth(&chan), 1);
    CHECK_EQ(urd_chan_tryrecv(&chan, NULL), 0);
    CHECK_EQ(urd_chan_tryrecv(&chan, NULL), -EAGAIN);
}

static void init_by_priority(size_t slots)
{
    urd_chan_init_priority(&chan, sizeof(work), ring, slots, offsetof(work, priority));
}

/* Beside it a plain model: the smallest priority, of those the oldest. */
static int smallest(const work *all, const bool *in, int n)
{
    int best = -1;
    for (int i = 0; i < n; i++)
        if (in[i] && (best < 0 || all[i].priority < all[best].priority))
            best = i;
    return best;
}

TEST(of_a_channel_by_priority_the_smallest_leaves_first_and_equals_in_order)
{
    enum { ALL = 400 };
    static work all[ALL];
    static bool in[ALL];
    TEST_SEEDS(20)
    {
        init_by_priority(SLOTS);
        memset(in, 0, sizeof in);
        for (int sent = 0, depth = 0; sent < ALL || depth > 0;) {
            if (sent < ALL && depth < SLOTS && test_random(2)) {
                all[sent] = (work){.number = (short)sent, .text = "abcd"};
                all[sent].priority = (int64_t)test_random(7) - 3;
                if (test_random(9) == 0)
                    all[sent].priority = test_random(2) ? INT64_MIN : INT64_MAX;
                CHECK_EQ(urd_chan_trysend(&chan, &all[sent]), 0);
                in[sent++] = true;
                depth++;
            } else if (depth > 0) {
                work got;
                CHECK_EQ(urd_chan_tryrecv(&chan, &got), 0);
                int expected = smallest(all, in, sent);
                CHECK_EQ(got.number, expected);
                CHECK_EQ(got.priority, all[expected].priority);
                CHECK_STR(got.text, "abcd");
                in[expected] = false;
                depth--;
            }
            CHECK_EQ(urd_chan_depth(&chan), depth);
        }
    }
}

static int send_urgent(void *arg)
{
    (void)arg;
    work w = {.number = 9, .priority = -1};
    CHECK_EQ(urd_chan_send(&chan, &w), 0);
    return 0;
}

static int waits_for_room(void *arg)
{
    (void)arg;
    init_by_priority(2);
    work w = {.number = 1, .priority = 5};
    CHECK_EQ(urd_chan_send(&chan, &w), 0);
    w = (work){.number = 2, .priority = 5};
    CHECK_EQ(urd_chan_send(&chan, &w), 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, send_urgent, NULL);
    let_others_run();
    static const int order[] = {1, 9, 2}; /* who waits for room is not in the ring yet */
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(urd_chan_recv(&chan, &w), 0);
        CHECK_EQ(w.number, order[i]);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_chan_fini(&chan);
    return 0;
}

TEST(who_waits_for_room_takes_part_when_it_has_come)
{
    run_seeds(10, waits_for_room);
}

static int recv_work(void *arg)
{
    CHECK_EQ(urd_chan_recv(&chan, arg), 0);
    return 0;
}

static int straight_to_the_waiting(void *arg)
{
    (void)arg;
    work got = {0}, w = {.number = 3, .priority = 1};
    init_by_priority(0 + 1);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, recv_work, &got);
    let_others_run();
    CHECK_EQ(urd_chan_send(&chan, &w), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(got.number, 3);
    CHECK_EQ(urd_chan_depth(&chan), 0);
    return 0;
}

TEST(a_waiting_receiver_gets_what_comes)
{
    run_seeds(10, straight_to_the_waiting);
}

static void no_room_for_a_priority(void)
{
    urd_chan_init_priority(&chan, 7, ring, 1, 0);
}

static void priority_outside(void)
{
    urd_chan_init_priority(&chan, 16, ring, 1, 9);
}

static void no_ring(void)
{
    urd_chan_init_lifo(&chan, 16, NULL, 1);
}

TEST(a_priority_that_is_not_in_the_value_and_no_ring_abort)
{
    CHECK_ABORTS(no_room_for_a_priority, "urd_chan_init_priority: no int64_t at 0 in 7 bytes");
    CHECK_ABORTS(priority_outside, "urd_chan_init_priority: no int64_t at 9 in 16 bytes");
    CHECK_ABORTS(no_ring, "urd_chan_init_lifo: 1 slots and no ring");
}
