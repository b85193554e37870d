/*
 * pools.h - what the tests of pools share: the kinds, a job, a run with processes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TEST_UNIT_POOLS_H
#define TEST_UNIT_POOLS_H

#include <errno.h>

#include "base/atomic.h"
#include "test.h"

static const urd_kind kinds[] = {URD_TASK, URD_THREAD, URD_PROCESS};
enum { KINDS = 3, WORKERS = 2, MANY = 3000 };

/* With processes, by the machine's clock. */
static inline void run_all(urd_fn *fn)
{
    test_run_with(NULL, fn, NULL);
}

static inline int square(const void *in, void *out)
{
    long v = *(const long *)in;
    *(long *)out = v * v;
    return 0;
}

/* A job is given the address of a gate in shared memory, and waits there. */
static inline int at_gate(const void *in, void *out)
{
    int *gate = *(int *const *)in;
    (void)out;
    while (!urd__load_acq(gate) && !urd_cancelled())
        if (urd_sleep(URD_MS))
            return -ECANCELED;
    return 0;
}

static inline urd_pool *open_pool(urd_kind kind, const urd_pool_options *o)
{
    urd_pool *p;
    CHECK_EQ(urd_pool_open(&p, kind, WORKERS, o), 0);
    return p;
}

#endif
