/*
 * thread.c - jobs that are OS threads.
 *
 * SPDX-License-Identifier: MIT
 *
 * A thread that has counted its job off still has a few instructions to go, so its job's scope
 * does not wait for it.  It puts itself on a list instead; whoever starts the next thread, or ends
 * the runtime, joins those on the list, which by then is nearly always no wait.
 */
#include "core/thread.h"

#include <errno.h>
#include <pthread.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "core/task.h"

typedef struct thread {
    struct thread *next; /* under ended.lock */
    pthread_t id;        /* set by the starter, before the thread can end: under `starting` */
    urd__job *job;       /* set before the thread starts */
    int starting;        /* a lock the starter holds until `id` is set */
    urd__task task;      /* the thread's own */
} thread;

static struct {
    int lock; /* guards `first` */
    thread *first;
    int live; /* atomic, futex: threads not yet on the list, plus CLOSING */
} ended;

/* In `live`, above any number of threads: somebody waits for the last one. */
static const int CLOSING = 1 << 30;

static void *thread_main(void *arg)
{
    thread *self = arg;
    urd__task *task = &self->task;
    task->counted = true;
    urd__task_bind_thread(task);
    urd__os_thread_name(urd__job_name_quick(self->job));
    urd__task_run_job(task, self->job);
    urd__runtime_outside(-1);
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
        urd__os_thread_join(list->id);
        urd__os_free(list);
    }
}

int urd__thread_start(urd__job *job)
{
    join_ended();
    thread *fresh = urd__os_alloc(sizeof *fresh);
    if (!fresh)
        return -ENOMEM;
    fresh->job = job;
    urd__runtime_outside(1);
    urd__add_ar(&ended.live, 1);
    urd__lock(&fresh->starting);
    pthread_t id;
    int rc = urd__os_thread_start(&id, 0, thread_main, fresh);
    if (rc) {
        urd__sub_ar(&ended.live, 1);
        urd__runtime_outside(-1);
        urd__os_free(fresh);
        return rc;
    }
    fresh->id = id;
    urd__unlock(&fresh->starting);
    return 0;
}

void urd__threads_close(void)
{
    urd__add_ar(&ended.live, CLOSING);
    for (int live; (live = urd__load_acq(&ended.live)) != CLOSING;)
        urd__os_futex_wait(&ended.live, live, INT64_MAX);
    urd__sub_ar(&ended.live, CLOSING);
    join_ended();
}
