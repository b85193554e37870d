/*
 * rmutex.c - a mutex that its holder may lock again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "runs.h"

enum { JOBS = 6, TIMES = 20, DEPTH = 4 };

static urd_rmutex lock;
static long counter; /* under lock */
static int inside;   /* atomic */

static void go_in(int depth)
{
    CHECK_EQ(depth % 2 ? urd_rmutex_trylock(&lock) : urd_rmutex_lock(&lock), 0);
    if (depth < DEPTH)
        go_in(depth + 1);
    else
        counter++;
    urd_rmutex_unlock(&lock);
}

static int add(void *arg)
{
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        CHECK_EQ(urd_rmutex_lock(&lock), 0);
        CHECK_EQ(urd__add_ar(&inside, 1), 0);
        go_in(1);
        CHECK_EQ(urd_yield(), 0);
        urd__sub_ar(&inside, 1);
        urd_rmutex_unlock(&lock);
    }
    return 0;
}

static int tasks_and_threads(void *arg)
{
    (void)arg;
    counter = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < JOBS; i++)
        urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, add, NULL, 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(counter, JOBS * TIMES);
    CHECK_EQ(urd_rmutex_trylock(&lock), 0);
    urd_rmutex_unlock(&lock);
    return 0;
}

TEST(its_holder_goes_in_again_and_the_others_wait)
{
    run_seeds(20, tasks_and_threads);
    CHECK_EQ(add(NULL), 0); /* without a runtime */
}

static int is_busy(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_rmutex_trylock(&lock), -EAGAIN);
    return 0;
}

static int locked_until_the_last_unlock(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_rmutex_lock(&lock), 0);
    CHECK_EQ(urd_rmutex_lock(&lock), 0);
    urd_rmutex_unlock(&lock);
    urd_spawn(&s, URD_THREAD, is_busy, NULL, 0);
    CHECK_EQ(urd_scope_wait(&s), 0);
    urd_scope_cancel(&s, -EIO);
    CHECK_EQ(urd_rmutex_lock(&lock), -ECANCELED); /* also for its holder */
    urd_rmutex_unlock(&lock);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    return 0;
}

TEST(it_is_free_after_as_many_unlocks_as_locks)
{
    run_seeds(5, locked_until_the_last_unlock);
}

static int lock_it(void *arg)
{
    (void)arg;
    return urd_rmutex_lock(&lock);
}

static int by_a_job_that_is_joined(void *arg)
{
    (void)arg;
    urd_scope s;
    CHECK_EQ(urd_rmutex_lock(&lock), 0);
    urd_scope_open(&s);
    urd_go(&s, lock_it, NULL);
    return urd_scope_join(&s);
}

static void joined(void)
{
    test_run(by_a_job_that_is_joined);
}

static int unlock_it(void *arg)
{
    (void)arg;
    urd_rmutex_unlock(&lock);
    return 0;
}

static void unlock_a_free_one(void)
{
    test_run(unlock_it);
}

TEST(misuse_aborts_with_a_message)
{
    CHECK_ABORTS(joined, "urd_rmutex: a job that waits for this one holds the lock");
    CHECK_ABORTS(unlock_a_free_one, "urd_rmutex_unlock: the lock is not held");
}
