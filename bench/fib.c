/*
 * fib.c - what does a fork and its join cost, where there is nothing else to do?
 *
 * SPDX-License-Identifier: MIT
 *
 * fib(32), a fork for each of its 3.5 M inner calls.  Sketch: a fork is eight stores to the stack
 * and a push, its join a pop, a compare and a call: some 5 ns beside a plain call's 2.
 * Floor: the same recursion in sequence.
 */
#include "bench.h"

enum { N = 32 };
static const long FORKS = 3524577; /* fib(33) - 1 */

static long sequential(long n)
{
    return n < 2 ? n : sequential(n - 1) + sequential(n - 2);
}

typedef struct call {
    long n, result;
} call;

static int forked(void *arg)
{
    call *c = arg;
    if (c->n < 2) {
        c->result = c->n;
        return 0;
    }
    call a = {.n = c->n - 1}, b = {.n = c->n - 2};
    int rc = urd_both(forked, &a, forked, &b);
    c->result = a.result + b.result;
    return rc;
}

static long (*volatile opaque)(long) = sequential;

static void in_sequence(long n)
{
    (void)n;
    bench_must(opaque(N) == 2178309 ? 0 : -1, "fib");
}

static void with_forks(long n)
{
    (void)n;
    call c = {.n = N};
    bench_must(forked(&c), "urd_both");
    bench_must(c.result == 2178309 ? 0 : -1, "fib");
}

static int measure(void *arg)
{
    bench_case cases[] = {{.name = "sequential, ns a call with calls in it", .run = in_sequence},
                          {.name = "urd_both", .run = with_forks},
                          {.run = NULL}};
    for (bench_case *c = cases; c->run; c++)
        c->n = FORKS;
    bench_run(cases, *(int *)arg);
    return 0;
}

int main(int argc, char **argv)
{
    return bench_one_and_two(argc, argv, measure);
}
