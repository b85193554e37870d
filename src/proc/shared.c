/*
 * shared.c - the heap that every process sees at one address: lock-free, and sound after a crash.
 *
 * SPDX-License-Identifier: MIT
 *
 * One shared mapping, made before any process is forked.  It begins with a `urd__heap`;
 * then come blocks: a header of 16 bytes and the payload.  Sizes are in classes, four to a
 * doubling, so at most a fifth of a block is unused (a third of the smallest).  A class has a stack
 * of free blocks; what was never used lies above `used`.
 *
 * Any process may be killed between any two instructions, so there is no lock that could stay
 * locked: each step is one compare-and-swap, and between two steps exactly one block belongs to
 * the caller and to no list.  A death leaks that block and breaks nothing.  Blocks lie end to end,
 * whoever was killed, so that a test can walk through them (test/unit/whole.h); but where one was
 * killed that had just raised `used`, all is zero up to the next.
 *
 *     take: T1 head = stack, T2 next = head->next, T3 swap stack from head to next
 *     give: G1 block->next = stack, G2 swap stack from next to block
 *
 * Between T2 and T3 others may take the head, use it, and give it back over another next.  T3 must
 * then fail: every T3 and G2 adds one to a tag beside the index (28 bits; to be fooled a taker must
 * sleep through an exact multiple of 2^28 steps on its class and find the same head).  Headers
 * are never given back to the kernel, so T2 reads a block's header however stale the index.
 *
 * When no fresh memory is left, a larger free block is taken and what it has too much is given
 * back in pieces.  Blocks are never joined; a program that frees much of one size and then wants
 * another meets -ENOMEM earlier.  Joining needs a lock or a helper of all for each; rejected.
 *
 * The mapping is of a file in memory, by which a process that is a fresh image of the program finds
 * it: its descriptor is open in the zygote and nowhere else.  Where there is none to be had (a file
 * size limit, an old filter of system calls) it is anonymous memory, and such processes cannot
 * be.  It lies at a random place of a region that neither kernel nor loader nor sanitizer use by
 * themselves, so that it is free in each of them, whatever they were given first.
 *
 * Rejected: robust mutexes (a lock to repair after a death); a place that the kernel chooses (it is
 * among libraries, and those are elsewhere in each image); one place for all programs (it could be
 * guessed).
 * Checked: test/unit/shared.c and test/stress/kills.c, which also kill processes inside it.
 */
#include "proc/shared.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/os.h"
#include "base/os_proc.h"
#include "base/os_self.h"
#include "proc/heap.h"
#include "urd.h"

enum { GIVE_BACK_BYTES = 64 * 1024 /* freed payloads from here on go back to the kernel */ };

static const uint64_t INDEX_MASK = (UINT64_C(1) << URD__INDEX_BITS) - 1;
static const size_t HEAP_BYTES_MAX = (size_t)1 << 40;
static const size_t HEAP_BYTES_MIN = (size_t)64 * 1024;

static const uintptr_t REGION = (uintptr_t)48 << 40, REGION_BYTES = (uintptr_t)16 << 40;

/* Does giving pages back work here?  qemu-user says that it does, and does nothing. */
enum { DISCARD_UNKNOWN, DISCARD_WORKS, DISCARD_FAILS };

/* These are set before any other thread or process. */
static urd__heap *heap; /* NULL: none */
static int file = -1;   /* of which it is a mapping; -1: closed here, or none */
static bool has_file;

/* The smallest class that holds `bytes`, which is at most HEAP_BYTES_MAX. */
static uint32_t class_above(size_t bytes)
{
    if (bytes <= 64)
        return bytes <= 32 ? 0 : bytes <= 48 ? 1 : 2;
    uint32_t power = 63 - (uint32_t)__builtin_clzll(bytes - 1); /* 2^power < bytes <= 2^(power+1) */
    uint32_t quarter = (uint32_t)(((bytes - 1) >> (power - 2)) & 3);
    return 2 + 4 * (power - 6) + quarter + 1;
}

/* The largest class that fits into `bytes`, which is at least 32. */
static uint32_t class_below(size_t bytes)
{
    uint32_t class = class_above(bytes);
    return urd__class_bytes(class) > bytes ? class - 1 : class;
}

static uint64_t index_of(const urd__block *b)
{
    return (uint64_t)((const char *)b - (const char *)heap) / URD__UNIT;
}

static urd__block *block_at(uint64_t index)
{
    return (urd__block *)(void *)((char *)heap + index * URD__UNIT);
}

static uint32_t state_word(const urd__block *b, uint32_t state)
{
    return state ^ (uint32_t)index_of(b);
}

static uint64_t tagged(uint64_t old, uint64_t index)
{
    return (((old >> URD__INDEX_BITS) + 1) << URD__INDEX_BITS) | index;
}

static void give(urd__block *b)
{
    uint64_t *stack = &heap->stacks[b->class];
    uint64_t old = urd__load_acq(stack);
    uint64_t top;
    do {
        urd__store_rlx(&b->next, old & INDEX_MASK); /* published by the swap */
        top = tagged(old, index_of(b));
    } while (!urd__cas_ar(stack, &old, top)); /* [free block] pairs with take() */
}

static urd__block *take(uint32_t class)
{
    uint64_t *stack = &heap->stacks[class];
    uint64_t old = urd__load_acq(stack);
    while ((old & INDEX_MASK) != 0) {
        urd__block *b = block_at(old & INDEX_MASK);
        /* rlx: if b is no longer on top, what is read here is not used, since the swap fails */
        uint64_t next = tagged(old, urd__load_rlx(&b->next));
        if (urd__cas_ar(stack, &old, next)) /* [free block] pairs with give() */
            return b;
    }
    return NULL;
}

/* Memory that was never used, hence zero. */
static urd__block *cut_fresh(uint32_t class)
{
    size_t bytes = urd__class_bytes(class);
    uint64_t used = urd__load_acq(&heap->used);
    do {
        if (bytes > heap->bytes - used)
            return NULL;
    } while (!urd__cas_ar(&heap->used, &used, used + bytes));
    urd__block *b = block_at(used / URD__UNIT);
    b->class = class;
    /* rlx: nobody else knows the block yet */
    urd__store_rlx(&b->state, state_word(b, URD__BLOCK_FREE_ZERO));
    return b;
}

/* Below the class that b has: the header of a free block, or of a rest of 16 bytes. */
static urd__block *cut_piece(urd__block *b, size_t at)
{
    size_t left = urd__class_bytes(b->class) - at;
    uint32_t state = urd__load_rlx(&b->state) ^ (uint32_t)index_of(b); /* the caller's */
    urd__block *piece = block_at(index_of(b) + at / URD__UNIT);
    piece->class = left < urd__class_bytes(0) ? URD__CLASS_REST : class_below(left);
    urd__store_rlx(&piece->state, state_word(piece, state)); /* published by give() */
    return piece;
}

/* The block is the caller's.  Before it gets smaller all headers of what it leaves are there. */
static void shrink(urd__block *b, uint32_t class)
{
    size_t first = urd__class_bytes(class), end = urd__class_bytes(b->class);
    for (size_t at = first; at < end;)
        at += urd__block_bytes(cut_piece(b, at));
    urd__store_rel(&b->class, class); /* after the headers, for who looks when this one is killed */
    for (size_t at = first; at < end;) {
        urd__block *piece = block_at(index_of(b) + at / URD__UNIT);
        at += urd__block_bytes(piece); /* before others have it */
        if (piece->class != URD__CLASS_REST)
            give(piece);
    }
}

static urd__block *split_larger(uint32_t class)
{
    for (uint32_t larger = class + 1; larger < URD__CLASSES; larger++) {
        urd__block *b = take(larger);
        if (b) {
            shrink(b, class);
            return b;
        }
    }
    return NULL;
}

void *urd_shared_alloc(size_t size)
{
    if (!heap || size == 0 || size > heap->bytes || urd__os_fault())
        return NULL;
    uint32_t class = class_above(size + sizeof(urd__block));
    urd__block *b = take(class);
    if (!b)
        b = cut_fresh(class);
    if (!b)
        b = split_larger(class);
    if (!b)
        return NULL;
    void *payload = b + 1;
    /* rlx: the block is the caller's */
    if (urd__load_rlx(&b->state) != state_word(b, URD__BLOCK_FREE_ZERO))
        memset(payload, 0, size);
    /* [live] pairs with urd_shared_free() */
    urd__store_rel(&b->state, state_word(b, URD__BLOCK_LIVE));
    return payload;
}

/* Whole pages to the kernel, which makes them zero.  The first time, look whether it does. */
static bool discard_pages(char *first, char *last)
{
    int known = urd__load_rlx(&heap->discard); /* rlx: it says nothing about other memory */
    if (known == DISCARD_FAILS)
        return false;
    if (known == DISCARD_UNKNOWN)
        *first = 1;
    if (urd__os_shared_discard(first, (size_t)(last - first)) < 0)
        return false;
    if (known == DISCARD_UNKNOWN) {
        known = *first == 0 ? DISCARD_WORKS : DISCARD_FAILS;
        urd__store_rlx(&heap->discard, known);
    }
    return known == DISCARD_WORKS;
}

/* Make a large payload zero by giving it back.  False: it stays as it is. */
static bool discard(urd__block *b)
{
    size_t bytes = urd__class_bytes(b->class);
    if (bytes < GIVE_BACK_BYTES)
        return false;
    size_t page = urd__os_page_bytes();
    char *begin = (char *)(b + 1);
    char *end = (char *)b + bytes;
    char *first = begin + (page - (uintptr_t)begin % page) % page;
    char *last = end - (uintptr_t)end % page;
    if (last <= first || !discard_pages(first, last))
        return false;
    memset(begin, 0, (size_t)(first - begin));
    memset(last, 0, (size_t)(end - last));
    return true;
}

bool urd__shared_holds(const void *p)
{
    return heap && (const char *)p >= (const char *)(heap + 1) &&
           (const char *)p < (const char *)heap + heap->bytes;
}

void *urd__shared_place(size_t *bytes)
{
    *bytes = heap ? heap->bytes : 0;
    return heap;
}

urd__peers *urd__shared_peers(void)
{
    return (urd__peers *)(void *)((char *)heap + heap->bytes);
}

void urd_shared_free(void *p)
{
    if (!p)
        return;
    if (!urd__shared_holds(p) || (uintptr_t)p % URD__UNIT != 0)
        urd__die("urd_shared_free: %p was not given by urd_shared_alloc", p);
    urd__block *b = (urd__block *)p - 1;
    uint32_t expected = state_word(b, URD__BLOCK_LIVE);
    /* [live] pairs with urd_shared_alloc(); one of two that free at once sees URD__BLOCK_FREE */
    if (!urd__cas_ar(&b->state, &expected, state_word(b, URD__BLOCK_FREE))) {
        bool again = expected == state_word(b, URD__BLOCK_FREE) ||
                     expected == state_word(b, URD__BLOCK_FREE_ZERO);
        urd__die(again ? "urd_shared_free: %p was freed before"
                       : "urd_shared_free: %p was not given by urd_shared_alloc",
                 p);
    }
    if (discard(b))
        urd__store_rlx(&b->state, state_word(b, URD__BLOCK_FREE_ZERO)); /* published by give() */
    give(b);
}

static size_t whole_pages(size_t bytes)
{
    size_t page = urd__os_page_bytes();
    return (bytes + page - 1) / page * page;
}

/* Of the mapping: the table of processes lies behind the heap. */
static size_t mapped_bytes(size_t bytes)
{
    return bytes + whole_pages(sizeof(urd__peers));
}

static void *some_place(void)
{
    uintptr_t random;
    urd__os_random(&random, sizeof random);
    random = random % REGION_BYTES / GIVE_BACK_BYTES * GIVE_BACK_BYTES;
    return (void *)(REGION + random); // NOLINT(performance-no-int-to-ptr)
}

static int map_file(void **at, size_t bytes)
{
    int fd = urd__os_shared_file(bytes);
    if (fd < 0)
        return fd;
    *at = some_place();
    int rc = urd__os_shared_file_map(fd, at, bytes, false);
    if (rc == 0)
        file = fd;
    else
        urd__os_close(fd);
    return rc;
}

int urd__shared_map(size_t bytes)
{
    if (bytes < HEAP_BYTES_MIN || bytes > HEAP_BYTES_MAX)
        return -EINVAL;
    bytes = whole_pages(bytes);
    void *at = NULL;
    has_file = map_file(&at, mapped_bytes(bytes)) == 0;
    int rc = has_file ? 0 : urd__os_shared_map(&at, mapped_bytes(bytes));
    if (rc < 0)
        return rc;
    heap = at;
    heap->bytes = bytes;
    heap->used = (sizeof *heap + URD__UNIT - 1) / URD__UNIT * URD__UNIT;
    return 0;
}

int urd__shared_file(void)
{
    return file;
}

bool urd__shared_has_file(void)
{
    return has_file;
}

void urd__shared_close_file(void)
{
    urd__os_close(file);
    file = -1;
}

int urd__shared_join(int fd, void *place, size_t bytes)
{
    void *at = place;
    int rc = urd__os_shared_file_map(fd, &at, mapped_bytes(bytes), true);
    if (rc < 0)
        return rc;
    heap = at;
    has_file = true;
    return 0;
}

void urd__shared_unmap(void)
{
    if (!heap)
        return;
    urd__shared_close_file();
    urd__os_unmap(heap, mapped_bytes(heap->bytes));
    heap = NULL;
}
