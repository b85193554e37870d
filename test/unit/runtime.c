/*
 * runtime.c - workers come and go; the root scope; calls from where there is no runtime.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/runtime.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "runs.h"

/* ---- Workers --------------------------------------------------------------------------------- */

/* Threads of this process that bear a worker's name: a tool may have threads of its own. */
static int count_workers(void)
{
    DIR *dir = opendir("/proc/self/task");
    CHECK(dir);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "r");
        if (!file)
            continue;
        n += fgets(name, sizeof name, file) && strncmp(name, "urd-worker-", 11) == 0;
        fclose(file);
    }
    closedir(dir);
    return n;
}

static int workers_are_there(void *arg)
{
    while (count_workers() < *(const int *)arg - 1) /* each gives itself its name */
        sched_yield();
    CHECK_EQ(count_workers(), *(const int *)arg - 1);
    return 0;
}

TEST(as_many_threads_as_workers_and_none_afterwards)
{
    for (int workers = 1; workers <= 5; workers++) {
        urd_config config = {.workers = workers, .processes = URD_PROCESSES_NONE};
        test_run_with(&config, workers_are_there, &workers);
        while (count_workers() > 0) /* joined threads vanish from /proc a moment later */
            sched_yield();
    }
}

static int first_thread(void *arg)
{
    CHECK_EQ(gettid(), *(const pid_t *)arg);
    CHECK_EQ(urd_sleep(URD_US), 0);
    CHECK_EQ(gettid(), *(const pid_t *)arg);
    return 0;
}

TEST(the_first_job_stays_on_the_thread_that_called)
{
    pid_t here = gettid();
    for (int workers = 1; workers <= WORKERS; workers++) {
        urd_config config = {.workers = workers, .processes = URD_PROCESSES_NONE};
        test_run_with(&config, first_thread, &here);
    }
}

static int about_it(void *arg)
{
    (void)arg;
    urd_about about;
    urd_about_get(&about);
    CHECK_EQ(about.workers, WORKERS);
    CHECK_EQ(about.stack_bytes, 131072);
    return 0;
}

TEST(the_running_runtime_says_what_it_has)
{
    urd_config config = {
        .workers = WORKERS, .stack_bytes = 131072, .processes = URD_PROCESSES_NONE};
    test_run_with(&config, about_it, NULL);
}

static int uses_much_stack(void *arg)
{
    char room[300 * 1024]; /* as main() may; a task may not */
    memset(room, *(const int *)arg, sizeof room);
    CHECK_EQ(urd_sleep(1), 0);
    CHECK_EQ(room[sizeof room / 2], *(const int *)arg);
    return 0;
}

static int much_stack(void *arg)
{
    (void)arg;
    int v = 5;
    return uses_much_stack(&v);
}

TEST(the_first_job_has_the_stack_that_main_has)
{
    run_seeds(2, much_stack);
}

/* ---- The root scope -------------------------------------------------------------------------- */

static int interrupted(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, wait_for_ever, NULL);
    urd_spawn(&s, URD_THREAD, wait_for_ever, NULL, 0);
    urd__runtime_interrupt(-ECANCELED);
    CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(an_interrupt_cancels_the_root_scope)
{
    for (int workers = 1; workers <= WORKERS; workers++) {
        urd_config config = {.workers = workers, .processes = URD_PROCESSES_NONE};
        CHECK_EQ(urd_run(&config, interrupted, NULL), -ECANCELED);
        CHECK_EQ(urd_run(&config, much_stack, NULL), 0); /* the next run is not concerned */
    }
}

static void interrupt_from_handler(int sig)
{
    (void)sig;
    urd__runtime_interrupt(-ECANCELED);
}

static int by_a_signal(void *arg)
{
    (void)arg;
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    return 0;
}

TEST(a_signal_handler_may_interrupt)
{
    struct sigaction action = {.sa_handler = interrupt_from_handler};
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    for (int workers = 1; workers <= WORKERS; workers++) {
        urd_config config = {.workers = workers, .processes = URD_PROCESSES_NONE};
        CHECK_EQ(urd_run(&config, by_a_signal, NULL), -ECANCELED);
    }
}

static int just_waits(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    return 0;
}

TEST(an_interrupt_before_the_start_is_not_lost)
{
    urd_config config = {.workers = 2, .processes = URD_PROCESSES_NONE};
    urd__runtime_interrupt(-ECANCELED);
    CHECK_EQ(urd_run(&config, just_waits, NULL), -ECANCELED);
}

static int sleeping, woken; /* atomic */

static int sleeps_elsewhere(void *arg)
{
    (void)arg;
    urd__store_rel(&sleeping, 1);
    int rc = urd_sleep(URD_FOREVER);
    urd__store_rel(&woken, 1);
    return rc;
}

/* It never waits nor asks, so its worker does not look around. */
static int computes(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, sleeps_elsewhere, NULL);
    while (!urd__load_acq(&sleeping))
        sched_yield();
    CHECK_EQ(raise(SIGUSR1), 0);
    while (!urd__load_acq(&woken))
        sched_yield();
    return urd_scope_join(&s);
}

TEST(an_interrupt_is_heeded_while_the_first_job_computes)
{
    struct sigaction action = {.sa_handler = interrupt_from_handler};
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    urd_config config = {.workers = 2, .processes = URD_PROCESSES_NONE};
    CHECK_EQ(urd_run(&config, computes, NULL), -ECANCELED);
}

static int started; /* atomic */

static void *interrupts(void *arg)
{
    urd__store_rel(&started, 1);
    for (uintptr_t spins = (uintptr_t)arg; spins > 0; spins--)
        urd__spin_hint();
    urd__runtime_interrupt(-ECANCELED);
    return NULL;
}

static int returns_as_it_is_interrupted(void *arg)
{
    urd__store_rel(&started, 0);
    CHECK_EQ(pthread_create(arg, NULL, interrupts, (void *)(test_random(400))), 0);
    while (!urd__load_acq(&started))
        sched_yield();
    return 0;
}

TEST(an_interrupt_may_come_as_the_run_ends)
{
    urd_config config = {.workers = 3, .processes = URD_PROCESSES_NONE};
    TEST_SEEDS(test_under_slow_tool() ? 20 : 100)
    {
        pthread_t thread;
        int rc = urd_run(&config, returns_as_it_is_interrupted, &thread);
        CHECK(rc == 0 || rc == -ECANCELED);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        urd__store_rel(&urd__interrupted, 0); /* it may have come too late for that run */
    }
}

/* ---- Without a runtime ----------------------------------------------------------------------- */

static void need_it(void)
{
    urd__runtime_need("the-call");
}

TEST(who_needs_a_runtime_and_has_none_aborts)
{
    CHECK_ABORTS(need_it, "urd: the-call: no runtime is running; call it inside urd_run");
    test_run(much_stack);
    CHECK_ABORTS(need_it, "the-call: no runtime is running");
}

static int forks(void *arg)
{
    (void)arg;
    fflush(NULL);
    pid_t pid = fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        urd_scope s; /* what needs no runtime works */
        urd_mutex m = {0};
        urd_scope_open(&s);
        CHECK_EQ(urd_mutex_lock(&m), 0);
        urd_mutex_unlock(&m);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_STR(urd_name(), "thread");
        need_it();
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGABRT);
    CHECK_EQ(urd_sleep(1), 0); /* the parent has lost nothing */
    return 0;
}

static void run_forks(void)
{
    test_run_workers(WORKERS, forks);
}

TEST(a_child_made_by_fork_has_no_runtime)
{
    struct test_child child;
    test_fork(&child, run_forks);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "the-call: this process was made by fork() and has no runtime");
}

/* ---- Messages -------------------------------------------------------------------------------- */

static int unlocks(void *arg)
{
    (void)arg;
    urd_mutex m = {0};
    urd_mutex_unlock(&m);
    return 0;
}

static int dies_in_a_named_job(void *arg)
{
    (void)arg;
    urd_job j;
    urd_job_options o = {.name = "culprit"};
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_job_open_at(&j, &s, URD_TASK, unlocks, NULL, 0, &o, "where.c:5"), 0);
    return urd_scope_join(&s);
}

static void die_in_a_named_job(void)
{
    test_run(dies_in_a_named_job);
}

static void die_in_the_first_job(void)
{
    test_run(unlocks);
}

TEST(a_programmers_error_names_the_job)
{
    CHECK_ABORTS(die_in_a_named_job, "(in job culprit, started at where.c:5)");
    CHECK_ABORTS(die_in_the_first_job, "started at urd_run)");
}
