/*
 * fork.c - push, pop, and the rare meeting of a forker and a thief.
 *
 * SPDX-License-Identifier: MIT
 *
 * A job that nobody took is the newest of the deque as its forker joins, since forks and the joins
 * of scopes nest.  Otherwise a thief has it, or this worker itself began it while the forker waited
 * for something, or newer jobs lie above it; then the forker waits.
 *
 *     forker waits:  F1 begin wait               job ends:  D1 state = DONE, was it AWAITED?
 *                    F2 state PENDING ->                    D2 claim the forker, ready
 *                       AWAITED?  sleep;
 *                       DONE: take the wait back
 *
 * F2 and D1 are read-modify-writes of one word.  If D1 is first, F2 fails and sees DONE; otherwise
 * D1 sees AWAITED, and the wait of F1 with it.  After D1 the job ends without another look at the
 * fork unless the forker waits, and it waits until D2.
 */
#include "core/fork.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/list.h"
#include "core/runtime.h"
#include "core/wait.h"

enum {
    PENDING,
    AWAITED,
    DONE,
    REFUSED /* by who took it, who had no stack for it; or never seen, for want of memory */
};

void urd__fork_push(urd__worker *self, urd__fork *fork, urd_fn *fn, void *arg, const char *where)
{
    urd__task *owner = self->current;
    fork->job.fn = fn;
    fork->job.arg = arg;
    fork->job.scope = owner->scope;
    fork->job.where = where;
    fork->job.handle = NULL;
    fork->job.kind = URD__KIND_FORK;
    fork->owner = owner;
    urd__store_rlx(&fork->state, PENDING); /* nobody else knows it yet */
    if (urd__worker_offer(self, &fork->job))
        urd__store_rlx(&fork->state, REFUSED); /* the same */
}

static int run_here(urd__fork *fork)
{
    const urd__task *self = fork->owner;
    int rc = fork->job.fn(fork->job.arg);
    if (rc > 0)
        urd__die("the job returned %d; a job returns 0 or a negative errno", rc);
    if (self->scope != fork->job.scope)
        urd__die("the job returned with the scope opened at %s not joined", self->scope->where);
    return rc;
}

static void wait_for(urd__fork *fork)
{
    urd__task *owner = fork->owner;
    uint64_t word = urd__wait_begin(owner, NULL, URD__ON_FORK, fork); /* F1 */
    int pending = PENDING;
    if (urd__cas_ar(&fork->state, &pending, AWAITED)) { /* F2 [fork] */
        int rc = urd__wait_end(owner);
        urd__assert(rc == 0); /* no cancel reaches this wait */
        return;
    }
    bool undone = urd__wait_undo(owner, word);
    urd__assert(undone);
}

__attribute__((noinline)) static bool take_back_late(urd__worker *self, urd__fork *fork,
                                                     urd__job *newest)
{
    if (newest) {
        int rc = urd__deque_push(&self->deque, newest);
        urd__assert(rc == 0); /* its slot was free a moment ago */
    }
    if (urd__load_acq(&fork->state) == PENDING) /* [fork] */
        wait_for(fork);
    return urd__load_acq(&fork->state) != DONE; /* [fork] */
}

bool urd__fork_take_back(urd__worker *self, urd__fork *fork)
{
    urd__job *newest = urd__deque_pop(&self->deque);
    return newest == &fork->job || take_back_late(self, fork, newest);
}

int urd__fork_join(urd__worker *self, urd__fork *fork)
{
    return urd__fork_take_back(self, fork) ? run_here(fork) : fork->job.result;
}

static void settle(urd__job *job, int state)
{
    urd__fork *fork = urd__container(job, urd__fork, job);
    urd__task *owner = fork->owner;
    if (urd__xchg_ar(&fork->state, state) != AWAITED) /* D1 [fork] */
        return;
    bool won = urd__wait_claim(owner, urd__load_acq(&owner->wait)); /* D2 */
    urd__assert(won); /* no cancel reaches this wait */
    urd__task_ready(owner);
}

void urd__fork_done(urd__job *job, int rc)
{
    job->result = rc;
    settle(job, DONE);
}

void urd__fork_refuse(urd__job *job)
{
    settle(job, REFUSED);
}

bool urd__fork_wanted(urd__worker *self)
{
    if (urd__rt.seed)
        return urd__worker_random(self) % 4 == 0;
    /* Guesses, asked again and again. */
    return urd__deque_empty(&self->deque) &&
           (urd__load_rlx(&urd__rt.searching) > 0 || urd__load_rlx(&urd__rt.parked) > 0);
}
