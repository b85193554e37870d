/*
 * job_local.c - values that a job has for itself, and their destructors.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "runs.h"

enum { NOTES_MAX = 16 };

static char notes[NOTES_MAX + 1];
static int destroyed; /* atomic */

static void note(void *value)
{
    size_t n = strlen(notes);
    CHECK_LT(n, NOTES_MAX);
    notes[n] = *(const char *)value;
}

static void count(void *value)
{
    (void)value;
    urd__add_ar(&destroyed, 1);
}

static char a[] = "a", b[] = "b", c[] = "c";
static urd_job_local first = {.destroy = note}, second = {.destroy = note},
                     third = {.destroy = note}, plain, counted = {.destroy = count};

static void set(const urd_job_local *local, void *value)
{
    CHECK_EQ(urd_job_local_set(local, value), 0);
    CHECK_PTR(urd_job_local_get(local), value);
}

static int set_and_wait(void *arg)
{
    CHECK_PTR(urd_job_local_get(&counted), NULL);
    set(&counted, arg);
    set(&plain, &destroyed);
    CHECK_EQ(urd_yield(), 0);
    CHECK_PTR(urd_job_local_get(&counted), arg);
    CHECK_PTR(urd_job_local_get(&plain), &destroyed);
    return 0;
}

static int start_many(void *arg)
{
    (void)arg;
    enum { JOBS = 8 };
    static char own[JOBS], mine;
    urd__store_rel(&destroyed, 0);
    set(&counted, &mine);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < JOBS; i++)
        urd_spawn(&s, i % 4 ? URD_TASK : URD_THREAD, set_and_wait, &own[i], 0);
    CHECK_EQ(urd_scope_join(&s), 0); /* on whose stack some of them run */
    CHECK_EQ(urd__load_acq(&destroyed), JOBS);
    CHECK_PTR(urd_job_local_get(&counted), &mine);
    CHECK_EQ(urd_job_local_set(&counted, NULL), 0);
    return 0;
}

TEST(each_job_has_its_own)
{
    run_seeds(20, start_many);
}

static int set_three(void *arg)
{
    set(&first, a);
    set(&second, b);
    set(&third, c);
    set(&first, c);
    set(&first, a); /* its place among them stays */
    return *(const int *)arg;
}

static int one_job(void *arg)
{
    int rc = arg ? *(const int *)arg : 0;
    memset(notes, 0, sizeof notes);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, set_three, &rc);
    CHECK_EQ(urd_scope_join(&s), rc);
    CHECK_STR(notes, "cba");
    return 0;
}

TEST(the_newest_is_destroyed_first)
{
    test_run(one_job);
}

static int one_failing_job(void *arg)
{
    (void)arg;
    static int rc = -EIO;
    return one_job(&rc);
}

TEST(a_job_that_fails_destroys_them)
{
    test_run(one_failing_job);
}

static int set_and_be_cancelled(void *arg)
{
    (void)arg;
    set(&first, a);
    return urd_sleep(URD_FOREVER);
}

static int cancel_kinds(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        memset(notes, 0, sizeof notes);
        urd_scope s;
        urd_scope_open(&s);
        urd_spawn(&s, i ? URD_THREAD : URD_TASK, set_and_be_cancelled, NULL, 0);
        let_others_run();
        urd_scope_cancel(&s, 0);
        CHECK_EQ(urd_scope_join(&s), -ECANCELED);
        CHECK_STR(notes, "a");
    }
    return 0;
}

TEST(a_job_that_is_cancelled_destroys_them)
{
    test_run(cancel_kinds);
}

static int forget_it(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_job_local_set(&first, NULL), 0); /* it has none */
    set(&first, a);
    set(&second, b);
    CHECK_EQ(urd_job_local_set(&first, NULL), 0);
    CHECK_PTR(urd_job_local_get(&first), NULL);
    CHECK_PTR(urd_job_local_get(&second), b);
    set(&second, c);
    return 0;
}

static int start_forgetful(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, forget_it, NULL);
    return urd_scope_join(&s);
}

TEST(what_was_taken_away_or_replaced_is_not_destroyed)
{
    test_run(start_forgetful);
    CHECK_STR(notes, "c");
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

static int rounds_left;

static void look_again(void *value)
{
    note(value);
    if (--rounds_left > 0)
        set(&second, c);
}

static urd_job_local looking = {.destroy = look_again};

static int set_looking(void *arg)
{
    (void)arg;
    set(&second, b);
    set(&looking, a);
    return 0;
}

static int start_looking(void *arg)
{
    (void)arg;
    rounds_left = 2;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, set_looking, NULL);
    return urd_scope_join(&s);
}

TEST(a_destructor_reads_and_sets_what_is_not_destroyed_yet)
{
    test_run(start_looking);
    CHECK_STR(notes, "ac"); /* in place of b, which was to be destroyed yet */
}

static void repeat(void *value);
static urd_job_local repeating = {.destroy = repeat};

static void repeat(void *value)
{
    note(value);
    if (--rounds_left > 0)
        set(&repeating, value);
}

static int set_often(void *arg)
{
    (void)arg;
    set(&repeating, b);
    return 0;
}

static int start_often(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, set_often, NULL);
    return urd_scope_join(&s);
}

TEST(what_a_destructor_sets_is_destroyed_in_the_next_round)
{
    rounds_left = URD_JOB_LOCAL_ROUNDS;
    test_run(start_often);
    CHECK_STR(notes, "bbbb");
}

static void one_too_many(void)
{
    rounds_left = URD_JOB_LOCAL_ROUNDS + 1;
    test_run(start_often);
}

TEST(destructors_that_never_come_to_an_end_abort)
{
    CHECK_ABORTS(one_too_many, "destructors of a urd_job_local have set values 4 times over");
}

/* ---- Jobs within, helpers, the first job ----------------------------------------------------- */

static int inner(void *arg)
{
    (void)arg;
    CHECK_PTR(urd_job_local_get(&first), NULL);
    set(&first, c);
    return 0;
}

static void join_within(void *value)
{
    note(value);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_shield(&s);
    urd_go(&s, inner, NULL);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_sleep(1), -ECANCELED);
}

static urd_job_local joining = {.destroy = join_within};

static int set_joining(void *arg)
{
    (void)arg;
    set(&first, a);
    set(&joining, b);
    return urd_sleep(URD_FOREVER);
}

static int destructor_waits(void *arg)
{
    (void)arg;
    memset(notes, 0, sizeof notes);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, set_joining, NULL);
    let_others_run();
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    CHECK_STR(notes, "bca");
    return 0;
}

TEST(a_destructor_may_run_jobs_and_wait_under_a_shield)
{
    run_seeds(20, destructor_waits);
}

static int blocked(void *arg)
{
    CHECK_PTR(urd_job_local_get(&first), arg);
    set(&second, b);
    return 0;
}

static int block_once(void *arg)
{
    (void)arg;
    set(&first, a);
    CHECK_EQ(urd_block(blocked, a), 0);
    CHECK_PTR(urd_job_local_get(&second), b);
    CHECK_STR(notes, "");
    return 0;
}

TEST(what_urd_block_calls_is_part_of_the_job)
{
    test_run(block_once);
    CHECK_STR(notes, "ba"); /* and the first job is one, too */
}

/* A process has the destructor's work done before its argument is copied back. */
typedef struct result {
    int destroyed;
} result;

static void mark(void *value)
{
    ((result *)value)->destroyed = 1;
}

static urd_job_local marked = {.destroy = mark};

static int set_marked(void *arg)
{
    CHECK_PTR(urd_job_local_get(&marked), NULL);
    set(&marked, arg);
    return -EIO;
}

static int start_kinds(void *arg)
{
    (void)arg;
    static char other[sizeof(result)];
    set(&plain, other); /* which no other job sees */
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++) {
        result r = {0};
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, kind, set_marked, &r, sizeof r), 0);
        CHECK_EQ(urd_scope_join(&s), -EIO);
        CHECK_EQ(r.destroyed, 1);
    }
    return 0;
}

TEST(destructors_run_before_the_end_is_known_under_every_kind)
{
    test_run_with(NULL, start_kinds, NULL);
}

static void *set_in_thread(void *arg)
{
    CHECK_PTR(urd_job_local_get(&counted), NULL);
    set(&counted, arg);
    set(&first, a);
    CHECK_EQ(urd__load_acq(&destroyed), 0);
    return NULL;
}

TEST(a_thread_that_is_no_job_destroys_them_as_it_ends)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, set_in_thread, &destroyed), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(destroyed, 1);
    CHECK_STR(notes, "a");
    set(&plain, a); /* in the main thread, which keeps it */
    CHECK_EQ(urd_job_local_set(&plain, NULL), 0);
}
