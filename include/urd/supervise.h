/*
 * supervise.h - keep jobs running: start them again when they end, together where they belong so.
 *
 * SPDX-License-Identifier: MIT
 *
 *     const urd_child children[] = {
 *         {.name = "database", .kind = URD_PROCESS, .fn = database},
 *         {.name = "web", .kind = URD_TASK, .fn = web, .arg = &port},
 *     };
 *     rc = urd_supervise(children, 2, &(urd_supervise_options){.strategy = URD_REST_FOR_ONE}, &r);
 *
 * A supervisor is a call, and so a job like any other: it may be the child of another one, which is
 * how a larger program is built.  After the supervisors of Erlang/OTP.
 */
#ifndef URD_SUPERVISE_H
#define URD_SUPERVISE_H

#include "urd/job.h"

URD_BEGIN_DECLS

/* Which children are started again when one has ended and is to be. */
typedef enum urd_strategy {
    URD_ONE_FOR_ONE, /* that one */
    URD_ONE_FOR_ALL, /* all: the others are stopped first */
    URD_REST_FOR_ONE /* that one and those after it, which are stopped first */
} urd_strategy;

/* When a child that has ended is to be started again. */
typedef enum urd_restart {
    URD_RESTART_ALWAYS,
    URD_RESTART_ON_ERROR, /* not when it returned 0 */
    URD_RESTART_NEVER     /* nor with others that are */
} urd_restart;

typedef struct urd_child {
    const char *name; /* in reports; NULL: none */
    urd_kind kind;
    urd_fn *fn; /* these three as urd_spawn() has them */
    void *arg;
    size_t size;
    urd_restart restart;
    urd_time stop_duration; /* from asking it to end; a process is killed then, and anything else
                               said to be late and waited for; 0: 5 s */
    const urd_process_options *process; /* how a process starts; NULL: as it is */
    long reserved[1];                   /* zero */
} urd_child;

typedef struct urd_supervise_event {
    enum urd_supervise_what {
        URD_CHILD_STARTED,
        URD_CHILD_ENDED,   /* by itself; `result` and `detail` say how */
        URD_CHILD_STOPPED, /* since it was asked to; the same */
        URD_CHILD_LATE,    /* it has not ended within its stop_duration */
        URD_CHILD_GIVEN_UP /* it was to be started again, once too often */
    } what;
    int child; /* its index */
    const char *name;
    int result;         /* what the job returned; -ECHILD: its process died */
    const char *detail; /* as urd_exit has it; "" where it does not apply */
    int restarts;       /* of this child so far */
} urd_supervise_event;

typedef struct urd_supervise_options {
    urd_strategy strategy;
    int restarts_max; /* more restarts than this within restart_duration, and it gives up; 0: 3;
                         negative: none at all */
    urd_time restart_duration; /* 0: 5 s */
    urd_time backoff_duration; /* from an end to the next start; doubled each time that a child does
                                  not live for restart_duration; 0: it is started at once */
    urd_time backoff_max_duration;                          /* 0: 30 s */
    void (*watch)(const urd_supervise_event *e, void *arg); /* called by the job that supervises;
                                                               NULL: nobody watches */
    void *arg;                                              /* of watch */
    long reserved[4];                                       /* zero */
} urd_supervise_options;

typedef struct urd_supervise_report {
    int child;    /* the one given up; else the first that ended for good with an error; -1: none */
    int result;   /* of that, at last */
    int restarts; /* of all children */
    char detail[120]; /* "web: killed by SIGSEGV; more than 3 restarts in 5 s"; "" */
} urd_supervise_report;

/*
 * Start the n children in order, and keep them running, until none is to run any more.  At the end,
 * whatever it is, those that still run are stopped, the last one first, each when those after it
 * have ended or are late; and all of them are waited for.  o NULL: defaults.  r may be NULL.
 *
 * A child that cannot be started counts as one that ended with that error.  One that has ended for
 * good stays so, also when all others are started again.  Tasks and threads are asked to end by a
 * cancel, processes by SIGTERM.
 *
 * 0: all have ended for good; or the error of the first of them that ended with one.  A child was
 * given up: the error with which it ended, or -ECHILD if it returned 0.  -ECANCELED: the caller was
 * cancelled.  -EINVAL: a child of unknown kind, a strategy or number out of range, options of a
 * process for another kind, or a function that processes do not know; -ENOTSUP: processes were
 * configured away; -ENOMEM.  After these three nothing was started, and r->child is -1.
 */
int urd_supervise(const urd_child *children, int n, const urd_supervise_options *o,
                  urd_supervise_report *r) URD_MUST_USE;

URD_END_DECLS

#endif
