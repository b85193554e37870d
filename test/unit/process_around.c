/*
 * process_around.c - process jobs and the program around them: what it notices, and who dies when.
 *
 * SPDX-License-Identifier: MIT
 *
 * A test is a reaper of orphans (test.c), so it can wait for the end of any process it caused.
 */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

static int sleep_for_ever(void *unused)
{
    (void)unused;
    return urd_sleep_until(URD_FOREVER);
}

static int answer(void *arg)
{
    *(int *)arg = 42;
    return 0;
}

static void start_one_that_works(void)
{
    int value = 0;
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, answer, &value, sizeof value), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(value, 42);
}

static int start_one_that_fails(urd_fn *fn)
{
    urd_scope s;
    urd_scope_open(&s);
    int rc = urd_spawn(&s, URD_PROCESS, fn, NULL, 0);
    CHECK_EQ(urd_scope_join(&s), rc);
    return rc;
}

static void need_reaper(void)
{
    int is_reaper = 0;
    if (prctl(PR_GET_CHILD_SUBREAPER, &is_reaper) != 0 || !is_reaper)
        SKIP("orphans do not come to this process here");
}

static void reap_orphans(void)
{
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
        ;
    CHECK_EQ(errno, ECHILD);
}

/* A program of its own; its helper may be an orphan, which comes to this test. */
static void fork_program(struct test_child *child, void (*fn)(void))
{
    test_fork(child, fn);
    reap_orphans();
}

/* ---- what the program notices ---- */

static int child_signals; /* atomic */

static void count_signal(int sig)
{
    (void)sig;
    urd__add_rlx(&child_signals, 1);
}

static int wait_for_nobody(void *unused)
{
    (void)unused;
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
    start_one_that_works();
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
    pid_t own = fork();
    if (own == 0)
        _exit(5);
    int status;
    CHECK_EQ(wait(&status), own);
    CHECK_EQ(status, 5 << 8);
    return 0;
}

TEST(wait_and_SIGCHLD_of_the_program_are_its_own)
{
    pid_t quiet = urd__os_single_threaded() ? urd__os_fork_quiet() : -EINVAL;
    if (quiet == 0)
        _exit(0);
    if (quiet < 0)
        SKIP("no fork without an exit signal here");
    int status;
    CHECK_EQ(urd__os_wait(quiet, &status, false), quiet);
    CHECK_EQ(sigaction(SIGCHLD, &(struct sigaction){.sa_handler = count_signal}, NULL), 0);
    run(wait_for_nobody);
    CHECK_EQ(child_signals, 1); /* of its own fork */
}

static int load_and_start(void *unused)
{
    (void)unused;
    void *library = dlopen("libthread_db.so.1", RTLD_LAZY);
    CHECK(library);
    void *symbol = dlsym(library, "td_init");
    CHECK(symbol);
    urd_fn *fn;
    memcpy(&fn, &symbol, sizeof fn);
    CHECK_EQ(start_one_that_fails(fn), -EINVAL);
    return 0;
}

static void load_late(void)
{
    run(load_and_start);
}

TEST(a_function_loaded_after_urd_run_is_refused_by_name)
{
    void *library = dlopen("libthread_db.so.1", RTLD_LAZY);
    if (!library)
        SKIP("there is no library to load");
    dlclose(library);
    struct test_child child;
    fork_program(&child, load_late);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "td_init (from ");
    CHECK_CONTAINS(child.err, "was loaded after urd_run");
}

static int print_during(void *unused)
{
    (void)unused;
    printf("during\n");
    return 0;
}

static int print_around(void *unused)
{
    printf("in the program\n");
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_PROCESS, print_during, unused, 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

static void print_before(void)
{
    printf("before\n");
    run(print_around);
    printf("after\n");
}

TEST(what_is_printed_comes_out_once)
{
    struct test_child child;
    fork_program(&child, print_before);
    CHECK_EQ(child.code, 0);
    CHECK_STR(child.out, "before\nduring\nin the program\nafter\n");
}

static int own_pages(void *arg)
{
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file);
    long resident = 0, shared = 0;
    CHECK_EQ(fscanf(file, "%*d %ld %ld", &resident, &shared), 2);
    fclose(file);
    *(long *)arg = resident - shared;
    return 0;
}

static int grow_and_start(void *unused)
{
    (void)unused;
    size_t size = (size_t)128 << 20;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    memset(memory, 1, size);
    long pages = 0;
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_PROCESS, own_pages, &pages, sizeof pages);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_LT(pages, (long)(size / 4096) / 2);
    munmap(memory, size);
    return 0;
}

TEST(memory_the_program_got_later_is_not_copied)
{
    run(grow_and_start);
}

static int fork_by_hand(void *unused)
{
    (void)unused;
    pid_t pid = fork();
    if (pid == 0) {
        urd_scope s;
        urd_scope_open(&s);
        urd_go(&s, sleep_for_ever, NULL);
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    start_one_that_works(); /* the program's own runtime is as before */
    return 0;
}

static void run_and_fork(void)
{
    run(fork_by_hand);
}

TEST(a_process_made_by_fork_is_told_that_it_has_no_runtime)
{
    struct test_child child;
    fork_program(&child, run_and_fork);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "this process was made by fork() and has no runtime");
}

static int start_without(void *unused)
{
    (void)unused;
    CHECK_EQ(start_one_that_fails(sleep_for_ever), -ENOTSUP);
    return 0;
}

TEST(without_processes_they_are_refused)
{
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    test_run_with(&config, start_without, NULL);
}

static int fill_the_heap(void *unused)
{
    (void)unused;
    static char large[1 << 20];
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, sleep_for_ever, large, sizeof large), -ENOMEM);
    CHECK_EQ(urd_scope_join(&s), -ENOMEM);
    return 0;
}

static void run_with_a_small_heap(void)
{
    urd_config config = {.workers = 1, .shared_bytes = 1 << 20};
    test_run_with(&config, fill_the_heap, NULL);
}

TEST(an_argument_larger_than_the_shared_heap_is_refused)
{
    struct test_child child;
    fork_program(&child, run_with_a_small_heap);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "the shared heap is full");
}

/* ---- deaths ---- */

static int tell_parent_and_sleep(void *arg)
{
    urd__store_rel((int *)arg, getppid());
    return urd_sleep_until(URD_FOREVER);
}

static int kill_the_helper(void *unused)
{
    (void)unused;
    int *helper = urd_shared_alloc(sizeof *helper);
    urd_scope s;
    urd_scope_open(&s);
    urd_job job;
    CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, tell_parent_and_sleep, helper, 0, NULL), 0);
    while (urd__load_acq(helper) == 0)
        CHECK_EQ(urd_yield(), 0);
    CHECK_EQ(kill(*helper, SIGKILL), 0);
    CHECK_EQ(urd_scope_wait(&s), -ECHILD);
    urd_exit end;
    urd_job_exit(&job, &end);
    CHECK_STR(end.detail, "the process helper died");
    CHECK_EQ(urd_scope_join(&s), -ECHILD);
    CHECK_EQ(start_one_that_fails(sleep_for_ever), -EAGAIN);
    return 0;
}

static void run_and_kill_the_helper(void)
{
    run(kill_the_helper);
}

TEST(the_end_of_the_helper_fails_its_jobs_and_later_starts)
{
    need_reaper();
    struct test_child child;
    fork_program(&child, run_and_kill_the_helper);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "no process can be started: the process helper died");
}

/* In shared memory. */
typedef struct held {
    urd_mutex mutex;
    int helper; /* atomic: its pid, when the mutex is held; then the next one waits */
    int waits;  /* atomic */
} held;

static int lock_and_sleep(void *arg)
{
    held *h = arg;
    CHECK_EQ(urd_mutex_lock(&h->mutex), 0);
    urd__store_rel(&h->helper, getppid());
    return urd_sleep_until(URD_FOREVER);
}

static int lock_in_another(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, lock_and_sleep, arg, 0), 0);
    return urd_scope_join(&s);
}

static int wait_for_mutex(void *arg)
{
    held *h = arg;
    urd__store_rel(&h->waits, 1);
    CHECK_EQ(urd_mutex_lock(&h->mutex), -EOWNERDEAD);
    urd_mutex_repair(&h->mutex);
    urd_mutex_unlock(&h->mutex);
    return 0;
}

static void kill_helper_of(held *h)
{
    while (urd__load_acq(&h->helper) == 0)
        CHECK_EQ(urd_yield(), 0);
    CHECK_EQ(kill(h->helper, SIGKILL), 0);
}

/* Held by a process that the program does not know, as another one has started it. */
static int kill_the_helper_of_a_holder(void *unused)
{
    (void)unused;
    held *h = urd_shared_alloc(sizeof *h);
    urd_scope s, waiter;
    urd_scope_open(&waiter);
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, lock_in_another, h, 0), 0);
    while (urd__load_acq(&h->helper) == 0)
        CHECK_EQ(urd_yield(), 0);
    CHECK_EQ(urd_spawn(&waiter, URD_THREAD, wait_for_mutex, h, 0), 0);
    while (urd__load_acq(&h->waits) == 0)
        CHECK_EQ(urd_yield(), 0);
    kill_helper_of(h);
    CHECK_EQ(urd_scope_join(&s), -ECHILD);
    CHECK_EQ(urd_scope_join(&waiter), 0);
    CHECK_EQ(urd_mutex_lock(&h->mutex), 0);
    urd_mutex_unlock(&h->mutex);
    urd_shared_free(h);
    return 0;
}

static void run_and_kill_the_helper_of_a_holder(void)
{
    run(kill_the_helper_of_a_holder);
}

TEST(what_is_locked_is_free_when_the_helper_was_killed_and_all_with_it)
{
    need_reaper();
    struct test_child child;
    fork_program(&child, run_and_kill_the_helper_of_a_holder);
    CHECK_STR(child.err, "");
    CHECK_EQ(child.code, 0);
}

static bool is_zombie(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    CHECK_GT(urd__os_read_file(path, text, sizeof text), 0);
    const char *state = strrchr(text, ')');
    return state && state[1] && state[2] == 'Z';
}

struct answered {
    int *helper; /* atomic: its pid; made 0 when it is stopped */
    int value;
};

static int answer_when_stopped(void *arg)
{
    struct answered *a = arg;
    urd__store_rel(a->helper, getppid());
    while (urd__load_acq(a->helper) != 0)
        urd__os_yield();
    a->value = 42;
    return 0;
}

/* It cannot tell of the job's end: it is stopped before, and then killed. */
static int return_and_kill_the_helper(void *unused)
{
    (void)unused;
    int *told = urd_shared_alloc(sizeof *told), helper;
    struct answered a = {.helper = told};
    urd_scope s;
    urd_job job;
    urd_scope_open(&s);
    CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, answer_when_stopped, &a, sizeof a, NULL), 0);
    while ((helper = urd__load_acq(told)) == 0)
        CHECK_EQ(urd_yield(), 0);
    pid_t pid = urd_job_pid(&job);
    CHECK_EQ(kill(helper, SIGSTOP), 0);
    urd__store_rel(told, 0);
    while (!is_zombie(pid))
        CHECK_EQ(urd_yield(), 0);
    CHECK_EQ(kill(helper, SIGKILL), 0);
    CHECK_EQ(urd_job_join(&job), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(a.value, 42);
    urd_exit end;
    urd_job_exit(&job, &end);
    CHECK_STR(end.detail, "returned 0");
    CHECK_EQ(end.code, 0);
    return 0;
}

static void run_return_and_kill_the_helper(void)
{
    run(return_and_kill_the_helper);
}

TEST(a_job_that_had_returned_is_not_lost_with_the_helper)
{
    need_reaper();
    struct test_child child;
    fork_program(&child, run_return_and_kill_the_helper);
    CHECK_STR(child.err, "");
    CHECK_EQ(child.code, 0);
}

static int tell_helper_and_sleep(const void *in, void *out)
{
    int *const *helper = in;
    (void)out;
    urd__store_rel(*helper, getppid());
    return urd_sleep_until(URD_FOREVER);
}

static int kill_the_helper_of_a_pool(void *unused)
{
    (void)unused;
    enum { JOBS = 4 };
    held *h = urd_shared_alloc(sizeof *h);
    int *in = &h->helper, none;
    urd_pool *p;
    urd_pool_job jobs[JOBS];
    CHECK_EQ(urd_pool_open(&p, URD_PROCESS, 2, NULL), 0);
    for (int i = 0; i < JOBS; i++)
        CHECK_EQ(urd_pool_submit(&jobs[i], p, tell_helper_and_sleep, &in, sizeof in, &none, 0), 0);
    kill_helper_of(h);
    for (int i = 0; i < JOBS; i++)
        CHECK_EQ(urd_pool_wait(&jobs[i]), -ECHILD);
    CHECK_EQ(urd_pool_close(p), -ECHILD);
    urd_shared_free(h);
    return 0;
}

static void run_and_kill_the_helper_of_a_pool(void)
{
    run(kill_the_helper_of_a_pool);
}

TEST(a_pool_whose_helper_is_killed_fails_and_its_jobs_do)
{
    need_reaper();
    struct test_child child;
    fork_program(&child, run_and_kill_the_helper_of_a_pool);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "no process can be started: the process helper died");
}

static int *shared_state; /* of the tests below, in memory that their forks share */

static int tell_and_sleep(void *unused)
{
    (void)unused;
    urd__add_ar(shared_state, 1);
    return urd_sleep_until(URD_FOREVER);
}

static int nest_and_sleep(void *unused)
{
    urd__add_ar(shared_state, 1);
    urd_scope s;
    urd_scope_open(&s);
    urd_spawn(&s, URD_PROCESS, tell_and_sleep, unused, 0);
    return urd_scope_join(&s);
}

static int start_many(void *unused)
{
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 3; i++)
        urd_spawn(&s, URD_PROCESS, nest_and_sleep, unused, 0);
    return urd_scope_join(&s);
}

/* Their orphans come to this test, so that reap_orphans() returns is the proof. */
TEST(kill_9_of_the_program_takes_all_its_processes)
{
    need_reaper();
    void *memory = NULL;
    CHECK_EQ(urd__os_shared_map(&memory, 4096), 0);
    shared_state = memory;
    pid_t pid = fork();
    if (pid == 0) {
        run(start_many);
        _exit(1);
    }
    while (urd__load_acq(shared_state) < 6)
        urd__os_yield();
    CHECK_EQ(kill(pid, SIGKILL), 0);
    reap_orphans();
    CHECK_EQ(*shared_state, 6);
    urd__os_unmap(memory, 4096);
}

static int do_nothing(void *unused)
{
    (void)unused;
    return 0;
}

static int start_hundreds(void *unused)
{
    int fds = test_fd_count();
    int rounds = test_under_slow_tool() ? 2 : 10;
    for (int round = 0; round < rounds; round++) {
        urd_scope s;
        urd_scope_open(&s);
        for (int i = 0; i < 30; i++)
            urd_spawn(&s, URD_PROCESS, do_nothing, unused, 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        if (round == 0)
            fds = test_fd_count(); /* with the connection and the event of the first start */
    }
    CHECK_LE(test_fd_count(), fds + 1);
    return 0;
}

TEST(hundreds_leave_no_descriptor_behind)
{
    run(start_hundreds);
}
