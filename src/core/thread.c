/*
 * thread.c - OS threads of the runtime, and jobs that are such.
 *
 * SPDX-License-Identifier: MIT
 *
 * A thread that has counted its job off still has a few instructions to go, so its job's scope
 * does not wait for it.  It puts itself on a list instead; whoever starts the next thread, or ends
 * the runtime, joins those on the list, which by then is nearly always no wait.
 *
 * All threads whose job has not ended are also in a ring, for reports alone.
 */
#include "core/thread.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/block.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "core/task.h"
#include "core/word.h"

typedef urd__thread thread;

static struct {
    int lock; /* guards `first` */
    thread *first;
    int live; /* atomic, futex: threads not yet on the list, plus CLOSING */
} ended;

urd__threads urd__running_threads;

/* In `live`, above any number of threads: somebody waits for the last one. */
static const int CLOSING = 1 << 30;

static void *thread_main(void *arg)
{
    thread *self = arg;
    urd__task *task = &self->task;
    task->counted = true;
    self->number = urd__os_thread_id();
    urd__lock(&urd__running_threads.lock);
    urd__list_push_tail(&urd__running_threads.all, &self->link);
    urd__unlock(&urd__running_threads.lock);
    urd__task_bind_thread(task);
    self->run(task, self->arg);
    urd__lock(&urd__running_threads.lock);
    urd__list_remove(&self->link);
    urd__unlock(&urd__running_threads.lock);
    urd__task_bind_thread(NULL);

    urd__lock(&self->starting);
    urd__unlock(&self->starting);
    urd__lock(&ended.lock);
    self->next = ended.first;
    ended.first = self;
    urd__unlock(&ended.lock);
    if (urd__sub_ar(&ended.live, 1) - 1 == CLOSING)
        urd__os_futex_wake(&ended.live, 1);
    return NULL;
}

static void join_ended(void)
{
    urd__lock(&ended.lock);
    thread *list = ended.first;
    ended.first = NULL;
    urd__unlock(&ended.lock);
    for (thread *next; list; list = next) {
        next = list->next;
        urd__os_thread_join(&list->os);
        urd__os_free(list);
    }
}

int urd__thread_run(void (*run)(urd__task *self, void *arg), void *arg)
{
    join_ended();
    thread *fresh = urd__os_alloc(sizeof *fresh);
    if (!fresh)
        return -ENOMEM;
    fresh->run = run;
    fresh->arg = arg;
    urd__add_ar(&ended.live, 1);
    urd__lock(&fresh->starting);
    int rc = urd__os_thread_start(&fresh->os, 0, thread_main, fresh);
    if (rc) {
        urd__sub_ar(&ended.live, 1);
        urd__os_free(fresh);
        return rc;
    }
    urd__unlock(&fresh->starting);
    return 0;
}

static void run_job(urd__task *self, void *job)
{
    urd__os_thread_name(urd__job_name_quick(job));
    urd__task_run_job(self, job);
    urd__runtime_outside(-1);
}

int urd__thread_start(urd__job *job)
{
    urd__runtime_outside(1);
    int rc = urd__thread_run(run_job, job);
    if (rc)
        urd__runtime_outside(-1);
    else if (urd__worker_self)
        urd__worker_self->gave_way = true;
    return rc;
}

void urd__threads_close(void)
{
    urd__block_close();
    urd__word_close();
    urd__add_ar(&ended.live, CLOSING);
    for (int live; (live = urd__load_acq(&ended.live)) != CLOSING;)
        urd__os_futex_wait(&ended.live, live, INT64_MAX);
    urd__sub_ar(&ended.live, CLOSING);
    join_ended();
    urd__block_open();
    urd__word_open();
}
