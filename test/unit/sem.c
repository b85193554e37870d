/*
 * sem.c - semaphores: permits, order, bounds, cancels.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>

#include "base/atomic.h"
#include "base/os.h"
#include "forks.h"
#include "runs.h"

enum { JOBS = 9, TIMES = 20, PERMITS = 3 };

static urd_sem sem;
static int inside, most; /* atomic */

static int work(void *arg)
{
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        CHECK_EQ(urd_sem_acquire(&sem), 0);
        int now = urd__add_ar(&inside, 1) + 1, before = urd__load_acq(&most);
        while (now > before && !urd__cas_ar(&most, &before, now))
            continue;
        CHECK_EQ(urd_yield(), 0);
        urd__sub_ar(&inside, 1);
        urd_sem_release(&sem, 1);
    }
    return 0;
}

static int tasks_and_threads(void *arg)
{
    (void)arg;
    most = 0;
    urd_sem_init(&sem, PERMITS, PERMITS);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < JOBS; i++)
        urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, work, NULL, 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_LE(most, PERMITS);
    CHECK_EQ(urd_sem_permits(&sem), PERMITS);
    return 0;
}

TEST(no_more_are_inside_than_there_are_permits)
{
    run_seeds(30, tasks_and_threads);
    CHECK_EQ(work(NULL), 0); /* without a runtime */
}

static int order[JOBS], next;

static int acquire_in_turn(void *arg)
{
    CHECK_EQ(urd_sem_acquire(&sem), 0);
    order[urd__add_ar(&next, 1)] = *(const int *)arg;
    return 0;
}

static int in_order(void *arg)
{
    (void)arg;
    int numbers[JOBS];
    next = 0;
    sem = (urd_sem){0}; /* no permits */
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < JOBS; i++) {
        numbers[i] = i;
        urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, acquire_in_turn, &numbers[i], 0);
        let_others_run();
    }
    CHECK_EQ(next, 0);
    urd_sem_release(&sem, 0);
    for (int i = 0; i < 4; i++) {
        urd_sem_release(&sem, 1);
        CHECK_EQ(urd_sem_tryacquire(&sem), -EAGAIN); /* handed over: nobody overtakes */
        let_others_run();
        CHECK_EQ(next, i + 1);
    }
    urd_sem_release(&sem, JOBS - 4 + 2);
    CHECK_EQ(urd_scope_join(&s), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(order[i], i);
    CHECK_EQ(next, JOBS);
    CHECK_EQ(urd_sem_permits(&sem), 2);
    CHECK_EQ(urd_sem_tryacquire(&sem), 0);
    CHECK_EQ(urd_sem_tryacquire(&sem), 0);
    CHECK_EQ(urd_sem_tryacquire(&sem), -EAGAIN);
    return 0;
}

TEST(permits_go_to_waiters_in_the_order_in_which_they_came)
{
    run_seeds(20, in_order);
}

static int acquire_at(void *arg)
{
    int rc = urd_sleep_until(*(const urd_time *)arg);
    if (rc == 0)
        rc = urd_sem_acquire(&sem);
    if (rc == 0) {
        urd_yield();
        urd_sem_release(&sem, 1);
    }
    return rc;
}

static int cancelled_on_the_way(void *arg)
{
    (void)arg;
    urd_time when = urd_now() + 5;
    urd_sem_init(&sem, 1, 1);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, when);
    for (int i = 0; i < JOBS; i++)
        urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, acquire_at, &when, 0);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    CHECK_EQ(urd_sem_permits(&sem), 1);
    return 0;
}

TEST(a_permit_and_a_cancel_at_once_lose_no_permit)
{
    run_seeds(100, cancelled_on_the_way);
}

static int cancelled(void *arg)
{
    (void)arg;
    urd_sem_init(&sem, 1, 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_sem_acquire(&sem), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    CHECK_EQ(urd_sem_permits(&sem), 1);
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_MS);
    CHECK_EQ(urd_sem_acquire(&sem), 0);
    CHECK_EQ(urd_sem_acquire(&sem), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    urd_sem_release(&sem, 2); /* no bound; the waiter has left */
    CHECK_EQ(urd_sem_permits(&sem), 2);
    return 0;
}

TEST(a_cancelled_waiter_takes_no_permit)
{
    run_seeds(10, cancelled);
}

/* ---- Between processes ----------------------------------------------------------------------- */

/* In shared memory. */
typedef struct gate {
    urd_sem sem;
    int inside, most; /* atomic */
} gate;

static void run(urd_fn *fn)
{
    urd_config config = {.workers = 1};
    test_run_with(&config, fn, NULL);
}

static gate *new_gate(long permits)
{
    gate *g = urd_shared_alloc(sizeof *g);
    CHECK(g != NULL);
    urd_sem_init(&g->sem, permits, 0);
    return g;
}

static int goes_in_and_out(void *arg)
{
    gate *g = arg;
    for (int i = 0; i < TIMES; i++) {
        CHECK_EQ(urd_sem_acquire(&g->sem), 0);
        int now = urd__add_ar(&g->inside, 1) + 1, before = urd__load_acq(&g->most);
        while (now > before && !urd__cas_ar(&g->most, &before, now))
            continue;
        CHECK_EQ(urd_yield(), 0);
        urd__sub_ar(&g->inside, 1);
        urd_sem_release(&g->sem, 1);
    }
    return 0;
}

static int all_kinds(void *arg)
{
    (void)arg;
    gate *g = new_gate(2);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 2; i++)
        for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++)
            CHECK_EQ(urd_spawn(&s, kind, goes_in_and_out, g, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_LE(g->most, 2);
    CHECK_EQ(urd_sem_permits(&g->sem), 2);
    urd_shared_free(g);
    return 0;
}

TEST(tasks_threads_and_processes_share_permits)
{
    run(all_kinds);
}

static int takes_one_and_dies(void *arg)
{
    gate *g = arg;
    CHECK_EQ(urd_sem_acquire(&g->sem), 0);
    raise(SIGKILL);
    return 0;
}

static int permit_of_the_dead(void *arg)
{
    (void)arg;
    gate *g = new_gate(1);
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, takes_one_and_dies, g, 0), 0);
    CHECK_EQ(urd_scope_join(&s), -ECHILD);
    CHECK_EQ(urd_sem_permits(&g->sem), 0);
    CHECK_EQ(urd_sem_tryacquire(&g->sem), -EAGAIN);
    urd_sem_release(&g->sem, 1);
    CHECK_EQ(urd_sem_acquire(&g->sem), 0);
    urd_shared_free(g);
    return 0;
}

TEST(a_permit_whose_process_died_is_for_others_to_give_back)
{
    run(permit_of_the_dead);
}

static int acquires(void *arg)
{
    return urd_sem_acquire(&((gate *)arg)->sem);
}

static void wait_for_waiter(const gate *g)
{
    while (urd__load_acq(&g->sem.word) != 1) /* WAITS, and no permit */
        urd__os_yield();
}

/* Killed while it sleeps; a permit that is released then must not be lost with it. */
static int waiter_is_killed(void *arg)
{
    (void)arg;
    gate *g = new_gate(0);
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++) {
        urd_scope s, doomed;
        urd_job job;
        urd_scope_open(&s);
        urd_scope_open(&doomed);
        CHECK_EQ(urd_job_open(&job, &doomed, URD_PROCESS, acquires, g, 0, NULL), 0);
        wait_for_waiter(g);
        CHECK_EQ(kill(urd_job_pid(&job), SIGKILL), 0);
        urd_sem_release(&g->sem, 1);
        CHECK_EQ(urd_scope_join(&doomed), -ECHILD);
        CHECK_EQ(urd_spawn(&s, kind, acquires, g, 0), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(urd_sem_permits(&g->sem), 0);
        g->sem = (urd_sem){0};
    }
    urd_shared_free(g);
    return 0;
}

TEST(a_waiter_that_is_killed_takes_no_permit_along)
{
    run(waiter_is_killed);
}

static int in_vain(void *arg)
{
    CHECK_EQ(acquires(arg), -ECANCELED);
    return 0;
}

static int cancelled_between(void *arg)
{
    (void)arg;
    gate *g = new_gate(0);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, in_vain, g);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, in_vain, g, 0), 0);
    CHECK_EQ(urd_yield(), 0);
    urd_scope_cancel(&s, -EDOM);
    CHECK_EQ(urd_scope_join(&s), -EDOM);
    urd_sem_release(&g->sem, 3);
    CHECK_EQ(urd_sem_permits(&g->sem), 3);
    urd_shared_free(g);
    return 0;
}

TEST(a_cancelled_waiter_between_processes_takes_no_permit)
{
    run(cancelled_between);
}

static void release_too_many(void)
{
    urd_sem_init(&sem, 2, 3);
    urd_sem_release(&sem, 2);
}

static void release_fewer_than_none(void)
{
    urd_sem_release(&sem, -1);
}

static void init_badly(void)
{
    urd_sem_init(&sem, 4, 3);
}

TEST(misuse_aborts_with_a_message)
{
    CHECK_ABORTS(release_too_many, "urd_sem_release: 2 more than 2 free permits, of at most 3");
    CHECK_ABORTS(release_fewer_than_none, "urd_sem_release: -1 more");
    CHECK_ABORTS(init_badly, "urd_sem_init: 4 permits of at most 3");
}
