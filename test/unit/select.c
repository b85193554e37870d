/*
 * select.c - one arm happens and the others are untouched: channels, times, events, jobs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <string.h>

#include "base/atomic.h"
#include "runs.h"

static urd_chan a, b;
static int ring_a[4], ring_b[4];
static urd_event event;

static void init(size_t slots)
{
    urd_chan_init(&a, sizeof(int), slots ? ring_a : NULL, slots);
    urd_chan_init(&b, sizeof(int), slots ? ring_b : NULL, slots);
    event = (urd_event){0};
}

static void fini(void)
{
    urd_chan_fini(&a); /* nobody waits in them any more */
    urd_chan_fini(&b);
}

static int send_a(void *arg)
{
    CHECK_EQ(urd_chan_send(&a, arg), 0);
    return 0;
}

static int recv_b(void *arg)
{
    CHECK_EQ(urd_chan_recv(&b, arg), 0);
    return 0;
}

/* ---- Channels -------------------------------------------------------------------------------- */

static int ready_arm(void *arg)
{
    (void)arg;
    int in = 0, out = 7;
    init(2);
    urd_op ops[] = {urd_op_recv(&a, &in), urd_op_send(&b, &out)};
    CHECK_EQ(urd_select(ops, 2), 1); /* a is empty, b has room */
    CHECK_EQ(ops[1].result, 0);
    CHECK_EQ(urd_select(ops, 2), 1);
    CHECK_EQ(urd_tryselect(ops, 2), -EAGAIN); /* now it is full */
    CHECK_EQ(in, 0);
    CHECK_EQ(urd_chan_trysend(&a, &out), 0);
    CHECK_EQ(urd_select(ops, 2), 0);
    CHECK_EQ(in, 7);
    CHECK_EQ(urd_chan_depth(&a), 0);
    CHECK_EQ(urd_chan_depth(&b), 2);
    fini();
    return 0;
}

TEST(the_arm_that_can_happen_happens)
{
    run_seeds(10, ready_arm);
    ready_arm(NULL); /* and that needs no runtime */
}

static int waits_for(urd_kind kind, urd_fn *fn, int *value, int expected_arm)
{
    int in = 0, out = 9;
    urd_op ops[] = {urd_op_recv(&a, &in), urd_op_send(&b, &out)};
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_tryselect(ops, 2), -EAGAIN);
    urd_spawn(&s, kind, fn, value, 0);
    CHECK_EQ(urd_select(ops, 2), expected_arm);
    CHECK_EQ(ops[expected_arm].result, 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_tryselect(ops, 2), -EAGAIN); /* the other arm has left nothing behind */
    return in;
}

static int rendezvous_arms(void *arg)
{
    (void)arg;
    init(0);
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        int five = 5, got = 0;
        CHECK_EQ(waits_for((urd_kind)kind, send_a, &five, 0), 5);
        CHECK_EQ(waits_for((urd_kind)kind, recv_b, &got, 1), 0);
        CHECK_EQ(got, 9);
    }
    fini();
    return 0;
}

TEST(it_waits_for_whichever_comes_and_leaves_the_other)
{
    run_seeds(40, rendezvous_arms);
}

static int select_in_thread(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_THREAD, rendezvous_arms, arg, 0);
    return urd_scope_join(&s);
}

TEST(a_thread_selects_as_a_task_does)
{
    run_seeds(20, select_in_thread);
}

static int full_and_empty(void *arg)
{
    (void)arg;
    init(1);
    int v = 1, in = 0, out = 2, got = 0;
    CHECK_EQ(urd_chan_trysend(&b, &v), 0);
    urd_op ops[] = {urd_op_recv(&a, &in), urd_op_send(&b, &out)};
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, recv_b, &got);
    CHECK_EQ(urd_select(ops, 2), 1); /* waited for room */
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(got, 1);
    CHECK_EQ(urd_chan_tryrecv(&b, &got), 0);
    CHECK_EQ(got, 2);
    fini();
    return 0;
}

TEST(a_sending_arm_waits_for_room)
{
    run_seeds(20, full_and_empty);
}

typedef struct trader {
    int index, sent, received; /* sums */
} trader;

enum { TRADERS = 4, TRADES = 100 };

static int traded;

/* Sends and receives at the same time, on whichever of the channels, until enough was traded. */
static int trade(void *arg)
{
    trader *t = arg;
    int in[2] = {0, 0};
    for (int out = t->index;; out += TRADERS) {
        urd_op ops[] = {urd_op_recv(&a, &in[0]), urd_op_recv(&b, &in[1]), urd_op_send(&a, &out),
                        urd_op_send(&b, &out), urd_op_event(&event)};
        int chosen = urd_select(ops, 5);
        CHECK_GE(chosen, 0);
        CHECK_EQ(ops[chosen].result, 0);
        if (chosen == 4)
            return 0;
        if (chosen < 2)
            t->received += in[chosen];
        else
            t->sent += out;
        if (urd__add_ar(&traded, 1) == TRADES)
            urd_event_set(&event);
    }
}

static int selects_meet(void *arg)
{
    (void)arg;
    trader traders[TRADERS];
    init(test_random(3));
    traded = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < TRADERS; i++) {
        traders[i] = (trader){.index = i};
        urd_spawn(&s, i == 1 ? URD_THREAD : URD_TASK, trade, &traders[i], 0);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    int balance = 0, v;
    for (int i = 0; i < TRADERS; i++)
        balance += traders[i].sent - traders[i].received;
    while (urd_chan_tryrecv(&a, &v) == 0 || urd_chan_tryrecv(&b, &v) == 0)
        balance -= v;
    CHECK_EQ(balance, 0);
    fini();
    return 0;
}

TEST(selects_that_meet_in_both_directions_lose_and_double_nothing)
{
    run_seeds(60, selects_meet);
}

static int one_channel_in_many_arms(void *arg)
{
    (void)arg;
    init(0);
    int in[2] = {0, 0}, out = 3;
    urd_op ops[] = {urd_op_recv(&a, &in[0]), urd_op_send(&a, &out), urd_op_recv(&a, &in[1])};
    CHECK_EQ(urd_tryselect(ops, 3), -EAGAIN); /* it does not meet itself */
    int five = 5;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, send_a, &five);
    int chosen = urd_select(ops, 3);
    CHECK(chosen == 0 || chosen == 2);
    CHECK_EQ(in[chosen / 2], 5);
    CHECK_EQ(in[1 - chosen / 2], 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    fini();
    return 0;
}

TEST(one_channel_may_be_in_several_arms)
{
    run_seeds(20, one_channel_in_many_arms);
}

enum { MANY = 70 };

static urd_chan chans[MANY];

static int send_to(void *arg)
{
    int i = *(int *)arg;
    CHECK_EQ(urd_chan_send(&chans[i], &i), 0);
    return 0;
}

static int many_arms(void *arg)
{
    (void)arg;
    urd_op ops[MANY];
    int in[MANY];
    for (size_t i = 0; i < MANY; i++)
        urd_chan_init(&chans[i], sizeof(int), NULL, 0);
    for (size_t i = 0; i < MANY; i++) /* in an order that is not that of their addresses */
        ops[i] = urd_op_recv(&chans[i * 37 % MANY], &in[i]);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(urd_tryselect(ops, MANY), -EAGAIN);
        urd_go(&s, send_to, &i);
        int chosen = urd_select(ops, MANY);
        CHECK_EQ(chosen * 37 % MANY, i);
        CHECK_EQ(in[chosen], i);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    for (size_t i = 0; i < MANY; i++)
        urd_chan_fini(&chans[i]);
    return 0;
}

TEST(many_arms_come_and_go)
{
    test_run(many_arms);
}

static int fair(void *arg)
{
    (void)arg;
    int in, v = 1, taken[3] = {0, 0, 0};
    init(1);
    urd_event_set(&event);
    urd_op ops[] = {urd_op_recv(&a, &in), urd_op_send(&b, &v), urd_op_event(&event),
                    urd_op_until(urd_now() + 1000 * URD_SECOND)};
    for (int i = 0; i < 600; i++) {
        if (urd_chan_depth(&a) == 0)
            CHECK_EQ(urd_chan_trysend(&a, &v), 0);
        if (urd_chan_depth(&b) == 1)
            CHECK_EQ(urd_chan_tryrecv(&b, &in), 0);
        int chosen = i % 2 ? urd_select(ops, 4) : urd_tryselect(ops, 4);
        CHECK_GE(chosen, 0);
        CHECK_LT(chosen, 3);
        taken[chosen]++;
    }
    for (int i = 0; i < 3; i++)
        CHECK_GT(taken[i], 120); /* of about 200: 7 standard deviations */
    return 0;
}

TEST(of_arms_that_can_happen_each_is_as_likely)
{
    TEST_SEEDS(3)
    test_run(fair);
    fair(NULL);
}

/* ---- Closing, cancels ------------------------------------------------------------------------ */

static int close_b_later(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_sleep(5), 0);
    urd_chan_close(&b);
    return 0;
}

static int closed_arms(void *arg)
{
    (void)arg;
    for (size_t slots = 0; slots < 2; slots++) {
        init(slots);
        int in = 4, v = 1;
        urd_op ops[] = {urd_op_recv(&a, &in), urd_op_recv(&b, &in)};
        urd_scope s;
        urd_scope_open(&s);
        urd_go(&s, close_b_later, NULL);
        CHECK_EQ(urd_select(ops, 2), 1);
        CHECK_EQ(ops[1].result, -EPIPE);
        CHECK_EQ(urd_select(ops, 2), 1); /* and from then on at once */
        CHECK_EQ(ops[1].result, -EPIPE);
        CHECK_EQ(urd_scope_join(&s), 0);
        ops[0] = urd_op_send(&b, &v);
        CHECK_GE(urd_tryselect(ops, 1), 0);
        CHECK_EQ(ops[0].result, -EPIPE);
        CHECK_EQ(in, 4);
        fini();
    }
    return 0;
}

TEST(an_arm_on_a_closed_channel_happens_with_EPIPE)
{
    run_seeds(10, closed_arms);
}

static int select_for_ever(void *arg)
{
    (void)arg;
    int in = 4, out = 5;
    urd_op ops[] = {urd_op_recv(&a, &in), urd_op_send(&b, &out), urd_op_event(&event),
                    urd_op_until(URD_FOREVER)};
    CHECK_EQ(urd_select(ops, 4), -ECANCELED);
    CHECK_EQ(urd_select(ops, 4), -ECANCELED);
    CHECK_EQ(in, 4);
    return 0;
}

static int cancelled(void *arg)
{
    (void)arg;
    init(0);
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        urd_scope s;
        urd_scope_open(&s);
        urd_spawn(&s, (urd_kind)kind, select_for_ever, NULL, 0);
        let_others_run();
        urd_scope_cancel(&s, -EIO);
        CHECK_EQ(urd_scope_join(&s), -EIO);
        CHECK(!event.waiters.next || event.waiters.next == &event.waiters);
        fini();
    }
    return 0;
}

TEST(a_cancelled_select_leaves_every_queue)
{
    run_seeds(20, cancelled);
}

static int in_a_cancelled_scope(void *arg)
{
    (void)arg;
    int v = 1;
    init(1);
    urd_op op = urd_op_send(&a, &v);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_select(&op, 1), -ECANCELED); /* although there is room */
    CHECK_EQ(urd_select(&op, 0), -ECANCELED);
    CHECK_EQ(urd_chan_depth(&a), 0);
    CHECK_EQ(urd_tryselect(&op, 1), 0); /* no cancel point */
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(in_a_cancelled_scope_it_does_nothing)
{
    test_run(in_a_cancelled_scope);
}

static int race_of_all(void *arg)
{
    (void)arg;
    init(0);
    int sum = 0, v = 0, count = 0;
    urd_scope s, inner;
    urd_scope_open(&s);
    int one = 1;
    for (int i = 0; i < 10; i++)
        urd_go(&s, send_a, &one);
    while (count < 10) { /* deadlines hit some of the selects; no value is lost by it */
        urd_op ops[] = {urd_op_recv(&a, &v), urd_op_recv(&b, &v)};
        urd_scope_open(&inner);
        urd_scope_deadline(&inner, urd_now() + (urd_time)test_random(2));
        int chosen = urd_select(ops, 2);
        if (chosen == 0) {
            sum += v;
            count++;
        }
        int rc = urd_scope_join(&inner);
        CHECK(chosen == 0 || (chosen == -ECANCELED && rc == -ETIMEDOUT));
    }
    CHECK_EQ(sum, 10);
    CHECK_EQ(urd_scope_join(&s), 0);
    fini();
    return 0;
}

TEST(a_cancelled_select_takes_no_value_with_it)
{
    run_seeds(40, race_of_all);
}

/* ---- Times, events, jobs --------------------------------------------------------------------- */

static int times(void *arg)
{
    (void)arg;
    init(0);
    int in;
    urd_time start = urd_now();
    urd_op ops[] = {urd_op_until(start + 20), urd_op_recv(&a, &in), urd_op_until(start + 10)};
    CHECK_EQ(urd_tryselect(ops, 3), -EAGAIN);
    CHECK_EQ(urd_select(ops, 3), 2);
    CHECK_EQ(ops[2].result, 0);
    CHECK_EQ(urd_now(), start + 10);
    CHECK_EQ(urd_tryselect(ops, 2), -EAGAIN);
    CHECK_EQ(urd_select(ops, 2), 0);
    CHECK_EQ(urd_now(), start + 20);
    int chosen = urd_select(ops, 3); /* both times have passed */
    CHECK(chosen == 0 || chosen == 2);
    CHECK_EQ(urd_now(), start + 20);
    fini();
    return 0;
}

static int times_in_both(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(times(arg), 0);
    urd_spawn(&s, URD_THREAD, times, NULL, 0);
    return urd_scope_join(&s);
}

TEST(a_time_happens_when_it_has_come)
{
    run_seeds(10, times_in_both);
}

static int by_the_machines_clock(void *arg)
{
    (void)arg;
    init(0);
    int in;
    for (int i = 0; i < 3; i++) {
        urd_time when = urd_now() + URD_MS;
        urd_op ops[] = {urd_op_until(when), urd_op_recv(&a, &in)};
        CHECK_EQ(urd_select(ops, 2), 0);
        CHECK_GE(urd_now(), when);
    }
    fini();
    return 0;
}

static int by_it_in_both(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_THREAD, by_the_machines_clock, NULL, 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return by_the_machines_clock(arg);
}

TEST(no_time_happens_early_by_the_machines_clock)
{
    run_real(1, by_it_in_both);
}

static int set_later(void *arg)
{
    CHECK_EQ(urd_sleep(*(int *)arg), 0);
    urd_event_set(&event);
    return 0;
}

static int events(void *arg)
{
    (void)arg;
    init(0);
    int in, soon = 5;
    urd_time start = urd_now();
    urd_op ops[] = {urd_op_recv(&a, &in), urd_op_event(&event), urd_op_until(start + 10)};
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, set_later, &soon);
    CHECK_EQ(urd_tryselect(ops, 3), -EAGAIN);
    CHECK_EQ(urd_select(ops, 3), 1);
    CHECK_EQ(ops[1].result, 0);
    CHECK_EQ(urd_now(), start + 5);
    CHECK_EQ(urd_select(ops, 3), 1); /* it stays set */
    CHECK(urd_event_is_set(&event)); /* and is not consumed */
    urd_event_clear(&event);
    CHECK_EQ(urd_select(ops, 3), 2);
    CHECK_EQ(urd_now(), start + 10);
    CHECK_EQ(urd_scope_join(&s), 0);
    fini();
    return 0;
}

TEST(an_event_happens_when_it_is_set)
{
    run_seeds(20, events);
}

typedef struct nap {
    int duration, rc;
} nap;

static int take_nap(void *arg)
{
    const nap *n = arg;
    int rc = urd_sleep(n->duration);
    return rc ? rc : n->rc;
}

enum { NAPS = 6 };

static int in_the_order_of_their_ends(void *arg)
{
    (void)arg;
    static const int durations[NAPS] = {30, 10, 60, 20, 50, 40};
    nap naps[NAPS];
    urd_job jobs[NAPS];
    urd_op ops[NAPS];
    int index[NAPS];
    urd_time start = urd_now();
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    for (int i = 0; i < NAPS; i++) {
        naps[i] = (nap){.duration = durations[i], .rc = i % 2 ? 0 : -EAGAIN};
        CHECK_EQ(
            urd_job_open(&jobs[i], &s, i % 3 ? URD_TASK : URD_THREAD, take_nap, &naps[i], 0, NULL),
            0);
        ops[i] = urd_op_job(&jobs[i]);
        index[i] = i;
    }
    for (int left = NAPS; left > 0; left--) {
        int chosen = urd_select(ops, left);
        CHECK_GE(chosen, 0);
        CHECK_EQ(ops[chosen].result, naps[index[chosen]].rc);
        CHECK_EQ(urd_now(), start + (NAPS + 1 - left) * 10);
        CHECK_EQ(naps[index[chosen]].duration, (NAPS + 1 - left) * 10);
        CHECK(!urd_job_alive(&jobs[index[chosen]]));
        ops[chosen] = ops[left - 1];
        index[chosen] = index[left - 1];
    }
    CHECK_EQ(urd_scope_join(&s), -EAGAIN);
    return 0;
}

TEST(jobs_happen_in_the_order_in_which_they_end)
{
    run_seeds(20, in_the_order_of_their_ends);
}

static int select_two_jobs(void *arg)
{
    urd_op ops[] = {urd_op_job(&((urd_job *)arg)[0]), urd_op_job(&((urd_job *)arg)[1])};
    CHECK_EQ(urd_select(ops, 2), -ECANCELED);
    return 0;
}

/* The walk of a cancel holds the locks of the jobs' scopes while others enqueue at them. */
static int cancel_beside_selects(void *arg)
{
    (void)arg;
    nap long_nap = {.duration = 1000};
    urd_job jobs[2];
    urd_scope outer, s;
    urd_scope_open(&outer);
    urd_scope_open(&s);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(urd_job_open(&jobs[i], &outer, URD_TASK, take_nap, &long_nap, 0, NULL), 0);
    for (int i = 0; i < 6; i++)
        urd_go(&s, select_two_jobs, jobs);
    if (test_random(2))
        let_others_run();
    urd_scope_cancel(&s, -EIO);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    urd_scope_cancel(&outer, -EIO);
    CHECK_EQ(urd_scope_join(&outer), -EIO);
    return 0;
}

TEST(selects_of_jobs_can_be_cancelled)
{
    run_seeds(20, cancel_beside_selects);
}

/* ---- Broadcasts ------------------------------------------------------------------------------ */

enum { NEWS = 6 };

static urd_broadcast news;
static int news_ring[2];

/* Drawn before the jobs start: only one of them may draw. */
static bool naps_first, hears_bare;

static int tell(void *arg)
{
    (void)arg;
    int rc = 0;
    for (int i = 0; i < NEWS && rc == 0; i++) {
        if (naps_first == (i % 2 == 0))
            rc = urd_sleep(1);
        if (rc == 0)
            rc = urd_broadcast_send(&news, &i);
    }
    urd_broadcast_close(&news);
    return rc;
}

/* Beside a channel from which a value comes now and then: of neither is any lost or doubled. */
static int hear_all(void *arg)
{
    (void)arg;
    urd_subscriber s;
    urd_subscriber_open(&s, &news);
    int heard = 0, others = 0, chosen = 0;
    while (chosen >= 0) {
        int next = -1, other = -1;
        urd_op ops[] = {urd_op_recv(&a, &other), urd_op_next(&s, &next)};
        if (hears_bare && (heard + others) % 2) {
            ops[1].result = urd_subscriber_recv(&s, &next);
            chosen = 1;
        } else {
            chosen = urd_select(ops, 2);
        }
        CHECK_GE(chosen, 0);
        if (chosen == 0) {
            CHECK_EQ(ops[0].result, 0);
            CHECK_EQ(other, others++);
            CHECK_EQ(next, -1);
        } else if (ops[1].result == -EPIPE) {
            break;
        } else {
            CHECK_EQ(ops[1].result, 0);
            CHECK_EQ(next, heard++);
            CHECK_EQ(other, -1);
        }
    }
    CHECK_EQ(heard, NEWS);
    urd_subscriber_close(&s);
    return 0;
}

static int offer(void *arg)
{
    (void)arg;
    for (int i = 0; i < NEWS; i++)
        if (urd_chan_send(&a, &i) < 0)
            return 0;
    return 0;
}

static int news_and_values(void *arg)
{
    (void)arg;
    naps_first = test_random(2);
    hears_bare = test_random(2);
    urd_scope all, hearers;
    urd_chan_init(&a, sizeof(int), NULL, 0);
    urd_broadcast_init(&news, sizeof(int), news_ring, 1 + (size_t)test_random(2));
    urd_scope_open(&all);
    urd_scope_open(&hearers);
    CHECK_EQ(urd_spawn(&hearers, test_random(2) ? URD_TASK : URD_THREAD, hear_all, NULL, 0), 0);
    let_others_run();
    urd_go(&all, offer, NULL);
    urd_spawn(&all, test_random(2) ? URD_TASK : URD_THREAD, tell, NULL, 0);
    CHECK_EQ(urd_scope_join(&hearers), 0);
    urd_scope_cancel(&all, 0);
    (void)!urd_scope_join(&all);
    urd_broadcast_fini(&news);
    urd_chan_fini(&a);
    return 0;
}

TEST(an_arm_on_a_broadcast_gets_every_value_once)
{
    run_seeds(40, news_and_values);
}

static int lossy_news(void *arg)
{
    (void)arg;
    int value = -1;
    urd_subscriber s;
    urd_broadcast_init_lossy(&news, sizeof(int), news_ring, 2);
    urd_subscriber_open(&s, &news);
    urd_op op = urd_op_next(&s, &value);
    CHECK_EQ(urd_tryselect(&op, 1), -EAGAIN);
    CHECK_EQ(value, -1);
    for (int i = 0; i < NEWS; i++)
        CHECK_EQ(urd_broadcast_send(&news, &i), 0);
    CHECK_EQ(urd_select(&op, 1), 0);
    CHECK_EQ(op.result, NEWS - 2);
    CHECK_EQ(value, NEWS - 2);
    CHECK_EQ(urd_select(&op, 1), 0);
    CHECK_EQ(op.result, 0);
    CHECK_EQ(value, NEWS - 1);
    urd_op late[] = {urd_op_next(&s, &value), urd_op_until(urd_now() + 5)};
    CHECK_EQ(urd_select(late, 2), 1);
    CHECK_EQ(value, NEWS - 1);
    urd_broadcast_close(&news);
    CHECK_EQ(urd_tryselect(&op, 1), 0);
    CHECK_EQ(op.result, -EPIPE);
    urd_subscriber_close(&s);
    urd_broadcast_fini(&news); /* nobody waits in it */
    return 0;
}

TEST(an_arm_on_a_broadcast_says_how_many_it_missed)
{
    test_run(lossy_news);
}

static int hear_nothing(void *arg)
{
    int value = -1;
    urd_op op = urd_op_next(arg, &value);
    CHECK_EQ(urd_select(&op, 1), -ECANCELED);
    CHECK_EQ(value, -1);
    return 0;
}

static int cancelled_news(void *arg)
{
    (void)arg;
    int value = 5;
    urd_subscriber s;
    urd_scope scope;
    urd_broadcast_init(&news, sizeof(int), news_ring, 1);
    urd_subscriber_open(&s, &news);
    urd_scope_open(&scope);
    urd_go(&scope, hear_nothing, &s);
    let_others_run();
    urd_scope_cancel(&scope, 0);
    CHECK_EQ(urd_scope_join(&scope), -ECANCELED);
    CHECK_EQ(urd_broadcast_send(&news, &value), 0);
    CHECK_EQ(urd_subscriber_tryrecv(&s, &value), 0); /* it was not the cancelled one's */
    urd_subscriber_close(&s);
    urd_broadcast_fini(&news);
    return 0;
}

TEST(a_cancelled_select_leaves_a_broadcast_with_what_is_in_it)
{
    run_seeds(10, cancelled_news);
}

/* ---- Misuse ---------------------------------------------------------------------------------- */

static void fewer_than_none(void)
{
    CHECK_EQ(urd_tryselect(NULL, -1), 0);
}

static void of_no_kind(void)
{
    urd_op op = {.kind = (urd_op_kind)77};
    CHECK_EQ(urd_tryselect(&op, 1), 0);
}

static void of_one_subscriber(void)
{
    urd_subscriber s = {0};
    int value;
    urd_op ops[] = {urd_op_next(&s, &value), urd_op_next(&s, &value)};
    CHECK_EQ(urd_tryselect(ops, 2), 0);
}

TEST(arms_that_are_none_abort)
{
    CHECK_ABORTS(of_one_subscriber, "urd_tryselect: arms 0 and 1 are the same subscriber's");
    CHECK_ABORTS(fewer_than_none, "urd_tryselect of -1 arms");
    CHECK_ABORTS(of_no_kind, "urd_tryselect: arm 0 is of no kind");
    CHECK_EQ(urd_tryselect(NULL, 0), -EAGAIN);
}
