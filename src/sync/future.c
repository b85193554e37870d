/*
 * future.c - one setter wins; an event says that the result is there.
 *
 * SPDX-License-Identifier: MIT
 *
 * Who changes `taken` writes value and result, then sets the event, which orders both before every
 * reader that saw it set.
 */
#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/check.h"
#include "sync/event.h"

void urd_future_init(urd_future *f, size_t elem_bytes, void *value)
{
    if (elem_bytes > 0 && !value)
        urd__die("urd_future_init: %zu bytes and no room for them", elem_bytes);
    *f = (urd_future){.elem_bytes = elem_bytes, .value = value};
}

static int settle(urd_future *f, const void *v, int result)
{
    int taken = 0;
    if (!urd__cas_ar(&f->taken, &taken, 1))
        return -EALREADY;
    if (v && f->elem_bytes)
        memcpy(f->value, v, f->elem_bytes);
    f->result = result;
    urd_event_set(&f->done);
    return 0;
}

int urd_future_set(urd_future *f, const void *v)
{
    if (f->elem_bytes > 0 && !v)
        urd__die("urd_future_set: no value, and one of %zu bytes is awaited", f->elem_bytes);
    return settle(f, v, 0);
}

int urd_future_fail(urd_future *f, int error)
{
    if (error >= 0)
        urd__die("urd_future_fail: %d is no negative errno", error);
    return settle(f, NULL, error);
}

static int result_of(const urd_future *f, void *v)
{
    if (f->result == 0 && v && f->elem_bytes)
        memcpy(v, f->value, f->elem_bytes);
    return f->result;
}

int urd_future_trywait(urd_future *f, void *v)
{
    return urd__event_passed(&f->done) ? result_of(f, v) : -EAGAIN;
}

int urd_future_wait(urd_future *f, void *v)
{
    int rc = urd_event_wait(&f->done);
    return rc ? rc : result_of(f, v);
}

bool urd_future_is_done(const urd_future *f)
{
    return urd_event_is_set(&f->done);
}
