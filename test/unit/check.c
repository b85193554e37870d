/*
 * check.c - what errors of the program look like, and that they end it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/check.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

enum { LONG = 5000, MESSAGE_BYTES_MAX = 1024 };

static void die_plainly(void)
{
    urd__die("the %s of %d", "answer", 42);
}

static void name_the_job(char *out, size_t size)
{
    snprintf(out, size, " (in job %s)", "weaver");
}

static void die_in_a_job(void)
{
    urd__die_context = name_the_job;
    urd__die("unlocked by a stranger");
}

static void say_in_a_job(void)
{
    urd__die_context = name_the_job;
    urd__say("%d stacks", 3);
}

static int expansions;

static bool expensive(bool value)
{
    expansions++;
    return value;
}

static void break_an_invariant(void)
{
    urd__assert(expensive(false));
}

TEST(die_aborts_with_the_message_on_a_line_of_its_own)
{
    CHECK_ABORTS(die_plainly, "urd: the answer of 42\n");
}

TEST(die_names_the_job_that_runs)
{
    CHECK_ABORTS(die_in_a_job, "urd: unlocked by a stranger (in job weaver)\n");
}

TEST(say_prints_one_line_and_goes_on)
{
    struct test_child child;
    test_fork(&child, say_in_a_job);
    CHECK_STR(child.err, "urd: 3 stacks\n");
    CHECK_STR(child.out, "");
    CHECK_EQ(child.code, 0);
}

TEST(a_broken_invariant_names_its_place_and_itself)
{
    CHECK_ABORTS(break_an_invariant, "check.c:");
    CHECK_ABORTS(break_an_invariant, ": broken invariant: expensive(false)\n");
}

TEST(an_invariant_that_holds_is_evaluated_once)
{
    urd__assert(expensive(true));
    CHECK_EQ(expansions, 1);
}

/* What fn writes to stderr, byte for byte. */
static size_t capture(void (*fn)(void), char *out, size_t size)
{
    int fd = memfd_create("stderr", MFD_CLOEXEC), saved = dup(STDERR_FILENO);
    CHECK_GE(fd, 0);
    CHECK_GE(saved, 0);
    dup2(fd, STDERR_FILENO);
    fn();
    dup2(saved, STDERR_FILENO);
    ssize_t n = pread(fd, out, size, 0);
    CHECK_GE(n, 0);
    close(saved);
    close(fd);
    return (size_t)n;
}

static void say_much(void)
{
    char text[LONG + 1];
    memset(text, 'x', LONG);
    text[LONG] = '\0';
    urd__say("%s", text);
}

TEST(a_message_too_long_is_cut_and_still_a_line)
{
    char text[LONG];
    size_t n = capture(say_much, text, sizeof text);
    CHECK_LE(n, MESSAGE_BYTES_MAX);
    CHECK_GT(n, MESSAGE_BYTES_MAX - 10);
    CHECK_EQ(memcmp(text, "urd: x", 6), 0);
    CHECK_EQ(text[n - 1], '\n');
    CHECK(!memchr(text, '\0', n));
}

static size_t say_bytes;

static void say_some(void)
{
    char text[LONG + 1];
    memset(text, 'x', say_bytes);
    text[say_bytes] = '\0';
    urd__say("%s", text);
}

TEST(no_length_puts_a_zero_byte_into_the_line)
{
    for (say_bytes = MESSAGE_BYTES_MAX - 20; say_bytes < MESSAGE_BYTES_MAX + 20; say_bytes++) {
        char text[LONG];
        size_t n = capture(say_some, text, sizeof text);
        CHECK(!memchr(text, '\0', n));
        CHECK(memchr(text, '\n', n) == text + n - 1);
    }
}

static void name_at_length(char *out, size_t size)
{
    memset(out, 'j', size);
    out[size - 1] = '\0';
}

static void die_with_a_long_context(void)
{
    urd__die_context = name_at_length;
    urd__die("short");
}

TEST(a_context_too_long_is_cut_and_still_a_line)
{
    CHECK_ABORTS(die_with_a_long_context, "urd: shortjjjj");
    CHECK_ABORTS(die_with_a_long_context, "jj\n");
}
