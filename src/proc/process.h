/*
 * process.h - process jobs: start, cancel, end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_PROC_PROCESS_H
#define URD_PROC_PROCESS_H

#include <stddef.h>
#include <stdint.h>

#include "core/go.h"
#include "core/job.h"
#include "core/runtime.h"
#include "urd.h"

/*
 * In urd_run, after urd__shared_map() and before the first thread: remember what is loaded, make
 * the zygote.  config has every field set.  0, -ENOMEM, or what urd__zygote_start() says.
 */
int urd__process_open(const urd_config *config);

/* After the last job has ended. */
void urd__process_close(void);

/*
 * Start job->fn as a process with a copy of the args->size bytes at job->arg, under the options of
 * args->process; a cancel of its scope asks it to end, and kills it when its grace is over.  0:
 * urd__job_done() is called for it later, from another thread, perhaps before this returns.
 * Otherwise the job is still the caller's: -ENOTSUP, -EINVAL, -ENOMEM, -EAGAIN; the last three say
 * why on stderr.  May block for the time of a few forks.
 */
int urd__process_start(urd__job *job, const urd__go_args *args);

/* In a process that was spawned: run its job, and do not return.  Elsewhere: nothing. */
void urd__process_resume(void);

/* Did the program have this function at urd_run?  0; -EINVAL, with a message on stderr. */
int urd__process_knows(urd_fn *fn);

extern const urd__process_ops urd__process_operations;

/* A wait status in words, which last: "killed by SIGSEGV (core dumped)". */
const char *urd__process_words(int status);

#endif
