/*
 * broadcast.c - every schedule of senders, subscribers, close and cancel: all get all, in order.
 *
 * SPDX-License-Identifier: MIT
 *
 * One slot, so that senders wait for the slowest.  All but the first model are sampled.
 */
#include "model_core.h"

#include "sync/broadcast.c"

enum { SAMPLES = 6000 };

static urd_broadcast cast;
static long ring[1];
static urd_subscriber subscribers[2];
static int sent, got[2], refused;

static void setup_with(int n)
{
    core_setup();
    sent = got[0] = got[1] = refused = 0;
    memset(ring, 0, sizeof ring);
    urd_broadcast_init(&cast, sizeof(long), ring, 1);
    for (int i = 0; i < n; i++)
        urd_subscriber_open(&subscribers[i], &cast);
}

static void setup_one(void)
{
    setup_with(1);
}

static void setup_two(void)
{
    setup_with(2);
}

static void send_value(long value)
{
    int rc = urd_broadcast_send(&cast, &value);
    explore_assert(rc == 0 || rc == -EPIPE || rc == -ECANCELED);
    explore_ghost_add(rc ? &refused : &sent, 1);
    leave(&value, sizeof value);
}

static void send_two(void)
{
    send_value(1);
    send_value(2);
}

static void send_three(void)
{
    send_two();
    send_value(3);
}

/* The values come in order, from the first one on. */
static void take_values(int who, int n)
{
    for (long i = 1; i <= n; i++) {
        long value = -1;
        int rc = urd_subscriber_recv(&subscribers[who], &value);
        explore_assert(rc == 0 || rc == -EPIPE || rc == -ECANCELED);
        explore_assert(value == (rc ? -1 : i));
        if (rc)
            return;
        explore_ghost_add(&got[who], 1);
    }
}

static void receive_two(void)
{
    take_values(0, 2);
}

static void receive_three(void)
{
    take_values(0, 3);
}

static void other_receives_two(void)
{
    take_values(1, 2);
}

static void other_receives_one_and_leaves(void)
{
    take_values(1, 1);
    urd_subscriber_close(&subscribers[1]);
}

static void close_it(void)
{
    urd_broadcast_close(&cast);
}

static void cancel_scope(void)
{
    urd_scope_cancel(&scope, -ECANCELED);
}

static void all_got_all(void)
{
    core_finish();
    explore_assert(sent >= 2 && got[0] == sent);
    explore_assert(urd__list_empty(&cast.senders) && urd__list_empty(&cast.receivers));
}

static void got_what_was_sent(void)
{
    core_finish();
    explore_assert(sent + refused == 2);
    long value;
    while (urd_subscriber_tryrecv(&subscribers[0], &value) == 0)
        explore_ghost_add(&got[0], 1);
    explore_assert(got[0] == sent);
    explore_assert(urd__list_empty(&cast.senders) && urd__list_empty(&cast.receivers));
}

const struct explore_model explore_models[] = {
    {.name = "a_sender_waits_for_the_subscriber",
     .setup = setup_one,
     .threads = {send_two, receive_two},
     .thread_names = {"sender", "subscriber"},

     .random = SAMPLES,
     .finish = all_got_all},
    {.name = "two_subscribers_get_both",
     .setup = setup_two,
     .threads = {send_two, receive_two, other_receives_two},
     .thread_names = {"sender", "subscriber", "other"},
     .random = SAMPLES,
     .finish = all_got_all},
    {.name = "who_leaves_keeps_nobody_waiting",
     .setup = setup_two,
     .threads = {send_three, receive_three, other_receives_one_and_leaves},
     .thread_names = {"sender", "subscriber", "who leaves"},
     .random = SAMPLES,
     .finish = all_got_all},
    {.name = "close_beside_a_send_and_a_receive",
     .setup = setup_one,
     .threads = {send_two, receive_two, close_it},
     .thread_names = {"sender", "subscriber", "closer"},
     .random = SAMPLES,
     .finish = got_what_was_sent},
    {.name = "cancel_beside_a_send_and_a_receive",
     .setup = setup_one,
     .threads = {send_two, receive_two, cancel_scope},
     .thread_names = {"sender", "subscriber", "canceller"},
     .random = SAMPLES,
     .finish = got_what_was_sent},
    {.name = NULL},
};
