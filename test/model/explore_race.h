/*
 * explore_race.h - find plain accesses that race; part of explore.c.
 *
 * SPDX-License-Identifier: MIT
 *
 * A model that is compiled with -fsanitize=thread calls these functions for every plain access;
 * linked without it, they are ours.  Each byte remembers who wrote it, who read it and who touched
 * it atomically, at which tick of the own clock.  Two accesses of which one is plain and one writes
 * race unless one happens before the other.  So a missing release is found although the memory of
 * the model never delays a plain store; and so is a late touch of a node on a stack that its owner
 * has left and written over, or of memory that was freed.
 *
 * The order of the two accesses in the schedule does not matter: they race in each schedule that
 * comes to the same.
 */
#ifndef EXPLORE_RACE_H
#define EXPLORE_RACE_H

#include "explore_memory.h"

enum { RACE_TABLE = 8192, RACE_WORD = 8, RACE_PROBES_MAX = 512 };

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_ATOMIC_READ, ACCESS_ATOMIC_WRITE, ACCESS_KINDS };

/* What happened to eight bytes, by thread and byte: ticks, 0 for never. */
struct race_word {
    uintptr_t address;
    unsigned schedule; /* of an older one: the slot is free */
    uint16_t ticks[ACCESS_KINDS][EXPLORE_THREADS_MAX][RACE_WORD]; /* [enum access] */
    bool freed;
};

static struct {
    struct race_word words[RACE_TABLE];
    unsigned schedule;
    bool on; /* the model was compiled for it */
} race;

static struct race_word *race_word(uintptr_t address)
{
    unsigned slot = (unsigned)(((address / RACE_WORD) * UINT64_C(0x9e3779b97f4a7c15)) >> 40);
    for (unsigned i = 0; i < RACE_PROBES_MAX; i++) {
        struct race_word *word = &race.words[(slot + i) % RACE_TABLE];
        if (word->schedule != race.schedule) {
            *word = (struct race_word){.address = address, .schedule = race.schedule};
            return word;
        }
        if (word->address == address)
            return word;
    }
    fail("limit RACE_TABLE: plain accesses to more than about %d words", RACE_TABLE);
}

/* A thread whose access of this kind to the bytes does not happen before now; or -1. */
static int race_with(const struct race_word *word, enum access kind, int thread, unsigned bytes)
{
    const clocks *now = &memory.threads[thread].clock;
    for (int other = 0; other < EXPLORE_THREADS_MAX; other++) {
        if (other == thread)
            continue;
        for (int i = 0; i < RACE_WORD; i++)
            if ((bytes >> i & 1) && word->ticks[kind][other][i] > now->at[other])
                return other;
    }
    return -1;
}

__attribute__((noreturn)) static void race_report(uintptr_t address, enum access mine,
                                                  enum access theirs, int other)
{
    static const char *const words[] = {"reads", "writes", "loads", "stores to"};
    const struct cell *cell = cell_find((void *)address);
    fail("data race at %p%s%s: the thread %s what thread %d %s, and neither is first",
         (void *)address, cell ? ", " : "", cell ? cell->what : "", words[mine], other,
         words[theirs]);
}

/* Two accesses of which one is plain and one writes. */
static bool conflict(enum access a, enum access b)
{
    bool plain = a <= ACCESS_WRITE || b <= ACCESS_WRITE;
    bool write = a == ACCESS_WRITE || a == ACCESS_ATOMIC_WRITE || b == ACCESS_WRITE ||
                 b == ACCESS_ATOMIC_WRITE;
    return plain && write;
}

static void race_touch_word(uintptr_t address, unsigned bytes, enum access kind, int thread)
{
    struct race_word *word = race_word(address);
    if (word->freed)
        fail("access to freed memory at %p", (void *)address);
    for (int theirs = 0; theirs < ACCESS_KINDS; theirs++) {
        if (!conflict(kind, (enum access)theirs))
            continue;
        int other = race_with(word, (enum access)theirs, thread, bytes);
        if (other >= 0)
            race_report(address + (uintptr_t)__builtin_ctz(bytes), kind, (enum access)theirs,
                        other);
    }
    for (int i = 0; i < RACE_WORD; i++)
        if (bytes >> i & 1)
            word->ticks[kind][thread][i] = memory.threads[thread].clock.at[thread];
}

static void race_touch(const void *p, size_t size, enum access kind, int thread)
{
    uintptr_t address = (uintptr_t)p, end = address + size;
    while (address < end) {
        uintptr_t word = address & ~(uintptr_t)(RACE_WORD - 1);
        unsigned bytes = 0;
        for (; address < end && address < word + RACE_WORD; address++)
            bytes |= 1U << (address - word);
        race_touch_word(word, bytes, kind, thread);
        for (unsigned i = 0; kind == ACCESS_WRITE && i < RACE_WORD; i++) {
            struct cell *cell = bytes >> i & 1 ? cell_find((void *)(word + i)) : NULL;
            if (cell)
                cell->rewritten = true;
        }
    }
}

#endif
