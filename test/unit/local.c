/*
 * local.c - values that jobs inherit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runs.h"

static char none[] = "none", ana[] = "ana", rui[] = "rui";
static urd_local user = {.initial = none}, other;

static int sees(void *arg)
{
    CHECK_PTR(urd_local_get(&user), arg);
    CHECK_PTR(urd_local_get(&other), NULL);
    return 0;
}

/* What it sets, the one that started it does not see. */
static int sets(void *arg)
{
    CHECK_PTR(urd_local_get(&user), arg);
    urd_local_value v;
    urd_local_set(&v, &user, rui);
    CHECK_EQ(urd_yield(), 0);
    CHECK_PTR(urd_local_get(&user), rui);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, sees, rui);
    urd_spawn(&s, URD_THREAD, sees, rui, 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_block(sees, rui), 0);
    urd_local_reset(&v);
    CHECK_PTR(urd_local_get(&user), arg);
    return 0;
}

static int inherited(void *arg)
{
    (void)arg;
    CHECK_PTR(urd_local_get(&user), none);
    urd_scope before, s;
    urd_local_value v;
    urd_scope_open(&before);
    urd_local_set(&v, &user, ana);
    CHECK_PTR(urd_local_get(&user), ana);
    urd_go(&before, sees, none); /* a scope that was open before does not see it */
    urd_scope_open(&s);
    for (int i = 0; i < 6; i++)
        urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, i % 2 ? sees : sets, ana, 0);
    urd_job held;
    CHECK_EQ(urd_job_open(&held, &s, URD_TASK, sees, ana, 0, NULL), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_PTR(urd_local_get(&user), ana);
    urd_local_reset(&v);
    CHECK_PTR(urd_local_get(&user), none);
    CHECK_EQ(urd_scope_join(&before), 0);
    return 0;
}

TEST(jobs_see_what_was_set_around_their_scope)
{
    run_seeds(20, inherited);
}

static int nested(void *arg)
{
    (void)arg;
    urd_local_value first, second, third;
    urd_local_set(&first, &user, ana);
    urd_local_set(&second, &other, rui);
    urd_local_set(&third, &user, NULL);
    CHECK_PTR(urd_local_get(&user), NULL); /* as a value like another */
    CHECK_PTR(urd_local_get(&other), rui);
    urd_local_reset(&third);
    CHECK_PTR(urd_local_get(&user), ana);
    urd_local_reset(&second);
    CHECK_PTR(urd_local_get(&other), NULL);
    urd_local_reset(&first);
    return 0;
}

TEST(the_innermost_setting_counts)
{
    test_run(nested);
    CHECK_EQ(nested(NULL), 0); /* in a thread without a runtime */
    CHECK_PTR(urd_local_get(&user), none);
}

static int as_a_process(void *arg)
{
    (void)arg;
    CHECK_PTR(urd_local_get(&user), none);
    return 0;
}

static int start_process(void *arg)
{
    (void)arg;
    urd_local_value v;
    urd_scope s;
    urd_local_set(&v, &user, ana);
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, as_a_process, NULL, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_local_reset(&v);
    return 0;
}

TEST(a_process_inherits_none)
{
    test_run_with(NULL, start_process, NULL);
}

static int in_a_cancelled_scope(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_local_value v;
    urd_scope_open(&s);
    urd_local_set(&v, &user, ana);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_sleep(1), -ECANCELED);
    CHECK_PTR(urd_local_get(&user), ana);
    urd_local_reset(&v);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(a_cancel_does_not_touch_it)
{
    test_run(in_a_cancelled_scope);
}

static int leave_it_set(void *arg)
{
    urd_local_set_at(arg, &user, ana, "set.c:1");
    return 0;
}

static int start_one_that_leaves(void *arg)
{
    (void)arg;
    static urd_local_value v;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, leave_it_set, &v);
    return urd_scope_join(&s);
}

static void leave_set(void)
{
    test_run(start_one_that_leaves);
}

TEST(a_job_that_returns_with_a_local_set_aborts)
{
    CHECK_ABORTS(leave_set, "returned with the scope opened at set.c:1 not joined");
}
