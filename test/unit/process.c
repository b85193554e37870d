/*
 * process.c - process jobs: results, crashes, cancel, names, and what the program notices of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proc/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/os.h"
#include "base/os_proc.h"
#include "forks.h"
#include "test.h"

static void run(urd_fn *fn)
{
    urd_config config = {.workers = 2};
    test_run_with(&config, fn, NULL);
}

static bool has_pidfd(void)
{
    int fd = urd__os_pidfd_open(getpid());
    urd__os_close(fd);
    return fd >= 0;
}

/* ---- results ---- */

struct sum {
    int in[3], out;
    pid_t pid;
};

static int touched;

static int add(void *arg)
{
    struct sum *sum = arg;
    touched++;
    sum->out = sum->in[0] + sum->in[1] + sum->in[2];
    sum->pid = getpid();
    return 0;
}

static int add_three(void *unused)
{
    (void)unused;
    struct sum sums[3] = {{.in = {1, 2, 3}}, {.in = {4, 5, 6}}, {.in = {7, 8, 9}}};
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(urd_spawn(&s, URD_PROCESS, add, &sums[i], sizeof sums[i]), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(sums[0].out, 6);
    CHECK_EQ(sums[1].out, 15);
    CHECK_EQ(sums[2].out, 24);
    CHECK_NE(sums[0].pid, getpid());
    CHECK_NE(sums[0].pid, sums[1].pid);
    CHECK_EQ(touched, 0);
    return 0;
}

TEST(it_runs_in_a_process_of_its_own_and_the_argument_comes_back)
{
    run(add_three);
}

TEST(a_second_run_starts_processes_too)
{
    run(add_three);
    run(add_three);
}

static int add_and_fail(void *arg)
{
    add(arg);
    return -EDOM;
}

static int check_failure(void *unused)
{
    (void)unused;
    struct sum sum = {.in = {1, 1, 1}};
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, add_and_fail, &sum, sizeof sum), 0);
    CHECK_EQ(urd_scope_wait(&s), -EDOM);
    urd_error error;
    CHECK_EQ(urd_scope_errors(&s, &error, 1), 1);
    CHECK_EQ(error.result, -EDOM);
    CHECK_EQ(error.kind, URD_PROCESS);
    CHECK_PTR(error.detail, NULL);
    CHECK_EQ(urd_scope_join(&s), -EDOM);
    CHECK_EQ(sum.out, 3);
    return 0;
}

TEST(a_negative_result_fails_the_scope_and_the_argument_still_comes_back)
{
    run(check_failure);
}

static int count_shared(void *arg)
{
    urd__add_ar((int *)arg, 1);
    return 0;
}

static int share_a_counter(void *unused)
{
    (void)unused;
    int *counter = urd_shared_alloc(sizeof *counter);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 20; i++)
        urd_spawn(&s, URD_PROCESS, count_shared, counter, 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(*counter, 20);
    urd_shared_free(counter);
    return 0;
}

TEST(a_pointer_into_shared_memory_is_passed_as_it_is)
{
    run(share_a_counter);
}

static int tell_name(void *arg)
{
    snprintf(arg, 64, "%s", urd_name());
    return 0;
}

static int check_names(void *unused)
{
    (void)unused;
    char named[64] = "", unnamed[64] = "";
    urd_scope s;
    urd_scope_open(&s);
    urd_job job;
    urd_job_options options = {.name = "forno"};
    CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, tell_name, named, sizeof named, &options), 0);
    urd_spawn(&s, URD_PROCESS, tell_name, unnamed, sizeof unnamed);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_STR(named, "forno");
    CHECK_NE(unnamed[0], 0);
    return 0;
}

TEST(a_job_knows_its_name)
{
    run(check_names);
}

/* ---- ends without a return ---- */

static void die_by(int sig)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    signal(sig, SIG_DFL);
    raise(sig);
}

static int die_by_segv(void *unused)
{
    (void)unused;
    die_by(SIGSEGV);
    return 0;
}

static int die_by_abort(void *unused)
{
    (void)unused;
    die_by(SIGABRT);
    return 0;
}

static int die_by_kill(void *unused)
{
    (void)unused;
    die_by(SIGKILL);
    return 0;
}

static int end_by_exit(void *unused)
{
    (void)unused;
    exit(3);
}

static int end_by_quick_exit(void *unused)
{
    (void)unused;
    _exit(0);
}

static const struct {
    urd_fn *fn;
    int code, signal;
    const char *words;
} ends[] = {
    {die_by_segv, -1, SIGSEGV, "killed by SIGSEGV"},
    {die_by_abort, -1, SIGABRT, "killed by SIGABRT"},
    {die_by_kill, -1, SIGKILL, "killed by SIGKILL"},
    {end_by_exit, 3, 0, "exited with code 3 before it returned"},
    {end_by_quick_exit, 0, 0, "exited with code 0 before it returned"},
};

static int crash_one_after_the_other(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        int arg = 1;
        urd_scope s;
        urd_scope_open(&s);
        urd_job job;
        CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, ends[i].fn, &arg, sizeof arg, NULL), 0);
        CHECK_EQ(urd_scope_wait(&s), -ECHILD);
        urd_exit end;
        urd_job_exit(&job, &end);
        CHECK_EQ(end.code, ends[i].code);
        CHECK_EQ(end.signal, ends[i].signal);
        CHECK_STR(end.detail, ends[i].words);
        CHECK_EQ(urd_scope_join(&s), -ECHILD);
    }
    return 0;
}

TEST(every_end_without_a_return_is_told_in_words)
{
    run(crash_one_after_the_other);
}

static int sleep_for_ever(void *unused)
{
    (void)unused;
    return urd_sleep_until(URD_FOREVER);
}

static int crash_beside_a_sibling(void *unused)
{
    (void)unused;
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_PROCESS, sleep_for_ever, NULL, 0);
    urd_spawn(&s, URD_TASK, sleep_for_ever, NULL, 0);
    urd_spawn(&s, URD_PROCESS, die_by_segv, NULL, 0);
    CHECK_EQ(urd_scope_wait(&s), -ECHILD);
    urd_error error;
    CHECK_EQ(urd_scope_errors(&s, &error, 1), 1);
    CHECK_STR(error.detail, "killed by SIGSEGV");
    CHECK_EQ(urd_scope_join(&s), -ECHILD);
    return 0;
}

TEST(a_crash_fails_the_scope_and_cancels_the_siblings)
{
    run(crash_beside_a_sibling);
}

/* ---- cancel ---- */

static int sleep_and_clean_up(void *arg)
{
    int *state = arg;
    urd__store_rel(state, 1);
    int rc = urd_sleep_until(URD_FOREVER);
    urd__store_rel(state, 2);
    return rc;
}

/* ThreadSanitizer keeps a signal back until the next call of the C library that it knows, and an
 * idle worker makes none. */
static void need_prompt_signals(void)
{
#ifdef UNDER_TSAN
    SKIP("ThreadSanitizer keeps signals back");
#endif
}

static void wait_until(const int *state, int value)
{
    while (urd__load_acq(state) != value)
        CHECK_EQ(urd_yield(), 0);
}

static int cancel_when_it_sleeps(void *unused)
{
    (void)unused;
    int *state = urd_shared_alloc(sizeof *state);
    urd_scope s;
    urd_scope_open(&s);
    urd_job job;
    CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, sleep_and_clean_up, state, 0, NULL), 0);
    wait_until(state, 1);
    urd_job_cancel(&job);
    CHECK_EQ(urd_job_join(&job), -ECANCELED);
    CHECK_EQ(*state, 2);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_shared_free(state);
    return 0;
}

TEST(cancel_reaches_into_the_process_which_ends_in_peace)
{
    need_prompt_signals();
    run(cancel_when_it_sleeps);
}

static int cancel_at_once(void *unused)
{
    (void)unused;
    int *state = urd_shared_alloc(sizeof *state);
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_PROCESS, sleep_and_clean_up, state, 0);
    urd_scope_cancel(&s, -EXDEV);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, sleep_and_clean_up, state, 0), 0);
    CHECK_EQ(urd_scope_join(&s), -EXDEV);
    CHECK_EQ(*state, 2); /* a job that was started always runs */
    urd_shared_free(state);
    return 0;
}

TEST(a_cancel_before_the_fork_reaches_it_too)
{
    need_prompt_signals();
    run(cancel_at_once);
}

static int never_listen(void *arg)
{
    int *state = arg;
    urd__store_rel(state, 1);
    while (urd__load_acq(state) == 1)
        urd__spin_hint();
    return 0;
}

static int cancel_the_deaf(void *unused)
{
    (void)unused;
    int *state = urd_shared_alloc(sizeof *state);
    urd_scope s;
    urd_scope_open(&s);
    urd_job job;
    urd_job_options options = {.grace_duration = URD_MS};
    CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, never_listen, state, 0, &options), 0);
    wait_until(state, 1);
    urd_job_cancel(&job);
    CHECK_EQ(urd_job_join(&job), -ECANCELED);
    urd_exit end;
    urd_job_exit(&job, &end);
    CHECK_EQ(end.signal, SIGKILL);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_shared_free(state);
    return 0;
}

TEST(who_does_not_listen_is_killed_after_the_grace)
{
    run(cancel_the_deaf);
}

static int *handled;

static void on_terminate(int sig)
{
    urd__store_rel(handled, sig);
}

static int handle_it_myself(void *arg)
{
    handled = arg;
    signal(SIGTERM, on_terminate);
    urd__store_rel(handled, 1);
    while (urd__load_acq(handled) != SIGTERM)
        urd__os_yield();
    CHECK(!urd_cancelled());
    return urd_sleep(URD_MS);
}

static int cancel_one_with_a_handler(void *unused)
{
    (void)unused;
    int *state = urd_shared_alloc(sizeof *state);
    urd_scope s;
    urd_scope_open(&s);
    urd_job job;
    CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, handle_it_myself, state, 0, NULL), 0);
    wait_until(state, 1);
    urd_job_cancel(&job);
    CHECK_EQ(urd_job_join(&job), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_shared_free(state);
    return 0;
}

TEST(a_handler_of_the_job_for_SIGTERM_wins)
{
    run(cancel_one_with_a_handler);
}

static int ignore_the_parents_handler(void *unused)
{
    (void)unused;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_MS);
    urd_spawn(&s, URD_PROCESS, sleep_for_ever, NULL, 0);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    return 0;
}

TEST(a_deadline_ends_it_also_where_the_program_handles_SIGTERM)
{
    static int unused;
    handled = &unused;
    signal(SIGTERM, on_terminate);
    run(ignore_the_parents_handler);
}

/* ---- held by hand ---- */

static int use_the_handle(void *unused)
{
    (void)unused;
    urd_scope s;
    urd_scope_open(&s);
    urd_job job;
    CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, sleep_for_ever, NULL, 0, NULL), 0);
    pid_t pid = urd_job_pid(&job);
    CHECK_GT(pid, 0);
    CHECK_EQ(kill(pid, 0), 0);
    CHECK(urd_job_alive(&job));
    int pidfd = urd_job_pidfd(&job);
    if (has_pidfd())
        CHECK_EQ(urd_job_kill(&job, SIGKILL), 0);
    else
        CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(urd_scope_wait(&s), -ECHILD);
    CHECK_EQ(urd_job_kill(&job, SIGKILL), -ESRCH);
    CHECK_EQ(kill(pid, 0), -1);
    CHECK_EQ(errno, ESRCH);
    if (has_pidfd()) {
        urd__os_ready ended = {.fd = pidfd};
        CHECK_EQ(urd__os_wait_ready(&ended, 1, 0), 0);
        CHECK(ended.readable);
    }
    CHECK_EQ(urd_scope_join(&s), -ECHILD);
    return 0;
}

TEST(pid_and_pidfd_are_there_at_once_and_kill_kills)
{
    run(use_the_handle);
}

/* ---- inside ---- */

static int sleeper(void *arg)
{
    urd__add_ar((int *)arg, 1);
    return urd_sleep(URD_MS);
}

static int use_everything(void *arg)
{
    int *count = arg;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 5; i++) {
        urd_go(&s, sleeper, count);
        urd_spawn(&s, URD_THREAD, sleeper, count, 0);
    }
    return urd_scope_join(&s);
}

static int run_inside(void *unused)
{
    (void)unused;
    int count = 0;
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_PROCESS, use_everything, &count, sizeof count);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(count, 10);
    return 0;
}

TEST(tasks_threads_and_sleeps_work_inside)
{
    run(run_inside);
}

static int count_down(void *arg)
{
    int *depth = arg;
    if (*depth == 0)
        return 0;
    int below[2] = {*depth - 1, *depth - 1};
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_PROCESS, count_down, &below[0], sizeof below[0]);
    urd_spawn(&s, URD_PROCESS, count_down, &below[1], sizeof below[1]);
    int rc = urd_scope_join(&s);
    *depth = 1 + below[0] + below[1];
    return rc;
}

static int nest(void *unused)
{
    (void)unused;
    int depth = 3;
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_PROCESS, count_down, &depth, sizeof depth);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(depth, 7);
    return 0;
}

TEST(a_process_starts_processes)
{
    run(nest);
}

static int start_a_sleeper(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_PROCESS, sleep_and_clean_up, arg, 0);
    return urd_scope_join(&s);
}

static int cancel_nested(void *unused)
{
    (void)unused;
    int *state = urd_shared_alloc(sizeof *state);
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_PROCESS, start_a_sleeper, state, 0);
    wait_until(state, 1);
    urd_scope_cancel(&s, -EXDEV);
    CHECK_EQ(urd_scope_join(&s), -EXDEV);
    CHECK_EQ(*state, 2);
    urd_shared_free(state);
    return 0;
}

TEST(a_cancel_reaches_through_two_processes)
{
    need_prompt_signals();
    run(cancel_nested);
}
