/*
 * chan.c - every schedule of senders, receivers, close and cancel: no value is lost or doubled.
 *
 * SPDX-License-Identifier: MIT
 *
 * What a send reported as sent was received, or lies in the ring; nothing else was received.  All
 * but the first model are sampled.
 */
#include "model_core.h"

#include "sync/chan.c"
#include "sync/order.c"

enum { SAMPLES = 8000, VALUES = 6 };

static urd_chan chan;
static int ring[1];
static int sent[VALUES], received[VALUES];

static void setup(size_t slots)
{
    core_setup();
    memset(sent, 0, sizeof sent);
    memset(received, 0, sizeof received);
    urd_chan_init(&chan, sizeof(int), slots ? ring : NULL, slots);
}

static void setup_rendezvous(void)
{
    setup(0);
}

static void setup_one_slot(void)
{
    setup(1);
}

/* The value is plain memory of the sender's, gone when the send has returned. */
static void send_value(int value)
{
    int rc = urd_chan_send(&chan, &value);
    explore_assert(rc == 0 || rc == -EPIPE || rc == -ECANCELED);
    if (rc == 0)
        explore_ghost_add(&sent[value], 1);
    *(volatile int *)&value = -1;
}

static void receive_value(void)
{
    int value = -1;
    int rc = urd_chan_recv(&chan, &value);
    explore_assert(rc == 0 || rc == -EPIPE || rc == -ECANCELED);
    if (rc) {
        explore_assert(value == -1);
        return;
    }
    explore_assert(value >= 0 && value < VALUES);
    explore_ghost_add(&received[value], 1);
}

static void send_own(void)
{
    send_value(explore_self());
}

static void send_two(void)
{
    send_value(4);
    send_value(5);
}

static void receive_two(void)
{
    receive_value();
    receive_value();
}

/* What one sender sends arrives in order. */
static void receive_two_in_order(void)
{
    int first = -1, second = -1;
    explore_assert(urd_chan_recv(&chan, &first) == 0 && first == 4);
    explore_assert(urd_chan_recv(&chan, &second) == 0 && second == 5);
    explore_ghost_add(&received[4], 1);
    explore_ghost_add(&received[5], 1);
}

static void receive_and_do(void)
{
    receive_value();
    urd_chan_done(&chan);
}

static void send_and_join(void)
{
    send_value(4);
    explore_assert(urd_chan_join(&chan) == 0);
}

static void close_the_channel(void)
{
    urd_chan_close(&chan);
}

static void cancel_scope(void)
{
    urd_scope_cancel(&scope, -ECANCELED);
}

static void values_agree(void)
{
    core_finish();
    int value;
    while (urd_chan_tryrecv(&chan, &value) == 0)
        explore_ghost_add(&received[value], 1);
    for (int i = 0; i < VALUES; i++)
        explore_assert(sent[i] == received[i] && sent[i] <= 1);
    urd_chan_fini(&chan);
}

const struct explore_model explore_models[] = {
    {.name = "a_rendezvous_meets",
     .setup = setup_rendezvous,
     .threads = {send_own, receive_value},
     .thread_names = {"sender", "receiver"},
     .finish = values_agree},
    {.name = "a_full_ring_makes_senders_wait_in_order",
     .setup = setup_one_slot,
     .threads = {send_two, receive_two_in_order},
     .thread_names = {"sender", "receiver"},
     .random = SAMPLES,
     .finish = values_agree},
    {.name = "two_senders_and_one_slot",
     .setup = setup_one_slot,
     .threads = {send_own, send_own, receive_two},
     .thread_names = {"sender", "other sender", "receiver"},
     .random = SAMPLES,
     .finish = values_agree},
    {.name = "close_beside_a_rendezvous",
     .setup = setup_rendezvous,
     .threads = {send_own, receive_value, close_the_channel},
     .thread_names = {"sender", "receiver", "closer"},
     .random = SAMPLES,
     .finish = values_agree},
    {.name = "close_wakes_two_receivers",
     .setup = setup_rendezvous,
     .threads = {receive_value, receive_value, close_the_channel},
     .thread_names = {"receiver", "other receiver", "closer"},
     .random = SAMPLES,
     .finish = values_agree},
    {.name = "a_join_beside_the_last_that_is_done",
     .setup = setup_one_slot,
     .threads = {send_and_join, receive_and_do},
     .thread_names = {"sender", "worker"},
     .random = SAMPLES,
     .finish = values_agree},
    {.name = "cancel_beside_a_rendezvous",
     .setup = setup_rendezvous,
     .threads = {send_own, receive_value, cancel_scope},
     .thread_names = {"sender", "receiver", "canceller"},
     .random = SAMPLES,
     .finish = values_agree},
    {.name = NULL},
};
