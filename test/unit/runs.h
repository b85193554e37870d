/*
 * runs.h - one job under many schedules, and under the machine's clock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TEST_UNIT_RUNS_H
#define TEST_UNIT_RUNS_H

#include <errno.h>
#include <stdio.h>

#include "test.h"

/* Where several workers really run at once. */
enum { WORKERS = 3 };

/* On one worker, where a seed repeats exactly, and on several. */
static inline void run_seeds(uint64_t count, urd_fn *fn)
{
    static const int workers[] = {1, WORKERS};
    for (size_t i = 0; i < sizeof workers / sizeof *workers; i++) {
        TEST_SEEDS(test_under_slow_tool() ? count / 40 + 1 : count)
        test_run_workers(workers[i], fn);
    }
}

/* By the machine's clock: for threads that the runtime does not know of. */
static inline void run_real(int workers, urd_fn *fn)
{
    urd_config config = {.workers = workers, .seed = test_seed(), .processes = URD_PROCESSES_NONE};
    test_run_with(&config, fn, NULL);
}

/* A job whose result is the int at arg. */
static inline int give(void *arg)
{
    return *(const int *)arg;
}

/* Jobs to wait with. */
static inline int wait_for_ever(void *arg)
{
    (void)arg;
    return urd_sleep(URD_FOREVER);
}

/* Let everybody else on this worker come as far as they get. */
static inline void let_others_run(void)
{
    CHECK_EQ(urd_sleep(1), 0); /* virtual time moves only when every job waits */
}

#endif
