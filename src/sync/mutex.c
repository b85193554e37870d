/*
 * mutex.c - mutual exclusion between tasks and threads: barging, with a hand-over in the end.
 *
 * SPDX-License-Identifier: MIT
 *
 * A mutex in memory that processes share is robust.c's; this is of all others.
 *
 * The word is the owner and two bits: somebody WAITS on the list; somebody is WOKEN, off the list
 * and on its way to try again.  Free to owned and back is one compare-and-swap each.
 *
 * An unlock with waiters frees the mutex and wakes the first of them, unless one is woken already.
 * Until that one runs, which takes a thread some 50 us, whoever runs and wants the mutex may have
 * it: handing it over each time would let it stand idle that long for every lock.  But a waiter
 * that has lost LOSSES_MAX times, or has been at the head of the list for PATIENCE, is made the
 * owner by the next unlock and cannot be overtaken.  Who loses goes back to the head of the list.
 * At the head: in a crowd all have waited for longer, and would make each unlock a hand-over.
 *
 * Before it sleeps a waiter looks for a moment whether the mutex is free, each time after twice as
 * long.  Every look takes the cache line from the owner: with 40 of them in 2 us, two threads that
 * only lock and unlock took 3 times as long.
 *
 *     lock:    L1 take the list's lock             unlock:  U1 nobody WAITS, or one is WOKEN?
 *              L2 word free? own it, done                   word = its bits: free, done
 *              L3 set WAITS in word                         U2 take the list's lock, claim the
 *              L4 enqueue, release, sleep                   first; none: clear WAITS, to U1
 *     woken:   V1 word free? own it, clear                  U3 lost too often? word = it; wake it
 *                 WOKEN in the same step                    U4 else word = free and WOKEN; wake it
 *              V2 else as L1, clear WOKEN at L3
 *
 * All are read-modify-writes of the word, so one is first.  L3 and U1: if L3 is first U1 fails and
 * U2 waits for L4; if U1 is first L3 sees a free word and takes it.  V and U1: an unlock that wakes
 * nobody because one is WOKEN leaves the word free before that one looks (V1); or comes after it
 * has cleared the bit (V2), fails and looks again.  So where the mutex is free and the list is not
 * empty somebody is WOKEN, and does not leave without a try, even when cancelled.
 *
 * After a step that frees the word and wakes nobody an unlock does not touch the mutex: whoever
 * takes it next may free its memory.
 *
 * Rejected: handing over always (7 to 10 us a lock between four threads, 25 ns so); spinning until
 * it is free (burns the processor that the owner may need; a task whose owner needs this worker
 * does not spin at all); a time alone (with a virtual clock none passes).
 * Checked: test/model/mutex.c.
 */
#include "sync/mutex.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/peer.h"
#include "core/scope.h"
#include "sync/robust.h"

static const uintptr_t WAITS = 1, WOKEN = 2, BITS = 3;

/* So long between two looks, at first and in the end: some 1.5 us, a few short sections under the
 * lock. */
#ifdef URD_MODEL
enum { PAUSES_FIRST = 1, PAUSES_LAST = 0, LOSSES_MAX = 1 };
#else
enum { PAUSES_FIRST = 8, PAUSES_LAST = 64, LOSSES_MAX = 4 };
#endif
static const int64_t PATIENCE = 1000000; /* ns */

static const urd__mutex_use PLAIN = {URD__ON_MUTEX, "urd_mutex_lock", "urd_mutex_unlock"};

static uintptr_t owner_of(uintptr_t word)
{
    return word & ~BITS;
}

urd__task *urd__mutex_owner(const urd_mutex *m)
{
    if (urd__is_shared(m))
        return urd__robust_owner(m);
    /* Only looked at, by a report. */
    return (urd__task *)owner_of(urd__load_rlx(&m->owner)); // NOLINT(performance-no-int-to-ptr)
}

/* A hint for those who might spin. */
static void note_home(urd_mutex *m, const urd__task *self)
{
    urd__store_rlx(&m->home, self->worker); /* who reads an old one spins for nothing, or not */
}

/* If it is free; `drop` is a bit to clear. */
static bool take(urd_mutex *m, const urd__task *self, uintptr_t drop)
{
    uintptr_t now = urd__load_rlx(&m->owner); /* checked by the swap */
    while (!owner_of(now)) {
        if (urd__cas_ar(&m->owner, &now, (uintptr_t)self | (now & ~drop))) { /* V1 [mutex] */
            note_home(m, self);
            return true;
        }
    }
    return false;
}

/* The same, for a moment longer.  An owner on this worker cannot go on meanwhile. */
static bool spin(urd_mutex *m, const urd__task *self, uintptr_t drop)
{
    for (int pauses = PAUSES_FIRST;; pauses *= 2) {
        if (take(m, self, drop))
            return true;
        if (pauses > PAUSES_LAST)
            return false;
        if (self->worker && urd__load_rlx(&m->home) == self->worker) /* a hint */
            return false;
        for (int i = 0; i < pauses; i++)
            urd__spin_hint();
    }
}

/* Under m->lock.  Takes it if it has become free, else sets WAITS; clears `drop`. */
static bool take_or_mark(urd_mutex *m, const urd__task *self, uintptr_t drop)
{
    uintptr_t now = urd__load_rlx(&m->owner); /* checked by the swap */
    for (;;) {
        bool free = !owner_of(now);
        uintptr_t next = (now & ~drop) | (free ? (uintptr_t)self : WAITS);
        if (urd__cas_ar(&m->owner, &now, next)) { /* L2, L3 [mutex] */
            if (free)
                note_home(m, self);
            return free;
        }
    }
}

static void leave_list(urd_mutex *m, urd__mutex_waiter *w)
{
    urd__lock(&m->lock);
    if (urd__list_linked(&w->waiter.link))
        urd__list_remove(&w->waiter.link);
    urd__unlock(&m->lock);
}

/* After a wake, or else it has lost once more. */
static bool has_turn(urd_mutex *m, urd__mutex_waiter *w)
{
    if (w->given || spin(m, w->waiter.task, WOKEN))
        return true;
    w->losses++;
    return false;
}

/* Sleep until it is ours; a cancel of `within` ends that, NULL: none does. */
static int wait_for_turn(urd_mutex *m, urd__mutex_waiter *w, urd_scope *within, uintptr_t drop)
{
    urd__task *self = w->waiter.task;
    for (;; drop = WOKEN) {
        urd__lock(&m->lock); /* L1 */
        if (take_or_mark(m, self, drop)) {
            urd__unlock(&m->lock);
            return 0;
        }
        w->waiter.word = urd__wait_begin(self, within, w->reason, w->on);
        if (drop)
            urd__list_push_head(&m->waiters, &w->waiter.link);
        else
            urd__list_push_tail(&m->waiters, &w->waiter.link);
        urd__unlock(&m->lock); /* L4 */
        int rc = urd__wait_end(self);
        if (rc) {
            leave_list(m, w);
            return rc;
        }
        if (has_turn(m, w))
            return 0;
    }
}

static urd__mutex_waiter waiter_for(urd__task *self, urd__reason reason, const void *on)
{
    return (urd__mutex_waiter){
        .waiter.task = self, .reason = reason, .on = on, .since = urd__clock_now()};
}

__attribute__((noinline)) static int lock_slow(urd_mutex *m, urd__task *self,
                                               const urd__mutex_use *use, const void *on)
{
    /* Own stores alone can make it equal. */
    if (owner_of(urd__load_rlx(&m->owner)) == (uintptr_t)self)
        urd__die("%s: the caller holds this lock already; it would wait for itself", use->lock);
    if (spin(m, self, 0))
        return 0;
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    urd__mutex_waiter on_stack, *w = urd__wait_note(self, &on_stack, sizeof on_stack);
    *w = waiter_for(self, use->reason, on);
    return wait_for_turn(m, w, self->scope, 0);
}

__attribute__((noinline)) static int lock_shared(urd_mutex *m, const urd__mutex_use *use,
                                                 const void *on, const void *at)
{
    int rc = urd__robust_lock(m, use, on);
    if (rc == 0 || rc == -EOWNERDEAD)
        urd__task_locked(urd__task_self(), at);
    return rc;
}

/* Inline, so that an uncontended lock is one compare-and-swap and a look at the scope. */
static inline int lock_as(urd_mutex *m, const urd__mutex_use *use, const void *on, const void *at)
{
    if (__builtin_expect(urd__is_shared(m), 0))
        return lock_shared(m, use, on, at);
    urd__task *self = urd__task_self();
    if (self->scope && urd__scope_cancelled(self->scope))
        return -ECANCELED;
    uintptr_t now = urd__load_rlx(&m->owner); /* checked by the swap */
    if (owner_of(now) || !urd__cas_ar(&m->owner, &now, (uintptr_t)self | now)) { /* [mutex] */
        int rc = lock_slow(m, self, use, on);
        if (rc)
            return rc;
    } else {
        note_home(m, self);
    }
    urd__task_locked(self, at);
    return 0;
}

int urd__mutex_lock_as(urd_mutex *m, const urd__mutex_use *use, const void *on, const void *at)
{
    return lock_as(m, use, on, at);
}

int urd_mutex_lock(urd_mutex *m)
{
    return lock_as(m, &PLAIN, m, URD__CALLER);
}

int urd__mutex_trylock(urd_mutex *m, const void *at)
{
    urd__task *self = urd__task_self();
    int rc = urd__is_shared(m) ? urd__robust_trylock(m) : take(m, self, 0) ? 0 : -EAGAIN;
    if (rc == 0 || rc == -EOWNERDEAD)
        urd__task_locked(self, at);
    return rc;
}

int urd_mutex_trylock(urd_mutex *m)
{
    return urd__mutex_trylock(m, URD__CALLER);
}

/* Under m->lock, by the owner: the waiter who is to be made ready after the lock, or NULL. */
static urd__mutex_waiter *claim_first(urd_mutex *m, int64_t now)
{
    urd__waiter *first = urd__wait_pop(&m->waiters);
    urd__link *head = urd__list_first(&m->waiters);
    if (head)
        urd__container(head, urd__mutex_waiter, waiter.link)->since = now;
    else
        urd__and_ar(&m->owner, ~WAITS); /* only set under the lock */
    return first ? urd__container(first, urd__mutex_waiter, waiter) : NULL;
}

/* Under m->lock, by the owner: the mutex is the waiter's. */
static void give(urd_mutex *m, urd__mutex_waiter *w)
{
    const urd__task *task = w->waiter.task;
    w->given = true;
    note_home(m, task);
    uintptr_t bits = urd__load_rlx(&m->owner) & BITS;  /* under the lock nobody changes them */
    urd__store_rel(&m->owner, (uintptr_t)task | bits); /* U3 [mutex] */
}

__attribute__((noinline)) static void unlock_slow(urd_mutex *m, const urd__task *self,
                                                  const urd__mutex_use *use)
{
    uintptr_t now = urd__load_rlx(&m->owner); /* own stores alone can make it equal */
    if (owner_of(now) != (uintptr_t)self)
        urd__die("%s: the lock is %s", use->unlock, owner_of(now) ? "held by another" : "not held");
    urd__mutex_waiter *next = NULL;
    int64_t time = urd__clock_now();
    while (!next) {
        if (!(now & WAITS) || (now & WOKEN)) {
            if (urd__cas_ar(&m->owner, &now, now & BITS)) /* U1 [mutex] */
                return;
            continue;
        }
        urd__lock(&m->lock); /* U2 */
        next = claim_first(m, time);
        bool gives = next && (next->losses >= LOSSES_MAX || time - next->since >= PATIENCE);
        if (gives)
            give(m, next);
        urd__unlock(&m->lock);
        now = urd__load_rlx(&m->owner); /* checked by the swap */
        while (next && !gives && !urd__cas_ar(&m->owner, &now, (now & BITS) | WOKEN))
            continue; /* U4 [mutex] */
    }
    urd__task_ready(next->waiter.task);
}

static inline void unlock_as(urd_mutex *m, const urd__mutex_use *use)
{
    urd__task *self = urd__task_self();
    if (__builtin_expect(urd__is_shared(m), 0)) {
        urd__robust_unlock(m, use);
        urd__task_unlocked(self);
        return;
    }
    uintptr_t now = urd__load_rlx(&m->owner); /* own stores alone can make it equal */
    bool quick = owner_of(now) == (uintptr_t)self && (now & BITS) != WAITS;
    if (!quick || !urd__cas_ar(&m->owner, &now, now & BITS)) /* U1 [mutex] */
        unlock_slow(m, self, use);
    urd__task_unlocked(self);
}

void urd__mutex_unlock_as(urd_mutex *m, const urd__mutex_use *use)
{
    unlock_as(m, use);
}

void urd_mutex_unlock(urd_mutex *m)
{
    unlock_as(m, &PLAIN);
}

void urd__mutex_lock_always(urd_mutex *m, urd__task *self)
{
    urd__task_locked(self, self->locked_at); /* it soon will */
    if (spin(m, self, 0))
        return;
    urd__mutex_waiter on_stack, *w = urd__wait_note(self, &on_stack, sizeof on_stack);
    *w = waiter_for(self, URD__ON_MUTEX, m);
    int rc = wait_for_turn(m, w, NULL, 0);
    urd__assert(rc == 0); /* no cancel ends it */
}

void urd__mutex_queue(urd_mutex *m, urd__mutex_waiter *w)
{
    urd__task *task = w->waiter.task;
    *w = waiter_for(task, URD__ON_MUTEX, m);
    urd__lock(&m->lock);
    uintptr_t now = urd__load_rlx(&m->owner); /* checked by the swap */
    do
        w->given = !owner_of(now) && !(now & WOKEN);
    while (!urd__cas_ar(&m->owner, &now, now | (w->given ? (uintptr_t)task : WAITS))); /* [mutex] */
    if (w->given) {
        note_home(m, task);
    } else {
        w->waiter.word = urd__wait_begin(task, NULL, w->reason, w->on);
        urd__list_push_tail(&m->waiters, &w->waiter.link);
    }
    bool given = w->given;
    urd__unlock(&m->lock);
    if (given)
        urd__task_ready(task);
}

void urd__mutex_end_queue(urd_mutex *m, urd__mutex_waiter *w)
{
    urd__task *self = w->waiter.task;
    int rc = has_turn(m, w) ? 0 : wait_for_turn(m, w, NULL, WOKEN);
    urd__assert(rc == 0); /* no cancel ends it */
    urd__task_locked(self, self->locked_at);
}
