/*
 * chan.c - rendezvous and bounded channels.
 *
 * SPDX-License-Identifier: MIT
 *
 * Invariants, under the lock:
 *   - At least one of senders and receivers is empty, but for the arms of one select.
 *   - Receivers wait only while count == 0; senders only while count == slots.
 *   - Of a closed channel both are empty.
 *   - done <= sent; joiners wait only while done < sent.
 *
 * Sending and receiving are the same walk in opposite directions: first serve somebody who waits at
 * the other end, then use the ring, then wait.  With no slots the ring never has room, which is the
 * rendezvous.  A value goes from the sender's memory into the waiting receiver's, once; when the
 * ring is full and a receiver takes its next value, the first waiting sender's moves into the
 * place.  In which order values leave the ring is for order.c to say, where it is not the common
 * one; a channel bounded by bytes has its walk in bytes.c, and one in memory that processes share
 * in between.c, to which none of this applies.
 */
#include "sync/chan.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/list.h"
#include "core/peer.h"
#include "core/wait.h"
#include "sync/between.h"

_Static_assert(offsetof(urd_chan, lock) == 0, "urd__wait_with_value() takes the lock for it");

void urd__chan_setup(urd_chan *c, size_t elem_bytes, void *ring, size_t slots, const char *call)
{
    if (slots > 0 && !ring)
        urd__die("%s: %zu slots and no ring", call, slots);
    if (urd__is_shared(c))
        urd__die("%s: between processes a channel is first in, first out", call);
    *c = (urd_chan){.elem_bytes = elem_bytes, .ring = ring, .slots = slots};
}

static void init_between(urd_chan *c, size_t elem_bytes, unsigned char *ring, size_t slots)
{
    if (slots == 0)
        urd__die("urd_chan_init: between processes there is no rendezvous, a channel needs slots");
    if (!urd__is_shared(ring) || !urd__is_shared(ring + slots * elem_bytes - 1))
        urd__die("urd_chan_init: the ring of a channel between processes must be in shared memory");
    *c = (urd_chan){.elem_bytes = elem_bytes, .ring = ring, .slots = slots};
    urd__between_init(c);
}

void urd_chan_init(urd_chan *c, size_t elem_bytes, void *ring, size_t slots)
{
    if (urd__is_shared(c))
        init_between(c, elem_bytes, ring, slots);
    else
        urd__chan_setup(c, elem_bytes, ring, slots, "urd_chan_init");
}

static bool is_between(const urd_chan *c)
{
    return __builtin_expect(c->order == URD__BETWEEN, 0); /* set once */
}

void urd_chan_fini(urd_chan *c)
{
    if (is_between(c))
        return;
    urd__held held = urd__home_lock(&c->lock);
    bool waiting = !urd__list_empty(&c->senders) || !urd__list_empty(&c->receivers) ||
                   !urd__list_empty(&c->joiners);
    urd__home_unlock(held);
    if (waiting)
        urd__die("urd_chan_fini: somebody waits in the channel");
}

/* A send or a receive is one function down to the wait. */
#define INLINE __attribute__((always_inline)) static inline

static inline unsigned char *slot(const urd_chan *c, size_t i)
{
    size_t at = c->head + i;
    return c->ring + (at < c->slots ? at : at - c->slots) * c->elem_bytes;
}

/* Most values are a pointer or a number: no call for those. */
static inline void copy(const urd_chan *c, void *to, const void *from)
{
    if (c->elem_bytes == sizeof(uint64_t))
        memcpy(to, from, sizeof(uint64_t));
    else if (c->elem_bytes)
        memcpy(to, from, c->elem_bytes);
}

static inline void put(urd_chan *c, const void *v)
{
    c->sent++;
    if (__builtin_expect(c->order != URD__FIFO, 0)) {
        urd__order_put(c, v);
        return;
    }
    copy(c, slot(c, c->count++), v);
}

static inline void take(urd_chan *c, void *v)
{
    if (__builtin_expect(c->order != URD__FIFO, 0)) {
        urd__order_take(c, v);
        return;
    }
    copy(c, v, slot(c, 0));
    c->head = c->head + 1 == c->slots ? 0 : c->head + 1;
    c->count--;
}

static inline urd__waiter *pop(urd__link *list)
{
    return urd__wait_pop_inline(list);
}

/* Under lock.  0, -EPIPE, -EAGAIN; *wake is who is to be made ready after the lock. */
INLINE int try_send(urd_chan *c, const void *v, urd__task **wake)
{
    if (c->closed)
        return -EPIPE;
    urd__waiter *receiver = pop(&c->receivers);
    if (receiver) {
        c->sent++;
        copy(c, receiver->value, v);
        *wake = receiver->task;
        return 0;
    }
    if (c->count == c->slots)
        return -EAGAIN;
    put(c, v);
    return 0;
}

/* Under lock, the same in the other direction. */
INLINE int try_recv(urd_chan *c, void *v, urd__task **wake)
{
    bool from_ring = c->count > 0;
    if (from_ring)
        take(c, v);
    urd__waiter *sender = pop(&c->senders);
    if (!sender)
        return from_ring ? 0 : c->closed ? -EPIPE : -EAGAIN;
    if (from_ring) {
        put(c, sender->value);
    } else {
        c->sent++;
        copy(c, v, sender->value);
    }
    *wake = sender->task;
    return 0;
}

int urd__chan_try(urd_chan *c, bool send, void *v, urd__task **wake, urd__link *woken)
{
    if (c->order == URD__BYTES)
        return urd__bytes_try(c, send, v, woken);
    return send ? try_send(c, v, wake) : try_recv(c, v, wake);
}

/* Of a compact task, whose stack is copied away: the value waits beside the task.  Under lock,
 * which is released. */
__attribute__((noinline)) static int wait_compact(urd_chan *c, void *v, bool send, urd__task *self,
                                                  urd__held held)
{
    enum { VALUE_BYTES_MAX = URD__COMPACT_NOTE_BYTES - sizeof(urd__waiter) };
    if (c->elem_bytes > VALUE_BYTES_MAX)
        urd__die("a compact task can wait to send or receive %d bytes, and not %zu",
                 VALUE_BYTES_MAX, c->elem_bytes);
    urd__waiter waiter = {0}, *note = urd__wait_note(self, &waiter, URD__COMPACT_NOTE_BYTES);
    waiter.value = note + 1; /* behind its copy there */
    if (send)
        copy(c, waiter.value, v);
    int rc = urd__wait_on_held(self, send ? &c->senders : &c->receivers, held, &waiter,
                               send ? URD__ON_CHAN_SEND : URD__ON_CHAN_RECV, c);
    if (rc == 0 && waiter.result == 0 && !send)
        copy(c, v, waiter.value);
    return rc ? rc : waiter.result;
}

/* Of a task that would have to wait, and no cancel of its scope would find it.  Most need not wait,
 * and leave nothing behind that they would have to take back as they end.  Under lock, which is
 * released. */
__attribute__((noinline)) static int transfer_unfound(urd_chan *c, void *v, bool send,
                                                      urd__task *self, urd__held held)
{
    urd__home_unlock(held);
    urd__scope_publish_task(self, self->scope);
    return send ? urd_chan_send(c, v) : urd_chan_recv(c, v);
}

/* Of the channels that have a walk of their own. */
__attribute__((noinline)) static int transfer_apart(urd_chan *c, void *v, bool send,
                                                    urd__task *waits)
{
    if (is_between(c))
        return urd__between_transfer(c, send, v, waits != NULL);
    int rc = waits ? urd__wait_enter(waits) : 0;
    return rc ? rc : urd__bytes_transfer(c, send, v, waits);
}

/* v is read when sending, written when receiving.  Written once for all four calls, and compiled
 * for each. */
INLINE int transfer(urd_chan *c, void *v, bool send, bool wait)
{
    urd__worker *worker = urd__worker_self;
    urd__task *wake = NULL, *self = NULL;
    if (wait)
        self = worker ? worker->current : urd__task_thread_self();
    int rc = wait ? urd__wait_check(self) : 0;
    if (rc)
        return rc;
    if (__builtin_expect(c->order >= URD__BYTES, 0))
        return transfer_apart(c, v, send, self);
    urd__held held = urd__home_lock_by(&c->lock, worker);
    rc = send ? try_send(c, v, &wake) : try_recv(c, v, &wake);
    if (wait && rc == -EAGAIN) {
        if (__builtin_expect(!urd__wait_is_found(self), 0))
            return transfer_unfound(c, v, send, self, held);
        if (__builtin_expect(self->compact, 0))
            return wait_compact(c, v, send, self, held);
        /* With a jump: what this function has saved is not left on the stack over the switch. */
        return urd__wait_with_value(self, send ? &c->senders : &c->receivers, held, v,
                                    send ? URD__ON_CHAN_SEND : URD__ON_CHAN_RECV);
    }
    urd__home_unlock(held);
    if (wake)
        urd__wait_ready_held(wake, held);
    return rc;
}

int urd_chan_send(urd_chan *c, const void *v)
{
    return transfer(c, (void *)(uintptr_t)v, true, true); // NOLINT(performance-no-int-to-ptr)
}

int urd_chan_recv(urd_chan *c, void *v)
{
    return transfer(c, v, false, true);
}

int urd_chan_trysend(urd_chan *c, const void *v)
{
    return transfer(c, (void *)(uintptr_t)v, true, false); // NOLINT(performance-no-int-to-ptr)
}

int urd_chan_tryrecv(urd_chan *c, void *v)
{
    return transfer(c, v, false, false);
}

/* ---- Closing, and what is still to be done -------------------------------------------------- */

/* Under lock. */
static void release_joiners(urd_chan *c, urd__link *woken)
{
    if (c->done == c->sent)
        urd__wait_pop_all(&c->joiners, 0, woken);
}

static size_t close_channel(urd_chan *c, bool drop)
{
    urd__link woken = {0};
    urd__held held = urd__home_lock(&c->lock);
    size_t dropped = drop ? c->count : 0;
    c->closed = true;
    c->count -= dropped;
    c->used -= drop ? c->used : 0;
    c->done += dropped;
    urd__wait_pop_all(&c->senders, -EPIPE, &woken);
    urd__wait_pop_all(&c->receivers, -EPIPE, &woken);
    release_joiners(c, &woken);
    urd__home_unlock(held);
    urd__wait_ready_all(&woken);
    return dropped;
}

void urd_chan_close(urd_chan *c)
{
    if (is_between(c))
        urd__between_close(c, false);
    else
        close_channel(c, false);
}

size_t urd_chan_close_now(urd_chan *c)
{
    return is_between(c) ? urd__between_close(c, true) : close_channel(c, true);
}

void urd_chan_repair(urd_chan *c)
{
    if (is_between(c))
        urd__between_repair(c);
}

/* False: more often than values were sent. */
static bool count_done(urd_chan *c)
{
    urd__link woken = {0};
    urd__held held = urd__home_lock(&c->lock);
    bool counts = c->done != c->sent;
    if (counts) {
        c->done++;
        release_joiners(c, &woken);
    }
    urd__home_unlock(held);
    urd__wait_ready_all(&woken);
    return counts;
}

void urd_chan_done(urd_chan *c)
{
    if (!(is_between(c) ? urd__between_done(c) : count_done(c)))
        urd__die("urd_chan_done more often than values were sent");
}

int urd_chan_join(urd_chan *c)
{
    urd__task *self = urd__task_self();
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    if (is_between(c))
        return urd__between_join(c);
    urd__held held = urd__home_lock(&c->lock);
    if (c->done == c->sent) {
        urd__home_unlock(held);
        return 0;
    }
    urd__waiter waiter = {0};
    return urd__wait_on_held(self, &c->joiners, held, &waiter, URD__ON_CHAN_JOIN, c);
}

/* ---- Counters ------------------------------------------------------------------------------- */

size_t urd_chan_depth(urd_chan *c)
{
    if (is_between(c)) {
        urd_chan_counts counts;
        urd__between_stats(c, &counts);
        return counts.depth;
    }
    urd__held held = urd__home_lock(&c->lock);
    size_t count = c->count;
    urd__home_unlock(held);
    return count;
}

static size_t length(const urd__link *list)
{
    size_t n = 0;
    for (const urd__link *link = urd__list_first(list); link && link != list; link = link->next)
        n++;
    return n;
}

void urd_chan_stats(urd_chan *c, urd_chan_counts *out)
{
    if (is_between(c)) {
        urd__between_stats(c, out);
        return;
    }
    urd__held held = urd__home_lock(&c->lock);
    *out = (urd_chan_counts){.depth = c->count,
                             .senders = length(&c->senders),
                             .receivers = length(&c->receivers),
                             .sent = c->sent,
                             .unfinished = c->sent - c->done,
                             .bytes = c->used,
                             .closed = c->closed};
    urd__home_unlock(held);
}
