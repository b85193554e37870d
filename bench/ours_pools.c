/*
 * ours_pools.c - our side of the comparison with other runtimes: pools, and between processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ours.h"

static int increment(const void *in, void *out)
{
    *(long *)out = *(const long *)in + 1;
    return 0;
}

static urd_pool *open_pool(urd_kind kind)
{
    urd_pool *p;
    peer_must(urd_pool_open(&p, kind, ours_args.workers, NULL), "urd_pool_open");
    return p;
}

static void one_job(urd_pool *p, long i)
{
    urd_pool_job job;
    long out;
    peer_must(urd_pool_submit(&job, p, increment, &i, sizeof i, &out, sizeof out), "submit");
    peer_must(urd_pool_wait(&job), "wait");
    if (out != i + 1)
        peer_fail("the result is wrong");
}

static int measure_pool_one(void *arg)
{
    (void)arg;
    urd_pool *p = open_pool(URD_PROCESS);
    for (long i = 0; i < ours_args.times / 10; i++)
        one_job(p, i);
    int64_t start = peer_now();
    for (long i = 0; i < ours_args.times; i++)
        one_job(p, i);
    peer_say_each("pool-one", start, ours_args.times);
    return urd_pool_close(p);
}

static int measure_pool_asleep(void *arg)
{
    (void)arg;
    urd_pool *p = open_pool(URD_PROCESS);
    int64_t *samples = calloc((size_t)ours_args.times, sizeof *samples);
    for (long i = 0; i < ours_args.times; i++) {
        peer_must(urd_sleep(URD_MS), "urd_sleep");
        int64_t start = peer_now();
        one_job(p, i);
        samples[i] = peer_now() - start;
    }
    peer_say_median("pool-asleep", samples, ours_args.times);
    free(samples);
    return urd_pool_close(p);
}

static int measure_pool_map(void *arg)
{
    (void)arg;
    urd_pool *p = open_pool(URD_PROCESS);
    size_t n = (size_t)ours_args.times;
    long *in = calloc(n, sizeof *in), *out = calloc(n, sizeof *out);
    for (size_t i = 0; i < n; i++)
        in[i] = (long)i;
    peer_must(urd_pool_map(p, increment, in, out, n / 10), "map");
    int64_t start = peer_now();
    peer_must(urd_pool_map(p, increment, in, out, n), "map");
    peer_say_each(ours_args.row, start, ours_args.times);
    for (size_t i = 0; i < n; i++)
        if (out[i] != in[i] + 1)
            peer_fail("the result is wrong");
    free(in);
    free(out);
    return urd_pool_close(p);
}

static int touch_64k(const void *in, void *out)
{
    *(long *)out = peer_touch(in, PEER_SMALL_BYTES);
    return 0;
}

static int touch_16m(const void *in, void *out)
{
    *(long *)out = peer_touch(in, PEER_LARGE_BYTES);
    return 0;
}

/* The argument lies in the caller's own memory, and is copied once on its way. */
static int measure_bytes(urd_pool_fn *fn, size_t bytes)
{
    urd_pool *p = open_pool(URD_PROCESS);
    unsigned char *in = malloc(bytes);
    memset(in, 1, bytes);
    int64_t start = 0;
    for (long i = -ours_args.times / 10 - 1; i < ours_args.times; i++) {
        urd_pool_job job;
        long out = 0;
        if (i == 0)
            start = peer_now();
        peer_must(urd_pool_submit(&job, p, fn, in, bytes, &out, sizeof out), "submit");
        peer_must(urd_pool_wait(&job), "wait");
        if (out != peer_touch(in, bytes))
            peer_fail("the result is wrong");
    }
    peer_say_us(ours_args.row, start, ours_args.times);
    free(in);
    return urd_pool_close(p);
}

static int measure_64k(void *arg)
{
    (void)arg;
    return measure_bytes(touch_64k, PEER_SMALL_BYTES);
}

static int measure_16m(void *arg)
{
    (void)arg;
    return measure_bytes(touch_16m, PEER_LARGE_BYTES);
}

static void submit_batches(urd_pool *p, long n)
{
    static urd_pool_job jobs[PEER_BATCH];
    static long in[PEER_BATCH], out[PEER_BATCH];
    for (long i = 0; i < n; i += PEER_BATCH) {
        for (int k = 0; k < PEER_BATCH; k++)
            peer_must(urd_pool_submit(&jobs[k], p, increment, &in[k], sizeof in[k], &out[k],
                                      sizeof out[k]),
                      "submit");
        for (int k = 0; k < PEER_BATCH; k++)
            peer_must(urd_pool_wait(&jobs[k]), "wait");
    }
}

static int measure_submit(void *arg)
{
    (void)arg;
    urd_pool *p = open_pool(URD_THREAD);
    submit_batches(p, ours_args.times / 10);
    int64_t start = peer_now();
    submit_batches(p, ours_args.times);
    peer_say_each("submit", start, ours_args.times);
    return urd_pool_close(p);
}

enum { SLOTS = 1024 };

/* In shared memory; what a process is given is where. */
typedef struct shared {
    _Alignas(64) urd_chan chan;
    _Alignas(64) urd_mutex mutex;
    long n;
    _Alignas(64) peer_message ring[SLOTS];
} shared;

static shared *make_shared(void)
{
    char *at = urd_shared_alloc(sizeof(shared) + 64);
    if (!at)
        peer_fail("urd_shared_alloc");
    shared *s = (shared *)(void *)(at + (64 - (uintptr_t)at % 64) % 64);
    s->n = ours_args.times;
    return s;
}

static int send_all(void *arg)
{
    shared *s = arg;
    peer_message m = {.number = 0};
    for (; m.number < s->n; m.number++)
        peer_must(urd_chan_send(&s->chan, &m), "send");
    return 0;
}

static int measure_chan_process(void *arg)
{
    (void)arg;
    shared *s = make_shared();
    peer_message m;
    long sum = 0;
    int64_t start = 0;
    urd_scope scope;
    urd_chan_init(&s->chan, sizeof(peer_message), s->ring, SLOTS);
    urd_scope_open(&scope);
    peer_must(urd_spawn(&scope, URD_PROCESS, send_all, s, 0), "urd_spawn");
    for (long i = 0; i < s->n; i++, sum += m.number) {
        peer_must(urd_chan_recv(&s->chan, &m), "recv");
        if (i == 0)
            start = peer_now();
    }
    peer_say_messages(start, s->n, sum);
    return urd_scope_join(&scope);
}

static int measure_mutex_process(void *arg)
{
    (void)arg;
    shared *s = make_shared();
    long counter = 0;
    for (int round = 0; round < 2; round++) {
        int64_t start = peer_now();
        for (long i = 0; i < s->n; i++) {
            peer_must(urd_mutex_lock(&s->mutex), "lock");
            counter++;
            urd_mutex_unlock(&s->mutex);
        }
        if (round)
            peer_say_each("mutex-process", start, counter / 2);
    }
    return 0;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int measure_start(void *arg)
{
    (void)arg;
    peer_grow();
    int64_t start = 0;
    for (long i = -1; i < ours_args.times; i++) {
        urd_scope s;
        if (i == 0)
            start = peer_now();
        urd_scope_open(&s);
        peer_must(urd_spawn(&s, URD_PROCESS, nothing, NULL, 0), "urd_spawn");
        peer_must(urd_scope_join(&s), "join");
    }
    peer_say_us("process-start", start, ours_args.times);
    return 0;
}

const ours_row ours_pools[] = {{"pool-one", measure_pool_one},
                               {"pool-asleep", measure_pool_asleep},
                               {"pool-map", measure_pool_map},
                               {"pool-chunks", measure_pool_map},
                               {"pool-64k", measure_64k},
                               {"pool-16m", measure_16m},
                               {"submit", measure_submit},
                               {"chan-process", measure_chan_process},
                               {"mutex-process", measure_mutex_process},
                               {"process-start", measure_start},
                               {NULL, NULL}};
