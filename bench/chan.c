/*
 * chan.c - what does a value through a bounded channel cost, with four senders and four receivers?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: a send is a lock, a copy of eight bytes and an unlock, some 20 ns, and so is a receive; a
 * switch is due once a ring full.  On two workers the lock and the ring change cores for each run
 * of values, so it gets slower, not faster, unless whole runs stay on one worker.
 * Floors: a plain ring in one loop, which nobody shares; and threads with a mutex and two
 * conditions, as one writes it by hand.
 */
#include <pthread.h>
#include <string.h>

#include "bench.h"

enum { SLOTS = 128, ENDS = 4 };

static long ring[SLOTS];
static size_t head, count;

/* ---- One loop ------------------------------------------------------------------------------- */

static void in_one_loop(long n)
{
    long sum = 0;
    head = count = 0;
    for (long i = 0; i < n;) {
        for (; count < SLOTS && i < n; i++)
            memcpy(&ring[(head + count++) % SLOTS], &i, sizeof i);
        for (long v; count > 0; count--) {
            memcpy(&v, &ring[head], sizeof v);
            head = (head + 1) % SLOTS;
            sum += v;
        }
    }
    bench_must(sum == n * (n - 1) / 2 ? 0 : -1, "the sum");
}

/* ---- Threads, a mutex, two conditions ------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;

static void *put_by_hand(void *arg)
{
    for (long i = 0; i < *(long *)arg; i++) {
        pthread_mutex_lock(&mutex);
        while (count == SLOTS)
            pthread_cond_wait(&not_full, &mutex);
        ring[(head + count++) % SLOTS] = i;
        pthread_cond_signal(&not_empty);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void *take_by_hand(void *arg)
{
    for (long i = 0; i < *(long *)arg; i++) {
        pthread_mutex_lock(&mutex);
        while (count == 0)
            pthread_cond_wait(&not_empty, &mutex);
        head = (head + 1) % SLOTS;
        count--;
        pthread_cond_signal(&not_full);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void by_hand(long n)
{
    pthread_t threads[2 * ENDS];
    long each = n / ENDS;
    head = count = 0;
    for (int i = 0; i < 2 * ENDS; i++)
        bench_must(-pthread_create(&threads[i], NULL, i % 2 ? put_by_hand : take_by_hand, &each),
                   "pthread_create");
    for (int i = 0; i < 2 * ENDS; i++)
        bench_must(-pthread_join(threads[i], NULL), "pthread_join");
}

/* ---- Tasks and a channel -------------------------------------------------------------------- */

static urd_chan chan;

static int put(void *arg)
{
    int rc = 0;
    for (long i = 0; i < *(long *)arg && rc == 0; i++)
        rc = urd_chan_send(&chan, &i);
    return rc;
}

static int take(void *arg)
{
    int rc = 0;
    for (long i = 0, v; i < *(long *)arg && rc == 0; i++)
        rc = urd_chan_recv(&chan, &v);
    return rc;
}

static void by_channel(long n)
{
    long each = n / ENDS;
    urd_chan_init(&chan, sizeof(long), ring, SLOTS);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 2 * ENDS; i++)
        urd_go(&s, i % 2 ? put : take, &each);
    bench_must(urd_scope_join(&s), "join");
    urd_chan_fini(&chan);
}

static int measure(void *arg)
{
    bench_case cases[] = {
        {.name = "a ring in one loop", .run = in_one_loop, .n = 4000000},
        {.name = "4+4 threads, mutex and conditions", .run = by_hand, .n = 200000},
        {.name = "4+4 tasks, a channel of 128", .run = by_channel, .n = 1000000},
        {.run = NULL}};
    bench_run(cases, *(int *)arg);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_one_and_two(argc, argv, measure);
}
