/*
 * select.c - every schedule of selects that meet each other, sends, closes, events and cancels.
 *
 * SPDX-License-Identifier: MIT
 *
 * What was sent was received, by one arm, and nothing else was; a select that has returned has left
 * every queue.
 * All are sampled but one; without that the first has 127,804 schedules.
 */
#include "model_core.h"

#include "model_chan.h"

#include "core/sleep.c"
#include "sync/bytes.c"
#include "sync/chan.c"
/* Its own functions of these names. */
#define copy broadcast_copy
#define put broadcast_put
#define setup broadcast_setup
#define slot broadcast_slot
#include "sync/broadcast.c"
#undef copy
#undef put
#undef setup
#undef slot
#include "sync/event.c"
#include "sync/order.c"
#include "sync/select.c"

enum { SAMPLES = 6000, VALUES = EXPLORE_THREADS_MAX };

static urd_chan a, b;
static urd_event event;
static urd_broadcast cast;
static long cast_ring[1];
static urd_subscriber subscriber;
static long elsewhere; /* where a receive that is over wanted its value */
static int sent[VALUES], received[VALUES];
static int happened, cancelled, timed_out;

bool urd_job_alive(const urd_job *j)
{
    (void)j;
    return true;
}

int urd_yield(void)
{
    return 0;
}

static void setup(void)
{
    core_setup();
    memset(sent, 0, sizeof sent);
    memset(received, 0, sizeof received);
    happened = cancelled = timed_out = 0;
    threads_turn = 0;
    event = (urd_event){0};
    urd_chan_init(&a, sizeof(long), NULL, 0);
    urd_chan_init(&b, sizeof(long), NULL, 0);
    urd_broadcast_init(&cast, sizeof(long), cast_ring, 1);
    urd_subscriber_open(&subscriber, &cast);
    subscriber.to = &elsewhere;
}

/* A select of two channel arms and maybe a third; what it did goes into the books. */
static void select_and_note(urd_op *ops, int n)
{
    int chosen = urd_select(ops, n);
    explore_assert(chosen == -ECANCELED || (chosen >= 0 && chosen < n));
    for (int i = 0; i < n; i++) {
        if (ops[i].kind != URD_OP_RECV && ops[i].kind != URD_OP_NEXT)
            continue;
        long value = *(long *)ops[i].to;
        bool got = i == chosen && ops[i].result == 0;
        explore_assert(got ? value >= 0 && value < VALUES : value == -1);
        if (got)
            explore_ghost_add(&received[value], 1);
    }
    if (chosen < 0) {
        explore_ghost_add(&cancelled, 1);
    } else {
        explore_ghost_add(ops[chosen].kind == URD_OP_UNTIL ? &timed_out : &happened, 1);
        if (ops[chosen].kind == URD_OP_SEND && ops[chosen].result == 0)
            explore_ghost_add(&sent[*(const long *)ops[chosen].from], 1);
    }
    leave(ops, (size_t)n * sizeof *ops);
}

static void send_a_or_recv_b(void)
{
    long out = explore_self(), in = -1;
    urd_op ops[2] = {urd_op_send(&a, &out), urd_op_recv(&b, &in)};
    select_and_note(ops, 2);
}

static void recv_a_or_send_b(void)
{
    long out = explore_self(), in = -1;
    urd_op ops[2] = {urd_op_recv(&a, &in), urd_op_send(&b, &out)};
    select_and_note(ops, 2);
}

static void recv_either(void)
{
    long in_a = -1, in_b = -1;
    urd_op ops[2] = {urd_op_recv(&b, &in_b), urd_op_recv(&a, &in_a)};
    select_and_note(ops, 2);
}

/* Its event was for this one alone, and is gone with it. */
static void wait_for_event_and_leave(void)
{
    urd_op ops[1] = {urd_op_event(&event)};
    select_and_note(ops, 1);
    leave(&event, sizeof event);
}

static void recv_a_or_event(void)
{
    long in = -1;
    urd_op ops[2] = {urd_op_recv(&a, &in), urd_op_event(&event)};
    select_and_note(ops, 2);
}

/* And what the select left is there for the next. */
static void next_or_recv_a(void)
{
    for (int i = 0; i < 2; i++) {
        long in = -1, next = -1;
        urd_op ops[2] = {urd_op_next(&subscriber, &next), urd_op_recv(&a, &in)};
        select_and_note(ops, 2);
    }
}

static void next_or_recv_a_once(void)
{
    long in = -1, next = -1;
    urd_op ops[2] = {urd_op_next(&subscriber, &next), urd_op_recv(&a, &in)};
    select_and_note(ops, 2);
}

static void broadcast_one(void)
{
    long out = explore_self();
    if (urd_broadcast_send(&cast, &out) == 0)
        explore_ghost_add(&sent[out], 1);
}

static void send_a(void)
{
    long out = explore_self();
    if (urd_chan_send(&a, &out) == 0)
        explore_ghost_add(&sent[out], 1);
}

static void recv_a_in_time(void)
{
    long in = -1;
    urd_op ops[2] = {urd_op_recv(&a, &in), urd_op_until(1)};
    select_and_note(ops, 2);
}

static void send_unless_it_waits(urd_chan *c)
{
    long out = explore_self();
    int rc = urd_chan_trysend(c, &out);
    explore_assert(rc == 0 || rc == -EAGAIN || rc == -EPIPE);
    if (rc == 0)
        explore_ghost_add(&sent[out], 1);
}

static void try_send_a(void)
{
    send_unless_it_waits(&a);
}

static void send_b(void)
{
    long out = explore_self();
    if (urd_chan_send(&b, &out) == 0)
        explore_ghost_add(&sent[out], 1);
}

static void close_b(void)
{
    urd_chan_close(&b);
}

static void set_event(void)
{
    urd_event_set(&event);
}

static void cancel_scope(void)
{
    urd_scope_cancel(&scope, -ECANCELED);
}

static void books_agree(void)
{
    core_finish();
    for (int i = 0; i < VALUES; i++)
        explore_assert(sent[i] == received[i] && sent[i] <= 1);
    explore_assert(urd__list_empty(&event.waiters));
    urd_chan_fini(&a);
    urd_chan_fini(&b);
}

/* What nobody took of the broadcast is the subscriber's. */
static void the_rest_is_there(void)
{
    long rest = -1;
    if (urd_subscriber_tryrecv(&subscriber, &rest) == 0)
        received[rest]++;
    explore_assert(urd_subscriber_tryrecv(&subscriber, &rest) == -EAGAIN);
    books_agree();
    urd_subscriber_close(&subscriber);
    urd_broadcast_fini(&cast);
}

static void both_happened(void)
{
    books_agree();
    explore_assert(happened == 2 && cancelled == 0);
}

static void one_happened(void)
{
    books_agree();
    explore_assert(happened == 1 && cancelled == 0);
}

const struct explore_model explore_models[] = {
    {.name = "two_selects_meet_on_one_of_two_channels",
     .setup = setup,
     .threads = {send_a_or_recv_b, recv_a_or_send_b},
     .thread_names = {"select", "other select"},
     .random = SAMPLES,
     .finish = both_happened},
    {.name = "a_select_beside_a_close_and_a_send",
     .setup = setup,
     .threads = {recv_either, close_b, try_send_a},
     .thread_names = {"select", "closer", "sender"},
     .random = SAMPLES,
     .finish = one_happened},
    {.name = "an_event_and_a_value_at_once",
     .setup = setup,
     .threads = {recv_a_or_event, set_event, try_send_a},
     .thread_names = {"select", "setter", "sender"},
     .random = SAMPLES,
     .finish = one_happened},
    {.name = "an_event_is_freed_by_who_selected_it",
     .setup = setup,
     .threads = {wait_for_event_and_leave, set_event},
     .thread_names = {"select", "setter"},
     .finish = core_finish},
    {.name = "a_broadcast_and_a_value_at_once",
     .setup = setup,
     .threads = {next_or_recv_a, broadcast_one, send_a},
     .thread_names = {"select", "broadcaster", "sender"},
     .random = SAMPLES,
     .finish = the_rest_is_there},
    {.name = "a_select_is_cancelled_as_a_broadcast_comes",
     .setup = setup,
     .threads = {next_or_recv_a_once, broadcast_one, try_send_a, cancel_scope},
     .thread_names = {"select", "broadcaster", "sender", "canceller"},
     .random = SAMPLES,
     .finish = the_rest_is_there},
    {.name = "a_select_is_cancelled_as_a_value_comes",
     .setup = setup,
     .threads = {recv_either, try_send_a, cancel_scope},
     .thread_names = {"select", "sender", "canceller"},
     .random = SAMPLES,
     .finish = books_agree},
    {.name = "two_selects_are_cancelled_as_they_meet",
     .setup = setup,
     .threads = {send_a_or_recv_b, recv_a_or_send_b, cancel_scope},
     .thread_names = {"select", "other select", "canceller"},
     .random = SAMPLES,
     .finish = books_agree},
    {.name = "a_time_comes_beside_a_value",
     .setup = setup,
     .threads = {recv_a_in_time, try_send_a},
     .thread_names = {"select", "sender"},
     .finish = books_agree},
    {.name = "two_selects_and_one_value",
     .setup = setup,
     .threads = {recv_either, recv_either, send_b, close_b},
     .thread_names = {"select", "other select", "sender", "closer"},
     .random = SAMPLES,
     .finish = books_agree},
    {.name = NULL},
};
