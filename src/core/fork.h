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

#include "core/runtime.h"

typedef struct urd__fork {
    urd__job job;
    urd__task *owner;
    int state; /* atomic: one of these */
} urd__fork;

enum {
    URD__FORK_PENDING,
    URD__FORK_AWAITED,
    URD__FORK_DONE,
    URD__FORK_REFUSED /* by who took it, for want of a stack; or never seen, for want of memory */
};

/* What it returned, and that its scopes are closed; or abort. */
void urd__fork_check(const urd__fork *fork, int rc);

/* The rare half of taking it back. */
bool urd__fork_take_back_late(urd__worker *self, urd__fork *fork, urd__job *newest);

/* Offer fn(arg).  From a task of a worker; where there is no memory for a longer deque nobody else
 * will see it, and the join runs it. */
static inline void urd__fork_push(urd__worker *self, urd__fork *fork, urd_fn *fn, void *arg,
                                  const char *where)
{
    urd__task *owner = self->current;
    fork->job.fn = fn;
    fork->job.arg = arg;
    fork->job.scope = owner->scope;
    fork->job.where = where;
    fork->job.handle = NULL; /* for reports */
    fork->job.odd = 0;
    fork->job.kind = URD__KIND_FORK;
    fork->owner = owner;
    urd__store_rlx(&fork->state, URD__FORK_PENDING); /* nobody else knows it yet */
    if (__builtin_expect(urd__worker_hint(self, &fork->job), 0))
        urd__store_rlx(&fork->state, URD__FORK_REFUSED); /* the same */
}

/* The caller does its work: true, and nobody else ever will.  False: it has ended, after a wait
 * maybe, and fork->job.result is its result. */
static inline bool urd__fork_take_back(urd__worker *self, urd__fork *fork)
{
    urd__job *newest = urd__deque_pop(&self->deque);
    return __builtin_expect(newest == &fork->job, 1) ||
           urd__fork_take_back_late(self, fork, newest);
}

/* Run it, or wait for who took it.  Its result. */
static inline int urd__fork_join(urd__worker *self, urd__fork *fork)
{
    if (!urd__fork_take_back(self, fork))
        return fork->job.result;
    int rc = fork->job.fn(fork->job.arg);
    if (__builtin_expect(rc > 0 || fork->owner->scope != fork->job.scope, 0))
        urd__fork_check(fork, rc);
    return rc;
}

/* A forked job has ended, elsewhere than in its join.  It may be gone afterwards. */
void urd__fork_done(urd__job *job, int rc);

/* The same, but it could not be begun: its forker has to. */
void urd__fork_refuse(urd__job *job);

/* Does somebody look for work that this worker has not offered?  With a seed it is drawn. */
bool urd__fork_wanted(urd__worker *self);

#endif
