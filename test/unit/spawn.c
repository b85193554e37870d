/*
 * spawn.c - processes that are fresh images of the program: what they have, and how they end.
 *
 * SPDX-License-Identifier: MIT
 *
 * An image begins in begin_here(), before main(), which would run the tests.
 */
#include "proc/spawn.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "forks.h"
#include "pools.h"
#include "proc/shared.h"

extern char **environ;

static const urd_process_options fresh = {.start = URD_START_SPAWN};

static int variable = 1; /* of the image; tests change it in the program */

static int run_and_answer(void *unused);

static int never(void *unused)
{
    (void)unused;
    FAIL("an image ran the first job of the program");
}

static void take_place(const char *text)
{
    void *at;
    if (sscanf(text, "%p", &at) == 1)
        CHECK_PTR(mmap(at, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), at);
}

/* What a test asks of its images, it says by a variable. */
__attribute__((constructor)) static void begin_here(void)
{
    if (getenv("TEST_PLACE"))
        take_place(getenv("TEST_PLACE"));
    if (getenv("TEST_FORK") && fork() > 0) {
        wait(NULL);
        _exit(5);
    }
    if (getenv("TEST_MAIN"))
        CHECK_EQ(urd_run(NULL, never, NULL), 0);
    urd_process_main();
    if (getenv("TEST_DELETED")) {
        CHECK_EQ(unlink(getenv("TEST_DELETED")), 0);
        _exit(urd_run(NULL, run_and_answer, NULL) != 0);
    }
}

static void need_spawn(void)
{
    if (test_under_emulator())
        SKIP("the kernel does not run programs of another processor");
}

/* Valgrind takes no part in an image, and dies of an exec that fails. */
static void need_kernel(void)
{
    need_spawn();
    if (test_under_valgrind())
        SKIP("the tool takes no part in it");
}

static void run(urd_fn *fn)
{
    need_spawn();
    run_all(fn);
}

/* Result and words of one of them. */
static int hold(urd_fn *fn, void *arg, size_t size, const urd_process_options *o, char *words)
{
    urd_scope s;
    urd_job job;
    urd_exit end;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    urd_job_options named = {.name = "cake", .process = o};
    int rc = urd_job_open(&job, &s, URD_PROCESS, fn, arg, size, &named);
    int joined = urd_scope_join(&s);
    urd_job_exit(&job, &end);
    CHECK_EQ(joined, urd_job_join(&job));
    if (words)
        snprintf(words, 64, "%s", end.detail);
    return rc ? rc : joined;
}

/* ---- What it has ----------------------------------------------------------------------------- */

typedef struct facts {
    int variable, fds;
    pid_t pid;
    char comm[16], command[64];
    sigset_t mask;
    bool ignored;
    long *shared;
} facts;

static void read_small(const char *path, char *out, size_t size)
{
    CHECK_GT(urd__os_read_file(path, out, size), 0);
}

static int look(void *arg)
{
    facts *f = arg;
    f->variable = variable;
    f->pid = getpid();
    f->fds = test_fd_count();
    read_small("/proc/self/comm", f->comm, sizeof f->comm);
    read_small("/proc/self/cmdline", f->command, sizeof f->command);
    sigprocmask(SIG_SETMASK, NULL, &f->mask);
    struct sigaction action;
    sigaction(SIGCHLD, NULL, &action);
    f->ignored = action.sa_handler == SIG_IGN;
    if (f->shared)
        ++*f->shared;
    return 0;
}

static int look_at_one(void *unused)
{
    (void)unused;
    facts own = {0}, f = {.shared = urd_shared_alloc(sizeof(long))}, forked = {0};
    char words[64];
    CHECK_EQ(hold(look, &f, sizeof f, &fresh, words), 0);
    CHECK_STR(words, "returned 0");
    CHECK_EQ(hold(look, &forked, sizeof forked, NULL, NULL), 0);
    CHECK_EQ(f.variable, 1); /* as the image begins */
    CHECK_EQ(forked.variable, 2);
    CHECK_NE(f.pid, getpid());
    CHECK_EQ(*f.shared, 1);
    CHECK_STR(f.comm, "cake\n");
    look(&own);
    if (!test_under_valgrind()) /* where it runs without the tool */
        CHECK_STR(f.command, own.command);
    CHECK(!sigismember(&f.mask, SIGTERM) && !sigismember(&f.mask, SIGUSR2));
    CHECK(sigismember(&f.mask, SIGUSR1));
    CHECK(f.ignored);
    CHECK_LE(f.fds, forked.fds); /* neither the heap nor what is closed on exec */
    return 0;
}

TEST(it_is_a_fresh_image_with_the_shared_heap)
{
    variable = 2;
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
    CHECK_EQ(sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_IGN}, NULL), 0);
    run(look_at_one);
}

static int answer(void *arg)
{
    *(int *)arg = 42;
    return 0;
}

static int run_and_answer(void *unused)
{
    (void)unused;
    int value = 0;
    CHECK_EQ(hold(answer, &value, sizeof value, &fresh, NULL), 0);
    CHECK_EQ(value, 42);
    return 0;
}

TEST(it_may_as_well_begin_in_urd_run)
{
    need_kernel();
    CHECK_EQ(setenv("TEST_MAIN", "1", 1), 0);
    run(run_and_answer);
}

TEST(a_program_whose_file_is_gone_spawns_still)
{
    need_kernel();
    char path[] = "/tmp/urd-spawn-XXXXXX", command[96];
    int fd = mkstemp(path);
    CHECK_GE(fd, 0);
    close(fd);
    snprintf(command, sizeof command, "cp /proc/%d/exe %s", (int)getpid(), path);
    CHECK_EQ(system(command), 0);
    CHECK_EQ(chmod(path, 0700), 0);
    CHECK_EQ(setenv("TEST_DELETED", path, 1), 0);
    pid_t pid;
    char *argv[] = {path, NULL};
    CHECK_EQ(posix_spawn(&pid, path, NULL, NULL, argv, environ), 0);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

static int spawn_more(void *arg)
{
    int value = 0;
    CHECK_EQ(variable, 1);
    CHECK_EQ(hold(answer, &value, sizeof value, NULL, NULL), 0); /* forked by the zygote */
    CHECK_EQ(value, 42);
    return hold(answer, arg, sizeof(int), &fresh, NULL);
}

static int nest(void *unused)
{
    (void)unused;
    int value = 0;
    CHECK_EQ(hold(spawn_more, &value, sizeof value, &fresh, NULL), 0);
    CHECK_EQ(value, 42);
    return 0;
}

TEST(it_starts_processes_of_both_kinds)
{
    variable = 2;
    run(nest);
}

/* ---- How it ends ----------------------------------------------------------------------------- */

static int die(void *arg)
{
    signal(*(int *)arg, SIG_DFL);
    raise(*(int *)arg);
    _exit(3);
}

static int wait_for_ever(void *unused)
{
    (void)unused;
    return urd_sleep(URD_FOREVER);
}

static int end_badly(void *unused)
{
    (void)unused;
    char words[64];
    int segv = SIGSEGV, terminate = SIGKILL, none = 0;
    CHECK_EQ(hold(die, &segv, sizeof segv, &fresh, words), -ECHILD);
    CHECK_CONTAINS(words, "killed by SIGSEGV");
    CHECK_EQ(hold(die, &terminate, sizeof terminate, &fresh, words), -ECHILD);
    CHECK_CONTAINS(words, "killed by SIGKILL");
    CHECK_EQ(hold(die, &none, sizeof none, &fresh, words), -ECHILD);
    CHECK_STR(words, "exited with code 3 before it returned");
    return 0;
}

TEST(each_end_is_told_as_of_any_process)
{
    need_kernel();
    run(end_badly);
}

static int cancel(void *unused)
{
    (void)unused;
    urd_scope s;
    urd_job jobs[2];
    urd_scope_open(&s);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(urd_job_open(&jobs[i], &s, URD_PROCESS, wait_for_ever, NULL, 0,
                              &(urd_job_options){.process = &fresh}),
                 0);
    CHECK_GT(urd_job_pid(&jobs[0]), 0);
    CHECK_GE(urd_job_pidfd(&jobs[0]), test_under_valgrind() ? -1 : 0);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(a_cancel_reaches_it_whatever_it_is_at)
{
    run(cancel);
}

typedef struct counting {
    pid_t helper; /* atomic, as is what follows */
    int counted;
} counting;

static int count_for_ever(void *arg)
{
    counting *c = arg;
    urd__store_rel(&c->helper, getppid());
    for (;;)
        urd__add_ar(&c->counted, 1);
    return 0;
}

static int kill_the_helper(void *unused)
{
    (void)unused;
    counting *c = urd_shared_alloc(sizeof *c);
    CHECK(c);
    urd_scope s;
    urd_job job;
    urd_exit end;
    urd_scope_open(&s);
    CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, count_for_ever, c, 0,
                          &(urd_job_options){.process = &fresh}),
             0);
    while (urd__load_acq(&c->counted) == 0)
        CHECK_EQ(urd_yield(), 0);
    CHECK_EQ(kill(c->helper, SIGKILL), 0);
    CHECK_EQ(urd_scope_wait(&s), -ECHILD);
    int counted = urd__load_acq(&c->counted);
    urd_job_exit(&job, &end);
    CHECK_STR(end.detail, "the process helper died");
    CHECK_EQ(urd_scope_join(&s), -ECHILD);
    for (int i = 0; i < 100; i++)
        urd__os_yield();
    CHECK_EQ(urd__load_acq(&c->counted), counted); /* it had ended before its job did */
    return 0;
}

static void reap_all(void)
{
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
        ;
}

static void run_and_kill_the_helper(void)
{
    run_all(kill_the_helper);
}

TEST(with_the_helper_it_dies_before_its_job_ends)
{
    need_kernel();
    struct test_child child;
    test_fork(&child, run_and_kill_the_helper);
    reap_all();
    CHECK_EQ(child.code, 0);
}

static int ends[2];

static int tell_and_wait(void *unused)
{
    CHECK_EQ(write(ends[1], "x", 1), 1);
    return wait_for_ever(unused);
}

/* The image finds the descriptor in its environment, as it has no memory of the program. */
static int tell_as_told(void *unused)
{
    ends[1] = atoi(getenv("TEST_PIPE"));
    return tell_and_wait(unused);
}

static int spawn_two(void *unused)
{
    urd_scope s;
    urd_job jobs[2];
    urd_scope_open(&s);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(urd_job_open(&jobs[i], &s, URD_PROCESS, tell_as_told, unused, 0,
                              &(urd_job_options){.process = &fresh}),
                 0);
    return urd_scope_join(&s);
}

TEST(kill_9_of_the_program_takes_them_along)
{
    need_kernel();
    char number[16], byte;
    CHECK_EQ(pipe(ends), 0);
    snprintf(number, sizeof number, "%d", ends[1]);
    CHECK_EQ(setenv("TEST_PIPE", number, 1), 0);
    pid_t pid = fork();
    if (pid == 0) {
        run_all(spawn_two);
        _exit(1);
    }
    close(ends[1]);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    CHECK_EQ(read(ends[0], &byte, 1), 0); /* nobody is left who has it */
    close(ends[0]);
    reap_all(); /* where its helper is an orphan */
}

/* ---- What cannot be -------------------------------------------------------------------------- */

static int fork_first(void *unused)
{
    (void)unused;
    char words[64];
    CHECK_EQ(hold(wait_for_ever, NULL, 0, &fresh, words), -ECHILD);
    CHECK_STR(words, "exited with code 5 before it returned");
    return 0;
}

static void run_and_fork_first(void)
{
    run_all(fork_first);
}

TEST(a_fork_of_an_image_does_not_go_on_as_the_program)
{
    need_kernel();
    struct test_child child;
    CHECK_EQ(setenv("TEST_FORK", "1", 1), 0);
    CHECK_EQ(setenv("TEST_MAIN", "1", 1), 0);
    test_fork(&child, run_and_fork_first);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "it has forked before it called urd_run");
    reap_all();
}

TEST(a_variable_that_is_meant_for_another_process_is_ignored)
{
    pid_t pid;
    char name[] = "unit_spawn", option[] = "--list", *argv[] = {name, option, NULL};
    char path[256];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    CHECK_GT(n, 0);
    path[n] = '\0';
    need_kernel();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    const char *const texts[] = {"1:2:3:4:5:6:7:8", "1:2", "nonsense", ""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int status;
        CHECK_EQ(setenv("URD_SPAWNED", texts[i], 1), 0);
        CHECK_EQ(posix_spawn(&pid, path, &actions, NULL, argv, environ), 0);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(status, 0);
    }
    posix_spawn_file_actions_destroy(&actions);
}

static int be_refused(void *unused)
{
    (void)unused;
    enum { LONG = 200000 };
    size_t bytes;
    char words[64], place[64];
    static char large[LONG];
    memset(large, 'x', LONG - 1);
    memcpy(large, "LARGE=", 6);
    const char *const too_large[] = {large, NULL};
    urd_process_options o = {.start = URD_START_SPAWN, .env_add = too_large};
    CHECK_EQ(hold(never, NULL, 0, &o, words), -E2BIG);
    CHECK_STR(words, "start: Argument list too long");
    snprintf(place, sizeof place, "TEST_PLACE=%p", urd__shared_place(&bytes));
    const char *const taken[] = {place, NULL};
    o.env_add = taken;
    CHECK_EQ(hold(never, NULL, 0, &o, words), -EEXIST);
    CHECK_STR(words, "start: File exists");
    return 0;
}

TEST(what_keeps_an_image_from_being_is_the_error_of_the_job)
{
    need_kernel();
    run(be_refused);
}

static int spawn_late(void *fn)
{
    char words[64];
    urd_fn *late;
    memcpy(&late, fn, sizeof late);
    CHECK_EQ(hold(late, NULL, 0, &fresh, words), -ENOENT);
    CHECK_STR(words, "the function: No such file or directory");
    return 0;
}

static void load_and_run(void)
{
    void *library = dlopen("libthread_db.so.1", RTLD_LAZY);
    void *symbol = library ? dlsym(library, "td_init") : NULL;
    CHECK(symbol);
    CHECK_EQ(urd_run(NULL, spawn_late, &symbol), 0);
}

TEST(a_function_that_the_image_has_not_loaded_is_refused)
{
    need_kernel();
    void *library = dlopen("libthread_db.so.1", RTLD_LAZY);
    if (!library)
        SKIP("there is no library to load");
    dlclose(library);
    struct test_child child;
    test_fork(&child, load_and_run);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, "load the library before urd_run");
    reap_all();
}

static int without_a_file(void *unused)
{
    (void)unused;
    int value = 0;
    CHECK_EQ(hold(never, NULL, 0, &fresh, NULL), -ENOTSUP);
    CHECK_EQ(hold(answer, &value, sizeof value, NULL, NULL), 0);
    CHECK_EQ(value, 42);
    return 0;
}

TEST(under_a_limit_of_file_sizes_only_the_zygote_serves)
{
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, 1 << 20}), 0);
    run_all(without_a_file);
}

/* ---- Pools ----------------------------------------------------------------------------------- */

static int begin(void *unused)
{
    (void)unused;
    CHECK_EQ(variable, 1);
    variable = 10;
    return 0;
}

static int times_ten(const void *in, void *out)
{
    long v = *(const long *)in;
    *(long *)out = variable * v;
    return v == 13 ? -EDOM : 0;
}

static int crash(const void *in, void *out)
{
    (void)in;
    (void)out;
    _exit(9);
}

static int use_pool(void *unused)
{
    (void)unused;
    enum { N = 100 };
    long in[N], out[N];
    urd_pool *p = open_pool(URD_PROCESS, &(urd_pool_options){.process = &fresh, .begin = begin});
    for (int i = 0; i < N; i++)
        in[i] = i + 100;
    CHECK_EQ(urd_pool_map(p, times_ten, in, out, N), 0);
    for (int i = 0; i < N; i++)
        CHECK_EQ(out[i], 10 * in[i]);
    in[0] = 13;
    CHECK_EQ(urd_pool_map(p, times_ten, in, out, 1), -EDOM);
    char none;
    CHECK_EQ(urd_pool_map(p, crash, &none, &none, 1), -ECHILD);
    CHECK_EQ(urd_pool_map(p, times_ten, in + 1, out, 1), 0); /* by a new one, or the other */
    CHECK_EQ(urd_pool_close(p), 0);
    return 0;
}

TEST(a_pool_of_them_finds_its_functions)
{
    variable = 2;
    run(use_pool);
}
