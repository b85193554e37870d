/*
 * loop.c - urd_for: each step once, whoever makes it; errors and cancels stop the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include "base/atomic.h"
#include "core/fork.h"
#include "runs.h"

enum { STEPS = 300, MANY = 20000 };

static int made[MANY]; /* atomic: how often */

static int note(long lo, long hi, void *arg)
{
    CHECK_LT(lo, hi);
    for (long i = lo; i < hi; i++)
        urd__add_ar(&made[i - (long)(intptr_t)arg], 1);
    return 0;
}

static void check_all(long n)
{
    for (long i = 0; i < n; i++)
        CHECK_EQ(made[i], 1);
    memset(made, 0, sizeof made);
}

static int some_ranges(void *arg)
{
    (void)arg;
    for (long n = 0; n <= STEPS; n += n < 5 ? 1 : 59) {
        CHECK_EQ(urd_for(0, n, note, NULL), 0);
        check_all(n);
        CHECK_EQ(urd_for(-n, 0, note, (void *)(intptr_t)-n), 0);
        check_all(n);
    }
    CHECK_EQ(urd_for(5, 5, note, NULL), 0);
    CHECK_EQ(urd_for(5, -5, note, NULL), 0);
    check_all(0);
    return 0;
}

TEST(each_step_is_made_once)
{
    run_seeds(20, some_ranges);
    for (int workers = 1; workers <= 3; workers++)
        run_real(workers, some_ranges);
    CHECK_EQ(some_ranges(NULL), 0); /* without a runtime */
}

static int one_large_range(void *arg)
{
    (void)arg;
    for (int round = 0; round < 20; round++) {
        CHECK_EQ(urd_for(0, MANY, note, NULL), 0);
        check_all(MANY);
    }
    return 0;
}

TEST(each_step_of_a_large_range_is_made_once)
{
    for (int workers = 1; workers <= 3; workers++)
        run_real(workers, one_large_range);
}

static long ends[2];

static int first_and_last(long lo, long hi, void *arg)
{
    (void)arg;
    if (lo == LONG_MIN)
        urd__add_ar(&ends[0], 1);
    if (hi == LONG_MAX)
        urd__add_ar(&ends[1], 1);
    return 0;
}

static int whole_range(void *arg)
{
    (void)arg;
    ends[0] = ends[1] = 0;
    CHECK_EQ(urd_for(LONG_MIN, LONG_MAX, first_and_last, NULL), 0);
    CHECK_EQ(ends[0], 1);
    CHECK_EQ(ends[1], 1);
    return 0;
}

TEST(the_longest_range_there_is_does_not_overflow)
{
    run_real(1, whole_range);
    run_real(2, whole_range);
}

/* A loop that was split has made steps on both workers: each waits there for the other. */
static int on_workers[2];

static int meet(long lo, long hi, void *arg)
{
    (void)lo;
    (void)hi;
    (void)arg;
    urd__store_rel(&on_workers[urd__worker_self->index], 1); /* pairs with the loads below */
    while (!urd__load_acq(&on_workers[0]) || !urd__load_acq(&on_workers[1]))
        CHECK(!urd_cancelled());
    return 0;
}

static int meet_in_a_loop(void *arg)
{
    (void)arg;
    while (!urd__fork_wanted(urd__worker_self)) /* until the other worker has nothing to do */
        CHECK(!urd_cancelled());
    return urd_for(0, 64, meet, NULL);
}

TEST(an_idle_worker_gets_a_part)
{
    run_real(2, meet_in_a_loop);
}

static int nest(long lo, long hi, void *arg)
{
    for (long i = lo; i < hi; i++) {
        long base = i * (MANY / 100);
        CHECK_EQ(urd_for(base, base + MANY / 100, note, arg), 0);
    }
    return 0;
}

static int loop_in_a_loop(void *arg)
{
    CHECK_EQ(urd_for(0, 100, nest, arg), 0);
    check_all(MANY);
    return 0;
}

TEST(loops_nest)
{
    run_seeds(2, loop_in_a_loop);
    for (int workers = 1; workers <= 3; workers++)
        run_real(workers, loop_in_a_loop);
}

/* ---- Errors and cancels -------------------------------------------------------------------- */

static int fail_at_seven(long lo, long hi, void *arg)
{
    (void)arg;
    for (long i = lo; i < hi; i++) {
        if (i == 7)
            return -EIO;
        urd__add_ar(&made[i], 1);
    }
    return 0;
}

static int one_fails(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_for(0, STEPS, fail_at_seven, NULL), -EIO);
    CHECK(!urd_cancelled());
    int sum = 0;
    for (int i = 0; i < STEPS; i++) {
        CHECK_LE(made[i], 1);
        sum += made[i];
    }
    CHECK_LT(sum, STEPS);
    CHECK_EQ(made[7], 0);
    memset(made, 0, sizeof made);
    return 0;
}

TEST(an_error_is_the_result)
{
    run_seeds(50, one_fails);
    run_real(3, one_fails);
    CHECK_EQ(one_fails(NULL), 0);
}

static int seven_alone(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_for(0, STEPS, fail_at_seven, NULL), -EIO);
    CHECK_EQ(made[STEPS - 1], 0);
    return 0;
}

TEST(after_an_error_no_part_begins)
{
    test_run(seven_alone);
}

/* Of those that wait only the cancel of the failure gets anybody out. */
static int fail_after_a_second(long lo, long hi, void *arg)
{
    (void)hi;
    (void)arg;
    int rc = urd_sleep(lo == 0 ? URD_SECOND : URD_FOREVER);
    return lo == 0 && rc == 0 ? -EIO : rc;
}

static int waiting_parts(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_for(0, 10, fail_after_a_second, NULL), -EIO);
    return 0;
}

TEST(an_error_wakes_the_parts_that_wait)
{
    run_seeds(50, waiting_parts);
}

static int cancel_at_seven(long lo, long hi, void *arg)
{
    for (long i = lo; i < hi; i++) {
        urd__add_ar(&made[i], 1);
        if (i == 7)
            urd_scope_cancel((urd_scope *)arg, -EPERM);
    }
    return 0;
}

static int cancel_around(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_for(0, STEPS, cancel_at_seven, &s), -ECANCELED);
    memset(made, 0, sizeof made);
    CHECK_EQ(urd_for(0, STEPS, note, NULL), -ECANCELED);
    check_all(0);
    CHECK_EQ(made[0], 0);
    CHECK_EQ(urd_scope_join(&s), -EPERM);
    return 0;
}

TEST(a_cancel_reaches_between_the_parts)
{
    run_seeds(20, cancel_around);
}

/* Also where the loop is so short that it would be one part. */
static int cancelled_before(void *arg)
{
    (void)arg;
    for (int round = 0; round < 100; round++)
        CHECK_EQ(urd_for(0, 100, note, NULL), 0);
    memset(made, 0, sizeof made);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_for(0, 100, note, NULL), -ECANCELED);
    CHECK_EQ(made[0], 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(a_short_loop_in_a_cancelled_scope_makes_no_step)
{
    run_real(1, cancelled_before);
    CHECK_EQ(cancelled_before(NULL), 0);
}

/* ---- Waits inside -------------------------------------------------------------------------- */

static urd_mutex lock;
static long counter;

static int count_under_lock(long lo, long hi, void *arg)
{
    (void)arg;
    for (long i = lo; i < hi; i++) {
        CHECK_EQ(urd_mutex_lock(&lock), 0);
        long before = counter;
        CHECK_EQ(i % 3 ? urd_yield() : urd_sleep(1), 0);
        counter = before + 1;
        urd_mutex_unlock(&lock);
    }
    return 0;
}

static int loops_want_one_lock(void *arg)
{
    (void)arg;
    counter = 0;
    CHECK_EQ(urd_for(0, 50, count_under_lock, NULL), 0);
    CHECK_EQ(counter, 50);
    return 0;
}

TEST(parts_may_wait_for_a_lock_and_sleep_holding_it)
{
    run_seeds(30, loops_want_one_lock);
}

static int send_all(long lo, long hi, void *arg)
{
    for (long i = lo; i < hi; i++) {
        int rc = urd_chan_send(arg, &i);
        if (rc)
            return rc;
    }
    return 0;
}

static int receive_all(void *arg)
{
    for (long i = 0, v; i < STEPS; i++) {
        CHECK_EQ(urd_chan_recv(arg, &v), 0);
        made[v]++;
    }
    return 0;
}

static int parts_send(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_chan c;
    urd_chan_init(&c, sizeof(long), NULL, 0);
    urd_scope_open(&s);
    urd_go(&s, receive_all, &c);
    CHECK_EQ(urd_for(0, STEPS, send_all, &c), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    check_all(STEPS);
    urd_chan_fini(&c);
    return 0;
}

TEST(parts_may_send_on_a_channel)
{
    run_seeds(20, parts_send);
}

/* ---- From elsewhere ------------------------------------------------------------------------ */

static int need_worker(long lo, long hi, void *arg)
{
    CHECK(urd__worker_self != NULL);
    return note(lo, hi, arg);
}

static void *loop_in_a_thread(void *arg)
{
    CHECK_EQ(urd_for(0, STEPS, need_worker, arg), 0);
    check_all(STEPS);
    return NULL;
}

static void *then_tell(void *event)
{
    CHECK_PTR(loop_in_a_thread(NULL), NULL);
    urd_event_set(event);
    return NULL;
}

static int thread_job(void *arg)
{
    return loop_in_a_thread(arg) != NULL;
}

static int loops_in_threads(void *arg)
{
    (void)arg;
    urd_scope s;
    pthread_t thread;
    urd_event told = {0};
    urd_scope_open(&s);
    urd_spawn(&s, URD_THREAD, thread_job, NULL, 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(pthread_create(&thread, NULL, then_tell, &told), 0);
    CHECK_EQ(urd_event_wait(&told), 0); /* not in pthread_join: that keeps the worker */
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

TEST(from_a_thread_a_loop_is_run_by_workers)
{
    run_real(1, loops_in_threads);
    run_real(2, loops_in_threads);
}

static int give_one(long lo, long hi, void *arg)
{
    (void)lo;
    (void)hi;
    (void)arg;
    return 1;
}

static int loop_gives_one(void *arg)
{
    (void)arg;
    return urd_for(0, 3, give_one, NULL);
}

static void aborts_on_one(void)
{
    test_run(loop_gives_one);
}

TEST(a_positive_result_aborts)
{
    CHECK_ABORTS(aborts_on_one, "loop.c:");
}
