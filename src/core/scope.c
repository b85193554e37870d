/*
 * scope.c - open, fail, wait for the jobs, close.
 *
 * SPDX-License-Identifier: MIT
 *
 * Two counters together count the jobs that have not ended: `local` those started less those ended
 * on the worker of the owner, a plain number of that one thread, and `pending` the same elsewhere,
 * which may well be negative.  An owner that must wait moves `local` over into `pending`, where all
 * count from then on (`shared`), and adds JOINING; the job that brings it down to exactly JOINING
 * is the last one, and wakes the owner.  Any other job must not touch the scope once it has counted
 * itself off: the owner may have returned.
 *
 *     owner waits:  O1 begin wait              job ends:  E1 old = pending, pending - 1
 *                   O2 old = pending,                     E2 old - 1 == JOINING?
 *                      pending + local + JOINING             claim the owner, ready
 *                   O3 old + local == 0? take the wait back, else sleep
 *
 * Both are read-modify-writes of one word, so they have an order.  If the last E1 is before O2, O3
 * sees 0; otherwise E2 sees JOINING, and the wait of O1 with it.  A job that ends on the owner's
 * worker before O1 is in `local`, after O1 in `pending`: it cannot come between, since its thread
 * is the owner's.
 *
 * A periodic timer starts jobs and is none, so it may come between E2 and the owner's return: its
 * job would then be a second last one, and wake an owner who is awake.  So it counts in (L1) only
 * while `pending` is not exactly JOINING.  The join stops such timers when the jobs have ended, and
 * then waits again for a job that one of them may have started before O2.
 *
 * Jobs that nobody has begun are run by the owner as it joins, newest first, on its own stack: then
 * a fork-join is a function call.  If such a job blocks, owner and job wait together, which the
 * owner was going to do.
 *
 * Checked: test/model/scope.c.
 */
#include "core/scope.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/lock.h"
#include "core/later.h"
#include "core/runtime.h"
#include "core/wait.h"

void urd__scope_init(urd_scope *s, urd_scope *parent, urd__task *owner, const char *where)
{
    *s = (urd_scope){.parent = parent,
                     .owner = owner,
                     .home = owner ? owner->worker : NULL,
                     .where = where,
                     .published = !parent,
                     .timer.ops = &urd__scope_deadline};
    urd__list_init(&s->inner);
}

void urd_scope_open_at(urd_scope *s, const char *where)
{
    urd__task *self = urd__task_self();
    urd__wait_check_place(self, "urd_scope_open", s);
    urd__scope_init(s, self->scope, self, where);
    self->scope = s;
}

/* Exact for the owner. */
static int64_t unended(const urd_scope *s)
{
    return s->local + urd__load_acq(&s->pending); /* pairs with E1 */
}

void urd_scope_limit(urd_scope *s, int jobs)
{
    urd__lock(&s->lock);
    if (unended(s) != 0) {
        urd__unlock(&s->lock);
        urd__die("urd_scope_limit after the first job, in the scope opened at %s", s->where);
    }
    s->limit = jobs > 0 ? jobs : 0;
    if (s->limit)
        urd__or_ar(&s->flags, URD__SCOPE_LIMIT);
    else
        urd__and_ar(&s->flags, ~(unsigned)URD__SCOPE_LIMIT);
    urd__unlock(&s->lock);
}

void urd_scope_compact(urd_scope *s)
{
    urd__lock(&s->lock);
    if (unended(s) != 0) {
        urd__unlock(&s->lock);
        urd__die("urd_scope_compact after the first job, in the scope opened at %s", s->where);
    }
    urd__or_ar(&s->flags, URD__SCOPE_COMPACT);
    urd__unlock(&s->lock);
}

void urd_scope_keep_going(urd_scope *s)
{
    urd__or_ar(&s->flags, URD__SCOPE_KEEP_GOING);
}

void urd_scope_shield(urd_scope *s)
{
    urd__or_ar(&s->flags, URD__SCOPE_SHIELD);
}

bool urd__scope_fail(urd_scope *s, int rc)
{
    int none = 0;
    bool first = urd__cas_ar(&s->cause, &none, rc); /* which stays */
    if (!(urd__load_acq(&s->flags) & URD__SCOPE_KEEP_GOING))
        urd_scope_cancel(s, rc);
    return first;
}

/* An error that is only the echo of a cancel is not the job's. */
static bool is_echo(const urd__job *job, int rc)
{
    if (rc != -ECANCELED)
        return false;
    return job->handle ? urd__scope_cancelled(&job->handle->scope)
                       : urd__scope_cancelled(job->scope);
}

static void keep_failed(urd_scope *s, urd__job *job)
{
    job->next = NULL;
    urd__lock(&s->lock);
    if (s->failed)
        s->failed_tail->next = job;
    else
        s->failed = job;
    s->failed_tail = job;
    urd__unlock(&s->lock);
}

/* Under a limit: let the next starter go on in this job's place, if it was one within the limit. */
void urd__scope_give_place(urd_scope *s)
{
    urd__lock(&s->lock);
    urd__waiter *next = s->running > s->limit ? NULL : urd__wait_pop(&s->limited);
    if (!next)
        s->running--;
    urd__task *task = next ? next->task : NULL;
    urd__unlock(&s->lock);
    if (task)
        urd__task_ready(task);
}

int urd__scope_admit(urd_scope *s)
{
    urd__task *self = urd__task_self();
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    urd__lock(&s->lock);
    if (s->running < s->limit) {
        s->running++;
        urd__unlock(&s->lock);
        return 0;
    }
    urd__waiter waiter = {0};
    return urd__wait_on(self, &s->limited, &s->lock, &waiter, URD__ON_LIMIT, s);
}

void urd__scope_take_place(urd_scope *s)
{
    if (!(urd__load_rlx(&s->flags) & URD__SCOPE_LIMIT)) /* set before the first job */
        return;
    urd__lock(&s->lock);
    s->running++;
    urd__unlock(&s->lock);
}

void urd__scope_count_out_shared(urd_scope *s)
{
    if (urd__sub_ar(&s->pending, 1) - 1 == URD__SCOPE_JOINING) { /* E1, E2 */
        urd__task *owner = urd__load_acq(&s->owner);
        bool won = urd__wait_claim(owner, urd__load_acq(&owner->wait));
        urd__assert(won); /* no cancel reaches this wait, and there is one last job */
        urd__task_ready(owner);
    }
}

bool urd__scope_count_in_late(urd_scope *s)
{
    if (urd__scope_is_local(s, urd__worker_self)) {
        s->local++;
        return true;
    }
    int64_t pending = urd__load_rlx(&s->pending); /* checked by the swap */
    do
        if (pending == URD__SCOPE_JOINING) /* L1 */
            return false;
    while (!urd__cas_ar(&s->pending, &pending, pending + 1)); /* L1 */
    return true;
}

void urd__job_settle(urd__job *job, int rc)
{
    urd_scope *s = job->scope;
    bool failed = rc < 0 && !is_echo(job, rc);
    urd_job *held = job->handle;
    job->result = rc;
    if (held)
        urd__hold_end(job, rc, failed);
    if (failed) {
        keep_failed(s, job);
        if (urd__scope_fail(s, rc) && held)
            urd__hold_read(held); /* the join will tell it */
    } else {
        urd__job_free(urd__worker_self ? &urd__worker_self->jobs : NULL, job);
    }
}

/* Is the promised size left below this frame? */
static bool has_room(const urd__task *self)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    return here > self->stack.low && here - self->stack.low > urd__stack_promised_bytes();
}

/* Now and then it is an old one's turn, lest a stream of jobs, each starting the next, keep what is
 * older from it; and a seeded schedule runs some of them on their own stacks. */
static inline urd__job *next_unstarted(urd__worker *worker, urd_scope *s)
{
    if (urd__worker_due(worker))
        return urd__worker_oldest_of(worker, s);
    if (urd__worker_wanted(worker) || (urd__rt.seed && urd__worker_random(worker) % 2 == 0))
        return NULL;
    urd__job *job = urd__deque_pop(&worker->deque);
    if (!job || job->scope == s)
        return job;
    int rc = urd__deque_push(&worker->deque, job);
    urd__assert(rc == 0); /* its slot was free a moment ago */
    return NULL;
}

/* urd__job_run() of what nearly all are: a task of this scope, which is the innermost of `self`
 * already and counts on this worker, run by a join in another job. */
static inline void run_plain(urd__task *self, urd__worker *worker, urd_scope *s, urd__job *job)
{
    urd__job *outer = self->job;
    job->next = outer;
    self->job = job;
    int rc = job->fn(job->arg);
    if (__builtin_expect(self->values != NULL, 0))
        urd__job_values_destroy(self);
    bool odd_end = rc != 0 || self->scope != s || !urd__worker_self;
    if (__builtin_expect(odd_end, 0))
        urd__task_check_end(self, s, rc);
    self->job = outer;
    if (__builtin_expect(odd_end, 0)) {
        urd__job_settle(job, rc);
    } else {
        urd__job_free(&worker->jobs, job);
    }
    s->local--;
}

/* One look at `local` mostly tells, which no other worker writes; the end is told by both. */
static inline bool any_unended(const urd_scope *s)
{
    return s->local != 0 || urd__load_acq(&s->pending) != 0; /* pairs with E1 */
}

__attribute__((noinline)) void urd__scope_run_unstarted(urd__task *self, urd_scope *s)
{
    urd__worker *worker = self->worker;
    if (!worker || self->compact || !has_room(self))
        return;
    unsigned locks = self->locks;
    /* set before the first job */
    bool plain = self->job && !(urd__load_rlx(&s->flags) & URD__SCOPE_LIMIT);
    while (any_unended(s)) {
        urd__job *job = next_unstarted(worker, s);
        if (!job)
            return;
        if (__builtin_expect(plain && !job->odd, 1))
            run_plain(self, worker, s, job);
        else
            urd__job_run(self, job);
        urd__task_check_locks(self, locks, "a job that its join ran");
    }
}

static int result_of(urd_scope *s)
{
    int cause = urd__load_acq(&s->cause);
    if (cause)
        return cause;
    return urd__scope_cancelled(s) ? -ECANCELED : 0;
}

static urd__task *check_owner(const urd_scope *s, const char *call)
{
    urd__task *self = urd__task_self();
    if (self->scope != s)
        urd__die("%s on the scope opened at %s, but the innermost scope here is %s%s", call,
                 s->where ? s->where : "(never)", self->scope ? "the one opened at " : "none",
                 self->scope ? self->scope->where : "");
    /* A job finds itself in the scope that it was started in, which another has opened. */
    if (self->job && self->job->scope == s)
        urd__die("%s on the scope opened at %s, by a job of that scope", call, s->where);
    return self;
}

int urd_scope_wait(urd_scope *s)
{
    urd__task *self = check_owner(s, "urd_scope_wait");
    urd__scope_run_unstarted(self, s);
    if (unended(s) == 0)
        return result_of(s);
    int64_t local = s->local;
    s->local = 0;
    s->shared = true;
    uint64_t word = urd__wait_begin(self, NULL, URD__ON_SCOPE, s);           /* O1 */
    if (urd__add_ar(&s->pending, local + URD__SCOPE_JOINING) + local == 0) { /* O2 */
        bool undone = urd__wait_undo(self, word);                            /* O3 */
        urd__assert(undone);
    } else {
        int rc = urd__wait_end(self);
        urd__assert(rc == 0);
    }
    urd__sub_ar(&s->pending, URD__SCOPE_JOINING);
    s->shared = false;
    return result_of(s);
}

static void free_failed(urd_scope *s)
{
    for (urd__job *job = s->failed, *next; job; job = next) {
        next = job->next;
        urd__job_free(urd__worker_self ? &urd__worker_self->jobs : NULL, job);
    }
    s->failed = NULL;
}

int urd_scope_join(urd_scope *s)
{
    urd__task *self = check_owner(s, "urd_scope_join");
    int rc = urd_scope_wait(s);
    while (urd__later_end(s))
        rc = urd_scope_wait(s);
    urd__timer_stop(&s->timer);
    if (s->parent && urd__load_acq(&s->published))
        urd__scope_detach(s->parent, &s->member);
    for (urd_job *held = s->held, *next; held; held = next) {
        next = held->next;
        urd__hold_close(s, held);
    }
    s->held = NULL;
    free_failed(s);
    self->scope = s->parent;
    return rc;
}

/* One at a time, since to find a name may take long. */
static const urd__job *next_failed(urd_scope *s, const urd__job *job)
{
    urd__lock(&s->lock);
    const urd__job *next = job ? job->next : s->failed;
    urd__unlock(&s->lock);
    return next;
}

int urd_scope_errors(urd_scope *s, urd_error *out, int max)
{
    int n = 0;
    for (const urd__job *job = NULL; (job = next_failed(s, job)) != NULL; n++) {
        if (n >= max)
            continue;
        if (job->handle)
            urd__hold_read(job->handle);
        out[n] = (urd_error){.result = job->result,
                             .kind = (urd_kind)job->kind,
                             .name = urd__job_name(job),
                             .where = job->where,
                             .detail = job->kind == URD_PROCESS ? job->detail : NULL};
    }
    return n;
}
