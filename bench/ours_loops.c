/*
 * ours_loops.c - our side of the comparison with other runtimes: fork and join, loops, sums, sorts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ours.h"

#if __has_include("urd/par.h")
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
    int rc = urd_both(fib_job, &left, fib_job, &right);
    call->result = left.result + right.result;
    return rc;
}

static int measure_fib(void *arg)
{
    (void)arg;
    fib_call call = {ours_args.times / 2, 0};
    peer_must(fib_job(&call), "fib");
    int64_t start = peer_now();
    call.n = ours_args.times;
    peer_must(fib_job(&call), "fib");
    peer_say_fib(start, call.n, call.result);
    return 0;
}

typedef struct arrays {
    double *x, *y;
    long n, steps, columns;
} arrays;

static arrays filled(void)
{
    long n = ours_args.times;
    arrays a = {.n = n, .steps = peer_steps(), .columns = n / PEER_ROWS};
    a.x = malloc((size_t)n * sizeof *a.x);
    a.y = malloc((size_t)n * sizeof *a.y);
    if (!a.x || !a.y)
        peer_fail("memory");
    peer_fill(a.x, n);
    peer_fill(a.y, n);
    return a;
}

/* The best of four passes. */
static int loop(const char *name, urd_range_fn *body, long steps)
{
    arrays a = filled();
    int64_t best = INT64_MAX;
    for (int round = 0; round < 4; round++) {
        int64_t start = peer_now();
        peer_must(urd_for(0, steps, body, &a), name);
        int64_t took = peer_now() - start;
        best = took < best ? took : best;
    }
    peer_say(name, (double)best / (double)a.n, "ns");
    return 0;
}

static int even(long lo, long hi, void *arg)
{
    const arrays *a = arg;
    for (long i = lo; i < hi; i++)
        a->y[i] = peer_work(a->x[i], a->steps);
    return 0;
}

static int measure_burst(void *arg)
{
    (void)arg;
    arrays a = filled();
    int64_t took[PEER_BURSTS];
    for (int i = 0; i < PEER_BURSTS; i++) {
        peer_must(urd_sleep(PEER_PAUSE), "sleep");
        int64_t start = peer_now();
        peer_must(urd_for(0, ours_args.times, even, &a), "burst");
        took[i] = peer_now() - start;
    }
    peer_say_bursts(took);
    return 0;
}

static int uneven(long lo, long hi, void *arg)
{
    const arrays *a = arg;
    for (long i = lo; i < hi; i++)
        a->y[i] = peer_work(a->x[i], peer_steps_at(i, a->n));
    return 0;
}

static int nested(long lo, long hi, void *arg)
{
    const arrays *a = arg;
    for (long row = lo; row < hi; row++)
        peer_must(urd_for(row * a->columns, (row + 1) * a->columns, even, arg), "a row");
    return 0;
}

static int memory(long lo, long hi, void *arg)
{
    const arrays *a = arg;
    for (long i = lo; i < hi; i++)
        a->y[i] = a->y[i] * 0.5 + a->x[i];
    return 0;
}

static int measure_for_even(void *arg)
{
    (void)arg;
    return loop("for-even", even, ours_args.times);
}

static int measure_for_uneven(void *arg)
{
    (void)arg;
    return loop("for-uneven", uneven, ours_args.times);
}

static int measure_for_nested(void *arg)
{
    (void)arg;
    return loop("for-nested", nested, PEER_ROWS);
}

static int measure_for_memory(void *arg)
{
    (void)arg;
    return loop("for-memory", memory, ours_args.times);
}

static int add_up(long lo, long hi, void *into, void *arg)
{
    const arrays *a = arg;
    double sum = *(double *)into;
    for (long i = lo; i < hi; i++)
        sum += peer_work(a->x[i], a->steps);
    *(double *)into = sum;
    return 0;
}

static void add_two(void *into, const void *right, void *arg)
{
    (void)arg;
    *(double *)into += *(const double *)right;
}

static int measure_reduce(void *arg)
{
    (void)arg;
    arrays a = filled();
    urd_reducer sum = {.size = sizeof(double), .fold = add_up, .combine = add_two};
    int64_t best = INT64_MAX;
    for (int round = 0; round < 4; round++) {
        double result = 0;
        int64_t start = peer_now();
        peer_must(urd_reduce(0, a.n, &sum, &result, &a), "reduce");
        int64_t took = peer_now() - start;
        best = took < best ? took : best;
        a.y[0] = result;
    }
    peer_say("reduce", (double)best / (double)a.n, "ns");
    return 0;
}

URD_SORT(sort_doubles, double, *a < *b)

static int measure_sort(void *arg)
{
    (void)arg;
    arrays a = filled();
    int64_t best = INT64_MAX;
    for (int round = 0; round < 4; round++) {
        peer_fill(a.x, a.n);
        int64_t start = peer_now();
        peer_must(sort_doubles(a.x, (size_t)a.n, NULL), "sort");
        int64_t took = peer_now() - start;
        best = took < best ? took : best;
        for (long i = 1; i < a.n; i++)
            if (a.x[i - 1] > a.x[i])
                peer_fail("not sorted");
    }
    peer_say("sort", (double)best / (double)a.n, "ns");
    return 0;
}
#endif

const ours_row ours_loops[] = {
#if __has_include("urd/par.h")
    {"fib", measure_fib},
    {"for-even", measure_for_even},
    {"burst", measure_burst},
    {"for-uneven", measure_for_uneven},
    {"for-nested", measure_for_nested},
    {"for-memory", measure_for_memory},
    {"reduce", measure_reduce},
    {"sort", measure_sort},
#endif
    {NULL, NULL}};
