/*
 * thread.c - jobs that are OS threads: names, waits, numbers, ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/atomic.h"
#include "runs.h"

static int ended; /* atomic */

static int is_a_thread(void *arg)
{
    CHECK_NE(gettid(), *(const pid_t *)arg);
    CHECK_EQ(urd_sleep(1), 0);
    urd__add_ar(&ended, 1);
    return 0;
}

static int threads_of_their_own(void *arg)
{
    (void)arg;
    pid_t worker = gettid();
    urd_scope s;
    ended = 0;
    urd_scope_open(&s);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(urd_spawn(&s, URD_THREAD, is_a_thread, &worker, sizeof worker), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(ended, 10);
    return 0;
}

TEST(a_thread_job_is_a_thread_of_its_own)
{
    run_seeds(20, threads_of_their_own);
}

/* ---- Names ----------------------------------------------------------------------------------- */

int exported_thread(void *arg);

__attribute__((visibility("default"))) int exported_thread(void *arg)
{
    pthread_getname_np(pthread_self(), arg, 32);
    return 0;
}

static int names_in_the_kernel(void *arg)
{
    (void)arg;
    char name[32];
    urd_job j;
    urd_job_options o = {.name = "count-votes"};
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_job_open(&j, &s, URD_THREAD, exported_thread, name, 0, &o), 0);
    CHECK_EQ(urd_scope_wait(&s), 0);
    CHECK_STR(name, "count-votes");
    CHECK_EQ(urd_spawn(&s, URD_THREAD, exported_thread, name, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK(strcmp(name, "exported_thread") == 0 || strcmp(name, "urd-job") == 0);
    return 0;
}

TEST(the_kernel_knows_its_name)
{
    run_seeds(3, names_in_the_kernel);
}

/* ---- All that a task can do ------------------------------------------------------------------ */

static int pass_on(void *arg)
{
    urd_chan *c = arg;
    int v;
    while (urd_chan_recv(&c[0], &v) == 0) {
        v++;
        CHECK_EQ(urd_chan_send(&c[1], &v), 0);
    }
    urd_chan_close(&c[1]);
    return 0;
}

enum { STAGES = 6, VALUES = 50 };

static int pipeline(void *arg)
{
    (void)arg;
    urd_chan c[STAGES + 1];
    urd_scope s;
    for (int i = 0; i <= STAGES; i++)
        urd_chan_init(&c[i], sizeof(int), NULL, 0);
    urd_scope_open(&s);
    for (int i = 0; i < STAGES; i++)
        CHECK_EQ(urd_spawn(&s, i % 2 ? URD_TASK : URD_THREAD, pass_on, &c[i], 0), 0);
    for (int i = 0, v; i < VALUES; i++) {
        CHECK_EQ(urd_chan_send(&c[0], &i), 0);
        CHECK_EQ(urd_chan_recv(&c[STAGES], &v), 0);
        CHECK_EQ(v, i + STAGES);
    }
    urd_chan_close(&c[0]);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(threads_and_tasks_alternate_in_a_pipeline)
{
    run_seeds(20, pipeline);
    for (int workers = 1; workers <= WORKERS; workers++)
        run_real(workers, pipeline);
}

static int thread_with_scopes(void *arg)
{
    int depth = *(const int *)arg - 1;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + 1000);
    if (depth > 0) {
        CHECK_EQ(urd_spawn(&s, URD_THREAD, thread_with_scopes, &depth, 0), 0);
        CHECK_EQ(urd_spawn(&s, URD_TASK, thread_with_scopes, &depth, 0), 0);
    }
    CHECK_EQ(urd_sleep(10), 0);
    urd__add_ar(&ended, 1);
    return urd_scope_join(&s);
}

static int trees(void *arg)
{
    (void)arg;
    int depth = 5;
    ended = 0;
    CHECK_EQ(thread_with_scopes(&depth), 0);
    CHECK_EQ(ended, 31);
    return 0;
}

TEST(threads_open_scopes_and_start_threads_and_tasks)
{
    run_seeds(10, trees);
}

/* ---- Many, one after the other and at once --------------------------------------------------- */

static int count_it(void *arg)
{
    (void)arg;
    urd__add_ar(&ended, 1);
    return 0;
}

static int one_by_one(void *arg)
{
    (void)arg;
    int count = test_under_slow_tool() ? 200 : 2000;
    ended = 0;
    for (int i = 0; i < count; i++) {
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, URD_THREAD, count_it, NULL, 0), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
    }
    CHECK_EQ(ended, count);
    return 0;
}

TEST(threads_by_the_thousand_one_after_the_other_leave_nothing)
{
    test_run(one_by_one);
}

static int wait_for_event(void *arg)
{
    urd__add_ar(&ended, 1);
    return urd_event_wait(arg);
}

static int at_once(void *arg)
{
    (void)arg;
    int count = test_under_slow_tool() ? 50 : 300;
    urd_event e = {0};
    urd_scope s;
    ended = 0;
    urd_scope_open(&s);
    for (int i = 0; i < count; i++)
        CHECK_EQ(urd_spawn(&s, URD_THREAD, wait_for_event, &e, 0), 0);
    CHECK_EQ(urd_sleep(1), 0);
    CHECK_EQ(ended, count);
    urd_event_set(&e);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(hundreds_of_threads_wait_at_once)
{
    test_run(at_once);
    test_run_workers(WORKERS, at_once);
}

static int too_many(void *arg)
{
    (void)arg;
    struct rlimit before, none;
    CHECK_EQ(getrlimit(RLIMIT_NPROC, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    if (getuid() == 0 && setuid(65534) != 0) /* for root there is no limit */
        SKIP("cannot become another user: %s", strerror(errno));
    CHECK_EQ(setrlimit(RLIMIT_NPROC, &none), 0);
    urd_scope s;
    urd_scope_open(&s);
    int rc = urd_spawn(&s, URD_THREAD, count_it, NULL, 0);
    CHECK_EQ(setrlimit(RLIMIT_NPROC, &before), 0);
    CHECK_EQ(rc, -EAGAIN);
    CHECK_EQ(urd_scope_join(&s), -EAGAIN);
    return 0;
}

TEST(a_thread_that_is_not_to_be_had_is_EAGAIN)
{
    test_run(too_many);
}

/* ---- Signals --------------------------------------------------------------------------------- */

static pid_t handled_by;

static void note_thread(int sig)
{
    (void)sig;
    handled_by = gettid();
}

static int wait_for_end(void *arg)
{
    return urd_event_wait(arg);
}

static int signals_go_to_the_program(void *arg)
{
    (void)arg;
    urd_event e = {0};
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(urd_spawn(&s, URD_THREAD, wait_for_end, &e, 0), 0);
    CHECK_EQ(urd_sleep(1), 0);
    struct sigaction action = {.sa_handler = note_thread}, before;
    sigaction(SIGUSR1, &action, &before);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    CHECK_EQ(handled_by, gettid());
    sigaction(SIGUSR1, &before, NULL);
    urd_event_set(&e);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(signals_from_outside_go_to_the_programs_own_threads)
{
    test_run_workers(WORKERS, signals_go_to_the_program);
}
