/*
 * trace.c - the printed stack: its order, its names, its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/symbol.h"
#include "test.h"

enum { LINES_MAX = 40, DEPTH = 300 };

static int skipped;

static int compare(const void *a, const void *b)
{
    static bool printed; /* a sanitizer compares again, to see whether the answer is the same */
    (void)a, (void)b;
    if (!printed)
        urd__trace_print(skipped);
    printed = true;
    return 0;
}

static void print_inside_qsort(void)
{
    int two[2] = {2, 1};
    qsort(two, 2, sizeof *two, compare);
    urd__symbols_close();
}

/* How many lines; each is a frame with a higher number, but the last if there are more. */
static int check_lines(const char *text)
{
    int n = 0;
    long last = -1;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        CHECK(strchr(line, '\n'));
        if (n++ == LINES_MAX) {
            CHECK_EQ(strncmp(line, "urd:   ... and more\n", 20), 0);
            continue;
        }
        CHECK_EQ(strncmp(line, "urd:   #", 8), 0);
        char *end;
        long number = strtol(line + 8, &end, 10);
        CHECK_GT(number, last);
        CHECK_EQ(*end, ' ');
        last = number;
    }
    return n;
}

TEST(a_trace_names_functions_and_the_files_they_are_in)
{
    struct test_child child;
    test_fork(&child, print_inside_qsort);
    CHECK_EQ(child.code, 0);
    CHECK_GE(check_lines(child.err), 5);
    CHECK_CONTAINS(child.err, "(unit_trace");
    CHECK_CONTAINS(child.err, "qsort");
    CHECK_CONTAINS(child.err, "__libc_start_main");
    CHECK_CONTAINS(child.err, "(libc.so");
    CHECK(!strstr(child.err, "... and more"));
}

TEST(the_caller_stands_inside_who_called_it)
{
    struct test_child child;
    test_fork(&child, print_inside_qsort);
    const char *inner = strstr(child.err, "qsort"), *outer = strstr(child.err, "__libc_start_main");
    CHECK(inner && outer && inner < outer);
}

TEST(skipped_frames_are_not_printed)
{
    struct test_child whole, part;
    test_fork(&whole, print_inside_qsort);
    skipped = 2;
    test_fork(&part, print_inside_qsort);
    CHECK_EQ(check_lines(part.err), check_lines(whole.err) - 2);
    skipped = 10000;
    test_fork(&part, print_inside_qsort);
    CHECK_EQ(part.code, 0);
    CHECK_STR(part.err, "");
}

__attribute__((noinline)) static int descend(int levels)
{
    if (levels == 0) {
        urd__trace_print(0);
        return 0;
    }
    int below = descend(levels - 1);
    __asm__ volatile("" : "+r"(below)); /* no tail call */
    return below + 1;
}

static void print_deep_down(void)
{
    CHECK_EQ(descend(DEPTH), DEPTH);
    urd__symbols_close();
}

TEST(a_recursion_is_one_line_that_counts)
{
    struct test_child child;
    test_fork(&child, print_deep_down);
    CHECK_EQ(child.code, 0);
    CHECK_CONTAINS(child.err, " times\n");
    CHECK_CONTAINS(child.err, "__libc_start_main");
    CHECK_LT(check_lines(child.err), 20);
}

/* Two that call each other: no line is like the one before it. */
__attribute__((noinline)) static int even(int levels);

__attribute__((noinline)) static int odd(int levels)
{
    int below = even(levels - 1);
    __asm__ volatile("" : "+r"(below));
    return below + 1;
}

__attribute__((noinline)) static int even(int levels)
{
    int below = levels == 0 ? descend(0) : odd(levels - 1);
    __asm__ volatile("" : "+r"(below));
    return below + 1;
}

static void print_a_long_one(void)
{
    CHECK_GT(even(DEPTH), DEPTH);
    urd__symbols_close();
}

TEST(a_long_stack_is_cut_and_says_so)
{
    struct test_child child;
    test_fork(&child, print_a_long_one);
    CHECK_EQ(child.code, 0);
    CHECK_EQ(check_lines(child.err), LINES_MAX + 1);
    CHECK_CONTAINS(child.err, "urd:   ... and more\n");
}

static int print_in_task(void *arg)
{
    (void)arg;
    urd__trace_print(0);
    return 0;
}

static int start_task(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_job job;
    urd_scope_open(&s);
    urd_job_open(&job, &s, URD_TASK, print_in_task, NULL, 0, NULL);
    int rc = urd_job_join(&job); /* waits, so the task gets a stack of its own */
    return urd_scope_join(&s) ? -1 : rc;
}

static void print_in_a_task(void)
{
    test_run_workers(1, start_task);
}

TEST(the_trace_of_a_task_ends_at_its_entry)
{
    struct test_child child;
    test_fork(&child, print_in_a_task);
    CHECK_EQ(child.code, 0);
    CHECK(!strstr(child.err, "... and more"));
    CHECK(!strstr(child.err, "__libc_start_main"));
    int n = check_lines(child.err);
    CHECK_GE(n, 4); /* the printing, the task's function, what runs it, entry */
    CHECK_LE(n, 8);
}
