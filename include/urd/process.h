/*
 * process.h - how a process starts: its limits, processors, place and environment.
 *
 * SPDX-License-Identifier: MIT
 *
 *     urd_process_options usual = {.nice = 10, .directory = "/srv/thumbnails"};
 *     rc = urd_job_open(&job, &s, URD_PROCESS, work, &x, sizeof x,
 *                       &(urd_job_options){.process = &usual});
 *
 * The same struct is given to a job held by hand, to a pool, for each of its workers, and to a
 * child of a supervisor.  Given for a task or a thread it is -EINVAL.
 *
 * The new process puts it into effect before it calls the function.  What the system refuses is
 * never passed over: the function is then not called, and the job ends with the system's error
 * (-EPERM, -EACCES, -ENOENT, -EINVAL ...) and a detail that names the option, "directory: No such
 * file or directory"; a pool breaks with it.
 */
#ifndef URD_PROCESS_H
#define URD_PROCESS_H

#include <stdint.h>

#include "urd/base.h"

URD_BEGIN_DECLS

/* One limit, as setrlimit(2) has it: RLIMIT_CPU, RLIMIT_NOFILE ... of <sys/resource.h>.  The job
 * may raise the soft one up to the hard one, which only privilege raises. */
typedef struct urd_limit {
    int resource;
    uint64_t soft, hard; /* RLIM_INFINITY: none */
} urd_limit;

/*
 * What a process gives up for good, it and all that it makes.  It is then killed by SIGSYS at the
 * call, and the error names that: "the sandbox refused socket".  Each contains BASE; one alone can
 * be gone around by another way, ALL is what is meant for data that is not trusted.  What it may
 * still do stands in urd_process_options(3).  Where the kernel has no filters the job fails with
 * -EINVAL and "sandbox: Invalid argument".
 */
typedef enum urd_sandbox {
    URD_SANDBOX_BASE = 1, /* new privileges, other processes (ptrace, kill, process jobs), mounts,
                             namespaces, modules, clocks, keys, io_uring ... */
    URD_SANDBOX_NO_NETWORK = 2, /* sockets, but for those it has: socket, connect, bind, accept */
    URD_SANDBOX_NO_EXEC = 4,    /* other programs */
    URD_SANDBOX_NO_WRITE = 8,   /* files, but for those it has open: to open for writing, to make,
                                   remove, rename, or change their modes and owners */
    URD_SANDBOX_ALL = 15
} urd_sandbox;

/*
 * Where the process comes from.
 *
 * ZYGOTE: forked from a helper that urd_run made; it has the memory of the program as it was then.
 *
 * SPAWN: a fresh image of the program, /proc/self/exe with the arguments and the environment of
 * urd_run, that has nothing of its memory but the shared heap: for libraries that do not survive a
 * fork, and where no secret of the program is to be in reach.  Its main() runs up to urd_run, which
 * then runs the job and never returns: so it must come there again, and what it does before is done
 * in each such process, unless it begins with urd_process_main.
 *   - Variables are as main() has left them.  In the argument pointers into the shared heap are
 *     valid, and no others, of functions and constants neither.  The function that is started is
 *     found, and in a pool that of each job.
 *   - In a library that the program has loaded itself (dlopen) it is found if main() has loaded the
 *     same again; else the job ends with -ENOENT, "the function: No such file or directory", and a
 *     job of a pool with -ENOENT.
 *   - Descriptors that were open at urd_run are, but for those that are closed on exec.
 *   - It takes as long as a program takes to start.
 * -EPERM: the program has more rights than its caller (set-user-ID, file capabilities).  -ENOTSUP:
 * the shared heap is larger than a limit on the size of files, or there is no memfd_create.  Why
 * there is no image ends the job, as a refused option does: "start: Argument list too long"; or
 * "start: File exists", if it has something where the shared heap is.
 */
typedef enum urd_start { URD_START_ZYGOTE, URD_START_SPAWN } urd_start;

/*
 * First in main(), or in a constructor of the program: where this process was spawned, run its job
 * here, and never return; else do nothing.  For programs whose main() does things before urd_run
 * that are to be done once.
 */
void urd_process_main(void);

/*
 * All zero: as the program was when urd_run was called.  They take effect in this order.
 *
 * RLIMIT_AS and RLIMIT_DATA count what is only reserved, too, and the runtime reserves much (the
 * shared heap, stacks): limit memory by a control group.
 */
typedef struct urd_process_options {
    const char *const *env;     /* "NAME=value", the last one NULL: these and no others */
    const char *const *env_add; /* the same, beside what there is; "NAME" takes one away */
    const char *directory;      /* in which it starts; from where the program was at urd_run */
    const char *cgroup;         /* control group that it joins: a folder of /sys/fs/cgroup */
    int nice;                   /* added to its niceness, -40 to 39; below 0 needs privilege */
    int cpu_count;
    const int *cpus; /* the processors it may use, so many, by number; 0: not restricted */
    const urd_limit *limits;
    int limit_count;
    unsigned sandbox; /* of urd_sandbox; 0: none */
    urd_start start;  /* where it comes from */
    long reserved[5]; /* zero */
} urd_process_options;

URD_END_DECLS

#endif
