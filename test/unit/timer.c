/*
 * timer.c - deadlines against a plain search; stopping, moving and firing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/timer.h"

#include <pthread.h>
#include <sched.h>

#include "base/atomic.h"
#include "test.h"

enum { TIMERS = 40, STEPS = 600 };

static urd__timer *fired[TIMERS];
static int fired_count;

static void note(urd__timer *timer)
{
    CHECK_LT(fired_count, TIMERS);
    fired[fired_count++] = timer;
}

TEST(without_timers_nothing_is_due)
{
    urd__timers timers;
    urd__timers_init(&timers);
    CHECK_EQ(timers.earliest, INT64_MAX);
    urd__timers_fire(&timers, INT64_MAX);
    CHECK_EQ(timers.earliest, INT64_MAX);
}

TEST(a_timer_fires_once_at_its_time_and_not_before)
{
    urd__timers timers;
    urd__timer timer = {.fire = note};
    urd__timers_init(&timers);
    CHECK(urd__timer_set(&timers, &timer, 10));
    CHECK_EQ(timers.earliest, 10);
    urd__timers_fire(&timers, 9);
    CHECK_EQ(fired_count, 0);
    urd__timers_fire(&timers, 10);
    CHECK_EQ(fired_count, 1);
    CHECK_EQ(timers.earliest, INT64_MAX);
    urd__timers_fire(&timers, 11);
    CHECK_EQ(fired_count, 1);
}

TEST(set_tells_who_is_now_the_earliest)
{
    urd__timers timers;
    urd__timer a = {.fire = note}, b = {.fire = note};
    urd__timers_init(&timers);
    CHECK(urd__timer_set(&timers, &a, 10));
    CHECK(!urd__timer_set(&timers, &b, 20));
    CHECK(urd__timer_set(&timers, &b, 5));
    CHECK_EQ(timers.earliest, 5);
    CHECK(!urd__timer_set(&timers, &b, 30));
    CHECK_EQ(timers.earliest, 10);
}

TEST(a_stopped_timer_does_not_fire)
{
    urd__timers timers;
    urd__timer never_set = {.fire = note}, timer = {.fire = note};
    urd__timers_init(&timers);
    urd__timer_stop(&never_set);
    urd__timer_set(&timers, &timer, 10);
    urd__timer_stop(&timer);
    CHECK_EQ(timers.earliest, INT64_MAX);
    urd__timer_stop(&timer);
    urd__timers_fire(&timers, 10);
    CHECK_EQ(fired_count, 0);
    CHECK(urd__timer_set(&timers, &timer, 12));
    urd__timers_fire(&timers, 12);
    CHECK_EQ(fired_count, 1);
    urd__timer_stop(&timer);
}

/* The model: `when` of each timer, INT64_MAX for one that is not set. */
static int64_t earliest_of(const int64_t *when)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < TIMERS; i++)
        least = when[i] < least ? when[i] : least;
    return least;
}

static void fire_both(urd__timers *timers, const urd__timer *all, int64_t *when, int64_t now)
{
    fired_count = 0;
    urd__timers_fire(timers, now);
    int64_t last = INT64_MIN;
    for (int i = 0; i < fired_count; i++) {
        int64_t *its = &when[fired[i] - all];
        CHECK_LE(*its, now);
        CHECK_LE(last, *its);
        last = *its;
        *its = INT64_MAX; /* a second time in the list would fail above */
    }
    CHECK_GT(earliest_of(when), now);
}

TEST(setting_moving_stopping_and_firing_agree_with_a_search)
{
    TEST_SEEDS(50)
    {
        urd__timers timers;
        urd__timer all[TIMERS] = {0};
        int64_t when[TIMERS], now = 0;
        urd__timers_init(&timers);
        for (int i = 0; i < TIMERS; i++) {
            all[i].fire = note;
            when[i] = INT64_MAX;
        }
        for (int step = 0; step < STEPS; step++) {
            uint64_t i = test_random(TIMERS), what = test_random(8);
            if (what < 5) {
                when[i] = now + 1 + (int64_t)test_random(50);
                bool first = urd__timer_set(&timers, &all[i], when[i]);
                if (!first)
                    CHECK_GE(when[i], earliest_of(when));
                else
                    CHECK_EQ(when[i], earliest_of(when));
            } else if (what < 7) {
                urd__timer_stop(&all[i]);
                when[i] = INT64_MAX;
            } else {
                now += (int64_t)test_random(30);
                fire_both(&timers, all, when, now);
            }
            CHECK_EQ(timers.earliest, earliest_of(when));
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

static void fire_slowly(urd__timer *timer)
{
    (void)timer;
    urd__store_rel(&race.firing, 1);
    while (!urd__load_acq(&race.stopper))
        sched_yield();
    for (int i = 0; i < 200; i++)
        sched_yield();
    urd__store_rel(&race.over, 1);
}

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
    urd__timers_init(&race.timers);
    race.timer.fire = fire_slowly;
    urd__timer_set(&race.timers, &race.timer, 1);
    CHECK_EQ(pthread_create(&thread, NULL, stop_it, NULL), 0);
    urd__timers_fire(&race.timers, 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}
