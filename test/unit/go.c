/*
 * go.c - starting jobs: kinds, copies, refusals, and where it cannot be done.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "runs.h"

static int sum; /* atomic */

typedef struct numbers {
    int a, b;
} numbers;

static int add_up(void *arg)
{
    const numbers *n = arg;
    urd__add_ar(&sum, n->a * n->b);
    return 0;
}

static int copies(void *arg)
{
    (void)arg;
    sum = 0;
    int expected = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 50; i++) {
        numbers n = {i, i + 1};
        expected += n.a * n.b;
        CHECK_EQ(urd_go_copy(&s, add_up, &n, sizeof n), 0);
        memset(&n, 0xff, sizeof n); /* the job has its own */
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(sum, expected);
    return 0;
}

TEST(go_copy_gives_each_job_a_copy_of_its_own)
{
    run_seeds(20, copies);
}

static int count_it(void *arg)
{
    CHECK(arg);
    urd__add_ar(&sum, 1);
    return 0;
}

static int copies_nothing(void *arg)
{
    (void)arg;
    sum = 0;
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go_copy(&s, count_it, NULL, 0), 0);
    CHECK_EQ(urd_go_copy(&s, count_it, &sum, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(sum, 2);
    return 0;
}

TEST(go_copy_of_0_bytes_starts_the_job)
{
    test_run(copies_nothing);
}

static int double_it(void *arg)
{
    numbers *n = arg;
    n->b = 2 * n->a;
    return urd_sleep(1);
}

static int both_kinds(void *arg)
{
    (void)arg;
    numbers n[10];
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 10; i++) {
        n[i] = (numbers){i, 0};
        CHECK_EQ(urd_spawn(&s, i % 2 ? URD_TASK : URD_THREAD, double_it, &n[i], sizeof n[i]), 0);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(n[i].b, 2 * i);
    return 0;
}

TEST(spawn_gives_results_through_the_argument_as_task_and_as_thread)
{
    run_seeds(20, both_kinds);
}

static int three_kinds(void *arg)
{
    (void)arg;
    for (int kind = URD_TASK; kind <= URD_PROCESS; kind++) {
        numbers n = {21, 0};
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, (urd_kind)kind, double_it, &n, sizeof n), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(n.b, 42);
    }
    return 0;
}

TEST(one_function_gives_the_same_result_under_all_three_kinds)
{
    urd_config config = {.workers = 2};
    test_run_with(&config, three_kinds, NULL);
}

static int refusals(void *arg)
{
    (void)arg;
    urd_scope s;
    sum = 0;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, (urd_kind)3, count_it, &sum, 0), -EINVAL);
    CHECK_EQ(urd_sleep(1), -ECANCELED); /* an error in starting is the scope's cause */
    CHECK_EQ(urd_scope_join(&s), -EINVAL);

    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, (urd_kind)-1, count_it, &sum, 0), -EINVAL);
    CHECK_EQ(urd_scope_join(&s), -EINVAL);

    urd_scope_open(&s);
    CHECK_EQ(urd_spawn_at(&s, URD_PROCESS, count_it, NULL, 0, "here.c:1"), -ENOTSUP);
    urd_error error;
    CHECK_EQ(urd_scope_wait(&s), -ENOTSUP);
    CHECK_EQ(urd_scope_errors(&s, &error, 1), 1);
    CHECK_EQ(error.result, -ENOTSUP);
    CHECK_EQ(error.kind, URD_PROCESS);
    CHECK_STR(error.where, "here.c:1");
    CHECK_EQ(urd_scope_join(&s), -ENOTSUP);
    CHECK_EQ(sum, 0);
    return 0;
}

TEST(a_refused_start_is_the_cause_of_the_scope)
{
    run_seeds(3, refusals);
}

static int many(void *arg)
{
    (void)arg;
    sum = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 20000; i++)
        CHECK_EQ(urd_go(&s, count_it, &sum), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(sum, 20000);
    return 0;
}

TEST(jobs_by_the_thousand_may_be_started_before_the_first_runs)
{
    test_run(many);
    test_run_workers(WORKERS, many);
}

/* ---- From threads ---------------------------------------------------------------------------- */

static void *start_jobs(void *arg)
{
    for (int i = 0; i < 100; i++)
        CHECK_EQ(urd_go_copy(arg, count_it, &i, sizeof i), 0);
    return NULL;
}

static int from_foreign_threads(void *arg)
{
    (void)arg;
    sum = 0;
    urd_scope s;
    urd_scope_open(&s);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, start_jobs, &s), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(sum, 300);
    return 0;
}

TEST(threads_of_the_program_may_start_jobs)
{
    for (int workers = 1; workers <= WORKERS; workers++)
        run_real(workers, from_foreign_threads);
}

static int start_from_a_job(void *arg)
{
    start_jobs(arg);
    return 0;
}

static int from_thread_jobs(void *arg)
{
    (void)arg;
    sum = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(urd_spawn(&s, URD_THREAD, start_from_a_job, &s, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(sum, 300);
    return 0;
}

TEST(thread_jobs_may_start_jobs)
{
    run_seeds(10, from_thread_jobs);
}

/* ---- Where it cannot be done ----------------------------------------------------------------- */

static void go_outside(void)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, count_it, &sum);
}

static void spawn_outside(void)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_THREAD, count_it, &sum, 0);
}

static void hold_outside(void)
{
    urd_scope s;
    urd_job j;
    urd_scope_open(&s);
    urd_job_open(&j, &s, URD_TASK, count_it, &sum, 0, NULL);
}

static void deadline_outside(void)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND);
}

TEST(outside_of_urd_run_starting_a_job_aborts_saying_so)
{
    static const char message[] = "starting a job: no runtime is running; call it inside urd_run";
    CHECK_ABORTS(go_outside, message);
    CHECK_ABORTS(spawn_outside, message);
    CHECK_ABORTS(hold_outside, message);
    CHECK_ABORTS(deadline_outside, "urd_scope_deadline: no runtime is running");
}

static int fork_and(void (*call)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        call();
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return status;
}

static int in_a_forked_child(void *arg)
{
    (void)arg;
    int status = fork_and(go_outside);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGABRT);
    CHECK_EQ(fork_and(deadline_outside), status);
    return 0;
}

static int as_a_task(void *arg)
{
    urd_scope s;
    in_a_forked_child(arg);
    urd_scope_open(&s);
    urd_go(&s, in_a_forked_child, NULL);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, in_a_forked_child, NULL, 0), 0);
    return urd_scope_join(&s);
}

static void fork_in_a_run(void)
{
    urd_config config = {.workers = 2, .processes = URD_PROCESSES_NONE};
    test_run_with(&config, as_a_task, NULL);
}

TEST(a_child_made_by_fork_aborts_as_it_starts_a_job)
{
    struct test_child child;
    test_fork(&child, fork_in_a_run);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "starting a job: this process was made by fork() and has no runtime; "
                              "start it with urd_spawn(URD_PROCESS), or exec a program in it");
    CHECK_CONTAINS(child.err, "urd_scope_deadline: this process was made by fork()");
}
