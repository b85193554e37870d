/*
 * go.h - start a job of any kind.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_GO_H
#define URD_CORE_GO_H

#include "urd.h"

typedef struct urd__go_args {
    urd_kind kind;
    urd_fn *fn;
    void *arg;
    size_t size;   /* of a process: bytes at arg to copy in and back */
    bool owns_arg; /* arg was allocated with urd__os_alloc() and goes with the job */
    const char *where;
    urd_job *handle;                    /* or NULL */
    urd_time grace_duration;            /* of a process: 0: the default */
    const urd_process_options *process; /* of a process; or NULL */
    bool ours;     /* no job of the user's: it has a stack of its own also where the scope's tasks
                      are compact, and its start does not wait where the scope has a limit */
    bool optional; /* that it could not be started is no error of the scope */
    void (*refused)(void *arg); /* of a task; called instead of fn, on no task, where there was no
                                   memory for its stack: it has then failed with that; or NULL */
} urd__go_args;

/* 0; or a negative errno, which is also the scope's cause; the job has then ended. */
int urd__go(urd_scope *s, const urd__go_args *args);

#endif
