/*
 * deque.h - the jobs of a worker that have not started: it takes the newest, thieves the oldest.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_DEQUE_H
#define URD_CORE_DEQUE_H

#include <stdbool.h>
#include <stdint.h>

struct urd__job;

/* How many jobs one theft takes at the most. */
#ifdef URD_MODEL
enum { URD__STEAL_MAX = 2, URD__DEQUE_SLOTS_FIRST = 2 };
#else
enum { URD__STEAL_MAX = 32, URD__DEQUE_SLOTS_FIRST = 256 };
#endif

typedef struct urd__deque {
    int64_t bottom;           /* atomic, owner writes: one past the newest */
    struct urd__job **slots;  /* under lock for thieves and growth */
    int64_t mask;             /* as slots; their number less one, a power of two less one */
    _Alignas(64) int64_t top; /* atomic, under lock: the oldest */
    int64_t copied;           /* atomic, under lock: slots below it may be written again */
    int lock;
} urd__deque;

int urd__deque_init(urd__deque *d); /* 0, -ENOMEM */
void urd__deque_fini(urd__deque *d);
int urd__deque_push(urd__deque *d, struct urd__job *job); /* owner; 0, -ENOMEM */
struct urd__job *urd__deque_pop(urd__deque *d);           /* owner; the newest, or NULL */

/* The oldest half, up to `max`, into out; also for the owner.  Returns how many. */
int urd__deque_steal(urd__deque *d, struct urd__job **out, int max);

/* Seen from anywhere, true only while there was a moment without jobs. */
bool urd__deque_empty(const urd__deque *d);

#endif
