/*
 * compact.c - tasks that keep only their live frames while they wait.
 *
 * SPDX-License-Identifier: MIT
 *
 * The first touch of a page costs some microseconds, so a million tasks with a page each cost
 * seconds, and 4 KiB each.  A compact task has a slot smaller than that, and runs on a stack that
 * all such tasks of a worker share, its window:
 *
 *     window: | guard | ........ stack grows down ........ <- high |     an ordinary stack
 *     slot:   | ... room for frames, the last bytes of the stack last | note | task |
 *     block:  2 MiB of slots, one huge page where the kernel has it, and behind them their links
 *
 * When another compact task is to run, the frames of the one inside are copied to its slot, and
 * back to the same addresses before it goes on.  The window belongs to one worker, and a started
 * task never leaves its worker, so nothing of this is shared.  The copy is made on a stack that is
 * not the window: a compact task is followed by another one through the worker's loop.
 *
 * So such a task cannot overrun anything: while it runs it has an ordinary stack with its guard,
 * and when it waits with more frames than its slot holds it is named, before a byte is copied.
 * What may not be is that others hold pointers to its frames.  What the runtime puts on queues for
 * it lies in its note; where the runtime would keep a pointer to something of the user's on that
 * stack, or to frames of its own, it aborts.
 *
 * A slot is an odd number of cache lines, so that equal places of neighbours do not compete for the
 * same set of a cache.
 */
#include "core/compact.h"

#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/sanitize.h"
#include "core/task.h"
#include "core/worker.h"

static const size_t BLOCK_BYTES = (size_t)1 << 21;

/* Below the frame of urd__compact_leave() until the switch. */
static const size_t SWITCH_BYTES = 256;

enum {
    LINE = 64,
    NOTE_BYTES = URD__COMPACT_NOTE_BYTES,
    TASK_BYTES = (sizeof(urd__task) + LINE - 1) / LINE * LINE
};

urd__compact_region urd__compacts;
#define compacts urd__compacts

void urd__compacts_open(size_t frame_bytes)
{
    compacts.frame_bytes = urd__sanitize_copies_stacks() ? frame_bytes : 0;
    size_t lines = (frame_bytes + NOTE_BYTES + TASK_BYTES + LINE - 1) / LINE;
    compacts.slot_bytes = (lines | 1) * LINE;
    compacts.block_slots = (uint32_t)(BLOCK_BYTES / (compacts.slot_bytes + sizeof(uint32_t)));
}

void urd__compacts_close(void)
{
    for (uint32_t i = 0; i < compacts.mapped; i++) {
        urd__os_unmap(compacts.blocks[i].mapping, 2 * BLOCK_BYTES);
        compacts.blocks[i] = (urd__compact_block){0};
    }
    compacts.mapped = 0;
    compacts.frame_bytes = 0;
}

/* Twice the address space, so that the block can begin at a multiple of its size. */
static int map_block(urd__compact_block *out)
{
    int rc = urd__os_map(&out->mapping, 2 * BLOCK_BYTES);
    if (rc)
        return rc;
    unsigned char *base = out->mapping;
    base += -(uintptr_t)base & (BLOCK_BYTES - 1);
    urd__os_huge_pages(base, BLOCK_BYTES);
    urd__store_rel(&out->base, base); /* for reports, which read memory */
    return 0;
}

/* Its number, or -ENOMEM. */
static int64_t add_block(void)
{
    urd__lock(&compacts.lock);
    int64_t n = compacts.mapped;
    int rc = n < URD__COMPACT_BLOCKS_MAX ? map_block(&compacts.blocks[n]) : -ENOMEM;
    if (rc == 0)
        compacts.mapped++;
    urd__unlock(&compacts.lock);
    return rc ? rc : n;
}

static void use_block(urd__compact *own, uint32_t block)
{
    own->current = block + 1;
    own->fresh = block * compacts.block_slots;
    own->end = own->fresh + compacts.block_slots;
}

/* The next of the blocks that the worker has, or one more. */
static int next_block(urd__compact *own)
{
    uint32_t next = own->current ? compacts.blocks[own->current - 1].next : own->first;
    if (next) {
        use_block(own, next - 1);
        return 0;
    }
    int64_t n = add_block();
    if (n < 0)
        return (int)n;
    if (own->current)
        compacts.blocks[own->current - 1].next = (uint32_t)n + 1;
    else
        own->first = (uint32_t)n + 1;
    use_block(own, (uint32_t)n);
    return 0;
}

static urd__task *task_of(uint32_t slot)
{
    unsigned char *base = compacts.blocks[slot / compacts.block_slots].base;
    size_t end = (slot % compacts.block_slots + 1) * compacts.slot_bytes;
    return (urd__task *)(void *)(base + end - TASK_BYTES);
}

static uint32_t *link_of(uint32_t slot)
{
    unsigned char *base = compacts.blocks[slot / compacts.block_slots].base;
    return (uint32_t *)(void *)(base + compacts.block_slots * compacts.slot_bytes) +
           slot % compacts.block_slots;
}

/* As ordinary stacks, whose last bytes reports take for a task if they say so. */
static int need_window(urd__worker *worker)
{
    urd__stack *window = &worker->compact.window;
    if (window->high)
        return 0;
    int rc = urd__stack_get(&worker->stacks, window);
    if (rc)
        return rc;
    window->high = (window->high - sizeof(urd__task)) & ~(uintptr_t)(LINE - 1);
    urd__task *none = (urd__task *)window->high; // NOLINT(performance-no-int-to-ptr)
    urd__store_rlx(&none->live, 0);              /* nobody else writes there */
    return 0;
}

static unsigned char *note_of(urd__task *task)
{
    return (unsigned char *)task - NOTE_BYTES;
}

static void empty_window(urd__compact *own)
{
    urd__task *task = own->inside;
    if (!task)
        return;
    size_t bytes = own->window.high - (uintptr_t)task->context;
    urd__assert(bytes <= compacts.frame_bytes); /* urd__compact_leave() has asked */
    memcpy(note_of(task) - bytes, task->context, bytes);
    own->inside = NULL;
}

int urd__compact_get(urd__worker *worker, urd__task **task, urd__stack *stack)
{
    urd__compact *own = &worker->compact;
    int rc = need_window(worker);
    if (rc == 0 && !own->free && own->fresh == own->end)
        rc = next_block(own);
    if (rc)
        return rc;
    empty_window(own);
    uint32_t slot = own->free ? own->free - 1 : own->fresh++;
    if (own->free)
        own->free = *link_of(slot);
    own->used++;
    own->inside = task_of(slot);
    *task = own->inside;
    *stack = own->window;
    stack->slot = slot;
    return 0;
}

void urd__compact_put(urd__worker *worker, const urd__task *task)
{
    urd__compact *own = &worker->compact;
    *link_of(task->stack.slot) = own->free;
    own->free = task->stack.slot + 1;
    own->used--;
    own->inside = NULL;
}

void urd__compact_enter(urd__worker *worker, urd__task *task)
{
    urd__compact *own = &worker->compact;
    if (own->inside == task)
        return;
    empty_window(own);
    size_t bytes = own->window.high - (uintptr_t)task->context;
    memcpy(task->context, note_of(task) - bytes, bytes);
    own->inside = task;
}

void urd__compact_leave(const urd__task *self)
{
    size_t bytes = self->stack.high - (uintptr_t)__builtin_frame_address(0) + SWITCH_BYTES;
    if (bytes > compacts.frame_bytes)
        urd__die("a compact task waits with %zu bytes of frames, and may keep %zu: "
                 "urd_config.compact_bytes or URD_COMPACT_BYTES",
                 bytes, compacts.frame_bytes);
}

/* The first block is kept: a few tasks that come and go should not fault each time. */
void urd__compact_trim(urd__worker *worker)
{
    urd__compact *own = &worker->compact;
    if (own->used || own->current == own->first)
        return;
    for (uint32_t block = own->first; block != own->current;) {
        block = compacts.blocks[block - 1].next;
        urd__os_discard(compacts.blocks[block - 1].base, BLOCK_BYTES);
    }
    own->free = 0;
    use_block(own, own->first - 1);
}
