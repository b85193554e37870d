/*
 * test.c - run the tests of a program, each in a process of its own.
 *
 * SPDX-License-Identifier: MIT
 *
 * The parent forks one child per test and waits for it for a while; the child becomes a group and
 * a subreaper, so that whatever the test started is found, and ends with it.  The seed at work lies
 * in memory that both share: the parent can name it also when the child was killed.
 *
 * A tool that translates code does so afresh in every child, which costs more than most tests.
 * With URD_TEST_TOGETHER a child runs one test after the other, and counts them in the shared
 * memory.  Where it ends early, the test at work runs again, alone, and that is what counts; where
 * a tool found fault with it, all that it ran do.  The next child takes the others.
 */
#define _GNU_SOURCE
#include "test.h"

#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMEOUT_SECONDS = 60, EXIT_FAIL = 1, EXIT_SKIP = 77 };

/* Shared by parent and child. */
struct state {
    uint64_t seed;
    volatile unsigned passed; /* tests, of the child that runs several */
    char skipped[256];
};

static struct {
    struct test *first, **end;
    const char *program;
    struct state *state;
    uint64_t random;
    uint64_t seeds; /* in the loop that runs */
} self = {.end = &self.first};

void test_register(struct test *test)
{
    *self.end = test;
    self.end = &test->next;
}

/* ---- Checks -------------------------------------------------------------------------------- */

void test_fail(const char *file, int line, const char *format, ...)
{
    char message[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fflush(stdout);
    fprintf(stderr, "  %s:%d: %s\n", file, line, message);
    fflush(stderr);
    _exit(EXIT_FAIL);
}

void test_skip(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self.state->skipped, sizeof self.state->skipped, format, args);
    va_end(args);
    fflush(stdout);
    _exit(EXIT_SKIP);
}

static bool holds(long long a, const char *op, long long b)
{
    if (op[0] == '<')
        return op[1] == '=' ? a <= b : a < b;
    if (op[0] == '>')
        return op[1] == '=' ? a >= b : a > b;
    return (a == b) == (op[0] == '=');
}

void test_compare(const char *file, int line, const char *a_text, const char *op,
                  const char *b_text, long long a, long long b)
{
    if (!holds(a, op, b))
        test_fail(file, line, "%s %s %s is false: %lld against %lld", a_text, op, b_text, a, b);
}

void test_compare_string(const char *file, int line, const char *a_text, const char *b_text,
                         const char *a, const char *b)
{
    if (a == b || (a && b && strcmp(a, b) == 0))
        return;
    test_fail(file, line, "%s == %s is false:\n    \"%s\"\n    \"%s\"", a_text, b_text,
              a ? a : "(NULL)", b ? b : "(NULL)");
}

void test_compare_pointer(const char *file, int line, const char *a_text, const char *b_text,
                          const void *a, const void *b)
{
    if (a != b)
        test_fail(file, line, "%s == %s is false: %p against %p", a_text, b_text, a, b);
}

void test_contains(const char *file, int line, const char *text, const char *part)
{
    if (!strstr(text, part))
        test_fail(file, line, "\"%s\" is not in:\n%s", part, text);
}

/* ---- Seeds --------------------------------------------------------------------------------- */

/* splitmix64 (Steele, Lea, Flood, 2014). */
static uint64_t mix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void set_seed(uint64_t seed)
{
    self.state->seed = seed;
    self.random = seed;
}

uint64_t test_seeds_begin(uint64_t count)
{
    const char *replay = getenv("URD_SEED");
    self.seeds = replay ? 1 : count;
    set_seed(replay ? strtoull(replay, NULL, 0) : 1);
    return self.seeds;
}

uint64_t test_seeds_next(uint64_t left)
{
    set_seed(left > 1 ? self.state->seed + 1 : 0);
    return left - 1;
}

uint64_t test_seed(void)
{
    return self.state->seed;
}

uint64_t test_random(uint64_t below)
{
    return mix(&self.random) % below;
}

/* ---- Children ------------------------------------------------------------------------------ */

static void no_core_file(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

static int capture_file(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    CHECK_GE(fd, 0);
    return fd;
}

static void take_file(int fd, char *text, size_t size)
{
    ssize_t n = pread(fd, text, size - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    close(fd);
}

void test_fork(struct test_child *child, void (*fn)(void))
{
    int out = capture_file(), err = capture_file();
    fflush(NULL);
    pid_t pid = fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        no_core_file();
        dup2(out, STDOUT_FILENO);
        dup2(err, STDERR_FILENO);
        fn();
        fflush(NULL);
        _exit(0);
    }
    int status = 0;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    child->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    child->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    take_file(out, child->out, sizeof child->out);
    take_file(err, child->err, sizeof child->err);
}

void test_aborts(const char *file, int line, void (*fn)(void), const char *message)
{
    struct test_child child;
    test_fork(&child, fn);
    if (child.signal != SIGABRT)
        test_fail(file, line, "no abort: exit code %d, signal %d, stderr:\n%s", child.code,
                  child.signal, child.err);
    test_contains(file, line, child.err, message);
}

int test_fd_count(void)
{
    DIR *dir = opendir("/proc/self/fd");
    CHECK(dir);
    int n = -3; /* ".", ".." and the fd of dir itself */
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* What the kernel runs, and names the thread after, is the emulator. */
bool test_under_emulator(void)
{
    char name[16] = "";
    prctl(PR_GET_NAME, name);
    return strncmp(name, "qemu-", 5) == 0;
}

/* It preloads its parts. */
bool test_under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "vgpreload");
}

bool test_under_slow_tool(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return true;
#endif
#endif
    return test_under_valgrind() || getenv("URD_TEST_SLOW") != NULL || test_under_emulator();
}

/* ---- One test ------------------------------------------------------------------------------ */

static void list_open_fds(void)
{
    for (int fd = 0; fd < 256; fd++) {
        char path[64], target[256];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n > 0)
            fprintf(stderr, "    fd %d: %.*s\n", fd, (int)n, target);
    }
}

static void run_body(const struct test *test)
{
    int fds = test_fd_count();
    test->fn();
    int fds_after = test_fd_count();
    if (fds_after != fds) {
        list_open_fds();
        test_fail(test->name, 0, "leaves open files: %d before, %d after", fds, fds_after);
    }
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) == 0)
        test_fail(test->name, 0, "leaves a child process%s",
                  info.si_pid ? ", ended and not waited for" : " that runs");
    fflush(NULL);
}

static void run_here(const struct test *test)
{
    run_body(test);
    exit(0);
}

static unsigned timeout_seconds(void)
{
    const char *text = getenv("URD_TEST_TIMEOUT");
    unsigned long seconds = text ? strtoul(text, NULL, 10) : 0;
    return seconds > 0 ? (unsigned)seconds : TIMEOUT_SECONDS;
}

static void block_sigchld(bool block)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(block ? SIG_BLOCK : SIG_UNBLOCK, &child, NULL);
}

static bool has_ended(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* SIGCHLD is blocked: it is waited for, not handled, which works under every tool. */
static bool wait_until_ended(pid_t pid)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    struct timespec timeout = {.tv_sec = timeout_seconds()};
    unsigned passed = self.state->passed;
    while (!has_ended(pid)) {
        if (sigtimedwait(&child, NULL, &timeout) >= 0 || has_ended(pid))
            continue;
        if (self.state->passed == passed)
            return false;
        passed = self.state->passed;
    }
    return true;
}

/* The status of the child; its group is killed before its number can be given to another. */
static int wait_for_child(pid_t pid, bool *hangs)
{
    *hangs = !wait_until_ended(pid);
    kill(-pid, SIGKILL);
    kill(pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    return status;
}

static void print_failure(const struct test *test, int status, bool hangs)
{
    if (hangs)
        printf("  hangs: killed after %u s\n", timeout_seconds());
    else if (WIFSIGNALED(status))
        printf("  killed by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != EXIT_FAIL)
        printf("  ended with exit code %d\n", WEXITSTATUS(status));
    unsigned long long seed = self.state->seed;
    if (seed)
        printf("  seed %llu: replay with URD_SEED=%llu %s %s\n", seed, seed, self.program,
               test->name);
    printf("FAIL %s\n", test->name);
}

/* A child in a group of its own, which ends with this program: 0 in it, its number here. */
static pid_t fork_child(void)
{
    *self.state = (struct state){0};
    fflush(NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    CHECK_GE(pid, 0);
    if (pid > 0)
        return pid;
    block_sigchld(false);
    setpgid(0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        _exit(EXIT_FAIL);
    return 0;
}

/* EXIT_SUCCESS, EXIT_FAIL or EXIT_SKIP. */
static int run_forked(const struct test *test)
{
    pid_t pid = fork_child();
    if (pid == 0)
        run_here(test);
    bool hangs;
    int status = wait_for_child(pid, &hangs);
    int result = EXIT_FAIL;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        printf("ok %s\n", test->name);
        result = EXIT_SUCCESS;
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) {
        printf("skip %s: %s\n", test->name, self.state->skipped);
        result = EXIT_SKIP;
    } else {
        print_failure(test, status, hangs);
    }
    fflush(stdout);
    return result;
}

/* ---- Several tests ------------------------------------------------------------------------- */

/* Tests to run, and how many came to each of EXIT_SUCCESS, EXIT_FAIL and skipped. */
struct plan {
    const struct test **tests;
    int count;
    int results[3];
};

static void add_result(struct plan *plan, int result)
{
    plan->results[result == EXIT_SKIP ? 2 : result]++;
}

static void run_each(struct plan *plan)
{
    for (int i = 0; i < plan->count; i++)
        add_result(plan, run_forked(plan->tests[i]));
}

static void run_rest_here(const struct plan *plan, int at)
{
    for (; at < plan->count; at++) {
        set_seed(0);
        run_body(plan->tests[at]);
        self.state->passed++;
    }
    exit(0);
}

/* Whatever else it ended with, a tool that watches may have put there, for any of the tests. */
static bool tells_of_one_test(int status)
{
    return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EXIT_FAIL ||
                                 WEXITSTATUS(status) == EXIT_SKIP);
}

static void run_together(struct plan *plan)
{
    for (int at = 0; at < plan->count;) {
        pid_t pid = fork_child();
        if (pid == 0)
            run_rest_here(plan, at);
        bool hangs;
        int status = wait_for_child(pid, &hangs);
        int passed = (int)self.state->passed, ran = at + passed;
        if (tells_of_one_test(status))
            for (; at < ran; at++) {
                printf("ok %s\n", plan->tests[at]->name);
                add_result(plan, EXIT_SUCCESS);
            }
        for (ran += ran < plan->count; at < ran; at++)
            add_result(plan, run_forked(plan->tests[at]));
    }
}

/* ---- The program --------------------------------------------------------------------------- */

/* What a caller's environment says must not change what a test means; URD_SEED is for replay. */
static void clean_environment(void)
{
    static const char *const names[] = {"URD_WORKERS", "URD_STACK_BYTES", "URD_SHARED_BYTES",
                                        "URD_CLOCK",   "URD_PROCESSES",   "URD_GRACE_MS",
                                        "URD_NAME"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

static struct test *find(const char *name)
{
    for (struct test *test = self.first; test; test = test->next)
        if (strcmp(test->name, name) == 0)
            return test;
    fprintf(stderr, "%s: no test \"%s\"; --list names them\n", self.program, name);
    exit(EXIT_FAIL);
}

/* The named tests, or all of them. */
static struct plan make_plan(int count, char **names)
{
    struct plan plan = {.count = count};
    if (!count)
        for (struct test *test = self.first; test; test = test->next)
            plan.count++;
    plan.tests = calloc((size_t)plan.count + 1, sizeof *plan.tests);
    CHECK(plan.tests);
    struct test *test = self.first;
    for (int i = 0; i < plan.count; i++) {
        plan.tests[i] = count ? find(names[i]) : test;
        test = test->next ? test->next : self.first;
    }
    return plan;
}

static int run_all(int count, char **names)
{
    struct plan plan = make_plan(count, names);
    if (getenv("URD_TEST_TOGETHER"))
        run_together(&plan);
    else
        run_each(&plan);
    free(plan.tests);
    if (plan.results[EXIT_FAIL])
        return EXIT_FAIL;
    return plan.results[0] == 0 && plan.results[2] ? EXIT_SKIP : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    self.program = argv[0];
    self.state =
        mmap(NULL, sizeof *self.state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (self.state == MAP_FAILED)
        return EXIT_FAIL;
    clean_environment();
    block_sigchld(true);
    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        for (struct test *test = self.first; test; test = test->next)
            puts(test->name);
        return EXIT_SUCCESS;
    }
    if (argc > 1 && strcmp(argv[1], "--no-fork") == 0) {
        if (argc != 3) {
            fprintf(stderr, "%s: --no-fork takes the name of one test\n", self.program);
            return EXIT_FAIL;
        }
        block_sigchld(false);
        run_here(find(argv[2]));
    }
    return run_all(argc - 1, argv + 1);
}
