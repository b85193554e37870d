/*
 * event.c - every schedule of a set beside waits, a clear, and a waiter that frees the event.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model_core.h"

#include "sync/event.c"

enum { SAMPLES = 8000 };

static urd_event event;
static int told;      /* plain: written before the set, read after the wait */
static int cancelled; /* waits */

static void setup(void)
{
    core_setup();
    event = (urd_event){0};
    told = cancelled = 0;
}

static void set(void)
{
    told = 1;
    urd_event_set(&event);
}

static void set_and_clear(void)
{
    told = 1;
    urd_event_set(&event);
    urd_event_clear(&event);
}

static void wait_for_it(void)
{
    int rc = urd_event_wait(&event);
    explore_assert(rc == 0 || rc == -ECANCELED);
    if (rc)
        explore_ghost_add(&cancelled, 1);
    else
        explore_assert(told == 1);
}

static void wait_and_free(void)
{
    wait_for_it();
    leave(&event, sizeof event);
}

static void look_and_free(void)
{
    while (!urd__event_passed(&event))
        explore_yield();
    explore_assert(told == 1);
    leave(&event, sizeof event);
}

static void look(void)
{
    while (!urd_event_is_set(&event))
        explore_yield();
    explore_assert(told == 1);
}

static void cancel_scope(void)
{
    urd_scope_cancel(&scope, -ECANCELED);
}

static void nobody_waits(void)
{
    core_finish();
    explore_assert(urd__list_empty(&event.waiters));
}

static void all_were_told(void)
{
    nobody_waits();
    explore_assert(cancelled == 0);
}

const struct explore_model explore_models[] = {
    {.name = "a_set_beside_two_waits",
     .setup = setup,
     .threads = {set, wait_for_it, wait_for_it},
     .random = SAMPLES,
     .finish = all_were_told},
    {.name = "a_set_beside_a_wait",
     .setup = setup,
     .threads = {set, wait_for_it},
     .stale_reads = 1,
     .finish = all_were_told},
    {.name = "who_has_waited_frees_it",
     .setup = setup,
     .threads = {set, wait_and_free},
     .stale_reads = 1,
     .finish = core_finish},
    {.name = "who_has_looked_frees_it",
     .setup = setup,
     .threads = {set, look_and_free},
     .stale_reads = 1,
     .finish = core_finish},
    {.name = "who_looks_sees_what_came_before_the_set",
     .setup = setup,
     .threads = {set, look},
     .stale_reads = 1,
     .finish = core_finish},
    {.name = "a_wait_is_cancelled_beside_a_set_and_a_clear",
     .setup = setup,
     .threads = {wait_for_it, set_and_clear, cancel_scope},
     .thread_names = {"waiter", "setter", "canceller"},
     .finish = nobody_waits},
    {.name = NULL},
};
