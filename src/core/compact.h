/*
 * compact.h - tasks that keep only their live frames while they wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_COMPACT_H
#define URD_CORE_COMPACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/stack.h"

struct urd__task;
struct urd__worker;

enum {
    URD__COMPACT_BYTES_DEFAULT = 1536, /* of frames */
    URD__COMPACT_BLOCKS_MAX = 65536,   /* of 2 MiB each */
    URD__COMPACT_NOTE_BYTES = 128,
    URD__COMPACT_NUMBER = 1000000000 /* reports number such tasks from here */
};

/* Of one worker, whose blocks serve no other. */
typedef struct urd__compact {
    urd__stack window;        /* on which such tasks run, one at a time; all zero: none yet */
    struct urd__task *inside; /* whose frames are there; or NULL */
    uint32_t free;            /* slot + 1: given back; or 0 */
    uint32_t fresh, end;      /* slots of the current block that were not used yet */
    uint32_t used;            /* slots that tasks have */
    uint32_t first;           /* block + 1: the first of its blocks; or 0 */
    uint32_t current;         /* block + 1: that `fresh` lies in; or 0 */
} urd__compact;

typedef struct urd__compact_block {
    unsigned char *base; /* atomic: its slots, and behind them its links; set once; NULL: none */
    void *mapping;       /* that it lies in; set once */
    uint32_t next;       /* owner only: block + 1: the worker's next one; or 0 */
} urd__compact_block;

/* Of compact.c; shown for reports, which walk all slots. */
typedef struct urd__compact_region {
    size_t frame_bytes; /* these are set by open; 0: there are no compact tasks */
    size_t slot_bytes;
    uint32_t block_slots;
    int lock;                                           /* guards what follows */
    uint32_t mapped;                                    /* blocks */
    urd__compact_block blocks[URD__COMPACT_BLOCKS_MAX]; /* filled in order */
} urd__compact_region;
extern urd__compact_region urd__compacts;

void urd__compacts_open(size_t frame_bytes);
void urd__compacts_close(void);

/* A slot and the worker's window for a task that starts: where the task lies, and its stack.
 * 0, -ENOMEM.  From another stack than the window. */
int urd__compact_get(struct urd__worker *worker, struct urd__task **task, urd__stack *stack);

/* It has ended; the caller may still be running on the window until its next switch. */
void urd__compact_put(struct urd__worker *worker, const struct urd__task *task);

/* Its frames into the window, which others may have used meanwhile.  From another stack. */
void urd__compact_enter(struct urd__worker *worker, struct urd__task *task);

/* By the task, before others run: abort if its frames do not fit into its slot. */
void urd__compact_leave(const struct urd__task *self);

/* If no task has a slot, most of the memory goes back to the kernel. */
void urd__compact_trim(struct urd__worker *worker);

#endif
