/*
 * pool.h - pools inside: the jobs not done, and who runs them.
 *
 * SPDX-License-Identifier: MIT
 *
 * pool.c keeps the jobs and wakes who waits for them.  Who runs them is one of two crews, which
 * differ in how an element reaches a worker: crew.c calls it from the worker's own loop, procs.c
 * sends it through shared memory.
 */
#ifndef URD_POOL_POOL_H
#define URD_POOL_POOL_H

#include "base/check.h"
#include "base/list.h"
#include "core/go.h"
#include "core/task.h"
#include "pool/ring.h"
#include "urd.h"

typedef struct urd__crew {
    int (*knows)(urd_pool_fn *fn);               /* 0, or -EINVAL: its workers cannot call it */
    int (*open)(urd_pool *p);                    /* start the workers; an error may leave some */
    void (*added)(urd_pool *p, size_t unserved); /* a job came, for so many elements of which no
                                      worker that waits was woken */
    void (*help)(urd_pool *p, urd_pool_job *job, const int *done); /* somebody is about to wait,
                                      for the job or a like one, until `done` is not 0; atomic */
    void (*take_back)(urd_pool *p, const urd_pool_job *job, urd__link *woken); /* under lock: what
                                      was handed out and is not begun, of all jobs if NULL */
    void (*stop)(urd_pool *p);  /* under lock: workers end after what they run */
    void (*close)(urd_pool *p); /* all have left: free what open made */
} urd__crew;

extern const urd__crew urd__crew_inside, urd__crew_processes;

/* Of a pool: jobs given by hand that have failed, and nobody has asked for the error. */
typedef struct urd__unread {
    urd__link link;
    uint64_t number; /* set once: of the pool, which is no other's */
    size_t count;
    const urd_pool_job *latest; /* an address, no more; NULL: it was asked for */
    const void *given_at;       /* these are the latest's */
    int result;
} urd__unread;

struct urd_pool {
    const urd__crew *crew; /* these are set once */
    urd_kind kind;
    unsigned workers, workers_min;
    urd_time idle_duration;
    urd_scope *scope;   /* whose jobs the workers are */
    urd__member member; /* of that scope: a cancel of it reaches the pool */
    urd_pool_options options;
    char name[32];
    bool has_inbox;
    bool closing; /* atomic: no more jobs come; changed under lock */
    int cause;    /* atomic: why it ended early, or 0; changed under lock */

    _Alignas(64) uintptr_t inbox; /* atomic: see inbox.c; apart from what workers write */

    _Alignas(64) int lock;       /* guards what follows */
    urd__link queue;             /* jobs with elements not handed out */
    urd__link idle;              /* workers of a crew inside that wait for a job */
    unsigned coming;             /* workers that are awake and have yet to look for a job */
    urd__link closers;           /* who waits in urd_pool_close */
    size_t undone;               /* jobs given and not done */
    unsigned live;               /* workers and helpers that have not left */
    unsigned up;                 /* workers that have not begun to leave; at most `workers` */
    char why[48];                /* in words, or "" */
    size_t running, ended, died; /* elements; workers */

    urd__unread unread; /* under a lock of its own, see unread.c */

    urd__task **tasks; /* of a crew inside: by worker, under lock */
    struct urd__procs *procs;
};

/* One element, on the task that calls: its result; aborts if it leaves anything behind. */
static inline int urd__pool_call(const urd__task *self, urd_pool_fn *fn, const void *in, void *out)
{
    const urd_scope *scope = self->scope;
    unsigned locks = self->locks;
    int rc = fn(in, out);
    if (__builtin_expect(rc > 0, 0))
        urd__die("a job of the pool returned %d; it returns 0 or a negative errno", rc);
    if (__builtin_expect(self->scope != scope, 0))
        urd__die("a job of the pool returned with the scope opened at %s not joined",
                 self->scope->where);
    urd__task_check_locks(self, locks, "a job of the pool");
    return rc;
}

/* 0, or why its workers cannot call it. */
static inline int urd__pool_knows(const urd_pool *p, urd_pool_fn *fn)
{
    const urd_pool_carrier *carrier = p->options.carrier;
    return carrier ? carrier->knows(p->options.carrier_arg, fn) : p->crew->knows(fn);
}

/* Under lock: the next element to hand out, of this job or of any.  False: there is none. */
bool urd__pool_draw(urd_pool_job *job, size_t *index);
bool urd__pool_next(urd_pool *p, urd_pool_job **job, size_t *index);

/* Under lock: an element failed; no more of its job are handed out.  detail NULL: none. */
void urd__pool_fail(urd_pool *p, urd_pool_job *job, size_t index, int rc, const char *detail);

/* Under lock: a worker holds elements of the job, or some less.  When nobody holds any and none is
 * left, the job is done, and is not touched after that; who waits goes to `woken`. */
void urd__pool_hold(urd_pool_job *job);
void urd__pool_release(urd_pool *p, urd_pool_job *job, urd__link *woken);

/* flow.c, under lock: the job, which is of a flow, is done. */
void urd__flow_done(urd_pool_job *job, urd__link *woken);

/* Give the pool a job that is filled in but for the pool.  As urd_pool_submit. */
int urd__pool_give(urd_pool *p, urd_pool_job *job);

/* Under lock: what nobody has begun of a job that is not done fails with rc.  True: nobody had. */
bool urd__pool_take_back(urd_pool *p, urd_pool_job *job, int rc, urd__link *woken);

/* Under lock: nothing more is begun; what is not fails with rc, in words `why`; NULL: none. */
void urd__pool_break(urd_pool *p, int rc, const char *why, urd__link *woken);

/* inbox.c.  Put a job of one element in; true: settle under the lock.  The rest is under the lock:
 * move what came to the queue, where something seems to be there, or for certain; wake an idle
 * worker, if there is one; see that somebody comes, if something does; the caller begins to look,
 * and is coming; and without the lock, for him: has nothing come? */
bool urd__inbox_put(urd_pool *p, urd_pool_job *job);
void urd__inbox_move(urd_pool *p);
void urd__inbox_move_all(urd_pool *p);
bool urd__inbox_call(urd_pool *p, urd__link *woken);
void urd__inbox_settle(urd_pool *p, urd__link *woken);
void urd__inbox_look(urd_pool *p);
bool urd__inbox_is_empty(const urd_pool *p);

/* Start a worker, or a helper, in the pool's scope; it calls urd__pool_leave() last.  0, or why it
 * could not be started, which also fails the scope, unless it is `optional`. */
int urd__pool_start(urd_pool *p, const urd__go_args *args);
void urd__pool_leave(urd_pool *p);

/* Under lock: may one more worker be started?  Then it is counted as up. */
static inline bool urd__pool_grow(urd_pool *p)
{
    bool room = p->up < p->workers;
    p->up += room;
    return room;
}

/* unread.c: a pool begins; a job of it has failed, and nobody waits for it; somebody asks for what
 * a job that is done came to; the pool ends: what is still unread is an error of the program. */
void urd__unread_open(urd_pool *p);
void urd__unread_add(urd_pool *p, urd_pool_job *job);
void urd__unread_take(urd_pool_job *job);
void urd__unread_close(urd_pool *p, int rc);

/* After the lock: those in `woken` may go on. */
void urd__pool_wake(urd__link *woken);

#endif
