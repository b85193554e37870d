/*
 * whole.h - is what processes share whole, whoever of them was killed, and wherever?
 *
 * SPDX-License-Identifier: MIT
 *
 * Nobody may be at work in it: who uses it has ended, or was stopped, which leaves it as a death at
 * that instruction would.  What is wrong is said in words; NULL: nothing is.
 */
#ifndef TEST_UNIT_WHOLE_H
#define TEST_UNIT_WHOLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/peer.h"
#include "proc/heap.h"
#include "proc/shared.h"
#include "sync/between.h"
#include "sync/robust.h"
#include "test.h"

static char fault_text[160];

#define FAULT(...) (snprintf(fault_text, sizeof fault_text, __VA_ARGS__), fault_text)

/* ---- The heap -------------------------------------------------------------------------------- */

/* Blocks of each kind. */
typedef struct heap_counts {
    size_t live;
    size_t free; /* on a list */
    size_t lost; /* free and on no list: who was about to take it, or to give it, was killed */
    size_t cut;  /* places where one was killed that had taken fresh memory */
} heap_counts;

/* Of each unit of the heap: does a block begin there? */
enum { INSIDE, LIVE, FREE, LISTED };

typedef struct heap_walk {
    const urd__heap *heap;
    size_t units; /* that were ever used */
    unsigned char *begins;
} heap_walk;

static inline const urd__block *block_of(const heap_walk *w, size_t unit)
{
    return (const void *)((const char *)w->heap + unit * URD__UNIT);
}

static inline bool is_zero_from(const void *at, size_t bytes)
{
    const unsigned char *p = at;
    return bytes == 0 || (p[0] == 0 && memcmp(p, p + 1, bytes - 1) == 0);
}

/* Fresh memory of which nobody has made a block: up to the next header. */
static inline size_t skip_cut(const heap_walk *w, size_t unit)
{
    do
        unit++;
    while (unit < w->units && is_zero_from(block_of(w, unit), URD__UNIT));
    return unit;
}

/* From the first block to the last. */
static inline const char *walk_blocks(const heap_walk *w, heap_counts *out)
{
    size_t unit = (sizeof(urd__heap) + URD__UNIT - 1) / URD__UNIT;
    while (unit < w->units) {
        const urd__block *b = block_of(w, unit);
        uint32_t state = b->state ^ (uint32_t)unit;
        if (b->state == 0 && b->next == 0) {
            out->cut++;
            unit = skip_cut(w, unit);
            continue;
        }
        if ((state != URD__BLOCK_LIVE && state != URD__BLOCK_FREE &&
             state != URD__BLOCK_FREE_ZERO) ||
            b->class > URD__CLASS_REST || b->class == URD__CLASSES)
            return FAULT("at %zu no block begins, where the one before it ends", unit);
        if (b->class != URD__CLASS_REST)
            w->begins[unit] = state == URD__BLOCK_LIVE ? LIVE : FREE;
        out->live += state == URD__BLOCK_LIVE;
        out->lost += w->begins[unit] == FREE;
        unit += urd__block_bytes(b) / URD__UNIT;
    }
    return unit == w->units ? NULL : FAULT("the last block ends at %zu of %zu", unit, w->units);
}

/* The free ones of a class. */
static inline const char *walk_list(const heap_walk *w, uint32_t class, heap_counts *out)
{
    size_t unit = w->heap->stacks[class] & ((UINT64_C(1) << URD__INDEX_BITS) - 1);
    while (unit != 0) {
        if (unit >= w->units || w->begins[unit] == INSIDE)
            return FAULT("the list of class %u goes on at %zu, where no block begins", class, unit);
        if (w->begins[unit] == LIVE)
            return FAULT("the block at %zu is in use, and on the list of class %u", unit, class);
        if (w->begins[unit] == LISTED)
            return FAULT("the block at %zu is twice on the list of class %u", unit, class);
        const urd__block *b = block_of(w, unit);
        if (b->class != class)
            return FAULT("the block at %zu of class %u is on the list of class %u", unit, b->class,
                         class);
        if ((b->state ^ (uint32_t)unit) == URD__BLOCK_FREE_ZERO &&
            !is_zero_from(b + 1, urd__class_bytes(class) - URD__UNIT))
            return FAULT("the block at %zu is said to be zero, and is not", unit);
        w->begins[unit] = LISTED;
        out->free++;
        out->lost--;
        unit = b->next;
    }
    return NULL;
}

static inline const char *heap_fault(heap_counts *out)
{
    size_t bytes;
    const urd__heap *heap = urd__shared_place(&bytes);
    *out = (heap_counts){0};
    if (heap->used > heap->bytes || heap->used % URD__UNIT != 0)
        return FAULT("%zu of %zu bytes are used", (size_t)heap->used, heap->bytes);
    heap_walk w = {.heap = heap, .units = heap->used / URD__UNIT};
    w.begins = calloc(w.units, 1);
    CHECK(w.begins != NULL);
    const char *fault = walk_blocks(&w, out);
    for (uint32_t class = 0; !fault && class < URD__CLASSES; class ++)
        fault = walk_list(&w, class, out);
    free(w.begins);
    return fault;
}

/* ---- Channels between processes -------------------------------------------------------------- */

/* Of a process that was there once. */
static inline bool is_number(uint32_t number)
{
    return number <= urd__place_own.peers->last;
}

static inline const char *side_fault(const urd__side *s, const char *name)
{
    uint32_t owner = (uint32_t)s->lock >> URD__ROBUST_BITS;
    if (!is_number(owner))
        return FAULT("the lock of the %s is held by %u, who never was", name, owner);
    for (int i = 0; i < URD__BETWEEN_PEERS; i++) {
        if (!is_number(s->peers[i]))
            return FAULT("of the %s is %u, who never was", name, s->peers[i]);
        for (int j = 0; j < i; j++)
            if (s->peers[i] && s->peers[i] == s->peers[j])
                return FAULT("of the %s is %u twice", name, s->peers[i]);
    }
    return NULL;
}

/* is_value: does this place of the ring hold one that was sent? */
static inline const char *chan_fault(const urd_chan *c, bool (*is_value)(const void *value))
{
    const urd__between *b = (const void *)&c->head;
    uint64_t sent = b->senders.count >> URD__BETWEEN_BITS;
    uint64_t received = b->receivers.count >> URD__BETWEEN_BITS;
    const char *fault = side_fault(&b->senders, "senders");
    if (!fault)
        fault = side_fault(&b->receivers, "receivers");
    if (fault)
        return fault;
    if (received > sent || sent - received > c->slots)
        return FAULT("%llu were sent and %llu received", (unsigned long long)sent,
                     (unsigned long long)received);
    /* Each side passes as far as it has seen the other, and has seen no more than there was. */
    if (b->senders.seen > received || sent > b->senders.seen + c->slots)
        return FAULT("the senders have seen %llu receives of %llu",
                     (unsigned long long)b->senders.seen, (unsigned long long)received);
    if (b->receivers.seen > sent || received > b->receivers.seen)
        return FAULT("the receivers have seen %llu sends of %llu",
                     (unsigned long long)b->receivers.seen, (unsigned long long)sent);
    if (b->done >> URD__BETWEEN_BITS > sent)
        return FAULT("more are done than were sent");
    for (uint64_t i = received; i < sent; i++)
        if (!is_value(c->ring + i % c->slots * c->elem_bytes))
            return FAULT("the value %llu is not what was sent", (unsigned long long)i);
    return NULL;
}

#endif
