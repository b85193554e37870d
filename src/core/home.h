/*
 * home.h - a spinning lock with a home: one worker that takes it by a store.
 *
 * SPDX-License-Identifier: MIT
 *
 * Two tasks that talk to each other mostly share a worker, so nobody else uses what lies between
 * them.  A lock that one worker has used often enough, with no other in between, is at home there:
 * that worker announces in itself where it is, looks whether it is still at home, and is in.  Who
 * else comes takes the lock for good and evicts the home, which costs a fence in every thread.
 * See home.c.
 *
 * A worker is inside one such lock at a time; who needs several takes them away from home.
 */
#ifndef URD_CORE_HOME_H
#define URD_CORE_HOME_H

#include "base/atomic.h"
#include "base/lock.h"
#include "core/worker.h"

typedef struct urd__home urd__home;

/* A lock that is held, and the worker that is inside since it is at home there, or NULL. */
typedef struct urd__held {
    urd__home *lock;
    urd__worker *home;
} urd__held;

/* So many uses by one worker make a home; more, the more homes were evicted. */
extern unsigned urd__home_uses; /* atomic */

/* Before there are workers. */
void urd__homes_open(void);

/* The usual way: to take what is not at home here.  By a worker, or a thread (NULL). */
void urd__home_lock_usual(urd__home *l, const urd__worker *self);

/* So that it is at home nowhere; ends with urd__unlock(&l->word). */
void urd__home_lock_away(urd__home *l);

/* `self`: the worker that calls, or NULL. */
static inline urd__held urd__home_lock_by(urd__home *l, urd__worker *self)
{
    if (__builtin_expect(self != NULL, 1)) {
        urd__store_rlx(&self->inside, l); /* H1, ordered by H2; goes on with what H4 released */
        urd__fence_light();               /* H2 */
        /* H3: its own store, or not this worker */
        if (__builtin_expect(urd__load_rlx(&l->worker) == (uintptr_t)self, 1))
            return (urd__held){.lock = l, .home = self};
        urd__store_rel(&self->inside, NULL); /* [home] */
    }
    urd__home_lock_usual(l, self);
    return (urd__held){.lock = l, .home = NULL};
}

static inline urd__held urd__home_lock(urd__home *l)
{
    return urd__home_lock_by(l, urd__worker_self);
}

static inline void urd__home_unlock(urd__held held)
{
    if (__builtin_expect(held.home != NULL, 1))
        urd__store_rel(&held.home->inside, NULL); /* H4 [home] pairs with evict() */
    else
        urd__unlock(&held.lock->word);
}

#endif
