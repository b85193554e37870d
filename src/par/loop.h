/*
 * loop.h - a range of steps that is split while somebody is idle.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_PAR_LOOP_H
#define URD_PAR_LOOP_H

#include "urd.h"

typedef struct urd__loop urd__loop;

/* The steps lo .. hi - 1; `into` is the value of a reduction. */
typedef int urd__loop_step(const urd__loop *loop, long lo, long hi, void *into);

struct urd__loop {
    urd__loop_step *step;
    void *arg;                  /* the user's */
    const char *where;          /* it was called */
    uintptr_t body;             /* the user's function, by which the pace is remembered */
    urd_range_fn *range;        /* of urd_for */
    const urd_call *calls;      /* of urd_invoke: one step each, all offered at once */
    const urd_reducer *reducer; /* of urd_reduce; else NULL */
    void *parts;                /* of a deterministic one: a value each */
    long lo, hi;                /* of a deterministic one: what the parts are parts of */
    urd_scope scope;
};

/* All steps; `into` is NULL or holds the identity.  The first cause. */
int urd__loop_run(urd__loop *loop, long lo, long hi, void *into);

/* The value of an empty range. */
void urd__reduce_clear(const urd_reducer *reducer, void *value);

/* Is the thread that calls none of the runtime's, and could a task do its work?  And let one. */
bool urd__par_outside(void);
int urd__par_errand(urd_fn *fn, void *arg, const char *where);

#endif
