/*
 * latch.c - wait until a count has come down to zero.
 *
 * SPDX-License-Identifier: MIT
 *
 * Counting down is an atomic of its own, but for the last: that is under the lock, and a waiter
 * takes the lock to look.  So whoever has waited may free the latch: the last to count down has let
 * go of it.
 *
 * In memory that processes share there is no list: the lock is the count, with a bit that somebody
 * AWAITS zero, and the word that waiters sleep on:
 *
 *     wait:  W1 zero? done                     count down:  D1 count - 1; the last takes
 *            W2 AWAITED, if still the same                     AWAITED away
 *            W3 sleep while it is the same                  D2 it was set? wake all
 *
 * Both change the word by a compare-and-swap.  If D1 is before W2, that fails and W1 sees it; else
 * D1 sees AWAITED, and W3 does not sleep or D2 wakes it.  If the last is killed before D2, its
 * death wakes all.  After D1 the latch's memory may be freed: D2 names an address.
 * Checked, so far as processes share it: test/model/sem.c.
 */
#include <errno.h>
#include <limits.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/peer.h"
#include "core/wait.h"
#include "core/word.h"

/* ---- Between processes ----------------------------------------------------------------------- */

enum { AWAITED = 1, ONE = 2 };

static void add_shared(urd_latch *l, long n)
{
    int now = urd__load_rlx(&l->lock); /* checked by the swap */
    do {
        if (n < 0 || n > INT_MAX / ONE - now / ONE)
            urd__die("urd_latch_add: %ld more than %d, between processes", n, now / ONE);
    } while (!urd__cas_ar(&l->lock, &now, now + (int)n * ONE)); /* [latch] */
}

static void count_down_shared(urd_latch *l)
{
    int now = urd__load_rlx(&l->lock), next; /* checked by the swap */
    do {
        if (now < ONE)
            urd__die("urd_latch_done: the count is zero already");
        next = now - ONE < ONE ? 0 : now - ONE;
    } while (!urd__cas_ar(&l->lock, &now, next)); /* D1 [latch] */
    if (next == 0 && (now & AWAITED))
        urd__word_wake(&l->lock, INT_MAX); /* D2 */
}

static int wait_shared(urd_latch *l, urd__task *self)
{
    int rc = 0;
    while (rc == 0) {
        urd__word w = {.word = &l->lock, .deaths = urd__peers_deaths(), .on = l};
        int now = urd__load_acq(&l->lock); /* W1 [latch] */
        if (now < ONE)
            return 0;
        w.value = now | AWAITED;
        if ((now & AWAITED) || urd__cas_ar(&l->lock, &now, w.value)) /* W2 [latch] */
            rc = urd__word_wait(self, &w, self->scope);              /* W3 */
    }
    return rc;
}

/* ---- Of one process -------------------------------------------------------------------------- */

void urd_latch_add(urd_latch *l, long n)
{
    if (urd__is_shared(l)) {
        add_shared(l, n);
        return;
    }
    long now = urd__load_rlx(&l->count); /* checked by the swap */
    do {
        if (n < 0 || now > LONG_MAX - n)
            urd__die("urd_latch_add: %ld more than %ld", n, now);
    } while (!urd__cas_ar(&l->count, &now, now + n)); /* [latch] */
}

static void count_down_last(urd_latch *l)
{
    urd__link woken = {0};
    urd__lock(&l->lock);
    long left = urd__sub_ar(&l->count, 1) - 1; /* [latch] */
    for (urd__waiter *w; left == 0 && (w = urd__wait_pop(&l->waiters)) != NULL;)
        urd__list_push_tail(&woken, &w->link);
    urd__unlock(&l->lock);
    if (left < 0)
        urd__die("urd_latch_done: the count is zero already");
    for (urd__link *link; (link = urd__list_pop(&woken)) != NULL;)
        urd__task_ready(urd__container(link, urd__waiter, link)->task);
}

void urd_latch_done(urd_latch *l)
{
    if (urd__is_shared(l)) {
        count_down_shared(l);
        return;
    }
    long now = urd__load_rlx(&l->count); /* checked by the swap */
    while (now > 1)
        if (urd__cas_ar(&l->count, &now, now - 1)) /* [latch] */
            return;
    count_down_last(l);
}

long urd_latch_count(const urd_latch *l)
{
    if (urd__is_shared(l))
        return urd__load_acq(&l->lock) / ONE; /* [latch] */
    return urd__load_acq(&l->count);          /* [latch] */
}

/* Zero, and the last to count down has let go of the lock: it may be freed. */
static bool has_opened(urd_latch *l)
{
    if (urd_latch_count(l) != 0)
        return false;
    if (!urd__is_shared(l)) {
        urd__lock(&l->lock);
        urd__unlock(&l->lock);
    }
    return true;
}

int urd_latch_wait(urd_latch *l)
{
    urd__task *self = urd__task_self();
    int rc = urd__wait_check(self);
    if (rc)
        return rc;
    if (has_opened(l))
        return 0;
    urd__wait_be_found(self);
    if (urd__is_shared(l))
        return wait_shared(l, self);
    urd__lock(&l->lock);
    if (urd_latch_count(l) == 0) {
        urd__unlock(&l->lock);
        return 0;
    }
    urd__waiter waiter = {0};
    return urd__wait_on(self, &l->waiters, &l->lock, &waiter, URD__ON_LATCH, l);
}
