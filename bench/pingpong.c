/*
 * pingpong.c - how long does a value take to another task and back?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: on one worker a rendezvous is a lock, a copy of eight bytes and a switch, and a round
 * trip is two: some 80 ns.  On two workers the partners should stay together, and not wake a core
 * for each value.  Baseline: two threads and two pipes, which wake each other through the kernel.
 * Floors on one worker: two tasks that yield to each other, the same two switches and no value; and
 * a rendezvous by hand, from two switches and a value to all that ours guarantees, so that each
 * guarantee has its price.
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

/* ---- By hand, one guarantee after the other -------------------------------------------------- */

/* What a rendezvous can pay for, beside two switches and a value. */
enum {
    QUEUED = 1,  /* others may be ready as well: who is woken queues */
    CHECKED = 2, /* a cancel ends it: each call asks */
    CLAIMED = 4, /* a cancel may come in: one of the two wins */
    FENCED = 8,  /* the same for who is just about to wait */
    LOCKED = 16  /* another thread may come in */
};

typedef struct side {
    void *context;
    struct side *next;
} side;

typedef struct port {
    int lock, waiting; /* atomic */
    long *into;        /* under lock */
    side *who;         /* the same */
} port;

static port port_to, port_from;
static side here, other, *ready_first, *ready_last;
static unsigned cancelled;             /* atomic */
static unsigned long epoch, looked_at; /* atomic */

#define INLINE __attribute__((always_inline)) static inline

INLINE void port_check(unsigned what)
{
    if (what & CHECKED)
        bench_must(__atomic_load_n(&cancelled, __ATOMIC_ACQUIRE) ||
                           __atomic_load_n(&epoch, __ATOMIC_ACQUIRE) !=
                               __atomic_load_n(&looked_at, __ATOMIC_RELAXED)
                       ? -1
                       : 0,
                   "cancelled");
}

INLINE void port_lock(port *p, unsigned what)
{
    for (int free = 0;
         (what & LOCKED) && !__atomic_compare_exchange_n(&p->lock, &free, 1, false,
                                                         __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);)
        free = 0;
}

INLINE void port_unlock(port *p, unsigned what)
{
    if (what & LOCKED)
        __atomic_store_n(&p->lock, 0, __ATOMIC_RELEASE);
}

INLINE bool port_claim(port *p, unsigned what)
{
    int waiting = 1;
    if (what & CLAIMED)
        return __atomic_compare_exchange_n(&p->waiting, &waiting, 0, false, __ATOMIC_ACQ_REL,
                                           __ATOMIC_RELAXED);
    bool won = p->waiting == 1;
    p->waiting = 0;
    return won;
}

INLINE void port_send(port *p, long v, unsigned what)
{
    port_check(what);
    port_lock(p, what);
    side *who = p->who;
    if (port_claim(p, what))
        *p->into = v;
    port_unlock(p, what);
    if (!(what & QUEUED))
        return;
    who->next = NULL;
    if (ready_first)
        ready_last->next = who;
    else
        ready_first = who;
    ready_last = who;
}

INLINE long port_recv(port *p, side *self, side *partner, unsigned what)
{
    long v;
    port_check(what);
    port_lock(p, what);
    p->into = &v;
    p->who = self;
    __atomic_store_n(&p->waiting, 1, __ATOMIC_RELEASE);
    port_unlock(p, what);
    if (what & FENCED)
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    port_check(what);
    side *next = partner;
    if (what & QUEUED) {
        next = ready_first;
        ready_first = next->next;
    }
    urd__switch(&self->context, next->context);
    return v;
}

static void start_by_hand(void (*partner)(void *))
{
    static _Alignas(16) char stack[65536];
    other.context = urd__switch_make(stack + sizeof stack, partner, NULL);
    ready_first = &other;
    urd__switch(&here.context, other.context); /* it waits */
}

/* The receive is one for both sides: see core/switch.h on what the processor predicts. */
#define BY_HAND(name, what)                                                                        \
    __attribute__((noinline)) static long name##_recv(port *p, side *self, side *partner)          \
    {                                                                                              \
        return port_recv(p, self, partner, what);                                                  \
    }                                                                                              \
    static void name##_echo(void *unused)                                                          \
    {                                                                                              \
        (void)unused;                                                                              \
        for (ready_first = &here;;)                                                                \
            port_send(&port_from, name##_recv(&port_to, &other, &here), what);                     \
    }                                                                                              \
    static void name(long n)                                                                       \
    {                                                                                              \
        start_by_hand(name##_echo);                                                                \
        for (long i = 0; i < n; i++) {                                                             \
            port_send(&port_to, i, what);                                                          \
            bench_must(name##_recv(&port_from, &here, &other) == i ? 0 : -1, "value");             \
        }                                                                                          \
    }

BY_HAND(bare, 0)
BY_HAND(queued, QUEUED)
BY_HAND(checked, QUEUED | CHECKED)
BY_HAND(claimed, QUEUED | CHECKED | CLAIMED)
BY_HAND(fenced, QUEUED | CHECKED | CLAIMED | FENCED)
BY_HAND(locked, QUEUED | CHECKED | CLAIMED | FENCED | LOCKED)

static int measure(void *arg)
{
    bench_case cases[] = {
        {.name = "by hand: a value, two switches", .run = bare, .n = 1000000},
        {.name = "and a ready queue", .run = queued, .n = 1000000},
        {.name = "and looks for a cancel", .run = checked, .n = 1000000},
        {.name = "and claims, for a cancel that comes in", .run = claimed, .n = 1000000},
        {.name = "and fences, for the same", .run = fenced, .n = 1000000},
        {.name = "and locks, for other threads", .run = locked, .n = 1000000},
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
