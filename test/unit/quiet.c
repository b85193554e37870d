/*
 * quiet.c - a deadlock is reported, and what only looks like one is not.
 *
 * SPDX-License-Identifier: MIT
 *
 * By the machine's clock.  Where nothing must be reported a program stands still for longer than it
 * takes to report it, and then goes on.
 */
#include "watch/quiet.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#include "watched.h"

enum { LONG_MS = 180 };

static void run_as(urd_deadlock how, int workers, urd_fn *fn, bool processes)
{
    urd_config config = {.workers = workers,
                         .deadlock = how,
                         .processes = processes ? URD_PROCESSES_ZYGOTE : URD_PROCESSES_NONE};
    test_run_with(&config, fn, NULL);
}

/* Tools have threads of their own in the program, which nobody can tell from its own. */
static urd_deadlock surest(void)
{
    return test_under_slow_tool() ? URD_DEADLOCK_STRICT : URD_DEADLOCK_SURE;
}

static struct test_child child;

static void check_report(void (*fn)(void))
{
    test_fork(&child, fn);
    CHECK_EQ(child.code, URD_EXIT_DEADLOCK);
    CHECK_EQ(strncmp(child.err, "urd: deadlock: every job waits", 30), 0);
    CHECK_CONTAINS(child.err, "scope of urd_run\n");
}

static int two_locks(void *arg)
{
    open_locks_and_channel();
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, takes_a, arg);
    urd_go(&s, takes_b, arg);
    return urd_scope_join(&s);
}

static void two_locks_on_one(void)
{
    printf("said before");
    run_as(surest(), 1, two_locks, false);
}

TEST(two_locks_taken_in_two_orders_are_reported_with_their_holders)
{
    check_report(two_locks_on_one);
    CHECK_CONTAINS(child.err, "a ring of locks: nobody in it can go on\n");
    const char *first = strstr(child.err, "waits for mutex 0x");
    CHECK(first && strstr(first, "held by job "));
    first = strstr(first + 1, "waits for mutex 0x");
    CHECK(first && strstr(first, "held by job "));
    if (!test_under_slow_tool())
        CHECK_STR(child.out, "said before");
}

static int task_and_thread(void *arg)
{
    open_locks_and_channel();
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, receives, arg);
    urd_spawn(&s, URD_THREAD, receives, arg, 0);
    return urd_scope_join(&s);
}

static void nobody_sends(void)
{
    run_as(surest(), WORKERS, task_and_thread, false);
}

TEST(a_channel_that_nobody_sends_on_is_reported)
{
    check_report(nobody_sends);
    CHECK_CONTAINS(child.err, "(thread, started at ");
    CHECK_CONTAINS(child.err, "waits for a value from channel 0x");
}

/* ---- Processes ------------------------------------------------------------------------------- */

static int ends_as_deadlock(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_job j;
    CHECK_EQ(urd_job_open(&j, &s, URD_PROCESS, two_locks, NULL, 0, NULL), 0);
    CHECK_EQ(urd_job_join(&j), -ECHILD);
    urd_exit how;
    urd_job_exit(&j, &how);
    CHECK_EQ(how.code, URD_EXIT_DEADLOCK);
    CHECK_STR(how.detail, "deadlock: each of its jobs waited for another");
    CHECK_EQ(urd_scope_join(&s), -ECHILD);
    return 0;
}

static void process_alone(void)
{
    run_as(surest(), 1, ends_as_deadlock, true);
}

TEST(a_process_job_reports_its_own_and_its_join_says_so)
{
    if (test_under_slow_tool())
        SKIP("a tool may not bear a thread that starts in a fork");
    test_fork(&child, process_alone);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "urd: deadlock: every job waits");
}

static int takes_long(void *arg)
{
    (void)arg;
    poll(NULL, 0, LONG_MS);
    return 0;
}

static int waits_for_process(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, takes_long, arg, 0), 0);
    return urd_scope_join(&s);
}

TEST(a_process_that_runs_is_no_deadlock)
{
    run_as(URD_DEADLOCK_STRICT, 2, waits_for_process, true);
}

/* ---- What is none ---------------------------------------------------------------------------- */

static int sets_late(void *arg)
{
    CHECK_EQ(urd_sleep(LONG_MS * URD_MS), 0);
    urd_event_set(arg);
    return 0;
}

static int waits_for_timer(void *arg)
{
    urd_event e = {0};
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, arg ? URD_THREAD : URD_TASK, sets_late, &e, 0);
    CHECK_EQ(urd_event_wait(&e), 0);
    return urd_scope_join(&s);
}

static int waits_for_thread_timer(void *arg)
{
    (void)arg;
    static int thread;
    return waits_for_timer(&thread);
}

TEST(a_timer_that_is_set_is_no_deadlock)
{
    run_as(URD_DEADLOCK_STRICT, 1, waits_for_timer, false);
    run_as(URD_DEADLOCK_STRICT, 2, waits_for_thread_timer, false);
}

static int works_and_sets(void *arg)
{
    poll(NULL, 0, LONG_MS);
    urd_event_set(arg);
    return 0;
}

static int waits_for_thread(void *arg)
{
    (void)arg;
    urd_event e = {0};
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, works_and_sets, &e, 0), 0);
    CHECK_EQ(urd_event_wait(&e), 0);
    return urd_scope_join(&s);
}

TEST(a_thread_job_that_works_is_no_deadlock)
{
    run_as(URD_DEADLOCK_STRICT, 2, waits_for_thread, false);
}

static void *foreign_sets(void *arg)
{
    works_and_sets(arg);
    return NULL;
}

static int waits_for_foreign(void *arg)
{
    (void)arg;
    urd_event e = {0};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, foreign_sets, &e), 0);
    CHECK_EQ(urd_event_wait(&e), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

TEST(a_thread_of_the_program_may_yet_wake_somebody)
{
    run_as(URD_DEADLOCK_SURE, 2, waits_for_foreign, false);
}

static void foreign_but_strict(void)
{
    run_as(URD_DEADLOCK_STRICT, 2, waits_for_foreign, false);
}

TEST(strictly_threads_of_the_program_wake_nobody)
{
    check_report(foreign_but_strict);
}

static void *foreign_is_silent(void *arg)
{
    poll(NULL, 0, LONG_MS);
    return arg;
}

static int waits_for_nobody(void *arg)
{
    urd_event e = {0};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, foreign_is_silent, arg), 0);
    CHECK_EQ(pthread_detach(thread), 0);
    return urd_event_wait(&e);
}

static void foreign_ends(void)
{
    run_as(URD_DEADLOCK_SURE, 1, waits_for_nobody, false);
}

TEST(a_thread_of_the_program_that_ends_without_a_word_is_noticed)
{
    if (test_under_slow_tool())
        SKIP("the tool has threads of its own");
    check_report(foreign_ends);
}

static urd_scope *to_cancel;

static void *foreign_cancels(void *arg)
{
    poll(NULL, 0, LONG_MS);
    urd_scope_cancel(to_cancel, 0);
    return arg;
}

static int sleeps_until_cancelled(void *arg)
{
    urd_scope s;
    pthread_t thread;
    urd_scope_open(&s);
    to_cancel = &s;
    CHECK_EQ(pthread_create(&thread, NULL, foreign_cancels, arg), 0);
    CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

TEST(who_sleeps_for_ever_means_it)
{
    run_as(URD_DEADLOCK_STRICT, 2, sleeps_until_cancelled, false);
}

TEST(it_may_be_switched_off)
{
    run_as(URD_DEADLOCK_OFF, 2, waits_for_foreign, false);
}

/* ---- The hook -------------------------------------------------------------------------------- */

static urd_event way_out;
static int calls;

static void let_out(const char *report)
{
    calls++;
    CHECK_EQ(strncmp(report, "urd: deadlock: every job waits", 30), 0);
    CHECK_CONTAINS(report, "waits for event 0x");
    urd_event_set(&way_out);
}

static int waits_for_hook(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 2; i++) {
        CHECK_EQ(urd_event_wait(&way_out), 0);
        CHECK_EQ(calls, i);
        urd_event_clear(&way_out);
    }
    return 0;
}

TEST(the_hook_is_called_instead_and_may_wake_somebody)
{
    urd_config config = {.workers = 1,
                         .deadlock = URD_DEADLOCK_STRICT,
                         .on_deadlock = let_out,
                         .processes = URD_PROCESSES_NONE};
    test_run_with(&config, waits_for_hook, NULL);
    config.virtual_clock = true;
    calls = 0;
    test_run_with(&config, waits_for_hook, NULL);
}

static int judges(void *arg)
{
    (void)arg;
    CHECK_EQ(urd__quiet_judge(URD_DEADLOCK_STRICT), URD__MOVES);
    return 0;
}

TEST(a_program_that_runs_moves)
{
    run_as(URD_DEADLOCK_OFF, 1, judges, false);
}
