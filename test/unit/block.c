/*
 * block.c - blocking calls on helper threads: results, lanes, cancels, limits, ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/block.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "runs.h"

/* More than a lane has threads. */
enum { CALLS = 40, FILES_MAX = 16, ANSWER = 42 };

static int calls, inside, most_inside; /* atomic */

static int answer(void *arg)
{
    *(pid_t *)arg = gettid();
    return ANSWER;
}

static int on_another_thread(void *arg)
{
    (void)arg;
    pid_t tid = 0;
    CHECK_EQ(urd_block(answer, &tid), ANSWER);
    CHECK_NE(tid, 0);
    CHECK_NE(tid, gettid());
    CHECK_EQ(urd_block_on(URD_LANE_FILES, give, &(int){-EIO}), -EIO);
    return 0;
}

TEST(a_task_gets_the_result_of_a_call_on_another_thread)
{
    run_seeds(20, on_another_thread);
}

static int in_a_thread(void *arg)
{
    (void)arg;
    pid_t tid = 0;
    CHECK_EQ(urd_block(answer, &tid), ANSWER);
    CHECK_EQ(tid, gettid());
    return 0;
}

static int from_a_thread_job(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_THREAD, in_a_thread, NULL, 0);
    return urd_scope_join(&s);
}

TEST(a_thread_calls_the_function_itself)
{
    run_seeds(5, from_a_thread_job);
    CHECK_EQ(in_a_thread(NULL), 0); /* without a runtime, too */
}

/* ---- Many at once ---------------------------------------------------------------------------- */

static int sleep_inside(void *arg)
{
    (void)arg;
    int now = urd__add_ar(&inside, 1) + 1, most = urd__load_acq(&most_inside);
    while (now > most && !urd__cas_ar(&most_inside, &most, now))
        continue;
    int rc = urd_sleep(URD_SECOND);
    urd__sub_ar(&inside, 1);
    urd__add_ar(&calls, 1);
    return rc;
}

static int block_on_files(void *arg)
{
    (void)arg;
    return urd_block_on(URD_LANE_FILES, sleep_inside, NULL);
}

static int many_at_once(void *arg)
{
    (void)arg;
    calls = most_inside = 0;
    urd_time start = urd_now();
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < CALLS; i++)
        urd_go(&s, block_on_files, NULL);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(calls, CALLS);
    CHECK_EQ(most_inside, FILES_MAX);
    CHECK_EQ(urd_now() - start, (CALLS + FILES_MAX - 1) / FILES_MAX * URD_SECOND);
    return 0;
}

TEST(a_lane_runs_as_many_at_once_as_it_has_threads_and_serves_the_rest_in_turn)
{
    run_seeds(4, many_at_once);
}

static int one_lane_is_full(void *arg)
{
    (void)arg;
    pid_t tid = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < CALLS; i++)
        urd_go(&s, block_on_files, NULL);
    urd_time start = urd_now();
    let_others_run();
    CHECK_EQ(urd_block_on(URD_LANE_NAMES, answer, &tid), ANSWER);
    CHECK_EQ(urd_block(answer, &tid), ANSWER);
    CHECK_LE(urd_now() - start, 1);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(a_full_lane_does_not_keep_another_waiting)
{
    run_seeds(4, one_lane_is_full);
}

/* ---- What the call may use ------------------------------------------------------------------- */

static urd_chan chan;

static int talk(void *arg)
{
    urd_scope s;
    int v = 7;
    CHECK_STR(urd_name(), arg);
    urd_scope_open(&s);
    urd_go(&s, give, &(int){0});
    CHECK_EQ(urd_chan_send(&chan, &v), 0);
    return urd_scope_join(&s);
}

static int talk_in_block(void *arg)
{
    return urd_block(talk, arg);
}

static int uses_the_library(void *arg)
{
    (void)arg;
    int v = 0;
    char name[] = "talker";
    urd_job j;
    urd_job_options o = {.name = name};
    urd_chan_init(&chan, sizeof v, NULL, 0);
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_job_open(&j, &s, URD_TASK, talk_in_block, name, 0, &o), 0);
    CHECK_EQ(urd_chan_recv(&chan, &v), 0);
    CHECK_EQ(v, 7);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_chan_fini(&chan);
    return 0;
}

TEST(the_call_may_wait_and_start_jobs_in_the_name_of_its_job)
{
    run_seeds(20, uses_the_library);
}

/* ---- Cancels --------------------------------------------------------------------------------- */

static int count(void *arg)
{
    (void)arg;
    urd__add_ar(&calls, 1);
    return 0;
}

static int in_a_cancelled_scope(void *arg)
{
    (void)arg;
    calls = 0;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_block(count, NULL), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    CHECK_EQ(calls, 0);
    return 0;
}

TEST(a_cancelled_scope_does_not_call)
{
    run_seeds(5, in_a_cancelled_scope);
}

static int count_on_files(void *arg)
{
    (void)arg;
    int rc = urd_block_on(URD_LANE_FILES, count, NULL);
    CHECK_EQ(rc, -ECANCELED);
    return rc;
}

static int cancelled_in_the_queue(void *arg)
{
    (void)arg;
    calls = 0;
    urd_scope full, s;
    urd_scope_open(&full);
    for (int i = 0; i < FILES_MAX; i++)
        urd_go(&full, block_on_files, NULL);
    let_others_run();
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_MS);
    for (int i = 0; i < 3; i++)
        urd_go(&s, count_on_files, NULL);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    CHECK_EQ(urd_scope_join(&full), 0);
    CHECK_EQ(calls, FILES_MAX);
    return 0;
}

TEST(a_call_that_was_cancelled_before_it_began_does_not_happen)
{
    run_seeds(5, cancelled_in_the_queue);
}

/* It sees the cancel in its own calls, and is waited for. */
static int sleep_long(void *arg)
{
    CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    *(int *)arg = 1;
    return -EIO;
}

static int cancelled_while_it_runs(void *arg)
{
    (void)arg;
    int done = 0;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_MS);
    CHECK_EQ(urd_block(sleep_long, &done), -EIO);
    CHECK_EQ(done, 1);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    return 0;
}

TEST(a_call_that_has_begun_is_waited_for_and_sees_the_cancel)
{
    run_seeds(20, cancelled_while_it_runs);
}

static int block_at(void *arg)
{
    int rc = urd_sleep_until(*(const urd_time *)arg);
    return rc ? rc : urd_block_on(URD_LANE_NAMES, count, NULL);
}

static int begun_and_cancelled_at_once(void *arg)
{
    (void)arg;
    urd_time when = urd_now() + 5;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, when);
    for (int i = 0; i < 6; i++)
        urd_go(&s, block_at, &when);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    return 0;
}

TEST(a_cancel_and_a_begin_at_once_leave_nobody_waiting)
{
    run_seeds(50, begun_and_cancelled_at_once);
}

/* ---- Threads come and go --------------------------------------------------------------------- */

static int helpers_end_when_idle(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_block(count, NULL), 0);
    while (urd__block_helpers(URD_LANE_DEFAULT) > 0)
        sched_yield();
    CHECK_EQ(urd_block(count, NULL), 0);
    return 0;
}

TEST(an_idle_helper_ends_and_the_next_call_makes_another)
{
    urd__block_idle_max = 0;
    run_real(1, helpers_end_when_idle);
}

static int helpers_are_used_again(void *arg)
{
    (void)arg;
    for (int i = 0; i < CALLS; i++) {
        CHECK_EQ(urd_block(count, NULL), 0);
        let_others_run(); /* the clock moves only when the helper is idle */
        CHECK_EQ(urd__block_helpers(URD_LANE_DEFAULT), 1);
    }
    return 0;
}

TEST(calls_one_after_the_other_share_their_helpers)
{
    urd__block_idle_max = INT64_C(3600) * URD_SECOND;
    test_run_workers(1, helpers_are_used_again);
    CHECK_EQ(urd__block_helpers(URD_LANE_DEFAULT), 0); /* none outlives the run */
    test_run_workers(2, helpers_are_used_again);
}

/* ---- Misuse ---------------------------------------------------------------------------------- */

static int leave_scope_open(void *arg)
{
    urd_scope_open_at(arg, "open.c:1");
    return 0;
}

static int block_and_leave_open(void *arg)
{
    (void)arg;
    urd_scope s;
    return urd_block(leave_scope_open, &s);
}

static void leave_open(void)
{
    test_run(block_and_leave_open);
}

static urd_mutex kept;

static int keep_a_lock(void *arg)
{
    (void)arg;
    return urd_mutex_lock(&kept);
}

static int block_and_keep_a_lock(void *arg)
{
    return urd_block(keep_a_lock, arg);
}

static void keep_locked(void)
{
    test_run(block_and_keep_a_lock);
}

static int block_on_no_lane(void *arg)
{
    (void)arg;
    return urd_block_on((urd_lane)3, give, &(int){0});
}

static void no_lane(void)
{
    test_run(block_on_no_lane);
}

TEST(misuse_aborts_with_a_message)
{
    CHECK_ABORTS(leave_open, "the function given to urd_block returned with the scope opened at "
                             "open.c:1 not joined");
    CHECK_ABORTS(keep_locked, "the function given to urd_block returned with 1 lock held");
    CHECK_ABORTS(no_lane, "urd_block_on: there is no lane 3");
}
