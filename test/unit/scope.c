/*
 * scope.c - first causes, all errors, limits, waits, and what aborts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/scope.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "runs.h"

static int io_error = -EIO, none_such = -ENOENT, not_allowed = -EPERM, zero = 0;

/* ---- Results --------------------------------------------------------------------------------- */

static int add_one(void *arg)
{
    urd__add_ar((int *)arg, 1);
    return 0;
}

static int joins_many(void *arg)
{
    (void)arg;
    int count = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 200; i++)
        CHECK_EQ(urd_go(&s, add_one, &count), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(count, 200);
    return 0;
}

TEST(join_waits_for_every_job_and_returns_0)
{
    run_seeds(40, joins_many);
}

static int result_of_wait = 1;

static int wait_and_tell(void *arg)
{
    (void)arg;
    result_of_wait = urd_sleep(URD_FOREVER);
    return result_of_wait;
}

static int an_error_cancels(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    result_of_wait = 1;
    urd_go(&s, wait_and_tell, NULL);
    urd_go(&s, give, &io_error);
    CHECK_EQ(urd_scope_wait(&s), -EIO);
    CHECK_EQ(result_of_wait, -ECANCELED);
    urd_error errors[4];
    CHECK_EQ(urd_scope_errors(&s, errors, 4), 1); /* the echo of the cancel is none */
    CHECK_EQ(errors[0].result, -EIO);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    CHECK(!urd_cancelled());
    return 0;
}

TEST(an_error_cancels_the_siblings_and_is_what_join_returns)
{
    run_seeds(40, an_error_cancels);
}

typedef struct late_error {
    urd_time after;
    int result;
} late_error;

static int fail_later(void *arg)
{
    const late_error *e = arg;
    CHECK_EQ(urd_sleep(e->after), 0);
    return e->result;
}

static int keeps_going(void *arg)
{
    (void)arg;
    static late_error late[] = {{3, -EPERM}, {1, -EIO}, {2, -ENOENT}, {4, 0}};
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(urd_go_at(&s, fail_later, &late[i], i == 1 ? "one.c:1" : "other.c:2"), 0);
    CHECK_EQ(urd_scope_wait(&s), -EIO);
    CHECK(!urd_cancelled());
    urd_error errors[3] = {0};
    CHECK_EQ(urd_scope_errors(&s, NULL, 0), 3);
    CHECK_EQ(urd_scope_errors(&s, errors, 2), 3);
    CHECK_EQ(errors[0].result, -EIO);
    CHECK_STR(errors[0].where, "one.c:1");
    CHECK_EQ(errors[1].result, -ENOENT);
    CHECK_STR(errors[1].where, "other.c:2");
    CHECK_EQ(errors[2].result, 0); /* not asked for */
    CHECK_EQ(urd_scope_errors(&s, errors, 3), 3);
    CHECK_EQ(errors[2].result, -EPERM);
    CHECK_EQ(errors[2].kind, URD_TASK);
    CHECK(!errors[2].detail);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    return 0;
}

TEST(with_keep_going_all_errors_are_kept_in_the_order_in_which_they_came)
{
    run_seeds(40, keeps_going);
}

static int names_and_places(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_job named, thread;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    urd_job_options o = {.name = "the-first"};
    const int line = __LINE__ + 1;
    CHECK_EQ(urd_job_open(&named, &s, URD_TASK, give, &io_error, 0, &o), 0);
    CHECK_EQ(urd_job_join(&named), -EIO);
    o.name = "the-second";
    CHECK_EQ(urd_job_open(&thread, &s, URD_THREAD, give, &none_such, 0, &o), 0);
    CHECK_EQ(urd_job_join(&thread), -ENOENT);
    CHECK_EQ(urd_scope_wait(&s), -EIO);
    urd_error errors[2];
    CHECK_EQ(urd_scope_errors(&s, errors, 2), 2);
    CHECK_STR(errors[0].name, "the-first");
    CHECK_EQ(errors[0].kind, URD_TASK);
    char where[256];
    snprintf(where, sizeof where, "%s:%d", __FILE__, line);
    CHECK_STR(errors[0].where, where);
    CHECK_STR(errors[1].name, "the-second");
    CHECK_EQ(errors[1].kind, URD_THREAD);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    return 0;
}

TEST(errors_say_the_name_the_kind_and_the_place)
{
    run_seeds(5, names_and_places);
}

static int first_cause_wins(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_cancel(&s, -EXDEV);
    urd_scope_cancel(&s, -EPIPE);
    urd_go(&s, give, &io_error);
    CHECK_EQ(urd_scope_wait(&s), -EXDEV);
    CHECK_EQ(urd_scope_errors(&s, NULL, 0), 1); /* yet the job's own error is not lost */
    CHECK_EQ(urd_scope_join(&s), -EXDEV);

    urd_scope_open(&s);
    urd_go(&s, give, &io_error);
    CHECK_EQ(urd_scope_wait(&s), -EIO);
    urd_scope_cancel(&s, -EPIPE);
    CHECK_EQ(urd_scope_join(&s), -EIO);

    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(the_first_cause_wins)
{
    run_seeds(5, first_cause_wins);
}

static int two_at_once(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, give, &io_error);
    urd_go(&s, give, &none_such);
    urd_go(&s, give, &not_allowed);
    int rc = urd_scope_wait(&s);
    urd_error errors[3];
    CHECK_EQ(urd_scope_errors(&s, errors, 3), 3);
    CHECK(rc == -EIO || rc == -ENOENT || rc == -EPERM);
    int sum = errors[0].result + errors[1].result + errors[2].result;
    CHECK_EQ(sum, -EIO - ENOENT - EPERM);
    CHECK_EQ(urd_scope_join(&s), rc);
    return 0;
}

TEST(errors_that_come_at_once_are_all_kept)
{
    run_seeds(40, two_at_once);
}

static int own_ecanceled(void *arg)
{
    (void)arg;
    static int cancelled = -ECANCELED;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, give, &cancelled);
    CHECK_EQ(urd_scope_wait(&s), -ECANCELED);
    CHECK_EQ(urd_scope_errors(&s, NULL, 0), 1);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(ecanceled_without_a_cancel_is_an_error_as_any_other)
{
    run_seeds(5, own_ecanceled);
}

static int nested_error(void *arg)
{
    urd_scope inner;
    urd_scope_open(&inner);
    urd_go(&inner, give, arg);
    return urd_scope_join(&inner);
}

static int errors_travel(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, nested_error, &none_such);
    urd_go(&s, wait_for_ever, NULL);
    CHECK_EQ(urd_scope_join(&s), -ENOENT);
    return 0;
}

TEST(an_error_travels_up_through_nested_scopes)
{
    run_seeds(20, errors_travel);
}

static int wait_leaves_it_open(void *arg)
{
    (void)arg;
    int count = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int round = 1; round <= 3; round++) {
        urd_go(&s, add_one, &count);
        CHECK_EQ(urd_scope_wait(&s), 0);
        CHECK_EQ(count, round);
    }
    CHECK_EQ(urd_scope_wait(&s), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(wait_leaves_the_scope_open_for_more_jobs)
{
    run_seeds(20, wait_leaves_it_open);
}

static int grandchild_starter(void *arg)
{
    urd_scope *s = ((void **)arg)[0];
    int *count = ((void **)arg)[1];
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(urd_go(s, add_one, count), 0);
        if (i == 2)
            CHECK_EQ(urd_yield(), 0);
    }
    return 0;
}

static int jobs_start_siblings(void *arg)
{
    (void)arg;
    int count = 0;
    urd_scope s;
    void *both[] = {&s, &count};
    urd_scope_open(&s);
    for (int i = 0; i < 10; i++)
        urd_go(&s, grandchild_starter, both);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(count, 50);
    return 0;
}

TEST(jobs_may_start_siblings_and_join_waits_for_these_too)
{
    run_seeds(40, jobs_start_siblings);
}

static int cancelled_before(void *arg)
{
    (void)arg;
    int count = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(urd_go(&s, add_one, &count), 0);
    urd_scope_cancel(&s, -EPIPE);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(urd_go(&s, add_one, &count), 0);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, add_one, &count, 0), 0);
    CHECK_EQ(urd_scope_join(&s), -EPIPE);
    CHECK_EQ(count, 41);
    return 0;
}

TEST(a_started_job_always_runs_also_in_a_cancelled_scope)
{
    run_seeds(20, cancelled_before);
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static struct {
    int now, most, done;
} limited;

static int take_a_place(void *arg)
{
    (void)arg;
    int now = urd__add_ar(&limited.now, 1) + 1;
    int most = urd__load_acq(&limited.most);
    while (now > most && !urd__cas_ar(&limited.most, &most, now))
        continue;
    CHECK_EQ(urd_sleep(10), 0);
    urd__sub_ar(&limited.now, 1);
    urd__add_ar(&limited.done, 1);
    return 0;
}

static int never_more_than(void *arg)
{
    (void)arg;
    memset(&limited, 0, sizeof limited);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_limit(&s, 3);
    urd_time start = urd_now();
    for (int i = 0; i < 12; i++)
        CHECK_EQ(urd_spawn(&s, i % 4 ? URD_TASK : URD_THREAD, take_a_place, NULL, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(limited.most, 3);
    CHECK_EQ(limited.done, 12);
    CHECK_EQ(urd_now() - start, 4 * 10);
    return 0;
}

TEST(never_more_than_the_limit_run_at_once)
{
    run_seeds(30, never_more_than);
}

static int started_at[3];

static int tell_and_wait(void *arg)
{
    int *out = arg;
    *out = 1;
    return urd_sleep(10);
}

static int starting_waits(void *arg)
{
    (void)arg;
    memset(started_at, 0, sizeof started_at);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_limit(&s, 1);
    urd_time start = urd_now();
    CHECK_EQ(urd_go(&s, tell_and_wait, &started_at[0]), 0);
    CHECK_EQ(urd_now(), start);
    CHECK_EQ(urd_go(&s, tell_and_wait, &started_at[1]), 0);
    CHECK_EQ(started_at[0], 1);
    CHECK_EQ(urd_now(), start + 10);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(started_at[1], 1);
    CHECK_EQ(urd_now(), start + 20);
    return 0;
}

TEST(starting_one_more_than_the_limit_waits_until_one_has_ended)
{
    run_seeds(20, starting_waits);
}

static int canceller(void *arg)
{
    CHECK_EQ(urd_sleep(5), 0);
    urd_scope_cancel(arg, -EPIPE);
    return 0;
}

static int cancelled_at_the_limit(void *arg)
{
    (void)arg;
    int count = 0;
    urd_scope outer, s;
    urd_scope_open(&outer);
    urd_go(&outer, canceller, &s);
    urd_scope_open(&s);
    urd_scope_limit(&s, 1);
    urd_go(&s, wait_for_ever, NULL);
    CHECK_EQ(urd_go(&s, add_one, &count), -ECANCELED);
    CHECK_EQ(urd_go(&s, add_one, &count), -ECANCELED); /* now and later, and it did nothing */
    CHECK_EQ(urd_go_copy(&s, add_one, &count, sizeof count), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -EPIPE);
    CHECK_EQ(count, 0);
    CHECK_EQ(urd_scope_join(&outer), 0);
    return 0;
}

TEST(who_waits_at_the_limit_is_cancelled_and_starts_nothing)
{
    run_seeds(20, cancelled_at_the_limit);
}

static int failing_jobs_give_their_place(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    urd_scope_limit(&s, 2);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(urd_go(&s, give, i % 2 ? &io_error : &zero), 0);
    CHECK_EQ(urd_scope_wait(&s), -EIO);
    CHECK_EQ(urd_scope_errors(&s, NULL, 0), 10);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    return 0;
}

TEST(jobs_that_fail_give_their_place_under_the_limit)
{
    run_seeds(20, failing_jobs_give_their_place);
}

static int limit_taken_away(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_limit(&s, 1);
    urd_scope_limit(&s, 0);
    urd_time start = urd_now();
    for (int i = 0; i < 5; i++)
        urd_go(&s, take_a_place, NULL);
    CHECK_EQ(urd_now(), start);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_now(), start + 10);
    return 0;
}

TEST(a_limit_of_0_is_none)
{
    run_seeds(5, limit_taken_away);
}

/* ---- The join runs jobs itself --------------------------------------------------------------- */

static struct {
    int order[8], n;
    uintptr_t frame;
    bool near;
} seen;

static int note_order(void *arg)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t distance = here > seen.frame ? here - seen.frame : seen.frame - here;
    seen.near = seen.near && distance < 16384;
    seen.order[seen.n++] = *(const int *)arg;
    return 0;
}

static int runs_them_here(void *arg)
{
    (void)arg;
    static const int numbers[] = {0, 1, 2, 3};
    memset(&seen, 0, sizeof seen);
    seen.frame = (uintptr_t)__builtin_frame_address(0);
    seen.near = true;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 4; i++)
        urd_go(&s, note_order, (void *)(uintptr_t)&numbers[i]);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(seen.n, 4);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(seen.order[i], 3 - i);
#if !defined(__SANITIZE_ADDRESS__)
    CHECK(seen.near);
#endif
    return 0;
}

TEST(join_runs_what_nobody_began_newest_first_on_its_own_stack)
{
    test_run(runs_them_here);
}

static int fib(void *arg)
{
    int *n = arg;
    if (*n < 2)
        return 0;
    int a = *n - 1, b = *n - 2;
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, fib, &a), 0);
    CHECK_EQ(urd_go(&s, fib, &b), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    *n = a + b;
    return 0;
}

static int fib_of_many(void *arg)
{
    (void)arg;
    int n = test_under_slow_tool() ? 12 : 20, result = n == 12 ? 144 : 6765;
    CHECK_EQ(fib(&n), 0);
    CHECK_EQ(n, result);
    return 0;
}

TEST(fib_by_fork_and_join)
{
    test_run(fib_of_many);
    run_seeds(10, fib_of_many);
    run_real(2, fib_of_many);
}

static int chain(void *arg)
{
    int left = *(const int *)arg - 1;
    if (left == 0)
        return 0;
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, chain, &left), 0);
    return urd_scope_join(&s);
}

static int deep_chain(void *arg)
{
    (void)arg;
    int depth = test_under_slow_tool() ? 1000 : 100000;
    return chain(&depth);
}

TEST(a_chain_of_100000_joins_overflows_no_stack)
{
    test_run(deep_chain);
    run_seeds(2, deep_chain);
}

/* So much that a worker's turn of jobs, run each inside the one before, would not fit. */
static int chain_of_large_frames(void *arg)
{
    unsigned char room[6000];
    int left = *(const int *)arg - 1;
    memset(room, left & 0xff, sizeof room);
    if (left > 0) {
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_go(&s, chain_of_large_frames, &left), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
    }
    CHECK_EQ(room[sizeof room / 2], left & 0xff);
    return 0;
}

static int deep_large_chain(void *arg)
{
    (void)arg;
    int depth = 1000;
    return chain_of_large_frames(&depth);
}

TEST(a_chain_of_joins_with_large_frames_overflows_no_stack)
{
    run_seeds(3, deep_large_chain);
    test_run(deep_large_chain);
}

static int chain_that_waits(void *arg)
{
    int left = *(const int *)arg - 1;
    CHECK_EQ(urd_yield(), 0);
    if (left == 0)
        return urd_sleep(1);
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, chain_that_waits, &left), 0);
    return urd_scope_join(&s);
}

static int deep_waiting_chain(void *arg)
{
    (void)arg;
    int depth = test_under_slow_tool() ? 300 : 2000;
    return chain_that_waits(&depth);
}

TEST(a_chain_of_joins_may_wait_at_every_depth)
{
    run_seeds(10, deep_waiting_chain);
}

static int mutual(void *arg)
{
    urd_chan *c = arg;
    int v = 7;
    return urd_chan_send(c, &v);
}

static int meets_its_own_child(void *arg)
{
    (void)arg;
    urd_chan c;
    urd_chan_init(&c, sizeof(int), NULL, 0);
    urd_scope outer, inner;
    urd_scope_open(&outer);
    urd_go(&outer, mutual, &c);
    urd_scope_open(&inner);
    CHECK_EQ(urd_scope_join(&inner), 0);
    int v = 0;
    CHECK_EQ(urd_chan_recv(&c, &v), 0);
    CHECK_EQ(v, 7);
    CHECK_EQ(urd_scope_join(&outer), 0);
    return 0;
}

TEST(an_inner_join_does_not_run_jobs_of_the_scope_around_it)
{
    test_run(meets_its_own_child); /* run inline, the send would wait for this task itself */
    run_seeds(20, meets_its_own_child);
}

/* ---- Misuse ---------------------------------------------------------------------------------- */

static int closes_the_outer(void *arg)
{
    (void)arg;
    urd_scope outer, inner;
    urd_scope_open_at(&outer, "outer.c:1");
    urd_scope_open_at(&inner, "inner.c:2");
    return urd_scope_join(&outer);
}

static void out_of_order(void)
{
    test_run(closes_the_outer);
}

TEST(scopes_closed_out_of_order_abort_naming_both)
{
    CHECK_ABORTS(out_of_order, "urd_scope_join on the scope opened at outer.c:1, but the innermost "
                               "scope here is the one opened at inner.c:2");
}

static int join_it(void *arg)
{
    return urd_scope_join(arg);
}

static int wait_for_it(void *arg)
{
    return urd_scope_wait(arg);
}

static int lets_a_task_join(void *arg)
{
    urd_scope s;
    urd_scope_open_at(&s, "mine.c:1");
    urd_go_at(&s, arg ? wait_for_it : join_it, &s, "child.c:2");
    return urd_scope_join(&s);
}

static void task_joins(void)
{
    test_run(lets_a_task_join);
}

static int lets_a_task_wait(void *arg)
{
    (void)arg;
    return lets_a_task_join(&zero);
}

static void task_waits(void)
{
    test_run(lets_a_task_wait);
}

static int lets_a_thread_join(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open_at(&s, "mine.c:1");
    CHECK_EQ(urd_spawn_at(&s, URD_THREAD, join_it, &s, 0, "child.c:2"), 0);
    return urd_scope_join(&s);
}

static void thread_joins(void)
{
    test_run(lets_a_thread_join);
}

static int lets_a_held_job_join(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_job j;
    urd_scope_open_at(&s, "mine.c:1");
    CHECK_EQ(urd_job_open_at(&j, &s, URD_TASK, join_it, &s, 0, NULL, "child.c:2"), 0);
    return urd_scope_join(&s);
}

static void held_job_joins(void)
{
    test_run(lets_a_held_job_join);
}

TEST(a_scope_joined_by_another_job_aborts_naming_scope_and_job)
{
    CHECK_ABORTS(task_joins, "urd_scope_join on the scope opened at mine.c:1");
    CHECK_ABORTS(task_joins, "started at child.c:2");
    CHECK_ABORTS(task_waits, "urd_scope_wait on the scope opened at mine.c:1");
    CHECK_ABORTS(thread_joins, "started at child.c:2");
    CHECK_ABORTS(held_job_joins, "started at child.c:2");
}

static int limits_late(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open_at(&s, "mine.c:1");
    urd_go(&s, wait_for_ever, NULL);
    urd_scope_limit(&s, 2);
    return 0;
}

static void late_limit(void)
{
    test_run(limits_late);
}

TEST(a_limit_after_the_first_job_aborts)
{
    CHECK_ABORTS(late_limit,
                 "urd_scope_limit after the first job, in the scope opened at mine.c:1");
}

/* ---- Threads of the program ------------------------------------------------------------------ */

static int thread_result;

static void *scope_in_a_thread(void *arg)
{
    (void)arg;
    int count = 0;
    urd_scope s, inner;
    urd_scope_open(&s);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(urd_spawn(&s, i % 5 ? URD_TASK : URD_THREAD, add_one, &count, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(count, 20);
    urd_scope_open(&s);
    urd_scope_open(&inner);
    urd_go(&inner, wait_for_ever, NULL);
    urd_go(&s, give, &io_error);
    CHECK_EQ(urd_scope_join(&inner), -ECANCELED);
    thread_result = urd_scope_join(&s);
    return NULL;
}

static int with_a_thread(void *arg)
{
    (void)arg;
    pthread_t thread;
    thread_result = 0;
    CHECK_EQ(pthread_create(&thread, NULL, scope_in_a_thread, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(thread_result, -EIO);
    return 0;
}

TEST(a_thread_of_the_program_may_open_scopes)
{
    run_real(2, with_a_thread);
    run_real(3, with_a_thread);
}
