/*
 * model_base.h - src/base for models: include it before the source that is to be checked.
 *
 * SPDX-License-Identifier: MIT
 *
 * The spinning lock becomes the explorer's lock (base/lock.h is left out; test/model/lock.c checks
 * the real one), the futex and memory the explorer's, and a broken invariant a failed schedule.
 */
#ifndef MODEL_BASE_H
#define MODEL_BASE_H

#include <stdarg.h>
#include <stdio.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/os.h"
#include "explore.h"

#define URD_BASE_LOCK_H
enum { URD__SPINS_BEFORE_YIELD = 1 };
#define urd__lock(lock) explore_lock(lock)
#define urd__trylock(lock) explore_trylock(lock)
#define urd__unlock(lock) explore_unlock(lock)

void urd__die(const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    explore_fail("%s", message);
}

void *urd__os_alloc(size_t size)
{
    return explore_alloc(size);
}

void urd__os_free(void *p)
{
    explore_free(p);
}

void urd__os_futex_wait(const int *word, int value, int64_t until)
{
    (void)until;
    explore_futex_wait((int *)(uintptr_t)word, value);
}

void urd__os_futex_wake(const int *word, int count)
{
    explore_futex_wake((int *)(uintptr_t)word, count);
}

int urd__os_barrier_open(void)
{
    return 0;
}

void urd__os_barrier_all(void)
{
    explore_barrier();
}

/* Processor 0 is out of thread i's mask; it must be back before it is taken out again. */
static int kept_off[EXPLORE_THREADS_MAX];

bool urd__os_keep_off(pid_t id, int cpu, unsigned long mask[OS_MASK_WORDS])
{
    (void)cpu;
    explore_assert(urd__add_ar(&kept_off[id], 1) == 0);
    mask[0] = (unsigned long)id;
    return true;
}

void urd__os_put_back(const unsigned long mask[OS_MASK_WORDS])
{
    explore_assert(urd__sub_ar(&kept_off[mask[0]], 1) == 1);
}

int urd__os_cpu(void)
{
    return 0;
}

int64_t urd__os_now(void)
{
    return 0;
}

int64_t urd__clock_now(void)
{
    return 0;
}

bool urd__clock_is_virtual(void)
{
    return false;
}

void urd__clock_advance(int64_t when)
{
    (void)when;
}

void urd__os_yield(void)
{
    explore_yield();
}

#endif
