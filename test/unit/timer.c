/*
 * timer.c - the wheel against a plain search; stopping, moving and firing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/timer.h"

#include <pthread.h>
#include <sched.h>

#include "base/atomic.h"
#include "test.h"

enum { TIMERS = 40, STEPS = 600, ALL = 1000000 };

static urd__timer *fired[TIMERS + 1];
static int fired_count;
static urd__timers timers;

static bool note(urd__timer *timer)
{
    CHECK_LE(fired_count, TIMERS);
    fired[fired_count++] = timer;
    return false;
}

static const urd__timer_ops noting = {.fire = note};

TEST(without_timers_nothing_is_due)
{
    urd__timers_init(&timers, 0);
    CHECK_EQ(timers.earliest, INT64_MAX);
    urd__timers_fire(&timers, INT64_MAX, ALL);
    CHECK_EQ(timers.earliest, INT64_MAX);
}

TEST(a_timer_fires_once_at_its_time_and_not_before)
{
    urd__timer timer = {.ops = &noting};
    urd__timers_init(&timers, 0);
    CHECK(urd__timer_set(&timers, &timer, 10));
    CHECK_EQ(timers.earliest, 10);
    urd__timers_fire(&timers, 9, ALL);
    CHECK_EQ(fired_count, 0);
    urd__timers_fire(&timers, 10, ALL);
    CHECK_EQ(fired_count, 1);
    CHECK_EQ(timers.earliest, INT64_MAX);
    urd__timers_fire(&timers, 11, ALL);
    CHECK_EQ(fired_count, 1);
}

TEST(set_tells_who_is_now_the_earliest)
{
    urd__timer a = {.ops = &noting}, b = {.ops = &noting};
    urd__timers_init(&timers, 0);
    CHECK(urd__timer_set(&timers, &a, 10));
    CHECK(!urd__timer_set(&timers, &b, 20));
    CHECK(urd__timer_set(&timers, &b, 5));
    CHECK_EQ(timers.earliest, 5);
    CHECK(!urd__timer_set(&timers, &b, 30));
    CHECK_EQ(timers.earliest, 10);
}

TEST(a_stopped_timer_does_not_fire)
{
    urd__timer never_set = {.ops = &noting}, timer = {.ops = &noting};
    urd__timers_init(&timers, 0);
    urd__timer_stop(&never_set);
    urd__timer_set(&timers, &timer, 10);
    urd__timer_stop(&timer);
    CHECK_EQ(timers.earliest, INT64_MAX);
    urd__timer_stop(&timer);
    urd__timers_fire(&timers, 10, ALL);
    CHECK_EQ(fired_count, 0);
    CHECK(urd__timer_set(&timers, &timer, 12));
    urd__timers_fire(&timers, 12, ALL);
    CHECK_EQ(fired_count, 1);
    urd__timer_stop(&timer);
}

TEST(of_equal_timers_that_which_was_set_first_fires_first)
{
    enum { NEAR = 3, FAR = 70000 };
    urd__timer all[TIMERS] = {0};
    urd__timers_init(&timers, 0);
    for (int i = 0; i < TIMERS; i++) {
        all[i].ops = &noting;
        urd__timer_set(&timers, &all[i], FAR);
        urd__timers_fire(&timers, FAR - TIMERS + i, ALL); /* base moves on, if it may */
    }
    urd__timer_set(&timers, &all[0], FAR); /* again: now it is the last */
    urd__timer ahead = {.ops = &noting};
    urd__timer_set(&timers, &ahead, FAR - NEAR);
    urd__timers_fire(&timers, FAR - 1, ALL);
    CHECK_EQ(fired_count, 1);
    urd__timers_fire(&timers, FAR, ALL);
    CHECK_EQ(fired_count, 1 + TIMERS);
    for (int i = 1; i < TIMERS; i++)
        CHECK_PTR(fired[i], &all[i]);
    CHECK_PTR(fired[TIMERS], &all[0]);
}

TEST(only_so_many_fire_at_once_and_the_others_stay_due)
{
    urd__timer all[TIMERS] = {0};
    urd__timers_init(&timers, 0);
    for (int i = 0; i < TIMERS; i++) {
        all[i].ops = &noting;
        urd__timer_set(&timers, &all[i], 1000 + i / 10);
    }
    for (int n = 7; n < TIMERS; n += 7) {
        urd__timers_fire(&timers, 2000, 7);
        CHECK_EQ(fired_count, n);
        CHECK_EQ(timers.earliest, 1000 + n / 10);
    }
    urd__timers_fire(&timers, 2000, 7);
    CHECK_EQ(fired_count, TIMERS);
    for (int i = 0; i < TIMERS; i++)
        CHECK_PTR(fired[i], &all[i]);
    CHECK_EQ(timers.earliest, INT64_MAX);
}

TEST(a_time_before_the_last_that_fired_counts_as_that)
{
    urd__timer first = {.ops = &noting}, a = {.ops = &noting}, b = {.ops = &noting};
    urd__timers_init(&timers, 0);
    urd__timer_set(&timers, &first, 100);
    urd__timers_fire(&timers, 100, ALL);
    urd__timer_set(&timers, &a, 100);
    CHECK(urd__timer_set(&timers, &b, 50));
    CHECK_LE(timers.earliest, 100);
    urd__timers_fire(&timers, 100, ALL);
    CHECK_EQ(fired_count, 3);
    CHECK_PTR(fired[1], &a);
    CHECK_PTR(fired[2], &b);
}

static bool note_and_come_again(urd__timer *timer)
{
    note(timer);
    timer->when += 300;
    return timer->when < 1000;
}

static const urd__timer_ops coming_again = {.fire = note_and_come_again};

TEST(a_timer_that_says_so_is_put_in_again_for_its_new_time)
{
    urd__timer again = {.ops = &coming_again}, other = {.ops = &noting};
    urd__timers_init(&timers, 0);
    urd__timer_set(&timers, &again, 100);
    urd__timer_set(&timers, &other, 500);
    urd__timers_fire(&timers, 100, ALL);
    CHECK_EQ(fired_count, 1);
    CHECK_EQ(timers.earliest, 400);
    urd__timers_fire(&timers, 2000, ALL);
    CHECK_EQ(fired_count, 4);
    CHECK_PTR(fired[1], &again);
    CHECK_PTR(fired[2], &other);
    CHECK_PTR(fired[3], &again);
    CHECK_EQ(timers.earliest, INT64_MAX);
}

TEST(the_last_moment_there_is_never_comes)
{
    urd__timer timer = {.ops = &noting};
    urd__timers_init(&timers, 0);
    CHECK(!urd__timer_set(&timers, &timer, INT64_MAX));
    CHECK_EQ(timers.earliest, INT64_MAX);
    urd__timer_stop(&timer);
    urd__timer_set(&timers, &timer, INT64_MAX - 1);
    CHECK_EQ(timers.earliest, INT64_MAX - 1);
    urd__timers_fire(&timers, INT64_MAX - 2, ALL);
    CHECK_EQ(fired_count, 0);
    urd__timers_fire(&timers, INT64_MAX - 1, ALL);
    CHECK_EQ(fired_count, 1);
}

/* The model: `when` of each timer, INT64_MAX for one that is not set, and in which order set. */
typedef struct model {
    int64_t when[TIMERS];
    int order[TIMERS], count;
} model;

static int first_of(const model *m)
{
    int first = 0;
    for (int i = 1; i < TIMERS; i++) {
        int64_t when = m->when[i], least = m->when[first];
        if (when < least || (when == least && m->order[i] < m->order[first]))
            first = i;
    }
    return first;
}

static int64_t next_of(const model *m)
{
    return m->when[first_of(m)];
}

static void fire_both(const urd__timer *all, model *m, int64_t now, int max)
{
    fired_count = 0;
    urd__timers_fire(&timers, now, max);
    CHECK_LE(fired_count, max);
    for (int i = 0; i < fired_count; i++) {
        int expected = first_of(m);
        CHECK_EQ(fired[i] - all, expected);
        CHECK_LE(m->when[expected], now);
        m->when[expected] = INT64_MAX;
    }
    if (fired_count < max)
        CHECK_GT(next_of(m), now);
}

static void set_both(urd__timer *all, model *m, uint64_t i, int64_t when)
{
    m->when[i] = INT64_MAX;
    bool earlier = when < next_of(m);
    m->when[i] = when;
    m->order[i] = m->count++;
    bool first = urd__timer_set(&timers, &all[i], when);
    CHECK(earlier || !first); /* it may think that an earlier one is there, which was stopped */
}

/* Some are equal, and else all magnitudes are as likely as one another, so that all levels are
 * met. */
static int64_t some_time_after(int64_t now)
{
    int64_t duration = test_random(2) ? (int64_t)test_random(4)
                                      : (int64_t)(test_random(UINT64_MAX) >> (1 + test_random(63)));
    return duration < INT64_MAX - now ? now + duration : INT64_MAX - 1;
}

TEST(setting_moving_stopping_and_firing_agree_with_a_search)
{
    TEST_SEEDS(50)
    {
        urd__timer all[TIMERS] = {0};
        model m = {.count = 0};
        int64_t now = 0;
        urd__timers_init(&timers, 0);
        for (int i = 0; i < TIMERS; i++) {
            all[i].ops = &noting;
            m.when[i] = INT64_MAX;
        }
        for (int step = 0; step < STEPS; step++) {
            uint64_t i = test_random(TIMERS), what = test_random(8);
            if (what < 5) {
                set_both(all, &m, i, some_time_after(now));
            } else if (what < 7) {
                urd__timer_stop(&all[i]);
                m.when[i] = INT64_MAX;
            } else {
                if (next_of(&m) != INT64_MAX && test_random(2))
                    now = next_of(&m) > now ? next_of(&m) : now;
                fire_both(all, &m, now, 1 + (int)test_random(TIMERS));
            }
            CHECK_LE(timers.earliest, next_of(&m));
            CHECK_EQ(timers.earliest == INT64_MAX, next_of(&m) == INT64_MAX);
        }
    }
}

static struct {
    urd__timers timers;
    urd__timer timer;
    int firing;  /* atomic */
    int stopper; /* atomic: is about to stop */
    int over;    /* atomic: the call has ended */
} race;

static bool fire_slowly(urd__timer *timer)
{
    (void)timer;
    urd__store_rel(&race.firing, 1);
    while (!urd__load_acq(&race.stopper))
        sched_yield();
    for (int i = 0; i < 200; i++)
        sched_yield();
    urd__store_rel(&race.over, 1);
    return false;
}

static const urd__timer_ops slow = {.fire = fire_slowly};

static void *stop_it(void *arg)
{
    (void)arg;
    while (!urd__load_acq(&race.firing))
        sched_yield();
    urd__store_rel(&race.stopper, 1);
    urd__timer_stop(&race.timer);
    CHECK(urd__load_acq(&race.over));
    return NULL;
}

TEST(stop_returns_only_when_the_timer_is_not_firing)
{
    pthread_t thread;
    urd__timers_init(&race.timers, 0);
    race.timer.ops = &slow;
    urd__timer_set(&race.timers, &race.timer, 1);
    CHECK_EQ(pthread_create(&thread, NULL, stop_it, NULL), 0);
    urd__timers_fire(&race.timers, 1, ALL);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}
