/*
 * stack.h - the stacks of tasks: reserved memory, guarded slots of one size, a cache a worker.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_STACK_H
#define URD_CORE_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The slots a worker has at hand, the last one used first. */
typedef struct urd__stack_cache {
    uint32_t first; /* slot + 1, or 0 */
    uint32_t count;
} urd__stack_cache;

/* Where a stack lies: usable from low up to high. */
typedef struct urd__stack {
    uintptr_t low, high;
    uint32_t slot; /* of one that came from urd__stack_get() */
} urd__stack;

enum {
    URD__STACK_CHUNKS_MAX = 65536, /* 1 TiB of 16 MiB each */
    URD__STACK_COLOURS = 16,
    URD__STACK_COLOUR_BYTES = 64,
};

typedef struct urd__stack_chunk {
    unsigned char *base; /* atomic: its slots, and behind them its links; set once; NULL: none */
    uint32_t *links;     /* owner of the list a slot is in: next slot + 1, or 0 */
} urd__stack_chunk;

/* Of stack.c; shown for reports, which walk all slots. */
typedef struct urd__stack_region {
    size_t slot_bytes; /* these are set by open */
    size_t guard_bytes;
    size_t promised_bytes;
    uint32_t chunk_slots;
    urd__stack_chunk chunks[URD__STACK_CHUNKS_MAX]; /* filled in order, under lock */
    int lock;                                       /* guards what follows */
    uint32_t mapped;                                /* slots in chunks */
    uint32_t used;                                  /* slots ever handed out */
    uint32_t free;                                  /* slot + 1: given back, without memory */
    uint32_t bare;   /* slot + 1: handed out when the kernel refused the guard; tried again */
    int by_mprotect; /* atomic; set once the kernel has refused MADV_GUARD_INSTALL */
} urd__stack_region;
extern urd__stack_region urd__stacks;

int urd__stacks_open(size_t stack_bytes); /* 0, -ENOMEM, -EINVAL: absurdly large */
void urd__stacks_close(void);

/* A slot from the cache, or from what others gave back, or a fresh one.  0, -ENOMEM. */
int urd__stack_get(urd__stack_cache *cache, urd__stack *out);

/* Back into the cache; the caller may still be running on it until its next switch. */
void urd__stack_put(urd__stack_cache *cache, const urd__stack *stack);

/* Give the memory of all but a few slots back to the kernel, and the slots to everybody.  Called
 * from no task's stack. */
void urd__stack_trim(urd__stack_cache *cache);
bool urd__stack_over_full(const urd__stack_cache *cache);

/* Is the address in a guard?  Then out is the stack above it. */
bool urd__stack_guard_hit(uintptr_t address, urd__stack *out);

/* Is the address in a stack of ours? */
bool urd__stack_holds(uintptr_t address);

const char *urd__stack_guard_kind(void); /* "madvise" or "mprotect"; asks the kernel */

/* What a task may use at least, when it was started on its own stack or inside a join. */
size_t urd__stack_promised_bytes(void);

enum { URD__STACK_BYTES_DEFAULT = 64 * 1024 };

#endif
