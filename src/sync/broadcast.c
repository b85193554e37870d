/*
 * broadcast.c - one ring, and for each subscriber the number of its next value.
 *
 * SPDX-License-Identifier: MIT
 *
 * Values are numbered as they are sent; number i lies in slot i % slots until i + slots is sent.
 * Invariants, under the lock:
 *   - slowest <= next <= sent of every subscriber; where senders wait, sent - next <= slots.
 *   - Who waits to receive is at next == sent.
 *   - Senders wait only while some subscriber is slots behind; of a closed one nobody waits.
 *
 * A value is copied straight to those who wait for it, who are all at the same number; the others
 * find it in the ring.  The node of who waits names its subscriber, and that says where to copy to,
 * since a select waits with a node of its own.  `slowest` is a bound and may be too low: it is
 * looked up again only when the ring seems full.
 *
 * Rejected: a queue a subscriber (each value copied as often as there are subscribers, and memory
 * for each); freeing a slot by counting its readers (a write to every slot by every subscriber).
 * Checked: test/model/broadcast.c.
 */
#include "sync/broadcast.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"

static void setup(urd_broadcast *b, size_t elem_bytes, void *ring, size_t slots)
{
    if (slots == 0 || !ring)
        urd__die("urd_broadcast_init: no ring, or no slots");
    *b = (urd_broadcast){.elem_bytes = elem_bytes, .ring = ring, .slots = slots};
}

void urd_broadcast_init(urd_broadcast *b, size_t elem_bytes, void *ring, size_t slots)
{
    setup(b, elem_bytes, ring, slots);
}

void urd_broadcast_init_lossy(urd_broadcast *b, size_t elem_bytes, void *ring, size_t slots)
{
    setup(b, elem_bytes, ring, slots);
    b->lossy = true;
}

void urd_broadcast_fini(urd_broadcast *b)
{
    urd__lock(&b->lock);
    bool waiting = !urd__list_empty(&b->senders) || !urd__list_empty(&b->receivers);
    bool subscribed = !urd__list_empty(&b->subscribers);
    urd__unlock(&b->lock);
    if (waiting || subscribed)
        urd__die("urd_broadcast_fini: somebody %s", waiting ? "waits in it" : "is subscribed");
}

static void copy(const urd_broadcast *b, void *to, const void *from)
{
    if (b->elem_bytes)
        memcpy(to, from, b->elem_bytes);
}

static unsigned char *slot(const urd_broadcast *b, uint64_t number)
{
    return b->ring + number % b->slots * b->elem_bytes;
}

/* Under lock. */
static bool room_for_one(urd_broadcast *b)
{
    if (b->lossy || b->sent - b->slowest < b->slots)
        return true;
    b->slowest = b->sent;
    const urd__link *head = &b->subscribers;
    for (urd__link *link = urd__list_first(head); link && link != head; link = link->next) {
        const urd_subscriber *s = urd__container(link, urd_subscriber, link);
        if (s->next < b->slowest)
            b->slowest = s->next;
    }
    return b->sent - b->slowest < b->slots;
}

/* Under lock, with room.  Those who waited for it go to `woken`. */
static void put(urd_broadcast *b, const void *v, urd__link *woken)
{
    copy(b, slot(b, b->sent++), v);
    for (urd__waiter *w; (w = urd__wait_pop(&b->receivers)) != NULL;) {
        urd_subscriber *s = w->value;
        copy(b, s->to, v);
        s->next++;
        urd__list_push_tail(woken, &w->link);
    }
}

/* Under lock: somebody got on, or left. */
static void let_senders_in(urd_broadcast *b, urd__link *woken)
{
    while (!urd__list_empty(&b->senders) && room_for_one(b)) {
        urd__waiter *sender = urd__wait_pop(&b->senders);
        if (!sender)
            return;
        put(b, sender->value, woken);
        urd__list_push_tail(woken, &sender->link);
    }
}

/* `waits`: who calls, if it is to wait. */
static int transmit(urd_broadcast *b, const void *v, urd__task *waits)
{
    urd__link woken = {0};
    int rc = 0;
    urd__lock(&b->lock);
    if (b->closed)
        rc = -EPIPE;
    else if (room_for_one(b))
        put(b, v, &woken);
    else
        rc = -EAGAIN;
    if (rc == -EAGAIN && waits) {
        void *value = (void *)(uintptr_t)v; // NOLINT(performance-no-int-to-ptr)
        urd__waiter waiter = {.value = value};
        rc = urd__wait_on(waits, &b->senders, &b->lock, &waiter, URD__ON_BROADCAST_SEND, b);
        return rc ? rc : waiter.result;
    }
    urd__unlock(&b->lock);
    urd__wait_ready_all(&woken);
    return rc;
}

int urd_broadcast_send(urd_broadcast *b, const void *v)
{
    urd__task *self = urd__task_self();
    int rc = urd__wait_check(self);
    if (rc)
        return rc;
    rc = urd__wait_is_found(self) ? -EAGAIN : transmit(b, v, NULL);
    if (rc != -EAGAIN)
        return rc;
    urd__wait_be_found(self);
    return transmit(b, v, self);
}

int urd_broadcast_trysend(urd_broadcast *b, const void *v)
{
    return transmit(b, v, NULL);
}

int urd_broadcast_latest(urd_broadcast *b, void *v)
{
    urd__lock(&b->lock);
    int rc = b->sent == 0 ? -EAGAIN : 0;
    if (rc == 0)
        copy(b, v, slot(b, b->sent - 1));
    urd__unlock(&b->lock);
    return rc;
}

void urd_broadcast_close(urd_broadcast *b)
{
    urd__link woken = {0};
    urd__lock(&b->lock);
    b->closed = true;
    urd__wait_pop_all(&b->senders, -EPIPE, &woken);
    urd__wait_pop_all(&b->receivers, -EPIPE, &woken);
    urd__unlock(&b->lock);
    urd__wait_ready_all(&woken);
}

/* ---- Subscribers ---------------------------------------------------------------------------- */

static void subscribe(urd_subscriber *s, urd_broadcast *b, bool latest)
{
    urd__wait_check_place(urd__task_self(), "urd_subscriber_open", s);
    *s = (urd_subscriber){.from = b};
    urd__lock(&b->lock);
    s->next = b->sent - (latest && b->sent > 0 ? 1 : 0);
    if (s->next < b->slowest)
        b->slowest = s->next;
    urd__list_push_tail(&b->subscribers, &s->link);
    urd__unlock(&b->lock);
}

void urd_subscriber_open(urd_subscriber *s, urd_broadcast *b)
{
    subscribe(s, b, false);
}

void urd_subscriber_open_latest(urd_subscriber *s, urd_broadcast *b)
{
    subscribe(s, b, true);
}

void urd_subscriber_close(urd_subscriber *s)
{
    urd_broadcast *b = s->from;
    urd__link woken = {0};
    urd__lock(&b->lock);
    urd__list_remove(&s->link);
    let_senders_in(b, &woken);
    urd__unlock(&b->lock);
    urd__wait_ready_all(&woken);
}

int urd__subscriber_try(urd_subscriber *s, void *v, urd__link *woken)
{
    urd_broadcast *b = s->from;
    if (s->next == b->sent)
        return b->closed ? -EPIPE : -EAGAIN;
    uint64_t missed = b->sent - s->next > b->slots ? b->sent - b->slots - s->next : 0;
    s->next += missed;
    copy(b, v, slot(b, s->next++));
    let_senders_in(b, woken);
    return missed < INT_MAX ? (int)missed : INT_MAX;
}

/* The same. */
static int receive(urd_subscriber *s, void *v, urd__task *waits)
{
    urd_broadcast *b = s->from;
    urd__link woken = {0};
    urd__lock(&b->lock);
    int rc = urd__subscriber_try(s, v, &woken);
    if (rc == -EAGAIN && waits) {
        urd__waiter waiter = {.value = s};
        s->to = v;
        rc = urd__wait_on(waits, &b->receivers, &b->lock, &waiter, URD__ON_BROADCAST_RECV, b);
        return rc ? rc : waiter.result;
    }
    urd__unlock(&b->lock);
    urd__wait_ready_all(&woken);
    return rc;
}

int urd_subscriber_recv(urd_subscriber *s, void *v)
{
    urd__task *self = urd__task_self();
    int rc = urd__wait_check(self);
    if (rc)
        return rc;
    rc = urd__wait_is_found(self) ? -EAGAIN : receive(s, v, NULL);
    if (rc != -EAGAIN)
        return rc;
    urd__wait_be_found(self);
    return receive(s, v, self);
}

int urd_subscriber_tryrecv(urd_subscriber *s, void *v)
{
    return receive(s, v, NULL);
}
