/*
 * runtime.h - the one runtime of this process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_RUNTIME_H
#define URD_CORE_RUNTIME_H

#include "base/atomic.h"
#include "core/worker.h"
#include "urd.h"

struct urd__go_args;

/* Process jobs are made a layer above; the core reaches them through this. */
typedef struct urd__process_ops {
    /* Start job->fn in a process, as it is asked for: with a copy of the bytes at job->arg.  0, or
     * -errno and the job is still the caller's.  Ends in urd__job_done(). */
    int (*start)(urd__job *job, const struct urd__go_args *args);
    /* No job is left; when this returns, nobody of that layer is inside the core any more. */
    void (*stop)(void);
    /* For reports: the ring of all that run, and where in an entry its parts are. */
    const urd__link *all;
    uint32_t link_offset, job_offset, pid_offset;
} urd__process_ops;

/* So is I/O.  Set as the first one waits for it. */
typedef struct urd__io_ops {
    /* Make ready who waits for what has happened; if nothing has, sleep until something does, the
     * time `until` has come (0: do not sleep), or wake() is called.  The worker's own thread. */
    void (*poll)(urd__worker *self, int64_t until);
    void (*wake)(urd__worker *worker); /* end its sleep, or its next one; any thread */
    bool (*quiet)(void);               /* is nothing on its way that would wake anybody? */
    void (*stop)(void);                /* no job is left, and no worker runs */
} urd__io_ops;

typedef enum urd__state { URD__STOPPED, URD__RUNNING, URD__FORKED } urd__state;

typedef struct urd__runtime {
    int state;         /* atomic: urd__state */
    unsigned nworkers; /* these are set by start */
    urd__worker *workers;
    uint64_t seed;
    urd_io io_kind;
    urd_time grace_duration;
    size_t stack_bytes;
    size_t compact_bytes;
    const char *name;
    const char *first_name; /* of the first job, or NULL */
    urd_fn *first_fn;
    const urd__process_ops *processes; /* NULL: none */
    const urd__io_ops *io;             /* atomic; NULL: nobody has waited for I/O */
    urd_scope root;                    /* around the first job */
    bool root_cancelled; /* it was, in time to be told by the result of the run; set as it ends */

    _Alignas(64) int parked; /* atomic: workers that sleep */
    int unparks;             /* atomic: how often one of them went on, to see that none did */
    int searching;           /* atomic: workers that look for work */
    int waking;              /* atomic: threads that are just waking one of them */
    int io_threads;          /* atomic: threads that wait for I/O */
    int words;               /* atomic: waits for words that processes share */
    int stopping;            /* atomic */
    int outside;             /* atomic: jobs that run on no worker, and do not wait */
    int outside_lock;        /* held while it is changed, and who waits for 0 is woken */
    uint64_t cancel_epoch;   /* atomic: cancels so far */

    _Alignas(64) int inject_lock; /* guards the list */
    urd__job *inject_first, *inject_last;
    int injected; /* atomic: length of the list */
} urd__runtime;

extern urd__runtime urd__rt;

/* A job not begun, of the worker that calls.  0, -ENOMEM. */
static inline int urd__worker_offer(urd__worker *self, urd__job *job)
{
    int rc = urd__deque_push(&self->deque, job); /* A1 in park.c */
    if (__builtin_expect(urd__deque_fenced, 0))
        urd__fence_seq(); /* A2 */
    else
        urd__fence_light();                 /* A2 */
    if (urd__load_rlx(&urd__rt.parked) > 0) /* A3, ordered by the fence */
        urd__park_wake_any();
    return rc;
}

/* The same for a job that its worker can well do itself: it may miss a worker that goes to sleep at
 * this very moment, and needs no fence. */
static inline int urd__worker_hint(urd__worker *self, urd__job *job)
{
    int rc = urd__deque_push(&self->deque, job);
    urd__store_rlx(&self->forked, urd__load_rlx(&self->deque.bottom)); /* a hint for thieves */
    if (urd__load_rlx(&urd__rt.parked) > 0) /* a guess, made again at the next one */
        urd__park_wake_any();
    return rc;
}

/* Abort unless this process has a runtime; says why it has none. */
void urd__runtime_need(const char *call);

typedef struct urd__first_job {
    urd_fn *fn;
    void *arg;
    const char *name;  /* or NULL */
    const char *where; /* or NULL */
    bool process_ends; /* right after it: only its threads are waited for, and the rest is left as
                          it is, ready for the next first job in a fork of this process */
} urd__first_job;

/* This process has one runtime at a time: false, and a message, if it has one.  Between the two
 * calls it is ours. */
bool urd__runtime_claim(void);
void urd__runtime_release(void);

/* Start workers and run the first job on the calling thread; cfg has every field set.  The job's
 * result; or a negative errno and *started is false. */
int urd__runtime_run(const urd_config *cfg, const urd__process_ops *processes,
                     const urd__first_job *first, bool *started);

/* Atomic: what the root scope is to be cancelled with; 0: nothing.  Beside urd__rt, since that is
 * written anew by a start, during which a signal may come. */
extern int urd__interrupted;

/*
 * Cancel the root scope with this cause, by the first worker to look around.  From a signal
 * handler, too.  One that comes during the start wakes nobody; the end of the start does:
 *
 *     interrupt:  I1 interrupted = cause       start:  S1 state = RUNNING
 *                 I2 fence seq                         S2 fence seq
 *                 I3 RUNNING? wake a worker            S3 interrupted? wake a worker
 */
static inline void urd__runtime_interrupt(int cause)
{
    urd__store_rel(&urd__interrupted, cause);          /* I1, A1 in park.c [interrupt] */
    urd__fence_seq();                                  /* I2, A2 */
    if (urd__load_acq(&urd__rt.state) == URD__RUNNING) /* I3 [state] */
        urd__park_wake_any();
}

/* The runtime has started. */
static inline void urd__runtime_started(void)
{
    urd__store_rel(&urd__rt.state, URD__RUNNING); /* S1 [state] */
    urd__fence_seq();                             /* S2 */
    if (urd__load_acq(&urd__interrupted))         /* S3 [interrupt] */
        urd__park_wake_any();
}

/* Do so now, if it is asked for.  On a worker. */
static inline void urd__runtime_heed(void)
{
    int cause = urd__load_rlx(&urd__interrupted);                   /* asked again below */
    if (cause && (cause = urd__xchg_ar(&urd__interrupted, 0)) != 0) /* [interrupt] */
        urd_scope_cancel(&urd__rt.root, cause);
}

/* In a process made on purpose: forget the parent's runtime. */
void urd__runtime_forget(void);

/* A job that runs outside of the workers began, or goes on; it ended, or waits. */
void urd__runtime_outside(int change);

#endif
