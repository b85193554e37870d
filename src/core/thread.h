/*
 * thread.h - OS threads of the runtime, and jobs that are such.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_THREAD_H
#define URD_CORE_THREAD_H

#include "base/os.h"
#include "core/job.h"
#include "core/task.h"

typedef struct urd__thread {
    urd__link link;           /* under urd__running_threads.lock */
    struct urd__thread *next; /* in the list of those that have ended, under its lock */
    urd__os_thread os;        /* set by the starter, before the thread can end: under `starting` */
    pid_t number;             /* the kernel's; set by itself */
    void (*run)(urd__task *self, void *arg); /* these two set before the thread starts */
    void *arg;
    int starting;   /* a lock the starter holds until `os` is set */
    urd__task task; /* the thread's own */
} urd__thread;

/* Those whose job runs; for reports. */
typedef struct urd__threads {
    int lock;
    urd__link all;
} urd__threads;
extern urd__threads urd__running_threads;

/* Call run(self, arg) in a thread of its own, whose task is `self`.  0, -EAGAIN, -ENOMEM. */
int urd__thread_run(void (*run)(urd__task *self, void *arg), void *arg);

/* 0 and it ends in urd__job_done(); -EAGAIN, -ENOMEM and the job is still the caller's. */
int urd__thread_start(urd__job *job);

/* Wait until the kernel has let go of all of them; they have ended, or are about to. */
void urd__threads_close(void);

#endif
