/*
 * meet.c - every schedule of processes that share a condition or a barrier, some of them killed.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each thread is a process.  A doomed one may end before any of its read-modify-writes, and as it
 * sleeps or wakes others; the zygote then notes its death.
 */
#include "model_zygote.h"

#undef urd__add_ar
#define urd__add_ar(p, v) (step(), MODEL_RMW("add_ar", p, v, EXPLORE_ADD, EXPLORE_AR))
#undef urd__cas_ar
#define urd__cas_ar(p, expected, v) (step(), MODEL_CAS("cas_ar", p, expected, v, EXPLORE_AR))
#define urd__word_wake(word, n) (step(), wake_any(word, n))
#define urd__place_own (*place())
#include "sync/barrier.c"
/* Its own functions of these names. */
#define wait_shared cond_wait_shared
#define wake cond_wake
#define urd__robust_lock_always lock_always
static int lock_always(urd_mutex *m, urd__task *self);
#include "sync/cond.c"
#undef urd__robust_lock_always
#undef wait_shared
#undef wake
#undef urd__add_ar
#define urd__add_ar(p, v) MODEL_RMW("add_ar", p, v, EXPLORE_ADD, EXPLORE_AR)
#define number_of robust_number_of
#define BROKEN ROBUST_BROKEN
#include "sync/robust.c"
#undef number_of
#undef BROKEN
#undef urd__place_own

enum { SAMPLES = 1000 };

static struct {
    urd_mutex mutex;
    urd_cond cond;
    urd_barrier barrier;
    int value; /* under mutex, but atomic: who dies with it leaves it as it is */
} common;
static int got, cancelled, passed, last, broken, told;

urd__task *urd__mutex_owner(const urd_mutex *m)
{
    return urd__robust_owner(m);
}

static const urd__mutex_use use = {URD__ON_MUTEX, "lock", "unlock"};

void urd_mutex_unlock(urd_mutex *m)
{
    urd__robust_unlock(m, &use);
}

void urd__mutex_lock_always(urd_mutex *m, urd__task *self)
{
    (void)m, (void)self;
}

void urd__mutex_queue(urd_mutex *m, urd__mutex_waiter *w)
{
    (void)m, (void)w;
}

void urd__mutex_end_queue(urd_mutex *m, urd__mutex_waiter *w)
{
    (void)m, (void)w;
}

/* No cancel ends that, nor comes again. */
static int lock_always(urd_mutex *m, urd__task *self)
{
    may_be_cancelled[explore_self()] = false;
    return urd__robust_lock_always(m, self);
}

static void setup(void)
{
    death_setup(&common, sizeof common);
    memset(&common, 0, sizeof common);
    common.barrier.parties = 2;
    got = cancelled = passed = last = broken = told = 0;
}

static void setup_three(void)
{
    setup();
    common.barrier.parties = 3;
}

static void setup_doomed(void)
{
    setup();
    doomed[1] = true;
    common.barrier.peers[0] = 2; /* it was there before */
}

static void setup_three_doomed(void)
{
    setup_doomed();
    common.barrier.parties = 3;
}

static void setup_cancelled(void)
{
    setup();
    may_be_cancelled[0] = true;
    watched = &common.barrier.lock;
}

/* ---- Conditions ------------------------------------------------------------------------------ */

static bool lock(void)
{
    int rc = urd__robust_lock(&common.mutex, &use, &common.mutex);
    explore_assert(rc == 0 || rc == -EOWNERDEAD || rc == -ECANCELED);
    return rc != -ECANCELED;
}

static void unlock(void)
{
    urd_mutex_unlock(&common.mutex);
}

/* Take one of `value`. */
static void consume(void)
{
    int rc = 0;
    if (!lock()) {
        explore_ghost_add(&cancelled, 1);
        return;
    }
    while (urd__load_rlx(&common.value) == 0 && rc != -ECANCELED) {
        rc = urd_cond_wait(&common.cond, &common.mutex);
        explore_assert(rc == 0 || rc == -ECANCELED || rc == -EOWNERDEAD);
    }
    if (rc != -ECANCELED)
        urd__store_rlx(&common.value, urd__load_rlx(&common.value) - 1);
    explore_ghost_add(rc == -ECANCELED ? &cancelled : &got, 1);
    unlock();
}

static void consume_and_maybe_die(void)
{
    maybe_die_in(consume);
}

static void produce(void)
{
    lock();
    urd__store_rlx(&common.value, urd__load_rlx(&common.value) + 1);
    unlock();
    urd_cond_signal(&common.cond, 1);
}

static void produce_two(void)
{
    produce();
    produce();
}

static void produce_and_maybe_die(void)
{
    maybe_die_in(produce);
}

static void produce_for_all(void)
{
    lock();
    urd__store_rlx(&common.value, 2);
    urd_cond_broadcast(&common.cond);
    unlock();
}

/* Look at it, and say so to the next. */
static void look_and_signal(void)
{
    int rc = 0;
    if (!lock())
        return;
    while (urd__load_rlx(&common.value) == 0 && rc == 0)
        rc = urd_cond_wait(&common.cond, &common.mutex);
    unlock();
    if (rc == 0)
        urd_cond_signal(&common.cond, 1);
}

static void both_got_one(void)
{
    explore_assert(got == 2 && common.value == 0 && common.cond.waiting == 0);
}

/* The dead one may have taken one, and not have said so. */
static void the_living_got_one(void)
{
    explore_assert(got >= 1);
}

/* The other one produced only if it did not die first. */
static void it_got_one_if_there_was(void)
{
    explore_assert(got == 1);
}

/* ---- Barriers -------------------------------------------------------------------------------- */

static void meet(void)
{
    int rc = urd_barrier_wait(&common.barrier);
    explore_assert(rc == 0 || rc == 1 || rc == -EPIPE || rc == -ECANCELED || rc == -EOWNERDEAD);
    explore_ghost_add(rc >= 0             ? &passed
                      : rc == -EPIPE      ? &broken
                      : rc == -EOWNERDEAD ? &told
                                          : &cancelled,
                      1);
    if (rc == 1)
        explore_ghost_add(&last, 1);
}

static void meet_twice(void)
{
    meet();
    meet();
}

static void meet_and_maybe_die(void)
{
    maybe_die_in(meet);
}

static void meet_and_maybe_die_as_it_meets_again(void)
{
    meet();
    doomed[1] = true;
    maybe_die_in(meet);
}

static void abort_it(void)
{
    urd_barrier_abort(&common.barrier);
}

static void reset_and_meet(void)
{
    urd_barrier_reset(&common.barrier);
    meet();
}

/* It finds nobody waiting, not even itself. */
static void meet_alone(void)
{
    int rc = urd_barrier_wait(&common.barrier);
    explore_assert(rc == -EPIPE || rc == -ECANCELED);
    explore_assert(urd_barrier_waiting(&common.barrier) == 0);
}

/* Who sleeps is woken for nothing, and may find that it was cancelled. */
static void nudge_and_abort(void)
{
    while (urd__load_acq(&watchers) == 0)
        explore_yield();
    wake_any(&common.barrier.lock, 1);
    urd_barrier_abort(&common.barrier);
}

static void meet_in_the_end(void)
{
    for (;;) {
        int rc = urd_barrier_wait(&common.barrier);
        explore_assert(rc == 0 || rc == 1 || rc == -EPIPE);
        if (rc == -EPIPE)
            continue;
        explore_ghost_add(&last, rc);
        explore_ghost_add(&passed, 1);
        return;
    }
}

static void meet_or_forget(void)
{
    int rc = urd_barrier_wait(&common.barrier);
    explore_assert(rc == 0 || rc == 1 || rc == -EOWNERDEAD);
    if (rc == -EOWNERDEAD) {
        urd_barrier_reset(&common.barrier);
        explore_assert(!urd_barrier_broken(&common.barrier));
    }
}

static void all_met(void)
{
    explore_assert(passed == 4 && last == 2 && urd_barrier_waiting(&common.barrier) == 0);
}

static void three_met(void)
{
    explore_assert(passed == 3 && last == 1);
}

static void met_or_broken(void)
{
    explore_assert(passed + broken == 2 && last <= 1 && passed == 2 * last);
    explore_assert(urd_barrier_broken(&common.barrier));
}

/* Nobody waits for ever for the dead; and the living all come to the same. */
static void met_or_told(void)
{
    explore_assert(passed + told >= 2);
    explore_assert(told == 0 || urd_barrier_broken(&common.barrier));
}

static void met_twice_or_told(void)
{
    explore_assert(told == 0 ? passed >= 2 : urd_barrier_broken(&common.barrier));
}

static void both_met(void)
{
    explore_assert(passed == 2 && last == 1);
}

/* That nobody sleeps for ever is the explorer's to see. */
static void nothing_more(void)
{
}

const struct explore_model explore_models[] = {
    {.name = "two_signals_reach_two",
     .setup = setup,
     .threads = {consume, consume, produce_two},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = both_got_one},
    {.name = "a_broadcast_reaches_all",
     .setup = setup,
     .threads = {consume, consume, produce_for_all},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = both_got_one},
    {.name = "a_cancelled_waiter_takes_no_signal_along",
     .setup = setup_cancelled,
     .threads = {look_and_signal, look_and_signal, produce},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = nothing_more},
    {.name = "a_waiter_that_dies_takes_no_signal_along",
     .setup = setup_doomed,
     .threads = {consume, consume_and_maybe_die, produce_two, zygote},
     .stale_reads = 1,
     .random = 2 * SAMPLES,
     .finish = the_living_got_one},
    {.name = "who_dies_as_he_signals_leaves_nobody_asleep",
     .setup = setup_doomed,
     .threads = {consume, produce_and_maybe_die, zygote, produce},
     .stale_reads = 1,
     .random = 2 * SAMPLES,
     .finish = it_got_one_if_there_was},
    {.name = "two_meet_twice",
     .setup = setup,
     .threads = {meet_twice, meet_twice},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_met},
    {.name = "three_meet",
     .setup = setup_three,
     .threads = {meet, meet, meet},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = three_met},
    {.name = "an_abort_reaches_all",
     .setup = setup,
     .threads = {meet, meet, abort_it},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = met_or_broken},
    {.name = "who_is_cancelled_does_not_count",
     .setup = setup_cancelled,
     .threads = {meet_alone, nudge_and_abort},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = nothing_more},
    {.name = "a_reset_sends_away_who_waits",
     .setup = setup,
     .threads = {meet_in_the_end, reset_and_meet},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = both_met},
    {.name = "a_reset_forgets_the_dead",
     .setup = setup_doomed,
     .threads = {meet_or_forget, meet_and_maybe_die, zygote},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = nothing_more},
    {.name = "a_death_reaches_all_who_wait",
     .setup = setup_three_doomed,
     .threads = {meet, meet_and_maybe_die, meet, zygote},
     .stale_reads = 1,
     .random = 2 * SAMPLES,
     .finish = met_or_told},
    {.name = "who_met_before_and_died_is_not_waited_for",
     .setup = setup,
     .threads = {meet_twice, meet_and_maybe_die_as_it_meets_again, zygote},
     .stale_reads = 1,
     .random = 2 * SAMPLES,
     .finish = met_twice_or_told},
    {.name = NULL},
};
