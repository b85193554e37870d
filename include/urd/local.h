/*
 * local.h - values that jobs inherit, and values that a job has for itself.
 *
 * SPDX-License-Identifier: MIT
 *
 * A local is a variable that has a value for whoever runs inside of where it was set: the job that
 * set it, and all jobs of the scopes that it opens meanwhile, and theirs, down to where one of them
 * sets it anew.  What a job sets, the one that started it does not see.
 *
 * A job local is a variable that each job has for itself, on whatever it runs, with a destructor
 * that is called as the job ends.
 */
#ifndef URD_LOCAL_H
#define URD_LOCAL_H

#include "urd/scope.h"

URD_BEGIN_DECLS

/* The variable: usually static.  All-zero: its value is NULL where nobody has set it. */
typedef struct urd_local {
    void *initial; /* set once */
    long reserved[1];
} urd_local;

/* One setting of it, in the memory of who sets it. */
typedef struct urd_local_value {
    urd_scope scope;        /* what is opened inside sees the value */
    const urd_local *local; /* set once */
    void *value;            /* set once */
} urd_local_value;

/*
 * Set it until urd_local_reset(v), in this job and in the scopes that it opens meanwhile; a scope
 * that was open before does not see it.  Set and reset nest with scopes, in reverse order, by the
 * same job; aborts otherwise.  Neither blocks, fails or allocates.
 */
#define urd_local_set(v, local, value) urd_local_set_at(v, local, value, URD_HERE)
void urd_local_set_at(urd_local_value *v, const urd_local *local, void *value, const char *where);
void urd_local_reset(urd_local_value *v);

/*
 * Its value here; takes a step for each scope around the caller up to where it was set.  A process
 * job inherits none: there it is `initial` again.
 */
void *urd_local_get(const urd_local *local);

/* A variable that each job has for itself, NULL until the job sets it: usually static. */
typedef struct urd_job_local {
    void (*destroy)(void *value); /* set once; NULL: nothing is to be done */
    long reserved[1];
} urd_job_local;

/*
 * Set it in the job that calls.  What it was before is not destroyed; NULL: the job has none again.
 * 0; -ENOMEM, -EAGAIN (both only where it was NULL).  No cancel point.
 *
 * As the job ends, also when it fails or is cancelled, and before its scope hears of it, `destroy`
 * is called in the job with what is not NULL, the newest first, when it is NULL again.  It may
 * wait, which in a cancelled job takes a scope with a shield, and it may set job locals: those are
 * destroyed in another round.  Aborts when URD_JOB_LOCAL_ROUNDS rounds were not enough.  A process
 * job that is killed destroys nothing.
 *
 * What urd_block() calls is part of the job; so is what a worker of a pool calls part of the
 * worker's job.  A part of urd_for() and its kin that another worker takes counts as a job.  A
 * thread that is no job has its own until it ends, as with pthread_key_create(3).
 */
enum { URD_JOB_LOCAL_ROUNDS = 4 };
int urd_job_local_set(const urd_job_local *local, void *value) URD_MUST_USE;

/* Its value here; takes a step for each job local that the job has set. */
void *urd_job_local_get(const urd_job_local *local);

URD_END_DECLS

#endif
