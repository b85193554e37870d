/*
 * scope.h - scopes inside: who is in them, and how they end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_SCOPE_H
#define URD_CORE_SCOPE_H

#include <stdbool.h>

#include "base/atomic.h"
#include "core/job.h"
#include "core/runtime.h"
#include "core/task.h"
#include "urd.h"

enum {
    URD__SCOPE_CANCELLED = 1,
    URD__SCOPE_SHIELD = 2,
    URD__SCOPE_KEEP_GOING = 4,
    URD__SCOPE_LIMIT = 8,
    URD__SCOPE_LOCAL = 16,   /* it lies in a urd_local_value */
    URD__SCOPE_COMPACT = 32, /* its tasks are compact */
};

/* In `pending`, above any number of jobs: the owner waits for the last one. */
#define URD__SCOPE_JOINING (INT64_C(1) << 62)

void urd__scope_init(urd_scope *s, urd_scope *parent, urd__task *owner, const char *where);

/* Is it, or a scope around it up to a shield, cancelled?  See cancel.c. */
bool urd__scope_cancelled_around(urd_scope *s, uint64_t epoch);

static inline bool urd__scope_cancelled(urd_scope *s)
{
    unsigned flags = urd__load_acq(&s->flags); /* [cancel] */
    if (flags & URD__SCOPE_CANCELLED)
        return true;
    /* The epoch counts from 0 and `checked` holds it plus one, so that a new scope is not taken
     * for checked. */
    uint64_t epoch = urd__load_acq(&urd__rt.cancel_epoch) + 1; /* [cancel] */
    /* `checked` is a number that says nothing about other memory */
    if (urd__load_rlx(&s->checked) == epoch || !s->parent || (flags & URD__SCOPE_SHIELD))
        return false;
    return urd__scope_cancelled_around(s, epoch);
}

/* Does this worker, the caller's, count in the scope's plain number?  The owner's does, which a
 * task never leaves, while the owner does not wait. */
static inline bool urd__scope_is_local(const urd_scope *s, const urd__worker *worker)
{
    return worker && s->home == worker && !s->shared;
}

/* One more job, started on this worker, the caller's, or by a thread (NULL). */
static inline void urd__scope_count_in(urd_scope *s, const urd__worker *worker)
{
    if (__builtin_expect(urd__scope_is_local(s, worker), 1))
        s->local++;
    else
        urd__add_ar(&s->pending, 1);
}

/*
 * The same for who is no job of the scope, and not its owner, whose place in the scope may be gone:
 * false if all jobs have ended and the owner, who waited for them, has been woken.
 */
bool urd__scope_count_in_late(urd_scope *s);

/* One less, elsewhere or while the owner waits.  The scope may be gone afterwards. */
void urd__scope_count_out_shared(urd_scope *s);

/* One less.  The same. */
static inline void urd__scope_count_out(urd_scope *s)
{
    if (__builtin_expect(urd__scope_is_local(s, urd__worker_self), 1))
        s->local--;
    else
        urd__scope_count_out_shared(s);
}

/* Make it findable by a cancel of any scope around it. */
void urd__scope_publish(urd_scope *s);
void urd__scope_publish_task(urd__task *task, urd_scope *s);

/* Does a cancel of the scope, or of one around it, find the task already?  Asked by the task. */
static inline bool urd__scope_finds_task(const urd__task *task, const urd_scope *s)
{
    /* Own stores alone can make it the owner. */
    return urd__load_acq(&s->published) && /* [publish] */
           (task->member_of == s || urd__load_rlx(&s->owner) == task);
}

/* What a cancel of the scope is to call; takes part until detached.  True: cancelled already, and
 * the member has not been called for it. */
bool urd__scope_attach(urd_scope *s, urd__member *member);
void urd__scope_detach(urd_scope *s, urd__member *member);

/* The task goes on to other work: no cancel finds it any more. */
void urd__scope_forget_task(urd__task *task);

/* Of its timer. */
extern const struct urd__timer_ops urd__scope_deadline;

/*
 * Cancel the scope, and those around it, where the deadline has passed; returns the next one, or
 * INT64_MAX.  For a thread, which need not rely on a worker having time for its timers.
 */
int64_t urd__scope_pass_deadlines(urd_scope *s);

/* A job's error, or one in starting a job, and the cancel it brings.  True: it is the first, which
 * is what join returns. */
bool urd__scope_fail(urd_scope *s, int rc);

/* hold.c: the job held by hand begins, on `self`; and has ended, maybe with an error of its own. */
void urd__hold_begin(urd__job *job, urd__task *self);
void urd__hold_end(urd__job *job, int rc, bool failed);
void urd__hold_close(urd_scope *s, urd_job *held); /* with the scope's join */

/* In `unread` of a job held by hand. */
enum { URD__UNREAD = 1, URD__READ = 2 };

/* Somebody has its result, gets it, or knows what it will be. */
static inline void urd__hold_read(const urd_job *held)
{
    int *unread = (int *)(uintptr_t)&held->unread; // NOLINT(performance-no-int-to-ptr)
    urd__store_rlx(unread, URD__READ); /* who asks is done before the join, which looks at it */
}

/* Of one that has ended, for who asks. */
static inline int urd__hold_result(const urd_job *held)
{
    urd__hold_read(held);
    return held->result;
}

/* The rare parts of the next one: an error, or somebody holds it by hand; a limit. */
void urd__job_settle(urd__job *job, int rc);
void urd__scope_give_place(urd_scope *s);

/* A job has ended with this result.  It, its handle and maybe the scope are gone afterwards. */
static inline void urd__job_done(urd__job *job, int rc)
{
    urd_scope *s = job->scope;
    bool outside = job->kind == URD_PROCESS;
    if (__builtin_expect(rc < 0 || job->held, 0))
        urd__job_settle(job, rc);
    else
        urd__job_free(urd__worker_self ? &urd__worker_self->jobs : NULL, job);
    /* set before the first job */
    if (__builtin_expect(urd__load_rlx(&s->flags) & URD__SCOPE_LIMIT, 0))
        urd__scope_give_place(s);
    urd__scope_count_out(s);
    if (__builtin_expect(outside, 0)) /* last, or with virtual time it might seem that all wait */
        urd__runtime_outside(-1);
}

/* Of the next one: abort if the job may not end like that; it ended, and is no plain task. */
void urd__task_check_end(const urd__task *self, const urd_scope *scope, int rc);
void urd__task_job_ended(urd__job *job, int rc);

/*
 * Run a job as part of the calling task, to its end.  Inlined where it is a loop, as it is most of
 * what a trivial job costs; what it is inlined into is named in watch/frames.c, which has to find
 * the border between two jobs on one stack.
 */
__attribute__((always_inline)) static inline void urd__job_run(urd__task *self, urd__job *job)
{
    urd__job *outer_job = self->job;
    urd_scope *outer_scope = self->scope;
    urd_scope *scope = job->held ? &job->handle->scope : job->scope;
    job->next = outer_job; /* for reports: what this stack runs besides */
    self->job = job;
    self->scope = scope;
    if (__builtin_expect(job->held, 0))
        urd__hold_begin(job, self);
    int rc = job->fn(job->arg);
    if (__builtin_expect(self->values != NULL, 0))
        urd__job_values_destroy(self);
    if (__builtin_expect(rc > 0 || self->scope != scope || !urd__worker_self, 0))
        urd__task_check_end(self, scope, rc);
    if (!outer_job) { /* else the join that runs it counts */
        urd__task_check_locks(self, 0, "the job");
        urd__scope_forget_task(self);
    }
    self->job = outer_job;
    self->scope = outer_scope;
    if (__builtin_expect(job->kind == URD_TASK, 1))
        urd__job_done(job, rc);
    else
        urd__task_job_ended(job, rc);
}

/* The owner runs jobs of the scope that nobody has begun, while there are any and it may. */
void urd__scope_run_unstarted(urd__task *self, urd_scope *s);

/* Under a limit: wait for room.  0, -ECANCELED. */
int urd__scope_admit(urd_scope *s);

/* Under a limit: a job begins that does not wait for room. */
void urd__scope_take_place(urd_scope *s);

#endif
