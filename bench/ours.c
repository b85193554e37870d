/*
 * ours.c - the rows of the comparison with other runtimes (bench/peers), as our users write them.
 *
 * SPDX-License-Identifier: MIT
 *
 *     ours ROW WORKERS N [SECONDS]        see bench/peers/peer.h
 */
#include <pthread.h>

#include "peers/peer.h"
#include "urd.h"

static long times;
static double seconds;

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

typedef struct fib_call {
    long n, result;
} fib_call;

static int fib_job(void *arg)
{
    fib_call *call = arg;
    if (call->n < 2) {
        call->result = call->n;
        return 0;
    }
    fib_call left = {call->n - 1, 0}, right = {call->n - 2, 0};
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, fib_job, &left);
    fib_job(&right);
    int rc = urd_scope_join(&s);
    call->result = left.result + right.result;
    return rc;
}

static int measure_fib(void *arg)
{
    (void)arg;
    fib_call call = {times / 2, 0};
    peer_must(fib_job(&call), "fib");
    int64_t start = peer_now();
    call.n = times;
    peer_must(fib_job(&call), "fib");
    peer_say_fib(start, times, call.result);
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

static long asleep;
static urd_event all_asleep;

/* One worker runs all of them, so that the count needs no lock. */
static int sleeper(void *arg)
{
    if (++asleep == times)
        urd_event_set(&all_asleep);
    return urd_sleep_until(*(urd_time *)arg);
}

static int measure_sleepers(void *arg)
{
    (void)arg;
    double before = peer_resident();
    int64_t start = peer_now();
    urd_time when = urd_now() + (urd_time)(seconds * 1e9);
    urd_scope s;
    urd_scope_open(&s);
    for (long i = 0; i < times; i++)
        urd_go(&s, sleeper, &when);
    peer_must(urd_event_wait(&all_asleep), "urd_event_wait");
    int64_t slept = peer_now();
    double bytes = peer_resident() - before;
    peer_must(urd_scope_join(&s), "join");
    peer_say_sleepers(times, bytes, start, slept, when);
    return 0;
}

static int64_t *samples;

static void *wake_from_outside(void *arg)
{
    (void)arg;
    for (long i = 0; i < times; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        int64_t now = peer_now();
        peer_must(urd_chan_send(&there, &now), "send");
    }
    return NULL;
}

/* The program is idle; a thread that the runtime does not know wakes a task. */
static int measure_wake(void *arg)
{
    (void)arg;
    samples = calloc((size_t)times, sizeof *samples);
    int64_t ring[8];
    urd_chan_init(&there, sizeof(int64_t), ring, 8);
    pthread_t thread;
    peer_must(-pthread_create(&thread, NULL, wake_from_outside, NULL), "pthread_create");
    for (long i = 0; i < times; i++) {
        int64_t sent;
        peer_must(urd_chan_recv(&there, &sent), "recv");
        samples[i] = peer_now() - sent;
    }
    pthread_join(thread, NULL);
    peer_say_wakes(samples, times);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        urd_fn *measure;
    } rows[] = {{"spawn", measure_spawn},       {"yield", measure_yield},
                {"pingpong", measure_pingpong}, {"apart", measure_apart},
                {"skynet", measure_skynet},     {"fib", measure_fib},
                {"chan", measure_chan},         {"mutex", measure_mutex},
                {"wake", measure_wake},         {"mutex-many", measure_mutex_many},
                {"sleepers", measure_sleepers}};
    peer_args a = peer_parse(argc, argv);
    times = a.times;
    seconds = a.seconds;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, a.row) == 0) {
            urd_config config = {.workers = a.workers, .processes = URD_PROCESSES_NONE};
            peer_must(urd_run(&config, rows[i].measure, NULL), a.row);
            return 0;
        }
    }
    return PEER_NO_ROW;
}
