/*
 * urd.h - the whole public interface of liburdume, in the order one learns it.
 *
 * SPDX-License-Identifier: MIT
 *
 * A job is one call of a function `int fn(void *arg)`.  It runs in a scope, as a task, a thread or
 * a process, and returns 0 or a negative errno.  Everything here can be called from all three, and
 * from threads that the program made itself, unless a comment says otherwise.
 *
 * Rules that hold everywhere:
 *   - Results are 0, a count, or a negative errno; errno itself is neither read nor written.
 *   - A call that can block is a cancel point, always; no other call is.  Once a scope is cancelled
 *     every blocking call in it returns -ECANCELED at once and did nothing.  If the result was
 *     there first, the result wins.
 *   - Blocking allocates nothing.
 *   - A started task stays on its worker thread: errno and thread-local variables are yours.
 *   - Operating errors are returned.  Programmer errors (unlock by a stranger, scopes closed out of
 *     order) abort with file, line and job, in release builds too.
 */
#ifndef URD_H
#define URD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define URD_VERSION "0.1.0"

#if defined(__GNUC__)
#define URD_MUST_USE __attribute__((warn_unused_result))
#else
#define URD_MUST_USE
#endif

/* The place of a call, "file.c:12": reports name the line on which a job was started. */
#define URD_HERE_(line) #line
#define URD_HERE_LINE(line) URD_HERE_(line)
#define URD_HERE __FILE__ ":" URD_HERE_LINE(__LINE__)

/* Private parts of the structures below. */
struct urd__job;
struct urd_scope;
struct urd_job;
struct urd__task;
struct urd__link {
    struct urd__link *prev, *next;
};
struct urd__member {
    struct urd__link link;
    void (*cancel)(struct urd__member *, struct urd_scope *); /* NULL: the member is a scope */
};
struct urd__heap_node {
    struct urd__heap_node *child, *next, *prev;
};
struct urd__timer {
    struct urd__heap_node node; /* under the heap's lock */
    int64_t when;               /* under the heap's lock */
    struct urd__timers *timers; /* atomic: the heap it was last put into, or NULL */
    bool queued;                /* under the heap's lock */
    void (*fire)(struct urd__timer *);
};

/* ---- 1. Time ---------------------------------------------------------------------------------
 *
 * Times are nanoseconds on CLOCK_MONOTONIC; a duration says so in its name.
 */
typedef int64_t urd_time;

#define URD_US INT64_C(1000)
#define URD_MS INT64_C(1000000)
#define URD_SECOND INT64_C(1000000000)
#define URD_FOREVER INT64_MAX

/* The time now; under a virtual clock (tests) the time the clock shows. */
urd_time urd_now(void);

/*
 * Wait for `duration` nanoseconds, or until the time `when`.  A duration of 0 or less, or a time
 * that has passed, returns at once, after the cancel check.  0, or -ECANCELED.
 */
int urd_sleep(urd_time duration);
int urd_sleep_until(urd_time when);

/*
 * Let other tasks of this worker run; in a thread, give up the processor.  0, or -ECANCELED.
 */
int urd_yield(void);

/* ---- 2. Run ----------------------------------------------------------------------------------
 *
 * urd_run starts the runtime, calls fn(arg) as the first job, waits for it and takes the runtime
 * down.  That job runs on the stack of the calling thread, as main() does.
 */
typedef int urd_fn(void *arg);

typedef enum urd_kind { URD_TASK, URD_THREAD, URD_PROCESS } urd_kind;

typedef enum urd_processes {
    URD_PROCESSES_ZYGOTE, /* process jobs are forked from a helper made before any thread */
    URD_PROCESSES_NONE    /* no helper is made; URD_PROCESS is refused with -ENOTSUP */
} urd_processes;

/* All zero is a good configuration.  The variable in brackets, where set, wins over the field. */
typedef struct urd_config {
    int workers;             /* threads that run tasks; 0: as many as affinity mask and cgroup CPU
                                quotas allow, rounded up [URD_WORKERS, 1 to 1024] */
    size_t stack_bytes;      /* what every task may use at least; 0: 65536 [URD_STACK_BYTES] */
    size_t shared_bytes;     /* size of the shared heap, reserved and not touched;
                                0: 1 GiB [URD_SHARED_BYTES] */
    uint64_t seed;           /* not 0: the schedule is drawn from this seed; with one worker and a
                                virtual clock it repeats exactly [URD_SEED] */
    bool virtual_clock;      /* time jumps to the next timer when every task waits
                                [URD_CLOCK=virtual or real] */
    urd_processes processes; /* [URD_PROCESSES=zygote or none] */
    urd_time grace_duration; /* from asking a process to end to killing it; 0: 2 s
                                [URD_GRACE_MS] */
    const char *name;        /* of the program in reports; NULL: the executable's [URD_NAME] */
    long reserved[4];        /* zero */
} urd_config;

/*
 * Run fn(arg) and return its result, or a negative errno with a message on stderr if the runtime
 * could not start: -EINVAL a bad field or variable, -EBUSY a runtime is running already, -ENOMEM,
 * -EAGAIN no thread or process could be made.  cfg NULL: defaults.  The runtime's processes are
 * forked here, so call it before the program grows large; threads may exist, and pending output
 * of stdio is flushed first.  A process made by fork() while the runtime runs has no runtime: its
 * first call that needs one aborts with a message that says so.
 */
int urd_run(const urd_config *cfg, urd_fn *fn, void *arg) URD_MUST_USE;

/* What this library is and what it found on this machine; see urd --version. */
typedef struct urd_about {
    const char *version;     /* URD_VERSION of the library */
    const char *compiler;    /* that built the library */
    const char *io_backend;  /* how idle workers wait */
    const char *stack_guard; /* "madvise" (MADV_GUARD_INSTALL) or "mprotect" */
    int workers;             /* of the running runtime, else what a default one would have */
    size_t stack_bytes;      /* of the running runtime, else the default */
} urd_about;
void urd_about_get(urd_about *out);

/* ---- 3. Scopes -------------------------------------------------------------------------------
 *
 * A scope owns jobs: it ends when all of them have ended.  It is also what is cancelled, and what
 * has a deadline.  Scopes nest: a scope opened inside another, or inside a job of another, is
 * cancelled with it.  They close in reverse order, by the job that opened them.
 *
 * A scope lives in the caller's memory, usually on the stack, so what the opener has on its stack
 * is valid in every job of the scope until the join.  A job that was started always runs, also
 * when its scope is cancelled meanwhile, since it may own what it was given.
 */
typedef struct urd_scope {
    struct urd_scope *parent;  /* set once by open; NULL: outermost */
    struct urd__task *owner;   /* atomic: who opened it and closes it */
    const char *where;         /* set once by open */
    int64_t pending;           /* atomic: jobs not yet ended, and a bit while the owner waits */
    int cause;                 /* atomic: 0, or the first -errno */
    unsigned flags;            /* atomic: shield, keep_going, limit */
    uint64_t checked;          /* atomic: cancel epoch at which `parent` was last seen sound */
    int published;             /* atomic, written under the parent's lock: in its `inner` */
    int lock;                  /* guards what follows */
    int limit;                 /* under lock; 0: none */
    int running;               /* under lock, with a limit: jobs started and not ended */
    struct urd__link inner;    /* under lock: members that a cancel may have to wake */
    struct urd__member member; /* under the parent's lock */
    struct urd__link limited;  /* under lock: who waits to start a job */
    struct urd__job *failed;   /* under lock: jobs that ended with an error, in that order */
    struct urd__job *failed_tail;
    struct urd_job *held;    /* under lock: jobs held by hand */
    struct urd__timer timer; /* the deadline */
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

/* At most `jobs` run at once; starting one more waits.  Before the first job; 0: no limit. */
void urd_scope_limit(urd_scope *s, int jobs);

/* A job's error does not cancel the others.  Join still returns the first. */
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

/* ---- 4. Jobs ---------------------------------------------------------------------------------
 *
 * An error in starting a job also becomes the scope's cause, so it may be left unchecked: join
 * reports it.  In a scope with a limit these calls may wait, and then return -ECANCELED too.
 */

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

/* One job held by hand.  The struct is the caller's, and must live until the scope's join. */
typedef struct urd_job_options {
    const char *name;        /* in reports, and for threads in the kernel; copied; NULL: none */
    urd_time grace_duration; /* of a process: from the asking to the killing; 0: the config's */
    long reserved[4];        /* zero */
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
    int asked;                /* atomic: cancel was passed on to the process */
    char name[32];            /* set once; cut to fit */
    char detail[48];          /* set before `ended` */
    struct urd_job *next;     /* the scope's jobs held by hand; under the scope's lock */
    long reserved[2];
} urd_job;

/* Start a job as urd_spawn does, and keep hold of it.  o NULL: defaults.  Errors as urd_spawn. */
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
                           it returned" */
} urd_exit;
void urd_job_exit(const urd_job *j, urd_exit *out);

/* The name of the job that calls: as given, else its function's symbol, else "job". */
const char *urd_name(void);

/* ---- 5. Channels -----------------------------------------------------------------------------
 *
 * A queue of values of one size, between tasks and threads of one process.  Caller-allocated.  With
 * no slots a send meets a receive (rendezvous); with a ring it is bounded.  A sent value is copied
 * straight into a waiting receiver.  First come, first served.
 */
typedef struct urd_chan {
    int lock;            /* guards all that follows but the first three */
    size_t elem_bytes;   /* set once */
    size_t slots;        /* set once */
    unsigned char *ring; /* set once; slots * elem_bytes bytes */
    size_t head, count;
    bool closed;
    struct urd__link senders; /* at least one of the two is empty; senders wait only if full */
    struct urd__link receivers;
    long reserved[2];
} urd_chan;

/* ring: room for slots * elem_bytes bytes, owned by the caller; NULL with slots 0. */
void urd_chan_init(urd_chan *c, size_t elem_bytes, void *ring, size_t slots);

/* Nobody may wait in it; aborts otherwise. */
void urd_chan_fini(urd_chan *c);

/*
 * Send the value at v, or receive into v; wait while there is no room, or nothing to receive.
 * 0; -EPIPE the channel is closed (receivers first get what was sent before); -ECANCELED.
 */
int urd_chan_send(urd_chan *c, const void *v) URD_MUST_USE;
int urd_chan_recv(urd_chan *c, void *v) URD_MUST_USE;

/* The same without waiting: -EAGAIN instead.  No cancel point. */
int urd_chan_trysend(urd_chan *c, const void *v) URD_MUST_USE;
int urd_chan_tryrecv(urd_chan *c, void *v) URD_MUST_USE;

/* No more sends; everyone who waits is woken.  Closing again does nothing. */
void urd_chan_close(urd_chan *c);

/* Values in the ring now. */
size_t urd_chan_depth(urd_chan *c);

/* ---- 6. Locks --------------------------------------------------------------------------------
 *
 * All-zero is a valid lock; no init, no fini.  A task waits without holding up its worker, a thread
 * waits in the kernel; both on one lock at once.  Waiters are served in order.
 */
typedef struct urd_mutex {
    uintptr_t owner;          /* atomic: the task that holds it, or 0; bit 0: somebody waits */
    int lock;                 /* guards waiters */
    struct urd__link waiters; /* all-zero: empty */
    long reserved[1];
} urd_mutex;

int urd_mutex_lock(urd_mutex *m) URD_MUST_USE;    /* 0, -ECANCELED; aborts if held by the caller */
int urd_mutex_trylock(urd_mutex *m) URD_MUST_USE; /* 0, -EAGAIN */
void urd_mutex_unlock(urd_mutex *m);              /* aborts if not held by the caller */

typedef struct urd_event {
    int set;                  /* atomic */
    int lock;                 /* guards waiters */
    struct urd__link waiters; /* all-zero: empty */
    long reserved[1];
} urd_event;

void urd_event_set(urd_event *e); /* wakes all who wait; stays set */
void urd_event_clear(urd_event *e);
bool urd_event_is_set(const urd_event *e);
int urd_event_wait(urd_event *e) URD_MUST_USE; /* until set; 0, -ECANCELED */

/* ---- 7. Shared memory ------------------------------------------------------------------------
 *
 * Memory that every process of the program sees at the same address: what a process job is given by
 * pointer must lie here.  Aligned to 16 bytes, filled with zeros.  It goes with the last process.
 */
void *urd_shared_alloc(size_t size); /* NULL: the heap is full, size 0, or no runtime is running */
void urd_shared_free(void *p);       /* NULL: nothing; aborts if p was not allocated here */

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
