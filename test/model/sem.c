/*
 * sem.c - every schedule of processes that share a semaphore, an event or a latch.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each thread is a process.  A doomed one may end as it releases or sets, before what comes after
 * the first step of that; or as it sleeps.
 */
#include "model_death.h"

#undef urd__add_ar
#define urd__add_ar(p, v) (step(), MODEL_RMW("add_ar", p, v, EXPLORE_ADD, EXPLORE_AR))
#define urd__word_wake(word, n) (step(), wake_any(word, n))
#include "sync/event.c"
#include "sync/sem.c"
/* Its own functions of these names. */
#define AWAITED LATCH_AWAITED
#define wait_shared latch_wait_shared
#include "sync/latch.c"
#undef AWAITED
#undef wait_shared

enum { SAMPLES = 2000 };

static struct {
    urd_sem sem;
    urd_event event;
    urd_latch latch;
} common;
static int held, cancelled, passed;
/* `dead` is 1: the doomed one is at its end */

static void setup(void)
{
    death_setup(&common, sizeof common);
    urd_sem_init(&common.sem, 0, 0);
    common.event = (urd_event){0};
    common.latch = (urd_latch){0};
    urd_latch_add(&common.latch, 2);
    held = cancelled = passed = 0;
}

static void setup_one(void)
{
    setup();
    urd_sem_init(&common.sem, 1, 0);
}

static void setup_cancelled(void)
{
    setup();
    may_be_cancelled[0] = true;
}

static void setup_doomed(void)
{
    setup();
    doomed[1] = true;
}

static void acquire(void)
{
    int rc = urd_sem_acquire(&common.sem);
    explore_ghost_add(rc ? &cancelled : &held, 1);
}

static void acquire_and_release(void)
{
    acquire();
    urd_sem_release(&common.sem, 1);
}

static void release_two(void)
{
    urd_sem_release(&common.sem, 2);
}

static void release_one_and_one(void)
{
    urd_sem_release(&common.sem, 1);
    urd_sem_release(&common.sem, 1);
}

static void maybe_die_in(void (*what)(void))
{
    bool died = setjmp(end_of[explore_self()]) != 0;
    if (!died)
        what();
    doomed[explore_self()] = false;
    urd__store_rel(&dead, 1);
    explore_futex_wake(&dead, 1);
}

static void release_one(void)
{
    urd_sem_release(&common.sem, 1);
}

static void release_and_maybe_die(void)
{
    maybe_die_in(release_one);
}

static void acquire_and_maybe_die(void)
{
    maybe_die_in(acquire);
}

static void zygote(void)
{
    while (!urd__load_acq(&dead))
        explore_futex_wait(&dead, 0);
    urd__peers_end(2);
}

static void all_had_it(void)
{
    explore_assert(held == 3 && urd_sem_permits(&common.sem) == 1);
}

static void both_have_one(void)
{
    explore_assert(held == 2 && urd_sem_permits(&common.sem) == 0);
}

static void none_is_lost(void)
{
    explore_assert(held + cancelled == 2);
    explore_assert(urd_sem_permits(&common.sem) == 2 - held);
}

static void it_has_it(void)
{
    explore_assert(held == 1);
}

static void the_living_has_one(void)
{
    /* The dead may have had the other one, and not have said so. */
    explore_assert(held >= 1 && urd_sem_permits(&common.sem) <= 2 - held);
}

static void wait_for_event(void)
{
    explore_assert(urd_event_wait(&common.event) == 0);
    explore_ghost_add(&passed, 1);
}

static void set_event(void)
{
    urd_event_set(&common.event);
}

/* A wait that began before is ended though it is clear again. */
static void set_and_clear(void)
{
    while (urd__load_acq(&watchers) == 0)
        explore_yield();
    urd_event_set(&common.event);
    urd_event_clear(&common.event);
}

static void set_and_maybe_die(void)
{
    maybe_die_in(set_event);
}

static void setup_watched(void)
{
    setup();
    watched = &common.event.set;
}

static void both_passed(void)
{
    explore_assert(passed == 2 && urd_event_is_set(&common.event));
}

static void it_passed(void)
{
    explore_assert(passed == 1);
}

static void wait_for_latch(void)
{
    explore_assert(urd_latch_wait(&common.latch) == 0);
    explore_ghost_add(&passed, 1);
}

static void count_down(void)
{
    urd_latch_done(&common.latch);
}

static void count_down_and_maybe_die(void)
{
    maybe_die_in(count_down);
}

static void both_passed_the_latch(void)
{
    explore_assert(passed == 2 && urd_latch_count(&common.latch) == 0);
}

const struct explore_model explore_models[] = {
    {.name = "three_share_one_permit",
     .setup = setup_one,
     .threads = {acquire_and_release, acquire_and_release, acquire_and_release},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_had_it},
    {.name = "two_permits_at_once_reach_two",
     .setup = setup,
     .threads = {acquire, acquire, release_two},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = both_have_one},
    {.name = "two_permits_in_a_row_reach_two",
     .setup = setup,
     .threads = {acquire, acquire, release_one_and_one},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = both_have_one},
    {.name = "a_cancelled_waiter_hands_its_wake_on",
     .setup = setup_cancelled,
     .threads = {acquire, acquire, release_one_and_one},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = none_is_lost},
    {.name = "who_dies_as_he_releases_leaves_nobody_asleep",
     .setup = setup_doomed,
     .threads = {acquire, release_and_maybe_die, zygote},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = it_has_it},
    {.name = "who_dies_with_its_wake_leaves_the_permit_to_another",
     .setup = setup_doomed,
     .threads = {acquire, acquire_and_maybe_die, release_one_and_one, zygote},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = the_living_has_one},
    {.name = "an_event_reaches_all",
     .setup = setup,
     .threads = {wait_for_event, wait_for_event, set_event},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = both_passed},
    {.name = "an_event_reaches_all_whose_setter_dies",
     .setup = setup_doomed,
     .threads = {wait_for_event, set_and_maybe_die, wait_for_event, zygote},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = both_passed},
    {.name = "a_moment_is_enough",
     .setup = setup_watched,
     .threads = {wait_for_event, set_and_clear},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = it_passed},
    {.name = "a_latch_lets_all_go_on",
     .setup = setup,
     .threads = {wait_for_latch, wait_for_latch, count_down, count_down},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = both_passed_the_latch},
    {.name = "a_latch_whose_last_dies_lets_all_go_on",
     .setup = setup_doomed,
     .threads = {wait_for_latch, count_down_and_maybe_die, wait_for_latch, count_down, zygote},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = both_passed_the_latch},
    {.name = NULL},
};
