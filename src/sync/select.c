/*
 * select.c - wait for the first of several arms; the others are untouched.
 *
 * SPDX-License-Identifier: MIT
 *
 * First each arm is tried, in an order that is drawn, each under its own lock.  If none can happen:
 *
 *     S1 lock all channels and broadcasts, each once, in the order of their addresses
 *     S2 try each of them again; one happens? unlock, done
 *     S3 begin ONE wait, enqueue a node for each, unlock
 *     S4 events, jobs and descriptors: under its lock, has it happened? take the wait back, that is
 *                                      the arm; not yet? enqueue a node
 *     S5 sleep until somebody claims the wait, or the earliest time comes
 *     S6 take the nodes out, each under its lock; the claimed one says which arm it was
 *
 * All nodes name the same word, so of all that could end the wait one does (wait.c): an arm
 * happens by the claim, and the others find the word claimed and leave their node alone.
 *
 * Why are channels and broadcasts locked together?  To hand a value over, a rendezvous must claim
 * the other side.  Were the own wait begun when it tries (one lock after the other), it would have
 * to claim two words at once: two selects that meet on two channels could each take its own wait
 * back and fail to claim the other's, for ever.  Under all locks nothing can change between look
 * and enqueue, and what looks has not begun to wait.  Events, jobs and times are not consumed and
 * claim nobody, so taking the own wait back is enough, and their locks are held one at a time: a
 * job's is its scope's, which the walk of a cancel holds together with others.
 *
 * A descriptor's claim says that there may be news.  So it is looked at again after S6, and if that
 * was nothing, all begins anew, but for what arm.h keeps from the first round to the last.
 *
 * A node is touched by who claimed it, until it makes the task ready, and by holders of its
 * object's lock while it is linked; after S6 it is not linked.
 *
 * Rejected: a helper task for each arm (allocates, and a losing arm may have consumed); S2 alone
 * (a select that finds its arm ready would hold the locks of all).
 * Checked: test/model/select.c.
 */
#include <errno.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/arm.h"
#include "core/peer.h"
#include "core/wait.h"
#include "sync/broadcast.h"
#include "sync/chan.h"
#include "sync/event.h"
#include "sync/select.h"

typedef struct arms {
    urd_op *ops;
    unsigned n;
    urd_time earliest;               /* of the times; URD_FOREVER: none */
    int timed;                       /* index of that arm */
    const urd__arm_ops *descriptors; /* NULL: none */
} arms;

/* Beside the index of an arm. */
enum { AGAIN = -EAGAIN, SLEEP = -EINPROGRESS };

/* Does the arm consume, so that it is tried and enqueued under all locks? */
static bool is_channel(const urd_op *op)
{
    return op->kind == URD_OP_SEND || op->kind == URD_OP_RECV || op->kind == URD_OP_NEXT;
}

/* NULL: none, it is a time. */
static int *lock_of(const urd_op *op)
{
    switch (op->kind) {
    case URD_OP_SEND:
    case URD_OP_RECV:
        return &op->chan->lock.word;
    case URD_OP_NEXT:
        return &op->subscriber->from->lock;
    case URD_OP_EVENT:
        return &op->event->lock;
    case URD_OP_JOB:
        return &op->job->scope.lock;
    default:
        return NULL;
    }
}

/* Of several at once none can be at home. */
static void lock(const urd_op *op)
{
    if (op->kind == URD_OP_SEND || op->kind == URD_OP_RECV)
        urd__home_lock_away(&op->chan->lock);
    else
        urd__lock(lock_of(op));
}

static urd__link *queue_of(const urd_op *op)
{
    switch (op->kind) {
    case URD_OP_SEND:
        return &op->chan->senders;
    case URD_OP_RECV:
        return &op->chan->receivers;
    case URD_OP_NEXT:
        return &op->subscriber->from->receivers;
    case URD_OP_EVENT:
        return &op->event->waiters;
    default:
        return &op->job->joiners;
    }
}

/* An event or a job, once it has happened, needs no lock to be seen. */
static bool has_happened(const urd_op *op)
{
    if (op->kind == URD_OP_EVENT)
        return urd_event_is_set(op->event);
    return !urd_job_alive(op->job);
}

/* Who is to be made ready after the locks. */
typedef struct awakened {
    urd__task *task; /* the other side of a channel */
    urd__link many;  /* senders of a broadcast, and who waited for what they send */
} awakened;

static void wake(awakened *woken)
{
    if (woken->task)
        urd__task_ready(woken->task);
    urd__wait_ready_all(&woken->many);
}

/* Under its lock. */
static bool try_channel(urd_op *op, awakened *woken)
{
    op->result = op->kind == URD_OP_NEXT ? urd__subscriber_try(op->subscriber, op->to, &woken->many)
                                         : urd__chan_try(op->chan, op->kind == URD_OP_SEND, op->to,
                                                         &woken->task, &woken->many);
    return op->result != -EAGAIN;
}

static bool try_alone(urd_op *op, awakened *woken)
{
    if (op->kind == URD_OP_EVENT)
        return urd__event_passed(op->event);
    if (op->kind == URD_OP_FD) {
        op->result = op->arm->attempt(op);
        return op->result != -EAGAIN;
    }
    if (!is_channel(op))
        return has_happened(op);
    lock(op);
    bool happened = try_channel(op, woken);
    urd__unlock(lock_of(op));
    return happened;
}

/* What an arm that has happened came to, where that is not known yet. */
static void settle(urd_op *op)
{
    if (op->kind == URD_OP_JOB)
        op->result = urd__hold_result(op->job);
    else if (op->kind == URD_OP_EVENT || op->kind == URD_OP_UNTIL)
        op->result = 0;
}

static uint64_t threads_turn; /* atomic: selects of threads so far */

static uint64_t draw_number(const urd__task *self)
{
    if (self->worker)
        return urd__worker_random(self->worker);
    /* splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators"). */
    uint64_t turn = urd__add_rlx(&threads_turn, 1); /* any number will do, each once */
    uint64_t x = turn * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) >> 32;
}

/* The order in which arms are tried: every one as likely (Fisher and Yates). */
static void draw_order(const urd__task *self, urd_op *ops, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned j = i == 0 ? 0 : (unsigned)(draw_number(self) % (i + 1));
        ops[i].drawn = ops[j].drawn;
        ops[j].drawn = i;
    }
}

static int try_each(const arms *a)
{
    urd_time now = a->earliest == URD_FOREVER ? 0 : urd__clock_now();
    for (unsigned i = 0; i < a->n; i++) {
        urd_op *op = &a->ops[a->ops[i].drawn];
        awakened woken = {0};
        bool happened = op->kind == URD_OP_UNTIL ? op->when <= now : try_alone(op, &woken);
        wake(&woken);
        if (happened) {
            settle(op);
            return (int)a->ops[i].drawn;
        }
    }
    return -EAGAIN;
}

static uintptr_t lock_address(const arms *a, unsigned i)
{
    const urd_op *op = &a->ops[a->ops[i].sorted];
    return is_channel(op) ? (uintptr_t)lock_of(op) : 0;
}

/* Shell's sort: in place, and no worse than n to the 3/2 with these gaps. */
static void sort_by_lock(const arms *a)
{
    unsigned gap = 1;
    while (gap < a->n / 2)
        gap = 2 * gap + 1;
    for (unsigned i = 0; i < a->n; i++)
        a->ops[i].sorted = i;
    for (; gap > 0; gap /= 2) {
        for (unsigned i = gap; i < a->n; i++) {
            for (unsigned j = i; j >= gap && lock_address(a, j - gap) > lock_address(a, j);
                 j -= gap) {
                unsigned sorted = a->ops[j].sorted;
                a->ops[j].sorted = a->ops[j - gap].sorted;
                a->ops[j - gap].sorted = sorted;
            }
        }
    }
}

/* Those without a channel come first, with address 0. */
static void lock_channels(const arms *a)
{
    uintptr_t last = 0;
    for (unsigned i = 0; i < a->n; i++) {
        if (lock_address(a, i) != last)
            lock(&a->ops[a->ops[i].sorted]);
        last = lock_address(a, i);
    }
}

static void unlock_channels(const arms *a)
{
    uintptr_t last = 0;
    for (unsigned i = 0; i < a->n; i++) {
        if (lock_address(a, i) != last)
            urd__unlock(lock_of(&a->ops[a->ops[i].sorted]));
        last = lock_address(a, i);
    }
}

static void make_node(urd__task *self, uint64_t word, urd_op *op)
{
    op->result = 0;
    op->waiter = (urd__waiter){.task = self, .word = word, .value = op->to};
}

static void enqueue(urd__task *self, uint64_t word, urd_op *op)
{
    make_node(self, word, op);
    if (op->kind == URD_OP_NEXT) {
        op->waiter.value = op->subscriber;
        op->subscriber->to = op->to;
    }
    urd__list_push_tail(queue_of(op), &op->waiter.link);
}

/* S2, S3.  The arm that happened, or -EAGAIN and *word is begun. */
static int enqueue_channels(urd__task *self, const arms *a, const urd__select *what, uint64_t *word)
{
    awakened woken = {0};
    int chosen = -EAGAIN;
    lock_channels(a); /* S1 */
    for (unsigned i = 0; i < a->n && chosen < 0; i++) {
        urd_op *op = &a->ops[a->ops[i].drawn];
        if (is_channel(op) && try_channel(op, &woken))
            chosen = (int)a->ops[i].drawn;
    }
    if (chosen < 0) {
        urd__reason reason = a->descriptors               ? URD__ON_SELECT_FD
                             : a->earliest != URD_FOREVER ? URD__ON_SELECT_UNTIL
                                                          : URD__ON_SELECT;
        *word = urd__wait_begin(self, self->scope, reason, what);
        for (unsigned i = 0; i < a->n; i++)
            if (is_channel(&a->ops[i]))
                enqueue(self, *word, &a->ops[i]);
    }
    unlock_channels(a);
    wake(&woken);
    return chosen;
}

/* S4 for one.  True if it has happened already, or for a descriptor is to be looked at again. */
static bool enqueue_unless_happened(urd__task *self, uint64_t word, urd_op *op)
{
    if (op->kind == URD_OP_FD) {
        make_node(self, word, op);
        op->result = op->arm->enqueue(self, op);
        if (op->result)
            op->waiter.task = NULL; /* no node of it is anywhere */
        return op->result != 0;
    }
    int *lock = lock_of(op);
    urd__lock(lock);
    bool happened = has_happened(op);
    if (!happened)
        enqueue(self, word, op);
    urd__unlock(lock);
    return happened;
}

/* S4.  The arm that has happened, or AGAIN, and the wait is taken back; or SLEEP. */
static int enqueue_others(urd__task *self, const arms *a, uint64_t word)
{
    for (unsigned i = 0; i < a->n; i++) {
        urd_op *op = &a->ops[i];
        if (is_channel(op) || op->kind == URD_OP_UNTIL || !enqueue_unless_happened(self, word, op))
            continue;
        if (!urd__wait_undo(self, word)) /* one before it has claimed it */
            return SLEEP;
        return op->kind == URD_OP_FD && op->result == -EAGAIN ? AGAIN : (int)i;
    }
    return SLEEP;
}

static void dequeue(urd__task *self, urd_op *op)
{
    if (op->kind == URD_OP_FD) {
        op->arm->dequeue(self, op);
        return;
    }
    lock(op);
    if (urd__list_linked(&op->waiter.link))
        urd__list_remove(&op->waiter.link);
    urd__unlock(lock_of(op));
    if (op->kind == URD_OP_SEND && op->chan->order == URD__BYTES)
        urd__bytes_sender_left(op->chan);
}

/* S6.  The arm whose node was claimed, or AGAIN. */
static int dequeue_all(urd__task *self, const arms *a)
{
    int claimed = AGAIN;
    for (unsigned i = 0; i < a->n; i++) {
        urd_op *op = &a->ops[i];
        bool won = op->waiter.claimed;
        if (won) {
            claimed = (int)i;
            op->result = op->waiter.result;
        }
        if (op->waiter.task && (!won || op->kind == URD_OP_FD))
            dequeue(self, op);
    }
    return claimed;
}

/* The index of the arm, -ECANCELED, or AGAIN. */
static int wait_for_one(urd__task *self, const arms *a)
{
    urd__select what = {.ops = a->ops, .n = (int)a->n};
    uint64_t word = 0;
    for (unsigned i = 0; i < a->n; i++)
        a->ops[i].waiter = (urd__waiter){0};
    sort_by_lock(a);
    int chosen = enqueue_channels(self, a, &what, &word);
    if (chosen >= 0)
        return chosen;
    int rc = 0;
    chosen = enqueue_others(self, a, word);
    if (chosen == SLEEP)
        rc = urd__wait_end_until(self, word, a->earliest); /* S5 */
    int claimed = dequeue_all(self, a);
    if (rc == -ECANCELED)
        return rc;
    if (rc == -ETIMEDOUT)
        chosen = a->descriptors ? AGAIN : a->timed; /* a thread's poll may have had news */
    else if (chosen == SLEEP)
        chosen = claimed;
    if (chosen < 0) {
        urd__assert(a->descriptors);
        return AGAIN;
    }
    urd_op *op = &a->ops[chosen];
    if (op->kind == URD_OP_FD && op->result == 0 && !try_alone(op, NULL))
        return AGAIN;
    settle(op);
    return chosen;
}

static int wait_with_descriptors(urd__task *self, const arms *a)
{
    urd__polled polled;
    int chosen = a->descriptors->begin(self, a->ops, a->n, &polled);
    if (chosen)
        return chosen;
    do {
        chosen = wait_for_one(self, a);
        int rc = chosen == AGAIN ? urd__wait_enter(self) : 0;
        if (chosen == AGAIN)
            chosen = rc ? rc : try_each(a);
    } while (chosen == AGAIN);
    a->descriptors->end(self, a->ops, a->n, &polled);
    return chosen;
}

static arms arms_of(urd_op *ops, int n, const char *call)
{
    if (n < 0)
        urd__die("%s of %d arms", call, n);
    arms a = {.ops = ops, .n = (unsigned)n, .earliest = URD_FOREVER};
    for (int i = 0; i < n; i++) {
        if (ops[i].kind > URD_OP_FD)
            urd__die("%s: arm %d is of no kind", call, i);
        if (ops[i].kind == URD_OP_FD) {
            a.descriptors = ops[i].arm;
            if (!a.descriptors)
                urd__die("%s: arm %d was not made by urd_op_fd", call, i);
        }
        if (ops[i].kind == URD_OP_EVENT && urd__is_shared(ops[i].event))
            urd__die("%s: arm %d is an event between processes, which no select can wait for", call,
                     i);
        if ((ops[i].kind == URD_OP_SEND || ops[i].kind == URD_OP_RECV) &&
            ops[i].chan->order == URD__BETWEEN)
            urd__die("%s: arm %d is a channel between processes, which no select can wait for",
                     call, i);
        for (int j = 0; ops[i].kind == URD_OP_NEXT && j < i; j++)
            if (ops[j].kind == URD_OP_NEXT && ops[j].subscriber == ops[i].subscriber)
                urd__die("%s: arms %d and %d are the same subscriber's", call, j, i);
        if (ops[i].kind == URD_OP_UNTIL && ops[i].when < a.earliest) {
            a.earliest = ops[i].when;
            a.timed = i;
        }
    }
    return a;
}

int urd_tryselect(urd_op *ops, int n)
{
    arms a = arms_of(ops, n, "urd_tryselect");
    draw_order(urd__task_self(), ops, a.n);
    return try_each(&a);
}

int urd_select(urd_op *ops, int n)
{
    urd__task *self = urd__task_self();
    arms a = arms_of(ops, n, "urd_select");
    int rc = urd__wait_check(self);
    if (rc)
        return rc;
    if (a.descriptors && self->worker)
        urd__worker_share(self); /* one that is always ready must not keep the worker */
    draw_order(self, ops, a.n);
    int chosen = try_each(&a);
    if (chosen >= 0)
        return chosen;
    urd__wait_be_found(self);
    return a.descriptors ? wait_with_descriptors(self, &a) : wait_for_one(self, &a);
}
