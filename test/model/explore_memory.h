/*
 * explore_memory.h - what a load may read: the memory of a model; part of explore.c.
 *
 * SPDX-License-Identifier: MIT
 *
 * A cell is an object that is accessed by atomics.  It keeps all values it had, its versions, in
 * their order.  A thread's view says for each cell which version it has seen: a load may read that
 * one or any later (each is a choice), an acquire load also takes over the view that the storing
 * thread had at its release.  A seq fence makes the view the thread's own and the global one, both
 * the larger of the two.  A read-modify-write reads the last version.  So views give what store
 * buffers give (a thread that has not seen the other's last store), per cell, and acquire and
 * release get exactly the meaning that C11 gives them.
 *
 * Beside its view a thread has a clock, which counts only what C11 calls happens-before;
 * explore_race.h asks it about plain accesses.
 *
 * The object itself always holds the last version.  A plain write is noticed when the next atomic
 * access finds another value there, or by explore_race.h; no older version can be read after it.
 */
#ifndef EXPLORE_MEMORY_H
#define EXPLORE_MEMORY_H

#include "explore.h"

enum {
    CELLS_MAX = 62,     /* of a model; so that a set of them fits a word */
    VERSIONS_MAX = 120, /* of a cell in one schedule */
    CELL_TABLE = 256,   /* hash slots, a power of two */
    STALE_READS_MAX = 3 /* a thread reads old versions of one cell so often, then the last;
                              a model may set less */
};

typedef struct view {
    uint8_t seen[CELLS_MAX]; /* by cell number: index of a version */
} view;

typedef struct clocks {
    uint16_t at[EXPLORE_THREADS_MAX];
} clocks;

struct version {
    uint64_t value;
    view view; /* what an acquire load of it takes over */
    clocks clock;
    int writer;   /* thread; -1: a plain write */
    bool rmw;     /* it was a read-modify-write */
    bool release; /* the writer's own, as it was then: */
    view head_view;
    clocks head_clock;
};

struct cell {
    void *object;
    size_t size;
    int number;
    int count;      /* of versions */
    int sc_seen;    /* version that the seq operations agree on */
    bool rewritten; /* by a plain write, since the last version */
    const char *what;
    struct version versions[VERSIONS_MAX];
};

/* What the memory knows of a thread. */
struct memory_thread {
    view view, acquired, released; /* released: at its last fence; acquired: due at the next */
    clocks clock, acquired_clock, released_clock;
    uint8_t stale_reads[CELLS_MAX];
};

static struct {
    struct cell cells[CELLS_MAX];
    int cell_count;
    uint8_t table[CELL_TABLE]; /* cell number + 1 */
    explore_memory mode;
    int stale_reads_max;
    struct memory_thread threads[EXPLORE_THREADS_MAX];
} memory;

/* Of explore.c: one of 0 .. n - 1, for the step that runs. */
static int choose(int n);
/* Of explore_ops.h: look for races with plain accesses. */
static void touch_stored(const struct cell *cell);
__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...);

static void view_join(view *into, const view *from)
{
    for (int i = 0; i < memory.cell_count; i++)
        if (into->seen[i] < from->seen[i])
            into->seen[i] = from->seen[i];
}

static void clocks_join(clocks *into, const clocks *from)
{
    for (int i = 0; i < EXPLORE_THREADS_MAX; i++)
        if (into->at[i] < from->at[i])
            into->at[i] = from->at[i];
}

static void memory_reset(explore_memory mode, int stale_reads_max)
{
    memory.stale_reads_max = stale_reads_max ? stale_reads_max : STALE_READS_MAX;
    memory.cell_count = 0;
    memory.mode = mode;
    for (int i = 0; i < CELL_TABLE; i++)
        memory.table[i] = 0;
    for (int i = 0; i < EXPLORE_THREADS_MAX; i++) {
        memory.threads[i] = (struct memory_thread){0};
        memory.threads[i].clock.at[i] = 1;
    }
}

static uint64_t object_value(const struct cell *cell)
{
    switch (cell->size) {
    case 1:
        return *(const uint8_t *)cell->object;
    case 2:
        return *(const uint16_t *)cell->object;
    case 4:
        return *(const uint32_t *)cell->object;
    default:
        return *(const uint64_t *)cell->object;
    }
}

static void object_set(const struct cell *cell, uint64_t value)
{
    switch (cell->size) {
    case 1:
        *(uint8_t *)cell->object = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)cell->object = (uint16_t)value;
        break;
    case 4:
        *(uint32_t *)cell->object = (uint32_t)value;
        break;
    default:
        *(uint64_t *)cell->object = value;
    }
}

static uint64_t cut_to_size(const struct cell *cell, uint64_t value)
{
    return cell->size == 8 ? value : value & ((UINT64_C(1) << (8 * cell->size)) - 1);
}

static struct version *cell_append(struct cell *cell, uint64_t value)
{
    if (cell->count == VERSIONS_MAX)
        fail("limit VERSIONS_MAX: %s is written more than %d times", cell->what, VERSIONS_MAX);
    struct version *version = &cell->versions[cell->count++];
    version->value = value;
    version->view = (view){0};
    version->clock = (clocks){0};
    version->writer = -1;
    version->rmw = false;
    version->release = false;
    return version;
}

/* A plain write: nobody can read what was there before. */
static void cell_sync(struct cell *cell)
{
    uint64_t value = object_value(cell);
    if (!cell->rewritten && cell->versions[cell->count - 1].value == value)
        return;
    cell->rewritten = false;
    cell_append(cell, value);
    cell->sc_seen = cell->count - 1;
    for (int i = 0; i < EXPLORE_THREADS_MAX; i++)
        memory.threads[i].view.seen[cell->number] = (uint8_t)(cell->count - 1);
}

static unsigned table_slot(const void *object)
{
    return (unsigned)(((uintptr_t)object * UINT64_C(0x9e3779b97f4a7c15)) >> 56) % CELL_TABLE;
}

/* NULL: no atomic access was made there. */
static struct cell *cell_find(const void *object)
{
    for (unsigned i = table_slot(object); memory.table[i]; i = (i + 1) % CELL_TABLE) {
        struct cell *cell = &memory.cells[memory.table[i] - 1];
        if (cell->object == object)
            return cell;
    }
    return NULL;
}

static struct cell *cell_new(void *object, size_t size, const char *what)
{
    if (memory.cell_count == CELLS_MAX)
        fail("limit CELLS_MAX: more than %d atomic objects", CELLS_MAX);
    struct cell *cell = &memory.cells[memory.cell_count];
    cell->object = object;
    cell->size = size;
    cell->number = memory.cell_count++;
    cell->count = 0;
    cell->sc_seen = 0;
    cell->rewritten = false;
    cell->what = what;
    unsigned i = table_slot(object);
    while (memory.table[i])
        i = (i + 1) % CELL_TABLE;
    memory.table[i] = (uint8_t)(cell->number + 1);
    return cell;
}

static struct cell *cell_at(const void *p, size_t size, const char *what)
{
    void *object = (void *)(uintptr_t)p;
    struct cell *cell = cell_find(object);
    if (!cell) {
        cell = cell_new(object, size, what);
        cell_append(cell, object_value(cell));
    } else if (cell->size != size) {
        /* Another object lies there now, on a stack that was left. */
        cell->size = size;
        cell->what = what;
        cell->rewritten = true;
    }
    cell_sync(cell);
    return cell;
}

static void memory_fence(int thread)
{
    struct memory_thread *t = &memory.threads[thread];
    view_join(&t->view, &t->acquired);
    clocks_join(&t->clock, &t->acquired_clock);
    for (int i = 0; i < memory.cell_count; i++) {
        struct cell *cell = &memory.cells[i];
        if (t->view.seen[i] < cell->sc_seen)
            t->view.seen[i] = (uint8_t)cell->sc_seen;
        cell->sc_seen = t->view.seen[i];
    }
    t->released = t->view;
    t->released_clock = t->clock;
    t->clock.at[thread]++;
}

static bool acquires(explore_order order)
{
    return (order & EXPLORE_ACQ) || memory.mode != EXPLORE_C11;
}

static bool releases(explore_order order)
{
    return (order & EXPLORE_REL) || memory.mode != EXPLORE_C11;
}

static uint64_t read_version(int thread, struct cell *cell, int index, explore_order order)
{
    struct memory_thread *t = &memory.threads[thread];
    const struct version *version = &cell->versions[index];
    t->view.seen[cell->number] = (uint8_t)index;
    if (acquires(order)) {
        view_join(&t->view, &version->view);
        clocks_join(&t->clock, &version->clock);
    } else {
        view_join(&t->acquired, &version->view);
        clocks_join(&t->acquired_clock, &version->clock);
    }
    return version->value;
}

/*
 * Release sequences as in C17: an acquire load also synchronises with a release store when it reads
 * what the same thread stored later, or what read-modify-writes made of it, with nothing between.
 */
static void carry_on_release(int thread, const struct cell *cell, struct version *version)
{
    int i = (int)(version - cell->versions) - 1;
    if (version->rmw) {
        view_join(&version->view, &cell->versions[i].view);
        clocks_join(&version->clock, &cell->versions[i].clock);
        return;
    }
    for (; i >= 0 && (cell->versions[i].writer == thread || cell->versions[i].rmw); i--) {
        const struct version *head = &cell->versions[i];
        if (head->writer == thread && head->release) {
            view_join(&version->view, &head->head_view);
            clocks_join(&version->clock, &head->head_clock);
            return; /* the same thread's older ones say less */
        }
    }
}

static void write_version(int thread, struct cell *cell, uint64_t value, explore_order order,
                          bool rmw)
{
    struct memory_thread *t = &memory.threads[thread];
    struct version *version = cell_append(cell, cut_to_size(cell, value));
    t->view.seen[cell->number] = (uint8_t)(cell->count - 1);
    version->writer = thread;
    version->rmw = rmw;
    version->release = releases(order);
    version->view = version->release ? t->view : t->released;
    version->clock = version->release ? t->clock : t->released_clock;
    version->view.seen[cell->number] = (uint8_t)(cell->count - 1);
    version->head_view = version->view;
    version->head_clock = version->clock;
    carry_on_release(thread, cell, version);
    if (order == EXPLORE_SEQ)
        cell->sc_seen = cell->count - 1;
    touch_stored(cell); /* before the tick: it happens before what acquires this */
    if (version->release)
        t->clock.at[thread]++;
    object_set(cell, value);
}

/* The oldest version that the thread may still read. */
static int oldest_readable(int thread, const struct cell *cell, explore_order order)
{
    const struct memory_thread *t = &memory.threads[thread];
    int last = cell->count - 1;
    if (memory.mode == EXPLORE_SC || t->stale_reads[cell->number] >= memory.stale_reads_max)
        return last;
    int seen = t->view.seen[cell->number];
    return order == EXPLORE_SEQ && seen < cell->sc_seen ? cell->sc_seen : seen;
}

static uint64_t memory_load(int thread, struct cell *cell, explore_order order)
{
    cell_sync(cell);
    int last = cell->count - 1;
    int index = last - choose(last - oldest_readable(thread, cell, order) + 1);
    if (index != last)
        memory.threads[thread].stale_reads[cell->number]++;
    return read_version(thread, cell, index, order);
}

static void memory_store(int thread, struct cell *cell, uint64_t value, explore_order order)
{
    cell_sync(cell);
    write_version(thread, cell, value, order, false);
    if (memory.mode == EXPLORE_SC)
        memory_fence(thread);
}

static uint64_t rmw_result(explore_rmw rmw, uint64_t old, uint64_t operand)
{
    switch (rmw) {
    case EXPLORE_ADD:
        return old + operand;
    case EXPLORE_SUB:
        return old - operand;
    case EXPLORE_OR:
        return old | operand;
    case EXPLORE_AND:
        return old & operand;
    case EXPLORE_XCHG:
        break;
    }
    return operand;
}

static void write_after_last(int thread, struct cell *cell, uint64_t value, explore_order order)
{
    if (memory.mode != EXPLORE_C11)
        memory_fence(thread);
    write_version(thread, cell, value, order, true);
    if (memory.mode != EXPLORE_C11)
        memory_fence(thread);
}

static uint64_t memory_rmw(int thread, struct cell *cell, explore_rmw rmw, uint64_t operand,
                           explore_order order)
{
    cell_sync(cell);
    uint64_t old = read_version(thread, cell, cell->count - 1, order);
    write_after_last(thread, cell, rmw_result(rmw, old, operand), order);
    return old;
}

/*
 * Succeeds only on the last version; may fail on an older one, as a load may read it.  True: it
 * has stored.
 */
static bool memory_cas(int thread, struct cell *cell, uint64_t *expected, uint64_t value,
                       explore_order order)
{
    cell_sync(cell);
    int last = cell->count - 1, readable = 1;
    int oldest = memory.mode == EXPLORE_C11 ? oldest_readable(thread, cell, order) : last;
    for (int i = oldest; i < last; i++)
        readable += cell->versions[i].value != *expected;
    int chosen = choose(readable), index = last;
    for (; chosen > 0; chosen -= cell->versions[index].value != *expected)
        index--;
    if (index != last)
        memory.threads[thread].stale_reads[cell->number]++;
    uint64_t old = read_version(thread, cell, index, order);
    if (old == *expected) {
        write_after_last(thread, cell, value, order);
        return true;
    }
    *expected = old;
    return false;
}

#endif
