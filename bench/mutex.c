/*
 * mutex.c - what does it cost to lock and unlock, alone and in a crowd?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: two locked instructions, some 10 ns each where locked instructions are slow, and a look
 * at the scope: as pthread_mutex.  In a crowd the mutex moves between caches, 25 ns and more a
 * lock, and nobody should have to sleep for a section of a few instructions.
 * Baseline: pthread_mutex, in the same number of threads; for tasks, in as many as workers.
 */
#include <pthread.h>

#include "bench.h"

enum { TASKS = 1000, THREADS_MAX = 4, ALONE = 10000000, CROWD = 2000000 };

static pthread_mutex_t floor_mutex = PTHREAD_MUTEX_INITIALIZER;
static urd_mutex mutex;
static long counter; /* under the mutex of the case */

static int with_pthread(void *arg)
{
    for (long i = *(const long *)arg; i > 0; i--) {
        bench_must(-pthread_mutex_lock(&floor_mutex), "pthread_mutex_lock");
        counter++;
        bench_must(-pthread_mutex_unlock(&floor_mutex), "pthread_mutex_unlock");
    }
    return 0;
}

static int with_ours(void *arg)
{
    for (long i = *(const long *)arg; i > 0; i--) {
        bench_must(urd_mutex_lock(&mutex), "urd_mutex_lock");
        counter++;
        urd_mutex_unlock(&mutex);
    }
    return 0;
}

/* n additions by so many jobs of one kind. */
static void together(urd_kind kind, int jobs, urd_fn *fn, long n)
{
    urd_scope s;
    long each = n / jobs;
    counter = 0;
    urd_scope_open(&s);
    for (int i = 0; i < jobs; i++)
        bench_must(urd_spawn(&s, kind, fn, &each, sizeof each), "urd_spawn");
    bench_must(urd_scope_join(&s), "join");
    if (counter != each * jobs)
        bench_must(-1, "the count");
}

static void pthread_alone(long n)
{
    with_pthread(&n);
}

static void ours_alone(long n)
{
    with_ours(&n);
}

static void pthread_2(long n)
{
    together(URD_THREAD, 2, with_pthread, n);
}

static void ours_2(long n)
{
    together(URD_THREAD, 2, with_ours, n);
}

static void pthread_4(long n)
{
    together(URD_THREAD, THREADS_MAX, with_pthread, n);
}

static void ours_4(long n)
{
    together(URD_THREAD, THREADS_MAX, with_ours, n);
}

static void ours_tasks(long n)
{
    together(URD_TASK, TASKS, with_ours, n);
}

static int another_thread(void *end)
{
    return urd_event_wait(end);
}

static int one_worker(void *arg)
{
    bench_case alone[] = {
        {.name = "pthread_mutex, alone", .run = pthread_alone, .n = ALONE},
        {.name = "urd_mutex, alone", .run = ours_alone, .n = ALONE},
        {.name = "urd_mutex, 1000 tasks on 1 worker", .run = ours_tasks, .n = CROWD},
        {.run = NULL}};
    bench_case two[] = {{.name = "pthread_mutex, 2 threads", .run = pthread_2, .n = CROWD},
                        {.name = "urd_mutex, 2 threads", .run = ours_2, .n = CROWD},
                        {.run = NULL}};
    bench_case four[] = {{.name = "pthread_mutex, 4 threads", .run = pthread_4, .n = CROWD},
                         {.name = "urd_mutex, 4 threads", .run = ours_4, .n = CROWD},
                         {.run = NULL}};
    /* A C library locks without a locked instruction as long as the program has one thread. */
    urd_scope s;
    urd_event end = {0};
    urd_scope_open(&s);
    bench_must(urd_spawn(&s, URD_THREAD, another_thread, &end, 0), "urd_spawn");
    bench_run(alone, *(int *)arg);
    urd_event_set(&end);
    bench_must(urd_scope_join(&s), "join");
    bench_run(two, *(int *)arg);
    bench_run(four, *(int *)arg);
    return 0;
}

static int two_workers(void *arg)
{
    bench_case cases[] = {
        {.name = "pthread_mutex, 2 threads", .run = pthread_2, .n = CROWD},
        {.name = "urd_mutex, 1000 tasks on 2 workers", .run = ours_tasks, .n = CROWD},
        {.run = NULL}};
    bench_run(cases, *(int *)arg);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    bench_must(urd_run(&config, one_worker, &rounds), "urd_run");
    config.workers = 2;
    bench_must(urd_run(&config, two_workers, &rounds), "urd_run");
    return 0;
}
