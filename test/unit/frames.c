/*
 * frames.c - the stack of a task that waits is walked, and shown without the runtime's own part.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/frames.h"

#include "watched.h"

static int trim(const char *const *names, int n, int *first)
{
    return urd__frames_trim(names, n, first);
}

TEST(what_the_runtime_does_to_wait_is_left_out)
{
    static const char *const names[] = {"urd__task_park", "urd__wait_end", "lock_slow",
                                        "urd_mutex_lock", "work",          "urd__task_run_job",
                                        "task_main",      "entry"};
    int first;
    CHECK_EQ(trim(names, 8, &first), 2);
    CHECK_EQ(first, 3);
}

TEST(of_public_calls_the_outermost_is_shown)
{
    static const char *const names[] = {"urd_sleep_until", "urd_sleep", "work", NULL, "urd_run"};
    int first;
    CHECK_EQ(trim(names, 5, &first), 4);
    CHECK_EQ(first, 1);
}

TEST(a_stack_that_only_computes_is_shown_whole)
{
    static const char *const names[] = {"inner",     NULL,   "outer", "urd__task_run_job",
                                        "task_main", "entry"};
    int first;
    CHECK_EQ(trim(names, 6, &first), 3);
    CHECK_EQ(first, 0);
    CHECK_EQ(trim(names, 0, &first), 0);
    static const char *const in_first[] = {"inner", "outer", "urd__runtime_run", "urd_run"};
    CHECK_EQ(trim(in_first, 4, &first), 4);
    CHECK_EQ(first, 0);
}

TEST(a_job_run_inside_a_join_keeps_the_one_around_it)
{
    static const char *const names[] = {"urd_sleep",      "inner", "urd__task_run_job",
                                        "urd_scope_join", "outer", "urd__task_run_job",
                                        "task_main"};
    int first;
    CHECK_EQ(trim(names, 7, &first), 5);
    CHECK_EQ(first, 0);
}

static void walk_all(const urd__report *report, void *arg, urd__out *out)
{
    (void)arg, (void)out;
    for (size_t i = 0; i < report->view->ntasks; i++) {
        const urd__view_task *task = &report->view->tasks[i];
        uint64_t pcs[URD__FRAMES_MAX];
        if (task->is_thread || task->state == URD__RUNS)
            continue;
        int n = urd__frames_of(report->dwfl, report->view, task, NULL, pcs, URD__FRAMES_MAX);
        CHECK_GE(n, report->dwfl ? 4 : 1); /* the wait, the call, the job, what runs it */
        CHECK_GE(urd__frames_of(NULL, report->view, task, NULL, pcs, URD__FRAMES_MAX), 1);
        CHECK_EQ(urd__frames_of(NULL, report->view, task, NULL, pcs, 1), 1);
        CHECK(pcs[0] != 0);
    }
}

TEST(the_stack_of_a_task_that_waits_is_walked)
{
    look(walk_all);
}

TEST(a_context_that_is_not_there_has_no_frames)
{
    urd__view view = {0};
    urd__view_task task = {.context = 8};
    uint64_t pc;
    CHECK_EQ(urd__frames_of(NULL, &view, &task, NULL, &pc, 1), 0);
    task.context = 0;
    CHECK_EQ(urd__frames_of(NULL, &view, &task, NULL, &pc, 1), 0);
}
