/*
 * faults.h - programs in which the first, second, third ... allocation or system call fails.
 *
 * SPDX-License-Identifier: MIT
 *
 * For a program that is one file, as this has functions that are to be there once.
 *
 * The seed of the harness is the number of the call that fails, counted over all processes of the
 * program; the loop ends with the first number that is never reached.  Every program must end, with
 * an error or without, leave nothing behind, and let a run after it succeed.
 *
 * URD_FAULTS=all tries more: each call also under the other backends, errors and numbers of
 * workers, and each from which on all fail.
 */
#ifndef TEST_FAIL_FAULTS_H
#define TEST_FAIL_FAULTS_H

#define URD_FAULT_INJECT /* as the library of these tests is built */

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/lock.h"
#include "io/poller.h"
#include "test.h"

enum { NO_FAULT = 9, CALLS_MAX = 5000, ERROR_MAX = 134 };

/* ---- Which call fails ------------------------------------------------------------------------ */

/* In memory that all processes share. */
static struct {
    long calls;   /* atomic: since the fault was armed */
    long fail_at; /* 0: none does */
    long last;    /* all from here to there fail */
    int error;
    int given[ERROR_MAX]; /* atomic: each that a call failed with, where they differ */
    int fired;            /* atomic */
    int ran[8];           /* atomic: jobs of each sort that ran */
} * shared;

/* Is that so of the next one? */
static bool fails_now(void)
{
    if (!shared || !shared->fail_at)
        return false;
    long call = urd__add_ar(&shared->calls, 1) + 1;
    if (call < shared->fail_at || call > shared->last)
        return false;
    urd__store_rel(&shared->fired, 1);
    return true;
}

/* What the library of these tests asks; kernel.h has the C library fail instead. */
int urd__os_fault(void)
{
#ifdef FAULTS_IN_C_LIBRARY
    return 0;
#else
    return fails_now() ? shared->error : 0;
#endif
}

extern char __executable_start[], etext[];

/* Of the program, into which the library is linked; and not another library's. */
static inline bool is_in_program(const void *caller)
{
    return (const char *)caller >= __executable_start && (const char *)caller < etext;
}

/* ---- Memory of the library that is still allocated ------------------------------------------- */

#if defined(URD_TSAN) || defined(__SANITIZE_ADDRESS__)
#define OWN_ALLOCATOR 0 /* the tool has one, and finds leaks itself */
#elif defined(__has_feature)
#define OWN_ALLOCATOR !__has_feature(address_sanitizer)
#else
#define OWN_ALLOCATOR 1
#endif

#if OWN_ALLOCATOR
enum { LIVE_MAX = 4096 };

static struct {
    int lock;
    int count;
    const void *p[LIVE_MAX];
} live;

void *__libc_calloc(size_t n, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *p);

/* Of calls by the library, which is linked into this program; not of those by other libraries. */
static void note(const void *caller, const void *p)
{
    if (!p || !is_in_program(caller))
        return;
    urd__lock(&live.lock);
    if (live.count < LIVE_MAX)
        live.p[live.count++] = p;
    urd__unlock(&live.lock);
}

/* Called with a pointer of another library, too, where that one ends in a jump to free(). */
static void forget(const void *p)
{
    urd__lock(&live.lock);
    for (int i = live.count - 1; i >= 0; i--) {
        if (live.p[i] == p) {
            live.p[i] = live.p[--live.count];
            break;
        }
    }
    urd__unlock(&live.lock);
}

void *calloc(size_t n, size_t size)
{
    void *p = __libc_calloc(n, size);
    note(__builtin_return_address(0), p);
    return p;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    void *p = __libc_memalign(alignment, size);
    note(__builtin_return_address(0), p);
    return p;
}

void free(void *p)
{
    forget(p);
    __libc_free(p);
}

static int allocated(void)
{
    return live.count;
}
#else
static int allocated(void)
{
    return 0;
}
#endif

/* What a program finds wrong ends it: the message comes with what else it wrote to stderr. */
#define MUST(condition) ((condition) ? (void)0 : FAIL("is false: %s", #condition))

/* ---- One run --------------------------------------------------------------------------------- */

enum { ERRORS_MAX = 4 };

static struct {
    urd_fn *fn;
    urd_processes processes;
    urd_io io;
    int workers;            /* 0: two */
    int errors[ERRORS_MAX]; /* with which calls fail; the first always, the others with =all */
    const int *also;        /* what else the program may return, ends in 0; NULL: any error */
    bool threaded;          /* the program has a thread of its own */
    bool lasting;           /* from that call on, all fail while the program runs */
    bool inside; /* calls count from the begin of the program to its end, and no others fail */
} program;

static urd_config config(void)
{
    return (urd_config){.workers = program.workers ? program.workers : 2,
                        .processes = program.processes,
                        .io = program.io,
                        .shared_bytes = 1 << 20,
                        .virtual_clock = program.processes == URD_PROCESSES_NONE,
                        .grace_duration = 200 * URD_MS};
}

static void arm(void)
{
    shared->calls = 0;
    shared->last = program.lasting ? LONG_MAX : (long)test_seed();
    shared->fail_at = (long)test_seed();
}

static int run_program(void *arg)
{
    if (program.inside && arg)
        arm();
    int rc = program.fn(NULL);
    if (program.inside || program.lasting)
        shared->fail_at = 0; /* taking the runtime down is not what is asked here */
    return rc;
}

static bool is_documented(int rc)
{
    bool is = rc == 0 || rc == shared->error || rc == -ENOMEM || !program.also;
    is |= rc < 0 && rc > -ERROR_MAX && urd__load_acq(&shared->given[-rc]);
    for (const int *also = program.also; also && *also; also++)
        is |= rc == *also;
    return is;
}

struct before {
    int files, threads, allocated;
};

static int thread_count(void)
{
    struct stat tasks;
    CHECK_EQ(stat("/proc/self/task", &tasks), 0);
    return (int)tasks.st_nlink - 2;
}

static struct before look_around(void)
{
    return (struct before){
        .files = test_fd_count(), .threads = thread_count(), .allocated = allocated()};
}

static void check_nothing_left(const struct before *before)
{
    CHECK_EQ(test_fd_count(), before->files);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    CHECK_EQ(errno, ECHILD);
    CHECK(!urd__clock_is_virtual());
    CHECK_EQ(allocated(), before->allocated);
    while (thread_count() != before->threads) /* one that was joined is listed a moment longer */
        sched_yield();
}

static pthread_barrier_t there;

static void *stay(void *arg)
{
    pthread_barrier_wait(&there);
    for (;;)
        pause();
    return arg;
}

/* The helper for processes is then made by another fork, through a process between. */
static void have_a_thread(void)
{
    pthread_t thread;
    CHECK_EQ(pthread_barrier_init(&there, NULL, 2), 0);
    CHECK_EQ(pthread_create(&thread, NULL, stay, NULL), 0);
    pthread_barrier_wait(&there); /* AddressSanitizer allocates as a thread starts, without regard
                                     to forks */
    CHECK_EQ(pthread_detach(thread), 0);
}

static void run_once(void)
{
    static char first[] = "";
    if (program.threaded)
        have_a_thread();
    const struct before before = look_around();
    urd_config cfg = config();
    if (!program.inside)
        arm();
    int rc = urd_run(&cfg, run_program, first);
    shared->fail_at = 0;
    int fired = urd__load_acq(&shared->fired);
    CHECK_LE(rc, 0);
    CHECK(rc == 0 || fired);
    if (!is_documented(rc))
        FAIL("returned %d (%s)", rc, strerror(-rc));
    check_nothing_left(&before);
    memset(shared->ran, 0, sizeof shared->ran);
    CHECK_EQ(urd_run(&cfg, run_program, NULL), 0);
    check_nothing_left(&before);
    exit(fired ? 0 : NO_FAULT);
}

static bool tries_all(void)
{
    const char *faults = getenv("URD_FAULTS");
    return faults && strcmp(faults, "all") == 0;
}

static void say_which(char *out, size_t size)
{
    snprintf(out, size, "call %llu%s fails with %s (%s, %d workers)",
             (unsigned long long)test_seed(), program.lasting ? ", and each after it," : "",
             strerrorname_np(-shared->error), program.io == URD_IO_EPOLL ? "epoll" : "any I/O",
             config().workers);
}

#ifdef FAULTS_IN_C_LIBRARY
enum { EACH_CALL = false };
#else
enum { EACH_CALL = true };
#endif

/* A start with processes makes many calls, which differ little, and so do the C library's own: of
 * those only some are tried. */
static uint64_t step_of(uint64_t number)
{
    enum { SLOW_STEP = 16, STEP = 7, FIRST = 20 };
    if (getenv("URD_SEED"))
        return 1;
    if (test_under_slow_tool())
        return SLOW_STEP;
    bool many = program.processes == URD_PROCESSES_ZYGOTE || !EACH_CALL;
    bool some = many && !tries_all() && number > FIRST;
    return some ? STEP : 1;
}

static void fail_each_number(int error)
{
    bool done = false;
    uint64_t last = 0;
    TEST_SEEDS(CALLS_MAX)
    {
        struct test_child child;
        char which[128];
        if (test_seed() % step_of(test_seed()) != 0)
            continue;
        memset(shared, 0, sizeof *shared);
        shared->error = error;
        test_fork(&child, run_once);
        while (waitpid(-1, NULL, __WALL) > 0) /* orphans: every one of them must end */
            continue;
        say_which(which, sizeof which);
        if (child.code != 0 && child.code != NO_FAULT)
            FAIL("exit code %d, signal %d when %s:\n%s", child.code, child.signal, which,
                 child.err);
        last = test_seed();
        done = child.code == NO_FAULT;
        if (done)
            break;
    }
    CHECK(done || getenv("URD_SEED"));
    CHECK(last >= 2 || getenv("URD_SEED"));
}

static void fail_each(void)
{
    bool all = tries_all();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fail_each_number(program.errors[0]);
    for (int i = 0; all && i < 6 * ERRORS_MAX; i++) {
        program.workers = 1 + i % 3;
        program.lasting = i / 3 % 2;
        if (program.lasting && program.processes == URD_PROCESSES_ZYGOTE)
            continue; /* who serves other processes tries again until the system is better */
        if (program.errors[i / 6])
            fail_each_number(program.errors[i / 6]);
    }
    munmap(shared, sizeof *shared);
    shared = NULL;
}

/* Whatever it returns. */
static inline void fail_each_call(urd_fn *fn, urd_processes with, int error)
{
    program.fn = fn;
    program.processes = with;
    program.errors[0] = error;
    fail_each();
}

/* fn as a task and as a thread, one after the other; the first error. */
static inline int as_both(urd_fn *fn, void *arg)
{
    int rc = 0;
    for (int kind = URD_TASK; kind <= URD_THREAD && rc == 0; kind++) {
        urd_scope s;
        urd_scope_open(&s);
        urd_spawn(&s, (urd_kind)kind, fn, arg, 0);
        rc = urd_scope_join(&s);
    }
    return rc;
}

static inline int first_of(int a, int b)
{
    return a ? a : b;
}

#endif
