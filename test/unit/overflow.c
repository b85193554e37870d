/*
 * overflow.c - a task that overruns its stack is named; every other fault stays what it was.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each program here dies, or would; it runs in a child.
 */
#include "core/overflow.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/os.h"
#include "core/symbol.h"
#include "test.h"

enum { STACK_BYTES = 32 * 1024, FOREVER = 1000000000 };

static urd_kind kind = URD_TASK;
static urd_fn *victim;
static const char *victim_name;
static int workers = 1;
static const char place[] = URD_HERE;

static void skip_under_tools(void)
{
    if (test_under_slow_tool())
        SKIP("the tool handles faults itself");
}

__attribute__((noinline)) static long recurse(long depth)
{
    char frame[256];
    memset(frame, (int)depth, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    return depth == FOREVER ? 0 : recurse(depth + 1) + frame[depth % 256];
}

static int overrun(void *arg)
{
    (void)arg;
    return recurse(1) == 1;
}

/* A frame of ten guards: without a probe in each page it would reach over the guard. */
#ifdef __clang__
#define PROBED __attribute__((noinline)) /* clang has this for whole files only */
#else
#define PROBED __attribute__((noinline, optimize("stack-clash-protection")))
#endif

PROBED static int huge_frame(int at)
{
    volatile char frame[10 * 4 * 4096];
    frame[at] = 1;
    return frame[at] - 1;
}

static int overrun_at_one_go(void *arg)
{
    return huge_frame(arg != NULL);
}

static int read_null(void *arg)
{
    return *(volatile int *)arg;
}

static int start_victim(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_job job;
    urd_job_options options = {.name = victim_name};
    urd_scope_open(&s);
    urd_job_open_at(&job, &s, kind, victim, NULL, 0, victim_name ? &options : NULL, place);
    int rc = urd_job_join(&job); /* waits: the job gets a stack of its own */
    return urd_scope_join(&s) ? -1 : rc;
}

static void run_victim(void)
{
    urd_config config = {
        .workers = workers, .stack_bytes = STACK_BYTES, .processes = URD_PROCESSES_NONE};
    int rc = urd_run(&config, start_victim, NULL);
    exit(rc != 0);
}

static struct test_child run(urd_fn *fn)
{
    struct test_child child;
    victim = fn;
    test_fork(&child, run_victim);
    return child;
}

/* "urd: stack overflow in task NAME (SIZE of LIMIT bytes), spawned at FILE:LINE", and the trace. */
static void check_report(const struct test_child *child, const char *name)
{
    CHECK_EQ(child->signal, SIGSEGV);
    char start[96], where[256];
    unsigned long size = 0, limit = 0;
    int used = 0;
    snprintf(start, sizeof start, "urd: stack overflow in task %s (", name);
    CHECK_EQ(strncmp(child->err, start, strlen(start)), 0);
    const char *rest = child->err + strlen(start);
    CHECK_EQ(sscanf(rest, "%lu of %lu bytes), spawned at %n", &size, &limit, &used), 2);
    CHECK_GE(limit, STACK_BYTES);
    CHECK_LT(limit, 3 * STACK_BYTES);
    CHECK_GT(size, limit);
    CHECK_LE(size, limit + 4 * (size_t)sysconf(_SC_PAGESIZE));
    snprintf(where, sizeof where, "%s\n", place);
    CHECK_EQ(strncmp(rest + used, where, strlen(where)), 0);
    CHECK_CONTAINS(child->err, "URD_STACK_BYTES, now 32768\n");
    CHECK_CONTAINS(child->err, "urd:   #0 ");
    CHECK(strstr(strstr(child->err, "urd:   #0 ") + 1, "urd:   #")); /* there are more */
}

TEST(a_task_that_overruns_its_stack_is_reported_and_dies_by_SIGSEGV)
{
    skip_under_tools();
    victim_name = "weaver";
    struct test_child child = run(overrun);
    check_report(&child, "weaver");
}

TEST(a_task_on_another_worker_is_reported_the_same_way)
{
    skip_under_tools();
    workers = 3;
    victim_name = "weaver";
    for (int i = 0; i < 10; i++) {
        struct test_child child = run(overrun);
        check_report(&child, "weaver");
    }
}

TEST(a_frame_larger_than_the_guard_is_caught_where_it_probes)
{
    skip_under_tools();
#ifdef __clang__
    SKIP("clang probes frames of whole files only");
#endif
    victim_name = "weaver";
    struct test_child child = run(overrun_at_one_go);
    check_report(&child, "weaver");
}

TEST(the_trace_shows_the_function_that_recursed_and_ends_at_the_task)
{
    skip_under_tools();
    if (!urd__symbol_at(__extension__(const void *) recurse).name)
        SKIP("functions have no names here: no libdw");
    urd__symbols_close();
    struct test_child child = run(overrun);
    CHECK_CONTAINS(child.err, "recurse");
    CHECK_CONTAINS(child.err, " times\n");
    CHECK_CONTAINS(child.err, "overrun");
    CHECK(!strstr(child.err, "__libc_start_main"));
}

static int overrun_inside_a_join(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, overrun, NULL); /* run by the join, on this task's stack */
    return urd_scope_join(&s);
}

TEST(a_job_run_inside_a_join_is_the_one_reported)
{
    skip_under_tools();
    victim_name = "outer";
    struct test_child child = run(overrun_inside_a_join);
    CHECK_EQ(child.signal, SIGSEGV);
    CHECK_CONTAINS(child.err, "urd: stack overflow in task ");
    CHECK(!strstr(child.err, "in task outer "));
}

/* ---- Other faults ---------------------------------------------------------------------------- */

TEST(a_null_pointer_in_a_task_is_a_plain_SIGSEGV)
{
    skip_under_tools();
    struct test_child child = run(read_null);
    CHECK_EQ(child.signal, SIGSEGV);
    CHECK_STR(child.err, "");
}

TEST(a_null_pointer_in_a_thread_job_is_a_plain_SIGSEGV)
{
    skip_under_tools();
    kind = URD_THREAD;
    struct test_child child = run(read_null);
    CHECK_EQ(child.signal, SIGSEGV);
    CHECK_STR(child.err, "");
}

static int overrun_a_page(void *arg)
{
    (void)arg;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile char *)p = 1;
    return 0;
}

TEST(the_programs_own_guard_page_is_a_plain_SIGSEGV)
{
    skip_under_tools();
    struct test_child child = run(overrun_a_page);
    CHECK_EQ(child.signal, SIGSEGV);
    CHECK_STR(child.err, "");
}

static int read_past_a_file(void *arg)
{
    (void)arg;
    int fd = memfd_create("empty", MFD_CLOEXEC);
    volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    return *p;
}

TEST(a_read_past_a_files_end_is_a_plain_SIGBUS)
{
    skip_under_tools();
    struct test_child child = run(read_past_a_file);
    CHECK_EQ(child.signal, SIGBUS);
    CHECK_STR(child.err, "");
}

static int raise_it(void *arg)
{
    (void)arg;
    raise(SIGSEGV);
    return 0;
}

static int send_it(void *arg)
{
    (void)arg;
    kill(getpid(), SIGBUS);
    return 0;
}

TEST(a_SIGSEGV_that_was_sent_kills_the_first_time)
{
    skip_under_tools();
    struct test_child child = run(raise_it);
    CHECK_EQ(child.signal, SIGSEGV);
    child = run(send_it);
    CHECK_EQ(child.signal, SIGBUS);
    CHECK_STR(child.err, "");
}

/* ---- The program's own handlers -------------------------------------------------------------- */

static void say_and_exit(int sig, siginfo_t *info, void *context)
{
    (void)context;
    char text[64];
    int n = snprintf(text, sizeof text, "signal %d at %p", sig, info->si_addr);
    _exit(write(STDOUT_FILENO, text, (size_t)n) == n ? 5 : 6);
}

static void exit_plainly(int sig)
{
    _exit(sig == SIGSEGV ? 9 : 10);
}

static void run_with_handler(void)
{
    struct sigaction action = {.sa_sigaction = say_and_exit, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    run_victim();
}

static void run_with_plain_handler(void)
{
    signal(SIGSEGV, exit_plainly);
    run_victim();
}

TEST(a_handler_installed_before_urd_run_gets_other_faults_whole)
{
    skip_under_tools();
    struct test_child child;
    victim = read_null;
    test_fork(&child, run_with_handler);
    CHECK_EQ(child.code, 5);
    CHECK_STR(child.out, "signal 11 at (nil)");
    CHECK_STR(child.err, "");
}

TEST(a_handler_of_the_old_kind_gets_them_too)
{
    skip_under_tools();
    struct test_child child;
    victim = read_null;
    test_fork(&child, run_with_plain_handler);
    CHECK_EQ(child.code, 9);
}

TEST(an_overflow_is_reported_also_where_the_program_has_a_handler)
{
    skip_under_tools();
    struct test_child child;
    victim = overrun;
    victim_name = "weaver";
    test_fork(&child, run_with_handler);
    check_report(&child, "weaver");
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int put_own_handler(void *arg)
{
    (void)arg;
    signal(SIGSEGV, exit_plainly);
    return 0;
}

TEST(after_the_run_the_handlers_are_those_of_before)
{
    skip_under_tools();
    struct sigaction action = {.sa_sigaction = say_and_exit, .sa_flags = SA_SIGINFO}, now;
    urd_config config = {.workers = 2, .processes = URD_PROCESSES_NONE};
    sigaction(SIGSEGV, &action, NULL);
    test_run_with(&config, nothing, NULL);
    sigaction(SIGSEGV, NULL, &now);
    CHECK(now.sa_sigaction == say_and_exit);
    sigaction(SIGBUS, NULL, &now);
    CHECK(now.sa_handler == SIG_DFL);
    test_run_with(&config, put_own_handler, NULL);
    sigaction(SIGSEGV, NULL, &now);
    CHECK(now.sa_handler == exit_plainly); /* put there meanwhile, so it stays */
    CHECK(urd__os_signal_stack_absent());
}

TEST(a_signal_stack_of_the_programs_own_stays_in_use)
{
    skip_under_tools();
    static char own[64 * 1024];
    stack_t stack = {.ss_sp = own, .ss_size = sizeof own}, now;
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    CHECK_EQ(sigaltstack(&stack, NULL), 0);
    test_run_with(&config, nothing, NULL);
    CHECK_EQ(sigaltstack(NULL, &now), 0);
    CHECK_PTR(now.ss_sp, own);
}

TEST(a_signal_stack_is_made_used_and_taken_away)
{
    skip_under_tools();
    void *stack = NULL;
    CHECK_EQ(urd__overflow_stack(&stack), 0);
    CHECK(urd__os_signal_stack_absent());
    urd__overflow_thread(stack);
    CHECK(!urd__os_signal_stack_absent());
    urd__overflow_thread(NULL);
    CHECK(urd__os_signal_stack_absent());
    urd__overflow_stack_free(stack);
    urd__overflow_stack_free(NULL);
}
