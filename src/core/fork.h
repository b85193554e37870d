/*
 * fork.h - a job on its forker's stack: offered to thieves, else run by the forker as it joins.
 *
 * SPDX-License-Identifier: MIT
 *
 * The cheapest way to have two things done at once: nothing is allocated and nothing is counted,
 * and where nobody took the job, fork and join are a push, a pop and a call.  It runs in the
 * forker's scope.  Forks are joined in reverse order, by the task that made them.
 */
#ifndef URD_CORE_FORK_H
#define URD_CORE_FORK_H

#include "core/worker.h"

typedef struct urd__fork {
    urd__job job;
    urd__task *owner;
    int state; /* atomic: of fork.c */
} urd__fork;

/* Offer fn(arg).  From a task of a worker; where there is no memory for a longer deque nobody else
 * will see it, and the join runs it. */
void urd__fork_push(urd__worker *self, urd__fork *fork, urd_fn *fn, void *arg, const char *where);

/* Run it, or wait for who took it.  Its result. */
int urd__fork_join(urd__worker *self, urd__fork *fork);

/* The same, but the caller does its work: true, and nobody else ever will.  False: it has ended,
 * after a wait maybe, and fork->job.result is its result. */
bool urd__fork_take_back(urd__worker *self, urd__fork *fork);

/* A forked job has ended, elsewhere than in its join.  It may be gone afterwards. */
void urd__fork_done(urd__job *job, int rc);

/* The same, but it could not be begun: its forker has to. */
void urd__fork_refuse(urd__job *job);

/* Does somebody look for work that this worker has not offered?  With a seed it is drawn. */
bool urd__fork_wanted(urd__worker *self);

#endif
