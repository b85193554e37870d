/*
 * spawn.c - what does it cost to start a task that does nothing, and to join it?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: a job is a descriptor of one cache line pushed on the worker's own deque and popped by
 * the join, which calls it: no stack, no atomic read-modify-write that misses.  Some 15 to 40 ns.
 * Baseline: a call through a pointer that the compiler cannot see through, with a malloc and free
 * of one cache line: what a C programmer would write for a queue of one.
 */
#include "bench.h"

enum { BATCH = 1000, DESCRIPTOR_BYTES = 64 };

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static urd_fn *volatile opaque = nothing;

static void called(long n)
{
    for (long i = 0; i < n; i++) {
        void *volatile descriptor = malloc(DESCRIPTOR_BYTES);
        bench_must(opaque(descriptor), "call");
        free(descriptor);
    }
}

static void in_batches(long n)
{
    for (long i = 0; i < n; i += BATCH) {
        urd_scope s;
        urd_scope_open(&s);
        for (int k = 0; k < BATCH; k++)
            urd_go(&s, nothing, NULL);
        bench_must(urd_scope_join(&s), "join");
    }
}

static void one_by_one(long n)
{
    for (long i = 0; i < n; i++) {
        urd_scope s;
        urd_scope_open(&s);
        urd_go(&s, nothing, NULL);
        bench_must(urd_scope_join(&s), "join");
    }
}

static int measure(void *arg)
{
    bench_case cases[] = {{.name = "malloc, call, free", .run = called, .n = 1000000},
                          {.name = "urd_go, 1000 to a scope", .run = in_batches, .n = 1000000},
                          {.name = "open, urd_go, join", .run = one_by_one, .n = 1000000},
                          {.run = NULL}};
    bench_run(cases, *(int *)arg);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_one_and_two(argc, argv, measure);
}
