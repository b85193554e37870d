/*
 * between.c - what does a value through a channel between two processes cost?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: a send and a receive are each three locked instructions, the lock, the count and the
 * lock, some 40 ns; the two go on at once, and what they say to each other is a line or two that
 * changes cores, another 50 to 100 ns a value at worst.  Who finds nothing to do for 2 us sleeps.
 * Floor: a ring of one writer and one reader that both spin, in which nobody may sleep or die.
 */
#include <errno.h>
#include <unistd.h>

#include "base/atomic.h"
#include "bench.h"

enum { SLOTS = 1024, VALUES = 2000000, TURNS = 20000 };

typedef struct message {
    uint64_t number;
    char rest[56];
} message;

/* In shared memory. */
static struct common {
    _Alignas(64) uint64_t sent;
    _Alignas(64) uint64_t received;
    _Alignas(64) uint64_t values[SLOTS];
    _Alignas(64) urd_chan chan;
    _Alignas(64) urd_chan back;
    uint64_t ring[SLOTS], back_ring[SLOTS];
    _Alignas(64) message messages[SLOTS];
} * common;

/* What a process is given: its copy of `common` was made before there was any. */
typedef struct part {
    struct common *common;
    long n;
} part;

static void spin_while(const uint64_t *at, uint64_t value)
{
    for (int i = 0; urd__load_acq(at) == value; i++) {
        urd__spin_hint();
        if (i > 10000)
            usleep(1); /* it has lost its processor */
    }
}

static int send_raw(void *arg)
{
    const part *p = arg;
    struct common *c = p->common;
    for (uint64_t i = 0; i < (uint64_t)p->n; i++) {
        spin_while(&c->received, i - SLOTS);
        c->values[i % SLOTS] = i;
        urd__store_rel(&c->sent, i + 1);
    }
    return 0;
}

static int send_raw_messages(void *arg)
{
    const part *p = arg;
    struct common *c = p->common;
    for (uint64_t i = 0; i < (uint64_t)p->n; i++) {
        spin_while(&c->received, i - SLOTS);
        c->messages[i % SLOTS] = (message){.number = i};
        urd__store_rel(&c->sent, i + 1);
    }
    return 0;
}

static int send_messages(void *arg)
{
    const part *p = arg;
    message m = {.number = 0};
    for (; m.number < (uint64_t)p->n; m.number++)
        bench_must(urd_chan_send(&p->common->chan, &m), "urd_chan_send");
    return 0;
}

static int send_ours(void *arg)
{
    const part *p = arg;
    for (uint64_t i = 0; i < (uint64_t)p->n; i++)
        bench_must(urd_chan_send(&p->common->chan, &i), "urd_chan_send");
    return 0;
}

static int answer(void *arg)
{
    const part *p = arg;
    for (long i = 0; i < p->n; i++) {
        uint64_t v;
        bench_must(urd_chan_recv(&p->common->chan, &v), "urd_chan_recv");
        bench_must(urd_chan_send(&p->common->back, &v), "urd_chan_send");
    }
    return 0;
}

static void begin(urd_scope *s, urd_fn *fn, part *p)
{
    urd_scope_open(s);
    bench_must(urd_spawn(s, URD_PROCESS, fn, p, sizeof *p), "urd_spawn");
}

static void end(urd_scope *s, uint64_t sum, long n)
{
    bench_must(urd_scope_join(s), "join");
    bench_must(sum == (uint64_t)n * (uint64_t)(n - 1) / 2 ? 0 : -1, "the sum");
}

static void raw(long n)
{
    urd_scope s;
    part p = {.common = common, .n = n};
    uint64_t sum = 0;
    common->sent = common->received = 0;
    begin(&s, send_raw, &p);
    for (uint64_t i = 0; i < (uint64_t)n; i++) {
        spin_while(&common->sent, i);
        sum += common->values[i % SLOTS];
        urd__store_rel(&common->received, i + 1);
    }
    end(&s, sum, n);
}

static void ours(long n)
{
    urd_scope s;
    part p = {.common = common, .n = n};
    uint64_t sum = 0, v;
    urd_chan_init(&common->chan, sizeof v, common->ring, SLOTS);
    begin(&s, send_ours, &p);
    for (long i = 0; i < n; i++, sum += v)
        bench_must(urd_chan_recv(&common->chan, &v), "urd_chan_recv");
    end(&s, sum, n);
}

static void raw_messages(long n)
{
    urd_scope s;
    part p = {.common = common, .n = n};
    uint64_t sum = 0;
    common->sent = common->received = 0;
    begin(&s, send_raw_messages, &p);
    for (uint64_t i = 0; i < (uint64_t)n; i++) {
        spin_while(&common->sent, i);
        message m = common->messages[i % SLOTS];
        sum += m.number;
        urd__store_rel(&common->received, i + 1);
    }
    end(&s, sum, n);
}

static void our_messages(long n)
{
    urd_scope s;
    part p = {.common = common, .n = n};
    message m;
    uint64_t sum = 0;
    urd_chan_init(&common->chan, sizeof m, common->messages, SLOTS);
    begin(&s, send_messages, &p);
    for (long i = 0; i < n; i++, sum += m.number)
        bench_must(urd_chan_recv(&common->chan, &m), "urd_chan_recv");
    end(&s, sum, n);
}

/* There and back, one at a time. */
static void to_and_fro(long n)
{
    urd_scope s;
    part p = {.common = common, .n = n};
    uint64_t sum = 0, v;
    urd_chan_init(&common->chan, sizeof v, common->ring, SLOTS);
    urd_chan_init(&common->back, sizeof v, common->back_ring, SLOTS);
    begin(&s, answer, &p);
    for (uint64_t i = 0; i < (uint64_t)n; i++, sum += v) {
        bench_must(urd_chan_send(&common->chan, &i), "urd_chan_send");
        bench_must(urd_chan_recv(&common->back, &v), "urd_chan_recv");
    }
    end(&s, sum, n);
}

/* One process alone: a ring full is sent, and received. */
static void alone(long n)
{
    uint64_t v = 0;
    urd_chan_init(&common->chan, sizeof v, common->ring, SLOTS);
    for (long i = 0; i < n; i += SLOTS) {
        for (int j = 0; j < SLOTS; j++)
            bench_must(urd_chan_send(&common->chan, &v), "urd_chan_send");
        for (int j = 0; j < SLOTS; j++)
            bench_must(urd_chan_recv(&common->chan, &v), "urd_chan_recv");
    }
}

static int measure(void *rounds)
{
    bench_case cases[] = {
        {.name = "a spinning ring", .run = raw, .n = VALUES},
        {.name = "urd_chan between 2 processes", .run = ours, .n = VALUES},
        {.name = "a spinning ring, 64 bytes", .run = raw_messages, .n = VALUES},
        {.name = "urd_chan between 2 processes, 64 bytes", .run = our_messages, .n = VALUES},
        {.name = "urd_chan between processes, 1 alone", .run = alone, .n = VALUES},
        {.name = "urd_chan, there and back", .run = to_and_fro, .n = TURNS},
        {.run = NULL}};
    common = urd_shared_alloc(sizeof *common + 64);
    if (!common)
        return -ENOMEM;
    common = (struct common *)(((uintptr_t)common + 63) / 64 * 64);
    bench_run(cases, *(int *)rounds);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    urd_config config = {.workers = 1};
    bench_must(urd_run(&config, measure, &rounds), "urd_run");
    return 0;
}
