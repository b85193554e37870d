/*
 * mutex.h - what the locks that are made of a mutex use of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_SYNC_MUTEX_H
#define URD_SYNC_MUTEX_H

#include "core/wait.h"

/* As what a mutex is locked: for reports, and for the message of an abort. */
typedef struct urd__mutex_use {
    urd__reason reason;
    const char *lock, *unlock; /* names of the calls */
} urd__mutex_use;

/* On the waiter's stack. */
typedef struct urd__mutex_waiter {
    urd__waiter waiter;
    urd__reason reason;
    const void *on;
    int64_t since; /* it came, or became the first; as the next two its own while it is on no list,
                      else under the list's lock */
    int losses;    /* times it was woken and found the mutex taken */
    bool given;    /* the mutex is its own */
} urd__mutex_waiter;

/* `on` is the object of that reason; `at` is where the public call returns to. */
int urd__mutex_lock_as(urd_mutex *m, const urd__mutex_use *use, const void *on, const void *at);
int urd__mutex_trylock(urd_mutex *m, const void *at);
void urd__mutex_unlock_as(urd_mutex *m, const urd__mutex_use *use);

/* Lock it whether the scope is cancelled or not. */
void urd__mutex_lock_always(urd_mutex *m, urd__task *self);

/* By who has claimed the wait of w->waiter.task: instead of waking it, let it stand in line for the
 * mutex, or have it if it is free.  No cancel ends that. */
void urd__mutex_queue(urd_mutex *m, urd__mutex_waiter *w);

/* By the task, as it goes on after that: until it has the mutex. */
void urd__mutex_end_queue(urd_mutex *m, urd__mutex_waiter *w);

/* Who holds it; NULL: nobody. */
urd__task *urd__mutex_owner(const urd_mutex *m);

#endif
