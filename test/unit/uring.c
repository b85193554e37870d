/*
 * uring.c - the ring takes more waits than it has places, and gives them all back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "backends.h"

/* More than the ring has places for requests, and for what has completed; where tasks are slow to
 * make, for requests alone. */
enum { PAIRS = 400, WAITS_EACH = 12 };
static int pairs[PAIRS][2];

static int waits_each(void)
{
    return test_under_slow_tool() ? 2 : WAITS_EACH;
}

static void run_uring(urd_fn *fn)
{
    urd_config config = {
        .workers = 1, .virtual_clock = true, .processes = URD_PROCESSES_NONE, .io = URD_IO_URING};
    if (!urd__poller_backend(URD_IO_URING))
        SKIP("there is no io_uring here");
    test_run_with(&config, fn, NULL);
}

static int says_uring(void *arg)
{
    (void)arg;
    urd_about about;
    urd_about_get(&about);
    CHECK_STR(about.io_backend, "io_uring");
    return 0;
}

TEST(it_is_what_was_asked_for)
{
    run_uring(says_uring);
}

static void make_pairs(void)
{
    for (int i = 0; i < PAIRS; i++)
        make_pair(pairs[i]);
}

static void close_pairs(void)
{
    for (int i = 0; i < PAIRS; i++)
        close_pair(pairs[i]);
}

static int read_letter(void *arg)
{
    char letter;
    CHECK_EQ(urd_read(*(const int *)arg, &letter, 1), 1);
    return 0;
}

static int many(void *arg)
{
    (void)arg;
    make_pairs();
    urd_scope s;
    urd_scope_open(&s);
    int each = waits_each();
    for (int i = 0; i < PAIRS * each; i++)
        CHECK_EQ(urd_go(&s, read_letter, &pairs[i / each][0]), 0);
    CHECK_EQ(urd_sleep(1), 0); /* all wait */
    for (int i = 0; i < PAIRS; i++)
        CHECK_EQ(urd_write(pairs[i][1], "xxxxxxxxxxxx", (size_t)each), each);
    CHECK_EQ(urd_scope_join(&s), 0);
    close_pairs();
    return 0;
}

TEST(more_waits_than_places_all_end)
{
    run_uring(many);
}

static int read_in_vain(void *arg)
{
    char letter;
    CHECK_EQ(urd_read(*(const int *)arg, &letter, 1), -ECANCELED);
    return 0;
}

static int cancelled(void *arg)
{
    (void)arg;
    make_pairs();
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND);
    int each = waits_each();
    for (int i = 0; i < PAIRS * each; i++)
        CHECK_EQ(urd_go(&s, read_in_vain, &pairs[i / each][0]), 0);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    close_pairs();
    return 0;
}

TEST(as_many_are_taken_back_by_a_cancel)
{
    run_uring(cancelled);
}
