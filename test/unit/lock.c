/*
 * lock.c - the spinning lock: one holder at a time, also with more threads than processors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/lock.h"

#include <pthread.h>
#include <sched.h>

#include "test.h"

enum { THREADS = 4, ROUNDS = 20000 };

static struct {
    int lock;
    long count; /* under lock */
    int inside; /* under lock */
} shared;

TEST(a_held_lock_is_not_taken_by_trying)
{
    int lock = 0;
    CHECK(urd__trylock(&lock));
    CHECK(!urd__trylock(&lock));
    urd__unlock(&lock);
    urd__lock(&lock);
    CHECK(!urd__trylock(&lock));
    urd__unlock(&lock);
    CHECK(urd__trylock(&lock));
}

TEST(the_contended_path_takes_a_lock_that_is_free)
{
    int lock = 0;
    urd__lock_slow(&lock);
    CHECK(!urd__trylock(&lock));
    urd__unlock(&lock);
}

static void *count_up(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        urd__lock(&shared.lock);
        CHECK_EQ(shared.inside++, 0);
        shared.count++;
        if (i % 512 == 0) /* lose the processor while holding it */
            sched_yield();
        shared.inside--;
        urd__unlock(&shared.lock);
    }
    return NULL;
}

static void run_threads(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(shared.count, (long)THREADS * ROUNDS);
}

TEST(threads_that_count_under_the_lock_lose_no_count)
{
    run_threads();
}

TEST(on_one_processor_the_waiter_lets_the_holder_run)
{
    cpu_set_t all, one;
    CHECK_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    run_threads();
}
