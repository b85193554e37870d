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
 *
 * In memory that processes share there is no list, and the lock is not used.  The flag is a word
 * that waiters sleep on: it is SET, or somebody AWAITS it; and it counts the sets, so that one
 * that was taken back at once has ended the waits that had begun:
 *
 *     wait:  W1 SET, or counted since? done        set:   S1 SET, count + 1, nobody AWAITS
 *            W2 AWAITED, if it is still the same          S2 did somebody? wake all
 *            W3 sleep while it is the same
 *
 * Both change the word by a compare-and-swap.  If S1 is before W2, that fails and W1 sees it; else
 * S1 sees AWAITED, and W3 does not sleep or S2 wakes it.  If the setter is killed between S1 and
 * S2, its death wakes all.  After S1 the event's memory may be freed: S2 names an address.
 * Checked: test/model/event.c, test/model/sem.c.
 */
#include "sync/event.h"

#include <limits.h>

#include "base/atomic.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/peer.h"
#include "core/wait.h"
#include "core/word.h"

enum { SET = 1, AWAITED = 2, COUNT = 4 };

/* ---- Between processes ----------------------------------------------------------------------- */

static unsigned sets_in(int word)
{
    return (unsigned)word / COUNT;
}

static int set_word(int word)
{
    unsigned counted = ((unsigned)word + COUNT) & ~(unsigned)AWAITED;
    return word & SET ? word : (int)(counted | SET);
}

static void set_shared(urd_event *e)
{
    int now = urd__load_rlx(&e->set); /* checked by the swap */
    while (!urd__cas_ar(&e->set, &now, set_word(now)))
        continue; /* S1 [event] */
    if (now & AWAITED)
        urd__word_wake(&e->set, INT_MAX); /* S2 */
}

static int wait_shared(urd_event *e, urd__task *self)
{
    int began = urd__load_acq(&e->set), rc = 0; /* [event] */
    while (rc == 0) {
        urd__word w = {.word = &e->set, .deaths = urd__peers_deaths(), .on = e};
        int now = urd__load_acq(&e->set); /* W1 [event] */
        if ((now & SET) || sets_in(now) != sets_in(began))
            return 0;
        w.value = now | AWAITED;
        if ((now & AWAITED) || urd__cas_ar(&e->set, &now, w.value)) /* W2 [event] */
            rc = urd__word_wait(self, &w, self->scope);             /* W3 */
    }
    return rc;
}

/* ---- Of one process -------------------------------------------------------------------------- */

void urd_event_set(urd_event *e)
{
    urd__link woken = {0};
    if (urd__is_shared(e)) {
        set_shared(e);
        return;
    }
    urd__lock(&e->lock);          /* E1 */
    urd__store_rel(&e->set, SET); /* E2 [event] */
    urd__wait_pop_all(&e->waiters, 0, &woken);
    urd__unlock(&e->lock); /* E3 */
    urd__wait_ready_all(&woken);
}

void urd_event_clear(urd_event *e)
{
    if (urd__is_shared(e)) {
        urd__and_ar(&e->set, ~SET); /* [event] */
        return;
    }
    urd__lock(&e->lock);
    urd__store_rel(&e->set, 0);
    urd__unlock(&e->lock);
}

bool urd_event_is_set(const urd_event *e)
{
    return (urd__load_acq(&e->set) & SET) != 0; /* [event] */
}

bool urd__event_passed(urd_event *e)
{
    if (!urd_event_is_set(e)) /* F1 */
        return false;
    if (urd__is_shared(e))
        return true;
    urd__lock(&e->lock); /* F2 */
    urd__unlock(&e->lock);
    return true;
}

int urd_event_wait(urd_event *e)
{
    urd__task *self = urd__task_self();
    int rc = urd__wait_check(self);
    if (rc)
        return rc;
    if (urd__event_passed(e))
        return 0;
    urd__wait_be_found(self);
    if (urd__is_shared(e))
        return wait_shared(e, self);
    urd__lock(&e->lock);
    if (urd_event_is_set(e)) {
        urd__unlock(&e->lock);
        return 0;
    }
    urd__waiter waiter = {0};
    return urd__wait_on(self, &e->waiters, &e->lock, &waiter, URD__ON_EVENT, e);
}
