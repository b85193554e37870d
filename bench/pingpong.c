/*
 * pingpong.c - how long does a value take to another task and back?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: on one worker a rendezvous is a lock, a copy of eight bytes and a switch, and a round
 * trip is two: some 80 ns.  On two workers the partners should stay together, and not wake a core
 * for each value.  Baseline: two threads and two pipes, which wake each other through the kernel.
 * Floors on one worker: two tasks that yield to each other, the same two switches and no value; and
 * a rendezvous by hand.  As another thread may come in at any time, each of its four calls takes a
 * lock; as a cancel may, each value takes a claim and each wait a fence (core/wait.c).
 *
 * Two tasks that wait at different places of the program return to different places, and the
 * processor predicts the one that it saw last: twice a round trip it is wrong, some 13 ns each.  So
 * the same is measured with both in one loop, where it is right.
 */
#include <pthread.h>
#include <unistd.h>

#include "bench.h"
#include "core/switch.h"

static int there[2], back[2];
static urd_chan to, from;

static void *echo_by_pipe(void *arg)
{
    long v;
    while (read(there[0], &v, sizeof v) == sizeof v && v >= 0)
        if (write(back[1], &v, sizeof v) != sizeof v)
            break;
    return arg;
}

static void by_pipe(long n)
{
    pthread_t thread;
    bench_must(pipe(there), "pipe");
    bench_must(pipe(back), "pipe");
    bench_must(-pthread_create(&thread, NULL, echo_by_pipe, NULL), "pthread_create");
    for (long i = 0, v = 0; i < n; i++) {
        bench_must(write(there[1], &i, sizeof i) == sizeof i ? 0 : -1, "write");
        bench_must(read(back[0], &v, sizeof v) == sizeof v ? 0 : -1, "read");
    }
    long end = -1;
    bench_must(write(there[1], &end, sizeof end) == sizeof end ? 0 : -1, "write");
    bench_must(-pthread_join(thread, NULL), "pthread_join");
    for (int i = 0; i < 2; i++) {
        close(there[i]);
        close(back[i]);
    }
}

static int echo(void *arg)
{
    (void)arg;
    long v;
    while (urd_chan_recv(&to, &v) == 0)
        bench_must(urd_chan_send(&from, &v), "send");
    return 0;
}

static void by_channel(long n)
{
    urd_chan_init(&to, sizeof(long), NULL, 0);
    urd_chan_init(&from, sizeof(long), NULL, 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, echo, NULL);
    for (long i = 0, v = 0; i < n; i++) {
        bench_must(urd_chan_send(&to, &i), "send");
        bench_must(urd_chan_recv(&from, &v), "recv");
    }
    urd_chan_close(&to);
    bench_must(urd_scope_join(&s), "join");
    urd_chan_fini(&to);
    urd_chan_fini(&from);
}

/* Of both tasks. */
__attribute__((noinline)) static int pass(urd_chan *out, urd_chan *in, long n)
{
    int rc = 0;
    for (long i = 0, v = 0; i < n && rc == 0; i++) {
        rc = urd_chan_send(out, &i);
        if (rc == 0)
            rc = urd_chan_recv(in, &v);
    }
    return rc;
}

static int pass_back(void *arg)
{
    long v;
    bench_must(urd_chan_recv(&to, &v), "recv");
    int rc = pass(&from, &to, *(long *)arg - 1);
    return rc ? rc : urd_chan_send(&from, &v);
}

static void by_channel_in_one_loop(long n)
{
    urd_chan_init(&to, sizeof(long), NULL, 0);
    urd_chan_init(&from, sizeof(long), NULL, 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, pass_back, &n);
    bench_must(pass(&to, &from, n), "pass");
    bench_must(urd_scope_join(&s), "join");
    urd_chan_fini(&to);
    urd_chan_fini(&from);
}

static int yields(void *arg)
{
    int rc = 0;
    for (long i = *(long *)arg; i > 0 && rc == 0; i--)
        rc = urd_yield();
    return rc;
}

static void by_yield(long n)
{
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 2; i++)
        urd_go(&s, yields, &n);
    bench_must(urd_scope_join(&s), "join");
}

typedef struct port {
    int lock, waiting; /* atomic */
    long *into;        /* under lock */
} port;

static port port_to, port_from;
static void *here, *other;

static void port_lock(port *p)
{
    for (int free = 0; !__atomic_compare_exchange_n(&p->lock, &free, 1, false, __ATOMIC_ACQUIRE,
                                                    __ATOMIC_RELAXED);)
        free = 0;
}

static void port_unlock(port *p)
{
    __atomic_store_n(&p->lock, 0, __ATOMIC_RELEASE);
}

static void port_send(port *p, long v)
{
    int waiting = 1;
    port_lock(p);
    if (__atomic_compare_exchange_n(&p->waiting, &waiting, 0, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED))
        *p->into = v;
    port_unlock(p);
}

/* One for both sides: see core/switch.h on what the processor predicts. */
__attribute__((noinline)) static long port_recv(port *p, void **self, void *const *partner)
{
    long v;
    port_lock(p);
    p->into = &v;
    __atomic_store_n(&p->waiting, 1, __ATOMIC_RELEASE);
    port_unlock(p);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    urd__switch(self, *partner);
    return v;
}

static void echo_by_hand(void *unused)
{
    (void)unused;
    for (;;)
        port_send(&port_from, port_recv(&port_to, &other, &here));
}

static void by_hand(long n)
{
    _Alignas(16) static char stack[65536];
    other = urd__switch_make(stack + sizeof stack, echo_by_hand, NULL);
    urd__switch(&here, other); /* it waits */
    for (long i = 0; i < n; i++) {
        port_send(&port_to, i);
        bench_must(port_recv(&port_from, &here, &other) == i ? 0 : -1, "value");
    }
}

static int measure(void *arg)
{
    bench_case cases[] = {
        {.name = "by hand: locks, claims, fences, switches", .run = by_hand, .n = 1000000},
        {.name = "two tasks, two channels", .run = by_channel, .n = 200000},
        {.name = "the same, both in one loop", .run = by_channel_in_one_loop, .n = 200000},
        {.name = "two tasks that yield", .run = by_yield, .n = 1000000},
        {.name = "two threads, two pipes", .run = by_pipe, .n = 5000},
        {.run = NULL}};
    bench_run(cases, *(int *)arg);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_one_and_two(argc, argv, measure);
}
