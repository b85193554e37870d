/*
 * tree.c - jobs stand in the scopes that wait for them, scopes in the jobs that opened them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/tree.h"

#include "watched.h"

/* The tree in short: a letter and the depth for each node. */
static void outline(const urd__report *report, char *text, size_t size)
{
    urd__tree tree;
    CHECK_EQ(urd__tree_build(&tree, report->view), 0);
    int depth = 0;
    text[0] = '\0';
    for (int node = tree.root; node >= 0; node = urd__tree_next(&tree, node, &depth)) {
        const urd__view_job *job = urd__tree_job(&tree, node);
        char kind = job ? "tpP"[job->kind] : 's';
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%d%c", depth, kind);
        if (tree.nodes[node].more)
            snprintf(text + used + 2, size - used - 2, "+%d", tree.nodes[node].more);
        used = strlen(text);
        snprintf(text + used, size - used, " ");
        if (job && job->task >= 0)
            CHECK(urd__tree_task(&tree, node) == &report->view->tasks[job->task]);
    }
    CHECK_EQ(depth, -1);
    urd__tree_free(&tree);
}

static void see_outline(const urd__report *report, void *arg, urd__out *out)
{
    (void)out;
    char text[256];
    outline(report, text, sizeof text);
    CHECK_STR(text, arg);
}

static int two_receivers(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 3; i++)
        urd_go(&s, receives, NULL);
    return urd_scope_join(&s);
}

static int nested(void *arg)
{
    (void)arg;
    static char expected[] = "0s 1t 2s 3t 4s 5t+2 ";
    urd__out out = {0};
    open_locks_and_channel();
    urd_scope s;
    urd_scope_open(&s);
    urd_job j;
    CHECK_EQ(urd_job_open(&j, &s, URD_TASK, two_receivers, NULL, 0, NULL), 0);
    CHECK_EQ(urd_sleep(1), 0);
    CHECK_EQ(urd__dump_apart(see_outline, expected, &out), 0);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(a_scope_stands_in_its_job_and_like_jobs_are_folded)
{
    test_run(nested);
}

/* The join runs the inner job on its own stack, and that opens a scope in turn. */
static int innermost(void *arg)
{
    urd__out out = {0};
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd__dump_apart(see_outline, arg, &out), 0);
    return urd_scope_join(&s);
}

static int outer_of_two(void *arg)
{
    urd_scope s, again;
    urd_scope_open(&s);
    urd_scope_open(&again);
    urd_go(&again, innermost, arg);
    CHECK_EQ(urd_scope_join(&again), 0);
    return urd_scope_join(&s);
}

TEST(a_job_inside_a_join_stands_below_the_scope_that_is_joined)
{
    static char expected[] = "0s 1t 2s 3s 4t 5s ";
    urd_config config = {.workers = 1, .virtual_clock = true, .processes = URD_PROCESSES_NONE};
    test_run_with(&config, outer_of_two, expected);
}

TEST(a_tree_of_torn_memory_has_an_end)
{
    urd__view view = {0};
    urd__view_scope scopes[] = {{.at = 16}, {.at = 32, .parent = 48}, {.at = 48, .parent = 32}};
    view.scopes = scopes;
    view.nscopes = 3;
    urd__tree tree;
    CHECK_EQ(urd__tree_build(&tree, &view), 0); /* no map: no root */
    CHECK_EQ(tree.root, -1);
    urd__tree_free(&tree);
}
