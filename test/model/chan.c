/*
 * chan.c - every schedule of senders, receivers, close and cancel: no value is lost or doubled.
 *
 * SPDX-License-Identifier: MIT
 *
 * What a send reported as sent was received, or lies in the ring; nothing else was received.  All
 * but the first model are sampled.
 */
#include "model_core.h"

#include "model_chan.h"

#include "sync/bytes.c"
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

/* Thread 0 is a worker, at home in the channel; the others are not. */
static urd__worker home;

static void setup_at_home(void)
{
    setup(0);
    home = (urd__worker){.current = &tasks[0]};
    tasks[0].worker = worker_of[1] = &home;
    urd__homes_open();
    chan.lock.worker = (uintptr_t)&home;
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

/* ---- Bounded by bytes: the ring holds a small message and another, but not a large one ------- */

enum { SMALL = 1, LARGE = 9, RING_BYTES = 24 };

static unsigned char bytes_ring[RING_BYTES];
static int sent_bytes, received_bytes;

static int send_message_of(size_t size)
{
    unsigned char bytes[LARGE];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)size;
    urd_message m = {.from = bytes, .size = size};
    int rc = urd_chan_send(&chan, &m);
    explore_assert(rc == 0 || rc == -ECANCELED);
    if (rc == 0)
        explore_ghost_add(&sent_bytes, (int)size);
    *(volatile unsigned char *)bytes = 0; /* it is gone */
    return rc;
}

/* Only the first is in the scope that a model may cancel. */
static void setup_messages(void)
{
    setup(0);
    for (int i = 1; i < EXPLORE_THREADS_MAX; i++)
        tasks[i].scope = &urd__rt.root;
    sent_bytes = received_bytes = 0;
    urd_chan_init_bytes(&chan, bytes_ring, RING_BYTES);
    unsigned char small = SMALL;
    explore_assert(urd_chan_trysend(&chan, &(urd_message){.from = &small, .size = SMALL}) == 0);
    sent_bytes = SMALL;
}

static void send_large(void)
{
    send_message_of(LARGE);
}

static void send_small(void)
{
    explore_assert(send_message_of(SMALL) == 0);
}

static void receive_message_of(size_t room)
{
    unsigned char bytes[LARGE] = {0};
    urd_message m = {.to = bytes, .size = room};
    int rc = urd_chan_recv(&chan, &m);
    explore_assert(rc == (m.size > room ? -EMSGSIZE : 0));
    for (size_t i = 0; i < m.size && rc == 0; i++)
        explore_assert(bytes[i] == m.size);
    if (rc == 0)
        explore_ghost_add(&received_bytes, (int)m.size);
}

static void receive_one_message(void)
{
    receive_message_of(LARGE);
}

static void receive_two_messages(void)
{
    receive_message_of(LARGE);
    receive_message_of(LARGE);
}

/* Then the one that waits for a third may have too little room for it. */
static void receive_two_and_a_small_one(void)
{
    receive_two_messages();
    receive_message_of(SMALL);
}

static void bytes_agree(void)
{
    core_finish();
    unsigned char bytes[LARGE];
    urd_message m = {.to = bytes, .size = LARGE};
    for (; urd_chan_tryrecv(&chan, &m) == 0; m.size = LARGE)
        received_bytes += (int)m.size;
    explore_assert(sent_bytes == received_bytes);
    explore_assert(chan.used == 0 && chan.count == 0);
    urd_chan_fini(&chan);
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
    {.name = "a_rendezvous_of_who_is_at_home_and_a_stranger",
     .setup = setup_at_home,
     .threads = {send_own, receive_value},
     .thread_names = {"home", "stranger"},
     .random = SAMPLES / 2,
     .finish = values_agree},
    {.name = "a_cancel_beside_a_receiver_at_home",
     .setup = setup_at_home,
     .threads = {receive_value, send_own, cancel_scope},
     .thread_names = {"home", "stranger", "canceller"},
     .random = SAMPLES,
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
    {.name = "a_large_and_a_small_message_beside_two_receives",
     .setup = setup_messages,
     .threads = {send_large, send_small, receive_two_messages},
     .thread_names = {"large", "small", "receiver"},
     .random = SAMPLES / 2,
     .finish = bytes_agree},
    {.name = "who_is_behind_a_cancelled_message_is_let_in",
     .setup = setup_messages,
     .threads = {send_large, send_small, cancel_scope},
     .thread_names = {"large", "small", "canceller"},
     .random = SAMPLES / 2,
     .finish = bytes_agree},
    {.name = "a_receive_beside_a_cancelled_message",
     .setup = setup_messages,
     .threads = {send_large, receive_one_message, cancel_scope},
     .thread_names = {"large", "receiver", "canceller"},
     .random = SAMPLES / 2,
     .finish = bytes_agree},
    {.name = "a_receiver_without_room_is_told",
     .setup = setup_messages,
     .threads = {send_large, send_small, receive_two_and_a_small_one},
     .thread_names = {"large", "small", "receiver"},
     .random = SAMPLES / 2,
     .finish = bytes_agree},
    {.name = NULL},
};
