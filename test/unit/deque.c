/*
 * deque.c - jobs that have not started: order, halves, growth, and thieves at work.
 *
 * SPDX-License-Identifier: MIT
 *
 * Every schedule of the protocol is visited by test/model/deque.c; here are sizes it cannot reach.
 */
#include "core/deque.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/atomic.h"
#include "test.h"

/* A job is a number here; the deque does not look at it. */
static struct urd__job *job(long number)
{
    return (struct urd__job *)(uintptr_t)number;
}

static void open(urd__deque *d)
{
    CHECK_EQ(urd__deque_init(d), 0);
}

static void push(urd__deque *d, long number)
{
    CHECK_EQ(urd__deque_push(d, job(number)), 0);
}

TEST(an_empty_deque_gives_nothing)
{
    urd__deque d;
    struct urd__job *out[4];
    open(&d);
    CHECK(urd__deque_empty(&d));
    CHECK_PTR(urd__deque_pop(&d), NULL);
    CHECK_PTR(urd__deque_pop(&d), NULL);
    CHECK_EQ(urd__deque_steal(&d, out, 4), 0);
    push(&d, 1);
    CHECK(!urd__deque_empty(&d));
    CHECK_PTR(urd__deque_pop(&d), job(1));
    CHECK(urd__deque_empty(&d));
    urd__deque_fini(&d);
}

TEST(the_owner_takes_the_newest)
{
    urd__deque d;
    open(&d);
    for (long i = 1; i <= 5; i++)
        push(&d, i);
    for (long i = 5; i >= 1; i--)
        CHECK_PTR(urd__deque_pop(&d), job(i));
    CHECK_PTR(urd__deque_pop(&d), NULL);
    urd__deque_fini(&d);
}

TEST(a_thief_takes_the_oldest_half_rounded_up)
{
    urd__deque d;
    struct urd__job *out[8];
    open(&d);
    for (long i = 1; i <= 5; i++)
        push(&d, i);
    CHECK_EQ(urd__deque_steal(&d, out, 8), 3);
    for (long i = 0; i < 3; i++)
        CHECK_PTR(out[i], job(i + 1));
    CHECK_EQ(urd__deque_steal(&d, out, 8), 1);
    CHECK_PTR(out[0], job(4));
    CHECK_EQ(urd__deque_steal(&d, out, 8), 1);
    CHECK_PTR(out[0], job(5));
    CHECK_EQ(urd__deque_steal(&d, out, 8), 0);
    CHECK_PTR(urd__deque_pop(&d), NULL);
    urd__deque_fini(&d);
}

TEST(a_thief_takes_no_more_than_it_asks_for)
{
    urd__deque d;
    struct urd__job *out[3] = {0};
    open(&d);
    for (long i = 1; i <= 100; i++)
        push(&d, i);
    CHECK_EQ(urd__deque_steal(&d, out, 2), 2);
    CHECK_PTR(out[1], job(2));
    CHECK_PTR(out[2], NULL);
    CHECK_EQ(urd__deque_steal(&d, out, 0), 0);
    urd__deque_fini(&d);
}

TEST(a_thief_does_not_wait_for_another)
{
    urd__deque d;
    struct urd__job *out[1];
    open(&d);
    push(&d, 1);
    d.lock = 1;
    CHECK_EQ(urd__deque_steal(&d, out, 1), 0);
    d.lock = 0;
    CHECK_EQ(urd__deque_steal(&d, out, 1), 1);
    urd__deque_fini(&d);
}

static bool is(const struct urd__job *job, const void *what)
{
    return job == what;
}

TEST(the_oldest_stays_where_it_does_not_fit)
{
    urd__deque d;
    open(&d);
    push(&d, 1);
    push(&d, 2);
    CHECK_PTR(urd__deque_oldest(&d, is, job(2)), NULL);
    CHECK_PTR(urd__deque_oldest(&d, is, job(1)), job(1));
    CHECK_PTR(urd__deque_pop(&d), job(2));
    urd__deque_fini(&d);
}

TEST(the_owner_may_take_the_oldest_unless_a_thief_is_at_work)
{
    urd__deque d;
    open(&d);
    CHECK_PTR(urd__deque_oldest(&d, NULL, NULL), NULL);
    for (long i = 1; i <= 3; i++)
        push(&d, i);
    CHECK_PTR(urd__deque_oldest(&d, NULL, NULL), job(1));
    d.lock = 1;
    CHECK_PTR(urd__deque_oldest(&d, NULL, NULL), NULL);
    d.lock = 0;
    CHECK_PTR(urd__deque_pop(&d), job(3));
    CHECK_PTR(urd__deque_oldest(&d, NULL, NULL), job(2));
    CHECK_PTR(urd__deque_oldest(&d, NULL, NULL), NULL);
    CHECK(urd__deque_empty(&d));
    urd__deque_fini(&d);
}

TEST(growth_keeps_every_job_in_order)
{
    enum { MANY = 10 * URD__DEQUE_SLOTS_FIRST };
    urd__deque d;
    struct urd__job *out[1];
    open(&d);
    for (long i = 1; i <= URD__DEQUE_SLOTS_FIRST / 2; i++) { /* the ring starts in the middle */
        push(&d, i);
        CHECK_EQ(urd__deque_steal(&d, out, 1), 1);
    }
    for (long i = 1; i <= MANY; i++)
        push(&d, i);
    for (long i = 1; i <= MANY / 2; i++) {
        CHECK_EQ(urd__deque_steal(&d, out, 1), 1);
        CHECK_PTR(out[0], job(i));
    }
    for (long i = MANY; i > MANY / 2; i--)
        CHECK_PTR(urd__deque_pop(&d), job(i));
    CHECK(urd__deque_empty(&d));
    urd__deque_fini(&d);
}

TEST(a_ring_that_is_emptied_in_time_does_not_grow)
{
    urd__deque d;
    struct urd__job *out[1];
    open(&d);
    for (long i = 1; i <= 100L * URD__DEQUE_SLOTS_FIRST; i++) {
        push(&d, i);
        CHECK_EQ(urd__deque_steal(&d, out, 1), 1);
        CHECK_PTR(out[0], job(i));
    }
    CHECK_EQ(d.mask, URD__DEQUE_SLOTS_FIRST - 1);
    urd__deque_fini(&d);
}

TEST(pushes_pops_and_thefts_agree_with_a_list)
{
    enum { STEPS = 5000 };
    TEST_SEEDS(30)
    {
        static long model[STEPS];
        long first = 0, end = 0, next = 1;
        urd__deque d;
        open(&d);
        for (int step = 0; step < STEPS; step++) {
            uint64_t what = test_random(10);
            if (what < 6) {
                model[end++] = next;
                push(&d, next++);
            } else if (what < 8) {
                CHECK_PTR(urd__deque_pop(&d), end > first ? job(model[--end]) : NULL);
            } else {
                struct urd__job *out[URD__STEAL_MAX];
                int max = 1 + (int)test_random(URD__STEAL_MAX);
                long half = (end - first + 1) / 2;
                int n = urd__deque_steal(&d, out, max);
                CHECK_EQ(n, half < max ? half : max);
                for (int i = 0; i < n; i++)
                    CHECK_PTR(out[i], job(model[first++]));
            }
            CHECK_EQ(urd__deque_empty(&d), first == end);
        }
        urd__deque_fini(&d);
    }
}

enum { JOBS = 200000, THIEVES = 2 };

static struct {
    urd__deque deque;
    int taken[JOBS + 1]; /* atomic: how often */
    int done;            /* atomic: the owner has finished */
} race;

static void take(const struct urd__job *one)
{
    CHECK_EQ(urd__add_ar(&race.taken[(uintptr_t)one], 1), 0);
}

static void *steal_all(void *arg)
{
    (void)arg;
    struct urd__job *out[URD__STEAL_MAX];
    while (!urd__load_acq(&race.done)) {
        int n = urd__deque_steal(&race.deque, out, URD__STEAL_MAX);
        for (int i = 0; i < n; i++)
            take(out[i]);
        if (n == 0)
            sched_yield();
    }
    return NULL;
}

static void race_with_thieves(void)
{
    pthread_t thieves[THIEVES];
    int jobs = test_under_slow_tool() ? JOBS / 20 : JOBS;
    open(&race.deque);
    for (int i = 0; i < THIEVES; i++)
        CHECK_EQ(pthread_create(&thieves[i], NULL, steal_all, NULL), 0);
    for (int i = 1; i <= jobs; i++) {
        push(&race.deque, i);
        const struct urd__job *mine = i % 3 == 0 ? urd__deque_pop(&race.deque) : NULL;
        if (mine)
            take(mine);
    }
    for (const struct urd__job *mine; (mine = urd__deque_pop(&race.deque)) != NULL;)
        take(mine);
    urd__store_rel(&race.done, 1);
    for (int i = 0; i < THIEVES; i++)
        CHECK_EQ(pthread_join(thieves[i], NULL), 0);
    for (int i = 1; i <= jobs; i++)
        CHECK_EQ(race.taken[i], 1);
    CHECK(urd__deque_empty(&race.deque));
    urd__deque_fini(&race.deque);
}

TEST(with_thieves_at_work_each_job_is_taken_once)
{
    urd__deques_open(true);
    race_with_thieves();
}

TEST(so_it_is_where_owners_must_fence)
{
    urd__deque_fenced = true;
    race_with_thieves();
}

TEST(without_thieves_nobody_fences)
{
    urd__deques_open(false);
    CHECK(!urd__deque_fenced);
}
