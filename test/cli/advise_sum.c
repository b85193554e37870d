/*
 * advise_sum.c - threads' time added up, with times that were chosen.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "advise/advise.h"
#include "test.h"
#include "urd.h"

static urd__watched w;
static urd__process process;
static urd__thread a = {.process = &process}, b = {.process = &process};

static const double ms = 1e6;

static void begin(void)
{
    memset(&w, 0, sizeof w);
    urd__sum_begin(&w, 1000 * URD_MS);
    a.from = b.from = w.begun;
}

/* A thread does one thing until a time, in ms since the begin. */
static void does(urd__thread *thread, urd__state state, int until_ms)
{
    double in[STATES] = {0};
    int64_t until = w.begun + until_ms * URD_MS;
    in[state] = (double)(until - thread->from);
    urd__sum_add(&w, thread, until, in);
}

static urd__sum end(int at_ms)
{
    urd__sum whole;
    w.ended = w.begun + at_ms * URD_MS;
    urd__sum_close(&w, INT64_MAX);
    urd__sum_whole(&w, &whole);
    return whole;
}

TEST(time_stays_what_it_is)
{
    begin();
    does(&a, STATE_RUN, 13);
    does(&a, STATE_NET, 87);
    does(&b, STATE_TIMER, 100);
    urd__sum whole = end(100);
    CHECK_EQ(whole.span, 100 * ms);
    CHECK_EQ(whole.in[STATE_RUN], 13 * ms);
    CHECK_EQ(whole.in[STATE_NET], 74 * ms);
    CHECK_EQ(whole.in[STATE_TIMER], 100 * ms);
    CHECK_EQ(whole.active, 13 * ms);
    CHECK_EQ(whole.ran, 13 * ms);
    CHECK_EQ(a.in[STATE_NET], 74 * ms);
    CHECK_EQ(process.in[STATE_RUN], 13 * ms);
}

TEST(a_process_has_a_sum_of_its_own)
{
    static urd__process other;
    urd__process *both[] = {&process, &other};
    urd__thread alone = {.process = &other};
    begin();
    process = other = (urd__process){0};
    w.processes = both;
    w.process_count = 2;
    alone.from = w.begun;
    urd__sum_slot_process(&w, &process, w.begun); /* a and b overlap */
    does(&a, STATE_RUN, 40);
    does(&b, STATE_RUN, 60);
    does(&a, STATE_NET, 100);
    does(&b, STATE_NET, 100);
    does(&alone, STATE_READY, 30);
    does(&alone, STATE_TIMER, 100);
    end(100);
    CHECK_EQ(process.sum.span, 100 * ms);
    CHECK_EQ(process.sum.active, 60 * ms);
    CHECK_EQ(process.sum.alone, 20 * ms);
    CHECK_EQ(process.sum.wait[STATE_NET], 40 * ms);
    CHECK_EQ(other.sum.span, 100 * ms);
    CHECK_EQ(other.sum.active, 30 * ms);
    CHECK_EQ(other.sum.ran, 0);
    CHECK_EQ(other.sum.wait[STATE_TIMER], 70 * ms);
    free(process.slots);
    process = other = (urd__process){0};
}

TEST(what_was_waited_for_unseen_has_run)
{
    begin();
    does(&a, STATE_RUN, 20);
    does(&a, STATE_JOIN, 100);
    end(100);
    w.tree_cpu = 30 * URD_MS; /* 10 ms in 80 of waiting: whatever it is, it does not compute */
    urd__sum_unseen(&w);
    urd__sum whole;
    urd__sum_whole(&w, &whole);
    CHECK_EQ(whole.wait[STATE_JOIN], 80 * ms);
    w.tree_cpu = 60 * URD_MS; /* 40 ms: half of it ran, and the rest had no core */
    urd__sum_unseen(&w);
    urd__sum_whole(&w, &whole);
    CHECK_EQ(whole.active, 100 * ms);
    CHECK_EQ(whole.ran, 60 * ms);
    CHECK_EQ(whole.in[STATE_RUN], 60 * ms);
    CHECK_EQ(whole.wait[STATE_JOIN], 0);
}

TEST(a_socket_beside_a_timer_is_what_the_whole_waits_for)
{
    begin();
    does(&a, STATE_NET, 50);
    does(&b, STATE_TIMER, 100);
    urd__sum whole = end(100);
    CHECK_EQ(whole.wait[STATE_NET], 50 * ms);
    CHECK_EQ(whole.wait[STATE_TIMER], 50 * ms);
}

TEST(who_waits_for_his_own_says_nothing_of_the_whole)
{
    begin();
    does(&a, STATE_JOIN, 100);
    does(&b, STATE_WORK, 100);
    urd__sum whole = end(100);
    CHECK_EQ(whole.wait[STATE_WORK], 100 * ms);
    CHECK_EQ(whole.wait[STATE_JOIN], 0);
}

TEST(threads_of_a_runtime_do_not_count_for_what_is_waited_for)
{
    begin();
    a.service = true;
    does(&a, STATE_TIMER, 100);
    does(&b, STATE_WORK, 100);
    urd__sum whole = end(100);
    CHECK_EQ(whole.in[STATE_TIMER], 100 * ms);
    CHECK_EQ(whole.wait[STATE_WORK], 100 * ms);
}

TEST(two_at_once_are_not_alone)
{
    begin();
    does(&a, STATE_RUN, 50);
    does(&a, STATE_WORK, 100);
    does(&b, STATE_WORK, 30);
    does(&b, STATE_RUN, 60);
    does(&b, STATE_WORK, 100);
    urd__sum whole = end(100);
    CHECK_EQ(whole.active, 60 * ms);
    CHECK_EQ(whole.alone, 40 * ms); /* 0 to 30, and 50 to 60 */
}

TEST(ready_is_active_but_did_not_run)
{
    begin();
    does(&a, STATE_READY, 80);
    does(&a, STATE_RUN, 100);
    urd__sum whole = end(100);
    CHECK_EQ(whole.active, 100 * ms);
    CHECK_EQ(whole.ran, 20 * ms);
}

TEST(many_windows_fold_into_fewer_and_lose_nothing)
{
    begin();
    static double line[LINES_MAX * STATES];
    a.line = line;
    w.thread_count = 1;
    static urd__thread *threads[] = {&a};
    w.threads = threads;
    for (int at = 400; at <= 20000; at += 400) { /* 2000 slots in 512 windows */
        does(&a, at % 800 ? STATE_RUN : STATE_DISK, at);
        urd__sum_close(&w, w.begun + at * URD_MS);
    }
    urd__sum whole = end(20000);
    CHECK_LE(w.window_count, WINDOWS_MAX);
    CHECK_EQ(whole.span, 20000 * ms);
    CHECK_EQ(whole.active, 10000 * ms);
    CHECK_EQ(whole.wait[STATE_DISK], 10000 * ms);
    double drawn = 0;
    for (int i = 0; i < LINES_MAX * STATES; i++)
        drawn += line[i];
    CHECK_EQ((drawn + 0.5) / ms, 20000);
    w.threads = NULL;
}

TEST(the_last_slot_is_as_long_as_the_watch)
{
    begin();
    does(&a, STATE_RUN, 5);
    urd__sum whole = end(5);
    CHECK_EQ(whole.span, 5 * ms);
    CHECK_EQ(whole.active, 5 * ms);
    CHECK_EQ(w.window_count, 1);
}
