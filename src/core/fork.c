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
 * A fork is offered without the fence that makes a wakeup sure (A2 in park.c): it may miss a worker
 * that goes to sleep at this very moment.  Nothing waits for that worker, since the forker does the
 * work itself, and the next fork asks again.
 *
 * Rejected, since it was no faster: to remember where in the deque the job lies, so that what the
 * join stores there does not depend on what it loads.
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

void urd__fork_check(const urd__fork *fork, int rc)
{
    if (rc > 0)
        urd__die("what was forked at %s returned %d; a job returns 0 or a negative errno",
                 fork->job.where, rc);
    if (fork->owner->scope != fork->job.scope)
        urd__die("what was forked at %s returned with the scope opened at %s not joined",
                 fork->job.where, fork->owner->scope->where);
}

static void wait_for(urd__fork *fork)
{
    urd__task *owner = fork->owner;
    uint64_t word = urd__wait_begin(owner, NULL, URD__ON_FORK, fork); /* F1 */
    int pending = URD__FORK_PENDING;
    if (urd__cas_ar(&fork->state, &pending, URD__FORK_AWAITED)) { /* F2 [fork] */
        int rc = urd__wait_end(owner);
        urd__assert(rc == 0); /* no cancel reaches this wait */
        return;
    }
    bool undone = urd__wait_undo(owner, word);
    urd__assert(undone);
}

bool urd__fork_take_back_late(urd__worker *self, urd__fork *fork, urd__job *newest)
{
    if (newest) {
        int rc = urd__deque_push(&self->deque, newest);
        urd__assert(rc == 0); /* its slot was free a moment ago */
    }
    if (urd__load_acq(&fork->state) == URD__FORK_PENDING) /* [fork] */
        wait_for(fork);
    return urd__load_acq(&fork->state) != URD__FORK_DONE; /* [fork] */
}

static void settle(urd__job *job, int state)
{
    urd__fork *fork = urd__container(job, urd__fork, job);
    urd__task *owner = fork->owner;
    if (urd__xchg_ar(&fork->state, state) != URD__FORK_AWAITED) /* D1 [fork] */
        return;
    bool won = urd__wait_claim(owner, urd__load_acq(&owner->wait)); /* D2 */
    urd__assert(won); /* no cancel reaches this wait */
    urd__task_ready(owner);
}

void urd__fork_done(urd__job *job, int rc)
{
    job->result = rc;
    settle(job, URD__FORK_DONE);
}

void urd__fork_refuse(urd__job *job)
{
    settle(job, URD__FORK_REFUSED);
}

bool urd__fork_wanted(urd__worker *self)
{
    if (urd__rt.seed)
        return urd__worker_random(self) % 4 == 0;
    /* Guesses, asked again and again. */
    return urd__deque_empty(&self->deque) &&
           (urd__load_rlx(&urd__rt.searching) > 0 || urd__load_rlx(&urd__rt.parked) > 0);
}
