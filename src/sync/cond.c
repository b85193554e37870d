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
 * In memory that processes share there is no list, and no line for the mutex.  The lock is a count
 * of signals, on which waiters sleep; a signal for which nobody waits is not counted:
 *
 *     wait:    P1 waiting + 1; s = signals       signal:  Q1 does anybody wait? else done
 *              P2 unlock the mutex                        Q2 signals + 1
 *              P3 sleep while signals == s                Q3 wake n
 *              P4 waiting - 1; lock the mutex
 *
 * Whoever changes under the mutex what a waiter has seen there comes after its P2, and so finds it
 * at Q1.  From Q2 on none of those who wait goes to sleep, or sleeps on after it was woken: the n
 * of Q3 are of those who sleep, and who was about to ends its wait as well.  If one of the n is
 * killed, or the one that signals is before Q3, the death wakes all, and all who waited at Q2 end;
 * one that was cancelled has its signal if any was given.  So there may be more than n, not fewer.
 *
 * Checked: test/model/cond.c; so far as processes share it test/model/meet.c.
 */
#include <errno.h>
#include <limits.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/peer.h"
#include "core/word.h"
#include "sync/mutex.h"
#include "sync/robust.h"

/* ---- Between processes ----------------------------------------------------------------------- */

static int wait_shared(urd_cond *c, urd_mutex *m, urd__task *self)
{
    urd__add_ar(&c->waiting, 1);                                                 /* P1 [cond] */
    urd__word w = {.word = &c->lock, .value = urd__load_acq(&c->lock), .on = c}; /* P1 [signals] */
    urd_mutex_unlock(m);                                                         /* P2 */
    int rc = 0;
    while (rc == 0 && urd__load_acq(&c->lock) == w.value) { /* [signals] */
        w.deaths = urd__peers_deaths();
        rc = urd__word_wait(self, &w, self->scope); /* P3 */
    }
    if (rc && urd__load_acq(&c->lock) != w.value) /* [signals] */
        rc = 0;
    urd__sub_ar(&c->waiting, 1); /* P4 [cond] */
    int locked = urd__robust_lock_always(m, self);
    if (locked != -ENOTRECOVERABLE)
        urd__task_locked(self, self->locked_at);
    return locked ? locked : rc;
}

static void wake_shared(urd_cond *c, int n)
{
    if (n == 0 || urd__load_acq(&c->waiting) == 0) /* Q1 [cond] */
        return;
    urd__add_ar(&c->lock, 1);    /* Q2 [signals] */
    urd__word_wake(&c->lock, n); /* Q3 */
}

/* ---- Of one process -------------------------------------------------------------------------- */

static void check_mutex(urd_cond *c, const urd_mutex *m, const urd__task *self)
{
    if (urd__mutex_owner(m) != self)
        urd__die("urd_cond_wait: the caller does not hold the mutex");
    if (urd__is_shared(m) != urd__is_shared(c))
        urd__die("urd_cond_wait: of condition and mutex only one is between processes");
    if (urd__is_shared(c))
        return;
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
    if (urd__is_shared(c))
        return wait_shared(c, m, self);
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

static void wake(urd_cond *c, int n)
{
    urd__link woken = {0};
    if (urd__is_shared(c)) {
        wake_shared(c, n);
        return;
    }
    urd__lock(&c->lock);
    urd_mutex *m = c->mutex;
    for (urd__waiter *w; n > 0 && (w = urd__wait_pop(&c->waiters)) != NULL; n--)
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
    wake(c, INT_MAX);
}
