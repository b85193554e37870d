/*
 * rmutex.c - a mutex that its holder may lock again.
 *
 * SPDX-License-Identifier: MIT
 *
 * It belongs to a job, not to a task: a join may run a job on the stack of the one that joins, and
 * must not let it in where that one waits with the lock held.
 */
#include <errno.h>
#include <limits.h>

#include "base/check.h"
#include "core/scope.h"
#include "sync/mutex.h"

static const urd__mutex_use RECURSIVE = {URD__ON_RMUTEX, "urd_rmutex_lock", "urd_rmutex_unlock"};

/* Does the caller hold it? */
static bool is_mine(const urd_rmutex *r, const urd__task *self)
{
    if (urd__mutex_owner(&r->mutex) != self)
        return false;
    if (r->job != self->job)
        urd__die("urd_rmutex: a job that waits for this one holds the lock");
    return true;
}

static void go_deeper(urd_rmutex *r)
{
    if (r->depth == UINT_MAX)
        urd__die("urd_rmutex_lock: locked %u times", r->depth);
    r->depth++;
}

static void begin(urd_rmutex *r, const urd__task *self)
{
    r->job = self->job;
    r->depth = 1;
}

int urd_rmutex_lock(urd_rmutex *r)
{
    urd__task *self = urd__task_self();
    if (self->scope && urd__scope_cancelled(self->scope))
        return -ECANCELED;
    if (is_mine(r, self)) {
        go_deeper(r);
        return 0;
    }
    int rc = urd__mutex_lock_as(&r->mutex, &RECURSIVE, r, URD__CALLER);
    if (rc == 0 || rc == -EOWNERDEAD)
        begin(r, self);
    return rc;
}

int urd_rmutex_trylock(urd_rmutex *r)
{
    urd__task *self = urd__task_self();
    if (is_mine(r, self)) {
        go_deeper(r);
        return 0;
    }
    int rc = urd__mutex_trylock(&r->mutex, URD__CALLER);
    if (rc == 0 || rc == -EOWNERDEAD)
        begin(r, self);
    return rc;
}

void urd_rmutex_unlock(urd_rmutex *r)
{
    const urd__task *self = urd__task_self();
    if (urd__mutex_owner(&r->mutex) == self && --r->depth > 0)
        return;
    urd__mutex_unlock_as(&r->mutex, &RECURSIVE);
}
