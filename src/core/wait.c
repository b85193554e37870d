/*
 * wait.c - enqueue, sleep, wake, cancel: one winner.
 *
 * SPDX-License-Identifier: MIT
 *
 * A cancel and a task about to wait race, and if each misses the other the task sleeps in a
 * cancelled scope:
 *
 *     task waits:  W1 word = WAITING         cancel:  C1 scope cancelled, epoch + 1
 *                  W2 fence seq                       C2 fence seq
 *                  W3 cancelled? claim                C3 word WAITING? claim, ready
 *                     own wait
 *
 * The fences are totally ordered: if W2 is first, C3 sees WAITING; if C2 is first, W3 sees the
 * cancel.  Both may see each other; the compare-and-swap on the word lets one of them claim.  For
 * C3 to find the task it must be in the scope's tree before W3: see scope.c.
 *
 * Who touches a waiter's node?  Only holders of the object's lock, and only while it is linked, or
 * the one who claimed it, until it makes the task ready.  A cancelled waiter unlinks itself under
 * the lock before it returns.
 *
 * Checked: test/model/wait.c, which fails without either fence, and without the sequence number.
 */
#include "core/wait.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/lock.h"
#include "core/leave.h"
#include "core/scope.h"

/* A wait is one function, begin to end: nine calls, each with its registers, were a tenth of a
 * round trip between two tasks. */
#define INLINE __attribute__((always_inline)) static inline

void (*urd__wait_watch)(urd__task *self);

static unsigned state_of(uint64_t word)
{
    return (unsigned)(word % URD__WAIT_STATES);
}

/* Others have pointers to frames of a task in all waits but these. */
__attribute__((noinline)) static void check_compact(const urd__task *self, urd__reason reason,
                                                    const void *on)
{
#define WORDS(name, ends, words) [name] = words,
    static const char *const words[] = {URD__REASONS(WORDS)};
#undef WORDS
    static const bool fit[URD__REASON_COUNT] = {
        [URD__ON_TIME] = true,         [URD__ON_SCOPE] = true,     [URD__ON_LIMIT] = true,
        [URD__ON_JOB] = true,          [URD__ON_MUTEX] = true,     [URD__ON_RMUTEX] = true,
        [URD__ON_RWLOCK_READ] = true,  [URD__ON_ONCE] = true,      [URD__ON_SEM] = true,
        [URD__ON_RWLOCK_WRITE] = true, [URD__ON_LATCH] = true,     [URD__ON_EVENT] = true,
        [URD__ON_CHAN_SEND] = true,    [URD__ON_CHAN_RECV] = true, [URD__ON_CHAN_JOIN] = true,
        [URD__ON_FD] = true,           [URD__ON_SHARED] = true};
    if (!fit[reason])
        urd__die("a compact task cannot wait for %s", words[reason]);
    if (reason != URD__ON_FD) /* a number */
        urd__wait_check_place(self, "a wait", on);
}

/* `worker`: the caller's, if that is the task's; else NULL. */
INLINE uint64_t begin(urd__task *self, const urd__worker *worker, urd_scope *scope,
                      urd__reason reason, const void *on)
{
    uint64_t last = urd__load_rlx(&self->wait); /* nobody else writes it now */
    urd__assert(state_of(last) != URD__WAITING);
    uint64_t word = urd__wait_with_state(last + URD__WAIT_STATES, URD__WAITING);
    urd__store_rlx(&self->wait_scope, scope);   /* seen through the word */
    urd__store_rlx(&self->futex, 0);            /* seen through the word */
    urd__store_rlx(&self->reason, (int)reason); /* for reports, which check the word */
    urd__store_rlx(&self->waits_on, on);        /* the same */
    self->since = worker ? worker->now : urd__clock_now();
    urd__store_rel(&self->wait, word); /* [wait] pairs with the claims */
    return word;
}

uint64_t urd__wait_begin(urd__task *self, urd_scope *scope, urd__reason reason, const void *on)
{
    if (__builtin_expect(self->compact, 0))
        check_compact(self, reason, on);
    /* A helper begins a wait for a task of a worker, whose time it must not read. */
    const urd__worker *worker = self->worker;
    return begin(self, worker == urd__worker_self ? worker : NULL, scope, reason, on);
}

bool urd__wait_undo(urd__task *self, uint64_t word)
{
    return urd__cas_ar(&self->wait, &word, urd__wait_with_state(word, URD__WAIT_NONE));
}

/* W2, W3: a cancel that did not see the wait is seen here. */
INLINE bool cancel_won(urd__task *self, urd_scope *scope, uint64_t word)
{
    urd__fence_seq(); /* W2 */
    return urd__scope_cancelled(scope) && state_of(word) == URD__WAITING &&
           urd__cas_ar(&self->wait, &word, urd__wait_with_state(word, URD__CANCELLED));
}

static inline bool cancelled_meanwhile(urd__task *self)
{
    /* The word first: if somebody has claimed it and begun another wait for us, which no cancel
     * ends, then either the swap fails or there is no scope. */
    uint64_t word = urd__load_acq(&self->wait);          /* [wait] */
    urd_scope *scope = urd__load_rlx(&self->wait_scope); /* see above */
    return scope && cancel_won(self, scope, word);
}

/* Read back by its own thread, after the claim made it ready. */
static int outcome(const urd__task *self)
{
    return state_of(urd__load_acq(&self->wait)) == URD__CANCELLED ? -ECANCELED : 0; /* [wait] */
}

INLINE int sleep_now(urd__task *self)
{
    if (__builtin_expect(urd__wait_watch != NULL, 0))
        urd__wait_watch(self);
    urd__worker *worker = self->worker;
    if (__builtin_expect(!worker || !urd__leave_quickly(worker, self), 0))
        urd__task_park(self);
    return outcome(self);
}

INLINE int end(urd__task *self)
{
    return cancelled_meanwhile(self) ? -ECANCELED : sleep_now(self);
}

int urd__wait_end(urd__task *self)
{
    return end(self);
}

int urd__wait_end_thread(urd__task *self, uint64_t word, int64_t until)
{
    if (cancelled_meanwhile(self))
        return -ECANCELED;
    urd__task_rest(self, true);
    if (!urd__task_park_thread_until(self, until)) {
        if (urd__wait_undo(self, word)) {
            urd__task_rest(self, false);
            return -ETIMEDOUT;
        }
        while (!urd__task_park_thread_until(self, INT64_MAX)) /* claimed; it will be ready soon */
            ;
    }
    return outcome(self);
}

bool urd__wait_claim_now(urd__task *task)
{
    uint64_t word = urd__load_acq(&task->wait); /* [wait] */
    return state_of(word) == URD__WAITING && urd__wait_claim(task, word);
}

void urd__wait_cancel(urd__task *task, urd_scope *scope)
{
    uint64_t word = urd__load_acq(&task->wait); /* [wait] */
    /* A scope read too late belongs to a later word, and then the swap fails. */
    if (state_of(word) != URD__WAITING || urd__load_rlx(&task->wait_scope) != scope)
        return;
    if (urd__cas_ar(&task->wait, &word, urd__wait_with_state(word, URD__CANCELLED)))
        urd__task_ready(task);
}

/* `lock` NULL: the lock is `word`, which has no home. */
__attribute__((noinline)) static void unlist(urd__waiter *waiter, int *word, urd__home *lock)
{
    urd__held held = {0};
    if (lock)
        held = urd__home_lock(lock);
    else
        urd__lock(word);
    if (urd__list_linked(&waiter->link))
        urd__list_remove(&waiter->link);
    if (lock)
        urd__home_unlock(held);
    else
        urd__unlock(word);
}

/* Releases the lock: `word`, or `held` where that is NULL. */
INLINE int sleep_on(urd__task *self, urd__link *list, int *word, urd__held held,
                    urd__waiter *waiter)
{
    waiter->task = self;
    waiter->claimed = false;
    urd__list_push_tail(list, &waiter->link);
    if (word)
        urd__unlock(word);
    else
        urd__home_unlock(held);
    int rc = end(self);
    if (__builtin_expect(rc != 0, 0))
        unlist(waiter, word, word ? NULL : held.lock);
    return rc;
}

/* The node of a compact task lies beside it while it waits. */
__attribute__((noinline)) static int sleep_compact(urd__task *self, urd__link *list, int *word,
                                                   urd__held held, urd__waiter *on_stack)
{
    /* its own stores */
    check_compact(self, (urd__reason)urd__load_rlx(&self->reason), urd__load_rlx(&self->waits_on));
    urd__waiter *waiter = urd__wait_note(self, on_stack, sizeof *on_stack);
    *waiter = *on_stack;
    int rc = sleep_on(self, list, word, held, waiter);
    *on_stack = *waiter;
    return rc;
}

int urd__wait_on(urd__task *self, urd__link *list, int *lock, urd__waiter *waiter,
                 urd__reason reason, const void *on)
{
    const urd__held none = {0};
    waiter->word = begin(self, self->worker, self->scope, reason, on);
    if (__builtin_expect(self->compact, 0))
        return sleep_compact(self, list, lock, none, waiter);
    return sleep_on(self, list, lock, none, waiter);
}

int urd__wait_on_held(urd__task *self, urd__link *list, urd__held held, urd__waiter *waiter,
                      urd__reason reason, const void *on)
{
    waiter->word = begin(self, self->worker, self->scope, reason, on);
    if (__builtin_expect(self->compact, 0))
        return sleep_compact(self, list, NULL, held, waiter);
    return sleep_on(self, list, NULL, held, waiter);
}

int urd__wait_with_value(urd__task *self, urd__link *list, urd__held held, void *value,
                         urd__reason reason)
{
    urd_scope *scope = self->scope;
    urd__waiter waiter;
    waiter.task = self;
    waiter.value = value;
    waiter.result = 0;
    waiter.claimed = false;
    waiter.word = begin(self, self->worker, scope, reason, held.lock);
    urd__list_push_tail(list, &waiter.link);
    urd__home_unlock(held);
    /* Nobody lets this wait go on as another one: it is this word or claimed. */
    if (!(scope && cancel_won(self, scope, waiter.word)) && sleep_now(self) == 0)
        return waiter.result;
    unlist(&waiter, NULL, held.lock);
    return -ECANCELED;
}

void urd__wait_on_shielded(urd__task *self, urd__link *list, int *lock, urd__reason reason,
                           const void *on)
{
    const urd__held none = {0};
    urd__waiter waiter = {.word = begin(self, self->worker, NULL, reason, on)};
    int rc = __builtin_expect(self->compact, 0) ? sleep_compact(self, list, lock, none, &waiter)
                                                : sleep_on(self, list, lock, none, &waiter);
    urd__assert(rc == 0); /* no cancel reaches this wait */
}

urd__waiter *urd__wait_pop(urd__link *list)
{
    return urd__wait_pop_inline(list);
}

void urd__wait_pop_all(urd__link *list, int result, urd__link *woken)
{
    for (urd__waiter *waiter; (waiter = urd__wait_pop(list)) != NULL;) {
        waiter->result = result;
        urd__list_push_tail(woken, &waiter->link);
    }
}

void urd__wait_ready_all(urd__link *woken)
{
    for (urd__link *link; (link = urd__list_pop(woken)) != NULL;)
        urd__task_ready(urd__container(link, urd__waiter, link)->task);
}
