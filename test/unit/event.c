/*
 * event.c - a set wakes everyone and stays; who waits may be a task or any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/atomic.h"
#include "base/os.h"
#include "forks.h"
#include "runs.h"

static urd_event event;
static int woken;

static int wait_for_it(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_event_wait(&event), 0);
    urd__add_ar(&woken, 1);
    return 0;
}

static int wakes_all(void *arg)
{
    (void)arg;
    memset(&event, 0, sizeof event);
    woken = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 12; i++)
        CHECK_EQ(urd_spawn(&s, i % 4 ? URD_TASK : URD_THREAD, wait_for_it, NULL, 0), 0);
    let_others_run();
    CHECK_EQ(woken, 0);
    CHECK(!urd_event_is_set(&event));
    urd_event_set(&event);
    CHECK(urd_event_is_set(&event));
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(woken, 12);
    return 0;
}

TEST(a_set_wakes_all_who_wait)
{
    run_seeds(40, wakes_all);
}

static int stays(void *arg)
{
    (void)arg;
    memset(&event, 0, sizeof event);
    urd_event_set(&event);
    urd_event_set(&event);
    urd_time start = urd_now();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(urd_event_wait(&event), 0);
    CHECK_EQ(urd_now(), start);
    urd_event_clear(&event);
    CHECK(!urd_event_is_set(&event));
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, start + 10);
    CHECK_EQ(urd_event_wait(&event), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    return 0;
}

TEST(it_stays_set_until_it_is_cleared)
{
    test_run(stays);
}

static int set_later(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_sleep(10), 0);
    urd_event_set(&event);
    urd_event_clear(&event); /* who waited has been woken all the same */
    return 0;
}

static int set_and_clear(void *arg)
{
    (void)arg;
    memset(&event, 0, sizeof event);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 5; i++)
        urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, wait_for_it, NULL, 0);
    urd_spawn(&s, URD_THREAD, set_later, NULL, 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(a_set_that_is_cleared_at_once_has_woken_who_waited)
{
    run_seeds(30, set_and_clear);
}

static int wait_cancelled(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_event_wait(&event), -ECANCELED);
    return 0;
}

static int leave_queue(void *arg)
{
    (void)arg;
    memset(&event, 0, sizeof event);
    woken = 0;
    urd_scope outer, s;
    urd_scope_open(&outer);
    urd_scope_open(&s);
    urd_go(&s, wait_cancelled, NULL);
    urd_spawn(&s, URD_THREAD, wait_cancelled, NULL, 0);
    urd_go(&outer, wait_for_it, NULL);
    let_others_run();
    urd_scope_cancel(&s, -EIO);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    CHECK_EQ(woken, 0);
    urd_event_set(&event);
    CHECK_EQ(urd_scope_join(&outer), 0);
    CHECK_EQ(woken, 1);
    return 0;
}

TEST(a_cancelled_waiter_leaves_the_queue)
{
    run_seeds(30, leave_queue);
}

typedef struct pair {
    urd_event here, there;
} pair;

enum { ROUNDS = 100 };

static int echo(void *arg)
{
    pair *p = arg;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(urd_event_wait(&p->there), 0);
        urd_event_clear(&p->there);
        urd_event_set(&p->here);
    }
    return 0;
}

static void *echo_in_a_thread(void *arg)
{
    echo(arg);
    return NULL;
}

static int ping(void *arg)
{
    pair *p = arg;
    for (int i = 0; i < ROUNDS; i++) {
        urd_event_set(&p->there);
        CHECK_EQ(urd_event_wait(&p->here), 0);
        urd_event_clear(&p->here);
    }
    return 0;
}

static int to_and_fro(void *arg)
{
    (void)arg;
    pair jobs = {0}, thread = {0};
    urd_scope s;
    urd_scope_open(&s);
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        CHECK_EQ(urd_spawn(&s, (urd_kind)kind, echo, &jobs, 0), 0);
        ping(&jobs);
    }
    pthread_t id;
    CHECK_EQ(pthread_create(&id, NULL, echo_in_a_thread, &thread), 0);
    urd_go(&s, ping, &thread);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(pthread_join(id, NULL), 0);
    return 0;
}

TEST(no_set_is_missed_between_tasks_and_threads_of_any_kind)
{
    for (int workers = 1; workers <= WORKERS; workers++)
        run_real(workers, to_and_fro);
}

static void *set_it(void *arg)
{
    (void)arg;
    urd_event_set(&event);
    return NULL;
}

TEST(threads_need_no_runtime_for_an_event)
{
    pthread_t id;
    CHECK_EQ(pthread_create(&id, NULL, set_it, NULL), 0);
    CHECK_EQ(urd_event_wait(&event), 0);
    CHECK_EQ(pthread_join(id, NULL), 0);
}

static int set_given(void *arg)
{
    urd_event_set(arg);
    return 0;
}

/* The sanitizers see who touches what was freed. */
static int free_what_was_set(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < ROUNDS; i++) {
        urd_event *mine = calloc(1, sizeof *mine);
        CHECK(mine != NULL);
        urd_go(&s, set_given, mine);
        urd_op op = urd_op_event(mine);
        CHECK_EQ(i % 2 ? urd_event_wait(mine) : urd_select(&op, 1), 0);
        free(mine);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(who_has_waited_may_free_the_event)
{
    run_real(WORKERS, free_what_was_set);
}

/* ---- Between processes ----------------------------------------------------------------------- */

static void run(urd_fn *fn)
{
    urd_config config = {.workers = 1};
    test_run_with(&config, fn, NULL);
}

static int waits_for(void *arg)
{
    return urd_event_wait(arg);
}

static int sets_and_dies(void *arg)
{
    urd_event_set(arg);
    raise(SIGKILL);
    return 0;
}

static int setter_dies(void *arg)
{
    (void)arg;
    urd_event *e = urd_shared_alloc(sizeof *e);
    urd_scope s, doomed;
    urd_scope_open(&s);
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++)
        CHECK_EQ(urd_spawn(&s, kind, waits_for, e, 0), 0);
    urd_scope_open(&doomed);
    CHECK_EQ(urd_spawn(&doomed, URD_PROCESS, sets_and_dies, e, 0), 0);
    CHECK_EQ(urd_scope_join(&doomed), -ECHILD);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK(urd_event_is_set(e));
    CHECK_EQ(urd_event_wait(e), 0);
    urd_event_set(e);
    CHECK_EQ(urd_event_wait(e), 0);
    urd_event_clear(e);
    CHECK(!urd_event_is_set(e));
    urd_shared_free(e);
    return 0;
}

TEST(what_a_process_set_stays_set_when_it_is_killed)
{
    run(setter_dies);
}

static int to_and_fro_between(void *arg)
{
    (void)arg;
    pair *p = urd_shared_alloc(sizeof *p);
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++) {
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, kind, echo, p, 0), 0);
        ping(p);
        CHECK_EQ(urd_scope_join(&s), 0);
    }
    urd_shared_free(p);
    return 0;
}

TEST(no_set_is_missed_between_processes)
{
    run(to_and_fro_between);
}

static int waiter_is_killed(void *arg)
{
    (void)arg;
    urd_event *e = urd_shared_alloc(sizeof *e);
    urd_scope s;
    urd_job job;
    urd_scope_open(&s);
    CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, waits_for, e, 0, NULL), 0);
    while (urd__load_acq(&e->set) == 0) /* until it is awaited */
        urd__os_yield();
    CHECK_EQ(kill(urd_job_pid(&job), SIGKILL), 0);
    CHECK_EQ(urd_scope_join(&s), -ECHILD);
    CHECK(!urd_event_is_set(e));
    urd_event_set(e);
    CHECK_EQ(urd_event_wait(e), 0);
    urd_shared_free(e);
    return 0;
}

TEST(a_waiter_that_is_killed_leaves_the_event_whole)
{
    run(waiter_is_killed);
}

static int waits_in_vain(void *arg)
{
    CHECK_EQ(urd_event_wait(arg), -ECANCELED);
    return 0;
}

static int cancelled_between(void *arg)
{
    (void)arg;
    urd_event *e = urd_shared_alloc(sizeof *e);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, waits_in_vain, e);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, waits_in_vain, e, 0), 0);
    CHECK_EQ(urd_yield(), 0);
    urd_scope_cancel(&s, -EDOM);
    CHECK_EQ(urd_scope_join(&s), -EDOM);
    urd_shared_free(e);
    return 0;
}

TEST(a_cancel_ends_a_wait_between_processes)
{
    run(cancelled_between);
}

static int selects_it(void *arg)
{
    (void)arg;
    urd_op op = urd_op_event(urd_shared_alloc(sizeof(urd_event)));
    return urd_tryselect(&op, 1);
}

/* The zygote of a program that aborts is ours to reap. */
static void run_selects_it(void)
{
    run(selects_it);
}

TEST(a_select_refuses_an_event_between_processes)
{
    CHECK_ABORTS(run_selects_it, "arm 0 is an event between processes");
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
        ;
}
