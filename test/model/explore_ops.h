/*
 * explore_ops.h - the operations of a model's threads, each a step; part of explore.c.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each makes known what it will touch (struct op), stops until the explorer lets it go, and has its
 * effect.  In setup() and finish(), where no thread runs, it has its effect at once.
 */
#ifndef EXPLORE_OPS_H
#define EXPLORE_OPS_H

/* ---- Operations ---------------------------------------------------------------------------- */

static uint64_t bit(const struct cell *cell)
{
    return UINT64_C(1) << cell->number;
}

static uint64_t sc_bit(explore_order order)
{
    return order == EXPLORE_SEQ ? SC_BIT : 0;
}

/* A read-modify-write of the TSO mode is a fence as well. */
static uint64_t rmw_bits(void)
{
    return run.model->memory == EXPLORE_C11 ? 0 : SC_BIT;
}

static uint64_t store_bits(void)
{
    return run.model->memory == EXPLORE_SC ? SC_BIT : 0;
}

/* What a thread waits for that spins on what it read. */
static void note_loaded(const struct cell *cell)
{
    struct thread *thread = &run.threads[run.current];
    thread->loaded |= bit(cell);
    thread->loaded_version[cell->number] = memory.threads[run.current].view.seen[cell->number];
}

static void touch_loaded(const struct cell *cell)
{
    if (race.on)
        race_touch(cell->object, cell->size, ACCESS_ATOMIC_READ, run.current);
}

static void touch_stored(const struct cell *cell)
{
    if (race.on)
        race_touch(cell->object, cell->size, ACCESS_ATOMIC_WRITE, run.current);
}

/* The step only read, as it turned out. */
static void step_only_read(struct cell *cell)
{
    this_step()->op.reads = bit(cell);
    this_step()->op.writes = 0;
    note_loaded(cell);
    touch_loaded(cell);
}

uint64_t explore_load_at(const struct explore_site *site, const void *p, size_t size,
                         explore_order order)
{
    run.inside = true;
    struct cell *cell = cell_at(p, size, site->what);
    uint64_t value = object_value(cell);
    if (run.current >= 0) {
        struct op op = {.site = site, .cell = cell, .reads = bit(cell) | sc_bit(order)};
        stand_before(&op);
        value = memory_load(run.current, cell, order);
        note_loaded(cell);
        touch_loaded(cell);
        this_step()->value = value;
    }
    run.inside = false;
    return value;
}

void explore_store_at(const struct explore_site *site, void *p, size_t size, uint64_t value,
                      explore_order order)
{
    run.inside = true;
    struct cell *cell = cell_at(p, size, site->what);
    if (run.current >= 0) {
        struct op op = {
            .site = site, .cell = cell, .reads = sc_bit(order), .writes = bit(cell) | store_bits()};
        stand_before(&op);
        memory_store(run.current, cell, value, order);
        this_step()->value = value;
    } else {
        object_set(cell, value);
    }
    run.inside = false;
}

uint64_t explore_rmw_at(const struct explore_site *site, void *p, size_t size, explore_rmw rmw,
                        uint64_t operand, explore_order order)
{
    run.inside = true;
    struct cell *cell = cell_at(p, size, site->what);
    uint64_t old = object_value(cell);
    if (run.current >= 0) {
        struct op op = {.site = site, .cell = cell, .writes = bit(cell) | rmw_bits()};
        stand_before(&op);
        old = memory_rmw(run.current, cell, rmw, operand, order);
        this_step()->value = object_value(cell);
    } else {
        object_set(cell, rmw_result(rmw, old, operand));
    }
    run.inside = false;
    return old;
}

bool explore_cas_at(const struct explore_site *site, void *p, size_t size, void *expected,
                    uint64_t value, explore_order order)
{
    run.inside = true;
    struct cell *cell = cell_at(p, size, site->what);
    uint64_t wanted = 0;
    memcpy(&wanted, expected, size);
    bool stored = object_value(cell) == wanted;
    if (run.current >= 0) {
        struct op op = {.site = site, .cell = cell, .writes = bit(cell) | rmw_bits()};
        stand_before(&op);
        stored = memory_cas(run.current, cell, &wanted, value, order);
        if (!stored)
            step_only_read(cell);
        this_step()->value = stored ? cut_to_size(cell, value) : wanted;
    } else if (stored) {
        object_set(cell, value);
    } else {
        wanted = object_value(cell);
    }
    if (!stored)
        memcpy(expected, &wanted, size);
    run.inside = false;
    return stored;
}

void explore_fence_at(const struct explore_site *site)
{
    if (run.current < 0)
        return;
    run.inside = true;
    struct op op = {.site = site, .writes = SC_BIT};
    stand_before(&op);
    memory_fence(run.current);
    run.inside = false;
}

void explore_barrier_at(const struct explore_site *site)
{
    if (run.current < 0)
        return;
    run.inside = true;
    struct op op = {.site = site, .writes = ~UINT64_C(0)}; /* no step of another is like before */
    stand_before(&op);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < EXPLORE_THREADS_MAX; i++)
            memory_fence(i);
    run.inside = false;
}

void explore_yield_at(const struct explore_site *site)
{
    if (run.current < 0)
        return;
    run.inside = true;
    struct thread *thread = &run.threads[run.current];
    struct op op = {.site = site, .reads = thread->loaded, .kind = OP_YIELD};
    stand_before(&op);
    for (int i = 0; i < memory.cell_count; i++)
        if (thread->loaded >> i & 1)
            memory.threads[run.current].view.seen[i] = (uint8_t)(memory.cells[i].count - 1);
    thread->loaded = 0;
    run.inside = false;
}

int explore_choose_at(const struct explore_site *site, int n)
{
    run.inside = true;
    struct op op = {.site = site};
    stand_before(&op);
    int chosen = choose(n);
    this_step()->value = (uint64_t)chosen;
    run.inside = false;
    return chosen;
}

void explore_lock_at(const struct explore_site *site, int *lock)
{
    run.inside = true;
    struct cell *cell = cell_at(lock, sizeof *lock, site->what);
    if (run.current >= 0) {
        struct op op = {
            .site = site, .cell = cell, .writes = bit(cell) | rmw_bits(), .kind = OP_LOCK};
        stand_before(&op);
        memory_rmw(run.current, cell, EXPLORE_XCHG, 1, EXPLORE_ACQ);
    } else {
        object_set(cell, 1);
    }
    run.inside = false;
}

bool explore_trylock_at(const struct explore_site *site, int *lock)
{
    int expected = 0;
    return explore_cas_at(site, lock, sizeof *lock, &expected, 1, EXPLORE_ACQ);
}

void explore_unlock_at(const struct explore_site *site, int *lock)
{
    run.inside = true;
    struct cell *cell = cell_at(lock, sizeof *lock, site->what);
    if (object_value(cell) != 1)
        fail("%s is unlocked and was not locked", site->what);
    if (run.current >= 0) {
        struct op op = {
            .site = site, .cell = cell, .writes = bit(cell) | store_bits(), .kind = OP_UNLOCK};
        stand_before(&op);
        memory_store(run.current, cell, 0, EXPLORE_REL);
    } else {
        object_set(cell, 0);
    }
    run.inside = false;
}

/* ---- Futexes ------------------------------------------------------------------------------- */

/* A cell that stands for the queue of waiters: its number alone is used. */
static struct cell *futex_queue(const struct cell *word)
{
    static char keys[CELLS_MAX];
    return cell_at(&keys[word->number], 1, "futex queue");
}

int explore_futex_wait_at(const struct explore_site *site, int *word, int expected, bool timed)
{
    run.inside = true;
    struct cell *cell = cell_at(word, sizeof *word, site->what);
    struct cell *queue = futex_queue(cell);
    struct thread *thread = &run.threads[run.current];
    struct op op = {.site = site, .cell = cell, .reads = bit(cell), .writes = bit(queue) | SC_BIT};
    stand_before(&op);
    memory_fence(run.current); /* the kernel has one before it looks at the word */
    cell_sync(cell);
    int value = (int)read_version(run.current, cell, cell->count - 1, EXPLORE_RLX);
    this_step()->value = (uint64_t)value;
    touch_loaded(cell);
    int result = -EAGAIN;
    if (value == expected) {
        thread->life = timed ? WAITS_TIMED : WAITS;
        thread->queue = cell;
        thread->ticket = run.tickets++;
        /* A wake turns the end of its time into a plain return, and depends on it. */
        struct op end = {
            .site = site, .reads = bit(queue), .writes = timed ? bit(queue) : 0, .kind = OP_RESUME};
        stand_before(&end);
        result = thread->life == WAITS_TIMED ? -ETIMEDOUT : 0;
        thread->life = RUNS;
        thread->queue = NULL;
        thread->woken_by = -1;
    }
    run.inside = false;
    return result;
}

static struct thread *first_waiter(const struct cell *cell)
{
    struct thread *first = NULL;
    for (int i = 0; i < run.thread_count; i++) {
        struct thread *thread = &run.threads[i];
        bool waits = thread->life == WAITS || thread->life == WAITS_TIMED;
        if (waits && thread->queue == cell && (!first || thread->ticket < first->ticket))
            first = thread;
    }
    return first;
}

int explore_futex_wake_at(const struct explore_site *site, int *word, int n)
{
    if (run.current < 0)
        return 0;
    run.inside = true;
    struct cell *cell = cell_at(word, sizeof *word, site->what);
    struct op op = {.site = site, .writes = bit(futex_queue(cell)) | SC_BIT};
    stand_before(&op);
    memory_fence(run.current);
    int woken = 0;
    for (struct thread *thread; woken < n && (thread = first_waiter(cell)) != NULL; woken++) {
        thread->life = WOKEN;
        thread->op->writes = 0;
        thread->woken_by = run.step_count - 1;
    }
    this_step()->value = (uint64_t)woken;
    run.inside = false;
    return woken;
}

/* ---- What models need besides -------------------------------------------------------------- */

void explore_give_up(void)
{
    run.inside = true;
    run.cut = true;
    go_to(-1);
}

int explore_self(void)
{
    return run.current;
}

void *explore_alloc(size_t bytes)
{
    run.inside = true;
    size_t head = 2 * RACE_WORD, size = (bytes + head - 1) / head * head;
    if (run.arena_used + head + size > ARENA_BYTES)
        fail("limit ARENA_BYTES: explore_alloc gave out %d bytes", ARENA_BYTES);
    char *p = run.arena + run.arena_used;
    run.arena_used += head + size;
    memcpy(p, &size, sizeof size);
    run.inside = false;
    return p + head;
}

void explore_free(void *p)
{
    if (!p || run.current < 0 || !race.on)
        return;
    run.inside = true;
    size_t size;
    memcpy(&size, (char *)p - 2 * RACE_WORD, sizeof size);
    race_touch(p, size, ACCESS_WRITE, run.current);
    for (size_t i = 0; i < size; i += RACE_WORD)
        race_word((uintptr_t)p + i)->freed = true;
    run.inside = false;
}

int explore_ghost_add(int *counter, int n)
{
    run.inside = true;
    *counter += n;
    int value = *counter;
    run.inside = false;
    return value;
}

/* ---- What the compiler calls for plain accesses -------------------------------------------- */

/* Not instrumented themselves, should this file be compiled as the models are. */
#define HOOK __attribute__((no_sanitize("thread")))

#define RACE_HOOK(name, size, kind)                                                                \
    void name(void *p);                                                                            \
    HOOK void name(void *p)                                                                        \
    {                                                                                              \
        if (run.inside || run.current < 0)                                                         \
            return;                                                                                \
        run.inside = true;                                                                         \
        race_touch(p, size, kind, run.current);                                                    \
        run.inside = false;                                                                        \
    }
#define RACE_HOOKS(size)                                                                           \
    RACE_HOOK(__tsan_read##size, size, ACCESS_READ)                                                \
    RACE_HOOK(__tsan_write##size, size, ACCESS_WRITE)                                              \
    RACE_HOOK(__tsan_unaligned_read##size, size, ACCESS_READ)                                      \
    RACE_HOOK(__tsan_unaligned_write##size, size, ACCESS_WRITE)

RACE_HOOKS(1)
RACE_HOOKS(2)
RACE_HOOKS(4)
RACE_HOOKS(8)
RACE_HOOKS(16)

#define RACE_RANGE_HOOK(name, kind)                                                                \
    void name(void *p, size_t size);                                                               \
    HOOK void name(void *p, size_t size)                                                           \
    {                                                                                              \
        if (run.inside || run.current < 0)                                                         \
            return;                                                                                \
        run.inside = true;                                                                         \
        race_touch(p, size, kind, run.current);                                                    \
        run.inside = false;                                                                        \
    }
RACE_RANGE_HOOK(__tsan_read_range, ACCESS_READ)
RACE_RANGE_HOOK(__tsan_write_range, ACCESS_WRITE)

void __tsan_init(void);
HOOK void __tsan_init(void)
{
    race.on = true;
}

void __tsan_func_entry(void *caller);
HOOK void __tsan_func_entry(void *caller)
{
    (void)caller;
}

void __tsan_func_exit(void);
HOOK void __tsan_func_exit(void)
{
}

#endif
