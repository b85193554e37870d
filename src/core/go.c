/*
 * go.c - start a job of any kind.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/os.h"
#include "core/go.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "core/thread.h"

static int start_failed(urd_scope *s, int rc)
{
    urd__scope_fail(s, rc);
    return rc;
}

static urd__job *new_job(urd__worker *worker, urd_scope *s, const urd__go_args *args)
{
    urd__job *job = urd__job_new(worker ? &worker->jobs : NULL);
    if (job) {
        job->fn = args->fn;
        job->arg = args->arg;
        job->scope = s;
        job->where = args->where;
        job->kind = (uint8_t)args->kind;
        job->handle = args->handle;
        job->held = args->handle != NULL;
        job->owns_arg = args->owns_arg;
    }
    return job;
}

static int make_room(urd_scope *s, bool ours)
{
    if (!ours)
        return urd__scope_admit(s);
    urd__scope_take_place(s);
    return 0;
}

/* Count the job in, waiting for room under a limit. */
static int count_in(urd__worker *worker, urd_scope *s, urd__job *job, bool ours)
{
    unsigned flags = urd__load_rlx(&s->flags); /* these two are set before the first job */
    if (__builtin_expect(flags & (URD__SCOPE_LIMIT | URD__SCOPE_COMPACT), 0)) {
        job->compact = (flags & URD__SCOPE_COMPACT) && !ours;
        int rc = flags & URD__SCOPE_LIMIT ? make_room(s, ours) : 0;
        if (rc)
            return rc;
    }
    urd__scope_count_in(s, worker);
    return 0;
}

static int hand_over(urd__worker *worker, urd__job *job, const urd__go_args *args)
{
    switch (args->kind) {
    case URD_THREAD:
        return urd__thread_start(job);
    case URD_PROCESS:
        urd__runtime_outside(1); /* until urd__job_done() */
        return urd__rt.processes ? urd__rt.processes->start(job, args) : -ENOTSUP;
    default:
        return worker ? urd__worker_offer(worker, job) : urd__worker_inject(job);
    }
}

/* As a job that failed at once: counted off, and kept as an error unless it was optional. */
__attribute__((noinline)) static int not_taken(urd__job *job, int rc, bool optional)
{
    urd__job_done(job, optional ? 0 : rc);
    return rc;
}

int urd__go(urd_scope *s, const urd__go_args *args)
{
    urd__worker *worker = urd__worker_self; /* which a task never leaves */
    if (!worker)
        urd__runtime_need("starting a job");
    urd__job *job = new_job(worker, s, args);
    if (!job) {
        if (args->owns_arg)
            urd__os_free(args->arg);
        return args->optional ? -ENOMEM : start_failed(s, -ENOMEM);
    }
    if (args->refused && args->kind == URD_TASK)
        job->refused = args->refused;
    int rc = count_in(worker, s, job, args->ours);
    if (__builtin_expect(rc, 0)) {
        urd__job_free(worker ? &worker->jobs : NULL, job);
        return start_failed(s, rc);
    }
    rc = hand_over(worker, job, args);
    return __builtin_expect(rc, 0) ? not_taken(job, rc, args->optional) : 0;
}

/* What nearly all are: a task, started by the scope's owner, in a scope without a limit, from a
 * descriptor that is at hand.  Then
 * nothing of urd__go() is left that needs a call. */
static inline bool is_plain(const urd__worker *worker, const urd_scope *s)
{
    return worker && worker->jobs.first && urd__scope_is_local(s, worker) &&
           !(urd__load_rlx(&s->flags) & (URD__SCOPE_LIMIT | URD__SCOPE_COMPACT)); /* see count_in */
}

int urd_go_at(urd_scope *s, urd_fn *fn, void *arg, const char *where)
{
    urd__worker *worker = urd__worker_self;
    if (__builtin_expect(!is_plain(worker, s), 0))
        return urd__go(s, &(urd__go_args){.kind = URD_TASK, .fn = fn, .arg = arg, .where = where});
    urd__job *job = urd__job_take(&worker->jobs);
    job->fn = fn;
    job->arg = arg;
    job->scope = s;
    job->where = where;
    job->handle = NULL;
    job->detail = NULL;
    job->odd = 0;
    s->local++;
    int rc = urd__worker_offer(worker, job);
    return __builtin_expect(rc, 0) ? not_taken(job, rc, false) : 0;
}

int urd_go_copy_at(urd_scope *s, urd_fn *fn, const void *arg, size_t size, const char *where)
{
    void *copy = urd__os_alloc(size ? size : 1);
    if (!copy)
        return start_failed(s, -ENOMEM);
    if (size)
        memcpy(copy, arg, size);
    return urd__go(
        s,
        &(urd__go_args){.kind = URD_TASK, .fn = fn, .arg = copy, .where = where, .owns_arg = true});
}

int urd_spawn_at(urd_scope *s, urd_kind kind, urd_fn *fn, void *arg, size_t size, const char *where)
{
    if (kind != URD_TASK && kind != URD_THREAD && kind != URD_PROCESS)
        return start_failed(s, -EINVAL);
    return urd__go(
        s, &(urd__go_args){.kind = kind, .fn = fn, .arg = arg, .size = size, .where = where});
}
