/*
 * thread.h - OS threads of the runtime, and jobs that are such.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_THREAD_H
#define URD_CORE_THREAD_H

#include "core/job.h"
#include "core/task.h"

/* Call run(self, arg) in a thread of its own, whose task is `self`.  0, -EAGAIN, -ENOMEM. */
int urd__thread_run(void (*run)(urd__task *self, void *arg), void *arg);

/* 0 and it ends in urd__job_done(); -EAGAIN, -ENOMEM and the job is still the caller's. */
int urd__thread_start(urd__job *job);

/* Wait until the kernel has let go of all of them; they have ended, or are about to. */
void urd__threads_close(void);

#endif
