/*
 * sample.c - a thread is asked what it does, and goes on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/sample.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "base/os.h"
#include "test.h"

static pid_t number;   /* atomic */
static int may_end;    /* atomic */
static bool block_all; /* set before the thread starts */

static void *spin(void *arg)
{
    sigset_t all;
    sigfillset(&all);
    if (block_all)
        CHECK_EQ(pthread_sigmask(SIG_BLOCK, &all, NULL), 0);
    urd__store_rel(&number, urd__os_thread_id());
    while (!urd__load_acq(&may_end))
        sched_yield(); /* a call into the system, where tools deliver signals too */
    return arg;
}

static pthread_t start(void)
{
    pthread_t thread;
    urd__store_rel(&number, 0);
    urd__store_rel(&may_end, 0);
    CHECK_EQ(pthread_create(&thread, NULL, spin, NULL), 0);
    while (urd__load_acq(&number) == 0)
        sched_yield();
    return thread;
}

static void end(pthread_t thread)
{
    urd__store_rel(&may_end, 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

TEST(a_thread_that_runs_shows_where_it_is)
{
    urd__sample *sample = malloc(sizeof *sample);
    CHECK(sample);
    pthread_t thread = start();
    bool taken = urd__sample_take(NULL, urd__load_acq(&number), sample);
    if (!test_under_slow_tool() && taken) {
        CHECK(sample->pc != 0 && sample->sp != 0);
        CHECK_GT(sample->bytes, 0);
    }
    if (!test_under_slow_tool())
        CHECK(taken);
    end(thread);
    free(sample);
}

TEST(a_thread_that_blocks_signals_does_not_answer_and_nobody_waits_for_ever)
{
    urd__sample *sample = malloc(sizeof *sample);
    CHECK(sample);
    block_all = true;
    pthread_t thread = start();
    CHECK(!urd__sample_take(NULL, urd__load_acq(&number), sample));
    end(thread);
    block_all = false;
    free(sample);
}

TEST(a_thread_that_is_gone_does_not_answer)
{
    urd__sample *sample = malloc(sizeof *sample);
    CHECK(sample);
    CHECK(!urd__sample_take(NULL, 0x7ffffffe, sample));
    free(sample);
}
