/*
 * local.c - values that jobs inherit: scopes that carry one.
 *
 * SPDX-License-Identifier: MIT
 *
 * To set a local is to open a scope that bears the value; to look one up is to go outwards through
 * the scopes, which never change their parents and outlive what is inside.  So starting a job costs
 * nothing for it, and a value cannot go away under a job that sees it, since scopes are joined.
 *
 * Rejected: a chain that each job copies as it is started (a store more for every job; and who sets
 * a value, starts a job in an older scope and resets it, leaves the job with a dangling chain).
 */
#include "base/atomic.h"
#include "base/list.h"
#include "core/scope.h"
#include "core/worker.h"

void urd_local_set_at(urd_local_value *v, const urd_local *local, void *value, const char *where)
{
    v->local = local;
    v->value = value;
    urd_scope_open_at(&v->scope, where);
    urd__or_ar(&v->scope.flags, URD__SCOPE_LOCAL);
}

void urd_local_reset(urd_local_value *v)
{
    int rc = urd_scope_join(&v->scope);
    (void)rc; /* that of a job which somebody started in it is also what cancelled it */
}

void *urd_local_get(const urd_local *local)
{
    for (urd_scope *s = urd__task_self()->scope; s; s = s->parent) {
        if (!(urd__load_acq(&s->flags) & URD__SCOPE_LOCAL))
            continue;
        const urd_local_value *v = urd__container(s, urd_local_value, scope);
        if (v->local == local)
            return v->value;
    }
    return local->initial;
}
