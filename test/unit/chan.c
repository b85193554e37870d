/*
 * chan.c - rendezvous and bounded channels: order, closing, cancels, every kind of waiter.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include "base/atomic.h"
#include "core/home.h"
#include "runs.h"

static urd_chan chan;
static int ring[8];

/* With every other seed who makes it is at home in it from the start. */
static void init(size_t slots)
{
    urd_chan_init(&chan, sizeof(int), slots ? ring : NULL, slots);
    bool homes = urd__load_rlx(&urd__home_uses) != UINT_MAX; /* a number */
    if (homes && urd__worker_self && test_seed() % 2 == 0)
        chan.lock.worker = (uintptr_t)urd__worker_self;
}

static int send_numbers(void *arg)
{
    for (int i = 1; i <= *(const int *)arg; i++)
        CHECK_EQ(urd_chan_send(&chan, &i), 0);
    return 0;
}

static int rendezvous(void *arg)
{
    (void)arg;
    init(0);
    int count = 20, v = 0;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, send_numbers, &count);
    for (int i = 1; i <= count; i++) {
        CHECK_EQ(urd_chan_recv(&chan, &v), 0);
        CHECK_EQ(v, i);
        CHECK_EQ(urd_chan_depth(&chan), 0);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_chan_fini(&chan);
    return 0;
}

TEST(without_slots_a_send_meets_a_receive)
{
    run_seeds(40, rendezvous);
}

static int sent;

static int send_one(void *arg)
{
    CHECK_EQ(urd_chan_send(&chan, arg), 0);
    urd__add_ar(&sent, 1);
    return 0;
}

static int send_waits(void *arg)
{
    (void)arg;
    init(0);
    sent = 0;
    int v = 0, seven = 7;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, send_one, &seven);
    let_others_run();
    CHECK_EQ(sent, 0);
    CHECK_EQ(urd_chan_recv(&chan, &v), 0);
    CHECK_EQ(v, 7);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(sent, 1);
    return 0;
}

TEST(without_slots_a_send_waits_for_the_receive)
{
    run_seeds(20, send_waits);
}

static int bounded(void *arg)
{
    (void)arg;
    init(3);
    int v;
    for (v = 1; v <= 3; v++) {
        CHECK_EQ(urd_chan_send(&chan, &v), 0);
        CHECK_EQ(urd_chan_depth(&chan), v);
    }
    CHECK_EQ(urd_chan_trysend(&chan, &v), -EAGAIN);
    sent = 0;
    int four = 4;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, send_one, &four);
    let_others_run();
    CHECK_EQ(sent, 0); /* it is full */
    for (int i = 1; i <= 4; i++) {
        CHECK_EQ(urd_chan_recv(&chan, &v), 0);
        CHECK_EQ(v, i); /* who waited comes behind what was there */
    }
    CHECK_EQ(urd_chan_tryrecv(&chan, &v), -EAGAIN);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_chan_depth(&chan), 0);
    return 0;
}

TEST(with_slots_a_send_waits_only_when_all_are_taken)
{
    run_seeds(20, bounded);
}

static int try_forms(void *arg)
{
    (void)arg;
    int v = 5;
    for (size_t slots = 0; slots <= 2; slots += 2) {
        init(slots);
        CHECK_EQ(urd_chan_tryrecv(&chan, &v), -EAGAIN);
        CHECK_EQ(v, 5);
        for (size_t i = 0; i < slots; i++)
            CHECK_EQ(urd_chan_trysend(&chan, &v), 0);
        CHECK_EQ(urd_chan_trysend(&chan, &v), -EAGAIN);
        urd_chan_close(&chan);
        CHECK_EQ(urd_chan_trysend(&chan, &v), -EPIPE);
        for (size_t i = 0; i < slots; i++)
            CHECK_EQ(urd_chan_tryrecv(&chan, &v), 0);
        CHECK_EQ(urd_chan_tryrecv(&chan, &v), -EPIPE);
    }
    return 0;
}

TEST(try_forms_say_EAGAIN_instead_of_waiting)
{
    test_run(try_forms);
    try_forms(NULL); /* and need no runtime */
}

static int try_meets_waiters(void *arg)
{
    (void)arg;
    init(0);
    int v = 0, seven = 7;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, send_one, &seven);
    let_others_run();
    CHECK_EQ(urd_chan_tryrecv(&chan, &v), 0);
    CHECK_EQ(v, 7);
    CHECK_EQ(urd_chan_tryrecv(&chan, &v), -EAGAIN);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(try_forms_meet_whoever_waits)
{
    run_seeds(20, try_meets_waiters);
}

/* ---- Order ----------------------------------------------------------------------------------- */

typedef struct turn {
    int turn, value;
} turn;

static int recv_in_turn(void *arg)
{
    turn *t = arg;
    CHECK_EQ(urd_sleep(t->turn), 0);
    CHECK_EQ(urd_chan_recv(&chan, &t->value), 0);
    return 0;
}

static int send_in_turn(void *arg)
{
    turn *t = arg;
    CHECK_EQ(urd_sleep(t->turn), 0);
    CHECK_EQ(urd_chan_send(&chan, &t->turn), 0);
    return 0;
}

enum { TURNS = 10 };

static int in_order(void *arg)
{
    (void)arg;
    turn turns[TURNS];
    urd_scope s;
    for (int slots = 0; slots <= 4; slots += 2) {
        init((size_t)slots);
        urd_scope_open(&s);
        for (int i = 0; i < TURNS; i++) {
            turns[i] = (turn){.turn = i + 1};
            urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, recv_in_turn, &turns[i], 0);
        }
        CHECK_EQ(urd_sleep(100), 0);
        for (int i = 1; i <= TURNS; i++)
            CHECK_EQ(urd_chan_send(&chan, &i), 0);
        CHECK_EQ(urd_scope_wait(&s), 0);
        for (int i = 0; i < TURNS; i++)
            CHECK_EQ(turns[i].value, turns[i].turn);
        for (int i = 0; i < TURNS; i++)
            urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, send_in_turn, &turns[i], 0);
        CHECK_EQ(urd_sleep(100), 0);
        for (int i = 1, v; i <= TURNS; i++) {
            CHECK_EQ(urd_chan_recv(&chan, &v), 0);
            CHECK_EQ(v, i);
        }
        CHECK_EQ(urd_scope_join(&s), 0);
    }
    return 0;
}

TEST(first_come_first_served_at_both_ends)
{
    run_seeds(20, in_order);
}

static long total;

static int add_up(void *arg)
{
    (void)arg;
    int v, rc;
    while ((rc = urd_chan_recv(&chan, &v)) == 0)
        urd__add_ar(&total, v);
    CHECK_EQ(rc, -EPIPE);
    return 0;
}

enum { PRODUCERS = 4, CONSUMERS = 3, PER_PRODUCER = 50 };

static int many_to_many(void *arg)
{
    (void)arg;
    int count = PER_PRODUCER;
    init(test_random(4) * 2);
    total = 0;
    urd_scope consumers, producers;
    urd_scope_open(&consumers);
    for (int i = 0; i < CONSUMERS; i++)
        urd_spawn(&consumers, i ? URD_TASK : URD_THREAD, add_up, NULL, 0);
    urd_scope_open(&producers);
    for (int i = 0; i < PRODUCERS; i++)
        urd_spawn(&producers, i ? URD_TASK : URD_THREAD, send_numbers, &count, 0);
    CHECK_EQ(urd_scope_join(&producers), 0);
    urd_chan_close(&chan);
    CHECK_EQ(urd_scope_join(&consumers), 0);
    CHECK_EQ(total, PRODUCERS * PER_PRODUCER * (PER_PRODUCER + 1) / 2);
    return 0;
}

TEST(many_producers_and_consumers_lose_and_double_nothing)
{
    run_seeds(40, many_to_many);
}

static void *add_up_in_a_thread(void *arg)
{
    add_up(arg);
    return NULL;
}

static int with_foreign_threads(void *arg)
{
    (void)arg;
    int count = PER_PRODUCER;
    init(test_random(3));
    total = 0;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, add_up_in_a_thread, NULL), 0);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < PRODUCERS; i++)
        urd_go(&s, send_numbers, &count);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_chan_close(&chan);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(total, PRODUCERS * PER_PRODUCER * (PER_PRODUCER + 1) / 2);
    return 0;
}

TEST(tasks_and_threads_of_the_program_share_a_channel)
{
    TEST_SEEDS(20)
    {
        run_real(1, with_foreign_threads);
        run_real(WORKERS, with_foreign_threads);
    }
}

/* ---- Closing --------------------------------------------------------------------------------- */

static int drains(void *arg)
{
    (void)arg;
    init(4);
    int v;
    for (v = 1; v <= 3; v++)
        CHECK_EQ(urd_chan_send(&chan, &v), 0);
    urd_chan_close(&chan);
    urd_chan_close(&chan);
    CHECK_EQ(urd_chan_send(&chan, &v), -EPIPE);
    CHECK_EQ(urd_chan_depth(&chan), 3);
    for (int i = 1; i <= 3; i++) {
        CHECK_EQ(urd_chan_recv(&chan, &v), 0);
        CHECK_EQ(v, i);
    }
    CHECK_EQ(urd_chan_recv(&chan, &v), -EPIPE);
    CHECK_EQ(urd_chan_recv(&chan, &v), -EPIPE);
    CHECK_EQ(v, 3);
    return 0;
}

TEST(recv_after_close_drains_then_EPIPE)
{
    test_run(drains);
}

static int woken;

static int recv_closed(void *arg)
{
    (void)arg;
    int v = 5;
    CHECK_EQ(urd_chan_recv(&chan, &v), -EPIPE);
    CHECK_EQ(v, 5);
    urd__add_ar(&woken, 1);
    return 0;
}

static int send_closed(void *arg)
{
    (void)arg;
    int v = 5;
    CHECK_EQ(urd_chan_send(&chan, &v), -EPIPE);
    urd__add_ar(&woken, 1);
    return 0;
}

static void close_on(urd_fn *fn, size_t slots)
{
    urd_scope s;
    init(slots);
    for (int v = 1; fn == send_closed && v <= (int)slots; v++)
        CHECK_EQ(urd_chan_trysend(&chan, &v), 0);
    size_t depth = urd_chan_depth(&chan);
    woken = 0;
    urd_scope_open(&s);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, fn, NULL, 0), 0);
    let_others_run();
    CHECK_EQ(woken, 0);
    urd_chan_close(&chan);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(woken, 10);
    CHECK_EQ(urd_chan_depth(&chan), depth); /* those who waited have sent nothing */
    urd_chan_fini(&chan);
}

static int close_wakes(void *arg)
{
    (void)arg;
    for (size_t slots = 0; slots <= 2; slots += 2) {
        close_on(recv_closed, slots);
        close_on(send_closed, slots);
    }
    return 0;
}

TEST(close_wakes_everyone_at_both_ends)
{
    run_seeds(20, close_wakes);
}

static int drops(void *arg)
{
    (void)arg;
    init(4);
    int v;
    for (v = 1; v <= 3; v++)
        CHECK_EQ(urd_chan_send(&chan, &v), 0);
    CHECK_EQ(urd_chan_close_now(&chan), 3);
    CHECK_EQ(urd_chan_close_now(&chan), 0);
    CHECK_EQ(urd_chan_recv(&chan, &v), -EPIPE);
    CHECK_EQ(urd_chan_send(&chan, &v), -EPIPE);
    CHECK_EQ(urd_chan_depth(&chan), 0);
    CHECK_EQ(urd_chan_join(&chan), 0); /* what was dropped counts as done */
    init(0);
    CHECK_EQ(urd_chan_close_now(&chan), 0);
    return 0;
}

TEST(close_now_drops_what_is_in_the_ring)
{
    test_run(drops);
}

/* ---- Work to be done ------------------------------------------------------------------------- */

static int do_work(void *arg)
{
    (void)arg;
    int v;
    while (urd_chan_recv(&chan, &v) == 0) {
        CHECK_EQ(urd_sleep(10), 0);
        sent++;
        urd_chan_done(&chan);
    }
    return 0;
}

static int join_work(void *arg)
{
    (void)arg;
    for (size_t slots = 0; slots <= 4; slots += 2) {
        init(slots);
        sent = 0;
        CHECK_EQ(urd_chan_join(&chan), 0); /* nothing was sent */
        urd_time start = urd_now();
        urd_scope s;
        urd_scope_open(&s);
        urd_go(&s, do_work, NULL);
        for (int i = 1; i <= 5; i++)
            CHECK_EQ(urd_chan_send(&chan, &i), 0);
        CHECK_EQ(urd_chan_join(&chan), 0);
        CHECK_EQ(sent, 5);
        CHECK_EQ(urd_now(), start + 50);
        urd_chan_close(&chan);
        CHECK_EQ(urd_scope_join(&s), 0);
        urd_chan_fini(&chan);
    }
    return 0;
}

TEST(join_waits_until_all_that_was_sent_is_done)
{
    run_seeds(10, join_work);
}

static int join_done(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_chan_join(&chan), 0);
    urd__add_ar(&woken, 1);
    return 0;
}

static int join_cancelled(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_chan_join(&chan), -ECANCELED);
    return 0;
}

static int joins_end(void *arg)
{
    (void)arg;
    init(4);
    woken = 0;
    int v = 1;
    CHECK_EQ(urd_chan_send(&chan, &v), 0);
    CHECK_EQ(urd_chan_send(&chan, &v), 0);
    urd_scope s, cancelled;
    urd_scope_open(&s);
    for (int i = 0; i < 4; i++)
        urd_spawn(&s, i ? URD_TASK : URD_THREAD, join_done, NULL, 0);
    urd_scope_open(&cancelled);
    urd_go(&cancelled, join_cancelled, NULL);
    let_others_run();
    urd_scope_cancel(&cancelled, -EIO);
    CHECK_EQ(urd_scope_join(&cancelled), -EIO);
    CHECK_EQ(urd_chan_recv(&chan, &v), 0);
    let_others_run();
    CHECK_EQ(urd_chan_close_now(&chan), 1);
    let_others_run();
    CHECK_EQ(woken, 0); /* one value was received and is not done */
    urd_chan_done(&chan);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(woken, 4);
    urd_chan_fini(&chan);
    return 0;
}

TEST(a_join_ends_by_done_by_a_drop_and_by_a_cancel)
{
    run_seeds(20, joins_end);
}

static void done_too_often(void)
{
    init(1);
    int v = 1;
    CHECK_EQ(urd_chan_trysend(&chan, &v), 0);
    urd_chan_done(&chan);
    urd_chan_done(&chan);
}

TEST(done_more_often_than_sent_aborts)
{
    CHECK_ABORTS(done_too_often, "urd_chan_done more often than values were sent");
}

static int counters(void *arg)
{
    (void)arg;
    urd_chan_counts counts;
    int v = 5;
    init(2);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 3; i++)
        urd_go(&s, recv_closed, NULL);
    let_others_run();
    urd_chan_stats(&chan, &counts);
    CHECK_EQ(counts.receivers, 3);
    CHECK_EQ(counts.senders, 0);
    CHECK_EQ(counts.sent, 0);
    CHECK(!counts.closed);
    urd_chan_close(&chan);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_chan_stats(&chan, &counts);
    CHECK_EQ(counts.receivers, 0);
    CHECK(counts.closed);

    init(2);
    urd_scope_open(&s);
    for (int i = 0; i < 5; i++)
        urd_go_copy(&s, send_one, &v, sizeof v);
    let_others_run();
    urd_chan_stats(&chan, &counts);
    CHECK_EQ(counts.depth, 2);
    CHECK_EQ(counts.senders, 3);
    CHECK_EQ(counts.sent, 2);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(urd_chan_recv(&chan, &v), 0);
    urd_chan_done(&chan);
    urd_chan_stats(&chan, &counts);
    CHECK_EQ(counts.depth, 1);
    CHECK_EQ(counts.senders, 0);
    CHECK_EQ(counts.sent, 5);
    CHECK_EQ(counts.unfinished, 4);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(counters_tell_depth_waiters_and_what_is_unfinished)
{
    run_seeds(10, counters);
}

/* ---- Cancels --------------------------------------------------------------------------------- */

static int recv_cancelled(void *arg)
{
    (void)arg;
    int v = 5;
    CHECK_EQ(urd_chan_recv(&chan, &v), -ECANCELED);
    CHECK_EQ(v, 5);
    return 0;
}

static int send_cancelled(void *arg)
{
    (void)arg;
    int v = 99;
    CHECK_EQ(urd_chan_send(&chan, &v), -ECANCELED);
    return 0;
}

static int leave_queue(void *arg)
{
    (void)arg;
    init(0);
    int v = 0, one = 1;
    urd_scope s, stays;
    urd_scope_open(&stays);
    urd_scope_open(&s);
    urd_go(&s, recv_cancelled, NULL);
    urd_spawn(&s, URD_THREAD, recv_cancelled, NULL, 0);
    let_others_run();
    urd_scope_cancel(&s, -EIO);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    CHECK_EQ(urd_chan_trysend(&chan, &one), -EAGAIN);

    urd_scope_open(&s);
    urd_go(&s, send_cancelled, NULL);
    let_others_run();
    urd_go(&stays, send_one, &one); /* behind the one who leaves */
    let_others_run();
    urd_scope_cancel(&s, -EIO);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    CHECK_EQ(urd_chan_recv(&chan, &v), 0);
    CHECK_EQ(v, 1);
    CHECK_EQ(urd_chan_tryrecv(&chan, &v), -EAGAIN);
    CHECK_EQ(urd_scope_join(&stays), 0);
    urd_chan_fini(&chan);
    return 0;
}

TEST(a_cancelled_waiter_leaves_the_queue)
{
    run_seeds(20, leave_queue);
}

static int cancel_a_consumer(void *arg)
{
    (void)arg;
    init(test_random(2));
    total = 0;
    int count = 30, rest = 0, v;
    urd_scope producers, consumer;
    urd_scope_open(&producers);
    urd_go(&producers, send_numbers, &count);
    urd_scope_open(&consumer);
    urd_scope_deadline(&consumer, urd_now() + 3);
    for (int rc = 0, i = 0; rc == 0; i++) {
        rc = urd_chan_recv(&chan, &v);
        if (rc == 0)
            total += v;
        if (i % 5 == 4)
            rc = urd_sleep(1);
    }
    CHECK_EQ(urd_scope_join(&consumer), -ETIMEDOUT);
    while (total + rest < 30 * 31 / 2) {
        CHECK_EQ(urd_chan_recv(&chan, &v), 0);
        rest += v;
    }
    CHECK_EQ(urd_chan_tryrecv(&chan, &v), -EAGAIN);
    CHECK_EQ(urd_scope_join(&producers), 0);
    return 0;
}

TEST(a_cancelled_recv_takes_no_value_with_it)
{
    run_seeds(60, cancel_a_consumer);
}

/* ---- Odd sizes, misuse ----------------------------------------------------------------------- */

static int send_nothing(void *arg)
{
    for (int i = 0; i < *(const int *)arg; i++)
        CHECK_EQ(urd_chan_send(&chan, NULL), 0);
    return 0;
}

static int zero_size(void *arg)
{
    (void)arg;
    static unsigned char no_room[1];
    int count = 10;
    for (size_t slots = 0; slots <= 3; slots += 3) {
        urd_chan_init(&chan, 0, slots ? no_room : NULL, slots);
        urd_scope s;
        urd_scope_open(&s);
        urd_go(&s, send_nothing, &count);
        for (int i = 0; i < count; i++)
            CHECK_EQ(urd_chan_recv(&chan, NULL), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(urd_chan_tryrecv(&chan, NULL), -EAGAIN);
    }
    return 0;
}

TEST(elements_of_size_0_are_counted_and_nothing_is_copied)
{
    run_seeds(10, zero_size);
}

typedef struct large {
    unsigned char bytes[1001];
} large;

static int send_large(void *arg)
{
    large v;
    for (int i = 0; i < *(const int *)arg; i++) {
        memset(&v, i, sizeof v);
        CHECK_EQ(urd_chan_send(&chan, &v), 0);
    }
    return 0;
}

static int large_elements(void *arg)
{
    (void)arg;
    static large room[3];
    large v, expected;
    int count = 10;
    urd_chan_init(&chan, sizeof v, room, 3);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, send_large, &count);
    for (int i = 0; i < count; i++) {
        memset(&expected, i, sizeof expected);
        CHECK_EQ(urd_chan_recv(&chan, &v), 0);
        CHECK(memcmp(&v, &expected, sizeof v) == 0);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(elements_of_odd_size_arrive_whole)
{
    run_seeds(10, large_elements);
}

static int fini_with_a_waiter(void *arg)
{
    (void)arg;
    init(0);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, recv_cancelled, NULL);
    let_others_run();
    urd_chan_fini(&chan);
    return 0;
}

static void run_fini(void)
{
    test_run(fini_with_a_waiter);
}

static void init_without_ring(void)
{
    urd_chan_init(&chan, 4, NULL, 1);
}

TEST(fini_with_a_waiter_and_slots_without_a_ring_abort)
{
    CHECK_ABORTS(run_fini, "urd_chan_fini: somebody waits in the channel");
    CHECK_ABORTS(init_without_ring, "urd_chan_init: 1 slots and no ring");
}
