/*
 * robust.h - mutexes in memory that processes share.
 *
 * SPDX-License-Identifier: MIT
 *
 * What mutex.c calls where the mutex lies there.
 */
#ifndef URD_SYNC_ROBUST_H
#define URD_SYNC_ROBUST_H

#include "sync/mutex.h"

enum { URD__ROBUST_BITS = 2 }; /* of the word, below the number of who holds it */

/* 0; -EOWNERDEAD and it is the caller's; -ENOTRECOVERABLE, -ECANCELED, -EAGAIN and it is not. */
int urd__robust_lock(urd_mutex *m, const urd__mutex_use *use, const void *on);
int urd__robust_trylock(urd_mutex *m);

/* Whether the scope is cancelled or not. */
int urd__robust_lock_always(urd_mutex *m, urd__task *self);

void urd__robust_unlock(urd_mutex *m, const urd__mutex_use *use);

/* Is it held by one who has died, or poisoned? */
bool urd__robust_left(const urd_mutex *m);

/* What is known of what it guards: 0; -EOWNERDEAD: it may be broken; -ENOTRECOVERABLE: poisoned. */
int urd__robust_look(const urd_mutex *m);

/*
 * The same with a word alone; all-zero: free.  What it guards is whole at every instruction, so who
 * takes it from the dead is not told.  It is held by the process: any of its jobs may give it back.
 */
int urd__robust_grip(int *lock, const void *on); /* 0, -ECANCELED */
bool urd__robust_trygrip(int *lock);
void urd__robust_ungrip(int *lock);

/* Who of this process holds it; NULL: nobody of it. */
urd__task *urd__robust_owner(const urd_mutex *m);

#endif
