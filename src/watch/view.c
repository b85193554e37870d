/*
 * view.c - read the workers, tasks, jobs and scopes of a process.
 *
 * SPDX-License-Identifier: MIT
 *
 * Nothing keeps a list of tasks: a task lies at the top of its stack, stacks lie in slots, and a
 * word says whether the task there is alive.  So starting one costs nothing for being seen.  The
 * scopes are those that tasks are in, and those around them; the jobs are what tasks run, what the
 * deques hold, and the processes.
 *
 * Every loop has a bound, since a ring that is read while it is changed may lead anywhere.
 */
#include "watch/view.h"

#include <errno.h>
#include <string.h>

#include "base/os.h"
#include "core/runtime.h"
#include "core/stack.h"
#include "watch/reason.h"

enum { STEPS_MAX = 1 << 22, DEPTH_MAX = 1 << 14, STRUCT_BYTES_MAX = 1024 };

/* ---- memory of that process ---- */

static uint64_t number_in(const urd__view *view, const void *copy, enum urd__layout_id id)
{
    const unsigned char *from = (const unsigned char *)copy + view->offset[id];
    uint64_t value = 0;
    size_t n = view->bytes[id] < sizeof value ? view->bytes[id] : sizeof value;
    memcpy(&value, from, n); /* both processors are little-endian */
    return value;
}

uint64_t urd__view_field(const urd__view *view, uintptr_t at, enum urd__layout_id id)
{
    uint64_t value = 0;
    size_t n = view->bytes[id] < sizeof value ? view->bytes[id] : sizeof value;
    if (!at || urd__os_read_memory(view->pid, at + view->offset[id], &value, n) != 0)
        return 0;
    return value;
}

static uintptr_t pointer(const urd__view *view, uintptr_t at, enum urd__layout_id id)
{
    return (uintptr_t)urd__view_field(view, at, id);
}

void urd__view_string(const urd__view *view, uintptr_t at, char *out, size_t size)
{
    enum { PAGE = 4096 }; /* or a part of one: a read within it does not fail half-way */
    size_t used = 0;
    while (at && used + 1 < size) {
        size_t n = PAGE - (at + used) % PAGE;
        n = n < size - 1 - used ? n : size - 1 - used;
        if (urd__os_read_memory(view->pid, at + used, out + used, n) != 0)
            break;
        used += n;
        if (memchr(out + used - n, '\0', n))
            return;
    }
    out[used] = '\0';
}

void urd__view_job_given(const urd__view *view, const urd__view_job *job, char *out, size_t size)
{
    out[0] = '\0';
    uintptr_t runtime = (uintptr_t)view->layout.runtime;
    if (job->handle)
        urd__view_string(view, job->handle + view->offset[URD__AT_HANDLE_NAME], out, size);
    else if (job->fn == pointer(view, runtime, URD__AT_RUNTIME_FIRST_FN))
        urd__view_string(view, pointer(view, runtime, URD__AT_RUNTIME_FIRST_NAME), out, size);
}

/* ---- maps and arrays ---- */

static size_t place_of(const urd__view_map *map, uintptr_t key)
{
    size_t i = (size_t)((key >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (map->room - 1);
    while (map->keys[i] && map->keys[i] != key)
        i = (i + 1) & (map->room - 1);
    return i;
}

static int find(const urd__view_map *map, uintptr_t key)
{
    if (!map->room || !key)
        return -1;
    size_t i = place_of(map, key);
    return map->keys[i] ? map->values[i] : -1;
}

static bool widen(urd__view_map *map)
{
    enum { ROOM_FIRST = 256 };
    urd__view_map wider = {.room = map->room ? map->room * 2 : ROOM_FIRST, .used = map->used};
    wider.keys = urd__os_alloc(wider.room * sizeof *wider.keys);
    wider.values = urd__os_alloc(wider.room * sizeof *wider.values);
    if (!wider.keys || !wider.values) {
        urd__os_free(wider.keys);
        urd__os_free(wider.values);
        return false;
    }
    for (size_t i = 0; i < map->room; i++) {
        if (!map->keys[i])
            continue;
        size_t to = place_of(&wider, map->keys[i]);
        wider.keys[to] = map->keys[i];
        wider.values[to] = map->values[i];
    }
    urd__os_free(map->keys);
    urd__os_free(map->values);
    *map = wider;
    return true;
}

static bool note(urd__view_map *map, uintptr_t key, size_t value)
{
    if (map->used * 2 >= map->room && !widen(map))
        return false;
    size_t i = place_of(map, key);
    map->used += !map->keys[i];
    map->keys[i] = key;
    map->values[i] = (int)value;
    return true;
}

/* Room for one more; NULL: no memory, and the view is cut. */
static void *one_more(urd__view *view, void *array, size_t *room, size_t used, size_t bytes)
{
    if (used < *room)
        return array;
    size_t wider = *room ? *room * 2 : 64;
    void *fresh = urd__os_alloc(wider * bytes);
    if (!fresh) {
        view->cut = true;
        return NULL;
    }
    if (used)
        memcpy(fresh, array, used * bytes);
    urd__os_free(array);
    *room = wider;
    return fresh;
}

#define ADD(view, list, room, map, entry)                                                          \
    do {                                                                                           \
        void *array_ =                                                                             \
            one_more((view), (view)->list, &(view)->room, (view)->n##list, sizeof *(view)->list);  \
        if (!array_)                                                                               \
            break;                                                                                 \
        (view)->list = array_;                                                                     \
        if (note(&(view)->map, (entry).at, (view)->n##list))                                       \
            (view)->list[(view)->n##list++] = (entry);                                             \
        else                                                                                       \
            (view)->cut = true;                                                                    \
    } while (0)

const urd__view_task *urd__view_task_at(const urd__view *view, uintptr_t at)
{
    int i = find(&view->task_at, at);
    return i < 0 ? NULL : &view->tasks[i];
}

const urd__view_job *urd__view_job_at(const urd__view *view, uintptr_t at)
{
    int i = find(&view->job_at, at);
    return i < 0 ? NULL : &view->jobs[i];
}

const urd__view_scope *urd__view_scope_at(const urd__view *view, uintptr_t at)
{
    int i = find(&view->scope_at, at);
    return i < 0 ? NULL : &view->scopes[i];
}

/* ---- the layout ---- */

static bool resolve(urd__view *view)
{
    for (size_t own = 0; own < URD__LAYOUT_FIELDS; own++) {
        const urd__layout_field *found = NULL;
        for (size_t i = 0; i < URD__LAYOUT_FIELDS && !found; i++)
            if (strncmp(view->layout.field[i].name, urd__layout_own.field[own].name,
                        sizeof found->name) == 0)
                found = &view->layout.field[i];
        if (!found)
            return false;
        view->offset[own] = found->offset;
        view->bytes[own] = found->bytes;
    }
    return view->bytes[URD__AT_WORKER] && view->bytes[URD__AT_TASK] <= STRUCT_BYTES_MAX &&
           view->bytes[URD__AT_JOB] <= STRUCT_BYTES_MAX &&
           view->bytes[URD__AT_SCOPE] <= STRUCT_BYTES_MAX && view->offset[URD__AT_COLOURS] &&
           view->offset[URD__AT_TASK_STATES];
}

int urd__view_peek(urd__view *view, pid_t pid, uintptr_t layout)
{
    *view = (urd__view){.pid = pid};
    int rc = urd__os_read_memory(view->pid, layout, &view->layout, sizeof view->layout);
    if (rc)
        return rc;
    bool known = memcmp(view->layout.magic, urd__layout_own.magic, sizeof view->layout.magic) == 0;
    return known && resolve(view) ? 0 : -ENOTSUP;
}

/* ---- scopes, jobs, tasks ---- */

static void add_scopes(urd__view *view, uintptr_t at)
{
    for (int depth = 0; at && find(&view->scope_at, at) < 0 && depth < DEPTH_MAX; depth++) {
        unsigned char copy[STRUCT_BYTES_MAX];
        if (urd__os_read_memory(view->pid, at, copy, view->bytes[URD__AT_SCOPE]) != 0)
            return;
        urd__view_scope scope = {
            .at = at,
            .parent = number_in(view, copy, URD__AT_SCOPE_PARENT),
            .owner = number_in(view, copy, URD__AT_SCOPE_OWNER),
            .where = number_in(view, copy, URD__AT_SCOPE_WHERE),
            .cancelled =
                number_in(view, copy, URD__AT_SCOPE_FLAGS) & view->offset[URD__AT_SCOPE_CANCELLED],
        };
        ADD(view, scopes, scope_room, scope_at, scope);
        at = scope.parent;
    }
}

/* task -1: nobody runs it.  Returns the job around it on the same stack, or 0. */
static uintptr_t add_job(urd__view *view, uintptr_t at, int task, bool inner)
{
    unsigned char copy[STRUCT_BYTES_MAX];
    if (!at || find(&view->job_at, at) >= 0 ||
        urd__os_read_memory(view->pid, at, copy, view->bytes[URD__AT_JOB]) != 0)
        return 0;
    urd__view_job job = {
        .at = at,
        .fn = number_in(view, copy, URD__AT_JOB_FN),
        .where = number_in(view, copy, URD__AT_JOB_WHERE),
        .handle = number_in(view, copy, URD__AT_JOB_HANDLE),
        .scope = number_in(view, copy, URD__AT_JOB_SCOPE),
        .kind = (int)number_in(view, copy, URD__AT_JOB_KIND),
        .task = task,
        .inner = inner,
    };
    if (!job.scope)
        job.scope = view->root;
    job.run_scope = job.handle ? job.handle + view->offset[URD__AT_HANDLE_SCOPE] : job.scope;
    ADD(view, jobs, job_room, job_at, job);
    add_scopes(view, job.run_scope);
    return task < 0 ? 0 : number_in(view, copy, URD__AT_JOB_NEXT);
}

/* Of the bytes of a task. */
static bool read_wait(const urd__view *view, const void *copy, urd__view_task *task)
{
    task->wait = number_in(view, copy, URD__AT_TASK_WAIT);
    task->reason = (int)number_in(view, copy, URD__AT_TASK_REASON);
    task->on = number_in(view, copy, URD__AT_TASK_ON);
    return task->wait % view->offset[URD__AT_TASK_STATES] == view->offset[URD__AT_TASK_WAITING];
}

bool urd__view_wait(const urd__view *view, uintptr_t at, urd__view_task *out)
{
    unsigned char copy[STRUCT_BYTES_MAX];
    if (urd__os_read_memory(view->pid, at, copy, view->bytes[URD__AT_TASK]) != 0)
        return false;
    *out = (urd__view_task){.at = at, .state = URD__WAITS};
    return read_wait(view, copy, out);
}

static void set_state(const urd__view *view, urd__view_task *task, bool waits)
{
    const urd__view_worker *worker = task->worker < 0 ? NULL : &view->workers[task->worker];
    if (waits)
        task->state = URD__WAITS;
    else if (!worker || (worker->current == task->at && !worker->parked))
        task->state = URD__RUNS;
    else
        task->state = URD__READY;
}

/* Read it as it is now; `copy` are its bytes. */
static void add_task(urd__view *view, uintptr_t at, const void *copy, urd__view_task task)
{
    task.at = at;
    bool waits = read_wait(view, copy, &task);
    task.since = (int64_t)number_in(view, copy, URD__AT_TASK_SINCE);
    task.context = number_in(view, copy, URD__AT_TASK_CONTEXT);
    task.low = number_in(view, copy, URD__AT_TASK_LOW);
    task.high = number_in(view, copy, URD__AT_TASK_HIGH);
    task.job = number_in(view, copy, URD__AT_TASK_JOB);
    task.worker = -1;
    uintptr_t worker = number_in(view, copy, URD__AT_TASK_WORKER);
    for (size_t i = 0; worker && i < view->nworkers; i++)
        if (view->workers[i].at == worker)
            task.worker = (int)i;
    if (task.worker >= 0)
        task.thread = view->workers[task.worker].thread;
    if (number_in(view, copy, URD__AT_TASK_COMPACT) &&
        pointer(view, worker, URD__AT_WORKER_INSIDE) != at)
        task.copied = at - view->offset[URD__AT_COMPACT_NOTE];
    set_state(view, &task, waits);
    size_t index = view->ntasks;
    ADD(view, tasks, task_room, task_at, task);
    if (view->ntasks == index)
        return;
    add_scopes(view, number_in(view, copy, URD__AT_TASK_SCOPE));
    uintptr_t job = task.job;
    for (int depth = 0; job && depth < DEPTH_MAX; depth++)
        job = add_job(view, job, (int)index, depth > 0);
}

static bool read_task(urd__view *view, uintptr_t at, urd__view_task task)
{
    unsigned char copy[STRUCT_BYTES_MAX];
    if (at && find(&view->task_at, at) < 0 &&
        urd__os_read_memory(view->pid, at, copy, view->bytes[URD__AT_TASK]) == 0)
        add_task(view, at, copy, task);
    return true;
}

/* ---- where they are ---- */

static void read_workers(urd__view *view)
{
    uintptr_t runtime = (uintptr_t)view->layout.runtime;
    uintptr_t at = pointer(view, runtime, URD__AT_RUNTIME_WORKERS);
    size_t n = urd__view_field(view, runtime, URD__AT_RUNTIME_NWORKERS);
    enum { WORKERS_MAX = 1024 };
    n = n < WORKERS_MAX ? n : WORKERS_MAX;
    view->workers = urd__os_alloc((n ? n : 1) * sizeof *view->workers);
    if (!view->workers) {
        view->cut = true;
        return;
    }
    for (size_t i = 0; i < n; i++, at += view->bytes[URD__AT_WORKER]) {
        int64_t bottom = (int64_t)urd__view_field(view, at, URD__AT_WORKER_BOTTOM);
        int64_t top = (int64_t)urd__view_field(view, at, URD__AT_WORKER_TOP);
        view->workers[i] = (urd__view_worker){
            .at = at,
            .current = pointer(view, at, URD__AT_WORKER_CURRENT),
            .tick = (unsigned)urd__view_field(view, at, URD__AT_WORKER_TICK),
            .thread = (pid_t)urd__view_field(view, at, URD__AT_WORKER_ID),
            .parked = urd__view_field(view, at, URD__AT_WORKER_PARKED) != 0,
            .unstarted = bottom > top ? (long)(bottom - top) : 0,
        };
        view->nworkers++;
    }
}

/* What to do with the task at `at`; false: look no further. */
typedef bool task_fn(urd__view *view, uintptr_t at, urd__view_task task);

/* Where the word `live` of the task of each slot is: urd__task_start() puts the task there. */
static size_t live_words(const urd__view *view, size_t slot, size_t end, uintptr_t *words)
{
    static const size_t ALIGN = 63;
    uintptr_t stacks = (uintptr_t)view->layout.stacks, chunk = 0;
    size_t slot_bytes = urd__view_field(view, stacks, URD__AT_STACKS_SLOT);
    size_t per_chunk = urd__view_field(view, stacks, URD__AT_STACKS_PER_CHUNK);
    size_t task_bytes = view->bytes[URD__AT_TASK], n = 0;
    if (!per_chunk || slot_bytes < task_bytes)
        return 0;
    for (; slot < end && n < OS_PIECES_MAX; slot++) {
        size_t in_chunk = slot % per_chunk;
        if (in_chunk == 0 || !chunk)
            chunk = pointer(view, stacks + slot / per_chunk * view->bytes[URD__AT_CHUNK],
                            URD__AT_STACKS_CHUNKS);
        uintptr_t high = chunk + (in_chunk + 1) * slot_bytes -
                         slot % view->offset[URD__AT_COLOURS] * view->offset[URD__AT_COLOUR_BYTES];
        words[n++] = ((high - task_bytes) & ~ALIGN) + view->offset[URD__AT_TASK_LIVE];
    }
    return n;
}

/* The tasks of those words that say so; numbered from `number` on. */
static bool each_live(urd__view *view, const uintptr_t *words, size_t n, long number, task_fn *fn)
{
    uint64_t live[OS_PIECES_MAX];
    long got = urd__os_read_pieces(view->pid, words, n, live, sizeof *live);
    for (size_t i = 0; i < n; i++) {
        if ((long)i >= got && urd__os_read_memory(view->pid, words[i], &live[i], sizeof *live) != 0)
            continue;
        if (live[i] == URD__TASK_LIVE && !fn(view, words[i] - view->offset[URD__AT_TASK_LIVE],
                                             (urd__view_task){.number = number + (long)i}))
            return false;
    }
    return true;
}

/* Of a block of compact tasks, each of which lies at the end of its slot; see compact.c. */
static bool each_compact(urd__view *view, uintptr_t block, long number, task_fn *fn)
{
    static const size_t LINE = 64;
    uintptr_t compacts = (uintptr_t)view->layout.compacts;
    size_t slot_bytes = urd__view_field(view, compacts, URD__AT_COMPACT_SLOT);
    size_t slots = urd__view_field(view, compacts, URD__AT_COMPACT_PER_BLOCK);
    size_t task_bytes = (view->bytes[URD__AT_TASK] + LINE - 1) / LINE * LINE;
    for (size_t slot = 0, n; slot < slots; slot += n) {
        uintptr_t words[OS_PIECES_MAX];
        for (n = 0; n < OS_PIECES_MAX && slot + n < slots; n++)
            words[n] =
                block + (slot + n + 1) * slot_bytes - task_bytes + view->offset[URD__AT_TASK_LIVE];
        if (!each_live(view, words, n, number + (long)slot, fn))
            return false;
    }
    return true;
}

static bool each_slot(urd__view *view, task_fn *fn)
{
    enum { SLOTS_MAX = 1 << 30 };
    size_t used = urd__view_field(view, (uintptr_t)view->layout.stacks, URD__AT_STACKS_USED);
    for (size_t slot = 0, n; slot < used && used < SLOTS_MAX; slot += n) {
        uintptr_t words[OS_PIECES_MAX];
        n = live_words(view, slot, used, words);
        if (n == 0)
            break;
        if (!each_live(view, words, n, (long)slot + 1, fn))
            return false;
    }
    uintptr_t compacts = (uintptr_t)view->layout.compacts;
    size_t mapped = urd__view_field(view, compacts, URD__AT_COMPACT_MAPPED);
    size_t slots = urd__view_field(view, compacts, URD__AT_COMPACT_PER_BLOCK);
    for (size_t i = 0; i < mapped && i < URD__COMPACT_BLOCKS_MAX; i++) {
        uintptr_t block = pointer(view, compacts + i * view->bytes[URD__AT_COMPACT_BLOCK],
                                  URD__AT_COMPACT_BLOCKS);
        if (block && !each_compact(view, block, URD__COMPACT_NUMBER + (long)(i * slots), fn))
            return false;
    }
    return true;
}

/* Rings are walked by `prev`, which is what a link begins with. */
_Static_assert(offsetof(urd__link, prev) == 0, "a ring is walked by what its links begin with");

static bool each_thread(urd__view *view, task_fn *fn)
{
    uintptr_t threads = (uintptr_t)view->layout.threads;
    uintptr_t head = threads + view->offset[URD__AT_THREADS_ALL];
    uintptr_t link = pointer(view, threads, URD__AT_THREADS_ALL);
    for (int steps = 0; link && link != head && steps < STEPS_MAX; steps++) {
        uintptr_t thread = link - view->offset[URD__AT_THREAD_LINK];
        pid_t id = (pid_t)urd__view_field(view, thread, URD__AT_THREAD_ID);
        urd__view_task task = {.number = id, .thread = id, .is_thread = true};
        if (!fn(view, thread + view->offset[URD__AT_THREAD_TASK], task))
            return false;
        if (urd__os_read_memory(view->pid, link, &link, sizeof link) != 0)
            break;
    }
    return true;
}

static void read_deque(urd__view *view, uintptr_t worker)
{
    int64_t bottom = (int64_t)urd__view_field(view, worker, URD__AT_WORKER_BOTTOM);
    int64_t top = (int64_t)urd__view_field(view, worker, URD__AT_WORKER_TOP);
    uint64_t mask = urd__view_field(view, worker, URD__AT_WORKER_MASK);
    uintptr_t slots = pointer(view, worker, URD__AT_WORKER_SLOTS);
    for (int64_t i = top; i < bottom && i - top < STEPS_MAX; i++) {
        uintptr_t job = 0;
        urd__os_read_memory(view->pid, slots + ((uint64_t)i & mask) * sizeof job, &job, sizeof job);
        add_job(view, job, -1, false);
    }
}

static void read_injected(urd__view *view)
{
    uintptr_t job = pointer(view, (uintptr_t)view->layout.runtime, URD__AT_RUNTIME_INJECTED);
    for (int steps = 0; job && find(&view->job_at, job) < 0 && steps < STEPS_MAX; steps++) {
        add_job(view, job, -1, false);
        job = pointer(view, job, URD__AT_JOB_NEXT);
    }
}

static void read_processes(urd__view *view)
{
    uintptr_t ops = pointer(view, (uintptr_t)view->layout.runtime, URD__AT_RUNTIME_PROCESSES);
    uintptr_t head = pointer(view, ops, URD__AT_PROCESS_ALL), link = 0;
    size_t link_offset = urd__view_field(view, ops, URD__AT_PROCESS_LINK);
    size_t job_offset = urd__view_field(view, ops, URD__AT_PROCESS_JOB);
    size_t pid_offset = urd__view_field(view, ops, URD__AT_PROCESS_PID);
    if (!head || urd__os_read_memory(view->pid, head, &link, sizeof link) != 0)
        return;
    for (int steps = 0; link && link != head && steps < STEPS_MAX; steps++) {
        uintptr_t process = link - link_offset, job = 0;
        pid_t pid = 0;
        urd__os_read_memory(view->pid, process + job_offset, &job, sizeof job);
        urd__os_read_memory(view->pid, process + pid_offset, &pid, sizeof pid);
        size_t index = view->njobs;
        add_job(view, job, -1, false);
        if (view->njobs > index)
            view->jobs[index].pid = pid;
        if (urd__os_read_memory(view->pid, link, &link, sizeof link) != 0)
            return;
    }
}

static void read_all(urd__view *view)
{
    uintptr_t runtime = (uintptr_t)view->layout.runtime;
    view->root = runtime + view->offset[URD__AT_RUNTIME_ROOT];
    add_scopes(view, view->root);
    read_workers(view);
    read_task(view, pointer(view, view->root, URD__AT_SCOPE_OWNER), (urd__view_task){0});
    each_slot(view, read_task);
    each_thread(view, read_task);
    for (size_t i = 0; i < view->nworkers; i++)
        read_deque(view, view->workers[i].at);
    read_injected(view);
    read_processes(view);
}

int urd__view_open(urd__view *view, pid_t pid, uintptr_t layout)
{
    int rc = urd__view_peek(view, pid, layout);
    if (rc)
        return rc;
    uintptr_t runtime = (uintptr_t)view->layout.runtime;
    if (urd__view_field(view, runtime, URD__AT_RUNTIME_STATE) != URD__RUNNING)
        return -ENOENT;
    read_all(view);
    return 0;
}

/* A helper thread that has nothing to do has no job, and is nobody. */
static bool stands_still(urd__view *view, uintptr_t at, urd__view_task task)
{
    uint64_t wait = urd__view_field(view, at, URD__AT_TASK_WAIT);
    int reason = (int)urd__view_field(view, at, URD__AT_TASK_REASON);
    if (task.is_thread && !urd__view_field(view, at, URD__AT_TASK_JOB))
        return true;
    return wait % view->offset[URD__AT_TASK_STATES] == view->offset[URD__AT_TASK_WAITING] &&
           !urd__reason_outside(reason);
}

bool urd__view_moves(pid_t pid, uintptr_t layout)
{
    urd__view view;
    if (urd__view_peek(&view, pid, layout) != 0)
        return true;
    uintptr_t root = (uintptr_t)view.layout.runtime + view.offset[URD__AT_RUNTIME_ROOT];
    return !stands_still(&view, pointer(&view, root, URD__AT_SCOPE_OWNER), (urd__view_task){0}) ||
           !each_slot(&view, stands_still) || !each_thread(&view, stands_still);
}

static void free_map(urd__view_map *map)
{
    urd__os_free(map->keys);
    urd__os_free(map->values);
}

void urd__view_close(urd__view *view)
{
    free_map(&view->task_at);
    free_map(&view->job_at);
    free_map(&view->scope_at);
    urd__os_free(view->tasks);
    urd__os_free(view->jobs);
    urd__os_free(view->scopes);
    urd__os_free(view->workers);
    *view = (urd__view){0};
}
