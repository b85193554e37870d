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

/* One more job.  On the owner's worker, which a task never leaves, that takes no atomic. */
static inline void urd__scope_count_in(urd_scope *s)
{
    if (s->home && s->home == urd__worker_self && !s->shared)
        s->local++;
    else
        urd__add_ar(&s->pending, 1);
}

/*
 * The same for who is no job of the scope, and not its owner, whose place in the scope may be gone:
 * false if all jobs have ended and the owner, who waited for them, has been woken.
 */
bool urd__scope_count_in_late(urd_scope *s);

/* One less.  The scope may be gone afterwards. */
void urd__scope_count_out(urd_scope *s);

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

/* Its timer fires. */
bool urd__scope_deadline_passed(struct urd__timer *timer);

/*
 * Cancel the scope, and those around it, where the deadline has passed; returns the next one, or
 * INT64_MAX.  For a thread, which need not rely on a worker having time for its timers.
 */
int64_t urd__scope_pass_deadlines(urd_scope *s);

/* The first job error, or an error in starting one: the cause, and the cancel it brings. */
void urd__scope_fail(urd_scope *s, int rc);

/* A job has ended with this result.  It, its handle and maybe the scope are gone afterwards. */
void urd__job_done(urd__job *job, int rc);

/* Under a limit: wait for room.  0, -ECANCELED. */
int urd__scope_admit(urd_scope *s);

/* Under a limit: a job begins that does not wait for room. */
void urd__scope_take_place(urd_scope *s);

/* hold.c: the job held by hand begins, on `self`; and has ended. */
void urd__hold_begin(urd__job *job, urd__task *self);
void urd__hold_end(urd__job *job, int rc);
void urd__hold_close(urd_job *held); /* with the scope's join */

#endif
