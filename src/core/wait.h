/*
 * wait.h - THE wait: everything that blocks goes through here.
 *
 * SPDX-License-Identifier: MIT
 *
 * A task's wait word is a sequence number and a state.  urd__wait_begin() makes it WAITING under a
 * new number; whoever changes it from there, by one compare-and-swap, has won and must make the
 * task ready: the object it waits for (WOKEN), or the cancel of a scope (CANCELLED).  The number
 * keeps a late compare-and-swap from ending a later wait.
 *
 * To block on an object:
 *     urd__wait_enter()    the cancel point: is the scope cancelled?
 *     lock the object; nothing to wait for? unlock and go
 *     urd__wait_on()       enqueue, unlock, sleep, dequeue if cancelled
 * A call that mostly finds what it wants asks with urd__wait_check(), tries, and only before it
 * waits makes the task findable, urd__wait_be_found(): two locks of the scope less.
 * To wake, under the object's lock:
 *     urd__wait_pop()      claims the first waiter that nobody else has claimed
 *     hand it what it waits for, through its node
 *     urd__task_ready()    after that its node must not be touched
 */
#ifndef URD_CORE_WAIT_H
#define URD_CORE_WAIT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/list.h"
#include "core/home.h"
#include "core/scope.h"
#include "core/task.h"
#include "core/worker.h"

enum { URD__WAIT_NONE, URD__WAITING, URD__WOKEN, URD__CANCELLED, URD__WAIT_STATES };

/*
 * What a task waits for, each with its words in reports, and who ends the wait: jobs of this
 * program alone (INSIDE), or something else as well, such as time or the kernel (OUTSIDE).  When
 * all waits are INSIDE and nobody runs, that is a deadlock; so in doubt it is OUTSIDE.  `waits_on`
 * of the task is the object that the words name.
 */
#define URD__REASONS(X)                                                                            \
    X(URD__ON_NOTHING, INSIDE, "nothing")                                                          \
    X(URD__ON_TIME, OUTSIDE, "a time") /* no object */                                             \
    X(URD__ON_SCOPE, INSIDE, "the jobs of scope")                                                  \
    X(URD__ON_LIMIT, INSIDE, "a place in scope")                                                   \
    X(URD__ON_JOB, INSIDE, "job")                /* urd_job */                                     \
    X(URD__ON_FORK, INSIDE, "fork")              /* urd__fork */                                   \
    X(URD__ON_BLOCK, OUTSIDE, "a blocking call") /* urd_block */                                   \
    X(URD__ON_MUTEX, INSIDE, "mutex")                                                              \
    X(URD__ON_RMUTEX, INSIDE, "recursive mutex")                                                   \
    X(URD__ON_RWLOCK_READ, INSIDE, "reading under rwlock")                                         \
    X(URD__ON_RWLOCK_WRITE, INSIDE, "writing under rwlock")                                        \
    X(URD__ON_COND, INSIDE, "condition")                                                           \
    X(URD__ON_SEM, INSIDE, "a permit of semaphore")                                                \
    X(URD__ON_BARRIER, INSIDE, "barrier")                                                          \
    X(URD__ON_LATCH, INSIDE, "latch")                                                              \
    X(URD__ON_ONCE, INSIDE, "the first call of once")                                              \
    X(URD__ON_EVENT, INSIDE, "event")                                                              \
    X(URD__ON_CHAN_SEND, INSIDE, "room in channel")                                                \
    X(URD__ON_CHAN_RECV, INSIDE, "a value from channel")                                           \
    X(URD__ON_CHAN_JOIN, INSIDE, "what was sent to be done, in channel")                           \
    X(URD__ON_BROADCAST_SEND, INSIDE, "the slowest subscriber of broadcast")                       \
    X(URD__ON_BROADCAST_RECV, INSIDE, "a value from broadcast")                                    \
    X(URD__ON_SELECT, INSIDE, "one of the arms of select") /* urd__select of sync/select.h */      \
    X(URD__ON_SELECT_UNTIL, OUTSIDE, "one of the arms of select, or a time")    /* the same */     \
    X(URD__ON_SELECT_FD, OUTSIDE, "one of the arms of select, or a descriptor") /* the same */     \
    X(URD__ON_POOL, INSIDE, "pool")                                             /* urd_pool */     \
    X(URD__ON_SHARED, OUTSIDE, "what processes share, at")                      /* any of it */    \
    X(URD__ON_FD, OUTSIDE, "file descriptor")                                   /* the number */

typedef enum urd__reason {
#define URD__REASON_NAME(name, ends, words) name,
    URD__REASONS(URD__REASON_NAME)
#undef URD__REASON_NAME
        URD__REASON_COUNT
} urd__reason;

/* Called, where it is set, by each task that has begun a wait and is about to sleep.  Set while no
 * job runs.  Must not wait. */
extern void (*urd__wait_watch)(urd__task *self);

/* On the waiter's stack, or in its urd_op; in urd/base.h. */
typedef struct urd__waiter urd__waiter;

/*
 * Where others may find what the task puts on a queue while it waits: on its stack; or, as a
 * compact task's is copied away (compact.c), beside the task.  One at a time.
 */
static inline void *urd__wait_note(urd__task *self, void *on_stack, size_t size)
{
    if (__builtin_expect(!self->compact, 1))
        return on_stack;
    urd__assert(size <= URD__COMPACT_NOTE_BYTES);
    return (unsigned char *)self - URD__COMPACT_NOTE_BYTES;
}

/* Abort if the object, to which others get a pointer, lies on the stack of a compact task. */
static inline void urd__wait_check_place(const urd__task *self, const char *call,
                                         const void *object)
{
    if (__builtin_expect(self->compact, 0) && (uintptr_t)object >= self->stack.low &&
        (uintptr_t)object < self->stack.high)
        urd__die("%s: the object lies on the stack of a compact task, which moves as it waits",
                 call);
}

/* Give up the processor until urd__task_ready(self). */
static inline void urd__task_park(urd__task *self)
{
    if (__builtin_expect(self->worker != NULL, 1))
        urd__worker_leave(self);
    else
        urd__task_park_thread(self);
}

/* The cancel point alone: 0, or -ECANCELED. */
static inline int urd__wait_check(const urd__task *self)
{
    return self->scope && urd__scope_cancelled(self->scope) ? -ECANCELED : 0;
}

/* Does a cancel of the task's scope find the task?  It must, before the task begins a wait. */
static inline bool urd__wait_is_found(const urd__task *self)
{
    return !self->scope || urd__scope_finds_task(self, self->scope);
}

/* Afterwards it does. */
static inline void urd__wait_be_found(urd__task *self)
{
    if (__builtin_expect(!urd__wait_is_found(self), 0))
        urd__scope_publish_task(self, self->scope);
}

/* The cancel point, and afterwards a cancel of the task's scope finds the task. */
static inline int urd__wait_enter(urd__task *self)
{
    int rc = urd__wait_check(self);
    if (rc == 0)
        urd__wait_be_found(self);
    return rc;
}

/*
 * Begin a wait that a cancel of `scope` ends; NULL: none does.  Returns the word to claim.  By the
 * task itself; or, without a scope, by who has claimed its wait and instead of making it ready lets
 * it wait on for something else.
 */
uint64_t urd__wait_begin(urd__task *self, urd_scope *scope, urd__reason reason, const void *on);

/* Sleep until claimed.  0, or -ECANCELED. */
int urd__wait_end(urd__task *self);

/* The same, but gives up at the time `when`, and takes the wait back: -ETIMEDOUT then; and as well
 * in a thread whose poll has news.  `word` is what urd__wait_begin() returned. */
int urd__wait_end_until(urd__task *self, uint64_t word, int64_t when); /* sleep.c */

/* The same in a thread, by the kernel's clock. */
int urd__wait_end_thread(urd__task *self, uint64_t word, int64_t until);

/* Take the begun wait back: true if nobody claimed it; else the claim stands and must be waited for
 * with urd__wait_end(). */
bool urd__wait_undo(urd__task *self, uint64_t word);

static inline uint64_t urd__wait_with_state(uint64_t word, unsigned state)
{
    return word - word % URD__WAIT_STATES + state;
}

/* Wake: true for the one who may make the task ready. */
static inline bool urd__wait_claim(urd__task *task, uint64_t word)
{
    uint64_t woken = urd__wait_with_state(word, URD__WOKEN);
    return urd__cas_ar(&task->wait, &word, woken); /* [wait] */
}

/* The same for who knows that the task has not left the wait that is meant. */
bool urd__wait_claim_now(urd__task *task);

/* Cancel: wakes the task if it waits in exactly this scope. */
void urd__wait_cancel(urd__task *task, urd_scope *scope);

/* Enqueue on `list`, release `lock`, which is held, and sleep.  0, or -ECANCELED and dequeued. */
int urd__wait_on(urd__task *self, urd__link *list, int *lock, urd__waiter *waiter,
                 urd__reason reason, const void *on);

/* The same with a lock that has a home. */
int urd__wait_on_held(urd__task *self, urd__link *list, urd__held held, urd__waiter *waiter,
                      urd__reason reason, const void *on);

/* The same on the object that the lock lies first in, with a value to hand over.  0, what who took
 * it out said, or -ECANCELED.  Not of a compact task. */
int urd__wait_with_value(urd__task *self, urd__link *list, urd__held held, void *value,
                         urd__reason reason);

/* As the first, and no cancel ends it. */
void urd__wait_on_shielded(urd__task *self, urd__link *list, int *lock, urd__reason reason,
                           const void *on);

/* The first waiter that could be claimed, dequeued; NULL: none.  Under the lock. */
urd__waiter *urd__wait_pop(urd__link *list);

/* The same, inlined where it is called for each value. */
static inline urd__waiter *urd__wait_pop_inline(urd__link *list)
{
    for (urd__link *link; (link = urd__list_pop(list)) != NULL;) {
        urd__waiter *waiter = urd__container(link, urd__waiter, link);
        if (urd__wait_claim(waiter->task, waiter->word)) {
            waiter->claimed = true;
            return waiter;
        }
    }
    return NULL;
}

/* Make ready, after the lock, who was popped under it. */
static inline void urd__wait_ready_held(urd__task *task, urd__held held)
{
    if (__builtin_expect(held.home && task->worker == held.home, 1))
        urd__worker_enqueue(held.home, task);
    else
        urd__task_ready(task);
}

/* All of them, with this result, to the end of `woken`; and after the lock make them ready. */
void urd__wait_pop_all(urd__link *list, int result, urd__link *woken);
void urd__wait_ready_all(urd__link *woken);

#endif
