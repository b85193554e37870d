/*
 * pool.h - workers of one kind that stay up and run many small jobs.
 *
 * SPDX-License-Identifier: MIT
 *
 * A pool is opened once, then given jobs: bytes in, bytes out.  The call is the same for workers
 * that are tasks, threads or processes.  What a process worker is given and gives back is copied
 * through shared memory, or not at all where the caller's memory is shared already.
 *
 * A worker that dies (crash, exit, kill) loses exactly the job it was running: that job fails with
 * -ECHILD, or is run again where `retries_max` allows it.  The worker is replaced.  No other job is
 * lost, none runs twice, and every wait returns.
 *
 * The workers are jobs of the scope in which the pool was opened.  Close the pool before that scope
 * is joined.  When the scope is cancelled, so is the pool: jobs not begun fail with -ECANCELED.
 */
#ifndef URD_POOL_H
#define URD_POOL_H

#include "urd/process.h"
#include "urd/progress.h"
#include "urd/run.h"
#include "urd/scope.h"

URD_BEGIN_DECLS

typedef struct urd_pool urd_pool;
typedef struct urd_pool_flow urd_pool_flow;

/* A job of a pool: 0 or a negative errno.  in and out do not overlap. */
typedef int urd_pool_fn(const void *in, void *out);

/* What a library brings that runs jobs elsewhere, see urd_mpi.h: elements in a row. */
typedef struct urd_pool_load {
    urd_pool_fn *fn;
    const void *in;
    void *out;
    size_t in_bytes, out_bytes; /* of one */
    size_t n;
    size_t failed;   /* set with an error: which of them, the first */
    char detail[48]; /* and with it, in words; else "" */
} urd_pool_load;

typedef struct urd_pool_carrier {
    int (*knows)(void *arg, urd_pool_fn *fn); /* 0, or why it cannot be carried */
    /* Called by the workers, each in its own job, in place of load->fn: wait until all n have been
     * run.  0, or the error of one, and the rest may not have been run. */
    int (*carry)(void *arg, urd_pool_load *load);
    int (*close)(void *arg); /* called last by urd_pool_close, which returns the error if it has
                                none itself; not called where urd_pool_open has failed */
} urd_pool_carrier;

/* All zero is a good choice. */
typedef struct urd_pool_options {
    const char *name; /* of its workers in reports; copied; NULL: "pool" */
    urd_fn *begin;    /* what each worker calls before its first job; its error breaks the pool */
    urd_fn *end;      /* and after its last, unless it died */
    void *arg;        /* of both; for processes it must be NULL or shared memory */
    int jobs_max;     /* a process is replaced after so many jobs; 0: never */
    int retries_max;  /* a job whose process died is run again, at most so often; only where running
                          it twice does no harm; 0: it fails at once */
    int restarts_max; /* more deaths than this within restart_duration break the pool: what is not
                          done fails with -ECHILD; 0: 10 */
    int workers_min;  /* begin with so many; more are started, up to `workers`, when a job comes and
                         nobody is free; 0: all of them, at once and for good */
    urd_time restart_duration; /* 0: 5 s */
    urd_time idle_duration;    /* a worker above workers_min ends when it has had nothing to do for
                                  so long; 0: 10 s */
    const urd_process_options *process; /* how each of its processes starts; copied; if the system
                                           refuses it the pool breaks; NULL: as they are */
    const urd_pool_carrier *carrier;    /* of tasks and threads: who runs the jobs in their place */
    void *carrier_arg;                  /* of its functions */
    long reserved[2];                   /* zero */
} urd_pool_options;

/*
 * Start `workers` of the kind; 0: as many as the runtime has.  o NULL: defaults.  Never blocks.
 * 0; -EINVAL unknown kind, a number out of range, options of a process or a carrier for the kinds
 * that have none, or a `begin` that processes do not know; -ENOMEM; -ENOTSUP processes were
 * configured away; or why no worker could be started.  *p is NULL then.
 */
int urd_pool_open(urd_pool **p, urd_kind kind, int workers, const urd_pool_options *o) URD_MUST_USE;

/*
 * Wait for all jobs that were given to it, end the workers, free it; nobody else may use it then.
 * Not cut short by a cancel, which reaches the jobs.  0; -ECANCELED it was cancelled; -ECHILD too
 * many workers died; what a worker's `begin` returned; or why the options of its processes were
 * refused, which urd_pool_detail() of its jobs and a line on stderr name.  Errors of jobs given by
 * hand are to have been asked for, see below.
 */
int urd_pool_close(urd_pool *p);

/* The jobs not begun fail with -ECANCELED, those that run end.  Never blocks; close it as well. */
void urd_pool_cancel(urd_pool *p);

/*
 * out[i] = fn(in[i]) for all n elements, whichever worker is free, results in order.  Waits for all
 * of them.  0; the error of the element with the lowest index that failed: after an error no more
 * elements are begun; -ECANCELED the caller or the pool is cancelled: elements that had begun were
 * waited for; -EINVAL fn is not known to processes; -ENOMEM the shared heap is full.
 */
#define urd_pool_map(p, fn, in, out, n)                                                            \
    urd_pool_map_sized(p, fn, in, sizeof *(in), out, sizeof *(out), n)
int urd_pool_map_sized(urd_pool *p, urd_pool_fn *fn, const void *in, size_t in_bytes, void *out,
                       size_t out_bytes, size_t n) URD_MUST_USE;

/*
 * One job given by hand.  The struct is the caller's, and must live until the job is done.
 *
 * Who gives a job asks how it ended.  urd_pool_close aborts, naming the call that gave it, if a job
 * has failed and nobody has waited for it by then; but not where it returns an error itself.
 */
typedef struct urd_pool_job {
    /* These are all that a worker needs of a job that goes well: one line of the cache. */
    struct urd__link link; /* under the pool's lock; in the inbox, the one below */
    urd_pool_fn *fn;       /* these are set by submit */
    const unsigned char *in;
    unsigned char *out;
    size_t n;
    size_t next;            /* atomic: the first element not handed out */
    unsigned short holders; /* under the pool's lock: workers that run elements of it */
    unsigned short marks;   /* under the pool's lock: there is more to be done at its end */
    int done;               /* atomic */

    urd_pool *pool; /* these are set by submit */
    size_t in_bytes, out_bytes;
    const void *given_at;     /* the call returns there */
    urd_pool_flow *flow;      /* that it is of, or NULL; set once */
    size_t failed;            /* under the pool's lock: the lowest index that failed */
    struct urd__link waiters; /* under the pool's lock */
    uint64_t unread; /* atomic: the pool's number, until somebody asks for its error; 0: none */
    int result;      /* under the pool's lock until it is done */
    char detail[52];
} urd_pool_job;

/*
 * Give the pool one job: fn reads in_bytes at in and writes out_bytes at out; both must live until
 * it is done.  Never blocks.  0; -ECANCELED, -ECHILD the pool has ended so; -EINVAL fn is not known
 * to processes: then the job is not the pool's.
 */
int urd_pool_submit(urd_pool_job *j, urd_pool *p, urd_pool_fn *fn, const void *in, size_t in_bytes,
                    void *out, size_t out_bytes) URD_MUST_USE;

/* Until it is done; its result.  By several, and again later.  -ECANCELED when the caller is
 * cancelled while it waits: the job goes on. */
int urd_pool_wait(urd_pool_job *j) URD_MUST_USE;

/* Never waits. */
bool urd_pool_done(const urd_pool_job *j);

/* Take back a job that no worker has begun; it is then done, with -ECANCELED.  0; -EBUSY it runs,
 * or is done. */
int urd_pool_drop(urd_pool_job *j);

/* Of a job that is done: in words what happened to its worker, as urd_exit has it, "killed by
 * SIGKILL, out of memory"; else "". */
const char *urd_pool_detail(const urd_pool_job *j);

/* ---- Flows: arguments made as they are needed, results taken as they come ----
 *
 *     rc = urd_pool_flow_open(&f, pool, hash_file, &(urd_pool_flow_options){
 *         .source = next_path, .arg = &walk, .in_bytes = sizeof(path), .out_bytes = sizeof(hash)});
 *     while (rc == 0 && (rc = urd_pool_flow_next(f, &r)) > 0)
 *         rc = use(r.in, r.out, r.result);
 *     int closed = urd_pool_flow_close(f);
 *
 * No more than `inflow_max` arguments are made ahead of the results that were taken: so an endless
 * input, or one larger than the memory, may be worked through.
 */

/* Write the next argument: 1; 0: there are no more; -errno: and none, since an error met. */
typedef int urd_pool_source_fn(void *arg, void *in);

typedef struct urd_pool_flow_options {
    urd_pool_source_fn *source; /* called by urd_pool_flow_next, in the job that calls that */
    void *arg;                  /* of source */
    const void *in;             /* without a source: an array, which is not copied, */
    size_t n;                   /* of so many arguments */
    size_t in_bytes, out_bytes; /* of one argument, of one result */
    int inflow_max;             /* results not taken, at most; 0: 16 for each worker */
    bool ordered;               /* results in the order of the arguments; else as they come */
    urd_progress *progress;     /* counts each result that is taken; NULL: none */
    long reserved[4];           /* zero */
} urd_pool_flow_options;

typedef struct urd_pool_result {
    size_t index;       /* of the argument, from 0 */
    int result;         /* what fn returned; -ECHILD its process died; -ECANCELED it never began */
    const void *in;     /* these three are valid until the next call on the flow */
    const void *out;    /* garbage after an error */
    const char *detail; /* as urd_pool_detail() has it */
} urd_pool_result;

/*
 * Prepare a flow of jobs; nothing is begun before the first urd_pool_flow_next().  To be closed
 * before the pool, by the job that uses it, and used by one job at a time.  Never blocks.
 * 0; -EINVAL a number out of range, or fn is not known to processes; -ENOMEM.  *f is NULL then.
 */
int urd_pool_flow_open(urd_pool_flow **f, urd_pool *p, urd_pool_fn *fn,
                       const urd_pool_flow_options *o) URD_MUST_USE;

/*
 * Give the pool what there is room for, wait for a result, and take it: 1.  An error of one job is
 * in its result, and the flow goes on.  0: all arguments were made and all results taken.
 * -ECANCELED: the caller is cancelled; the flow is as before, and may go on in another scope.
 * Any other -errno: after all results of what had been given: what the source returned, or why the
 * pool ended early, and -ECANCELED where that was cancelled.
 */
int urd_pool_flow_next(urd_pool_flow *f, urd_pool_result *r) URD_MUST_USE;

/*
 * Take back what no worker has begun, wait for what runs, free the flow.  Not cut short by a
 * cancel.  0; or, since none of its jobs fails unseen, the error of the first in order whose result
 * nobody took: so after urd_pool_flow_next() has returned 0 it is 0.  Jobs that were cancelled or
 * taken back have not failed.  NULL: nothing, 0.
 */
int urd_pool_flow_close(urd_pool_flow *f) URD_MUST_USE;

typedef struct urd_pool_state {
    int workers;    /* that are up */
    size_t waiting; /* elements not handed to a worker */
    size_t running; /* handed to one, not ended */
    size_t ended;   /* so far */
    size_t died;    /* workers lost so far */
} urd_pool_state;
void urd_pool_get(urd_pool *p, urd_pool_state *out);

URD_END_DECLS

#endif
