/*
 * sanitize.c - the tools that watch stacks see tasks as what they are.
 *
 * SPDX-License-Identifier: MIT
 *
 * Under AddressSanitizer, ThreadSanitizer or Valgrind a wrong hook shows as a report of the tool,
 * which ends the program; without them the hooks must do nothing at all.
 */
#include "core/sanitize.h"

#include <setjmp.h>
#include <string.h>

#include "test.h"

#ifdef URD_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) __asan_poison_memory_region((p), (n))
#define POISONED(p, n) (__asan_region_is_poisoned((p), (n)) != NULL)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define POISONED(p, n) ((void)(p), (void)(n), false)
#endif

enum { TASKS = 40, DEPTH = 20, STACK_BYTES = 64 * 1024 };

static unsigned char memory[STACK_BYTES] __attribute__((aligned(64)));

static urd__task task_on(unsigned char *low, size_t bytes)
{
    return (urd__task){.stack = {.low = (uintptr_t)low, .high = (uintptr_t)low + bytes}};
}

TEST(without_a_tool_the_hooks_change_nothing)
{
    if (test_under_slow_tool())
        SKIP("a tool is there");
    urd__worker worker = {0};
    urd__task from = task_on(memory, STACK_BYTES / 2), to = from, self = from;
    const urd__task as_it_was = from;
    self.worker = &worker;
    urd__sanitize_born(&from);
    urd__sanitize_before(&worker, &from, &to, false);
    urd__sanitize_after(&self);
    urd__sanitize_native(&from);
    urd__sanitize_dead(&from);
    CHECK_EQ(memcmp(&from, &as_it_was, sizeof from), 0);
    CHECK_EQ(memcmp(&to, &as_it_was, sizeof to), 0);
    CHECK_PTR(worker.dead_fiber, NULL);
}

TEST(a_stack_given_back_is_clean_for_the_next)
{
#ifdef URD_TSAN
    SKIP("of AddressSanitizer");
#endif
    urd__task task = task_on(memory, sizeof memory);
    urd__sanitize_born(&task);
    POISON(memory, sizeof memory); /* as frames do that a longjmp or an ending task leaves behind */
    urd__sanitize_dead(&task);
    CHECK(!POISONED(memory, sizeof memory));
    memset(memory, 1, sizeof memory);
}

/* Frames with buffers, a switch at the bottom, and a look at them on the way back. */
__attribute__((noinline)) static int descend(int depth, int seed)
{
    unsigned char frame[300];
    memset(frame, seed + depth, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    int rc = depth == 0 ? urd_yield() : descend(depth - 1, seed);
    if (rc == 0 && depth % 7 == 0)
        rc = urd_sleep(URD_US);
    for (size_t i = 0; i < sizeof frame; i++)
        CHECK_EQ(frame[i], (unsigned char)(seed + depth));
    return rc;
}

static int weave(void *arg)
{
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = descend(DEPTH, *(int *)arg + i);
    return rc;
}

static int run_many(void *arg)
{
    (void)arg;
    static int seeds[TASKS];
    for (int round = 0; round < 3; round++) { /* later rounds use the stacks of the first */
        urd_scope s;
        urd_scope_open(&s);
        for (int i = 0; i < TASKS; i++) {
            seeds[i] = i;
            urd_go(&s, weave, &seeds[i]);
        }
        CHECK_EQ(urd_scope_join(&s), 0);
    }
    return 0;
}

TEST(deep_frames_of_tasks_that_switch_stay_whole_on_one_worker)
{
    test_run_workers(1, run_many);
}

TEST(deep_frames_of_tasks_that_switch_stay_whole_on_three_workers)
{
    test_run_workers(3, run_many);
}

static int jump(void *arg)
{
    jmp_buf back;
    volatile int rc = 0;
    if (setjmp(back) == 0) {
        unsigned char frame[300];
        memset(frame, *(int *)arg, sizeof frame);
        rc = urd_yield();
        __asm__ volatile("" : : "r"(frame) : "memory");
        longjmp(back, 1);
    }
    return rc;
}

static int jump_many(void *arg)
{
    (void)arg;
    static int seeds[TASKS];
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < TASKS; i++)
        urd_go(&s, i % 2 ? jump : weave, &seeds[i]);
    return urd_scope_join(&s);
}

TEST(a_longjmp_inside_a_task_is_no_matter)
{
    test_run_workers(2, jump_many);
}
