/*
 * tree.h - the scopes and jobs of a view as the tree that they are.
 *
 * SPDX-License-Identifier: MIT
 *
 * A job stands in the scope that waits for it, a scope in the job that opened it.  Nodes are
 * numbered: first the scopes of the view, in their order, then its jobs.
 */
#ifndef URD_WATCH_TREE_H
#define URD_WATCH_TREE_H

#include "watch/view.h"

typedef struct urd__tree_node {
    int parent, child, sibling; /* nodes, or -1 */
    int more;    /* siblings like it that are left out of the tree, as they tell nothing new */
    bool hidden; /* the scope of a job held by hand, which the job stands for */
} urd__tree_node;

typedef struct urd__tree {
    const urd__view *view;
    urd__tree_node *nodes;
    int count;
    int root; /* the outermost scope */
} urd__tree;

int urd__tree_build(urd__tree *tree, const urd__view *view); /* 0, -ENOMEM */
void urd__tree_free(urd__tree *tree);

/* The next node from the top, parents first; -1: there is none.  *depth goes up and down. */
int urd__tree_next(const urd__tree *tree, int node, int *depth);

/* What the node is: one of the two is not NULL. */
const urd__view_scope *urd__tree_scope(const urd__tree *tree, int node);
const urd__view_job *urd__tree_job(const urd__tree *tree, int node);

/* What runs the job; NULL: nobody yet, or a process. */
const urd__view_task *urd__tree_task(const urd__tree *tree, int node);

#endif
