/*
 * stack.c - map, guard, cache and give back stacks.
 *
 * SPDX-License-Identifier: MIT
 *
 * Mappings of 16 MiB that reserve address space only, made as they are needed, and cut into slots
 * of twice the promised size: a task that joins may run children on its own stack while the
 * promised size is still left for each.
 *
 *     slot:   | guard | ........ stack grows down ........ <- high | colour |
 *
 * `high` is lowered by a different multiple of a cache line in neighbouring slots: at equal offsets
 * the hot lines of all tasks would compete for the same few sets of the first-level cache.
 *
 * A guard is installed when a slot is first used and stays.  MADV_GUARD_INSTALL marks pages without
 * a mapping of their own, so their number has no limit; where the kernel lacks it (before 6.13)
 * mprotect is used, which ends at about half of vm.max_map_count stacks.
 *
 * Free slots are chained through `links`, not through their own memory, which would bring a page
 * back that has just been given away.
 */
#include "core/stack.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/os.h"

static const size_t CHUNK_BYTES = (size_t)1 << 24;
static const size_t RESERVE_BYTES_MAX = (size_t)1 << 40;
static const size_t STACK_BYTES_MAX = (size_t)1 << 30;

enum {
    CHUNKS_MAX = URD__STACK_CHUNKS_MAX,
    GUARD_PAGES = 4,
    COLOURS = URD__STACK_COLOURS,
    COLOUR_BYTES = URD__STACK_COLOUR_BYTES,
#ifdef URD_HOSTILE
    CACHE_MAX = 2,
    CACHE_KEEP = 1,
#else
    CACHE_MAX = 4096, /* while the worker is busy */
    CACHE_KEEP = 64,  /* when it has nothing to do */
#endif
};

typedef urd__stack_chunk chunk;

urd__stack_region urd__stacks;
#define stacks urd__stacks

static size_t slots_bytes(void)
{
    return stacks.chunk_slots * stacks.slot_bytes;
}

static size_t chunk_bytes(void)
{
    return slots_bytes() + stacks.chunk_slots * sizeof(uint32_t);
}

/* Under lock, or before there is anybody else. */
static int add_chunk(void)
{
    uint32_t n = stacks.mapped / stacks.chunk_slots;
    void *base;
    if (n == CHUNKS_MAX || n * slots_bytes() >= RESERVE_BYTES_MAX)
        return -ENOMEM;
    int rc = urd__os_map(&base, chunk_bytes());
    if (rc)
        return rc;
    urd__os_no_huge_pages(base, slots_bytes());
    stacks.chunks[n].links = (uint32_t *)(void *)((unsigned char *)base + slots_bytes());
    stacks.mapped += stacks.chunk_slots;
    urd__store_rel(&stacks.chunks[n].base, base); /* [chunk] pairs with find_slot() */
    return 0;
}

int urd__stacks_open(size_t stack_bytes)
{
    if (stack_bytes > STACK_BYTES_MAX)
        return -EINVAL;
    size_t page = urd__os_page_bytes();
    stacks.promised_bytes = (stack_bytes + page - 1) / page * page;
    stacks.slot_bytes = stacks.promised_bytes * 2;
    stacks.guard_bytes = GUARD_PAGES * page;
    if (stacks.slot_bytes < stacks.promised_bytes + stacks.guard_bytes + page)
        stacks.slot_bytes = stacks.promised_bytes + stacks.guard_bytes + page;
    size_t slots = CHUNK_BYTES / stacks.slot_bytes;
    stacks.chunk_slots = slots ? (uint32_t)slots : 1;
    int rc;
    while ((rc = add_chunk()) != 0 && stacks.chunk_slots > 1)
        stacks.chunk_slots /= 2; /* a limit on address space may be set */
    if (rc)
        stacks.promised_bytes = 0;
    return rc;
}

void urd__stacks_close(void)
{
    for (uint32_t n = 0; n < stacks.mapped / stacks.chunk_slots; n++) {
        urd__os_unmap(stacks.chunks[n].base, chunk_bytes());
        stacks.chunks[n] = (chunk){0};
    }
    stacks.mapped = 0;
    stacks.used = 0;
    stacks.free = 0;
    stacks.bare = 0;
    stacks.promised_bytes = 0;
}

static unsigned char *slot_base(uint32_t slot)
{
    return stacks.chunks[slot / stacks.chunk_slots].base +
           slot % stacks.chunk_slots * stacks.slot_bytes;
}

/* Whose list a slot is in may read and write it. */
static uint32_t *link_of(uint32_t slot)
{
    return &stacks.chunks[slot / stacks.chunk_slots].links[slot % stacks.chunk_slots];
}

static urd__stack stack_of(uint32_t slot)
{
    uintptr_t base = (uintptr_t)slot_base(slot);
    return (urd__stack){.low = base + stacks.guard_bytes,
                        .high = base + stacks.slot_bytes - (size_t)(slot % COLOURS) * COLOUR_BYTES,
                        .slot = slot};
}

static int install_guard(uint32_t slot)
{
    void *base = slot_base(slot);
    if (!urd__load_rlx(&stacks.by_mprotect)) { /* a late reader only asks the kernel again */
        int rc = urd__os_guard_install(base, stacks.guard_bytes);
        if (rc != -EINVAL)
            return rc;
        urd__store_rel(&stacks.by_mprotect, 1);
    }
    return urd__os_protect_none(base, stacks.guard_bytes);
}

static bool take(uint32_t *list, uint32_t *slot)
{
    urd__lock(&stacks.lock);
    bool found = *list != 0;
    if (found) {
        *slot = *list - 1;
        *list = *link_of(*slot);
    }
    urd__unlock(&stacks.lock);
    return found;
}

static int unused_slot(uint32_t *out)
{
    urd__lock(&stacks.lock);
    int rc = stacks.used < stacks.mapped ? 0 : add_chunk();
    if (rc == 0)
        *out = stacks.used++;
    urd__unlock(&stacks.lock);
    return rc;
}

static int fresh_slot(uint32_t *out)
{
    int rc = take(&stacks.bare, out) ? 0 : unused_slot(out);
    if (rc)
        return rc;
    rc = install_guard(*out);
    if (rc) {
        urd__lock(&stacks.lock);
        *link_of(*out) = stacks.bare;
        stacks.bare = *out + 1;
        urd__unlock(&stacks.lock);
    }
    return rc;
}

int urd__stack_get(urd__stack_cache *cache, urd__stack *out)
{
    uint32_t slot;
    if (cache->first) {
        slot = cache->first - 1;
        cache->first = *link_of(slot);
        cache->count--;
        *out = stack_of(slot);
        return 0;
    }
    if (!take(&stacks.free, &slot)) {
        int rc = fresh_slot(&slot);
        if (rc)
            return rc;
    }
    *out = stack_of(slot);
    return 0;
}

void urd__stack_put(urd__stack_cache *cache, const urd__stack *stack)
{
    *link_of(stack->slot) = cache->first;
    cache->first = stack->slot + 1;
    cache->count++;
}

bool urd__stack_over_full(const urd__stack_cache *cache)
{
    return cache->count > CACHE_MAX;
}

/* Slots that follow one another in the list often lie side by side: one call for the run. */
static void discard_run(uint32_t first, uint32_t last)
{
    uint32_t low = first < last ? first : last, high = first < last ? last : first;
    urd__os_discard(slot_base(low), (size_t)(high - low + 1) * stacks.slot_bytes);
}

void urd__stack_trim(urd__stack_cache *cache)
{
    if (cache->count <= CACHE_KEEP)
        return;
    uint32_t last_kept = cache->first - 1;
    for (int i = 1; i < CACHE_KEEP; i++)
        last_kept = *link_of(last_kept) - 1;
    uint32_t first = *link_of(last_kept), tail = first - 1;
    *link_of(last_kept) = 0;
    cache->count = CACHE_KEEP;

    uint32_t run_first = tail;
    for (uint32_t next = *link_of(tail); next; next = *link_of(tail)) {
        uint32_t slot = next - 1;
        int64_t step = (int64_t)slot - tail, run = (int64_t)tail - run_first;
        bool same_way = run == 0 ? step == 1 || step == -1 : step == (run > 0 ? 1 : -1);
        if (!same_way || slot / stacks.chunk_slots != tail / stacks.chunk_slots) {
            discard_run(run_first, tail);
            run_first = slot;
        }
        tail = slot;
    }
    discard_run(run_first, tail);
    urd__lock(&stacks.lock);
    *link_of(tail) = stacks.free;
    stacks.free = first;
    urd__unlock(&stacks.lock);
}

/* The slot of an address; false: it is in none.  Also from a signal handler. */
static bool find_slot(uintptr_t address, uint32_t *out)
{
    for (uint32_t n = 0; n < CHUNKS_MAX; n++) {
        uintptr_t base = (uintptr_t)urd__load_acq(&stacks.chunks[n].base); /* [chunk] */
        if (!base)
            return false;
        if (address < base || address >= base + slots_bytes())
            continue;
        *out = n * stacks.chunk_slots + (uint32_t)((address - base) / stacks.slot_bytes);
        return true;
    }
    return false;
}

bool urd__stack_holds(uintptr_t address)
{
    uint32_t slot;
    return find_slot(address, &slot);
}

bool urd__stack_guard_hit(uintptr_t address, urd__stack *out)
{
    uint32_t slot;
    if (!find_slot(address, &slot))
        return false;
    *out = stack_of(slot);
    return address < out->low;
}

const char *urd__stack_guard_kind(void)
{
    void *page;
    size_t bytes = urd__os_page_bytes();
    if (urd__os_map(&page, bytes) == 0) {
        if (urd__os_guard_install(page, bytes) == -EINVAL)
            urd__store_rel(&stacks.by_mprotect, 1);
        urd__os_unmap(page, bytes);
    }
    return urd__load_acq(&stacks.by_mprotect) ? "mprotect" : "madvise";
}

size_t urd__stack_promised_bytes(void)
{
    return stacks.promised_bytes ? stacks.promised_bytes : URD__STACK_BYTES_DEFAULT;
}
