/*
 * rwlock.c - many readers or one writer, and neither keeps the other out.
 *
 * SPDX-License-Identifier: MIT
 *
 * Writers come one at a time, through a mutex.  The one that has it announces itself in the word:
 * from then on readers queue, and those that are in leave; then it writes.  As it is done all
 * readers that have queued get in at once, before the next writer: so a reader waits for one writer
 * at most, and a writer for the readers that were in before it, and in the line of the mutex.
 *
 * The word is the number of readers and two bits: a WRITER has announced itself; somebody QUEUES to
 * read.  To read, where no writer is, is one compare-and-swap.  WRITER is taken away, and QUEUES
 * changed, only under the lock.
 *
 *     writer:  W1 take the lock                     reader ends:  R1 readers - 1, was it the last
 *              W2 set WRITER; no readers? ours                       and is there a WRITER?
 *              W3 enqueue, release, sleep                         R2 take the lock; still so?
 *                                                                    claim the writer, wake it
 *
 * W2 and R1 are read-modify-writes of the word.  If the last R1 is before W2, no readers are left;
 * otherwise it sees WRITER and R2 waits for W3.  R2 looks again, since the writer may have been
 * cancelled and another have come, for whom other readers are in the way.
 *
 * A lock in memory that processes share is shares.c's, but for who writes: the mutex is the same.
 *
 * The idea is that of Go's RWMutex (sync/rwmutex.go); there a wait cannot be cancelled.
 * Checked: test/model/rwlock.c.
 */
#include <errno.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/peer.h"
#include "core/scope.h"
#include "sync/mutex.h"
#include "sync/rwlock.h"
#include "sync/shares.h"

static const uintptr_t WRITER = 1, QUEUES = 2, READER = URD__RWLOCK_READER;

static const urd__mutex_use WRITE = {URD__ON_RWLOCK_WRITE, "urd_rwlock_wrlock",
                                     "urd_rwlock_wrunlock"};

/* Is it the caller's, who may have to be told something? */
static bool is_held(int rc)
{
    return rc == 0 || rc == -EOWNERDEAD;
}

static bool enter(urd_rwlock *l)
{
    uintptr_t now = urd__load_rlx(&l->state); /* checked by the swap */
    while (!(now & WRITER))
        if (urd__cas_ar(&l->state, &now, now + READER)) /* [rwlock] */
            return true;
    return false;
}

int urd_rwlock_tryrdlock(urd_rwlock *l)
{
    int rc = urd__is_shared(l) ? urd__shares_tryread(l, &WRITE) : enter(l) ? 0 : -EAGAIN;
    if (is_held(rc))
        urd__task_locked(urd__task_self(), URD__CALLER);
    return rc;
}

static void check_not_writing(const urd_rwlock *l, const urd__task *self)
{
    if (urd__mutex_owner(&l->writers) == self)
        urd__die("urd_rwlock_rdlock: the caller holds this lock for writing already");
}

static int queue_to_read(urd_rwlock *l, urd__task *self)
{
    check_not_writing(l, self);
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    urd__lock(&l->lock);
    uintptr_t now = urd__load_rlx(&l->state); /* checked by the swap */
    while (!urd__cas_ar(&l->state, &now, now & WRITER ? now | QUEUES : now + READER))
        continue; /* [rwlock] */
    if (!(now & WRITER)) {
        urd__unlock(&l->lock);
        return 0;
    }
    urd__waiter waiter = {0};
    return urd__wait_on(self, &l->readers, &l->lock, &waiter, URD__ON_RWLOCK_READ, l);
}

int urd_rwlock_rdlock(urd_rwlock *l)
{
    urd__task *self = urd__task_self();
    if (self->scope && urd__scope_cancelled(self->scope))
        return -ECANCELED;
    int rc;
    if (urd__is_shared(l)) {
        check_not_writing(l, self);
        rc = urd__shares_read(l, &WRITE);
    } else {
        rc = enter(l) ? 0 : queue_to_read(l, self);
    }
    if (is_held(rc))
        urd__task_locked(self, URD__CALLER);
    return rc;
}

/* A writer is there, and no reader any more. */
static bool drained(uintptr_t state)
{
    return (state & ~QUEUES) == WRITER;
}

/* It may come late, when there is another writer. */
static void wake_writer(urd_rwlock *l)
{
    urd__lock(&l->lock); /* R2 */
    urd__waiter *writer = drained(urd__load_acq(&l->state)) ? urd__wait_pop(&l->writer) : NULL;
    urd__unlock(&l->lock);
    if (writer)
        urd__task_ready(writer->task);
}

static void end_reading_shared(urd_rwlock *l)
{
    if (!urd__shares_end_read(l))
        urd__die("urd_rwlock_rdunlock: the lock is not held for reading");
    urd__task_unlocked(urd__task_self());
}

void urd_rwlock_rdunlock(urd_rwlock *l)
{
    if (urd__is_shared(l)) {
        end_reading_shared(l);
        return;
    }
    uintptr_t before = urd__sub_ar(&l->state, READER); /* R1 [rwlock] */
    if (before < READER)
        urd__die("urd_rwlock_rdunlock: the lock is not held for reading");
    urd__task_unlocked(urd__task_self());
    if (drained(before - READER))
        wake_writer(l);
}

/* The writer is gone: let in all who queue to read. */
static void let_readers_in(urd_rwlock *l)
{
    urd__link woken = {0};
    uintptr_t readers = 0;
    urd__lock(&l->lock);
    for (urd__waiter *w; (w = urd__wait_pop(&l->readers)) != NULL; readers += READER)
        urd__list_push_tail(&woken, &w->link);
    uintptr_t now = urd__load_rlx(&l->state); /* checked by the swap */
    while (!urd__cas_ar(&l->state, &now, (now & ~(WRITER | QUEUES)) + readers))
        continue; /* [rwlock] readers may leave meanwhile, if the writer gave up */
    urd__unlock(&l->lock);
    for (urd__link *link; (link = urd__list_pop(&woken)) != NULL;)
        urd__task_ready(urd__container(link, urd__waiter, link)->task);
}

/* With the mutex: until the readers have left. */
static int wait_for_readers(urd_rwlock *l)
{
    urd__task *self = urd__task_self();
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    urd__lock(&l->lock);                          /* W1 */
    if (urd__or_ar(&l->state, WRITER) < READER) { /* W2 [rwlock] */
        urd__unlock(&l->lock);
        return 0;
    }
    urd__waiter waiter = {0};
    rc = urd__wait_on(self, &l->writer, &l->lock, &waiter, URD__ON_RWLOCK_WRITE, l); /* W3 */
    if (rc)
        let_readers_in(l);
    return rc;
}

/* With the mutex, or not: what locking it returned. */
static int write_shared(urd_rwlock *l, int locked, bool waits)
{
    int rc = is_held(locked) ? urd__shares_write(l, waits) : 0;
    if (rc)
        urd__mutex_unlock_as(&l->writers, &WRITE);
    return rc ? rc : locked;
}

int urd_rwlock_wrlock(urd_rwlock *l)
{
    int rc = urd__mutex_lock_as(&l->writers, &WRITE, l, URD__CALLER);
    uintptr_t none = 0;
    if (urd__is_shared(l))
        return write_shared(l, rc, true);
    if (rc || urd__cas_ar(&l->state, &none, WRITER)) /* [rwlock] */
        return rc;
    rc = wait_for_readers(l);
    if (rc)
        urd__mutex_unlock_as(&l->writers, &WRITE);
    return rc;
}

int urd_rwlock_trywrlock(urd_rwlock *l)
{
    uintptr_t none = 0;
    int rc = urd__mutex_trylock(&l->writers, URD__CALLER);
    if (urd__is_shared(l))
        return write_shared(l, rc, false);
    if (rc)
        return rc;
    if (urd__cas_ar(&l->state, &none, WRITER)) /* [rwlock] */
        return 0;
    urd__mutex_unlock_as(&l->writers, &WRITE);
    return -EAGAIN;
}

void urd_rwlock_wrunlock(urd_rwlock *l)
{
    uintptr_t alone = WRITER;
    bool own = urd__mutex_owner(&l->writers) == urd__task_self();
    if (own && urd__is_shared(l))
        urd__shares_end_write(l);
    else if (own && !urd__cas_ar(&l->state, &alone, 0)) /* [rwlock] */
        let_readers_in(l);
    urd__mutex_unlock_as(&l->writers, &WRITE);
}

/* ---- After a death --------------------------------------------------------------------------- */

static void check_writing(const urd_rwlock *l, const char *call)
{
    if (urd__mutex_owner(&l->writers) != urd__task_self())
        urd__die("%s: the caller does not hold the lock for writing", call);
}

void urd_rwlock_repair(urd_rwlock *l)
{
    check_writing(l, "urd_rwlock_repair");
    urd_mutex_repair(&l->writers);
}

void urd_rwlock_poison(urd_rwlock *l)
{
    check_writing(l, "urd_rwlock_poison");
    if (!urd__is_shared(l))
        urd__die("urd_rwlock_poison: the lock is not in memory that processes share");
    urd_mutex_poison(&l->writers);
    urd__shares_end_write(l); /* whoever comes in now is told */
}
