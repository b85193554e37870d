/*
 * layout.h - where in memory a report finds what: a table that describes itself.
 *
 * SPDX-License-Identifier: MIT
 *
 * `urd ps` reads the memory of a process that may be stuck, or that has another version of the
 * library; a debugger reads a core file.  Both find the table through its section, .urd.layout, and
 * need neither symbols nor debug information.  A report about this process reads itself in the same
 * way.  A field has a name, an offset and a size; a constant has a value and the size 0.
 */
#ifndef URD_WATCH_LAYOUT_H
#define URD_WATCH_LAYOUT_H

#include <stdint.h>

#define URD__LAYOUT_SECTION ".urd.layout"
#define URD__LAYOUT_MAGIC "urdume layout 2"

typedef struct urd__layout_field {
    char name[24];
    uint32_t offset;
    uint32_t bytes;
} urd__layout_field;

/* FIELD(id, name, type, path), TYPE(id, name, type), VALUE(id, name, value) */
#define URD__LAYOUT(FIELD, TYPE, VALUE)                                                            \
    FIELD(RUNTIME_STATE, "runtime.state", urd__runtime, state)                                     \
    FIELD(RUNTIME_NWORKERS, "runtime.nworkers", urd__runtime, nworkers)                            \
    FIELD(RUNTIME_WORKERS, "runtime.workers", urd__runtime, workers)                               \
    FIELD(RUNTIME_NAME, "runtime.name", urd__runtime, name)                                        \
    FIELD(RUNTIME_FIRST_FN, "runtime.first_fn", urd__runtime, first_fn)                            \
    FIELD(RUNTIME_FIRST_NAME, "runtime.first_name", urd__runtime, first_name)                      \
    FIELD(RUNTIME_ROOT, "runtime.root", urd__runtime, root)                                        \
    FIELD(RUNTIME_PROCESSES, "runtime.processes", urd__runtime, processes)                         \
    FIELD(RUNTIME_INJECTED, "runtime.inject_first", urd__runtime, inject_first)                    \
    TYPE(WORKER, "worker", urd__worker)                                                            \
    FIELD(WORKER_CURRENT, "worker.current", urd__worker, current)                                  \
    FIELD(WORKER_IDLE, "worker.idle", urd__worker, idle)                                           \
    FIELD(WORKER_INDEX, "worker.index", urd__worker, index)                                        \
    FIELD(WORKER_TICK, "worker.tick", urd__worker, tick)                                           \
    FIELD(WORKER_READY, "worker.ready_first", urd__worker, ready_first)                            \
    FIELD(WORKER_ID, "worker.id", urd__worker, id)                                                 \
    FIELD(WORKER_PARKED, "worker.parked", urd__worker, parked)                                     \
    FIELD(WORKER_BOTTOM, "worker.bottom", urd__worker, deque.bottom)                               \
    FIELD(WORKER_TOP, "worker.top", urd__worker, deque.top)                                        \
    FIELD(WORKER_SLOTS, "worker.slots", urd__worker, deque.slots)                                  \
    FIELD(WORKER_MASK, "worker.mask", urd__worker, deque.mask)                                     \
    TYPE(TASK, "task", urd__task)                                                                  \
    FIELD(TASK_WAIT, "task.wait", urd__task, wait)                                                 \
    FIELD(TASK_ON, "task.waits_on", urd__task, waits_on)                                           \
    FIELD(TASK_SINCE, "task.since", urd__task, since)                                              \
    FIELD(TASK_REASON, "task.reason", urd__task, reason)                                           \
    FIELD(TASK_CONTEXT, "task.context", urd__task, context)                                        \
    FIELD(TASK_WORKER, "task.worker", urd__task, worker)                                           \
    FIELD(TASK_NEXT, "task.next", urd__task, next)                                                 \
    FIELD(TASK_SCOPE, "task.scope", urd__task, scope)                                              \
    FIELD(TASK_JOB, "task.job", urd__task, job)                                                    \
    FIELD(TASK_LOW, "task.stack.low", urd__task, stack.low)                                        \
    FIELD(TASK_HIGH, "task.stack.high", urd__task, stack.high)                                     \
    FIELD(TASK_LIVE, "task.live", urd__task, live)                                                 \
    VALUE(TASK_WAITING, "task.waiting", URD__WAITING)                                              \
    VALUE(TASK_STATES, "task.states", URD__WAIT_STATES)                                            \
    FIELD(THREADS_ALL, "threads.all", urd__threads, all)                                           \
    FIELD(THREAD_LINK, "thread.link", urd__thread, link)                                           \
    FIELD(THREAD_ID, "thread.number", urd__thread, number)                                         \
    FIELD(THREAD_TASK, "thread.task", urd__thread, task)                                           \
    FIELD(PROCESS_ALL, "processes.all", urd__process_ops, all)                                     \
    FIELD(PROCESS_LINK, "processes.link", urd__process_ops, link_offset)                           \
    FIELD(PROCESS_JOB, "processes.job", urd__process_ops, job_offset)                              \
    FIELD(PROCESS_PID, "processes.pid", urd__process_ops, pid_offset)                              \
    TYPE(JOB, "job", urd__job)                                                                     \
    FIELD(JOB_NEXT, "job.next", urd__job, next)                                                    \
    FIELD(JOB_FN, "job.fn", urd__job, fn)                                                          \
    FIELD(JOB_SCOPE, "job.scope", urd__job, scope)                                                 \
    FIELD(JOB_WHERE, "job.where", urd__job, where)                                                 \
    FIELD(JOB_HANDLE, "job.handle", urd__job, handle)                                              \
    FIELD(JOB_KIND, "job.kind", urd__job, kind)                                                    \
    FIELD(HANDLE_SCOPE, "handle.scope", urd_job, scope)                                            \
    FIELD(HANDLE_JOB, "handle.job", urd_job, job)                                                  \
    FIELD(HANDLE_NAME, "handle.name", urd_job, name)                                               \
    FIELD(HANDLE_ENDED, "handle.ended", urd_job, ended)                                            \
    TYPE(SCOPE, "scope", urd_scope)                                                                \
    FIELD(SCOPE_PARENT, "scope.parent", urd_scope, parent)                                         \
    FIELD(SCOPE_OWNER, "scope.owner", urd_scope, owner)                                            \
    FIELD(SCOPE_WHERE, "scope.where", urd_scope, where)                                            \
    FIELD(SCOPE_FLAGS, "scope.flags", urd_scope, flags)                                            \
    VALUE(SCOPE_CANCELLED, "scope.cancelled", URD__SCOPE_CANCELLED)                                \
    TYPE(STACKS, "stacks", urd__stack_region)                                                      \
    FIELD(STACKS_SLOT, "stacks.slot_bytes", urd__stack_region, slot_bytes)                         \
    FIELD(STACKS_GUARD, "stacks.guard_bytes", urd__stack_region, guard_bytes)                      \
    FIELD(STACKS_PER_CHUNK, "stacks.chunk_slots", urd__stack_region, chunk_slots)                  \
    FIELD(STACKS_USED, "stacks.used", urd__stack_region, used)                                     \
    FIELD(STACKS_CHUNKS, "stacks.chunks", urd__stack_region, chunks[0].base)                       \
    TYPE(CHUNK, "chunk", urd__stack_chunk)                                                         \
    VALUE(COLOURS, "stacks.colours", URD__STACK_COLOURS)                                           \
    VALUE(COLOUR_BYTES, "stacks.colour_bytes", URD__STACK_COLOUR_BYTES)                            \
    FIELD(WORKER_INSIDE, "worker.compact.inside", urd__worker, compact.inside)                     \
    FIELD(TASK_COMPACT, "task.compact", urd__task, compact)                                        \
    FIELD(COMPACT_SLOT, "compacts.slot_bytes", urd__compact_region, slot_bytes)                    \
    FIELD(COMPACT_PER_BLOCK, "compacts.block_slots", urd__compact_region, block_slots)             \
    FIELD(COMPACT_MAPPED, "compacts.mapped", urd__compact_region, mapped)                          \
    FIELD(COMPACT_BLOCKS, "compacts.blocks", urd__compact_region, blocks[0].base)                  \
    TYPE(COMPACT_BLOCK, "compact_block", urd__compact_block)                                       \
    VALUE(COMPACT_NOTE, "compacts.note_bytes", URD__COMPACT_NOTE_BYTES)                            \
    FIELD(MUTEX_OWNER, "mutex.owner", urd_mutex, owner)                                            \
    FIELD(RMUTEX_OWNER, "rmutex.owner", urd_rmutex, mutex.owner)                                   \
    FIELD(RWLOCK_OWNER, "rwlock.owner", urd_rwlock, writers.owner)                                 \
    FIELD(RWLOCK_STATE, "rwlock.state", urd_rwlock, state)                                         \
    VALUE(RWLOCK_READER, "rwlock.reader", URD__RWLOCK_READER)                                      \
    FIELD(ONCE_OWNER, "once.owner", urd_once, mutex.owner)                                         \
    FIELD(SELECT_OPS, "select.ops", urd__select, ops)                                              \
    FIELD(SELECT_N, "select.n", urd__select, n)                                                    \
    TYPE(OP, "op", urd_op)                                                                         \
    FIELD(OP_KIND, "op.kind", urd_op, kind)                                                        \
    FIELD(OP_ON, "op.on", urd_op, chan)                                                            \
    FIELD(SUBSCRIBER_FROM, "subscriber.from", urd_subscriber, from)                                \
    FIELD(CHAN_ELEM, "chan.elem_bytes", urd_chan, elem_bytes)                                      \
    FIELD(CHAN_SLOTS, "chan.slots", urd_chan, slots)                                               \
    FIELD(CHAN_COUNT, "chan.count", urd_chan, count)                                               \
    FIELD(CHAN_USED, "chan.used", urd_chan, used)                                                  \
    FIELD(CHAN_ORDER, "chan.order", urd_chan, order)                                               \
    VALUE(CHAN_BYTES, "chan.bytes", URD__BYTES)                                                    \
    FIELD(CHAN_CLOSED, "chan.closed", urd_chan, closed)

#define URD__LAYOUT_ID(id, name, ...) URD__AT_##id,
enum urd__layout_id {
    URD__LAYOUT(URD__LAYOUT_ID, URD__LAYOUT_ID, URD__LAYOUT_ID) URD__LAYOUT_FIELDS
};
#undef URD__LAYOUT_ID

typedef struct urd__layout {
    char magic[16];
    uint32_t bytes;  /* of this structure */
    uint32_t fields; /* how many there are */
    const void *runtime, *stacks, *threads, *compacts;
    const char *version; /* of the library */
    urd__layout_field field[URD__LAYOUT_FIELDS];
} urd__layout;

/* Of this library. */
extern urd__layout urd__layout_own;

#endif
