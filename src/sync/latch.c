/*
 * latch.c - wait until a count has come down to zero.
 *
 * SPDX-License-Identifier: MIT
 *
 * Counting down is an atomic of its own, but for the last: that is under the lock, and a waiter
 * takes the lock to look.  So whoever has waited may free the latch: the last to count down has let
 * go of it.
 */
#include <errno.h>
#include <limits.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/wait.h"

void urd_latch_add(urd_latch *l, long n)
{
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
    long now = urd__load_rlx(&l->count); /* checked by the swap */
    while (now > 1)
        if (urd__cas_ar(&l->count, &now, now - 1)) /* [latch] */
            return;
    count_down_last(l);
}

long urd_latch_count(const urd_latch *l)
{
    return urd__load_acq(&l->count); /* [latch] */
}

int urd_latch_wait(urd_latch *l)
{
    urd__task *self = urd__task_self();
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    urd__lock(&l->lock);
    if (urd_latch_count(l) == 0) {
        urd__unlock(&l->lock);
        return 0;
    }
    urd__waiter waiter = {0};
    return urd__wait_on(self, &l->waiters, &l->lock, &waiter, URD__ON_LATCH, l);
}
