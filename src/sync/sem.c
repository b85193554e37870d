/*
 * sem.c - semaphores: so many permits, handed to waiters in order.
 *
 * SPDX-License-Identifier: MIT
 *
 * The word is twice the permits that are free, and a bit that somebody WAITS.  While somebody waits
 * no permit is free: a release hands it to the first waiter, who cannot be overtaken.  WAITS is set
 * and cleared under the lock; a waiter sets it, having found no permit, before it enqueues there,
 * so a release that does not see it comes before, and its permit is found.
 *
 * In memory that processes share no permit can be handed over, for who is to get it may be killed.
 * There the lock is a count of releases, on which waiters sleep:
 *
 *     acquire: A1 r = releases                   release: R1 permits + n, WAITS is taken away
 *              A2 a permit? take it, else set             R2 it was set? releases + 1, wake n
 *                 WAITS
 *              A3 sleep while releases == r
 *
 * A2 and R1 are read-modify-writes of the word.  If R1 is first A2 finds a permit.  Otherwise R1
 * finds WAITS, and R2 comes after A1: then A3 does not sleep, or is woken.  R1 has taken away WAITS
 * for all: so who has slept sets it again as it goes, with a permit or cancelled, and if there are
 * permits it wakes another.  If one is killed between R1 and R2, or after it was woken, its death
 * wakes all (core/peer.h), and they look again.
 *
 * Rejected: to note who holds a permit, and free it when he dies (whoever gives it back may be
 * another; and whether what it stood for is free then, only the program knows).
 * Checked, so far as processes share it: test/model/sem.c.
 */
#include <errno.h>
#include <limits.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/peer.h"
#include "core/scope.h"
#include "core/wait.h"
#include "core/word.h"

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

/* ---- Between processes ----------------------------------------------------------------------- */

static void wake_sleepers(urd_sem *s, long n)
{
    urd__add_ar(&s->lock, 1); /* R2 [releases] */
    urd__word_wake(&s->lock, n < INT_MAX ? (int)n : INT_MAX);
}

static int sleep_for_permit(urd_sem *s, urd__task *self)
{
    int rc = 0;
    for (long slept = 0; rc == 0; slept = WAITS) {
        urd__word w = {.word = &s->lock, .deaths = urd__peers_deaths(), .on = s};
        w.value = urd__load_acq(&s->lock);  /* A1 [releases] */
        long now = urd__load_rlx(&s->word); /* checked by the swap */
        while (!urd__cas_ar(&s->word, &now, now >= PERMIT ? (now - PERMIT) | slept : now | WAITS))
            continue; /* A2 [sem] */
        if (slept && now >= 2 * PERMIT)
            wake_sleepers(s, 1);
        if (now >= PERMIT)
            return 0;
        rc = urd__word_wait(self, &w, self->scope); /* A3 */
    }
    if (urd__or_ar(&s->word, WAITS) >= PERMIT) /* [sem] */
        wake_sleepers(s, 1);
    return rc;
}

/* ---- Of one process -------------------------------------------------------------------------- */

static int wait_for_permit(urd_sem *s, urd__task *self)
{
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    if (urd__is_shared(s))
        return sleep_for_permit(s, self);
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
    bool shared = urd__is_shared(s);
    long now = urd__load_rlx(&s->word); /* checked by the swap */
    do {
        check_room(s, now, n);
        if ((now & WAITS) && !shared) {
            hand_out(s, n);
            return;
        }
    } while (!urd__cas_ar(&s->word, &now, (now & ~WAITS) + n * PERMIT)); /* R1 [sem] */
    if (now & WAITS)
        wake_sleepers(s, n);
}

long urd_sem_permits(const urd_sem *s)
{
    return urd__load_acq(&s->word) / PERMIT;
}
