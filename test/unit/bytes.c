/*
 * bytes.c - channels bounded by bytes: sizes, the bound, order, closing, cancels, selects.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <string.h>

#include "base/atomic.h"
#include "core/sanitize.h"
#include "runs.h"

enum { RING_BYTES = 64, LARGEST = RING_BYTES - URD_CHAN_MESSAGE_BYTES(0) };

static urd_chan chan;
static unsigned char ring[RING_BYTES];

static void init(void)
{
    urd_chan_init_bytes(&chan, ring, sizeof ring);
}

/* A message of `size` bytes that all say so. */
static urd_message made(unsigned char *bytes, size_t size)
{
    memset(bytes, (int)size, size);
    return (urd_message){.from = bytes, .size = size};
}

static int send_size(size_t size)
{
    unsigned char bytes[2 * RING_BYTES];
    urd_message m = made(bytes, size);
    int rc = urd_chan_send(&chan, &m);
    CHECK_EQ(m.size, size);
    memset(bytes, 255, sizeof bytes); /* it is gone once it is sent */
    return rc;
}

static int trysend_size(size_t size)
{
    unsigned char bytes[2 * RING_BYTES];
    urd_message m = made(bytes, size);
    return urd_chan_trysend(&chan, &m);
}

static size_t look_at(const urd_message *m, const unsigned char *bytes)
{
    for (size_t i = 0; i < m->size; i++)
        CHECK_EQ(bytes[i], m->size);
    CHECK_EQ(bytes[m->size], 99); /* not a byte more */
    return m->size;
}

/* The size, or -errno. */
static long recv_size(void)
{
    unsigned char bytes[LARGEST + 1];
    memset(bytes, 99, sizeof bytes);
    urd_message m = {.to = bytes, .size = LARGEST};
    int rc = urd_chan_recv(&chan, &m);
    return rc ? rc : (long)look_at(&m, bytes);
}

static long tryrecv_size(size_t room)
{
    unsigned char bytes[LARGEST + 1];
    memset(bytes, 99, sizeof bytes);
    urd_message m = {.to = bytes, .size = room};
    int rc = urd_chan_tryrecv(&chan, &m);
    if (rc == 0)
        return (long)look_at(&m, bytes);
    CHECK_EQ(bytes[0], 99);
    return rc;
}

static int sizes(void *arg)
{
    (void)arg;
    init();
    for (size_t size = 0; size <= LARGEST; size++) { /* cut by the end in every way */
        CHECK_EQ(send_size(size), 0);
        CHECK_EQ(recv_size(), size);
    }
    for (int round = 0; round < RING_BYTES; round++) {
        CHECK_EQ(send_size(3), 0);
        CHECK_EQ(send_size(0), 0);
        CHECK_EQ(send_size(20), 0);
        CHECK_EQ(recv_size(), 3);
        CHECK_EQ(recv_size(), 0);
        CHECK_EQ(recv_size(), 20);
    }
    urd_chan_fini(&chan);
    return 0;
}

TEST(messages_of_every_size_arrive_whole_and_in_order)
{
    test_run(sizes);
    sizes(NULL); /* and that needs no runtime */
}

static int bound(void *arg)
{
    (void)arg;
    init();
    CHECK_EQ(trysend_size(24), 0);
    CHECK_EQ(trysend_size(25), -EAGAIN);
    CHECK_EQ(trysend_size(24), 0); /* 2 * (24 + 8) == 64 */
    CHECK_EQ(trysend_size(0), -EAGAIN);
    urd_chan_counts counts;
    urd_chan_stats(&chan, &counts);
    CHECK_EQ(counts.depth, 2);
    CHECK_EQ(counts.bytes, RING_BYTES);
    CHECK_EQ(counts.sent, 2);
    CHECK_EQ(urd_chan_depth(&chan), 2);
    CHECK_EQ(tryrecv_size(LARGEST), 24);
    CHECK_EQ(tryrecv_size(LARGEST), 24);
    CHECK_EQ(tryrecv_size(LARGEST), -EAGAIN);
    return 0;
}

TEST(the_bound_is_in_bytes_and_eight_for_each_message)
{
    test_run(bound);
}

static int too_large(void *arg)
{
    (void)arg;
    init();
    CHECK_EQ(send_size(LARGEST + 1), -EMSGSIZE);
    CHECK_EQ(trysend_size(LARGEST + 1), -EMSGSIZE);
    urd_message huge = {.from = ring, .size = SIZE_MAX};
    CHECK_EQ(urd_chan_send(&chan, &huge), -EMSGSIZE);
    CHECK_EQ(send_size(LARGEST), 0);
    urd_chan_close(&chan);
    CHECK_EQ(send_size(LARGEST + 1), -EPIPE);
    return 0;
}

TEST(a_message_that_can_never_fit_is_EMSGSIZE)
{
    test_run(too_large);
}

static int small_room(void *arg)
{
    (void)arg;
    init();
    CHECK_EQ(send_size(10), 0);
    unsigned char bytes[10];
    urd_message m = {.to = bytes, .size = 9};
    CHECK_EQ(urd_chan_recv(&chan, &m), -EMSGSIZE);
    CHECK_EQ(m.size, 10); /* so much is needed */
    CHECK_EQ(urd_chan_depth(&chan), 1);
    CHECK_EQ(urd_chan_recv(&chan, &m), 0);
    CHECK_EQ(m.size, 10);
    return 0;
}

TEST(a_receive_with_too_little_room_leaves_the_message_and_tells_its_size)
{
    test_run(small_room);
}

static int with_little_room(void *arg)
{
    unsigned char bytes[4];
    urd_message m = {.to = bytes, .size = sizeof bytes};
    CHECK_EQ(urd_chan_recv(&chan, &m), -EMSGSIZE);
    CHECK_EQ(m.size, *(const size_t *)arg);
    return 0;
}

static int with_room(void *arg)
{
    CHECK_EQ(recv_size(), *(const size_t *)arg);
    return 0;
}

static int passes_little_room(void *arg)
{
    (void)arg;
    for (int others = 0; others < 2; others++) {
        init();
        size_t size = 5;
        urd_scope s;
        urd_scope_open(&s);
        urd_go(&s, with_little_room, &size);
        let_others_run();
        if (others)
            urd_spawn(&s, URD_THREAD, with_room, &size, 0);
        let_others_run();
        CHECK_EQ(send_size(5), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(urd_chan_depth(&chan), !others); /* it went to who had room, or into the ring */
    }
    return 0;
}

TEST(a_waiting_receiver_with_too_little_room_is_told_and_passed_over)
{
    run_seeds(20, passes_little_room);
}

/* ---- Waiting for room ------------------------------------------------------------------------ */

static char order[8];
static int arrived; /* atomic */

static int send_and_note(void *arg)
{
    size_t size = *(const size_t *)arg;
    int rc = send_size(size);
    if (rc == 0)
        order[urd__add_ar(&arrived, 1)] = size < 9 ? 's' : 'L';
    return rc;
}

static void start_over(void)
{
    init();
    memset(order, 0, sizeof order);
    urd__store_rel(&arrived, 0);
}

static size_t small = 2, large = 40;

static int large_first(void *arg)
{
    (void)arg;
    start_over();
    CHECK_EQ(send_size(30), 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, arg ? URD_THREAD : URD_TASK, send_and_note, &large, 0);
    let_others_run();
    urd_go(&s, send_and_note, &small); /* which would fit */
    let_others_run();
    CHECK_STR(order, "");
    CHECK_EQ(trysend_size(small), -EAGAIN);
    urd_chan_counts counts;
    urd_chan_stats(&chan, &counts);
    CHECK_EQ(counts.senders, 2);
    CHECK_EQ(recv_size(), 30);
    CHECK_EQ(recv_size(), large);
    CHECK_EQ(recv_size(), small);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

static int large_first_in_a_thread(void *arg)
{
    (void)arg;
    return large_first(order);
}

TEST(a_large_message_that_waits_is_not_overtaken)
{
    run_seeds(20, large_first);
    run_seeds(20, large_first_in_a_thread);
}

static int several_let_in(void *arg)
{
    (void)arg;
    start_over();
    CHECK_EQ(send_size(LARGEST), 0);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 6; i++) {
        urd_go(&s, send_and_note, &small);
        let_others_run();
    }
    CHECK_EQ(recv_size(), LARGEST);
    let_others_run();
    CHECK_EQ(urd__load_acq(&arrived), 6);
    CHECK_EQ(urd_chan_depth(&chan), 6);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(one_receive_lets_in_as_many_as_then_fit)
{
    run_seeds(20, several_let_in);
}

static int send_and_be_cancelled(void *arg)
{
    (void)arg;
    CHECK_EQ(send_size(large), -ECANCELED);
    return 0;
}

static int cancelled_head(void *arg)
{
    (void)arg;
    start_over();
    CHECK_EQ(send_size(30), 0);
    urd_scope s, late;
    urd_scope_open(&s);
    urd_scope_open(&late);
    urd_spawn(&late, arg ? URD_THREAD : URD_TASK, send_and_be_cancelled, NULL, 0);
    let_others_run();
    urd_go(&s, send_and_note, &small);
    urd_go(&s, send_and_note, &small);
    let_others_run();
    CHECK_STR(order, "");
    urd_scope_cancel(&late, 0);
    CHECK_EQ(urd_scope_join(&late), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), 0); /* nobody receives */
    CHECK_STR(order, "ss");
    return 0;
}

static int cancelled_head_in_a_thread(void *arg)
{
    (void)arg;
    return cancelled_head(order);
}

TEST(those_behind_a_cancelled_send_are_let_in)
{
    run_seeds(20, cancelled_head);
    run_seeds(20, cancelled_head_in_a_thread);
}

/* ---- Closing --------------------------------------------------------------------------------- */

static int is_closed(void *arg)
{
    (void)arg;
    CHECK_EQ(send_size(large), -EPIPE);
    return 0;
}

static int closes(void *arg)
{
    (void)arg;
    init();
    CHECK_EQ(send_size(30), 0);
    CHECK_EQ(send_size(1), 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, is_closed, NULL);
    urd_spawn(&s, URD_THREAD, is_closed, NULL, 0);
    let_others_run();
    urd_chan_close(&chan);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(send_size(1), -EPIPE);
    CHECK_EQ(recv_size(), 30);
    CHECK_EQ(urd_chan_close_now(&chan), 1);
    CHECK_EQ(recv_size(), -EPIPE);
    urd_chan_counts counts;
    urd_chan_stats(&chan, &counts);
    CHECK_EQ(counts.bytes, 0);
    CHECK_EQ(counts.unfinished, 1);
    urd_chan_done(&chan);
    CHECK_EQ(urd_chan_join(&chan), 0);
    urd_chan_fini(&chan);
    return 0;
}

TEST(close_drains_or_drops_and_wakes_who_waits)
{
    run_seeds(20, closes);
}

/* ---- Selects --------------------------------------------------------------------------------- */

static int arms(void *arg)
{
    (void)arg;
    init();
    unsigned char out[LARGEST], in[LARGEST];
    urd_message send = made(out, 30), recv = {.to = in, .size = 8};
    urd_op both[] = {urd_op_send(&chan, &send), urd_op_recv(&chan, &recv)};
    CHECK_EQ(urd_tryselect(both, 2), 0);
    CHECK_EQ(urd_tryselect(both, 2), 1);
    CHECK_EQ(both[1].result, -EMSGSIZE);
    CHECK_EQ(recv.size, 30);
    recv.size = sizeof in;
    CHECK_EQ(urd_select(both, 2), 1); /* there is no room for another */
    CHECK_EQ(both[1].result, 0);
    CHECK_EQ(memcmp(in, out, 30), 0);
    urd_chan_close(&chan);
    CHECK_EQ(urd_select(both, 1), 0);
    CHECK_EQ(both[0].result, -EPIPE);
    return 0;
}

TEST(they_are_arms_of_a_select)
{
    test_run(arms);
}

static int losing_arm(void *arg)
{
    (void)arg;
    start_over();
    unsigned char out[LARGEST];
    urd_message send = made(out, large);
    CHECK_EQ(send_size(30), 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_op ops[] = {urd_op_send(&chan, &send), urd_op_until(urd_now() + 10)};
    urd_timer small_later;
    urd_timer_once(&small_later, &s, urd_now() + 5, send_and_note, &small);
    CHECK_EQ(urd_select(ops, 2), 1);
    CHECK_EQ(urd_scope_join(&s), 0); /* it was behind that arm, and fits */
    CHECK_STR(order, "s");
    return 0;
}

TEST(those_behind_a_losing_arm_are_let_in)
{
    run_seeds(20, losing_arm);
}

static int select_meets(void *arg)
{
    (void)arg;
    init();
    unsigned char in[LARGEST + 1];
    memset(in, 99, sizeof in);
    urd_message recv = {.to = in, .size = LARGEST};
    urd_op ops[] = {urd_op_recv(&chan, &recv), urd_op_until(URD_FOREVER)};
    start_over();
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, arg ? URD_THREAD : URD_TASK, send_and_note, &large, 0);
    CHECK_EQ(urd_select(ops, 2), 0);
    CHECK_EQ(ops[0].result, 0);
    CHECK_EQ(look_at(&recv, in), large);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

static int select_meets_a_thread(void *arg)
{
    (void)arg;
    return select_meets(order);
}

TEST(a_message_goes_straight_to_an_arm_that_waits)
{
    run_seeds(20, select_meets);
    run_seeds(20, select_meets_a_thread);
}

/* ---- Many ------------------------------------------------------------------------------------ */

enum { SENDERS = 3, EACH = 40 };

static long total_sent, total_received; /* atomic */

static int send_many(void *arg)
{
    unsigned next = *(const unsigned *)arg;
    for (int i = 0; i < EACH; i++) {
        next = next * 1103515245 + 12345;
        size_t size = next / 65536 % (LARGEST + 1);
        CHECK_EQ(send_size(size), 0);
        urd__add_ar(&total_sent, (long)size);
    }
    return 0;
}

static int receive_many(void *arg)
{
    (void)arg;
    long size;
    while ((size = recv_size()) >= 0)
        urd__add_ar(&total_received, size);
    CHECK_EQ(size, -EPIPE);
    return 0;
}

static void *send_as_a_foreign_thread(void *arg)
{
    send_many(arg);
    return NULL;
}

static int crowd(void *arg)
{
    static unsigned seeds[SENDERS + 1] = {1, 2, 3, 4};
    init();
    total_sent = total_received = 0;
    urd_scope senders, receivers;
    urd_scope_open(&receivers);
    urd_scope_open(&senders);
    for (int i = 0; i < SENDERS; i++)
        urd_spawn(&senders, i ? URD_TASK : URD_THREAD, send_many, &seeds[i], 0);
    for (int i = 0; i < 2; i++)
        urd_spawn(&receivers, i ? URD_TASK : URD_THREAD, receive_many, NULL, 0);
    pthread_t foreign;
    if (arg)
        CHECK_EQ(pthread_create(&foreign, NULL, send_as_a_foreign_thread, &seeds[SENDERS]), 0);
    CHECK_EQ(urd_scope_join(&senders), 0);
    if (arg)
        CHECK_EQ(pthread_join(foreign, NULL), 0);
    urd_chan_close(&chan);
    CHECK_EQ(urd_scope_join(&receivers), 0);
    CHECK_EQ(total_sent, total_received);
    return 0;
}

static int crowd_with_a_foreign_thread(void *arg)
{
    (void)arg;
    return crowd(order);
}

TEST(many_senders_and_receivers_lose_nothing)
{
    run_seeds(20, crowd);
    run_real(WORKERS, crowd_with_a_foreign_thread);
}

static int compact_end(void *arg)
{
    static unsigned char bytes[2][LARGEST]; /* which others may touch while it waits */
    urd_message m = {.to = bytes[1], .size = LARGEST};
    if (!arg) {
        CHECK_EQ(urd_chan_recv(&chan, &m), 0);
        CHECK_EQ(m.size, large);
        CHECK_EQ(bytes[1][large - 1], large);
        return 0;
    }
    m = made(bytes[0], large);
    return urd_chan_send(&chan, &m);
}

static int compact_ends(void *arg)
{
    (void)arg;
    for (int sender_first = 0; sender_first < 2; sender_first++) {
        init();
        if (sender_first)
            CHECK_EQ(send_size(30), 0);
        urd_scope s;
        urd_scope_open(&s);
        urd_scope_compact(&s);
        urd_go(&s, compact_end, sender_first ? &chan : NULL);
        let_others_run();
        if (sender_first)
            CHECK_EQ(recv_size(), 30);
        urd_go(&s, compact_end, sender_first ? NULL : &chan);
        CHECK_EQ(urd_scope_join(&s), 0);
    }
    return 0;
}

TEST(compact_tasks_wait_at_either_end)
{
    run_seeds(20, compact_ends);
}

static int send_from_its_stack(void *arg)
{
    (void)arg;
    return send_size(large);
}

static int start_compact(void *arg)
{
    (void)arg;
    init();
    CHECK_EQ(send_size(30), 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_compact(&s);
    urd_go(&s, send_from_its_stack, NULL);
    let_others_run(); /* or the join would run it on this stack */
    return urd_scope_join(&s);
}

static void wait_with_bytes_on_the_stack(void)
{
    test_run(start_compact);
}

TEST(a_compact_task_that_waits_with_its_bytes_on_its_stack_aborts)
{
    if (!urd__sanitize_copies_stacks())
        SKIP("the tool watches stacks, so none is copied");
    CHECK_ABORTS(wait_with_bytes_on_the_stack,
                 "urd_chan_send: the object lies on the stack of a compact task");
}

static void without_ring(void)
{
    urd_chan_init_bytes(&chan, NULL, 100);
}

static void without_room(void)
{
    urd_chan_init_bytes(&chan, ring, 8);
}

TEST(without_room_for_a_message_it_aborts)
{
    CHECK_ABORTS(without_ring, "urd_chan_init_bytes: 100 slots and no ring");
    CHECK_ABORTS(without_room, "urd_chan_init_bytes: 8 bytes hold no message");
}
