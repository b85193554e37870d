/*
 * event.c - a flag that tasks and threads wait for.
 *
 * SPDX-License-Identifier: MIT
 *
 * The flag is written under the lock; a waiter looks at it again under the lock before it enqueues,
 * so it cannot miss a set.  Who finds the flag set goes through the lock as well, or it could free
 * the event while the setter is still to unlock it:
 *
 *     set:   E1 take the lock                 look:  F1 flag set? else no
 *            E2 flag = 1                             F2 take the lock, give it back
 *            E3 claim the waiters, unlock            F3 yes; the event may be freed
 *            E4 make them ready
 *
 * F1 sees the flag only after E2, so F2 waits for E3; and E4 touches nodes of waiters alone.
 * Checked: test/model/event.c.
 */
#include "sync/event.h"

#include "base/atomic.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/wait.h"

void urd_event_set(urd_event *e)
{
    urd__link woken = {0};
    urd__lock(&e->lock);        /* E1 */
    urd__store_rel(&e->set, 1); /* E2 [event] */
    urd__wait_pop_all(&e->waiters, 0, &woken);
    urd__unlock(&e->lock); /* E3 */
    urd__wait_ready_all(&woken);
}

void urd_event_clear(urd_event *e)
{
    urd__lock(&e->lock);
    urd__store_rel(&e->set, 0);
    urd__unlock(&e->lock);
}

bool urd_event_is_set(const urd_event *e)
{
    return urd__load_acq(&e->set) != 0; /* [event] */
}

bool urd__event_passed(urd_event *e)
{
    if (!urd_event_is_set(e)) /* F1 */
        return false;
    urd__lock(&e->lock); /* F2 */
    urd__unlock(&e->lock);
    return true;
}

int urd_event_wait(urd_event *e)
{
    urd__task *self = urd__task_self();
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    urd__lock(&e->lock);
    if (urd_event_is_set(e)) {
        urd__unlock(&e->lock);
        return 0;
    }
    urd__waiter waiter = {0};
    return urd__wait_on(self, &e->waiters, &e->lock, &waiter, URD__ON_EVENT, e);
}
