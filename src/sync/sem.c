/*
 * sem.c - semaphores: so many permits, handed to waiters in order.
 *
 * SPDX-License-Identifier: MIT
 *
 * The word is twice the permits that are free, and a bit that somebody WAITS.  While somebody waits
 * no permit is free: a release hands it to the first waiter, who cannot be overtaken.  WAITS is set
 * and cleared under the lock; a waiter sets it, having found no permit, before it enqueues there,
 * so a release that does not see it comes before, and its permit is found.
 */
#include <errno.h>
#include <limits.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/scope.h"
#include "core/wait.h"

static const long WAITS = 1, PERMIT = 2;

void urd_sem_init(urd_sem *s, long permits, long permits_max)
{
    if (permits < 0 || permits > LONG_MAX / PERMIT || permits_max < 0 ||
        (permits_max && permits > permits_max))
        urd__die("urd_sem_init: %ld permits of at most %ld", permits, permits_max);
    *s = (urd_sem){.word = permits * PERMIT, .permits_max = permits_max};
}

static bool take(urd_sem *s)
{
    long now = urd__load_rlx(&s->word); /* checked by the swap */
    while (now >= PERMIT)
        if (urd__cas_ar(&s->word, &now, now - PERMIT)) /* [sem] */
            return true;
    return false;
}

int urd_sem_tryacquire(urd_sem *s)
{
    return take(s) ? 0 : -EAGAIN;
}

static int wait_for_permit(urd_sem *s, urd__task *self)
{
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    urd__lock(&s->lock);
    long now = urd__load_rlx(&s->word); /* checked by the swap */
    while (!urd__cas_ar(&s->word, &now, now >= PERMIT ? now - PERMIT : now | WAITS))
        continue; /* [sem] */
    if (now >= PERMIT) {
        urd__unlock(&s->lock);
        return 0;
    }
    urd__waiter waiter = {0};
    return urd__wait_on(self, &s->waiters, &s->lock, &waiter, URD__ON_SEM, s);
}

int urd_sem_acquire(urd_sem *s)
{
    urd__task *self = urd__task_self();
    if (self->scope && urd__scope_cancelled(self->scope))
        return -ECANCELED;
    return take(s) ? 0 : wait_for_permit(s, self);
}

static void check_room(const urd_sem *s, long now, long n)
{
    long most = s->permits_max ? s->permits_max : LONG_MAX / PERMIT;
    if (n < 0 || n > most || now / PERMIT > most - n)
        urd__die("urd_sem_release: %ld more than %ld free permits, of at most %ld", n, now / PERMIT,
                 most);
}

static void hand_out(urd_sem *s, long n)
{
    urd__link woken = {0};
    urd__lock(&s->lock);
    for (urd__waiter *w; n > 0 && (w = urd__wait_pop(&s->waiters)) != NULL; n--)
        urd__list_push_tail(&woken, &w->link);
    if (urd__list_empty(&s->waiters)) {
        long now = urd__load_rlx(&s->word); /* checked by the swap */
        while (!urd__cas_ar(&s->word, &now, (now & ~WAITS) + n * PERMIT))
            continue; /* [sem] */
    }
    urd__unlock(&s->lock);
    for (urd__link *link; (link = urd__list_pop(&woken)) != NULL;)
        urd__task_ready(urd__container(link, urd__waiter, link)->task);
}

void urd_sem_release(urd_sem *s, long n)
{
    long now = urd__load_rlx(&s->word); /* checked by the swap */
    do {
        check_room(s, now, n);
        if (now & WAITS) {
            hand_out(s, n);
            return;
        }
    } while (!urd__cas_ar(&s->word, &now, now + n * PERMIT)); /* [sem] */
}

long urd_sem_permits(const urd_sem *s)
{
    return urd__load_acq(&s->word) / PERMIT;
}
