/*
 * park.c - idle workers sleep, nobody is woken too late, and virtual time moves when all wait.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#include "base/atomic.h"
#include "runs.h"

/* ---- Virtual time ---------------------------------------------------------------------------- */

static int thread_steps(void *arg)
{
    urd_time start = urd_now();
    for (int i = 1; i <= 20; i++) {
        CHECK_EQ(urd_sleep(*(const int *)arg), 0);
        CHECK_EQ(urd_now(), start + (urd_time)i * *(const int *)arg);
    }
    return 0;
}

static int one_clock(void *arg)
{
    (void)arg;
    static int steps[] = {7, 11, 13, 17};
    urd_time start = urd_now();
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 4; i++)
        for (int kind = URD_TASK; kind <= URD_THREAD; kind++)
            CHECK_EQ(urd_spawn(&s, (urd_kind)kind, thread_steps, &steps[i], 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_now(), start + 20 * 17);
    return 0;
}

TEST(tasks_and_threads_live_by_one_virtual_clock)
{
    run_seeds(30, one_clock);
}

static bool working; /* atomic */

static int works_long(void *arg)
{
    urd__store_rel(&working, true);
    for (int i = 0; i < 100; i++)
        sched_yield(); /* busy, as far as the clock is concerned */
    CHECK_EQ(urd_now(), *(const urd_time *)arg);
    urd__store_rel(&working, false);
    return 0;
}

static int clock_stands(void *arg)
{
    (void)arg;
    urd_time start = urd_now();
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, works_long, &start, 0), 0);
    CHECK_EQ(urd_sleep(5), 0);
    CHECK(!urd__load_acq(&working)); /* the time came when it had ended */
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(the_virtual_clock_stands_while_a_thread_job_works)
{
    run_seeds(10, clock_stands);
}

static int nap_and_count(void *arg)
{
    CHECK_EQ(urd_sleep(5), 0);
    ++*(int *)arg;
    return 0;
}

static int with_processes(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        int count = 0;
        urd_time start = urd_now();
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, URD_PROCESS, nap_and_count, &count, sizeof count), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(count, 1);
        CHECK_EQ(urd_now(), start); /* a process has a clock of its own */
    }
    return 0;
}

TEST(the_virtual_clock_stands_while_a_process_job_runs)
{
    for (int workers = 1; workers <= 2; workers++) {
        urd_config config = {.workers = workers, .virtual_clock = true};
        test_run_with(&config, with_processes, NULL);
    }
}

static int waits_for_nothing(void *arg)
{
    urd_event never = {0};
    urd_scope s;
    urd_scope_open(&s);
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++)
        urd_spawn(&s, (urd_kind)kind, wait_for_ever, NULL, 0);
    CHECK_EQ(urd_event_wait(&never), 0);
    return arg ? 0 : urd_scope_join(&s);
}

static void deadlock_of_one(void)
{
    test_run(waits_for_nothing);
}

static void deadlock_of_three(void)
{
    test_run_workers(WORKERS, waits_for_nothing);
}

static void check_deadlock(void (*fn)(void))
{
    struct test_child child;
    test_fork(&child, fn);
    CHECK_EQ(child.code, URD_EXIT_DEADLOCK);
    CHECK_CONTAINS(child.err, "urd: deadlock: every job waits, and no timer is set");
}

TEST(a_virtual_deadlock_is_reported)
{
    check_deadlock(deadlock_of_one);
    check_deadlock(deadlock_of_three);
}

/* ---- Wakes ----------------------------------------------------------------------------------- */

typedef struct ball {
    urd_chan to, fro;
} ball;

static int return_ball(void *arg)
{
    ball *b = arg;
    int v;
    while (urd_chan_recv(&b->to, &v) == 0)
        CHECK_EQ(urd_chan_send(&b->fro, &v), 0);
    return 0;
}

/* Everybody sleeps in between, again and again, so a lost wake hangs. */
static int many_wakes(void *arg)
{
    (void)arg;
    int rounds = test_under_slow_tool() ? 200 : 2000;
    ball b;
    urd_chan_init(&b.to, sizeof(int), NULL, 0);
    urd_chan_init(&b.fro, sizeof(int), NULL, 0);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(urd_spawn(&s, i ? URD_TASK : URD_THREAD, return_ball, &b, 0), 0);
    for (int i = 0, v; i < rounds; i++) {
        CHECK_EQ(urd_chan_send(&b.to, &i), 0);
        CHECK_EQ(urd_chan_recv(&b.fro, &v), 0);
        CHECK_EQ(v, i);
    }
    urd_chan_close(&b.to);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(no_wake_is_lost_among_workers_and_threads)
{
    for (int workers = 1; workers <= 4; workers++)
        run_real(workers, many_wakes);
}

static int wakes_by_spawn(void *arg)
{
    (void)arg;
    int rounds = test_under_slow_tool() ? 200 : 2000;
    for (int i = 0; i < rounds; i++) {
        urd_event e = {0};
        urd_job j;
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_job_open(&j, &s, URD_TASK, wait_for_ever, NULL, 0, NULL), 0);
        urd_scope_deadline(&s, urd_now() + URD_US * (i % 8));
        CHECK_EQ(urd_job_join(&j) < 0 ? 0 : 1, 0);
        CHECK_EQ(urd_event_wait(&e), -ECANCELED);
        CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    }
    return 0;
}

TEST(no_deadline_is_missed_as_workers_go_to_sleep)
{
    run_real(1, wakes_by_spawn);
    run_real(2, wakes_by_spawn);
}

typedef struct early {
    urd_scope *scope;
    urd_event go_on;
} early;

static int move_it_earlier(void *arg)
{
    early *e = arg;
    CHECK_EQ(urd_event_wait(&e->go_on), 0);
    urd_scope_deadline(e->scope, urd_now() + URD_US * 20);
    return 0;
}

/* The worker may be about to sleep until the later time. */
static int earlier_by_a_thread(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        urd_scope outer, s;
        early e = {.scope = &s};
        urd_scope_open(&outer);
        urd_scope_open(&s);
        urd_scope_deadline(&s, urd_now() + URD_SECOND * 3600);
        CHECK_EQ(urd_spawn(&outer, URD_THREAD, move_it_earlier, &e, 0), 0);
        urd_event_set(&e.go_on);
        CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
        CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
        CHECK_EQ(urd_scope_join(&outer), 0);
    }
    return 0;
}

TEST(a_deadline_moved_earlier_by_a_thread_wakes_the_worker)
{
    run_real(1, earlier_by_a_thread);
    run_real(2, earlier_by_a_thread);
}

static int bit_of_everything(void *arg)
{
    CHECK_EQ(many_wakes(arg), 0);
    return wakes_by_spawn(arg);
}

TEST(four_workers_on_one_processor_do_not_hang)
{
    cpu_set_t one;
    int cpu = sched_getcpu();
    CHECK_GE(cpu, 0);
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    urd_about about;
    urd_about_get(&about);
    CHECK_EQ(about.workers, 1);
    run_real(4, bit_of_everything);
    test_run_workers(4, one_clock);
    run_real(0, bit_of_everything);
}

/* ---- Whom a worker wakes --------------------------------------------------------------------- */

static cpu_set_t allowed;
static bool begun; /* atomic */

static void check_mask(void)
{
    cpu_set_t mask;
    CHECK_EQ(sched_getaffinity(0, sizeof mask, &mask), 0);
    CHECK(CPU_EQUAL(&mask, &allowed));
}

static int begins(void *arg)
{
    (void)arg;
    check_mask();
    urd__store_rel(&begun, true);
    return 0;
}

static int wakes_and_computes(void *arg)
{
    (void)arg;
    enum { WAKES = 40 };
    for (int i = 0; i < WAKES; i++) {
        CHECK_EQ(urd_sleep(i % 2 ? URD_MS / 2 : 2 * URD_MS), 0); /* the others sleep, too */
        urd__store_rel(&begun, false);
        urd_scope s;
        urd_scope_open(&s);
        urd_go(&s, begins, NULL);
        while (!urd__load_acq(&begun))
            sched_yield(); /* only another worker can begin it */
        CHECK_EQ(urd_scope_join(&s), 0);
        check_mask();
    }
    return 0;
}

TEST(who_is_woken_to_help_may_run_on_every_processor_again)
{
    CHECK_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    run_real(3, wakes_and_computes);
    check_mask();
}

/* ---- Idle ------------------------------------------------------------------------------------ */

static int64_t cpu_used(void)
{
    struct rusage u;
    CHECK_EQ(getrusage(RUSAGE_SELF, &u), 0);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * URD_SECOND +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * URD_US;
}

static void *wait_a_while(void *arg)
{
    enum { SETTLE_MS = 20, WAIT_MS = 300 };
    poll(NULL, 0, SETTLE_MS); /* until the workers sleep */
    int64_t before = cpu_used();
    poll(NULL, 0, WAIT_MS);
    int64_t used = cpu_used() - before;
    CHECK_LT(used, 10 * URD_MS);
    urd_event_set(arg);
    return NULL;
}

static int idle(void *arg)
{
    (void)arg;
    urd_event e = {0};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, wait_a_while, &e), 0);
    urd_scope s;
    urd_scope_open(&s);
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++)
        CHECK_EQ(urd_spawn(&s, (urd_kind)kind, wait_for_ever, NULL, 0), 0);
    CHECK_EQ(urd_event_wait(&e), 0);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

TEST(an_idle_program_uses_no_processor)
{
    if (test_under_slow_tool())
        SKIP("the tool itself uses it");
    run_real(4, idle);
}
