/*
 * sync.h - semaphores, barriers and latches between tasks, threads and processes.
 *
 * SPDX-License-Identifier: MIT
 *
 * In the caller's memory, and nothing to take down.  A task waits without holding up its worker, a
 * thread waits in the kernel.  Waiters are served in the order in which they came.
 */
#ifndef URD_SYNC_H
#define URD_SYNC_H

#include "urd/base.h"

URD_BEGIN_DECLS

/*
 * A semaphore: so many permits.  All-zero: none, and no bound.
 *
 * In memory from urd_shared_alloc() it is between processes, with the same calls; then no order is
 * kept, and who waits may be overtaken.  A permit belongs to nobody: if a process is killed that
 * took one, it is not free again until somebody else releases it.  Who waits, or is about to
 * release, may be killed at any moment: no permit is lost by that, and nobody sleeps on beside one.
 */
typedef struct urd_sem {
    long word;        /* atomic: permits that are free, and a bit of sem.c */
    long permits_max; /* set once; 0: no bound */
    int lock;         /* guards waiters; between processes a count of releases */
    struct urd__link waiters;
    long reserved[1];
} urd_sem;

/*
 * permits: that are free now.  permits_max: a bounded semaphore, in which more permits free at a
 * time are an error of the program; 0: no bound.  Aborts if the numbers make no sense.
 */
void urd_sem_init(urd_sem *s, long permits, long permits_max);

/* Take a permit; wait while none is free.  Who waits gets the next one: nobody overtakes, but for
 * what is said above. */
int urd_sem_acquire(urd_sem *s) URD_MUST_USE;    /* 0, -ECANCELED */
int urd_sem_tryacquire(urd_sem *s) URD_MUST_USE; /* 0, -EAGAIN */

/* Give n permits back, by whomever; aborts if more than permits_max are free then. */
void urd_sem_release(urd_sem *s, long n);

long urd_sem_permits(const urd_sem *s); /* free now */

/*
 * A barrier: `parties` jobs wait for each other, round after round.
 *
 * In memory from urd_shared_alloc() it is between processes, with the same calls, and of at most
 * 2^20 - 1 parties in 64 processes.  If one of the processes that have come to it is killed, or
 * exits before its job has returned, the barrier is broken: who waits, and who comes, gets
 * -EOWNERDEAD, until urd_barrier_reset() forgets the dead.  One whose job returned may be replaced
 * by another, and nothing breaks.  One that has never come is not known.
 */
typedef struct urd_barrier {
    int lock;    /* guards the rest; between processes a count of calls */
    int parties; /* set once */
    int waiting;
    bool broken;
    struct urd__link waiters;
    long reserved[1];
    uint64_t round;     /* atomic; this and the next between processes: see barrier.c */
    uint32_t peers[64]; /* atomic: processes that have come */
} urd_barrier;

/* Aborts unless parties > 0, and for too many between processes. */
void urd_barrier_init(urd_barrier *b, int parties);

/*
 * Wait until `parties` jobs do.  1 for the last to come, 0 for the others; -EPIPE the barrier was
 * aborted, or reset while this waited; -ECANCELED: the caller left, and the others wait on as if it
 * had not come.  If the round was complete before the cancel, it counts.  Between processes also
 * -EOWNERDEAD, see above, and -ENOSPC: 64 others that live have come, and the caller has not.
 */
int urd_barrier_wait(urd_barrier *b) URD_MUST_USE;

void urd_barrier_abort(urd_barrier *b);  /* break it: who waits, and who comes, gets -EPIPE */
void urd_barrier_reset(urd_barrier *b);  /* who waits gets -EPIPE; whole again for who comes */
int urd_barrier_waiting(urd_barrier *b); /* how many wait now; 0 if it is broken */
bool urd_barrier_broken(urd_barrier *b);

/*
 * A latch: wait until a count has come down to zero.  All-zero: it has.
 *
 * In memory from urd_shared_alloc() it is between processes, with counts up to 2^30 - 1.  What a
 * process that was killed did not count down is for others to do.  Who waits may miss a zero that
 * is counted up from again at once.
 */
typedef struct urd_latch {
    long count; /* atomic; to zero only under lock */
    int lock;   /* guards waiters; between processes the count */
    struct urd__link waiters;
    long reserved[1];
} urd_latch;

void urd_latch_add(urd_latch *l, long n); /* count up by n */
void urd_latch_done(urd_latch *l);        /* count down by one; aborts at zero */
long urd_latch_count(const urd_latch *l);

/* Until the count is zero.  0, and the latch's memory may be freed then; -ECANCELED. */
int urd_latch_wait(urd_latch *l) URD_MUST_USE;

URD_END_DECLS

#endif
