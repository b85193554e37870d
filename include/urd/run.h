/*
 * run.h - start the runtime, and what it is.
 *
 * SPDX-License-Identifier: MIT
 *
 * urd_run starts the runtime, calls fn(arg) as the first job, waits for it and takes the runtime
 * down.  That job runs on the stack of the calling thread, as main() does.
 */
#ifndef URD_RUN_H
#define URD_RUN_H

#include "urd/time.h"

URD_BEGIN_DECLS

typedef int urd_fn(void *arg);

typedef enum urd_kind { URD_TASK, URD_THREAD, URD_PROCESS } urd_kind;

typedef enum urd_processes {
    URD_PROCESSES_ZYGOTE, /* process jobs are forked from a helper made before any thread */
    URD_PROCESSES_NONE    /* no helper is made; URD_PROCESS is refused with -ENOTSUP */
} urd_processes;

typedef enum urd_deadlock {
    URD_DEADLOCK_SURE,   /* only where nobody else is there who could wake a job: threads that the
                            program made itself count as such */
    URD_DEADLOCK_STRICT, /* threads that the program made itself are not expected to wake a job */
    URD_DEADLOCK_OFF     /* it is not looked for */
} urd_deadlock;

/* The code with which a program ends in which every job waits for another. */
enum { URD_EXIT_DEADLOCK = 79 };

typedef enum urd_io {
    URD_IO_AUTO,  /* io_uring where the kernel has it and lets us, else epoll */
    URD_IO_EPOLL, /* one of them alone; where it is not to be had, urd_run fails with -ENOSYS */
    URD_IO_URING
} urd_io;

typedef enum urd_interrupt {
    URD_INTERRUPT_CANCEL, /* SIGINT (Ctrl-C), where it would end the program, cancels the root scope
                             instead, and urd_run returns -EINTR; a second one ends the program */
    URD_INTERRUPT_TERM,   /* so does SIGTERM */
    URD_INTERRUPT_OFF     /* nothing is touched */
} urd_interrupt;

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
    urd_deadlock deadlock;   /* what is done when every job waits and nothing can wake one: a
                                report is written to stderr, as urd_dump does it, and the program
                                ends with URD_EXIT_DEADLOCK [URD_DEADLOCK=sure, strict or off] */
    void (*on_deadlock)(const char *report); /* is called instead, on a thread of its own, once each
                                time; it may wake a job, or cancel a scope, and return */
    int watchdog_ms;         /* not 0: a task that keeps its worker for so long without a switch is
                                named on stderr, with its stack [URD_WATCHDOG_MS, 1 to 3600000] */
    bool sigquit;            /* SIGQUIT writes the report of urd_dump to stderr, and the program
                                goes on [URD_SIGQUIT=1 or 0] */
    bool debug_locks;        /* who begins to wait for a lock looks whether that closes a ring of
                                locks; it is named on stderr, with the stacks, also when other jobs
                                go on; a wait for a lock then costs some system calls
                                [URD_DEBUG=locks or off] */
    urd_io io;               /* how tasks wait for I/O [URD_IO=epoll, uring or auto] */
    urd_interrupt interrupt; /* Ctrl-C; what the program handles or ignores itself stays so
                                [URD_INTERRUPT=cancel, term or off] */
    size_t compact_bytes;    /* of frames that a task of a compact scope may keep while it waits;
                                0: 1536 [URD_COMPACT_BYTES, 1024 to 65536] */
    long reserved[2];        /* zero */
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
    const char *io_backend;  /* "io_uring" or "epoll": what a worker gets on its first I/O */
    const char *stack_guard; /* "madvise" (MADV_GUARD_INSTALL) or "mprotect" */
    int workers;             /* of the running runtime, else what a default one would have */
    size_t stack_bytes;      /* of the running runtime, else the default */
} urd_about;
void urd_about_get(urd_about *out);

URD_END_DECLS

#endif
