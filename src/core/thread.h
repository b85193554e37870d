/*
 * thread.h - jobs that are OS threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_THREAD_H
#define URD_CORE_THREAD_H

#include "core/job.h"

/* 0 and it ends in urd__job_done(); -EAGAIN, -ENOMEM and the job is still the caller's. */
int urd__thread_start(urd__job *job);

/* Wait until the kernel has let go of all of them; their jobs have ended. */
void urd__threads_close(void);

#endif
