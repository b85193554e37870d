/*
 * timer.h - start a job later, once or again and again.
 *
 * SPDX-License-Identifier: MIT
 *
 * A timer is a job that begins later: at its time it starts fn(arg) as a task in its scope, where
 * the task may block, fail and be cancelled as any other.  A cancel of the scope also ends the
 * timers in it whose time has not come; their function is then not called.  A limit on the scope's
 * jobs counts what timers start, but does not hold it up.
 *
 * The structure is the caller's.  It must live until the scope is joined.
 */
#ifndef URD_TIMER_H
#define URD_TIMER_H

#include "urd/scope.h"

URD_BEGIN_DECLS

typedef struct urd_timer {
    struct urd__timer timer;
    struct urd__member member; /* under the scope's lock */
    urd_scope *scope;          /* these are set by open */
    urd_fn *fn;
    void *arg;
    const char *where;
    int state;       /* atomic, under the scope's lock: waits, or is over, or was cancelled */
    int running;     /* atomic: the task of the last firing has not ended */
    urd_time period; /* 0: once */
    uint64_t missed; /* atomic */
    long reserved[1];
} urd_timer;

/*
 * Start fn(arg) in the scope once, at the time `when`; at once if that has passed.  Until then it
 * counts as a job of the scope: join waits for it.  When the job has begun, or stop has returned
 * true, the structure may be used again.
 * 0; -ECANCELED the scope is cancelled, and fn will not be called.  Should there be no memory for
 * the job when its time comes, the scope fails with -ENOMEM.
 */
#define urd_timer_once(t, s, when, fn, arg) urd_timer_once_at(t, s, when, fn, arg, URD_HERE)
int urd_timer_once_at(urd_timer *t, urd_scope *s, urd_time when, urd_fn *fn, void *arg,
                      const char *where);

/*
 * Start fn(arg) in the scope every `period_duration` nanoseconds (at least 1; aborts otherwise),
 * the first time one period from now.  Firings do not drift: the n-th is due n periods after the
 * call.  One that is due while the task of an earlier one runs, or that finds another one due too,
 * is not made up for, but counted as missed.
 *
 * It does not count as a job of the scope: a join waits until all jobs have ended, and then stops
 * it.  It goes on during urd_scope_wait.
 * Results as above.
 */
#define urd_timer_every(t, s, period_duration, fn, arg)                                            \
    urd_timer_every_at(t, s, period_duration, fn, arg, URD_HERE)
int urd_timer_every_at(urd_timer *t, urd_scope *s, urd_time period_duration, urd_fn *fn, void *arg,
                       const char *where);

/*
 * No firing begins any more when this returns; a task that has been started runs on.  True: it was
 * still to fire, false: it had fired, or was stopped or cancelled.  From any job of the scope, or
 * any thread while the scope is open.  Never blocks.
 */
bool urd_timer_stop(urd_timer *t);

/* How many firings of a periodic timer were missed so far. */
uint64_t urd_timer_missed(const urd_timer *t);

URD_END_DECLS

#endif
