/*
 * cond.c - conditions: wait, with a mutex given back meanwhile, until somebody says to look again.
 *
 * SPDX-License-Identifier: MIT
 *
 * A waiter enqueues before it gives the mutex back, so whoever changes what it waits for under the
 * mutex finds it.  A signal claims it and, instead of waking it, puts it into the line for the
 * mutex (mutex.c): it wakes when it can have that.  So a broadcast wakes one waiter, whose unlock
 * wakes the next, and not a herd of which all but one sleep again.
 *
 *     wait:    C1 begin wait, enqueue          signal:  S1 dequeue, claim
 *              C2 unlock the mutex                      S2 begin another wait for it, which no
 *              C3 sleep                                    cancel ends; into the mutex's line
 *              C4 claimed by S1: until the mutex is ours
 *              C5 by a cancel: dequeue, lock the mutex
 *
 * One compare-and-swap decides between S1 and a cancel, so a signal is not spent on a waiter that
 * returns -ECANCELED.  After S1 no cancel reaches the wait, also one that the waiter would see only
 * now, as it goes to sleep (wait.c).  The mutex outlives S2: the claimed waiter still needs it.
 *
 * Checked: test/model/cond.c.
 */
#include <errno.h>

#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/peer.h"
#include "sync/mutex.h"

static void check_mutex(urd_cond *c, const urd_mutex *m, const urd__task *self)
{
    if (urd__is_shared(m))
        urd__die("urd_cond_wait: a mutex between processes cannot be waited with");
    if (urd__mutex_owner(m) != self)
        urd__die("urd_cond_wait: the caller does not hold the mutex");
    urd__lock(&c->lock);
    bool other = !urd__list_empty(&c->waiters) && c->mutex != m;
    urd__unlock(&c->lock);
    if (other)
        urd__die("urd_cond_wait: others wait for this condition with another mutex");
}

static void leave_queue(urd_cond *c, urd__waiter *waiter)
{
    urd__lock(&c->lock);
    if (urd__list_linked(&waiter->link))
        urd__list_remove(&waiter->link);
    urd__unlock(&c->lock);
}

int urd_cond_wait(urd_cond *c, urd_mutex *m)
{
    urd__task *self = urd__task_self();
    check_mutex(c, m, self);
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    urd__mutex_waiter w = {.waiter.task = self};
    urd__lock(&c->lock);
    c->mutex = m;
    w.waiter.word = urd__wait_begin(self, self->scope, URD__ON_COND, c); /* C1 */
    urd__list_push_tail(&c->waiters, &w.waiter.link);
    urd__unlock(&c->lock);
    urd_mutex_unlock(m);      /* C2 */
    rc = urd__wait_end(self); /* C3 */
    if (rc == 0) {
        urd__mutex_end_queue(m, &w); /* C4 */
        return 0;
    }
    leave_queue(c, &w.waiter); /* C5 */
    urd__mutex_lock_always(m, self);
    return rc;
}

int urd_cond_wait_for(urd_cond *c, urd_mutex *m, bool (*is_true)(void *arg), void *arg)
{
    urd__task *self = urd__task_self();
    int rc = urd__wait_enter(self);
    while (rc == 0 && !is_true(arg))
        rc = urd_cond_wait(c, m);
    return rc;
}

/* At most n; < 0: all. */
static void wake(urd_cond *c, long n)
{
    urd__link woken = {0};
    urd__lock(&c->lock);
    urd_mutex *m = c->mutex;
    for (urd__waiter *w; n != 0 && (w = urd__wait_pop(&c->waiters)) != NULL; n--)
        urd__list_push_tail(&woken, &w->link); /* S1 */
    urd__unlock(&c->lock);
    for (urd__link *link; (link = urd__list_pop(&woken)) != NULL;) {
        urd__waiter *waiter = urd__container(link, urd__waiter, link);
        urd__mutex_queue(m, urd__container(waiter, urd__mutex_waiter, waiter)); /* S2 */
    }
}

void urd_cond_signal(urd_cond *c, int n)
{
    if (n < 0)
        urd__die("urd_cond_signal: %d waiters", n);
    wake(c, n);
}

void urd_cond_broadcast(urd_cond *c)
{
    wake(c, -1);
}
