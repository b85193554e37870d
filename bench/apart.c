/*
 * apart.c - how long does a value take to a task on another worker, and back?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: while both workers are awake a value crosses in two cache misses each way, the inbox and
 * the value itself: some five times two threads that spin on one word.  When they sleep, a round
 * trip is two futex wakes.
 */
#include "bench.h"
#include "pass.h"

static void by_spinning(long n)
{
    pass_turns(false, n);
}

static void by_futex(long n)
{
    pass_turns(true, n);
}

static urd_chan to, from;
static int begun;

static int echo(void *arg)
{
    (void)arg;
    long v;
    __atomic_store_n(&begun, 1, __ATOMIC_RELEASE);
    while (urd_chan_recv(&to, &v) == 0)
        bench_must(urd_chan_send(&from, &v), "send");
    return 0;
}

/* The partner begins elsewhere, since this worker does nothing else until it has. */
static void apart(long n, urd_time pause)
{
    urd_chan_init(&to, sizeof(long), NULL, 0);
    urd_chan_init(&from, sizeof(long), NULL, 0);
    urd_scope s;
    urd_scope_open(&s);
    begun = 0;
    urd_go(&s, echo, NULL);
    while (!__atomic_load_n(&begun, __ATOMIC_ACQUIRE))
        ;
    for (long i = 0, v = 0; i < n; i++) {
        if (pause)
            bench_must(urd_sleep(pause), "sleep");
        bench_must(urd_chan_send(&to, &i), "send");
        bench_must(urd_chan_recv(&from, &v), "recv");
    }
    urd_chan_close(&to);
    bench_must(urd_scope_join(&s), "join");
}

static void awake(long n)
{
    apart(n, 0);
}

static void asleep(long n)
{
    apart(n, URD_MS);
}

static int measure(void *arg)
{
    int rounds = *(int *)arg;
    bench_case cases[] = {{.name = "two threads that spin", .run = by_spinning, .n = 200000},
                          {.name = "two workers that are awake", .run = awake, .n = 100000},
                          {.run = NULL}};
    bench_run(cases, rounds);
    bench_case sleepers[] = {{.name = "two futex wakes", .run = by_futex, .n = 2000},
                             {.name = "two workers that sleep, and 1 ms", .run = asleep, .n = 500},
                             {.run = NULL}};
    bench_run(sleepers, rounds);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    urd_config config = {.workers = 2, .processes = URD_PROCESSES_NONE};
    bench_must(urd_run(&config, measure, &rounds), "urd_run");
    return 0;
}
