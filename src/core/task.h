/*
 * task.h - what can wait: a started task on a stack of its own, or an OS thread.
 *
 * SPDX-License-Identifier: MIT
 *
 * Life of a task: a worker takes a job, gives it a stack with a task at its top, and switches to
 * it.  From then on it is in one of four places: running (its worker's `current`), ready (in its
 * worker's queue), in the inbox of its worker (made ready by another thread), or waiting, where
 * only the nodes it put on wait queues lead to it.  When the job has returned the stack is used for
 * the next job, or goes back to the worker's cache.
 *
 * An OS thread that calls the library is a task too, without a worker; it waits on a futex.
 */
#ifndef URD_CORE_TASK_H
#define URD_CORE_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/job.h"
#include "core/stack.h"
#include "urd.h"

struct urd__worker;

/* A thread that waits for I/O sleeps in poll(), not on its futex. */
typedef struct urd__polled {
    urd__link link; /* fd.c: all that there are, under their lock */
    int fd;
    short events;
    short seen;  /* of those, once it is ready; else 0 */
    int wake;    /* an event that ends the poll */
    bool is_set; /* fd is a set of others, made for this */
} urd__polled;

/* What a wake reads comes first, in as few cache lines as it can be: a crowd that wakes is cold. */
typedef struct urd__task {
    uint64_t wait;         /* atomic: see wait.h */
    urd_scope *wait_scope; /* atomic: whose cancel ends this wait; NULL: no cancel does */
    const void *waits_on;  /* atomic: the object, of the kind that `reason` says; for reports */
    int64_t since;         /* self only: about when the wait began; for reports */
    int reason;            /* atomic: urd__reason */
    int futex;             /* atomic, of a thread: 1 when it may go on */
    struct urd__worker *worker;    /* set once; NULL: an OS thread */
    struct urd__task *next;        /* in the ready queue or the inbox */
    void *context;                 /* worker only: where it goes on */
    urd__job *job;                 /* self only: that runs now; NULL: none */
    struct urd__timer timer;       /* of its sleep */
    bool rang;                     /* that timer ended the wait; written by who claimed it */
    bool compact;                  /* set once: it lies in a slot of compact.c */
    urd_scope *scope;              /* self only: the innermost */
    struct urd__job_value *values; /* self only: job_local.c */
    unsigned locks;                /* self only: how many it holds */
    const void *locked_at; /* self only: the call that took the last of them returns there */
    urd__member member;    /* under member_of->lock */
    urd_scope *member_of;  /* self only: the scope in which cancel finds it, or NULL */
    urd__stack stack;      /* set once */
    bool counted;          /* of a thread: it is one of the runtime's jobs */
    urd__polled *polled;   /* of a thread, set before it waits; NULL: it sleeps on the futex */
    const struct urd__word *word; /* the same: and on a word that processes share, word.h */
    void *fake_stack;             /* AddressSanitizer's */
    void *fiber;                  /* ThreadSanitizer's */
    unsigned valgrind_id;
    uint64_t live; /* atomic: URD__TASK_LIVE from its start to its end: reports look for it at the
                      top of every stack */
} urd__task;

#define URD__TASK_LIVE UINT64_C(0x6b73617420647275) /* "urd task" */

/* The worker that this thread is, or NULL.  A started task never moves, so it may be kept. */
#ifdef URD_MODEL
struct urd__worker **urd__model_worker(void); /* of the model's thread that runs */
#define urd__worker_self (*urd__model_worker())
#else
extern __thread struct urd__worker *urd__worker_self __attribute__((tls_model("initial-exec")));
#endif

/* Who calls; worker.h has the inline part. */
urd__task *urd__task_thread_self(void);

/* Let this thread be known as `task` from here on; NULL: as nobody in particular. */
void urd__task_bind_thread(urd__task *task);

/* Give up the processor until urd__task_ready(self); a thread.  In wait.h for all. */
void urd__task_park_thread(urd__task *self);

/* A thread that waits is at rest: with virtual time the clock may go on without it, and if all rest
 * and no timer is set that is a deadlock.  Who makes it ready ends its rest. */
void urd__task_rest(const urd__task *self, bool rests);

/* The same, but a thread gives up at `until`, or when what it polls is ready: false then. */
bool urd__task_park_thread_until(urd__task *self, int64_t until);

/* Let a parked task, or one about to park, go on.  Exactly once for each park; any thread. */
void urd__task_ready(urd__task *task);

/* One lock more, taken by a public call that returns to `at`; one less.  By the task that holds it.
 */
static inline void urd__task_locked(urd__task *self, const void *at)
{
    self->locks++;
    self->locked_at = at;
}

static inline void urd__task_unlocked(urd__task *self)
{
    self->locks--;
}

/* What the caller of this function returns to. */
#define URD__CALLER ((const void *)__builtin_return_address(0))

/* Abort unless the task holds as many locks as before it called `what`, which has returned. */
__attribute__((noreturn)) void urd__task_locks_differ(const urd__task *self, unsigned before,
                                                      const char *what);
static inline void urd__task_check_locks(const urd__task *self, unsigned before, const char *what)
{
    if (__builtin_expect(self->locks != before, 0))
        urd__task_locks_differ(self, before, what);
}

/* Run a job as part of the calling task, to its end. */
void urd__task_run_job(urd__task *self, urd__job *job);

/* job_local.c: what the job that runs has set, as it ends. */
void urd__job_values_destroy(urd__task *self);

/* Start a job on a stack of its own; on the worker, from its scheduling loop. */
void urd__task_start(struct urd__worker *worker, urd__job *job);

#endif
