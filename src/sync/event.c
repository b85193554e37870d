/*
 * event.c - a flag that tasks and threads wait for.
 *
 * SPDX-License-Identifier: MIT
 *
 * The flag is written under the lock; a waiter looks at it again under the lock before it enqueues,
 * so it cannot miss a set.
 */
#include <errno.h>

#include "base/atomic.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/wait.h"

void urd_event_set(urd_event *e)
{
    urd__link woken = {0};
    urd__list_init(&woken);
    urd__lock(&e->lock);
    urd__store_rel(&e->set, 1); /* [event] */
    for (urd__waiter *waiter; (waiter = urd__wait_pop(&e->waiters)) != NULL;)
        urd__list_push_tail(&woken, &waiter->link);
    urd__unlock(&e->lock);
    for (urd__link *link; (link = urd__list_pop(&woken)) != NULL;)
        urd__task_ready(urd__container(link, urd__waiter, link)->task);
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

int urd_event_wait(urd_event *e)
{
    urd__task *self = urd__task_self();
    int rc = urd__wait_enter(self);
    if (rc || urd_event_is_set(e))
        return rc;
    urd__lock(&e->lock);
    if (urd_event_is_set(e)) {
        urd__unlock(&e->lock);
        return 0;
    }
    urd__waiter waiter = {0};
    return urd__wait_on(self, &e->waiters, &e->lock, &waiter, URD__ON_EVENT, e);
}
