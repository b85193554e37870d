/*
 * ours.c - our side of the comparison with other runtimes (bench/peers): tasks, messages, locks.
 *
 * SPDX-License-Identifier: MIT
 *
 *     ours ROW WORKERS N [SECONDS]        see bench/peers/peer.h
 */
#include "ours.h"

static long times;

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void spawn_batches(long n)
{
    for (long i = 0; i < n; i += PEER_BATCH) {
        urd_scope s;
        urd_scope_open(&s);
        for (int k = 0; k < PEER_BATCH; k++)
            urd_go(&s, nothing, NULL);
        peer_must(urd_scope_join(&s), "join");
    }
}

static int measure_spawn(void *arg)
{
    (void)arg;
    spawn_batches(times / 10);
    int64_t start = peer_now();
    spawn_batches(times);
    peer_say_each("spawn", start, times);
    return 0;
}

static int yields(void *arg)
{
    for (long i = *(long *)arg; i > 0; i--)
        peer_must(urd_yield(), "urd_yield");
    return 0;
}

static int measure_yield(void *arg)
{
    (void)arg;
    long each = times / 2;
    urd_scope s;
    urd_scope_open(&s);
    int64_t start = peer_now();
    urd_go(&s, yields, &each);
    urd_go(&s, yields, &each);
    peer_must(urd_scope_join(&s), "join");
    peer_say_each("yield", start, times);
    return 0;
}

static urd_chan there, back;
static int begun;

static int echo(void *arg)
{
    (void)arg;
    long v;
    __atomic_store_n(&begun, 1, __ATOMIC_RELEASE);
    while (urd_chan_recv(&there, &v) == 0)
        peer_must(urd_chan_send(&back, &v), "send");
    return 0;
}

/* Where apart is asked for, this worker does nothing else until the partner began on the other. */
static void pingpong(const char *name, bool apart)
{
    urd_chan_init(&there, sizeof(long), NULL, 0);
    urd_chan_init(&back, sizeof(long), NULL, 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, echo, NULL);
    while (apart && !__atomic_load_n(&begun, __ATOMIC_ACQUIRE))
        ;
    int64_t start = 0;
    for (long i = -times / 10, v = 0; i < times; i++) {
        if (i == 0)
            start = peer_now();
        peer_must(urd_chan_send(&there, &i), "send");
        peer_must(urd_chan_recv(&back, &v), "recv");
    }
    peer_say_each(name, start, times);
    urd_chan_close(&there);
    peer_must(urd_scope_join(&s), "join");
}

static int measure_pingpong(void *arg)
{
    (void)arg;
    pingpong("pingpong", false);
    return 0;
}

static int measure_apart(void *arg)
{
    (void)arg;
    pingpong("apart", true);
    return 0;
}

typedef struct tree {
    urd_chan *up;
    long first, leaves;
} tree;

/* Ten children, each of which sends its sum up. */
static int skynet_node(void *arg)
{
    const tree *t = arg;
    long sum = t->first;
    if (t->leaves > 1) {
        tree children[10];
        long ring[10];
        urd_chan sums;
        urd_chan_init(&sums, sizeof(long), ring, 10);
        urd_scope s;
        urd_scope_open(&s);
        sum = 0;
        for (int i = 0; i < 10; i++) {
            children[i] = (tree){&sums, t->first + i * (t->leaves / 10), t->leaves / 10};
            urd_go(&s, skynet_node, &children[i]);
        }
        for (int i = 0; i < 10; i++) {
            long part;
            peer_must(urd_chan_recv(&sums, &part), "recv");
            sum += part;
        }
        peer_must(urd_scope_join(&s), "join");
    }
    return urd_chan_send(t->up, &sum);
}

static int measure_skynet(void *arg)
{
    (void)arg;
    for (int round = 0; round < 2; round++) {
        long sum, ring[1];
        urd_chan top;
        urd_chan_init(&top, sizeof(long), ring, 1);
        tree root = {&top, 0, times};
        int64_t start = peer_now();
        peer_must(skynet_node(&root), "skynet");
        peer_must(urd_chan_recv(&top, &sum), "recv");
        if (round)
            peer_say_skynet(start, times, sum);
    }
    return 0;
}

enum { SIDES = 4, SLOTS = 128 };

static int produce(void *arg)
{
    urd_chan *c = arg;
    for (long i = 0; i < times / SIDES; i++)
        peer_must(urd_chan_send(c, &i), "send");
    return 0;
}

static int consume(void *arg)
{
    urd_chan *c = arg;
    long v;
    for (long i = 0; i < times / SIDES; i++)
        peer_must(urd_chan_recv(c, &v), "recv");
    return 0;
}

static int measure_chan(void *arg)
{
    (void)arg;
    long ring[SLOTS];
    urd_chan c;
    urd_chan_init(&c, sizeof(long), ring, SLOTS);
    urd_scope s;
    urd_scope_open(&s);
    int64_t start = peer_now();
    for (int i = 0; i < SIDES; i++) {
        urd_go(&s, produce, &c);
        urd_go(&s, consume, &c);
    }
    peer_must(urd_scope_join(&s), "join");
    peer_say_each("chan", start, times);
    return 0;
}

static urd_mutex mutex;
static long counter;

static int count(void *arg)
{
    for (long i = *(long *)arg; i > 0; i--) {
        peer_must(urd_mutex_lock(&mutex), "lock");
        counter++;
        urd_mutex_unlock(&mutex);
    }
    return 0;
}

static int measure_mutex(void *arg)
{
    (void)arg;
    int64_t start = peer_now();
    count(&times);
    peer_say_each("mutex", start, times);
    return 0;
}

static int measure_mutex_many(void *arg)
{
    (void)arg;
    long each = times / 1000;
    urd_scope s;
    urd_scope_open(&s);
    int64_t start = peer_now();
    for (int i = 0; i < 1000; i++)
        urd_go(&s, count, &each);
    peer_must(urd_scope_join(&s), "join");
    if (counter != each * 1000)
        peer_fail("the count is wrong");
    peer_say_each("mutex-many", start, each * 1000);
    return 0;
}

const ours_row ours_tasks[] = {
    {"spawn", measure_spawn}, {"yield", measure_yield},           {"pingpong", measure_pingpong},
    {"apart", measure_apart}, {"skynet", measure_skynet},         {"chan", measure_chan},
    {"mutex", measure_mutex}, {"mutex-many", measure_mutex_many}, {NULL, NULL}};

peer_args ours_args;

int main(int argc, char **argv)
{
    static const ours_row *const tables[] = {ours_tasks, ours_loops, ours_waits,
                                             ours_files, ours_net,   ours_pools};
    ours_args = peer_parse(argc, argv);
    times = ours_args.times;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        for (const ours_row *row = tables[i]; row->name; row++) {
            if (strcmp(row->name, ours_args.row) == 0) {
                urd_config config = {.workers = ours_args.workers,
                                     .compact_bytes = 1024, /* sleepers keep no more */
                                     .processes = tables[i] == ours_pools ? URD_PROCESSES_ZYGOTE
                                                                          : URD_PROCESSES_NONE};
                peer_must(urd_run(&config, row->measure, NULL), row->name);
                return 0;
            }
        }
    }
    return PEER_NO_ROW;
}
