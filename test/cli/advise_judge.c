/*
 * advise_judge.c - the judge of urd advise, on numbers that were chosen.
 *
 * SPDX-License-Identifier: MIT
 */
#include "advise/advise.h"
#include "test.h"

/* One second on two cores, in which one native thread does nothing but compute. */
static urd__facts computes(void)
{
    urd__facts f = {.cores = 2,
                    .processes = 1,
                    .threads = 1,
                    .computing = 1,
                    .largest = 1,
                    .touched_rate = -1,
                    .cache_bytes = 8e6};
    f.sum = (urd__sum){.span = 1e9, .active = 1e9, .ran = 1e9, .alone = 1e9};
    f.sum.in[STATE_RUN] = 1e9;
    return f;
}

/* The same second spent in waiting, but for so much. */
static urd__facts waits(urd__state state, double active)
{
    urd__facts f = computes();
    f.sum.active = f.sum.ran = f.sum.alone = f.sum.in[STATE_RUN] = active * 1e9;
    f.sum.in[state] = f.sum.wait[state] = (1 - active) * 1e9;
    return f;
}

static void check(const urd__facts *f, urd__nature nature, urd__fit fit)
{
    urd__opinion o = urd__judge(f);
    CHECK_STR(urd__nature_word(o.nature), urd__nature_word(nature));
    CHECK_STR(urd__fit_word(o.fit), urd__fit_word(fit));
}

TEST(one_thread_that_computes_fits_threads)
{
    urd__facts f = computes();
    check(&f, NATURE_CPU, FIT_THREADS);
    urd__opinion o = urd__judge(&f);
    CHECK_EQ(o.speedup_here * 10, 20);
    CHECK_EQ(o.speedup_more * 10, 80); /* 8 cores: four times those there are */
}

TEST(in_a_language_with_one_running_thread_it_fits_processes)
{
    urd__facts f = computes();
    f.language = LANGUAGE_PYTHON;
    check(&f, NATURE_CPU, FIT_PROCESSES);
    f.language = LANGUAGE_NODE;
    check(&f, NATURE_CPU, FIT_PROCESSES);
    f.language = LANGUAGE_GO;
    check(&f, NATURE_CPU, FIT_TASKS);
}

TEST(what_uses_all_cores_is_left_as_it_is)
{
    urd__facts f = computes();
    f.computing = 2;
    f.largest = 0.5;
    f.sum.in[STATE_RUN] = 2e9;
    f.sum.alone = 0;
    check(&f, NATURE_CPU, FIT_AS_IT_IS);
    f = computes();
    f.cores = 1;
    check(&f, NATURE_CPU, FIT_AS_IT_IS);
}

TEST(what_the_processor_counts_goes_before_the_pages_touched)
{
    urd__facts f = computes();
    f.touched_rate = 8e9;
    check(&f, NATURE_MEMORY, FIT_THREADS);
    f.instructions = 2.5; /* a cycle: it hardly waits for its data */
    f.misses = 30;
    check(&f, NATURE_CPU, FIT_THREADS);
    f.instructions = 0.4;
    check(&f, NATURE_MEMORY, FIT_THREADS);
    f.misses = 1; /* slow for another reason */
    check(&f, NATURE_CPU, FIT_THREADS);
}

TEST(time_that_others_had_the_cores_says_nothing)
{
    urd__facts f = waits(STATE_DISK, 0.1);
    f.sum.in[STATE_READY] = 0.5e9; /* active 0.6 of the time, ran 0.1, waited 0.4 */
    f.sum.active = 0.6e9;
    f.sum.wait[STATE_DISK] = 0.4e9;
    check(&f, NATURE_DISK, FIT_THREADS);
    f = computes();
    f.sum.in[STATE_RUN] = f.sum.ran = 0.2e9;
    f.sum.in[STATE_READY] = 0.8e9;
    check(&f, NATURE_CPU, FIT_THREADS);
}

TEST(amdahl_leaves_what_one_thread_did_alone)
{
    urd__facts f = computes();
    f.cores = 2;
    f.computing = 2;
    f.largest = 0.6;
    f.sum.alone = 0.5e9; /* and in the other half both ran: 1.5 s of work in 1 s */
    f.sum.in[STATE_RUN] = 1.5e9;
    urd__opinion o = urd__judge(&f);
    CHECK_EQ(o.nature, NATURE_CPU);
    CHECK_EQ(o.speedup_here * 100, 100); /* 0.5 + 1.0 / 2 = 1.0 */
    CHECK_EQ(o.speedup_more * 100, 160); /* 0.5 + 1.0 / 8 = 0.625 */
}

TEST(each_kind_of_waiting_has_its_verdict)
{
    static const struct {
        urd__state state;
        urd__nature nature;
        urd__fit fit;
    } kinds[] = {{STATE_DISK, NATURE_DISK, FIT_THREADS},
                 {STATE_NET, NATURE_NET, FIT_TASKS},
                 {STATE_PIPE, NATURE_PIPE, FIT_TASKS},
                 {STATE_TIMER, NATURE_TIMER, FIT_TASKS},
                 {STATE_TERMINAL, NATURE_TERMINAL, FIT_AS_IT_IS},
                 {STATE_FAULT, NATURE_FAULT, FIT_AS_IT_IS},
                 {STATE_JOIN, NATURE_CHILD, FIT_AS_IT_IS},
                 {STATE_WORK, NATURE_IDLE, FIT_AS_IT_IS},
                 {STATE_STOPPED, NATURE_STOPPED, FIT_AS_IT_IS},
                 {STATE_UNKNOWN, NATURE_UNKNOWN, FIT_NONE}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        urd__facts f = waits(kinds[i].state, 0.02);
        check(&f, kinds[i].nature, kinds[i].fit);
    }
}

TEST(waits_in_an_event_loop_overlap_already)
{
    urd__facts f = waits(STATE_NET, 0.1);
    f.loop = true;
    check(&f, NATURE_NET, FIT_AS_IT_IS);
    f.sum.ran = f.sum.active = f.sum.in[STATE_RUN] = 0.5e9; /* half full */
    f.sum.wait[STATE_NET] = 0.5e9;
    check(&f, NATURE_MIXED, FIT_AS_IT_IS);
}

TEST(half_and_half_is_mixed)
{
    urd__facts f = waits(STATE_NET, 0.5);
    check(&f, NATURE_MIXED, FIT_TASKS);
    f = waits(STATE_DISK, 0.5);
    check(&f, NATURE_MIXED, FIT_THREADS);
    f = waits(STATE_WORK, 0.5); /* the rest of the time nobody wants anything of it */
    check(&f, NATURE_MIXED, FIT_THREADS);
}

/* Four threads of which one runs at a time, the others in a state. */
static urd__facts one_of_four(urd__state state)
{
    urd__facts f = computes();
    f.threads = f.computing = 4;
    f.largest = 0.25;
    f.sum.in[state] = 3e9;
    return f;
}

TEST(a_line_for_a_lock_is_contention)
{
    urd__facts f = one_of_four(STATE_LOCK);
    check(&f, NATURE_LOCK, FIT_PROCESSES);
    CHECK_EQ(urd__judge(&f).lock_share * 100, 75);
    CHECK_EQ(urd__judge(&f).speedup_here, 2);
    CHECK_EQ(urd__judge(&f).speedup_more, 4); /* there are no more than four of them */
    f = one_of_four(STATE_GIL);
    check(&f, NATURE_GIL, FIT_PROCESSES);
}

TEST(a_line_does_not_matter_where_all_cores_are_used_all_the_same)
{
    urd__facts f = one_of_four(STATE_LOCK);
    f.sum.in[STATE_RUN] = 2e9;
    f.sum.in[STATE_LOCK] = 2e9;
    f.sum.alone = 0;
    check(&f, NATURE_CPU, FIT_AS_IT_IS);
}

TEST(an_idle_pool_is_no_contention)
{
    urd__facts f = waits(STATE_WORK, 0.01);
    f.threads = 17;
    f.sum.in[STATE_WORK] = 16e9;
    check(&f, NATURE_IDLE, FIT_AS_IT_IS);
}

TEST(threads_that_compute_one_at_a_time_take_turns)
{
    urd__facts f = one_of_four(STATE_WORK);
    f.turns = 0.75;
    f.switches_rate = 500;
    check(&f, NATURE_TURNS, FIT_PROCESSES);
    f.sum.in[STATE_READY] = 0.9e9; /* others have the cores: they seem to want more than one */
    check(&f, NATURE_TURNS, FIT_PROCESSES);
    f.sum.in[STATE_READY] = 0;
    f.parallel = 1.9; /* they wait, but run at once all the same: a pipeline */
    check(&f, NATURE_CPU, FIT_THREADS);
    f.parallel = 1;
    f.switches_rate = 2; /* one after the other: that is a sequence */
    check(&f, NATURE_CPU, FIT_THREADS);
    f.switches_rate = 500;
    f.language = LANGUAGE_GO; /* one goroutine on several threads */
    check(&f, NATURE_CPU, FIT_TASKS);
    f.language = LANGUAGE_NATIVE;
    f.largest = 0.95; /* one computes, the others do little */
    check(&f, NATURE_CPU, FIT_THREADS);
}

TEST(a_lock_held_while_waiting_is_contention_too)
{
    urd__facts f = waits(STATE_TIMER, 0.01);
    f.sum.in[STATE_LOCK] = 3e9;
    check(&f, NATURE_LOCK, FIT_PROCESSES);
}

TEST(running_through_much_memory_is_told_from_arithmetic)
{
    urd__facts f = computes();
    f.touched_rate = 7e9;
    check(&f, NATURE_MEMORY, FIT_THREADS);
    f.touched_rate = 5e8;
    check(&f, NATURE_CPU, FIT_THREADS);
    f.touched_rate = 3e9;
    f.cache_bytes = 400e6; /* it all fits */
    check(&f, NATURE_CPU, FIT_THREADS);
}

TEST(what_ended_at_once_is_not_judged)
{
    urd__facts f = computes();
    f.sum.span = 5e6;
    check(&f, NATURE_SHORT, FIT_NONE);
}
