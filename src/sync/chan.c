/*
 * chan.c - rendezvous and bounded channels.
 *
 * SPDX-License-Identifier: MIT
 *
 * Invariants, under the lock:
 *   - At least one of senders and receivers is empty.
 *   - Receivers wait only while count == 0; senders only while count == slots.
 *   - Of a closed channel both are empty.
 *
 * Sending and receiving are the same walk in opposite directions: first serve somebody who waits at
 * the other end, then use the ring, then wait.  With no slots the ring never has room, which is the
 * rendezvous.  A value goes from the sender's memory into the waiting receiver's, once; when the
 * ring is full and a receiver takes its oldest value, the first waiting sender's moves into the
 * place.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/wait.h"
#include "sync/chan.h"

void urd_chan_init(urd_chan *c, size_t elem_bytes, void *ring, size_t slots)
{
    if (slots > 0 && !ring)
        urd__die("urd_chan_init: %zu slots and no ring", slots);
    *c = (urd_chan){.elem_bytes = elem_bytes, .ring = ring, .slots = slots};
}

void urd_chan_fini(urd_chan *c)
{
    urd__lock(&c->lock);
    bool waiting = !urd__list_empty(&c->senders) || !urd__list_empty(&c->receivers);
    urd__unlock(&c->lock);
    if (waiting)
        urd__die("urd_chan_fini: somebody waits in the channel");
}

static unsigned char *slot(const urd_chan *c, size_t i)
{
    size_t at = c->head + i;
    return c->ring + (at < c->slots ? at : at - c->slots) * c->elem_bytes;
}

static void copy(const urd_chan *c, void *to, const void *from)
{
    if (c->elem_bytes)
        memcpy(to, from, c->elem_bytes);
}

/* Under lock.  0, -EPIPE, -EAGAIN; *wake is who is to be made ready after the lock. */
static int try_send(urd_chan *c, const void *v, urd__task **wake)
{
    if (c->closed)
        return -EPIPE;
    urd__waiter *receiver = urd__wait_pop(&c->receivers);
    if (receiver) {
        copy(c, receiver->value, v);
        *wake = receiver->task;
        return 0;
    }
    if (c->count == c->slots)
        return -EAGAIN;
    copy(c, slot(c, c->count++), v);
    return 0;
}

/* Under lock, the same in the other direction. */
static int try_recv(urd_chan *c, void *v, urd__task **wake)
{
    if (c->count > 0) {
        copy(c, v, slot(c, 0));
        c->head = c->head + 1 == c->slots ? 0 : c->head + 1;
        c->count--;
        urd__waiter *sender = urd__wait_pop(&c->senders);
        if (sender) {
            copy(c, slot(c, c->count++), sender->value);
            *wake = sender->task;
        }
        return 0;
    }
    urd__waiter *sender = urd__wait_pop(&c->senders);
    if (sender) {
        copy(c, v, sender->value);
        *wake = sender->task;
        return 0;
    }
    return c->closed ? -EPIPE : -EAGAIN;
}

int urd__chan_try(urd_chan *c, bool send, void *v, urd__task **wake)
{
    return send ? try_send(c, v, wake) : try_recv(c, v, wake);
}

static int transfer(urd_chan *c, void *v, bool send, bool wait)
{
    urd__task *self = wait ? urd__task_self() : NULL, *wake = NULL;
    int rc = wait ? urd__wait_enter(self) : 0;
    if (rc)
        return rc;
    urd__lock(&c->lock);
    rc = urd__chan_try(c, send, v, &wake);
    if (rc == -EAGAIN && wait) {
        urd__waiter waiter = {.value = v};
        rc = urd__wait_on(self, send ? &c->senders : &c->receivers, &c->lock, &waiter,
                          send ? URD__ON_CHAN_SEND : URD__ON_CHAN_RECV, c);
        return rc ? rc : waiter.result;
    }
    urd__unlock(&c->lock);
    if (wake)
        urd__task_ready(wake);
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

void urd_chan_close(urd_chan *c)
{
    urd__link woken = {0};
    urd__list_init(&woken);
    urd__lock(&c->lock);
    c->closed = true;
    urd__link *ends[] = {&c->senders, &c->receivers};
    for (size_t i = 0; i < 2; i++) {
        for (urd__waiter *waiter; (waiter = urd__wait_pop(ends[i])) != NULL;) {
            waiter->result = -EPIPE;
            urd__list_push_tail(&woken, &waiter->link);
        }
    }
    urd__unlock(&c->lock);
    for (urd__link *link; (link = urd__list_pop(&woken)) != NULL;)
        urd__task_ready(urd__container(link, urd__waiter, link)->task);
}

size_t urd_chan_depth(urd_chan *c)
{
    urd__lock(&c->lock);
    size_t count = c->count;
    urd__unlock(&c->lock);
    return count;
}
