/*
 * heap.h - how the shared heap lies in memory: for shared.c, and for tests that look into it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_PROC_HEAP_H
#define URD_PROC_HEAP_H

#include <stddef.h>
#include <stdint.h>

enum {
    URD__UNIT = 16,      /* blocks are multiples of it, and so aligned */
    URD__CLASSES = 144,  /* up to 1 TiB */
    URD__CLASS_REST,     /* of a header alone, which nobody gets */
    URD__INDEX_BITS = 36 /* in units: 1 TiB */
};

/* States of a block, mixed with its place, so that a copy of a header elsewhere is no block. */
enum {
    URD__BLOCK_LIVE = 0x75726421,
    URD__BLOCK_FREE = 0x75726466,
    URD__BLOCK_FREE_ZERO = 0x7572647a /* the payload is known to be zero */
};

typedef struct urd__block {
    uint32_t state; /* atomic; of the above */
    uint32_t class; /* set as the block is cut; the owner's */
    uint64_t next;  /* atomic; index of the next free block, 0: none */
} urd__block;
_Static_assert(sizeof(urd__block) == URD__UNIT, "payloads are aligned to a unit");

typedef struct urd__heap {
    size_t bytes;                  /* set once */
    uint64_t used;                 /* atomic; offset of the first byte never used */
    int discard;                   /* atomic; set by the first large block that is freed */
    uint64_t stacks[URD__CLASSES]; /* atomic; tag << URD__INDEX_BITS | index of the top, 0: empty */
} urd__heap;

static inline size_t urd__class_bytes(uint32_t class)
{
    /* 32, 48, 64, then 5/4, 6/4, 7/4 and 8/4 of every power of two */
    if (class < 2)
        return 32 + 16 * (size_t) class;
    uint32_t step = class - 2;
    return (size_t)(4 + step % 4) << (4 + step / 4);
}

static inline size_t urd__block_bytes(const urd__block *b)
{
    return b->class == URD__CLASS_REST ? URD__UNIT : urd__class_bytes(b->class);
}

#endif
