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

/* All of urd_go() in one piece, with only what a task needs. */
#define INLINE __attribute__((always_inline))

static int start_failed(urd_scope *s, int rc)
{
    urd__scope_fail(s, rc);
    return rc;
}

INLINE static inline urd__job *new_job(urd_fn *fn, void *arg, urd_scope *s, const char *where)
{
    urd__worker *worker = urd__worker_self;
    urd__job *job = urd__job_new(worker ? &worker->jobs : NULL);
    if (job) {
        job->fn = fn;
        job->arg = arg;
        job->scope = s;
        job->where = where;
    }
    return job;
}

/* Count the job in, waiting for room under a limit. */
INLINE static inline int count_in(urd_scope *s, urd__job *job, bool ordinary)
{
    unsigned flags = urd__load_rlx(&s->flags); /* these two are set before the first job */
    if (__builtin_expect(flags & (URD__SCOPE_LIMIT | URD__SCOPE_COMPACT), 0)) {
        job->compact = (flags & URD__SCOPE_COMPACT) && !ordinary;
        int rc = flags & URD__SCOPE_LIMIT ? urd__scope_admit(s) : 0;
        if (rc)
            return rc;
    }
    urd__scope_count_in(s);
    return 0;
}

INLINE static inline int hand_over(urd__job *job, size_t size, urd_time grace_duration)
{
    switch (job->kind) {
    case URD_THREAD:
        return urd__thread_start(job);
    case URD_PROCESS:
        urd__runtime_outside(1); /* until urd__job_done() */
        return urd__rt.processes ? urd__rt.processes->start(job, size, grace_duration) : -ENOTSUP;
    default:
        return urd__worker_self ? urd__worker_offer(urd__worker_self, job)
                                : urd__worker_inject(job);
    }
}

INLINE static inline int go(urd_scope *s, const urd__go_args *args)
{
    if (!urd__worker_self)
        urd__runtime_need("starting a job");
    urd__job *job = new_job(args->fn, args->arg, s, args->where);
    if (!job) {
        if (args->owns_arg)
            urd__os_free(args->arg);
        return start_failed(s, -ENOMEM);
    }
    job->kind = (uint8_t)args->kind;
    job->handle = args->handle;
    job->owns_arg = args->owns_arg;
    int rc = count_in(s, job, args->ordinary);
    if (rc) {
        urd__job_free(urd__worker_self ? &urd__worker_self->jobs : NULL, job);
        return start_failed(s, rc);
    }
    rc = hand_over(job, args->size, args->grace_duration);
    if (rc) {
        urd__job_done(job,
                      rc); /* as a job that failed at once: counted off, and kept as an error */
        return rc;
    }
    return 0;
}

int urd__go(urd_scope *s, const urd__go_args *args)
{
    return go(s, args);
}

int urd_go_at(urd_scope *s, urd_fn *fn, void *arg, const char *where)
{
    return go(s, &(urd__go_args){.kind = URD_TASK, .fn = fn, .arg = arg, .where = where});
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
