/*
 * lock.h - locks, conditions and events between tasks and threads, and between processes.
 *
 * SPDX-License-Identifier: MIT
 *
 * All-zero is a valid lock; no init, no fini.  A task waits without holding up its worker, a thread
 * waits in the kernel; both on one lock at once.
 *
 * A job gives back what it took.  One that returns with a lock held aborts, naming the call that
 * took it; so does a function of urd_block, and a job of a pool.
 */
#ifndef URD_LOCK_H
#define URD_LOCK_H

#include "urd/run.h"

URD_BEGIN_DECLS

/*
 * A mutex.  Nobody starves: waiters are served in the order in which they came, and though who runs
 * and locks may overtake the first of them, while it is on its way, an unlock gives the mutex to a
 * waiter that has found it taken four times, or that has been the first for 1 ms.
 * Once it is unlocked, whoever locks it next may free its memory.
 *
 * In memory from urd_shared_alloc() it is between processes, with the same calls; then no order is
 * kept.  If the process that holds it ends, however, the next one to lock it gets it with
 * -EOWNERDEAD: it HOLDS the mutex, and what that guards may be half changed.  He mends it and calls
 * urd_mutex_repair(); or he gives it up with urd_mutex_poison(); or he does neither and unlocks it:
 * the next one is then told as well.
 */
typedef struct urd_mutex {
    uintptr_t owner;          /* atomic: the task that holds it, or 0; and bits of mutex.c */
    struct urd__worker *home; /* atomic: the owner's worker, or NULL */
    struct urd__link waiters; /* under lock; all-zero: empty */
    int lock;
    long reserved[1];
} urd_mutex;

/* 0, -ECANCELED; aborts if held by the caller.  Between processes also -EOWNERDEAD, see above, and
 * -ENOTRECOVERABLE: poisoned, and not held. */
int urd_mutex_lock(urd_mutex *m) URD_MUST_USE;
int urd_mutex_trylock(urd_mutex *m) URD_MUST_USE; /* the same without waiting: -EAGAIN */
void urd_mutex_unlock(urd_mutex *m);              /* aborts if not held by the caller */

/* What it guards is right again: nobody is told of the death any more. */
void urd_mutex_repair(urd_mutex *m); /* aborts if not held by the caller */

/* Unlock it for ever: who waits, and who comes, gets -ENOTRECOVERABLE.  All bytes zero make it a
 * new one, when nobody uses it.  Aborts if not held by the caller, or not between processes. */
void urd_mutex_poison(urd_mutex *m);

/*
 * A recursive mutex: the job that holds it may lock it again, and unlocks it as often.  All else is
 * as for urd_mutex.  A job does not share it with the job that started it: aborts where it runs on
 * the stack of one that joins it with the lock held.
 */
typedef struct urd_rmutex {
    struct urd_mutex mutex;
    struct urd__job *job; /* the holder's; these two under mutex */
    unsigned depth;
    long reserved[1];
} urd_rmutex;

int urd_rmutex_lock(urd_rmutex *r) URD_MUST_USE;    /* 0, -ECANCELED */
int urd_rmutex_trylock(urd_rmutex *r) URD_MUST_USE; /* 0, -EAGAIN */
void urd_rmutex_unlock(urd_rmutex *r);              /* aborts if not held by the caller */

/*
 * A read-write lock: many readers, or one writer.  Nobody starves: a reader waits for one writer at
 * most, also when others stand in line; a writer for the readers that were in before it, and for
 * other writers as for a urd_mutex.  So a reader must not lock again for reading, as a writer may
 * have come between.  Cancelled while it waits, the caller does not hold the lock.
 *
 * In memory from urd_shared_alloc() it is between processes, with the same calls.  If a process is
 * killed that reads, nobody waits for it.  If one is killed that writes, or waits to, whoever locks
 * next, to read or to write, holds the lock and gets -EOWNERDEAD: and so does everybody until one
 * who writes calls urd_rwlock_repair(), or gives the lock up with urd_rwlock_poison().  Writers
 * keep no order; 32 processes may read at a time, and more wait.
 */
typedef struct urd_rwlock {
    uintptr_t state;          /* atomic: readers, and bits of rwlock.c */
    struct urd_mutex writers; /* whose holder writes, or waits for the readers to leave */
    int lock;                 /* guards the lists; all-zero: empty */
    struct urd__link readers; /* who waits to read */
    struct urd__link writer;  /* the holder of `writers`, if it waits */
    long reserved[1];
    uint64_t between[33]; /* between processes: see shares.c */
} urd_rwlock;

/* Between processes the next four also return -EOWNERDEAD, and the caller holds the lock; or
 * -ENOTRECOVERABLE: poisoned, and not held. */
int urd_rwlock_rdlock(urd_rwlock *l) URD_MUST_USE;    /* 0, -ECANCELED */
int urd_rwlock_tryrdlock(urd_rwlock *l) URD_MUST_USE; /* 0, -EAGAIN */
int urd_rwlock_wrlock(urd_rwlock *l) URD_MUST_USE;    /* 0, -ECANCELED */
int urd_rwlock_trywrlock(urd_rwlock *l) URD_MUST_USE; /* 0, -EAGAIN */
void urd_rwlock_rdunlock(urd_rwlock *l);              /* by who locked it; aborts if nobody reads */
void urd_rwlock_wrunlock(urd_rwlock *l);              /* aborts if not held by the caller */

/* As for a mutex; by who holds it for writing, or aborts. */
void urd_rwlock_repair(urd_rwlock *l);
void urd_rwlock_poison(urd_rwlock *l);

/*
 * A condition: wait, with a mutex given back meanwhile, until somebody says to look again.  All who
 * wait at a time use the same mutex; aborts otherwise, and if the caller does not hold it.
 *
 * Where both lie in memory from urd_shared_alloc() it is between processes, with the same calls;
 * aborts if only one of them does.  No order is kept then, and a wait may also end with 0 that
 * nobody meant: it is a signal too many, never one too few, whoever is killed while he waits or
 * signals.  Which mutex others wait with is not looked at.
 */
typedef struct urd_cond {
    int lock;                 /* guards the rest; between processes a count of signals */
    struct urd__link waiters; /* all-zero: empty */
    struct urd_mutex *mutex;  /* of those who wait */
    long waiting;             /* atomic: who waits, between processes; and who died in it */
} urd_cond;

/*
 * Give m back, wait for a signal, and lock m again.  The mutex is held when this returns, whatever
 * it returns; to lock it again is not cut short by a cancel.  0: signalled, and never without; but
 * what was signalled may have been undone by who had the mutex meanwhile, so look again.
 * -ECANCELED: no signal was used up.
 *
 * Between processes also what urd_mutex_lock() says as it is locked again: -EOWNERDEAD, and it is
 * held; -ENOTRECOVERABLE, and it is NOT.  Either comes before -ECANCELED.
 */
int urd_cond_wait(urd_cond *c, urd_mutex *m) URD_MUST_USE;

/* Wait so until is_true(arg), which is called with m held.  0: it is; or an error as above. */
int urd_cond_wait_for(urd_cond *c, urd_mutex *m, bool (*is_true)(void *arg), void *arg)
    URD_MUST_USE;

/*
 * Wake the first n who wait, or all; fewer if fewer wait.  Best with the mutex held, but not
 * needed.  They stand in line for the mutex, so that each wakes when it can have it.
 */
void urd_cond_signal(urd_cond *c, int n);
void urd_cond_broadcast(urd_cond *c);

/* Something that is to be done once, whoever comes first. */
typedef struct urd_once {
    struct urd_mutex mutex; /* of who does it */
    int done;               /* atomic */
    long reserved[1];
} urd_once;

/*
 * Call fn(arg), unless a call has succeeded before.  Who comes while it runs waits; afterwards all
 * see what it did.  If it returns an error this is returned to who called it, and the next, or one
 * who waits, tries again.  0, fn's error, -ECANCELED.
 */
int urd_once_run(urd_once *o, urd_fn *fn, void *arg) URD_MUST_USE;
bool urd_once_done(const urd_once *o); /* has it been done? */

/*
 * An event: wait until somebody says so.  In memory from urd_shared_alloc() it is between
 * processes: one that was set stays set, also when the process that did it is killed.
 */
typedef struct urd_event {
    int set;                  /* atomic: bits of event.c */
    int lock;                 /* guards waiters */
    struct urd__link waiters; /* all-zero: empty */
    long reserved[1];
} urd_event;

void urd_event_set(urd_event *e); /* wakes all who wait; stays set */
void urd_event_clear(urd_event *e);
bool urd_event_is_set(const urd_event *e); /* a look: who sets it may not be done with it yet */

/* Until set.  0, and the event's memory may be freed then; -ECANCELED. */
int urd_event_wait(urd_event *e) URD_MUST_USE;

URD_END_DECLS

#endif
