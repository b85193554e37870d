/*
 * crew.c - workers that are tasks or threads of this process.
 *
 * SPDX-License-Identifier: MIT
 *
 * A worker takes hold of the first job that has elements left, then draws them one at a time by
 * one atomic addition, without the lock, until there are none: so that no element waits behind
 * another while a worker is free, and a small one costs little.
 */
#include <errno.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/scope.h"
#include "core/wait.h"
#include "pool/pool.h"

static int knows(urd_pool_fn *fn)
{
    (void)fn;
    return 0;
}

static void nothing(urd_pool *p)
{
    (void)p;
}

/* A long row of elements must not keep others from the worker, nor a deadline from passing. */
static bool is_cancelled(const urd__task *self)
{
    if (self->worker && urd__worker_wanted(self->worker))
        return urd_yield() != 0;
    return self->scope && urd__scope_cancelled(self->scope);
}

/* Run elements until there are none, or one fails; under no lock. */
static size_t draw(urd_pool *p, urd_pool_job *job)
{
    const urd__task *self = urd__task_self();
    size_t ran = 0;
    for (size_t i; (i = urd__add_ar(&job->next, 1)) < job->n; ran++) {
        int rc = urd__pool_call(self, job->fn, job->in + i * job->in_bytes,
                                job->out + i * job->out_bytes);
        if (rc == 0 && !is_cancelled(self))
            continue;
        urd__lock(&p->lock);
        if (rc)
            urd__pool_fail(p, job, i, rc, NULL);
        else if (urd__load_acq(&job->next) < job->n)
            urd__pool_fail(p, job, job->n, -ECANCELED, NULL);
        urd__unlock(&p->lock);
    }
    return ran;
}

/* The caller holds the job. */
static void work_on(urd_pool *p, urd_pool_job *job)
{
    urd__link woken = {0};
    urd__list_init(&woken);
    size_t ran = draw(p, job);
    urd__lock(&p->lock);
    p->running--;
    p->ended += ran;
    urd__pool_release(p, job, &woken);
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
}

/* The first job with elements left, held; waits for one.  NULL: *rc says why the worker ends. */
static urd_pool_job *take(urd_pool *p, urd__task *self, int *rc)
{
    for (;;) {
        *rc = urd__wait_enter(self);
        if (*rc)
            return NULL;
        urd__lock(&p->lock);
        urd__link *first = urd__list_first(&p->queue);
        if (first) {
            urd_pool_job *job = urd__container(first, urd_pool_job, link);
            urd__pool_hold(job);
            p->running++;
            urd__unlock(&p->lock);
            return job;
        }
        if (p->closing || urd__load_acq(&p->cause)) {
            urd__unlock(&p->lock);
            return NULL;
        }
        urd__waiter waiter = {0};
        *rc = urd__wait_on(self, &p->idle, &p->lock, &waiter, URD__ON_POOL, p);
        if (*rc)
            return NULL;
    }
}

static int work(urd_pool *p, urd__task *self)
{
    int rc = p->options.begin ? p->options.begin(p->options.arg) : 0;
    if (rc)
        return rc;
    for (urd_pool_job *job; (job = take(p, self, &rc)) != NULL;)
        work_on(p, job);
    if (p->options.end) {
        int ended = p->options.end(p->options.arg);
        rc = rc ? rc : ended;
    }
    return rc;
}

/* Which of the tasks is self?  Under lock; NULL is a place that is free. */
static urd__task **place_of(urd_pool *p, const urd__task *self)
{
    for (unsigned i = 0; i < p->workers; i++)
        if (p->tasks[i] == self)
            return &p->tasks[i];
    return NULL;
}

static int worker_main(void *arg)
{
    urd_pool *p = arg;
    urd__task *self = urd__task_self();
    urd__lock(&p->lock);
    *place_of(p, NULL) = self;
    urd__unlock(&p->lock);
    int rc = work(p, self);
    urd__link woken = {0};
    urd__list_init(&woken);
    urd__lock(&p->lock);
    *place_of(p, self) = NULL;
    if (rc)
        urd__pool_break(p, rc, &woken);
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
    urd__pool_leave(p);
    return 0; /* the error is the pool's, which says so at each call, and not the scope's */
}

/* A job that gives its own pool a job, and waits for it, would wait for ever if all workers did. */
static void help(urd_pool *p, urd_pool_job *job, const int *done)
{
    (void)done;
    if (!job)
        return;
    urd__lock(&p->lock);
    bool is_worker = place_of(p, urd__task_self()) != NULL;
    bool held = is_worker && !urd_pool_done(job) && urd__load_acq(&job->next) < job->n;
    if (held) {
        urd__pool_hold(job);
        p->running++;
    }
    urd__unlock(&p->lock);
    if (held)
        work_on(p, job);
}

static void take_back(urd_pool *p, const urd_pool_job *job, urd__link *woken)
{
    (void)p;
    (void)job;
    (void)woken; /* what was handed out is running */
}

static void leave(void *pool)
{
    urd__pool_leave(pool);
}

static int start(urd_pool *p)
{
    p->tasks = urd__os_alloc(p->workers * sizeof(void *));
    if (!p->tasks)
        return -ENOMEM;
    for (unsigned i = 0; i < p->workers; i++) {
        urd__go_args args = {
            .kind = p->kind, .fn = worker_main, .arg = p, .where = p->name, .refused = leave};
        int rc = urd__pool_start(p, &args);
        if (rc)
            return rc;
    }
    return 0;
}

static void free_crew(urd_pool *p)
{
    urd__os_free(p->tasks);
}

const urd__crew urd__crew_inside = {.knows = knows,
                                    .open = start,
                                    .added = nothing,
                                    .help = help,
                                    .take_back = take_back,
                                    .stop = nothing,
                                    .close = free_crew};
