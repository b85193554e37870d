/*
 * tree.c - put scopes into the jobs that opened them.
 *
 * SPDX-License-Identifier: MIT
 *
 * A scope knows the scope around it and its owner, a task; but a task that joins runs other jobs on
 * the same stack.  The one that opened the scope is the one that runs in the scope around it; if
 * none does, then the scope was opened inside that other scope by the same job, and stands in it.
 */
#include "watch/tree.h"

#include <errno.h>

#include "base/os.h"

const urd__view_scope *urd__tree_scope(const urd__tree *tree, int node)
{
    return node < (int)tree->view->nscopes ? &tree->view->scopes[node] : NULL;
}

const urd__view_job *urd__tree_job(const urd__tree *tree, int node)
{
    int first = (int)tree->view->nscopes;
    return node < first ? NULL : &tree->view->jobs[node - first];
}

const urd__view_task *urd__tree_task(const urd__tree *tree, int node)
{
    const urd__view_job *job = urd__tree_job(tree, node);
    return job && job->task >= 0 ? &tree->view->tasks[job->task] : NULL;
}

static int scope_node(const urd__tree *tree, uintptr_t at)
{
    const urd__view_scope *scope = urd__view_scope_at(tree->view, at);
    return scope ? (int)(scope - tree->view->scopes) : -1;
}

static int job_node(const urd__tree *tree, const urd__view_job *job)
{
    return (int)(tree->view->nscopes + (size_t)(job - tree->view->jobs));
}

/* The job that runs in `scope` on the stack of the task at `owner`. */
static int job_in(const urd__tree *tree, uintptr_t owner, uintptr_t scope)
{
    const urd__view *view = tree->view;
    const urd__view_task *task = urd__view_task_at(view, owner);
    const urd__view_job *job = task ? urd__view_job_at(view, task->job) : NULL;
    /* The jobs of one stack were added one after the other, the innermost first. */
    int index = task ? (int)(task - view->tasks) : -1;
    for (; job && job < view->jobs + view->njobs && job->task == index; job++)
        if (job->run_scope == scope)
            return job_node(tree, job);
    return -1;
}

static void hide_scopes_of_jobs(urd__tree *tree)
{
    for (size_t i = 0; i < tree->view->njobs; i++) {
        const urd__view_job *job = &tree->view->jobs[i];
        int scope = job->handle ? scope_node(tree, job->run_scope) : -1;
        if (scope < 0)
            continue;
        tree->nodes[scope].hidden = true;
        tree->nodes[scope].parent = job_node(tree, job);
    }
}

static void find_parent_of_scope(urd__tree *tree, int node)
{
    const urd__view_scope *scope = &tree->view->scopes[node];
    if (tree->nodes[node].hidden || node == tree->root)
        return;
    int parent = job_in(tree, scope->owner, scope->parent);
    if (parent < 0)
        parent = scope_node(tree, scope->parent);
    if (parent >= 0 && tree->nodes[parent].hidden)
        parent = tree->nodes[parent].parent;
    tree->nodes[node].parent = parent;
}

/* Torn memory may lead in a circle, or nowhere. */
static bool leads_to_root(const urd__tree *tree, int node)
{
    int steps = 0;
    while (node >= 0 && node != tree->root && steps++ <= tree->count)
        node = tree->nodes[node].parent;
    return node == tree->root;
}

static bool alike(const urd__tree *tree, int a, int b)
{
    const urd__view_job *x = urd__tree_job(tree, a), *y = urd__tree_job(tree, b);
    if (!x || !y || x->fn != y->fn || x->where != y->where || x->handle || y->handle ||
        x->kind != y->kind || x->pid || y->pid || tree->nodes[a].child >= 0 ||
        tree->nodes[b].child >= 0 || x->inner || y->inner)
        return false;
    const urd__view_task *v = urd__tree_task(tree, a), *w = urd__tree_task(tree, b);
    if (!v || !w)
        return !v && !w;
    return v->state == w->state && v->state != URD__RUNS && v->reason == w->reason &&
           v->on == w->on;
}

/* The children are in no order; those that are alike follow one another nearly always. */
static void fold_alike(urd__tree *tree)
{
    for (int i = 0; i < tree->count; i++) {
        int kept = tree->nodes[i].child;
        while (kept >= 0) {
            int next = tree->nodes[kept].sibling;
            if (next >= 0 && alike(tree, kept, next)) {
                tree->nodes[kept].more++;
                tree->nodes[kept].sibling = tree->nodes[next].sibling;
            } else {
                kept = next;
            }
        }
    }
}

int urd__tree_build(urd__tree *tree, const urd__view *view)
{
    *tree = (urd__tree){.view = view, .count = (int)(view->nscopes + view->njobs)};
    tree->nodes = urd__os_alloc(((size_t)tree->count + 1) * sizeof *tree->nodes);
    if (!tree->nodes)
        return -ENOMEM;
    for (int i = 0; i < tree->count; i++)
        tree->nodes[i] = (urd__tree_node){.parent = -1, .child = -1, .sibling = -1};
    tree->root = scope_node(tree, view->root);
    hide_scopes_of_jobs(tree);
    for (int i = 0; i < (int)view->nscopes; i++)
        find_parent_of_scope(tree, i);
    for (size_t i = 0; i < view->njobs; i++) {
        int parent = scope_node(tree, view->jobs[i].scope);
        if (parent >= 0 && tree->nodes[parent].hidden)
            parent = tree->nodes[parent].parent;
        tree->nodes[job_node(tree, &view->jobs[i])].parent = parent;
    }
    /* Backwards, so that siblings come out in their order. */
    for (int i = tree->count - 1; i >= 0; i--) {
        if (tree->nodes[i].hidden || i == tree->root)
            continue;
        if (!leads_to_root(tree, i))
            tree->nodes[i].parent = tree->root;
        int parent = tree->nodes[i].parent;
        if (parent < 0)
            continue;
        tree->nodes[i].sibling = tree->nodes[parent].child;
        tree->nodes[parent].child = i;
    }
    fold_alike(tree);
    return 0;
}

void urd__tree_free(urd__tree *tree)
{
    urd__os_free(tree->nodes);
    *tree = (urd__tree){0};
}

int urd__tree_next(const urd__tree *tree, int node, int *depth)
{
    if (tree->nodes[node].child >= 0) {
        ++*depth;
        return tree->nodes[node].child;
    }
    while (node >= 0 && tree->nodes[node].sibling < 0) {
        node = tree->nodes[node].parent;
        --*depth;
    }
    return node < 0 ? -1 : tree->nodes[node].sibling;
}
