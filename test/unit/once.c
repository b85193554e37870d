/*
 * once.c - done once, whoever comes first; errors are tried again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/atomic.h"
#include "runs.h"

enum { JOBS = 9 };

static urd_once once;
static long made; /* under once */
static int calls, failures;

static int make(void *arg)
{
    (void)arg;
    calls++;
    int rc = urd_yield();
    if (rc == 0 && failures > 0) {
        failures--;
        rc = -EIO;
    }
    if (rc == 0)
        made++;
    return rc;
}

static int use(void *arg)
{
    (void)arg;
    int rc = urd_once_run(&once, make, NULL);
    if (rc == 0)
        CHECK_EQ(made, 1);
    return rc;
}

static void start_anew(int fails)
{
    memset(&once, 0, sizeof once);
    made = calls = 0;
    failures = fails;
}

static int by_many(void *arg)
{
    (void)arg;
    start_anew(0);
    CHECK(!urd_once_done(&once));
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < JOBS; i++)
        urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, use, NULL, 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(calls, 1);
    CHECK(urd_once_done(&once));
    return 0;
}

TEST(one_of_many_does_it_and_all_see_it)
{
    run_seeds(30, by_many);
    CHECK_EQ(use(NULL), 0); /* without a runtime */
}

static int with_failures(void *arg)
{
    (void)arg;
    start_anew(2);
    urd_scope s;
    urd_error errors[JOBS];
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    for (int i = 0; i < JOBS; i++)
        urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, use, NULL, 0);
    CHECK_EQ(urd_scope_wait(&s), -EIO);
    CHECK_EQ(urd_scope_errors(&s, errors, JOBS), 2); /* those who met the error */
    CHECK_EQ(urd_scope_join(&s), -EIO);
    CHECK_EQ(calls, 3);
    CHECK_EQ(made, 1);
    return 0;
}

TEST(an_error_goes_to_who_met_it_and_the_next_tries_again)
{
    run_seeds(30, with_failures);
}

static int cancelled(void *arg)
{
    (void)arg;
    start_anew(0);
    urd_scope s;
    for (int i = 0; i < 2; i++) { /* before it is done, and after */
        urd_scope_open(&s);
        urd_scope_cancel(&s, 0);
        CHECK_EQ(urd_once_run(&once, make, NULL), -ECANCELED);
        CHECK_EQ(urd_scope_join(&s), -ECANCELED);
        CHECK_EQ(calls, i);
        CHECK_EQ(urd_once_run(&once, make, NULL), 0);
    }
    CHECK_EQ(made, 1);
    return 0;
}

TEST(a_cancelled_scope_does_not_do_it)
{
    test_run(cancelled);
}

static int again(void *arg)
{
    return urd_once_run(arg, make, NULL);
}

static int recurse(void *arg)
{
    (void)arg;
    return urd_once_run(&once, again, &once);
}

static void within(void)
{
    test_run(recurse);
}

TEST(doing_it_within_itself_aborts)
{
    CHECK_ABORTS(within, "urd_once_run: the caller holds this lock already");
}
