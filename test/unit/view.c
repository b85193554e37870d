/*
 * view.c - what is read from memory is what is there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/view.h"

#include "core/wait.h"
#include "watched.h"

static int count(const urd__view *view, urd__view_state state, int reason)
{
    int n = 0;
    for (size_t i = 0; i < view->ntasks; i++)
        n += view->tasks[i].state == state &&
             (state != URD__WAITS || view->tasks[i].reason == reason);
    return n;
}

static void see_states(const urd__report *report, void *arg, urd__out *out)
{
    (void)arg, (void)out;
    const urd__view *view = report->view;
    CHECK_EQ(view->ntasks, 5);
    CHECK_EQ(view->njobs, 5);
    CHECK_EQ(count(view, URD__RUNS, 0), 1);
    CHECK_EQ(count(view, URD__WAITS, URD__ON_MUTEX), 2);
    CHECK_EQ(count(view, URD__WAITS, URD__ON_CHAN_RECV), 2);
    for (size_t i = 0; i < view->ntasks; i++) {
        const urd__view_task *task = &view->tasks[i];
        CHECK(urd__view_task_at(view, task->at) == task);
        CHECK(urd__view_job_at(view, task->job));
        CHECK_EQ(task->worker, task->is_thread ? -1 : 0);
        CHECK_GT(task->thread, 0);
        if (task->state == URD__WAITS)
            CHECK(task->since > 0 && task->since <= report->now);
    }
    CHECK(!view->cut);
}

TEST(every_task_and_thread_is_found_with_what_it_waits_for)
{
    look(see_states);
}

static void see_scopes(const urd__report *report, void *arg, urd__out *out)
{
    (void)arg, (void)out;
    const urd__view *view = report->view;
    CHECK(urd__view_scope_at(view, view->root));
    CHECK_EQ(urd__view_scope_at(view, view->root)->parent, 0);
    int handles = 0;
    for (size_t i = 0; i < view->njobs; i++) {
        const urd__view_job *job = &view->jobs[i];
        CHECK(urd__view_scope_at(view, job->scope));
        char name[32], where[128];
        urd__view_job_given(view, job, name, sizeof name);
        urd__view_string(view, job->where, where, sizeof where);
        if (job->handle) {
            handles++;
            CHECK_STR(name, "listener");
            CHECK_EQ(urd__view_scope_at(view, job->run_scope)->parent, job->scope);
        }
        if (job->where)
            CHECK_CONTAINS(where, "watched.h:");
    }
    CHECK_EQ(handles, 1);
}

TEST(jobs_stand_in_scopes_and_have_names_and_places)
{
    look(see_scopes);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void see_unstarted(const urd__report *report, void *arg, urd__out *out)
{
    (void)out;
    int n = 0;
    for (size_t i = 0; i < report->view->njobs; i++)
        n += report->view->jobs[i].task < 0;
    *(int *)arg = n;
}

static int leave_some(void *arg)
{
    (void)arg;
    enum { SOME = 700 }; /* more than the deque has room for at first */
    urd__out out = {0};
    int seen = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < SOME; i++)
        CHECK_EQ(urd_go(&s, nothing, NULL), 0);
    CHECK_EQ(urd__dump_apart(see_unstarted, &seen, &out), 0);
    CHECK_EQ(seen, SOME);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd__dump_apart(see_unstarted, &seen, &out), 0);
    CHECK_EQ(seen, 0);
    return 0;
}

TEST(jobs_that_have_not_begun_are_found)
{
    test_run(leave_some);
}

static int many_tasks(void *arg)
{
    (void)arg;
    enum { MANY = 300 };
    urd__out out = {0};
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(urd_go(&s, wait_for_ever, NULL), 0);
    CHECK_EQ(urd_sleep(1), 0);
    int seen = -1;
    CHECK_EQ(urd__dump_apart(see_unstarted, &seen, &out), 0);
    CHECK_EQ(seen, 0);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

static size_t tasks_seen;

static void count_tasks(const urd__report *report, void *arg, urd__out *out)
{
    (void)arg, (void)out;
    tasks_seen = report->view->ntasks;
}

static int after_many(void *arg)
{
    urd__out out = {0};
    CHECK_EQ(many_tasks(arg), 0);
    CHECK_EQ(urd__dump_apart(count_tasks, NULL, &out), 0);
    CHECK_EQ(tasks_seen, 1); /* those that have ended are not there */
    return 0;
}

TEST(tasks_that_have_ended_are_not_found)
{
    test_run(after_many);
}

TEST(without_a_runtime_there_is_no_view)
{
    urd__view view;
    CHECK_EQ(urd__view_open(&view, 0, (uintptr_t)&urd__layout_own), -ENOENT);
    urd__view_close(&view);
}

TEST(what_is_no_layout_is_refused)
{
    urd__view view;
    static char zeros[sizeof(urd__layout)];
    CHECK_EQ(urd__view_open(&view, 0, (uintptr_t)zeros), -ENOTSUP);
    CHECK_EQ(urd__view_open(&view, 0, 8), -EFAULT);
    static urd__layout other;
    other = urd__layout_own;
    other.field[5].name[0] = '?';
    CHECK_EQ(urd__view_open(&view, 0, (uintptr_t)&other), -ENOTSUP);
}

TEST(memory_that_is_not_there_reads_as_nothing)
{
    urd__view view = {0};
    char text[16] = "x";
    urd__view_string(&view, 8, text, sizeof text);
    CHECK_STR(text, "");
    urd__view_string(&view, 0, text, sizeof text);
    CHECK_STR(text, "");
    CHECK_EQ(urd__view_field(&view, 8, URD__AT_JOB_FN), 0);
    urd__view_string(&view, (uintptr_t) "longer than there is room for", text, sizeof text);
    CHECK_STR(text, "longer than the");
}
