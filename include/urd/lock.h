/*
 * lock.h - mutual exclusion and signals between tasks and threads.
 *
 * SPDX-License-Identifier: MIT
 *
 * All-zero is a valid lock; no init, no fini.  A task waits without holding up its worker, a thread
 * waits in the kernel; both on one lock at once.
 */
#ifndef URD_LOCK_H
#define URD_LOCK_H

#include "urd/base.h"

URD_BEGIN_DECLS

/*
 * A mutex.  Nobody starves: waiters are served in the order in which they came, and though who runs
 * and locks may overtake the first of them, while it is on its way, an unlock gives the mutex to a
 * waiter that has found it taken four times, or that is the first and has waited for 1 ms.
 * Once it is unlocked, whoever locks it next may free its memory.
 */
typedef struct urd_mutex {
    uintptr_t owner;          /* atomic: the task that holds it, or 0; and bits of mutex.c */
    struct urd__worker *home; /* atomic: the owner's worker, or NULL */
    struct urd__link waiters; /* under lock; all-zero: empty */
    int lock;
    long reserved[1];
} urd_mutex;

int urd_mutex_lock(urd_mutex *m) URD_MUST_USE;    /* 0, -ECANCELED; aborts if held by the caller */
int urd_mutex_trylock(urd_mutex *m) URD_MUST_USE; /* 0, -EAGAIN */
void urd_mutex_unlock(urd_mutex *m);              /* aborts if not held by the caller */

typedef struct urd_event {
    int set;                  /* atomic */
    int lock;                 /* guards waiters */
    struct urd__link waiters; /* all-zero: empty */
    long reserved[1];
} urd_event;

void urd_event_set(urd_event *e); /* wakes all who wait; stays set */
void urd_event_clear(urd_event *e);
bool urd_event_is_set(const urd_event *e);
int urd_event_wait(urd_event *e) URD_MUST_USE; /* until set; 0, -ECANCELED */

URD_END_DECLS

#endif
