/*
 * invoke.c - calls side by side: each is made once, errors come back, and they may wait.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>

#include "base/atomic.h"
#include "core/worker.h"
#include "runs.h"

typedef struct work {
    int rc, runs;
    urd__task *ran_on;
} work;

static int run(void *arg)
{
    work *w = arg;
    urd__add_ar(&w->runs, 1);
    w->ran_on = urd__task_self();
    return w->rc;
}

static int two_calls(void *arg)
{
    (void)arg;
    work first = {0}, second = {0};
    CHECK_EQ(urd_both(run, &first, run, &second), 0);
    CHECK_EQ(first.runs, 1);
    CHECK_EQ(second.runs, 1);
    return 0;
}

TEST(both_are_made_once)
{
    run_seeds(20, two_calls);
    run_real(2, two_calls);
    CHECK_EQ(two_calls(NULL), 0); /* without a runtime */
}

static int two_failures(void *arg)
{
    (void)arg;
    work good = {0}, first = {.rc = -EIO}, second = {.rc = -EPERM};
    CHECK_EQ(urd_both(run, &first, run, &second), -EIO);
    CHECK_EQ(urd_both(run, &good, run, &second), -EPERM);
    CHECK_EQ(urd_both(run, &first, run, &good), -EIO);
    CHECK_EQ(first.runs, 2);
    CHECK_EQ(second.runs, 2);
    CHECK_EQ(good.runs, 2);
    return 0;
}

TEST(the_error_of_the_first_counts_more_and_both_run)
{
    run_seeds(20, two_failures);
    CHECK_EQ(two_failures(NULL), 0);
}

static int ping(void *arg)
{
    urd_event *events = arg;
    urd_event_set(&events[0]);
    return urd_event_wait(&events[1]);
}

static int pong(void *arg)
{
    urd_event *events = arg;
    int rc = urd_event_wait(&events[0]);
    urd_event_set(&events[1]);
    return rc;
}

static int wait_for_one_another(void *arg)
{
    (void)arg;
    urd_event events[2] = {{0}, {0}};
    CHECK_EQ(urd_both(ping, events, pong, events), 0);
    urd_event more[2] = {{0}, {0}};
    urd_call calls[] = {{ping, more}, {pong, more}};
    CHECK_EQ(urd_invoke(calls, 2), 0);
    return 0;
}

TEST(calls_may_wait_for_one_another)
{
    run_seeds(50, wait_for_one_another);
    run_real(2, wait_for_one_another);
}

static int in_a_cancelled_scope(void *arg)
{
    (void)arg;
    urd_scope s;
    work w = {0}, never = {0};
    urd_call calls[] = {{run, &never}, {run, &never}};
    urd_scope_open(&s);
    urd_scope_cancel(&s, -EPERM);
    CHECK_EQ(urd_both(run, &w, wait_for_ever, NULL), -ECANCELED);
    CHECK_EQ(w.runs, 1);
    CHECK_EQ(urd_invoke(calls, 2), -ECANCELED);
    CHECK_EQ(never.runs, 0);
    CHECK_EQ(urd_scope_join(&s), -EPERM);
    return 0;
}

TEST(in_a_cancelled_scope_both_run_and_invoke_makes_no_call)
{
    run_seeds(20, in_a_cancelled_scope);
    CHECK_EQ(in_a_cancelled_scope(NULL), 0);
}

enum { MANY = 100 };

static int many_calls(void *arg)
{
    (void)arg;
    work w[MANY] = {{0}};
    urd_call calls[MANY] = {{NULL, NULL}};
    for (int n = 0; n <= MANY; n += n < 9 ? 1 : 13) {
        for (int i = 0; i < n; i++)
            calls[i] = (urd_call){run, &w[i]};
        CHECK_EQ(urd_invoke(calls, (size_t)n), 0);
        for (int i = 0; i < n; i++) {
            CHECK_EQ(w[i].runs, 1);
            w[i] = (work){0};
        }
    }
    return 0;
}

TEST(of_any_number_of_calls_each_is_made_once)
{
    run_seeds(20, many_calls);
    run_real(3, many_calls);
    CHECK_EQ(many_calls(NULL), 0);
}

/* The others wait for ever: only the cancel of the failure ends them. */
static int one_fails(void *arg)
{
    (void)arg;
    work bad = {.rc = -EIO};
    urd_call calls[] = {
        {wait_for_ever, NULL}, {wait_for_ever, NULL}, {run, &bad}, {wait_for_ever, NULL}};
    CHECK_EQ(urd_invoke(calls, 4), -EIO);
    CHECK_EQ(urd_cancelled(), false);
    return 0;
}

TEST(an_error_cancels_the_other_calls_of_invoke_and_nothing_around)
{
    run_seeds(50, one_fails);
}

static int fail_first(void *arg)
{
    (void)arg;
    work bad = {.rc = -EIO}, never = {0};
    urd_call calls[] = {{run, &bad}, {run, &never}, {run, &never}};
    CHECK_EQ(urd_invoke(calls, 3), -EIO);
    CHECK_EQ(never.runs, 0);
    return 0;
}

TEST(what_has_not_begun_when_one_fails_is_left_out)
{
    test_run(fail_first);
    CHECK_EQ(fail_first(NULL), 0);
}

/*
 * A wait inside runs only its own subtree: while the holder of the lock waits in a join, the jobs
 * that its worker begins, which all want the lock, must not lie on its stack.
 */
static urd_mutex lock;
static int holders;

static int want_lock(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_mutex_lock(&lock), 0);
    CHECK_EQ(++holders, 1);
    holders--;
    urd_mutex_unlock(&lock);
    return 0;
}

static int doze(void *arg)
{
    (void)arg;
    return urd_sleep(URD_MS);
}

static int fork_under_lock(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_mutex_lock(&lock), 0);
    CHECK_EQ(++holders, 1);
    CHECK_EQ(urd_both(doze, NULL, doze, NULL), 0);
    holders--;
    urd_mutex_unlock(&lock);
    return 0;
}

static int join_under_lock(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 20; i++)
        urd_go(&s, i % 2 ? fork_under_lock : want_lock, NULL);
    return urd_scope_join(&s);
}

TEST(a_wait_runs_nothing_but_its_own_subtree_on_its_stack)
{
    run_seeds(50, join_under_lock);
    run_real(3, join_under_lock);
}

typedef struct tree {
    int depth;
    long leaves;
} tree;

static int grow(void *arg)
{
    tree *t = arg;
    if (t->depth == 0) {
        t->leaves = 1;
        return 0;
    }
    tree left = {.depth = t->depth - 1}, right = left;
    int rc = urd_both(grow, &left, grow, &right);
    t->leaves = left.leaves + right.leaves;
    return rc;
}

static int grow_a_tree(void *arg)
{
    (void)arg;
    tree t = {.depth = test_under_slow_tool() ? 8 : 14};
    CHECK_EQ(grow(&t), 0);
    CHECK_EQ(t.leaves, 1L << t.depth);
    return 0;
}

TEST(a_tree_of_calls_is_whole_on_any_number_of_workers)
{
    run_seeds(10, grow_a_tree);
    for (int workers = 1; workers <= 4; workers++)
        run_real(workers, grow_a_tree);
    CHECK_EQ(grow_a_tree(NULL), 0);
}

static int on_a_worker(void *arg)
{
    *(bool *)arg = urd__worker_self != NULL;
    return 0;
}

static void *from_a_thread(void *arg)
{
    (void)arg;
    bool first = false, second = false, third = false;
    CHECK_EQ(urd_both(on_a_worker, &first, on_a_worker, &second), 0);
    CHECK(first && second);
    urd_call calls[] = {{on_a_worker, &third}};
    CHECK_EQ(urd_invoke(calls, 1), 0);
    CHECK(third);
    return NULL;
}

static void *then_tell(void *event)
{
    CHECK_PTR(from_a_thread(NULL), NULL);
    urd_event_set(event);
    return NULL;
}

static int thread_job(void *arg)
{
    return from_a_thread(arg) != NULL;
}

static int call_from_threads(void *arg)
{
    (void)arg;
    urd_scope s;
    pthread_t thread;
    urd_event told = {0};
    urd_scope_open(&s);
    urd_spawn(&s, URD_THREAD, thread_job, NULL, 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(pthread_create(&thread, NULL, then_tell, &told), 0);
    CHECK_EQ(urd_event_wait(&told), 0); /* not in pthread_join: that keeps the worker */
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

TEST(from_a_thread_the_calls_are_made_by_workers)
{
    run_real(1, call_from_threads);
    run_real(2, call_from_threads);
}

static int give_one(void *arg)
{
    (void)arg;
    return 1;
}

static int open_only(void *arg)
{
    urd_scope_open((urd_scope *)arg);
    return 0;
}

static int return_one_first(void *arg)
{
    (void)arg;
    return urd_both(give_one, NULL, wait_for_ever, NULL);
}

static int leave_open(void *arg)
{
    (void)arg;
    urd_scope s;
    return urd_both(open_only, &s, wait_for_ever, NULL);
}

static int leave_open_in_invoke(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_call calls[] = {{open_only, &s}};
    return urd_invoke(calls, 1);
}

static void aborts_on_one(void)
{
    test_run(return_one_first);
}

static void aborts_on_one_alone(void)
{
    (void)return_one_first(NULL);
}

static void aborts_on_open_scope(void)
{
    test_run(leave_open);
}

static void aborts_on_open_scope_in_invoke(void)
{
    test_run(leave_open_in_invoke);
}

TEST(a_positive_result_and_an_open_scope_abort)
{
    CHECK_ABORTS(aborts_on_one, "invoke.c:");
    CHECK_ABORTS(aborts_on_one_alone, "returned 1");
    CHECK_ABORTS(aborts_on_open_scope, "not joined");
    CHECK_ABORTS(aborts_on_open_scope_in_invoke, "not joined");
}
