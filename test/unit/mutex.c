/*
 * mutex.c - exclusion between tasks and threads, service in order, cancels, misuse.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>

#include "base/atomic.h"
#include "core/task.h"
#include "core/worker.h"
#include "runs.h"
#include "sync/mutex.h"

static urd_mutex mutex;
static long counter; /* not atomic: the mutex guards it */
static int inside;   /* atomic */

static void lock_and_add(int times)
{
    for (int i = 0; i < times; i++) {
        CHECK_EQ(urd_mutex_lock(&mutex), 0);
        CHECK_EQ(urd__add_ar(&inside, 1), 0);
        long now = counter;
        if (i % 4 == 0)
            CHECK_EQ(urd_yield(), 0);
        counter = now + 1;
        urd__sub_ar(&inside, 1);
        urd_mutex_unlock(&mutex);
    }
}

enum { JOBS = 6, TIMES = 40 };

static int adds(void *arg)
{
    (void)arg;
    lock_and_add(TIMES);
    return 0;
}

static int tasks_and_threads(void *arg)
{
    (void)arg;
    counter = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < JOBS; i++)
        CHECK_EQ(urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, adds, NULL, 0), 0);
    lock_and_add(TIMES);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(counter, (JOBS + 1) * TIMES);
    CHECK_EQ(urd_mutex_trylock(&mutex), 0);
    urd_mutex_unlock(&mutex);
    return 0;
}

TEST(one_at_a_time_among_tasks_and_threads)
{
    run_seeds(40, tasks_and_threads);
}

static void *adds_in_a_thread(void *arg)
{
    adds(arg);
    return NULL;
}

static int with_foreign_threads(void *arg)
{
    (void)arg;
    counter = 0;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, adds_in_a_thread, NULL), 0);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < JOBS; i++)
        urd_go(&s, adds, NULL);
    CHECK_EQ(urd_scope_join(&s), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(counter, (JOBS + 2) * TIMES);
    return 0;
}

TEST(tasks_and_threads_of_the_program_share_a_mutex)
{
    TEST_SEEDS(20)
    {
        run_real(1, with_foreign_threads);
        run_real(WORKERS, with_foreign_threads);
    }
}

TEST(threads_need_no_runtime_for_a_mutex)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, adds_in_a_thread, NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(counter, 4 * TIMES);
}

/* ---- Order ----------------------------------------------------------------------------------- */

enum { TURNS = 10 };
static int order[TURNS], next;

static int lock_in_turn(void *arg)
{
    int turn = *(const int *)arg;
    CHECK_EQ(urd_sleep(turn + 1), 0);
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    order[next++] = turn;
    CHECK_EQ(urd_yield(), 0);
    urd_mutex_unlock(&mutex);
    return 0;
}

static int in_order(void *arg)
{
    (void)arg;
    int turns[TURNS];
    next = 0;
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < TURNS; i++) {
        turns[i] = i;
        urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, lock_in_turn, &turns[i], 0);
    }
    CHECK_EQ(urd_sleep(100), 0);
    CHECK_EQ(next, 0);
    urd_mutex_unlock(&mutex);
    CHECK_EQ(urd_scope_join(&s), 0);
    for (int i = 0; i < TURNS; i++)
        CHECK_EQ(order[i], i);
    return 0;
}

TEST(waiters_are_served_in_the_order_in_which_they_came)
{
    run_seeds(30, in_order);
}

/* ---- Nobody starves -------------------------------------------------------------------------- */

enum { OVERTAKEN_MAX = 4 }; /* as the manual says */

static struct {
    urd_time held; /* so long each time */
    int rounds;    /* atomic: times that the hog has unlocked */
    int enough;    /* atomic */
} hog;

static int lock_again_and_again(void *arg)
{
    (void)arg;
    while (!urd__load_acq(&hog.enough)) {
        CHECK_EQ(urd_mutex_lock(&mutex), 0);
        CHECK_EQ(urd_sleep(hog.held), 0); /* whoever waits comes as far as he gets */
        urd__add_ar(&hog.rounds, 1);
        urd_mutex_unlock(&mutex);
    }
    return 0;
}

static int lock_beside_the_hog(void *arg)
{
    (void)arg;
    int before = urd__load_acq(&hog.rounds);
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    urd__store_rel(&hog.enough, 1);
    CHECK_LE(urd__load_acq(&hog.rounds) - before, hog.held < URD_MS ? OVERTAKEN_MAX + 1 : 2);
    urd_mutex_unlock(&mutex);
    return 0;
}

static int nobody_starves(void *arg)
{
    hog.held = *(urd_time *)arg;
    hog.rounds = hog.enough = 0;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, lock_again_and_again, NULL);
    CHECK_EQ(urd_sleep(1), 0);
    CHECK_EQ(urd_spawn(&s, URD_TASK, lock_beside_the_hog, NULL, 0), 0);
    CHECK_EQ(urd_scope_wait(&s), 0);
    urd__store_rel(&hog.enough, 0);
    urd_go(&s, lock_again_and_again, NULL);
    CHECK_EQ(urd_sleep(1), 0);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, lock_beside_the_hog, NULL, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

static int short_sections(void *arg)
{
    (void)arg;
    urd_time held = 10; /* the waiter comes in the middle */
    return nobody_starves(&held);
}

static int long_sections(void *arg)
{
    (void)arg;
    urd_time held = URD_MS;
    return nobody_starves(&held);
}

TEST(a_waiter_is_overtaken_four_times_and_then_given_the_mutex)
{
    run_seeds(20, short_sections);
}

TEST(a_waiter_of_a_millisecond_is_given_the_mutex)
{
    run_seeds(20, long_sections);
}

static int who_unlocks_may_lock_again(void *arg)
{
    (void)arg;
    int turn = 0;
    next = 0;
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, lock_in_turn, &turn);
    CHECK_EQ(urd_sleep(2), 0);
    urd_mutex_unlock(&mutex);
    CHECK_EQ(urd_mutex_trylock(&mutex), 0); /* while the waiter is on his way */
    CHECK_EQ(next, 0);
    urd_mutex_unlock(&mutex);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(next, 1);
    return 0;
}

static int overtake_the_second(void *unused)
{
    (void)unused;
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    CHECK_EQ(urd_mutex_trylock(&mutex), -EAGAIN);
    urd_mutex_unlock(&mutex);
    CHECK_EQ(urd_mutex_trylock(&mutex), 0); /* the next one is the first since just now */
    CHECK_EQ(next, 0);
    urd_mutex_unlock(&mutex);
    return 0;
}

static int crowd_waits(void *unused)
{
    (void)unused;
    int turn = 0;
    next = 0;
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, overtake_the_second, NULL);
    CHECK_EQ(urd_sleep(1), 0);
    urd_go(&s, lock_in_turn, &turn);
    CHECK_EQ(urd_sleep(2 * URD_MS), 0);
    urd_mutex_unlock(&mutex);
    CHECK_EQ(urd_mutex_trylock(&mutex), -EAGAIN); /* it was given to the first */
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(next, 1);
    return 0;
}

TEST(of_a_crowd_that_waits_for_a_millisecond_only_the_first_is_given_the_mutex)
{
    test_run(crowd_waits);
}

TEST(who_runs_may_overtake_a_waiter_on_his_way)
{
    test_run(who_unlocks_may_lock_again);
}

static int try_it(void *arg)
{
    CHECK_EQ(urd_mutex_trylock(&mutex), *(const int *)arg);
    if (*(const int *)arg == 0)
        urd_mutex_unlock(&mutex);
    return 0;
}

static int trylock(void *arg)
{
    (void)arg;
    static int busy = -EAGAIN, free = 0;
    urd_scope s;
    CHECK_EQ(urd_mutex_trylock(&mutex), 0);
    CHECK_EQ(urd_mutex_trylock(&mutex), -EAGAIN); /* by the holder, too */
    urd_scope_open(&s);
    urd_go(&s, try_it, &busy);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, try_it, &busy, 0), 0);
    CHECK_EQ(urd_scope_wait(&s), 0);
    urd_mutex_unlock(&mutex);
    urd_go(&s, try_it, &free);
    CHECK_EQ(urd_scope_wait(&s), 0);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, try_it, &free, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

static int owner_is_known(void *arg)
{
    (void)arg;
    CHECK_PTR(urd__mutex_owner(&mutex), NULL);
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    CHECK_PTR(urd__mutex_owner(&mutex), urd__task_self());
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, adds, NULL);
    let_others_run(); /* it waits now */
    CHECK_PTR(urd__mutex_owner(&mutex), urd__task_self());
    urd_mutex_unlock(&mutex);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_PTR(urd__mutex_owner(&mutex), NULL);
    return 0;
}

TEST(a_report_can_find_the_owner)
{
    run_seeds(10, owner_is_known);
}

TEST(trylock_takes_a_free_mutex_and_says_EAGAIN_otherwise)
{
    run_seeds(20, trylock);
}

/* ---- Cancels --------------------------------------------------------------------------------- */

static int lock_cancelled(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_mutex_lock(&mutex), -ECANCELED);
    return 0;
}

static int lock_once(void *arg)
{
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    ++*(int *)arg;
    urd_mutex_unlock(&mutex);
    return 0;
}

static int leave_queue(void *arg)
{
    (void)arg;
    int locked = 0;
    urd_scope stays, s;
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    urd_scope_open(&stays);
    urd_scope_open(&s);
    urd_go(&s, lock_cancelled, NULL);
    urd_spawn(&s, URD_THREAD, lock_cancelled, NULL, 0);
    let_others_run();
    urd_go(&stays, lock_once, &locked);
    let_others_run();
    urd_scope_cancel(&s, -EIO);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    urd_mutex_unlock(&mutex);
    CHECK_EQ(urd_scope_join(&stays), 0);
    CHECK_EQ(locked, 1);

    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    urd_scope_open(&s);
    urd_go(&s, lock_cancelled, NULL);
    let_others_run();
    urd_scope_cancel(&s, -EIO);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    urd_mutex_unlock(&mutex); /* its only waiter has left */
    CHECK_EQ(urd_mutex_trylock(&mutex), 0);
    urd_mutex_unlock(&mutex);
    return 0;
}

TEST(a_cancelled_waiter_leaves_the_queue)
{
    run_seeds(30, leave_queue);
}

static int lock_or_not(void *arg)
{
    urd_time *when = arg;
    int rc = urd_sleep_until(*when);
    if (rc == 0)
        rc = urd_mutex_lock(&mutex);
    if (rc == 0) {
        CHECK_EQ(urd__add_ar(&inside, 1), 0);
        urd_yield();
        urd__sub_ar(&inside, 1);
        urd_mutex_unlock(&mutex);
    }
    return rc;
}

static int cancelled_on_the_way(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_time when = urd_now() + 5;
    urd_scope_open(&s);
    urd_scope_deadline(&s, when);
    for (int i = 0; i < JOBS; i++)
        urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, lock_or_not, &when, 0);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    CHECK_EQ(urd_mutex_trylock(&mutex), 0);
    urd_mutex_unlock(&mutex);
    return 0;
}

TEST(a_hand_over_and_a_cancel_at_once_leave_the_mutex_free)
{
    run_seeds(200, cancelled_on_the_way);
}

/* ---- Misuse ---------------------------------------------------------------------------------- */

static int unlock_it(void *arg)
{
    (void)arg;
    urd_mutex_unlock(&mutex);
    return 0;
}

static int by_a_stranger(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn_at(&s, URD_THREAD, unlock_it, NULL, 0, "stranger.c:1"), 0);
    return urd_scope_join(&s);
}

static void unlock_by_a_stranger(void)
{
    test_run(by_a_stranger);
}

static void unlock_of_a_free_one(void)
{
    test_run(unlock_it);
}

static int lock_twice(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    return urd_mutex_lock(&mutex);
}

static void relock(void)
{
    test_run(lock_twice);
}

static void relock_by_a_thread(void)
{
    lock_twice(NULL);
}

TEST(unlock_by_a_stranger_aborts_naming_the_job)
{
    CHECK_ABORTS(unlock_by_a_stranger, "urd_mutex_unlock: the lock is held by another");
    CHECK_ABORTS(unlock_by_a_stranger, "started at stranger.c:1");
    CHECK_ABORTS(unlock_of_a_free_one, "urd_mutex_unlock: the lock is not held");
}

TEST(locking_a_mutex_that_one_holds_aborts)
{
    CHECK_ABORTS(relock, "urd_mutex_lock: the caller holds this lock already");
    CHECK_ABORTS(relock_by_a_thread, "urd_mutex_lock: the caller holds this lock already");
}
