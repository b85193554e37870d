/*
 * sched.c - seeds repeat a schedule exactly; nothing that is ready starves.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "core/runtime.h"
#include "runs.h"

/* ---- Seeds ----------------------------------------------------------------------------------- */

enum { TASKS = 8, STEPS = 6, RECORD = TASKS * STEPS };

static struct {
    char steps[RECORD + 1];
    int n;
    urd_mutex mutex;
    urd_chan chan;
} record;

static int take_steps(void *arg)
{
    char letter = (char)('a' + *(const int *)arg);
    for (int i = 0; i < STEPS; i++) {
        record.steps[record.n++] = letter;
        int v = 0;
        switch ((letter + i) % 4) {
        case 0:
            CHECK_EQ(urd_yield(), 0);
            break;
        case 1:
            CHECK_EQ(urd_sleep(1 + letter % 3), 0);
            break;
        case 2:
            CHECK_EQ(urd_mutex_lock(&record.mutex), 0);
            CHECK_EQ(urd_yield(), 0);
            urd_mutex_unlock(&record.mutex);
            break;
        default: /* whoever comes first sends, the next receives */
            if (urd_chan_tryrecv(&record.chan, &v) == -EAGAIN)
                CHECK(urd_chan_trysend(&record.chan, &v) == 0);
        }
    }
    return 0;
}

static int recorded(void *arg)
{
    (void)arg;
    int numbers[TASKS], ring;
    memset(&record, 0, sizeof record);
    urd_chan_init(&record.chan, sizeof(int), &ring, 1);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < TASKS; i++) {
        numbers[i] = i;
        urd_go(&s, take_steps, &numbers[i]);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(record.n, RECORD);
    return 0;
}

TEST(a_seed_repeats_its_schedule_exactly)
{
    char first[RECORD + 1], before[RECORD + 1] = "";
    int different = 0;
    TEST_SEEDS(30)
    {
        test_run(recorded);
        memcpy(first, record.steps, sizeof first);
        for (int again = 0; again < 3; again++) {
            test_run(recorded);
            CHECK_STR(record.steps, first);
        }
        different += strcmp(first, before) != 0;
        memcpy(before, first, sizeof before);
    }
    CHECK_GE(different, getenv("URD_SEED") ? 1 : 25); /* and another seed draws another */
}

TEST(without_a_seed_the_schedule_is_always_the_same)
{
    char first[RECORD + 1];
    test_run(recorded);
    memcpy(first, record.steps, sizeof first);
    for (int again = 0; again < 3; again++) {
        test_run(recorded);
        CHECK_STR(record.steps, first);
    }
}

TEST(the_seed_may_come_from_the_environment)
{
    char first[RECORD + 1];
    urd_config config = {
        .workers = 1, .virtual_clock = true, .seed = 77, .processes = URD_PROCESSES_NONE};
    unsetenv("URD_SEED");
    test_run_with(&config, recorded, NULL);
    memcpy(first, record.steps, sizeof first);
    config.seed = 0;
    setenv("URD_SEED", "77", 1);
    test_run_with(&config, recorded, NULL);
    CHECK_STR(record.steps, first);
}

/* ---- Nothing starves ------------------------------------------------------------------------- */

static bool stop, begun; /* atomic */

/* Until the job that says so has begun: it is a task then, which waits. */
static void wait_until_begun(void)
{
    while (!urd__load_acq(&begun))
        CHECK_EQ(urd_sleep(URD_US), 0);
    urd__store_rel(&begun, false);
}

static int yield_until_stopped(void *arg)
{
    (void)arg;
    while (!urd__load_acq(&stop))
        CHECK_EQ(urd_yield(), 0);
    return 0;
}

static int stop_it(void *arg)
{
    (void)arg;
    urd__store_rel(&stop, true);
    return 0;
}

/* Two tasks yield for ever on this worker until `fn` has had its turn. */
static void against_two_yielders(urd_fn *fn, void *arg, bool fn_first)
{
    urd__store_rel(&stop, false);
    urd_scope s;
    urd_scope_open(&s);
    if (fn_first)
        urd_go(&s, fn, arg);
    urd_go(&s, yield_until_stopped, NULL);
    urd_go(&s, yield_until_stopped, NULL);
    if (!fn_first)
        CHECK_EQ(urd_yield(), 0);
    if (!fn_first)
        urd_go(&s, fn, arg);
    yield_until_stopped(NULL);
    CHECK_EQ(urd_scope_join(&s), 0);
}

static int jobs_not_begun(void *arg)
{
    (void)arg;
    against_two_yielders(stop_it, NULL, true); /* oldest of all: popped last */
    against_two_yielders(stop_it, NULL, false);
    return 0;
}

TEST(tasks_that_yield_for_ever_do_not_starve_jobs_not_begun)
{
    test_run(jobs_not_begun);
    run_seeds(10, jobs_not_begun);
    run_real(1, jobs_not_begun);
}

static int sleep_then_stop(void *arg)
{
    (void)arg;
    urd__store_rel(&begun, true);
    CHECK_EQ(urd_sleep(URD_MS), 0);
    return stop_it(NULL);
}

static int timers(void *arg)
{
    (void)arg;
    against_two_yielders(sleep_then_stop, NULL, true);
    return 0;
}

TEST(tasks_that_yield_for_ever_do_not_starve_timers)
{
    run_real(1, timers); /* real time: the virtual clock stands while anybody can run */
}

static int wait_then_stop(void *arg)
{
    urd__store_rel(&begun, true);
    CHECK_EQ(urd_event_wait(arg), 0);
    return stop_it(NULL);
}

static void *set_event(void *arg)
{
    urd_event_set(arg);
    return NULL;
}

static int inbox(void *arg)
{
    (void)arg;
    urd_event e = {0};
    urd_scope s;
    pthread_t thread;
    urd__store_rel(&stop, false);
    urd_scope_open(&s);
    urd_go(&s, wait_then_stop, &e);
    wait_until_begun();
    urd_go(&s, yield_until_stopped, NULL);
    urd_go(&s, yield_until_stopped, NULL);
    CHECK_EQ(pthread_create(&thread, NULL, set_event, &e), 0);
    yield_until_stopped(NULL);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(tasks_that_yield_for_ever_do_not_starve_the_inbox)
{
    for (int i = 0; i < 20; i++) {
        run_real(1, inbox);
        run_real(2, inbox);
    }
}

static void *inject_stop(void *arg)
{
    CHECK_EQ(urd_go(arg, stop_it, NULL), 0);
    return NULL;
}

static int injected(void *arg)
{
    (void)arg;
    urd_scope s;
    pthread_t thread;
    urd__store_rel(&stop, false);
    urd_scope_open(&s);
    urd_go(&s, yield_until_stopped, NULL);
    urd_go(&s, yield_until_stopped, NULL);
    CHECK_EQ(pthread_create(&thread, NULL, inject_stop, &s), 0);
    yield_until_stopped(NULL);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(tasks_that_yield_for_ever_do_not_starve_jobs_from_other_threads)
{
    for (int i = 0; i < 20; i++)
        run_real(1, injected);
}

/* A stream of short jobs that never wait: each starts the next. */
static int next_in_stream(void *arg)
{
    if (!urd__load_acq(&stop))
        CHECK_EQ(urd_go(arg, next_in_stream, arg), 0);
    return 0;
}

static int a_stream_in_a_join(void *arg)
{
    (void)arg;
    urd_scope outer, s;
    urd__store_rel(&stop, false);
    urd_scope_open(&outer);
    urd_go(&outer, sleep_then_stop, NULL);
    wait_until_begun();
    urd_scope_open(&s);
    urd_go(&s, next_in_stream, &s);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_scope_join(&outer), 0);
    return 0;
}

TEST(a_stream_of_jobs_in_a_join_does_not_starve_a_sleeper)
{
    run_real(1, a_stream_in_a_join);
    TEST_SEEDS(5)
    run_real(1, a_stream_in_a_join);
}

static int stream_against_inbox(void *arg)
{
    (void)arg;
    urd_event e = {0};
    urd_scope outer, s;
    pthread_t thread;
    urd__store_rel(&stop, false);
    urd_scope_open(&outer);
    urd_go(&outer, wait_then_stop, &e);
    wait_until_begun();
    urd_scope_open(&s);
    urd_go(&s, next_in_stream, &s);
    CHECK_EQ(pthread_create(&thread, NULL, set_event, &e), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(urd_scope_join(&outer), 0);
    return 0;
}

TEST(a_stream_of_jobs_in_a_join_does_not_starve_the_inbox)
{
    for (int i = 0; i < 20; i++)
        run_real(1, stream_against_inbox);
}

/* A stream on stacks of its own, while the first job sleeps. */
static int a_stream_of_tasks(void *arg)
{
    (void)arg;
    urd_scope s;
    urd__store_rel(&stop, false);
    urd_scope_open(&s);
    urd_go(&s, next_in_stream, &s);
    CHECK_EQ(urd_sleep(URD_US), 0);
    stop_it(NULL);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(a_stream_of_tasks_does_not_starve_a_sleeper)
{
    run_real(1, a_stream_of_tasks);
}

static int older_than_a_stream(void *arg)
{
    (void)arg;
    urd_scope outer, s;
    urd__store_rel(&stop, false);
    urd_scope_open(&outer);
    urd_go(&outer, stop_it, NULL); /* has not begun as the stream does */
    urd_scope_open(&s);
    urd_go(&s, next_in_stream, &s);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_scope_join(&outer), 0);
    return 0;
}

TEST(a_stream_of_new_jobs_does_not_starve_an_older_one)
{
    test_run(older_than_a_stream);
    run_seeds(10, older_than_a_stream);
}

static int older_of_the_same_scope(void *arg)
{
    (void)arg;
    urd_scope s;
    urd__store_rel(&stop, false);
    urd_scope_open(&s);
    urd_go(&s, stop_it, NULL);
    urd_go(&s, next_in_stream, &s);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(a_stream_of_new_jobs_does_not_starve_an_older_one_of_the_same_scope)
{
    test_run(older_of_the_same_scope);
    run_seeds(10, older_of_the_same_scope);
}

/* ---- Stealing -------------------------------------------------------------------------------- */

static int elsewhere; /* atomic: jobs that ran on another worker */

static int wait_for_a_thief(void *arg)
{
    if (gettid() != *(const pid_t *)arg)
        urd__add_ar(&elsewhere, 1);
    return 0;
}

static int stolen(void *arg)
{
    (void)arg;
    pid_t here = gettid();
    urd_scope s;
    elsewhere = 0;
    urd_scope_open(&s);
    for (int i = 0; i < 100; i++)
        urd_go(&s, wait_for_a_thief, &here);
    while (urd__load_acq(&elsewhere) == 0) /* this worker is busy: somebody else must take one */
        sched_yield();
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(jobs_of_a_busy_worker_are_run_by_another)
{
    TEST_SEEDS(20)
    test_run_workers(WORKERS, stolen);
    run_real(2, stolen);
}

TEST(a_job_that_is_alone_is_left_to_its_worker_for_a_moment)
{
    enum { MOMENT = 3000 };
    static urd__worker owner, thief;
    urd__job job = {0};
    owner.index = 1;
    CHECK_EQ(urd__deque_init(&owner.deque), 0);
    CHECK(!urd__worker_leaves(&thief, &owner, 0)); /* there is none */
    CHECK_EQ(urd__deque_push(&owner.deque, &job), 0);
    CHECK(urd__worker_leaves(&thief, &owner, 1));
    CHECK(urd__worker_leaves(&thief, &owner, MOMENT));
    CHECK(!urd__worker_leaves(&thief, &owner, MOMENT + 1));
    CHECK_EQ(urd__deque_push(&owner.deque, &job), 0);
    CHECK(!urd__worker_leaves(&thief, &owner, 0)); /* there are two */
    CHECK_PTR(urd__deque_oldest(&owner.deque, NULL, NULL), &job);
    CHECK(urd__worker_leaves(&thief, &owner, 0)); /* another one is alone, and has its own moment */
    CHECK_PTR(urd__deque_pop(&owner.deque), &job);
    CHECK_EQ(urd__worker_hint(&owner, &job), 0);
    CHECK(!urd__worker_leaves(&thief, &owner, 0)); /* a fork */
    urd__deque_fini(&owner.deque);
}
