/*
 * job.h - start jobs, and hold one by hand.
 *
 * SPDX-License-Identifier: MIT
 *
 * An error in starting a job also becomes the scope's cause, so it may be left unchecked: join
 * reports it.  In a scope with a limit these calls may wait, and then return -ECANCELED too.
 */
#ifndef URD_JOB_H
#define URD_JOB_H

#include "urd/process.h"
#include "urd/scope.h"

URD_BEGIN_DECLS

/* Start fn(arg) as a task.  0, -ENOMEM. */
#define urd_go(s, fn, arg) urd_go_at(s, fn, arg, URD_HERE)
int urd_go_at(urd_scope *s, urd_fn *fn, void *arg, const char *where);

/* The same with a copy of the `size` bytes at arg, which ends with the job. */
#define urd_go_copy(s, fn, arg, size) urd_go_copy_at(s, fn, arg, size, URD_HERE)
int urd_go_copy_at(urd_scope *s, urd_fn *fn, const void *arg, size_t size, const char *where);

/*
 * Start fn(arg) on the given kind.  As a process, fn runs in memory of its own: it gets a copy of
 * the `size` bytes at arg, which are copied back when it has ended and returned; so one struct
 * carries arguments and results under all three kinds.  With size 0 the pointer itself is passed,
 * and must then be NULL or point into memory that is the same in every process.
 * 0, -ENOMEM, -EAGAIN (no thread or process to be had), -EINVAL (unknown kind, or as a process a
 * function that was loaded after urd_run), -ENOTSUP (processes were configured away).
 */
#define urd_spawn(s, kind, fn, arg, size) urd_spawn_at(s, kind, fn, arg, size, URD_HERE)
int urd_spawn_at(urd_scope *s, urd_kind kind, urd_fn *fn, void *arg, size_t size,
                 const char *where);

/*
 * One job held by hand.  The struct is the caller's, and must live until the scope's join; to open
 * another job in it before that aborts, at the latest in the join.
 *
 * Who holds a job asks how it ended.  In a scope that keeps going the join tells of one failure; it
 * aborts, naming the job, if another job that was held has failed and nobody has asked for its
 * result: by urd_job_join, urd_select, urd_job_exit or urd_scope_errors.  No such error is one of a
 * job that was cancelled or killed by urd_job_kill, or in a scope that is cancelled.
 */
typedef struct urd_job_options {
    const char *name;        /* in reports, and for threads in the kernel; copied; NULL: none */
    urd_time grace_duration; /* of a process: from the asking to the killing; 0: the config's */
    const urd_process_options *process; /* how a process starts; copied; NULL: as it is */
    long reserved[3];                   /* zero */
} urd_job_options;

typedef struct urd_job {
    urd_scope scope;          /* around this job alone, so that it can be cancelled alone */
    struct urd__job *job;     /* while it runs; under scope.lock */
    struct urd__link joiners; /* under scope.lock: who waits in urd_job_join */
    int result;               /* set before `ended` */
    int ended;                /* atomic */
    int status;               /* of a process, as waitpid gives it; set before `ended` */
    urd_kind kind;            /* set once */
    pid_t pid;                /* atomic; of a process; 0: none */
    int pidfd;                /* atomic; of a process; -1: none; closed by the scope's join */
    int killed;               /* atomic: urd_job_kill has sent it SIGKILL */
    char name[32];            /* set once; cut to fit */
    char detail[48];          /* set before `ended` */
    struct urd_job *next;     /* the scope's jobs held by hand; under the scope's lock */
    int unread;               /* atomic: it has an error that nobody has asked for */
    int refused;              /* a process, whose options the system refused; set before `ended` */
    long reserved[1];
} urd_job;

/* Start a job as urd_spawn does, and keep hold of it.  o NULL: defaults.  Errors as urd_spawn;
 * -EINVAL also for options of a process that are out of range, or for another kind. */
#define urd_job_open(j, s, kind, fn, arg, size, o)                                                 \
    urd_job_open_at(j, s, kind, fn, arg, size, o, URD_HERE)
int urd_job_open_at(urd_job *j, urd_scope *s, urd_kind kind, urd_fn *fn, void *arg, size_t size,
                    const urd_job_options *o, const char *where);

/*
 * Wait until it has ended; returns its result.  May be called by several, and again later.
 * -ECANCELED when the caller is cancelled while it waits: the job runs on.
 */
int urd_job_join(urd_job *j) URD_MUST_USE;

/* Has it not ended yet? */
bool urd_job_alive(const urd_job *j);

/* Cancel this job alone; it then ends with -ECANCELED.  A process is asked (SIGTERM), then killed
 * when its grace is over. */
void urd_job_cancel(urd_job *j);

/* Send a signal to a process job.  0, -ESRCH it has ended, -EINVAL not a process or no signal. */
int urd_job_kill(urd_job *j, int sig);

const char *urd_job_name(const urd_job *j); /* "" where none was given */
pid_t urd_job_pid(const urd_job *j);        /* of a process; 0 for other kinds */
int urd_job_pidfd(const urd_job *j);        /* of a process: readable when it has ended; else -1 */

/* How a process ended: its exit code, else -1; the signal that killed it, else 0; and in words. */
typedef struct urd_exit {
    int code;
    int signal;
    const char *detail; /* "running", "returned 0", "killed by SIGSEGV", "exited with code 3 before
                           it returned"; of one that the kernel killed since its control group had
                           no memory left: "killed by SIGKILL, out of memory", and "... perhaps out
                           of memory" where that cannot be known */
} urd_exit;
void urd_job_exit(const urd_job *j, urd_exit *out);

/* The name of the job that calls: as given, else its function's symbol, else "job". */
const char *urd_name(void);

/* What tells the job that calls from all others, until it has ended, where it is a task.  NULL: it
 * is none, so when it blocks it holds up nobody but itself. */
const void *urd_task_id(void);

URD_END_DECLS

#endif
