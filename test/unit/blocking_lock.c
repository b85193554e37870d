/*
 * blocking_lock.c - mutexes and conditions of POSIX between tasks, and between tasks and threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "blocked.h"

enum { TASKS = 8, ROUNDS = 50 };

typedef struct guarded {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int inside, done, ready;
} guarded;

static void open_mutex(guarded *g, int kind)
{
    pthread_mutexattr_t attr;
    *g = (guarded){.cond = PTHREAD_COND_INITIALIZER};
    CHECK_EQ(pthread_mutexattr_init(&attr), 0);
    CHECK_EQ(pthread_mutexattr_settype(&attr, kind), 0);
    CHECK_EQ(pthread_mutex_init(&g->mutex, &attr), 0);
    CHECK_EQ(pthread_mutexattr_destroy(&attr), 0);
}

/* ---- Mutexes --------------------------------------------------------------------------------- */

/* Holds it while it waits, as a library does that reads a socket under its own lock. */
static int hold_and_wait(void *arg)
{
    guarded *g = arg;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(pthread_mutex_lock(&g->mutex), 0);
        CHECK_EQ(g->inside++, 0);
        CHECK_EQ(i % 5 ? urd_yield() : usleep(10), 0);
        CHECK_EQ(--g->inside, 0);
        g->done++;
        CHECK_EQ(pthread_mutex_unlock(&g->mutex), 0);
    }
    return 0;
}

static int exclude_each_other(void *arg)
{
    (void)arg;
    static const int kinds[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
                                PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};
    for (int kind = 0; kind < 4; kind++) {
        guarded g;
        urd_scope s;
        open_mutex(&g, kinds[kind]);
        urd_scope_open(&s);
        for (int i = 0; i < TASKS; i++)
            CHECK_EQ(urd_go(&s, hold_and_wait, &g), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(g.done, TASKS * ROUNDS);
        CHECK_EQ(pthread_mutex_destroy(&g.mutex), 0);
    }
    return 0;
}

TEST(tasks_of_one_worker_exclude_each_other_while_they_wait)
{
    run_blocked(exclude_each_other);
}

static int count_up(void *arg)
{
    guarded *g = arg;
    for (int i = 0; i < 20 * ROUNDS; i++) {
        CHECK_EQ(pthread_mutex_lock(&g->mutex), 0);
        CHECK_EQ(g->inside++, 0);
        CHECK_EQ(--g->inside, 0);
        g->done++;
        CHECK_EQ(pthread_mutex_unlock(&g->mutex), 0);
    }
    return 0;
}

static int with_threads(void *arg)
{
    (void)arg;
    guarded g;
    urd_scope s;
    open_mutex(&g, PTHREAD_MUTEX_NORMAL);
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, count_up, &g, 0), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(urd_go(&s, count_up, &g), 0);
        CHECK_EQ(urd_go(&s, hold_and_wait, &g), 0);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(g.done, 3 * 20 * ROUNDS + 2 * ROUNDS);
    return 0;
}

TEST(tasks_and_threads_exclude_each_other)
{
    run_blocked_really(with_threads);
}

static int try_it(void *arg)
{
    guarded *g = arg;
    CHECK_EQ(pthread_mutex_trylock(&g->mutex), EBUSY);
    g->ready = pthread_mutex_unlock(&g->mutex);
    return 0;
}

static int wait_not(void *unused)
{
    (void)unused;
    return 0;
}

static int owners(void *arg)
{
    (void)arg;
    guarded g;
    open_mutex(&g, PTHREAD_MUTEX_RECURSIVE);
    CHECK_EQ(pthread_mutex_lock(&g.mutex), 0);
    CHECK_EQ(pthread_mutex_trylock(&g.mutex), 0);
    together(try_it, wait_not, &g);
    CHECK_EQ(g.ready, EPERM);
    CHECK_EQ(pthread_mutex_unlock(&g.mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&g.mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&g.mutex), EPERM);
    open_mutex(&g, PTHREAD_MUTEX_ERRORCHECK);
    CHECK_EQ(pthread_mutex_lock(&g.mutex), 0);
    CHECK_EQ(pthread_mutex_lock(&g.mutex), EDEADLK);
    CHECK_EQ(pthread_mutex_trylock(&g.mutex), EBUSY);
    CHECK_EQ(pthread_mutex_unlock(&g.mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&g.mutex), EPERM);
    return 0;
}

TEST(a_mutex_that_knows_its_owner_knows_the_task)
{
    run_blocked(owners);
}

static int unlock_later(void *arg)
{
    guarded *g = arg;
    CHECK_EQ(usleep(3000000), 0);
    g->done = 1;
    CHECK_EQ(pthread_mutex_unlock(&g->mutex), 0);
    return 0;
}

static int lock_only(void *arg)
{
    guarded *g = arg;
    CHECK_EQ(pthread_mutex_lock(&g->mutex), 0);
    CHECK_EQ(g->done, 1);
    return pthread_mutex_unlock(&g->mutex);
}

static int lock_cancelled(void *arg)
{
    (void)arg;
    guarded g;
    urd_scope s;
    open_mutex(&g, PTHREAD_MUTEX_NORMAL);
    urd_scope_open(&s);
    CHECK_EQ(pthread_mutex_lock(&g.mutex), 0);
    CHECK_EQ(urd_go(&s, unlock_later, &g), 0);
    CHECK_EQ(cancelled_after_1s(lock_only, &g), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(to_lock_is_not_cut_short_by_a_cancel)
{
    run_blocked(lock_cancelled);
}

static int lock_in_time(void *arg)
{
    guarded *g = arg;
    struct timespec now, wrong = {.tv_nsec = -1};
    clock_gettime(CLOCK_MONOTONIC, &now);
    urd_time before = urd_now();
    now.tv_sec++;
    CHECK_EQ(pthread_mutex_clocklock(&g->mutex, CLOCK_MONOTONIC, &now), ETIMEDOUT);
    CHECK_GT(urd_now(), before + URD_SECOND / 2);
    CHECK_EQ(pthread_mutex_timedlock(&g->mutex, &wrong), EINVAL);
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += 60;
    CHECK_EQ(pthread_mutex_timedlock(&g->mutex, &now), 0);
    CHECK_EQ(g->done, 1);
    return pthread_mutex_unlock(&g->mutex);
}

static int lock_timed(void *arg)
{
    (void)arg;
    guarded g;
    struct timespec past = {.tv_sec = 1};
    urd_scope s;
    open_mutex(&g, PTHREAD_MUTEX_RECURSIVE);
    CHECK_EQ(pthread_mutex_timedlock(&g.mutex, &past), 0); /* it is free */
    CHECK_EQ(pthread_mutex_timedlock(&g.mutex, &past), 0);
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, lock_in_time, &g), 0);
    CHECK_EQ(usleep(3000000), 0);
    g.done = 1;
    CHECK_EQ(pthread_mutex_unlock(&g.mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&g.mutex), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(a_mutex_is_waited_for_until_a_time)
{
    run_blocked(lock_timed);
}

/* ---- Conditions ------------------------------------------------------------------------------ */

static int wait_until_ready(void *arg)
{
    guarded *g = arg;
    CHECK_EQ(pthread_mutex_lock(&g->mutex), 0);
    while (!g->ready)
        CHECK_EQ(pthread_cond_wait(&g->cond, &g->mutex), 0);
    g->done++;
    CHECK_EQ(pthread_mutex_unlock(&g->mutex), 0);
    return 0;
}

static int make_ready(void *arg)
{
    guarded *g = arg;
    CHECK_EQ(urd_sleep(URD_MS), 0);
    CHECK_EQ(pthread_mutex_lock(&g->mutex), 0);
    g->ready = 1;
    CHECK_EQ(pthread_mutex_unlock(&g->mutex), 0);
    CHECK_EQ(pthread_cond_broadcast(&g->cond), 0);
    return 0;
}

static int waits_for_a_condition(void *arg)
{
    (void)arg;
    static const urd_kind kinds[] = {URD_TASK, URD_THREAD};
    for (int kind = 0; kind < 4; kind++) {
        guarded g;
        urd_scope s;
        open_mutex(&g, PTHREAD_MUTEX_NORMAL);
        urd_scope_open(&s);
        for (int i = 0; i < TASKS; i++)
            CHECK_EQ(urd_spawn(&s, kinds[i % 2 && kind / 2], wait_until_ready, &g, 0), 0);
        CHECK_EQ(urd_spawn(&s, kinds[kind % 2], make_ready, &g, 0), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(g.done, TASKS);
    }
    return 0;
}

TEST(tasks_and_threads_wait_for_a_condition)
{
    run_blocked_really(waits_for_a_condition);
}

static int give_turns(void *arg)
{
    guarded *g = arg;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(pthread_mutex_lock(&g->mutex), 0);
        while (g->ready)
            CHECK_EQ(pthread_cond_wait(&g->cond, &g->mutex), 0);
        g->ready = 1;
        CHECK_EQ(pthread_cond_signal(&g->cond), 0);
        CHECK_EQ(pthread_mutex_unlock(&g->mutex), 0);
    }
    return 0;
}

static int take_turns(void *arg)
{
    guarded *g = arg;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(pthread_mutex_lock(&g->mutex), 0);
        while (!g->ready)
            CHECK_EQ(pthread_cond_wait(&g->cond, &g->mutex), 0);
        g->ready = 0;
        CHECK_EQ(pthread_cond_signal(&g->cond), 0);
        CHECK_EQ(pthread_mutex_unlock(&g->mutex), 0);
    }
    return 0;
}

static int turns(void *arg)
{
    (void)arg;
    for (int kind = 0; kind < 2; kind++) {
        guarded g;
        urd_scope s;
        open_mutex(&g, kind ? PTHREAD_MUTEX_ERRORCHECK : PTHREAD_MUTEX_NORMAL);
        urd_scope_open(&s);
        CHECK_EQ(urd_go(&s, give_turns, &g), 0);
        CHECK_EQ(urd_go(&s, take_turns, &g), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
    }
    return 0;
}

TEST(a_signal_wakes_one)
{
    run_blocked(turns);
}

/* In virtual time; the condition's clock is the machine's, so by how much is not asked. */
static int times_out(void *arg)
{
    guarded g;
    pthread_condattr_t attr;
    struct timespec when;
    (void)arg;
    open_mutex(&g, PTHREAD_MUTEX_NORMAL);
    CHECK_EQ(pthread_mutex_lock(&g.mutex), 0);
    CHECK_EQ(clock_gettime(CLOCK_REALTIME, &when), 0);
    when.tv_sec += 100;
    CHECK_EQ(pthread_cond_timedwait(&g.cond, &g.mutex, &when), ETIMEDOUT);
    CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &when), 0);
    when.tv_sec += 100;
    CHECK_EQ(pthread_cond_clockwait(&g.cond, &g.mutex, CLOCK_MONOTONIC, &when), ETIMEDOUT);
    CHECK_EQ(pthread_condattr_init(&attr), 0);
    CHECK_EQ(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), 0);
    CHECK_EQ(pthread_cond_init(&g.cond, &attr), 0);
    urd_time before = urd_now();
    CHECK_EQ(pthread_cond_timedwait(&g.cond, &g.mutex, &when), ETIMEDOUT);
    CHECK_LE(urd_now() - before, 100 * URD_SECOND);
    CHECK_EQ(pthread_mutex_trylock(&g.mutex), EBUSY); /* it is held again */
    CHECK_EQ(pthread_mutex_unlock(&g.mutex), 0);
    return 0;
}

TEST(a_condition_is_waited_for_by_its_clock)
{
    run_blocked(times_out);
}

static int wait_cancelled(void *arg)
{
    guarded *g = arg;
    CHECK_EQ(pthread_mutex_lock(&g->mutex), 0);
    int rc = pthread_cond_wait(&g->cond, &g->mutex);
    CHECK_EQ(pthread_cond_wait(&g->cond, &g->mutex), ECANCELED); /* and others run meanwhile */
    CHECK_EQ(pthread_mutex_trylock(&g->mutex), EBUSY);
    CHECK_EQ(pthread_mutex_unlock(&g->mutex), 0);
    return rc;
}

static int cancels(void *arg)
{
    (void)arg;
    guarded g;
    open_mutex(&g, PTHREAD_MUTEX_NORMAL);
    CHECK_EQ(cancelled_after_1s(wait_cancelled, &g), ECANCELED);
    CHECK_EQ(pthread_cond_signal(&g.cond), 0);
    return 0;
}

TEST(a_cancelled_wait_says_ECANCELED_and_holds_the_mutex)
{
    run_blocked(cancels);
}
