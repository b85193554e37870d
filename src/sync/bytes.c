/*
 * bytes.c - a channel bounded by bytes: messages of any size in one ring.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each message lies in the ring behind its size, and goes on at the begin where the end cuts it.
 * Invariants, under the lock, beside those of chan.c:
 *   - Receivers wait only while the ring is empty.
 *   - Senders wait only while the first of them does not fit, or has just been cancelled.
 *
 * The first in the queue keeps the others from overtaking it, or a large message would starve among
 * small ones.  So when it leaves without having sent, those behind it may fit, and who leaves must
 * look: a cancelled send, and a select whose arm it was.  Both look once they are off the queue.
 *
 * A message that waits is read where it lies, by who holds the lock while it is linked: its sender
 * unlinks it under that lock before it returns.
 *
 * Checked: test/model/chan.c.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/list.h"
#include "core/wait.h"
#include "sync/chan.h"

static const size_t SIZE_BYTES = URD_CHAN_MESSAGE_BYTES(0);

_Static_assert(URD_CHAN_MESSAGE_BYTES(0) == sizeof(size_t), "the ring's size is told by chan.h");

void urd_chan_init_bytes(urd_chan *c, void *ring, size_t bytes)
{
    if (bytes <= SIZE_BYTES)
        urd__die("urd_chan_init_bytes: %zu bytes hold no message", bytes);
    urd__chan_setup(c, sizeof(urd_message), ring, bytes, "urd_chan_init_bytes");
    c->order = URD__BYTES;
}

static void append(urd_chan *c, const void *from, size_t n)
{
    size_t room_behind = c->slots - c->head;
    size_t at = c->used < room_behind ? c->head + c->used : c->used - room_behind;
    size_t part = c->slots - at < n ? c->slots - at : n;
    if (part > 0)
        memcpy(c->ring + at, from, part);
    if (n > part)
        memcpy(c->ring, (const char *)from + part, n - part);
    c->used += n;
}

static void look(const urd_chan *c, void *to, size_t n)
{
    size_t part = c->slots - c->head < n ? c->slots - c->head : n;
    if (part > 0)
        memcpy(to, c->ring + c->head, part);
    if (n > part)
        memcpy((char *)to + part, c->ring, n - part);
}

static void pass_over(urd_chan *c, size_t n)
{
    size_t room_behind = c->slots - c->head;
    c->head = n < room_behind ? c->head + n : n - room_behind;
    c->used -= n;
}

static bool fits(const urd_chan *c, const urd_message *m)
{
    return m->size <= c->slots - SIZE_BYTES && c->used + SIZE_BYTES + m->size <= c->slots;
}

static void add(urd_chan *c, const urd_message *m)
{
    append(c, &m->size, SIZE_BYTES);
    append(c, m->from, m->size);
    c->count++;
    c->sent++;
}

static void let_in(urd_chan *c, urd__link *woken)
{
    for (urd__link *link; (link = urd__list_first(&c->senders)) != NULL;) {
        urd__waiter *sender = urd__container(link, urd__waiter, link);
        if (!fits(c, sender->value))
            return;
        urd__list_remove(link);
        if (!urd__wait_claim(sender->task, sender->word))
            continue;
        sender->claimed = true;
        add(c, sender->value);
        urd__list_push_tail(woken, link);
    }
}

/* Straight into the memory of the first receiver with room for it. */
static bool hand_over(urd_chan *c, const urd_message *m, urd__link *woken)
{
    for (urd__waiter *receiver; (receiver = urd__wait_pop(&c->receivers)) != NULL;) {
        urd_message *into = receiver->value;
        bool room = m->size <= into->size;
        if (room && m->size > 0)
            memcpy(into->to, m->from, m->size);
        into->size = m->size;
        receiver->result = room ? 0 : -EMSGSIZE;
        urd__list_push_tail(woken, &receiver->link);
        if (room) {
            c->sent++;
            return true;
        }
    }
    return false;
}

static int send_message(urd_chan *c, const urd_message *m, urd__link *woken)
{
    if (c->closed)
        return -EPIPE;
    if (m->size > c->slots - SIZE_BYTES)
        return -EMSGSIZE;
    if (hand_over(c, m, woken))
        return 0;
    if (!urd__list_empty(&c->senders) || !fits(c, m))
        return -EAGAIN;
    add(c, m);
    return 0;
}

static int receive_message(urd_chan *c, urd_message *m, urd__link *woken)
{
    if (c->count == 0)
        return c->closed ? -EPIPE : -EAGAIN;
    size_t size, room = m->size;
    look(c, &size, SIZE_BYTES);
    m->size = size;
    if (size > room)
        return -EMSGSIZE;
    pass_over(c, SIZE_BYTES);
    look(c, m->to, size);
    pass_over(c, size);
    c->count--;
    let_in(c, woken);
    return 0;
}

int urd__bytes_try(urd_chan *c, bool send, urd_message *m, urd__link *woken)
{
    return send ? send_message(c, m, woken) : receive_message(c, m, woken);
}

void urd__bytes_sender_left(urd_chan *c)
{
    urd__link woken = {0};
    urd__held held = urd__home_lock(&c->lock);
    let_in(c, &woken);
    urd__home_unlock(held);
    urd__wait_ready_all(&woken);
}

/* Under lock, which is released. */
static int wait_for(urd_chan *c, bool send, urd_message *m, urd__task *self, urd__held held)
{
    urd__waiter waiter = {.value = m};
    urd_message *beside = NULL;
    if (__builtin_expect(self->compact, 0)) { /* its stack is copied away */
        urd__waiter *note =
            urd__wait_note(self, &waiter, sizeof(urd__waiter) + sizeof(urd_message));
        urd__wait_check_place(self, send ? "urd_chan_send" : "urd_chan_recv", m->from);
        beside = (urd_message *)(note + 1);
        *beside = *m;
        waiter.value = beside;
    }
    int rc = urd__wait_on_held(self, send ? &c->senders : &c->receivers, held, &waiter,
                               send ? URD__ON_CHAN_SEND : URD__ON_CHAN_RECV, c);
    if (beside && !send)
        *m = *beside;
    if (rc && send)
        urd__bytes_sender_left(c);
    return rc ? rc : waiter.result;
}

int urd__bytes_transfer(urd_chan *c, bool send, urd_message *m, urd__task *waits)
{
    urd__link woken = {0};
    urd__held held = urd__home_lock(&c->lock);
    int rc = urd__bytes_try(c, send, m, &woken);
    if (rc == -EAGAIN && waits)
        return wait_for(c, send, m, waits,
                        held); /* nobody was woken: there was nobody or no room */
    urd__home_unlock(held);
    urd__wait_ready_all(&woken);
    return rc;
}
