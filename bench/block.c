/*
 * block.c - what does it cost to have a function called on a helper thread?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: a request in a queue, and two threads that wake each other through the kernel: some two
 * futex wakes of a sleeping core.
 * Baselines: a thread that is made for the one call and joined, and two threads that wake each
 * other by a condition of pthreads.
 */
#include <pthread.h>

#include "bench.h"

enum { CALLS = 20000, AT_ONCE = 8 };

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void *thread_main(void *arg)
{
    return arg;
}

static void by_new_threads(long n)
{
    for (long i = 0; i < n; i++) {
        pthread_t id;
        bench_must(-pthread_create(&id, NULL, thread_main, NULL), "pthread_create");
        bench_must(-pthread_join(id, NULL), "pthread_join");
    }
}

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    long asked, done, last; /* under mutex */
} pair = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0};

static void *answer(void *arg)
{
    pthread_mutex_lock(&pair.mutex);
    while (pair.done < pair.last) {
        while (pair.asked == pair.done)
            pthread_cond_wait(&pair.changed, &pair.mutex);
        pair.done++;
        pthread_cond_signal(&pair.changed);
    }
    pthread_mutex_unlock(&pair.mutex);
    return arg;
}

static void by_condition(long n)
{
    pthread_t id;
    pair.asked = pair.done = 0;
    pair.last = n;
    bench_must(-pthread_create(&id, NULL, answer, NULL), "pthread_create");
    pthread_mutex_lock(&pair.mutex);
    for (long i = 0; i < n; i++) {
        pair.asked++;
        pthread_cond_signal(&pair.changed);
        while (pair.done < pair.asked)
            pthread_cond_wait(&pair.changed, &pair.mutex);
    }
    pthread_mutex_unlock(&pair.mutex);
    bench_must(-pthread_join(id, NULL), "pthread_join");
}

static void by_block(long n)
{
    for (long i = 0; i < n; i++)
        bench_must(urd_block(nothing, NULL), "urd_block");
}

static int block_some(void *arg)
{
    by_block(*(const long *)arg);
    return 0;
}

static void by_block_at_once(long n)
{
    urd_scope s;
    long each = n / AT_ONCE;
    urd_scope_open(&s);
    for (int i = 0; i < AT_ONCE; i++)
        urd_go(&s, block_some, &each);
    bench_must(urd_scope_join(&s), "join");
}

static int measure(void *arg)
{
    bench_case cases[] = {
        {.name = "two threads, a condition", .run = by_condition, .n = CALLS},
        {.name = "pthread_create and join", .run = by_new_threads, .n = CALLS / 10},
        {.name = "urd_block, one after the other", .run = by_block, .n = CALLS},
        {.name = "urd_block, 8 tasks at once", .run = by_block_at_once, .n = CALLS},
        {.run = NULL}};
    bench_run(cases, *(int *)arg);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    bench_must(urd_run(&config, measure, &rounds), "urd_run");
    return 0;
}
