/*
 * ring.h - jobs between a process and its workers, in memory that all of them share.
 *
 * SPDX-License-Identifier: MIT
 *
 * A job lies in a slot.  The parent fills a free slot and puts its number into the queue; workers
 * take numbers from the queue, run what is in the slot and put the number into their ring of ended
 * ones, from which the parent takes it.  The state of the slot decides who may do what:
 *
 *     FREE    the parent may fill it
 *     READY   a worker may take it, the parent may take it back; by compare-and-swap
 *     TAKEN   by the worker named in the state, which runs it
 *     DONE    the parent may read the result and free it
 *
 * A state also has the number of times the slot has been filled, so that an old number in a queue
 * is seen to be old.  Whatever instruction a worker dies at, the states tell what it held: the
 * queues only say where to look.
 */
#ifndef URD_POOL_RING_H
#define URD_POOL_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "urd.h"

#if defined(URD_MODEL)
enum { URD__RING_SLOTS = 2 };
#elif defined(URD_HOSTILE)
enum { URD__RING_SLOTS = 8 };
#else
enum { URD__RING_SLOTS = 1024 };
#endif
enum {
    URD__RING_QUEUE = 2 * URD__RING_SLOTS,
    URD__RING_INLINE = 128,
    URD__RING_WORKERS_MAX = 1024
};

enum { URD__SLOT_FREE, URD__SLOT_READY, URD__SLOT_TAKEN, URD__SLOT_DONE, URD__SLOT_STATES };

typedef struct urd__slot {
    _Alignas(64) uint64_t state; /* atomic: see ring.c */
    urd_fn *fn;                  /* its name; these are written before READY, by the parent */
    const void *in;
    void *out;
    int result; /* written before DONE, by the worker */
    /* The parent's alone. */
    int tries;
    void *job;
    size_t index;
    bool reaped; /* somebody reads its result */
    _Alignas(64) unsigned char bytes[URD__RING_INLINE];
} urd__slot;

/* What a worker does; the futex it sleeps on. */
enum { URD__RING_AWAY, URD__RING_RUNS, URD__RING_LOOKS, URD__RING_SLEEPS };

typedef struct urd__ring_worker {
    _Alignas(64) int state;         /* atomic, futex */
    _Alignas(64) uint64_t ended_at; /* atomic: numbers put into `ended`; the worker writes */
    uint64_t ended[URD__RING_SLOTS];
} urd__ring_worker;

typedef struct urd__ring {
    _Alignas(64) uint64_t tail; /* atomic: numbers put into `queue`; the parent writes */
    int stop;                   /* atomic: workers end */
    _Alignas(64) uint64_t head; /* atomic: numbers taken from `queue` */
    _Alignas(64) int parent;    /* atomic, futex: RUNS, or SLEEPS until something has ended */
    int looking;                /* atomic: jobs of the parent that look for ends themselves */
    _Alignas(64) uint64_t queue[URD__RING_QUEUE]; /* atomic */
    unsigned nworkers;                            /* set once */
    urd__slot slots[URD__RING_SLOTS];
    urd__ring_worker workers[];
} urd__ring;

size_t urd__ring_bytes(unsigned workers);
void urd__ring_init(urd__ring *ring, unsigned workers); /* the memory is zeroed */

/* ---- the parent; one of its threads at a time ---- */

/* May one more FREE slot be pushed?  Numbers of slots that were taken back fill the queue until
 * workers pass over them. */
bool urd__ring_has_room(const urd__ring *ring);

/* Make a slot READY that was FREE, or was held by a worker that died. */
void urd__ring_push(urd__ring *ring, urd__slot *slot);

/* After pushes: see that somebody takes them. */
void urd__ring_wake(urd__ring *ring);

/* After pushes, before that: how many numbers more are queued than there are workers that wait. */
size_t urd__ring_unserved(const urd__ring *ring);

bool urd__ring_is_empty(const urd__ring *ring); /* is no number queued? */

/* Take a READY slot back: true, and it is FREE. */
bool urd__ring_take_back(urd__slot *slot);

/* Up to max slots that worker has shown as DONE; *at, atomic, counts those seen. */
int urd__ring_reap(urd__ring *ring, unsigned worker, uint64_t *at, urd__slot **out, int max);

/* Has it shown any that *at does not count? */
bool urd__ring_has_ended(const urd__ring *ring, unsigned worker, const uint64_t *at);

/* Its result was read, or it is given up. */
void urd__ring_free(urd__slot *slot);

/*
 * The worker has died, and all that it showed was reaped.  What it had taken the number of goes
 * back into the queue.  Returns the slot that it held, if any: TAKEN, or, with *done, DONE and not
 * shown.
 */
urd__slot *urd__ring_reclaim(urd__ring *ring, unsigned worker, uint64_t *at, bool *done);

void urd__ring_stop(urd__ring *ring); /* wakes all */
bool urd__ring_is_stopping(const urd__ring *ring);

/* Nothing has ended, as far as the caller can see: sleep until something does. */
void urd__ring_sleep_parent(urd__ring *ring, bool (*anything)(void *arg), void *arg);
void urd__ring_wake_parent(urd__ring *ring);

/* The caller begins to look for ends itself, and ends it; then it looks once more. */
void urd__ring_look(urd__ring *ring);
void urd__ring_look_end(urd__ring *ring);

/* ---- a worker ---- */

/* It is there. */
void urd__ring_enter(urd__ring *ring, unsigned worker);

/* A slot for this worker to run, waiting for one; NULL: it is to end, or has waited for so long;
 * INT64_MAX: no end. */
urd__slot *urd__ring_take(urd__ring *ring, unsigned worker, int64_t idle_duration);

/* The same without waiting; NULL: there is none. */
urd__slot *urd__ring_try_take(urd__ring *ring, unsigned worker);

/* The slot was run. */
void urd__ring_done(urd__ring *ring, unsigned worker, urd__slot *slot);

#endif
