/*
 * test.h - the harness of all test programs: tests, checks, seeds, children.
 *
 * SPDX-License-Identifier: MIT
 *
 *     TEST(recv_after_close_drains_then_EPIPE)
 *     {
 *         CHECK_EQ(urd_chan_tryrecv(&c, &v), -EPIPE);
 *     }
 *
 * A program is one file of tests, linked with test.c, which has main().  Every test runs in a
 * process of its own, so that a crash or a hang is one failed test and globals start afresh.  A
 * check that fails ends that process.  A test also fails when it leaves an open fd or a child.
 *
 *     PROGRAM [--list] [--no-fork] [TEST...]       exit 0 all passed, 1 some failed, 77 all skipped
 *     URD_TEST_TIMEOUT=SECONDS                     of one test; 60
 *     URD_TEST_TOGETHER=1                          in one process, as long as they pass (test.c)
 *     URD_SEED=N                                   loops over seeds run this one only
 */
#ifndef TEST_H
#define TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "urd.h"

struct test {
    const char *name;
    void (*fn)(void);
    struct test *next;
};

void test_register(struct test *test);

#define TEST(sentence)                                                                             \
    static void sentence(void);                                                                    \
    __attribute__((constructor)) static void test_register_##sentence(void)                        \
    {                                                                                              \
        static struct test test = {#sentence, sentence, NULL};                                     \
        test_register(&test);                                                                      \
    }                                                                                              \
    static void sentence(void)

/* ---- Checks: from any thread, task or child of the test; each argument is evaluated once --- */

__attribute__((noreturn, format(printf, 3, 4))) void test_fail(const char *file, int line,
                                                               const char *format, ...);
/* Ends the test as skipped; the reason is printed. */
__attribute__((noreturn, format(printf, 1, 2))) void test_skip(const char *format, ...);

void test_compare(const char *file, int line, const char *a_text, const char *op,
                  const char *b_text, long long a, long long b);
void test_compare_string(const char *file, int line, const char *a_text, const char *b_text,
                         const char *a, const char *b);
void test_compare_pointer(const char *file, int line, const char *a_text, const char *b_text,
                          const void *a, const void *b);
void test_contains(const char *file, int line, const char *text, const char *part);

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...) test_skip(__VA_ARGS__)
#define CHECK(condition) ((condition) ? (void)0 : FAIL("is false: %s", #condition))
#define CHECK_OP(a, op, b)                                                                         \
    test_compare(__FILE__, __LINE__, #a, #op, #b, (long long)(a), (long long)(b))
#define CHECK_EQ(a, b) CHECK_OP(a, ==, b)
#define CHECK_NE(a, b) CHECK_OP(a, !=, b)
#define CHECK_LT(a, b) CHECK_OP(a, <, b)
#define CHECK_LE(a, b) CHECK_OP(a, <=, b)
#define CHECK_GT(a, b) CHECK_OP(a, >, b)
#define CHECK_GE(a, b) CHECK_OP(a, >=, b)
#define CHECK_STR(a, b) test_compare_string(__FILE__, __LINE__, #a, #b, (a), (b))
#define CHECK_PTR(a, b) test_compare_pointer(__FILE__, __LINE__, #a, #b, (a), (b))
#define CHECK_CONTAINS(text, part) test_contains(__FILE__, __LINE__, (text), (part))

/* ---- Seeds ------------------------------------------------------------------------------------
 *
 *     TEST_SEEDS(100) {
 *         ... test_random(6) ... test_run(fn) ...
 *     }
 *
 * runs the body for seeds 1 to 100, or for URD_SEED alone.  A failure names the seed.
 */
#define TEST_SEEDS(count)                                                                          \
    for (uint64_t test_seeds_left = test_seeds_begin(count); test_seeds_left > 0;                  \
         test_seeds_left = test_seeds_next(test_seeds_left))

uint64_t test_seeds_begin(uint64_t count);
uint64_t test_seeds_next(uint64_t left);
uint64_t test_seed(void);             /* of the pass that runs; 0 outside TEST_SEEDS */
uint64_t test_random(uint64_t below); /* drawn from the seed; 0 .. below - 1 */

/* ---- Children ------------------------------------------------------------------------------ */

struct test_child {
    int code;                  /* exit code, or -1 */
    int signal;                /* that killed it, or 0 */
    char out[4096], err[8192]; /* what it wrote, cut to fit, ends in NUL */
};

/* Run fn in a forked child, which then exits with code 0, and take what it writes. */
void test_fork(struct test_child *child, void (*fn)(void));

/* fn must abort, and say `message` on stderr. */
#define CHECK_ABORTS(fn, message) test_aborts(__FILE__, __LINE__, (fn), (message))
void test_aborts(const char *file, int line, void (*fn)(void), const char *message);

int test_fd_count(void);         /* open file descriptors of this process */
bool test_under_slow_tool(void); /* a sanitizer, valgrind or an emulator: shrink loops */
bool test_under_valgrind(void);
bool test_under_emulator(void); /* whose system calls are not quite the kernel's */

/* ---- Runs -------------------------------------------------------------------------------------
 *
 * Inline, so that test.c needs no runtime: programs that test only src/base do not link it.
 */

/* urd_run must return 0. */
#define test_run_with(cfg, fn, arg) CHECK_EQ(urd_run((cfg), (fn), (arg)), 0)

/* On so many workers, with a virtual clock and the current seed; without processes. */
static inline void test_run_workers(int workers, urd_fn *fn)
{
    urd_config config = {.workers = workers,
                         .seed = test_seed(),
                         .virtual_clock = true,
                         .processes = URD_PROCESSES_NONE};
    test_run_with(&config, fn, NULL);
}

/* On one worker: the schedule repeats exactly for the same seed. */
static inline void test_run(urd_fn *fn)
{
    test_run_workers(1, fn);
}

#endif
