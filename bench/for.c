/*
 * for.c - what does a parallel loop cost beside threads that were given their halves?
 *
 * SPDX-License-Identifier: MIT
 *
 * Even work: the halves are equal, and threads that exist already and spin for their start are the
 * floor.  Uneven: step i costs as much as i, and the first half is a quarter of the work.  Nested:
 * 10,000 loops of 100 steps each.  Sketch: a look every 10 us and a split or two: 1 % more than the
 * floor on even work; as much as the floor with a perfect cut on uneven work.
 */
#include <math.h>
#include <pthread.h>

#include "bench.h"

enum { STEPS = 4000000, UNEVEN = 4000, OUTER = 10000, INNER = 100 };

static double in[STEPS], out[STEPS];

/* ---- The work ------------------------------------------------------------------------------ */

static int even(long lo, long hi, void *arg)
{
    (void)arg;
    for (long i = lo; i < hi; i++)
        out[i] = sqrt(in[i] + 1.0) / (in[i] + 2.0);
    return 0;
}

static int uneven(long lo, long hi, void *arg)
{
    (void)arg;
    for (long i = lo; i < hi; i++)
        for (long k = 0; k < i; k++)
            out[i] += in[k];
    return 0;
}

static int inner(long lo, long hi, void *arg)
{
    double *row = arg;
    for (long i = lo; i < hi; i++)
        row[i] = sqrt(row[i] + 1.0);
    return 0;
}

static int nested(long lo, long hi, void *arg)
{
    (void)arg;
    for (long i = lo; i < hi; i++)
        inner(0, INNER, out + i * INNER);
    return 0;
}

static int nested_loops(long lo, long hi, void *arg)
{
    (void)arg;
    for (long i = lo; i < hi; i++)
        bench_must(urd_for(0, INNER, inner, out + i * INNER), "urd_for");
    return 0;
}

static int sum(long lo, long hi, void *into, void *arg)
{
    (void)arg;
    double s = 0;
    for (long i = lo; i < hi; i++)
        s += in[i];
    *(double *)into += s;
    return 0;
}

static void add(void *into, const void *right, void *arg)
{
    (void)arg;
    *(double *)into += *(const double *)right;
}

static double total; /* of the half that the other thread sums */

static int sum_other(long lo, long hi, void *arg)
{
    (void)arg;
    return sum(lo, hi, &total, NULL);
}

/* ---- The floor: one more thread, which waits awake ------------------------------------------ */

static struct {
    urd_range_fn *body;
    long lo, hi;
    int turn; /* atomic: 0 wait, 1 work, 2 end */
} other;

static void *other_main(void *arg)
{
    (void)arg;
    for (;;) {
        int turn = __atomic_load_n(&other.turn, __ATOMIC_ACQUIRE);
        if (turn == 2)
            return NULL;
        if (turn == 1) {
            other.body(other.lo, other.hi, NULL);
            __atomic_store_n(&other.turn, 0, __ATOMIC_RELEASE);
        }
    }
}

static int workers;

/* In two parts that are cut at `cut`, or in one. */
static void in_two(urd_range_fn *body, long n, long cut, urd_range_fn *others)
{
    if (workers == 1) {
        body(0, n, NULL);
        return;
    }
    other.body = others;
    other.lo = cut;
    other.hi = n;
    __atomic_store_n(&other.turn, 1, __ATOMIC_RELEASE);
    body(0, cut, NULL);
    while (__atomic_load_n(&other.turn, __ATOMIC_ACQUIRE) != 0)
        ;
}

static int sum_mine(long lo, long hi, void *arg)
{
    (void)arg;
    static double mine;
    return sum(lo, hi, &mine, NULL);
}

static void even_floor(long n)
{
    in_two(even, n, n / 2, even);
}

static void uneven_floor(long n)
{
    (void)n;
    in_two(uneven, UNEVEN, (long)(UNEVEN * 0.70711), uneven);
}

static void nested_floor(long n)
{
    (void)n;
    in_two(nested, OUTER, OUTER / 2, nested);
}

static void sum_floor(long n)
{
    in_two(sum_mine, n, n / 2, sum_other);
}

/* ---- Ours ---------------------------------------------------------------------------------- */

static void even_ours(long n)
{
    bench_must(urd_for(0, n, even, NULL), "urd_for");
}

static void uneven_ours(long n)
{
    (void)n;
    bench_must(urd_for(0, UNEVEN, uneven, NULL), "urd_for");
}

static void nested_ours(long n)
{
    (void)n;
    bench_must(urd_for(0, OUTER, nested_loops, NULL), "urd_for");
}

static void sum_ours(long n)
{
    double value;
    urd_reducer r = {.size = sizeof value, .fold = sum, .combine = add};
    bench_must(urd_reduce(0, n, &r, &value, NULL), "urd_reduce");
}

static void sum_exactly(long n)
{
    double value;
    urd_reducer r = {.size = sizeof value, .fold = sum, .combine = add, .deterministic = true};
    bench_must(urd_reduce(0, n, &r, &value, NULL), "urd_reduce");
}

static int measure(void *arg)
{
    int rounds = *(int *)arg;
    bench_case cases[][4] = {
        {{.name = "even, halves on threads", .run = even_floor, .n = STEPS},
         {.name = "even, urd_for", .run = even_ours, .n = STEPS}},
        {{.name = "uneven, cut by hand", .run = uneven_floor, .n = UNEVEN * (UNEVEN / 2L)},
         {.name = "uneven, urd_for", .run = uneven_ours, .n = UNEVEN * (UNEVEN / 2L)}},
        {{.name = "nested, plain loops in halves", .run = nested_floor, .n = OUTER * (long)INNER},
         {.name = "nested, urd_for in urd_for", .run = nested_ours, .n = OUTER * (long)INNER}},
        {{.name = "sum, halves on threads", .run = sum_floor, .n = STEPS},
         {.name = "sum, urd_reduce", .run = sum_ours, .n = STEPS},
         {.name = "sum, deterministic", .run = sum_exactly, .n = STEPS}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        bench_run(cases[i], rounds);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    for (long i = 0; i < STEPS; i++)
        in[i] = (double)(i % 1000);
    for (workers = 1; workers <= 2; workers++) {
        pthread_t thread;
        printf("%d worker(s), ns a step\n", workers);
        other.turn = 0;
        if (workers > 1)
            bench_must(-pthread_create(&thread, NULL, other_main, NULL), "pthread_create");
        urd_config config = {.workers = workers, .processes = URD_PROCESSES_NONE};
        bench_must(urd_run(&config, measure, &rounds), "urd_run");
        __atomic_store_n(&other.turn, 2, __ATOMIC_RELEASE);
        if (workers > 1)
            bench_must(-pthread_join(thread, NULL), "pthread_join");
    }
    return 0;
}
