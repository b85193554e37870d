/*
 * once.c - do something once, whoever comes first.
 *
 * SPDX-License-Identifier: MIT
 *
 * A flag before a mutex: who finds the flag set sees all that was done before it was.
 */
#include <errno.h>

#include "base/atomic.h"
#include "core/scope.h"
#include "sync/mutex.h"

static const urd__mutex_use ONCE = {URD__ON_ONCE, "urd_once_run", "urd_once_run"};

int urd_once_run(urd_once *o, urd_fn *fn, void *arg)
{
    const urd__task *self = urd__task_self();
    if (self->scope && urd__scope_cancelled(self->scope))
        return -ECANCELED;
    if (urd__load_acq(&o->done)) /* [once] */
        return 0;
    int rc = urd__mutex_lock_as(&o->mutex, &ONCE, o, URD__CALLER);
    if (rc == -EOWNERDEAD)
        urd_mutex_repair(&o->mutex); /* who did it died, which is as if it had failed */
    else if (rc)
        return rc;
    rc = 0;
    if (!urd__load_acq(&o->done)) { /* [once] */
        rc = fn(arg);
        if (rc >= 0)
            urd__store_rel(&o->done, 1); /* [once] */
    }
    urd__mutex_unlock_as(&o->mutex, &ONCE);
    return rc < 0 ? rc : 0;
}

bool urd_once_done(const urd_once *o)
{
    return urd__load_acq(&o->done) != 0; /* [once] */
}
