/*
 * future.h - a result that is set once and read by many.
 *
 * SPDX-License-Identifier: MIT
 *
 * For results that do not come from a job of a scope: whoever has it sets it, from any task or
 * thread, and all who wait get it.  To select on it, use urd_op_event(&f->done).
 */
#ifndef URD_FUTURE_H
#define URD_FUTURE_H

#include "urd/lock.h"

URD_BEGIN_DECLS

typedef struct urd_future {
    urd_event done;    /* set once there is a result; to be waited for, not to be changed */
    size_t elem_bytes; /* set once */
    void *value;       /* set once: the caller's; written before `done` */
    int result;        /* written before `done` */
    int taken;         /* atomic: somebody sets it */
    long reserved[1];
} urd_future;

/* value: room for the value, of elem_bytes bytes, owned by the caller; NULL with 0. */
void urd_future_init(urd_future *f, size_t elem_bytes, void *value);

/*
 * Set the value, copied from v; or an error, a negative errno.  Wakes all who wait.  0; -EALREADY
 * there is a result, or another sets one right now, and nothing is changed.
 */
int urd_future_set(urd_future *f, const void *v);
int urd_future_fail(urd_future *f, int error);

/* Wait for the result, and copy the value to v (NULL: do not copy).  0, the error that was set,
 * -ECANCELED.  With the result, the future's memory may be freed. */
int urd_future_wait(urd_future *f, void *v) URD_MUST_USE;

/* The same without waiting: -EAGAIN instead.  No cancel point. */
int urd_future_trywait(urd_future *f, void *v) URD_MUST_USE;

/* Is there a result?  A look: who sets it may not be done with it yet. */
bool urd_future_is_done(const urd_future *f);

URD_END_DECLS

#endif
