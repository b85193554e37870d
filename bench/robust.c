/*
 * robust.c - what does a mutex between processes cost?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: alone two locked instructions and two stores, as a process-shared pthread mutex, which
 * does not hear of its owner's death; the robust one has a list to keep as well.  Between two
 * processes the line goes to and fro, and who does not get it in 2 us sleeps.
 * Baseline: a process-shared pthread mutex in the same memory.
 */
#include <pthread.h>

#include "bench.h"

enum { ALONE = 10000000, CROWD = 1000000 };

/* In shared memory. */
static struct locks {
    _Alignas(64) pthread_mutex_t plain;
    _Alignas(64) pthread_mutex_t robust;
    _Alignas(64) urd_mutex ours;
    _Alignas(64) long counter; /* under the mutex of the case */
} * locks;

static urd_mutex local;

static void with_pthread(pthread_mutex_t *m, long n)
{
    for (; n > 0; n--) {
        bench_must(-pthread_mutex_lock(m), "pthread_mutex_lock");
        locks->counter++;
        bench_must(-pthread_mutex_unlock(m), "pthread_mutex_unlock");
    }
}

static void with_ours(urd_mutex *m, long n)
{
    for (; n > 0; n--) {
        bench_must(urd_mutex_lock(m), "urd_mutex_lock");
        locks->counter++;
        urd_mutex_unlock(m);
    }
}

static void pthread_alone(long n)
{
    with_pthread(&locks->plain, n);
}

static void robust_alone(long n)
{
    with_pthread(&locks->robust, n);
}

static void ours_alone(long n)
{
    with_ours(&locks->ours, n);
}

static void local_alone(long n)
{
    with_ours(&local, n);
}

/* What a process is given: its copy of `locks` was made before there were any. */
typedef struct part {
    struct locks *locks;
    long n;
} part;

static int half_of_pthread(void *arg)
{
    locks = ((part *)arg)->locks;
    with_pthread(&locks->plain, ((part *)arg)->n);
    return 0;
}

static int half_of_ours(void *arg)
{
    locks = ((part *)arg)->locks;
    with_ours(&locks->ours, ((part *)arg)->n);
    return 0;
}

/* Two processes, n additions. */
static void together(urd_fn *half, long n)
{
    urd_scope s;
    part each = {.locks = locks, .n = n / 2};
    locks->counter = 0;
    urd_scope_open(&s);
    for (int i = 0; i < 2; i++)
        bench_must(urd_spawn(&s, URD_PROCESS, half, &each, sizeof each), "urd_spawn");
    bench_must(urd_scope_join(&s), "join");
    if (locks->counter != each.n * 2)
        bench_must(-1, "the count");
}

static void pthread_2(long n)
{
    together(half_of_pthread, n);
}

static void ours_2(long n)
{
    together(half_of_ours, n);
}

static int measure(void *rounds)
{
    bench_case alone[] = {
        {.name = "pthread_mutex, process-shared", .run = pthread_alone, .n = ALONE},
        {.name = "pthread_mutex, process-shared and robust", .run = robust_alone, .n = ALONE},
        {.name = "urd_mutex between processes", .run = ours_alone, .n = ALONE},
        {.name = "urd_mutex of one process", .run = local_alone, .n = ALONE},
        {.run = NULL}};
    bench_case two[] = {{.name = "pthread_mutex, 2 processes", .run = pthread_2, .n = CROWD},
                        {.name = "urd_mutex, 2 processes", .run = ours_2, .n = CROWD},
                        {.run = NULL}};
    pthread_mutexattr_t shared;
    locks = urd_shared_alloc(sizeof *locks + 64);
    if (!locks)
        return -1;
    locks = (struct locks *)(((uintptr_t)locks + 63) / 64 * 64);
    pthread_mutexattr_init(&shared);
    pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&locks->plain, &shared);
    pthread_mutexattr_setrobust(&shared, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&locks->robust, &shared);
    bench_run(alone, *(int *)rounds);
    bench_run(two, *(int *)rounds);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    urd_config config = {.workers = 1};
    bench_must(urd_run(&config, measure, &rounds), "urd_run");
    return 0;
}
