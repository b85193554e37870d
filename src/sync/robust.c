/*
 * robust.c - mutual exclusion between processes, any of which may be killed at any instruction.
 *
 * SPDX-License-Identifier: MIT
 *
 * The word is m->lock: the number of the process that holds the mutex, 0: none, and two bits:
 * somebody WAITS in the kernel for the word to change; what it guards may be BROKEN, since an owner
 * died.  To own it is one compare-and-swap, so there is no instruction at which a process could be
 * killed that leaves in doubt whether it did.  Which task of the owner's process holds it is in
 * m->owner, written by that task and read by nobody else but to compare it with himself.
 *
 *     lock:   L1 deaths                            unlock:  U1 word = free; did somebody WAIT?
 *             L2 free, or owned by one that                 U2 wake one
 *                does not live? own it
 *             L3 set WAITS                         zygote:  Z1 number of the dead lives no more
 *             L4 sleep while the word and                   Z2 deaths + 1
 *                deaths are the same                        Z3 wake all
 *             L5 from the start; WAITS stays set
 *                in what this one owns
 *
 * A wake is lost only if who gets it does not take the mutex.  If it is overtaken it sets WAITS
 * again (L3).  If it is cancelled it hands the wake on, or sets WAITS for the owner to do so.  If
 * it is killed, or the one that unlocks is between U1 and U2, Z3 wakes all.  Whether more wait
 * behind it, it cannot know: so it leaves WAITS set as it owns the mutex (L5), and the last of a
 * row wakes nobody.
 *
 * A death before L1 is seen at L2; one after L1 makes L4 end.
 *
 * Who takes the mutex from the dead sets BROKEN, and it stays set from owner to owner, each of whom
 * is told, until one says that he has repaired what it guards.
 *
 * Rejected: the kernel's list of robust futexes (it is one a thread, the C library's, and tasks are
 * no threads; and each lock writes to it); handing over to the first that waits (he may be killed,
 * and there is no order among processes that survives).
 * Checked: test/model/robust.c.
 */
#include "sync/robust.h"

#include <errno.h>
#include <limits.h>

#include "base/atomic.h"
#include "base/check.h"
#include "core/peer.h"
#include "core/scope.h"
#include "core/word.h"

enum { WAITS = 1, BROKEN = 2, SHIFT = URD__ROBUST_BITS, MARK_SHIFT = 48 };
static const unsigned POISONED = ~0U << SHIFT; /* a number that no process has */

/* SPINS looks, with pauses between: some 2 us, a few short sections under the lock. */
#ifdef URD_MODEL
enum { SPINS = 0, PAUSES = 0 };
#else
enum { SPINS = 40, PAUSES = 4 };
#endif

static unsigned number_of(int word)
{
    return (unsigned)word >> SHIFT;
}

static bool is_mine(int word)
{
    return number_of(word) == urd__place_own.self;
}

/* Tasks of two processes may lie at one address; what a dead one has left must not be taken for the
 * caller's. */
static uintptr_t mark(void)
{
    return (uintptr_t)urd__place_own.self << MARK_SHIFT;
}

static void own(urd_mutex *m, urd__task *self)
{
    urd__store_rlx(&m->owner, (uintptr_t)self ^ mark()); /* compared by himself alone */
    urd__store_rlx(&m->home, self->worker);              /* a hint for those who might spin */
}

urd__task *urd__robust_owner(const urd_mutex *m)
{
    uintptr_t owner = urd__load_rlx(&m->owner) ^ mark(); /* own stores alone can make it equal */
    bool ours = owner >> MARK_SHIFT == 0 && is_mine(urd__load_rlx(&m->lock)); /* the same */
    return ours ? (urd__task *)owner : NULL; // NOLINT(performance-no-int-to-ptr)
}

/* If it is free or its owner has died; `waits` is to be set then.  Else -EAGAIN, and *now is what
 * the word was. */
static int take(int *lock, unsigned waits, int *now)
{
    *now = urd__load_acq(lock); /* [robust] */
    for (;;) {
        unsigned word = (unsigned)*now, number = number_of(*now);
        if ((word & POISONED) == POISONED)
            return -ENOTRECOVERABLE;
        bool died = number && !urd__peer_lives(number); /* L2 */
        if (number && !died)
            return -EAGAIN;
        unsigned bits = (word & (WAITS | BROKEN)) | waits | (died ? BROKEN : 0U);
        if (urd__cas_ar(lock, now, (int)(urd__place_own.self << SHIFT | bits))) /* [robust] */
            return bits & BROKEN ? -EOWNERDEAD : 0;
    }
}

/* The same, for a moment longer.  An owner on this worker, which `home` hints at, cannot go on
 * meanwhile. */
static int spin(int *lock, urd__worker *const *home, unsigned waits, int *now)
{
    const urd__worker *here = home ? urd__task_self()->worker : NULL;
    for (int i = 0;; i++) {
        int rc = take(lock, waits, now);
        bool blocks = here && is_mine(*now) && urd__load_rlx(home) == here; /* a hint */
        if (rc != -EAGAIN || i >= SPINS || blocks)
            return rc;
        for (int pause = 0; pause < PAUSES; pause++)
            urd__spin_hint();
    }
}

/* A wake may have come that the caller makes no use of. */
static void pass_on(int *lock)
{
    int now = urd__load_acq(lock); /* [robust] */
    while (number_of(now) && !(now & WAITS))
        if (urd__cas_ar(lock, &now, now | WAITS)) /* [robust] */
            return;
    if (!number_of(now))
        urd__word_wake(lock, 1);
}

static int wait_for_turn(int *lock, urd__worker *const *home, const void *on, urd_scope *within)
{
    int rc, now;
    for (unsigned waits = 0;;) {
        int deaths = urd__peers_deaths(); /* L1 */
        rc = spin(lock, home, waits, &now);
        if (rc != -EAGAIN)
            break;
        if (!(now & WAITS) && !urd__cas_ar(lock, &now, now | WAITS)) /* L3 [robust] */
            continue;
        urd__word w = {.word = lock, .value = now | WAITS, .deaths = deaths, .on = on};
        waits = WAITS;                                     /* L5 */
        rc = urd__word_wait(urd__task_self(), &w, within); /* L4 */
        if (rc)
            break;
    }
    if (rc == -ECANCELED)
        pass_on(lock);
    return rc;
}

/* By one compare-and-swap, where it is free and whole. */
static bool take_free(int *lock)
{
    int none = 0;
    return urd__cas_ar(lock, &none, (int)(urd__place_own.self << SHIFT)); /* [robust] */
}

static int owned(urd_mutex *m, urd__task *self, int rc)
{
    if (rc == 0 || rc == -EOWNERDEAD)
        own(m, self);
    return rc;
}

__attribute__((noinline)) static int lock_slow(urd_mutex *m, urd__task *self,
                                               const urd__mutex_use *use, const void *on)
{
    if (urd__robust_owner(m) == self)
        urd__die("%s: the caller holds this lock already; it would wait for itself", use->lock);
    int rc = urd__wait_enter(self);
    return rc ? rc : owned(m, self, wait_for_turn(&m->lock, &m->home, on, self->scope));
}

int urd__robust_lock(urd_mutex *m, const urd__mutex_use *use, const void *on)
{
    urd__task *self = urd__task_self();
    if (self->scope && urd__scope_cancelled(self->scope))
        return -ECANCELED;
    if (!take_free(&m->lock))
        return lock_slow(m, self, use, on);
    own(m, self);
    return 0;
}

int urd__robust_trylock(urd_mutex *m)
{
    int now;
    return owned(m, urd__task_self(), take(&m->lock, 0, &now));
}

int urd__robust_lock_always(urd_mutex *m, urd__task *self)
{
    return owned(m, self, wait_for_turn(&m->lock, &m->home, m, NULL));
}

/* U1, U2. */
static void give_back(int *lock, int now)
{
    while (!urd__cas_ar(lock, &now, now & BROKEN))
        continue; /* U1 [robust] */
    if (now & WAITS)
        urd__word_wake(lock, 1); /* U2 */
}

void urd__robust_unlock(urd_mutex *m, const urd__mutex_use *use)
{
    int now = urd__load_rlx(&m->lock); /* own stores alone can make it the caller's */
    if (!is_mine(now) || urd__robust_owner(m) != urd__task_self())
        urd__die("%s: the lock is %s", use->unlock,
                 number_of(now) ? "held by another" : "not held");
    urd__store_rlx(&m->owner, 0); /* compared by its owner alone */
    give_back(&m->lock, now);
}

bool urd__robust_left(const urd_mutex *m)
{
    unsigned number = number_of(urd__load_acq(&m->lock)); /* [robust] */
    return number && !urd__peer_lives(number);
}

int urd__robust_look(const urd_mutex *m)
{
    unsigned word = (unsigned)urd__load_acq(&m->lock); /* [robust] */
    if ((word & POISONED) == POISONED)
        return -ENOTRECOVERABLE;
    return word & BROKEN ? -EOWNERDEAD : 0;
}

/* ---- A word alone ---------------------------------------------------------------------------- */

static int gripped(int *lock, int rc)
{
    if (rc == -EOWNERDEAD) {
        urd__and_ar(lock, ~BROKEN);
        rc = 0;
    }
    return rc;
}

int urd__robust_grip(int *lock, const void *on)
{
    if (take_free(lock))
        return 0;
    urd__task *self = urd__task_self();
    int rc = urd__wait_enter(self);
    return rc ? rc : gripped(lock, wait_for_turn(lock, NULL, on, self->scope));
}

bool urd__robust_trygrip(int *lock)
{
    int now;
    return gripped(lock, take(lock, 0, &now)) == 0;
}

void urd__robust_ungrip(int *lock)
{
    give_back(lock, urd__load_rlx(lock)); /* own stores alone can make it the process's */
}

/* ---- After a death --------------------------------------------------------------------------- */

static void check_held(const urd_mutex *m, const char *call)
{
    if (urd__mutex_owner(m) != urd__task_self())
        urd__die("%s: the caller does not hold the lock", call);
}

void urd_mutex_repair(urd_mutex *m)
{
    check_held(m, "urd_mutex_repair");
    if (urd__is_shared(m))
        urd__and_ar(&m->lock, ~BROKEN);
}

void urd_mutex_poison(urd_mutex *m)
{
    check_held(m, "urd_mutex_poison");
    if (!urd__is_shared(m))
        urd__die("urd_mutex_poison: the lock is not in memory that processes share");
    urd__store_rlx(&m->owner, 0); /* compared by its owner alone */
    urd__task_unlocked(urd__task_self());
    urd__store_rel(&m->lock, (int)POISONED); /* [robust] */
    urd__word_wake(&m->lock, INT_MAX);
}
