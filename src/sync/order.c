/*
 * order.c - rings of a channel whose values do not leave in the order in which they came.
 *
 * SPDX-License-Identifier: MIT
 *
 * Newest first is a stack.  By priority is a binary heap; in each of its slots a key stands before
 * the value: the priority, and how many values were sent before, so that equals leave in the order
 * in which they came.
 *
 * Rejected: a compare function, which would be the user's code under the channel's lock; a heap of
 * indexes, which moves less where values are large (send pointers then).
 */
#include <string.h>

#include "base/check.h"
#include "sync/chan.h"

typedef struct key {
    int64_t priority;
    uint64_t arrival;
} key;

_Static_assert(URD_CHAN_PRIORITY_BYTES(1) == sizeof(key) + 8, "the ring's size is told by chan.h");

void urd_chan_init_lifo(urd_chan *c, size_t elem_bytes, void *ring, size_t slots)
{
    urd__chan_setup(c, elem_bytes, ring, slots, "urd_chan_init_lifo");
    c->order = URD__LIFO;
}

void urd_chan_init_priority(urd_chan *c, size_t elem_bytes, void *ring, size_t slots,
                            size_t priority_at)
{
    if (elem_bytes < sizeof(int64_t) || priority_at > elem_bytes - sizeof(int64_t))
        urd__die("urd_chan_init_priority: no int64_t at %zu in %zu bytes", priority_at, elem_bytes);
    urd__chan_setup(c, elem_bytes, ring, slots, "urd_chan_init_priority");
    c->order = URD__PRIORITY;
    c->priority_at = priority_at;
}

static unsigned char *place(const urd_chan *c, size_t i)
{
    return c->ring + i * URD_CHAN_PRIORITY_BYTES(c->elem_bytes);
}

static void move(const urd_chan *c, size_t to, size_t from)
{
    memcpy(place(c, to), place(c, from), sizeof(key) + c->elem_bytes);
}

static key key_at(const urd_chan *c, size_t i)
{
    key k;
    memcpy(&k, place(c, i), sizeof k);
    return k;
}

static bool before(key a, key b)
{
    return a.priority != b.priority ? a.priority < b.priority : a.arrival < b.arrival;
}

/* A hole rises from the end until its parent is before what goes in. */
static void heap_put(urd_chan *c, const unsigned char *v)
{
    key k = {.arrival = c->sent};
    memcpy(&k.priority, v + c->priority_at, sizeof k.priority);
    size_t hole = c->count++;
    for (size_t parent; hole > 0; hole = parent) {
        parent = (hole - 1) / 2;
        if (before(key_at(c, parent), k))
            break;
        move(c, hole, parent);
    }
    memcpy(place(c, hole), &k, sizeof k);
    memcpy(place(c, hole) + sizeof k, v, c->elem_bytes);
}

/* A hole sinks from the top until the last one fits. */
static void heap_take(urd_chan *c, void *v)
{
    memcpy(v, place(c, 0) + sizeof(key), c->elem_bytes);
    size_t last = --c->count, hole = 0;
    key k = key_at(c, last);
    for (size_t child; (child = 2 * hole + 1) < last; hole = child) {
        if (child + 1 < last && before(key_at(c, child + 1), key_at(c, child)))
            child++;
        if (before(k, key_at(c, child)))
            break;
        move(c, hole, child);
    }
    if (hole != last)
        move(c, hole, last);
}

void urd__order_put(urd_chan *c, const void *v)
{
    if (c->order == URD__PRIORITY)
        heap_put(c, v);
    else if (c->elem_bytes)
        memcpy(c->ring + c->count++ * c->elem_bytes, v, c->elem_bytes);
    else
        c->count++;
}

void urd__order_take(urd_chan *c, void *v)
{
    if (c->order == URD__PRIORITY)
        heap_take(c, v);
    else if (c->elem_bytes)
        memcpy(v, c->ring + --c->count * c->elem_bytes, c->elem_bytes);
    else
        c->count--;
}
