/*
 * sort.c - how fast is urd_sort beside qsort?
 *
 * SPDX-License-Identifier: MIT
 *
 * A million long integers in random order.  Sketch: the same 20 M comparisons as the merge sort of
 * the C library, which pays some 10 ns for each with its mispredicted branches: without a branch 5
 * ns through a pointer and 2 to 3 inlined; and half of that on two workers.
 */
#include <string.h>

#include "bench.h"

enum { N = 1000000 };

static long given[N], array[N];

static int by_value(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static int by_value_with_arg(const void *a, const void *b, void *arg)
{
    (void)arg;
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static void check(void)
{
    for (long i = 1; i < N; i++)
        bench_must(array[i - 1] <= array[i] ? 0 : -1, "order");
}

static void by_qsort(long n)
{
    memcpy(array, given, sizeof array);
    qsort(array, (size_t)n, sizeof *array, by_value);
    check();
}

static void by_urd_sort(long n)
{
    memcpy(array, given, sizeof array);
    bench_must(urd_sort(array, (size_t)n, sizeof *array, by_value_with_arg, NULL), "urd_sort");
    check();
}

URD_SORT(sort_longs, long, *a < *b)

static void by_sort_longs(long n)
{
    memcpy(array, given, sizeof array);
    bench_must(sort_longs(array, (size_t)n, NULL), "sort_longs");
    check();
}

static int measure(void *arg)
{
    bench_case cases[] = {
        {.name = "qsort, ns an element", .run = by_qsort, .n = N, .fixed = true},
        {.name = "urd_sort", .run = by_urd_sort, .n = N, .fixed = true},
        {.name = "a sort by URD_SORT", .run = by_sort_longs, .n = N, .fixed = true},
        {.run = NULL}};
    bench_run(cases, *(int *)arg);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned long x = 88172645463325252;
    for (long i = 0; i < N; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        given[i] = (long)(x >> 1);
    }
    return bench_one_and_two(argc, argv, measure);
}
