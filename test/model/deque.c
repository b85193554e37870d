/*
 * deque.c - every schedule of an owner and its thieves: each job is taken by exactly one.
 *
 * SPDX-License-Identifier: MIT
 *
 * The first array has two slots (URD_MODEL), so that a third job makes it grow and every index
 * wraps around.
 */
#include "model_base.h"

#include "core/deque.c"

#include <string.h>

enum { JOBS = 6 };

struct urd__job {
    int number; /* plain: written by who makes the job, read by who takes it */
};

static struct urd__job jobs[JOBS];
static urd__deque deque;
static int made, taken[JOBS];

static void push_number(int number)
{
    jobs[number].number = number;
    explore_assert(urd__deque_push(&deque, &jobs[number]) == 0);
    explore_ghost_add(&made, 1);
}

static void take(const struct urd__job *job)
{
    explore_assert(job >= jobs && job < jobs + JOBS);
    explore_assert(job == &jobs[job->number]);
    explore_assert(explore_ghost_add(&taken[job->number], 1) == 1);
}

static void setup_empty(void)
{
    urd__deque_fenced = false;
    memset(taken, 0, sizeof taken);
    made = 0;
    explore_assert(urd__deque_init(&deque) == 0);
}

static void setup_one(void)
{
    setup_empty();
    push_number(0);
}

static void setup_two(void)
{
    setup_one();
    push_number(1);
}

/* Where the kernel has no barrier. */
static void setup_one_fenced(void)
{
    setup_one();
    urd__deque_fenced = true;
}

static void setup_two_fenced(void)
{
    setup_two();
    urd__deque_fenced = true;
}

/* What is left must be what nobody took. */
static void all_taken_once(void)
{
    for (struct urd__job *job; (job = urd__deque_pop(&deque)) != NULL;)
        take(job);
    int sum = 0;
    for (int i = 0; i < JOBS; i++)
        sum += taken[i];
    explore_assert(sum == made);
    explore_assert(urd__deque_empty(&deque));
}

static void pop_one(void)
{
    const struct urd__job *job = urd__deque_pop(&deque);
    if (job)
        take(job);
}

static void pop_two(void)
{
    pop_one();
    pop_one();
}

static void push_pop_push_pop(void)
{
    push_number(2);
    pop_one();
    push_number(3);
    pop_two();
}

static void push_two_pop_two(void)
{
    push_number(2);
    push_number(3);
    pop_two();
}

static void push_one(void)
{
    push_number(2);
}

static void pop_push_push(void)
{
    pop_one();
    push_number(2);
    push_number(3);
}

static void steal_some(void)
{
    struct urd__job *loot[URD__STEAL_MAX];
    int n = urd__deque_steal(&deque, loot, URD__STEAL_MAX);
    explore_assert(n >= 0 && n <= URD__STEAL_MAX);
    for (int i = 0; i < n; i++)
        take(loot[i]);
}

static void oldest_then_pop(void)
{
    const struct urd__job *job = urd__deque_oldest(&deque, NULL, NULL);
    if (job)
        take(job);
    push_number(2);
    pop_two();
}

static void steal_twice(void)
{
    steal_some();
    steal_some();
}

const struct explore_model explore_models[] = {
    {.name = "the_last_job_goes_to_one",
     .setup = setup_one,
     .threads = {pop_one, steal_some},
     .thread_names = {"owner", "thief"},
     .finish = all_taken_once},
    {.name = "two_jobs_go_to_one_each",
     .setup = setup_two,
     .threads = {pop_two, steal_twice},
     .thread_names = {"owner", "thief"},
     .finish = all_taken_once},
    {.name = "two_thieves_and_an_owner",
     .setup = setup_two,
     .threads = {pop_two, steal_some, steal_some},
     .thread_names = {"owner", "thief", "thief"},
     .finish = all_taken_once},
    {.name = "a_pushed_job_is_whole_when_stolen",
     .setup = setup_empty,
     .threads = {push_one, steal_some},
     .thread_names = {"owner", "thief"},
     .finish = all_taken_once},
    {.name = "a_slot_is_not_written_before_its_thief_has_read_it",
     .setup = setup_two,
     .threads = {pop_push_push, steal_twice},
     .thread_names = {"owner", "thief"},
     .finish = all_taken_once},
    {.name = "push_and_pop_in_turn",
     .setup = setup_one,
     .threads = {push_pop_push_pop, steal_some},
     .thread_names = {"owner", "thief"},
     .finish = all_taken_once},
    {.name = "growth_beside_a_thief",
     .setup = setup_two,
     .threads = {push_two_pop_two, steal_twice},
     .thread_names = {"owner", "thief"},
     .finish = all_taken_once},
    {.name = "growth_beside_two_thieves",
     .setup = setup_two,
     .threads = {push_one, steal_some, steal_some},
     .thread_names = {"owner", "thief", "thief"},
     .finish = all_taken_once},
    {.name = "the_owner_takes_the_oldest_beside_a_thief",
     .setup = setup_one,
     .threads = {oldest_then_pop, steal_some},
     .thread_names = {"owner", "thief"},
     .finish = all_taken_once},
    {.name = "with_fences_the_last_job_goes_to_one",
     .setup = setup_one_fenced,
     .threads = {pop_one, steal_some},
     .thread_names = {"owner", "thief"},
     .finish = all_taken_once},
    {.name = "with_fences_two_jobs_go_to_one_each",
     .setup = setup_two_fenced,
     .threads = {pop_two, steal_twice},
     .thread_names = {"owner", "thief"},
     .finish = all_taken_once},
    {.name = NULL},
};
