/*
 * mutex.c - mutual exclusion between tasks and threads.
 *
 * SPDX-License-Identifier: MIT
 *
 * The word is the owner, and a bit that says that somebody waits.  Free to owned and back is one
 * compare-and-swap each.  With waiters an unlock hands the mutex to the first of them, which
 * therefore cannot be overtaken: nobody starves, and the bit stays while the list is not empty.
 *
 *     lock:    L1 take the list's lock             unlock:  U1 word == owner alone? free, done
 *              L2 word free? own it, done                   U2 take the list's lock
 *              L3 set the bit in word                       U3 hand over to the first waiter;
 *              L4 enqueue, release, sleep                      none: free
 *
 * L3 and U1 are read-modify-writes of the word: if L3 is first U1 fails and U2 waits for L4; if U1
 * is first L3 sees a free word and takes it.
 *
 * Checked: test/model/mutex.c.
 */
#include <errno.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/wait.h"

static const uintptr_t SOMEBODY_WAITS = 1;

static bool take(urd_mutex *m, uintptr_t self)
{
    uintptr_t free = 0;
    return urd__cas_ar(&m->owner, &free, self); /* [mutex] */
}

static void check_not_owner(const urd_mutex *m, uintptr_t self)
{
    /* Own stores alone can make it equal. */
    if ((urd__load_rlx(&m->owner) & ~SOMEBODY_WAITS) == self)
        urd__die("urd_mutex_lock: the caller holds this mutex already; it would wait for itself");
}

/* Under m->lock.  Sets the bit, or takes the mutex if it has become free: true then. */
static bool take_or_mark(urd_mutex *m, uintptr_t self)
{
    uintptr_t now = urd__load_rlx(&m->owner); /* checked by the swap */
    for (;;) {
        uintptr_t next = now ? now | SOMEBODY_WAITS : self;
        if (urd__cas_ar(&m->owner, &now, next)) /* L2, L3 [mutex] */
            return now == 0;
    }
}

static int lock_slow(urd_mutex *m, urd__task *self)
{
    urd__lock(&m->lock); /* L1 */
    if (take_or_mark(m, (uintptr_t)self)) {
        urd__unlock(&m->lock);
        return 0;
    }
    urd__waiter waiter = {0};
    return urd__wait_on(self, &m->waiters, &m->lock, &waiter, URD__ON_MUTEX, m); /* L4 */
}

int urd_mutex_lock(urd_mutex *m)
{
    urd__task *self = urd__task_self();
    check_not_owner(m, (uintptr_t)self);
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    return take(m, (uintptr_t)self) ? 0 : lock_slow(m, self);
}

int urd_mutex_trylock(urd_mutex *m)
{
    return take(m, (uintptr_t)urd__task_self()) ? 0 : -EAGAIN;
}

void urd_mutex_unlock(urd_mutex *m)
{
    uintptr_t self = (uintptr_t)urd__task_self(), owner = self;
    if (urd__cas_ar(&m->owner, &owner, 0)) /* U1 [mutex] */
        return;
    if ((owner & ~SOMEBODY_WAITS) != self)
        urd__die("urd_mutex_unlock: the mutex is %s", owner ? "held by another" : "not locked");
    urd__lock(&m->lock); /* U2 */
    urd__waiter *next = urd__wait_pop(&m->waiters);
    urd__task *task = next ? next->task : NULL;
    uintptr_t word = (uintptr_t)task;
    if (task && !urd__list_empty(&m->waiters))
        word |= SOMEBODY_WAITS;
    urd__store_rel(&m->owner, word); /* U3 [mutex] */
    urd__unlock(&m->lock);
    if (task)
        urd__task_ready(task);
}
