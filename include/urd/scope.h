/*
 * scope.h - scopes own jobs: they end, fail and are cancelled together.
 *
 * SPDX-License-Identifier: MIT
 *
 * A scope owns jobs: it ends when all of them have ended.  It is also what is cancelled, and what
 * has a deadline.  Scopes nest: a scope opened inside another, or inside a job of another, is
 * cancelled with it.  They close in reverse order, by the job that opened them.
 *
 * A scope lives in the caller's memory, usually on the stack, so what the opener has on its stack
 * is valid in every job of the scope until the join.  A job that was started always runs, also
 * when its scope is cancelled meanwhile, since it may own what it was given; but if there is no
 * memory for the stack of a task, it has failed with -ENOMEM and has not run.
 */
#ifndef URD_SCOPE_H
#define URD_SCOPE_H

#include "urd/run.h"

URD_BEGIN_DECLS

typedef struct urd_scope {
    struct urd_scope *parent;  /* set once by open; NULL: outermost */
    struct urd__task *owner;   /* atomic: who opened it and closes it */
    const char *where;         /* set once by open */
    struct urd__worker *home;  /* set once by open: the owner's worker, or NULL */
    uint64_t checked;          /* atomic: cancel epoch at which `parent` was last seen sound */
    unsigned flags;            /* atomic: shield, keep_going, limit */
    int cause;                 /* atomic: 0, or the first -errno */
    int published;             /* atomic, written under the parent's lock: in its `inner` */
    int lock;                  /* guards what it says of below */
    struct urd__link inner;    /* under lock: members that a cancel may have to wake */
    struct urd__member member; /* under the parent's lock */
    struct urd__link limited;  /* under lock: who waits to start a job */
    int limit;                 /* under lock; 0: none */
    int running;               /* under lock, with a limit: jobs started and not ended */
    /* A line of memory, and one each for those above and for `pending`: each job that ends is
     * counted, and all look at those above. */
    int64_t local;           /* of the home worker's thread: jobs started less ended there */
    bool shared;             /* of that thread, too: the owner waits, all count in `pending` */
    struct urd__job *failed; /* under lock: jobs that ended with an error, in that order */
    struct urd__job *failed_tail;
    struct urd_job *held;    /* under lock: jobs held by hand */
    struct urd__timer timer; /* the deadline */
    int64_t pending;         /* atomic: jobs started less ended elsewhere, and a bit while the
                                owner waits */
    long reserved[2];
} urd_scope;

/* Open a scope inside the current one.  Never fails, never blocks; allocates nothing. */
#define urd_scope_open(s) urd_scope_open_at(s, URD_HERE)
void urd_scope_open_at(urd_scope *s, const char *where);

/*
 * Cancel the scope with cause -ETIMEDOUT at the time `when`; URD_FOREVER takes a deadline away.
 * May be moved at any time, by any job of the scope.
 */
void urd_scope_deadline(urd_scope *s, urd_time when);

/* At most `jobs` run at once; starting one more waits, and who waits is served in the order in
 * which he came.  Before the first job; 0: no limit. */
void urd_scope_limit(urd_scope *s, int jobs);

/*
 * The tasks of this scope are compact: they run on a stack that others of their worker use, too,
 * and while one waits only its live frames are kept, up to urd_config.compact_bytes.  For a great
 * many that mostly wait: one takes some 2 KiB instead of 4.  Before the first job.  Beyond that
 *  - what others get a pointer to must not lie on the stack of such a task: scopes, timers, locks,
 *    channels, subscribers, signals, jobs of pools, job handles, and the arguments of jobs that it
 *    starts.  Buffers of its own calls may.
 *  - it may wait in urd_sleep, urd_yield, the calls on descriptors, urd_mutex, urd_rmutex,
 *    urd_rwlock, urd_once, urd_sem, urd_latch, urd_event, urd_chan with values of up to 80 bytes,
 *    urd_scope_join and urd_job_join.
 * Any other wait aborts, as does one with more frames than can be kept, and a scope, timer or
 * handle on the stack.  Scopes opened by such a task are ordinary ones, unless made compact too.
 */
void urd_scope_compact(urd_scope *s);

/* A job's error does not cancel the others.  Join still returns the first; the others can be read
 * by urd_scope_errors, and those of jobs held by hand are to be asked for, see job.h. */
void urd_scope_keep_going(urd_scope *s);

/* A cancel from outside does not reach into this scope: its jobs and waits end in peace. */
void urd_scope_shield(urd_scope *s);

/*
 * Cancel: every blocking call in the scope, and in what is opened or started in it, returns
 * -ECANCELED from now on.  cause is a negative errno, which join returns unless another came first;
 * 0 stands for -ECANCELED.  From any thread, while the scope is open.  Never blocks.
 */
void urd_scope_cancel(urd_scope *s, int cause);

/*
 * Wait for all jobs, and close.  Returns the first cause: a job's error, -ETIMEDOUT for the
 * deadline, what was given to cancel, -ECANCELED if a scope around it is cancelled; else 0.  Not
 * cut short by a cancel: it waits for the jobs, which the cancel reaches.  Jobs that no worker has
 * begun are run on the caller's stack where there is room.
 */
int urd_scope_join(urd_scope *s) URD_MUST_USE;

/* The same wait and result, but the scope stays open: errors can be read, more jobs started. */
int urd_scope_wait(urd_scope *s) URD_MUST_USE;

/* How a job failed.  Strings live until the scope is joined. */
typedef struct urd_error {
    int result;         /* -errno */
    urd_kind kind;      /* what it ran on */
    const char *name;   /* the job's, or NULL */
    const char *where;  /* "file.c:12" at which it was started */
    const char *detail; /* of a process that did not return: as urd_exit has it; else NULL */
} urd_error;

/*
 * The errors of the jobs that have failed so far, in the order in which they ended: up to `max`
 * into out.  Returns how many there are, which may be more.  Between open and join, by the opener.
 */
int urd_scope_errors(urd_scope *s, urd_error *out, int max);

/* Is the current scope cancelled?  For long computations, which have no cancel points. */
bool urd_cancelled(void);

URD_END_DECLS

#endif
