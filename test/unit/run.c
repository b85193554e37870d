/*
 * run.c - urd_run: results, refusals, one at a time, again and again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/atomic.h"
#include "runs.h"

static int io_error = -EIO, zero = 0;

TEST(it_returns_the_result_of_the_first_job)
{
    urd_config config = {.workers = 2, .processes = URD_PROCESSES_NONE};
    CHECK_EQ(urd_run(&config, give, &zero), 0);
    CHECK_EQ(urd_run(&config, give, &io_error), -EIO);
    CHECK_EQ(urd_run(NULL, give, &io_error), -EIO);
}

static int sleeps(void *arg)
{
    ++*(int *)arg;
    return urd_sleep(1);
}

TEST(it_may_be_called_again_and_again)
{
    int count = 0;
    for (int i = 0; i < 20; i++) {
        urd_config config = {.workers = 1 + i % 3,
                             .virtual_clock = i % 2,
                             .processes = i % 5 ? URD_PROCESSES_NONE : URD_PROCESSES_ZYGOTE};
        test_run_with(&config, sleeps, &count);
    }
    CHECK_EQ(count, 20);
}

static int runs_inside(void *arg)
{
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    CHECK_EQ(urd_run(&config, give, &zero), -EBUSY);
    return urd_sleep(arg ? 1 : 0);
}

static void *runs_in_a_thread(void *arg)
{
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    CHECK_EQ(urd_run(&config, give, &zero), -EBUSY);
    return arg;
}

static int runs_everywhere(void *arg)
{
    CHECK_EQ(runs_inside(arg), 0);
    urd_scope s;
    urd_scope_open(&s);
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++)
        CHECK_EQ(urd_spawn(&s, (urd_kind)kind, runs_inside, NULL, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, runs_in_a_thread, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

static void nested(void)
{
    test_run(runs_everywhere);
}

TEST(a_second_runtime_is_refused_with_EBUSY_and_the_first_runs_on)
{
    struct test_child child;
    test_fork(&child, nested);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "urd: urd_run: a runtime is running in this process already\n");
}

static int all_kinds(void *arg)
{
    int count = 0;
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_TASK, sleeps, &count, 0), 0);
    CHECK_EQ(urd_scope_wait(&s), 0);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, sleeps, &count, 0), 0);
    CHECK_EQ(urd_scope_wait(&s), 0);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, sleeps, &count, sizeof count), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(count, 3);
    *(int *)arg = count;
    return 0;
}

static void *run_in_a_thread(void *arg)
{
    urd_config config = {.workers = 2};
    test_run_with(&config, all_kinds, arg);
    return NULL;
}

TEST(a_thread_other_than_main_may_call_it)
{
    pthread_t thread;
    int count;
    for (int i = 0; i < 3; i++) {
        count = 0;
        CHECK_EQ(pthread_create(&thread, NULL, run_in_a_thread, &count), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        CHECK_EQ(count, 3);
    }
}

TEST(a_thread_with_a_small_stack_may_call_it)
{
    pthread_t thread;
    pthread_attr_t attr;
    int count = 0;
    CHECK_EQ(pthread_attr_init(&attr), 0);
    CHECK_EQ(pthread_attr_setstacksize(&attr, test_under_slow_tool() ? 1 << 20 : 128 * 1024), 0);
    CHECK_EQ(pthread_create(&thread, &attr, run_in_a_thread, &count), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(pthread_attr_destroy(&attr), 0);
    CHECK_EQ(count, 3);
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void bad_field(void)
{
    urd_config config = {.workers = -1};
    CHECK_EQ(urd_run(&config, give, &zero), -EINVAL);
    config = (urd_config){.workers = 5000};
    CHECK_EQ(urd_run(&config, give, &zero), -EINVAL);
    config = (urd_config){.stack_bytes = 1};
    CHECK_EQ(urd_run(&config, give, &zero), -EINVAL);
}

static void bad_variable(void)
{
    setenv("URD_WORKERS", "many", 1);
    CHECK_EQ(urd_run(NULL, give, &zero), -EINVAL);
    unsetenv("URD_WORKERS");
    setenv("URD_PROCESSES", "none", 1);
    CHECK_EQ(urd_run(NULL, give, &zero), 0);
}

TEST(a_bad_configuration_is_EINVAL_and_named)
{
    struct test_child child;
    test_fork(&child, bad_field);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "workers");
    CHECK_CONTAINS(child.err, "stack_bytes");
    test_fork(&child, bad_variable);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "URD_WORKERS=many");
}

static void no_memory(void)
{
    struct rlimit all, few;
    CHECK_EQ(getrlimit(RLIMIT_AS, &all), 0);
    few = (struct rlimit){(rlim_t)64 << 20, all.rlim_max};
    CHECK_EQ(setrlimit(RLIMIT_AS, &few), 0);
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    int rc = urd_run(&config, give, &zero);
    CHECK_EQ(setrlimit(RLIMIT_AS, &all), 0);
    CHECK_EQ(rc, -ENOMEM);
    CHECK_EQ(urd_run(&config, give, &zero), 0); /* it left nothing behind */
}

TEST(no_room_for_the_shared_heap_is_ENOMEM_with_a_message)
{
    if (test_under_slow_tool())
        SKIP("the tool itself needs the address space");
    struct test_child child;
    test_fork(&child, no_memory);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "urd: urd_run: the shared heap of 1073741824 bytes");
}

/* ---- What stands while it runs --------------------------------------------------------------- */

static int uses_shared(void *arg)
{
    (void)arg;
    char *p = urd_shared_alloc(1000);
    CHECK(p);
    memset(p, 1, 1000);
    urd_shared_free(p);
    return 0;
}

TEST(the_shared_heap_is_there_while_it_runs)
{
    CHECK(!urd_shared_alloc(1000));
    urd_config config = {.workers = 1};
    test_run_with(&config, uses_shared, NULL);
    config.processes = URD_PROCESSES_NONE;
    test_run_with(&config, uses_shared, NULL);
    CHECK(!urd_shared_alloc(1000));
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void pending_output(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* its helper ends here, not in the test */
    printf("once");
    urd_config config = {.workers = 2};
    test_run_with(&config, all_kinds, &(int){0});
    printf(" and no more");
}

TEST(pending_output_is_written_once)
{
    struct test_child child;
    test_fork(&child, pending_output);
    CHECK_EQ(child.code, 0);
    CHECK_STR(child.out, "once and no more");
}

static int leaks_nothing(void *arg)
{
    CHECK_EQ(all_kinds(arg), 0); /* the first process may open what the later ones share */
    int fds = test_fd_count();
    for (int i = 0; i < 5; i++)
        CHECK_EQ(all_kinds(arg), 0);
    while (test_fd_count() > fds) /* closed a moment after the join */
        sched_yield();
    return 0;
}

TEST(file_descriptors_are_as_before)
{
    int fds = test_fd_count(), count = 0;
    urd_config config = {.workers = 2};
    test_run_with(&config, leaks_nothing, &count);
    CHECK_EQ(test_fd_count(), fds);
    config.processes = URD_PROCESSES_NONE;
    test_run_with(&config, nothing, NULL);
    CHECK_EQ(test_fd_count(), fds);
}
