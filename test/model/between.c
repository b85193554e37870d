/*
 * between.c - every schedule of processes that share a channel, some of which are killed.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each thread is a process.  A doomed one may end before any of its atomic steps; the zygote then
 * notes its death.  What was sent is received once, in order, or lies in the ring; who would wait
 * for the dead is told.  All are sampled.
 */
#include "model_zygote.h"

#undef urd__cas_ar
#define urd__cas_ar(p, expected, v) (step(), MODEL_CAS("cas_ar", p, expected, v, EXPLORE_AR))
#undef urd__or_ar
#define urd__or_ar(p, v) (step(), MODEL_RMW("or_ar", p, v, EXPLORE_OR, EXPLORE_AR))
#undef urd__add_ar
#define urd__add_ar(p, v) (step(), MODEL_RMW("add_ar", p, v, EXPLORE_ADD, EXPLORE_AR))
#define urd__word_wake(word, n) (step(), wake_any(word, n))
#define urd__place_own (*place())
#include "sync/robust.c"

#include "sync/between.c"
#undef urd__place_own

enum { SAMPLES = 1500, VALUES = 6, SLOTS_MAX = 2 };

static struct {
    urd_chan chan;
    long ring[SLOTS_MAX]; /* eight bytes are copied by code that the explorer sees */
} common;
static int sent[VALUES], received[VALUES];
static int told, cancelled, closed, dropped, finished, joined;
/* `dead` is the number of the thread that died, -1: none will */

urd__task *urd__mutex_owner(const urd_mutex *m)
{
    return urd__robust_owner(m);
}

static void setup_slots(size_t slots)
{
    death_setup(&common, sizeof common);
    memset(sent, 0, sizeof sent);
    memset(received, 0, sizeof received);
    common.chan = (urd_chan){
        .elem_bytes = sizeof(long), .slots = slots, .ring = (unsigned char *)common.ring};
    urd__between_init(&common.chan);
    told = cancelled = closed = dropped = finished = joined = 0;
}

static void setup(void)
{
    setup_slots(1);
}

static void setup_two_slots(void)
{
    setup_slots(2);
}

static void setup_cancelled(void)
{
    setup();
    may_be_cancelled[0] = true;
}

static int send_value(int value)
{
    long sending = value;
    int rc = urd__between_transfer(&common.chan, true, &sending, true);
    if (rc == 0)
        explore_ghost_add(&sent[value], 1);
    else if (rc == -EPIPE)
        explore_ghost_add(&closed, 1);
    else if (rc == -ECANCELED)
        explore_ghost_add(&cancelled, 1);
    else
        explore_assert(rc == -EOWNERDEAD);
    return rc;
}

static int receive(long *value)
{
    int rc = urd__between_transfer(&common.chan, false, value, true);
    if (rc == 0) {
        explore_assert(*value >= 0 && *value < VALUES);
        explore_ghost_add(&received[*value], 1);
    } else if (rc == -EPIPE) {
        explore_ghost_add(&closed, 1);
    } else if (rc == -ECANCELED) {
        explore_ghost_add(&cancelled, 1);
    } else {
        explore_assert(rc == -EOWNERDEAD);
    }
    return rc;
}

static void send_own(void)
{
    explore_assert(send_value(explore_self()) != -EOWNERDEAD);
}

static void send_0_and_1(void)
{
    send_value(0);
    send_value(1);
}

static void receive_one(void)
{
    long value;
    explore_assert(receive(&value) != -EOWNERDEAD);
}

static void receive_two(void)
{
    receive_one();
    receive_one();
}

static void receive_in_order(void)
{
    for (int i = 0; i < 2; i++) {
        long value = -1;
        explore_assert(receive(&value) == 0 && value == i);
    }
}

/* ---- Deaths ---------------------------------------------------------------------------------- */

static void maybe_die_from_now_in(void (*what)(void))
{
    doomed[explore_self()] = true;
    maybe_die_in(what);
}

static void send_1(void)
{
    send_value(1);
}

static void send_0_and_maybe_1(void)
{
    send_value(0);
    maybe_die_from_now_in(send_1);
}

static void receive_until_told(void)
{
    for (int i = 0; i < 2; i++) {
        long value = -1;
        int rc = receive(&value);
        if (rc) {
            explore_assert(rc == -EOWNERDEAD);
            explore_ghost_add(&told, 1);
            return;
        }
        explore_assert(value == i);
    }
}

static void receive_one_more(void)
{
    long value;
    receive(&value);
}

static void receive_and_maybe_another(void)
{
    receive_one();
    maybe_die_from_now_in(receive_one_more);
}

static void send_until_told(void)
{
    for (int i = 0; i < 3; i++) {
        if (send_value(i) == 0)
            continue;
        explore_ghost_add(&told, 1);
        return;
    }
}

static void maybe_send_0(void)
{
    maybe_die_from_now_in(send_own);
}

/* Until the value of who lives is there. */
static void receive_until_1(void)
{
    long value = -1;
    while (value != 1)
        if (receive(&value) == -EOWNERDEAD)
            explore_yield();
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void close_it(void)
{
    urd__between_close(&common.chan, false);
}

static void close_now(void)
{
    explore_ghost_add(&dropped, (int)urd__between_close(&common.chan, true));
}

static void close_and_maybe_die(void)
{
    maybe_die_from_now_in(close_it);
}

static void send_two_and_join(void)
{
    send_0_and_1();
    explore_assert(urd__between_join(&common.chan) == 0);
    explore_ghost_add(&joined, 1);
}

static void receive_and_finish(void)
{
    receive_one();
    explore_ghost_add(&finished, 1);
    explore_assert(urd__between_done(&common.chan));
}

static void join(void)
{
    explore_assert(urd__between_join(&common.chan) == 0);
    explore_ghost_add(&joined, 1);
}

/* ---- Afterwards ------------------------------------------------------------------------------ */

static int sum(const int *of)
{
    int n = 0;
    for (int i = 0; i < VALUES; i++)
        n += of[i];
    return n;
}

static int left(void)
{
    urd_chan_counts counts;
    urd__between_stats(&common.chan, &counts);
    return (int)counts.depth;
}

static void none_is_lost(void)
{
    explore_assert(sum(sent) == sum(received) + left() + dropped);
    for (int i = 0; i < VALUES; i++)
        explore_assert(received[i] <= sent[i] && sent[i] <= 1);
}

static void all_are_received(void)
{
    none_is_lost();
    explore_assert(sum(received) == 2 && left() == 0 && told == 0);
}

/* What the dead has sent counts, also if it could not say so any more. */
static void told_when_all_was_received(void)
{
    explore_assert(told == (dead > 0 && received[1] == 0) && received[0] == 1);
    explore_assert(!told || left() == 0);
}

static void sender_is_told(void)
{
    explore_assert(told == 0 || dead > 0);
    explore_assert(told == 1 || sum(sent) == 3);
}

static void the_living_has_sent(void)
{
    explore_assert(sent[1] == 1 && received[1] == 1 && received[0] <= 1);
}

static void some_were_dropped(void)
{
    none_is_lost();
    explore_assert(sum(sent) + closed >= 2);
}

static void closed_or_not(void)
{
    explore_assert(closed == 1 || dead > 0);
    explore_assert(closed == 1 || !(common.chan.head && (of(&common.chan)->senders.count & ENDED)));
}

static void joined_at_the_end(void)
{
    explore_assert(finished == 2 && joined == 1);
}

static void joined_as_it_was_dropped(void)
{
    explore_assert(joined == 1);
}

const struct explore_model explore_models[] = {
    {.name = "what_two_send_one_receives",
     .setup = setup,
     .threads = {send_own, send_own, receive_two},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_are_received},
    {.name = "what_one_sends_two_receive",
     .setup = setup,
     .threads = {send_0_and_1, receive_one, receive_one},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_are_received},
    {.name = "values_keep_their_order",
     .setup = setup,
     .threads = {send_0_and_1, receive_in_order},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_are_received},
    {.name = "who_waits_for_a_dead_sender_is_told_after_all_it_sent",
     .setup = setup_two_slots,
     .threads = {send_0_and_maybe_1, receive_until_told, zygote},
     .stale_reads = 1,
     .random = 2 * SAMPLES,
     .finish = told_when_all_was_received},
    {.name = "who_waits_for_a_dead_receiver_is_told",
     .setup = setup,
     .threads = {receive_and_maybe_another, send_until_told, zygote},
     .stale_reads = 1,
     .random = 2 * SAMPLES,
     .finish = sender_is_told},
    {.name = "who_dies_as_he_sends_holds_up_nobody",
     .setup = setup,
     .threads = {maybe_send_0, send_own, receive_until_1, zygote},
     .stale_reads = 1,
     .random = 2 * SAMPLES,
     .finish = the_living_has_sent},
    {.name = "who_is_cancelled_takes_nothing",
     .setup = setup_cancelled,
     .threads = {receive_one, receive_one, send_0_and_1},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = none_is_lost},
    {.name = "a_close_reaches_who_waits",
     .setup = setup,
     .threads = {receive_one, close_it, send_0_and_1, receive_one},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = none_is_lost},
    {.name = "what_is_dropped_was_not_received",
     .setup = setup_two_slots,
     .threads = {send_0_and_1, receive_one, close_now},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = some_were_dropped},
    {.name = "a_close_counts_also_when_who_closes_dies",
     .setup = setup,
     .threads = {close_and_maybe_die, receive_one, zygote},
     .may_wait = 1 << 1,
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = closed_or_not},
    {.name = "a_join_ends_when_all_is_done",
     .setup = setup_two_slots,
     .threads = {send_two_and_join, receive_and_finish, receive_and_finish},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = joined_at_the_end},
    {.name = "a_join_ends_when_all_is_dropped",
     .setup = setup_two_slots,
     .threads = {join, close_now, send_own},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = joined_as_it_was_dropped},
    {.name = NULL},
};
