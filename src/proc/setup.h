/*
 * setup.h - what a new process is to do before its function: urd_process_options, carried over.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_PROC_SETUP_H
#define URD_PROC_SETUP_H

#include "urd.h"

/* Is every field in range, and the start method to be had?  0; -EINVAL, -ENOTSUP, -EPERM, with a
 * message on stderr.  NULL: 0. */
int urd__setup_check(const urd_process_options *o);

/* A copy in one block of shared memory, with all it points to, for urd_shared_free().  NULL: there
 * is no memory. */
urd_process_options *urd__setup_copy(const urd_process_options *o);

/* In the new process, which has one thread.  0; else why not, and *step says at what.  The number
 * of a call that its sandbox refuses is given to `refused`, as from a signal handler. */
int urd__setup_apply(const urd_process_options *o, int *step, void (*refused)(int call));

/* What its sandbox refused, likewise: "the sandbox refused socket". */
const char *urd__setup_refused_words(int call);

/* What failed at this step, in words of less than 48 bytes that last: "RLIMIT_NOFILE: Operation not
 * permitted". */
const char *urd__setup_words(int step, int rc);

/* The first of them: the environment.  In the process that is to become a fresh image, so that the
 * loader sees it; it may be done once more. */
int urd__setup_env(const urd_process_options *o, int *step);

/* Steps beyond those of urd__setup_apply(). */
enum {
    URD__SETUP_RUNTIME,  /* the runtime could not be started under them */
    URD__SETUP_START,    /* there is no fresh image */
    URD__SETUP_FUNCTION, /* and in this one not the function */
    URD__SETUP_STEPS
};

#endif
