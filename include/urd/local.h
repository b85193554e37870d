/*
 * local.h - values that jobs inherit.
 *
 * SPDX-License-Identifier: MIT
 *
 * A local is a variable that has a value for whoever runs inside of where it was set: the job that
 * set it, and all jobs of the scopes that it opens meanwhile, and theirs, down to where one of them
 * sets it anew.  What a job sets, the one that started it does not see.
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

URD_END_DECLS

#endif
