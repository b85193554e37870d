/*
 * exec.h - start other programs, talk to them, wait for them.
 *
 * SPDX-License-Identifier: MIT
 *
 *     const char *argv[] = {"sort", "-u", NULL};
 *     urd_exec_options o = {.input = text, .input_size = size, .out = URD_EXEC_PIPE};
 *     urd_exec_result r;
 *     int rc = urd_exec(argv, &o, &r);
 *     ... r.out, r.out_size; after an error r.detail: "sort: exited with code 2"
 *     urd_exec_free(&r);
 *
 * The program gets its three standard descriptors and no other, no blocked signal, and SIGPIPE as
 * it is by default.  Inside urd_run, from tasks and threads.
 */
#ifndef URD_EXEC_H
#define URD_EXEC_H

#include "urd/time.h"

URD_BEGIN_DECLS

/* What a standard descriptor of the program is; 0: the same as of this program, above 0: that
 * descriptor, which stays open here.  One that was made here, by urd_pipe, urd_accept or urd_open,
 * is put into blocking mode for the program; urd_sendfile, urd_splice and urd_accept undo that. */
enum {
    URD_EXEC_PIPE = -1, /* a pipe to or from this program */
    URD_EXEC_NULL = -2, /* nothing: /dev/null */
    URD_EXEC_OUT = -3   /* of err: the same as out */
};

/* All zero: as this program has it. */
typedef struct urd_exec_options {
    const char *const *env;  /* "NAME=value", the last one NULL; NULL: this program's */
    const char *directory;   /* in which it starts; NULL: this program's */
    int in, out, err;        /* see above */
    urd_time grace_duration; /* from asking it to end (SIGTERM) to killing it; 0: 2 s */
    const void *input;       /* of urd_exec: what it reads from a pipe; NULL: nothing */
    size_t input_size;
    size_t output_max; /* of what is read from each of its pipes; 0: 64 MiB */
    long reserved[4];  /* zero */
} urd_exec_options;

typedef struct urd_exec_result {
    int code;        /* with which it exited; -1: it did not */
    int signal;      /* that killed it; 0: none */
    char *out, *err; /* what it wrote to pipes, with a NUL behind; NULL: nothing was read */
    size_t out_size, err_size;
    char detail[120]; /* "sort: exited with code 2", "sort: killed by SIGTERM", "sort: No such file
                          or directory" */
} urd_exec_result;

/*
 * Run a program, and wait until it has ended and all it wrote to pipes is read; argv ends with
 * NULL, argv[0] is looked for in PATH unless there is a slash in it.  `r` may be NULL; else it is
 * to be freed, also after an error, when it holds what there is.
 *
 * 0: it exited with code 0.  -ECHILD: it ended in another way, as `r` has it.
 * -ENOENT, -EACCES, -ENOEXEC, -ENOTDIR, -E2BIG, -EAGAIN, -ENOMEM, -EMFILE: it was not started.  A
 * program that is just being written (-ETXTBSY) is tried again for some 0.1 s.
 * -ENOBUFS: it wrote more than `output_max`.  -ECANCELED.  After both it has been asked to end
 * (SIGTERM), killed if it did not, and is gone.
 */
int urd_exec(const char *const *argv, const urd_exec_options *o, urd_exec_result *r) URD_MUST_USE;
void urd_exec_free(urd_exec_result *r);

/* One program held by hand.  The struct is the caller's. */
typedef struct urd_program {
    pid_t pid;        /* set once by open */
    int pidfd;        /* set once by open; -1: this system has none */
    int in, out, err; /* our ends of its pipes, for urd_write and urd_read; -1: none.  To be closed
                          by urd_close, and then set to -1; else urd_exec_close does it */
    bool ended;       /* these three are set by urd_exec_wait */
    int code, signal; /* as in urd_exec_result */
    urd_time grace_duration;
    size_t output_max;
    char name[40];    /* of the program */
    char detail[120]; /* set by whatever failed last */
    long reserved[2];
} urd_program;

/* Start a program.  0; else what urd_exec returns when it was not started, or -ECANCELED: it was
 * not.  p->detail says why. */
int urd_exec_open(urd_program *p, const char *const *argv, const urd_exec_options *o) URD_MUST_USE;

/* Wait until it has ended: 0, -ECHILD as urd_exec.  -ECANCELED: it runs on.  By one job at a time.
 * Where the program that calls ignores SIGCHLD nobody knows how it ended, and it is -ECHILD. */
int urd_exec_wait(urd_program *p) URD_MUST_USE;

/*
 * Write `size` bytes to its standard input and close that, while what it writes is read into r->out
 * and r->err, until it closes them: neither can keep the other waiting.  Only of those that are
 * pipes.  A program that does not read its input is no error.  0, -ENOBUFS, -ENOMEM, -ECANCELED.
 * Sets no other field of `r` but those that urd_exec_free() frees.
 */
int urd_exec_talk(urd_program *p, const void *input, size_t size, urd_exec_result *r) URD_MUST_USE;

/* Send it a signal.  0, -ESRCH it has ended, -EINVAL no signal. */
int urd_exec_kill(urd_program *p, int sig);

/*
 * Let go of it: closes the pipes.  One that has not ended is asked to (SIGTERM), killed when its
 * grace is over, and waited for, which no cancel cuts short.  Returns what urd_exec_wait would.
 */
int urd_exec_close(urd_program *p);

URD_END_DECLS

#endif
