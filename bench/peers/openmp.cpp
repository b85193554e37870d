/*
 * openmp.cpp - the rows of the comparison in OpenMP, as gcc has it.
 *
 * SPDX-License-Identifier: MIT
 *
 * Its tasks cannot wait for a message, so there are no rows for that; skynet is the tree alone.
 * C++ because its parallel sort is that of gcc's C++ library.
 */
#include <parallel/algorithm>
#include <vector>

#include <omp.h>

#include "peer.h"

/* An empty task would be left out by the compiler. */
__attribute__((noinline)) static void nothing()
{
    __asm__ volatile("");
}

static void spawn_batches(long n)
{
    for (long i = 0; i < n; i += PEER_BATCH) {
        for (int k = 0; k < PEER_BATCH; k++) {
#pragma omp task
            nothing();
        }
#pragma omp taskwait
    }
}

static void spawn(peer_args a)
{
#pragma omp parallel num_threads(a.workers)
#pragma omp single
    {
        spawn_batches(a.times / 10);
        int64_t start = peer_now();
        spawn_batches(a.times);
        peer_say_each("spawn", start, a.times);
    }
}

static long fib_of(long n)
{
    if (n < 2)
        return n;
    long left, right;
#pragma omp task shared(left) firstprivate(n)
    left = fib_of(n - 1);
    right = fib_of(n - 2);
#pragma omp taskwait
    return left + right;
}

static void fib(peer_args a)
{
#pragma omp parallel num_threads(a.workers)
#pragma omp single
    {
        fib_of(a.times / 2);
        int64_t start = peer_now();
        long result = fib_of(a.times);
        peer_say_fib(start, a.times, result);
    }
}

static long skynet_node(long first, long leaves)
{
    if (leaves == 1)
        return first;
    long sums[10], part = leaves / 10, sum = 0;
    for (int i = 0; i < 10; i++) {
#pragma omp task shared(sums) firstprivate(i, first, part)
        sums[i] = skynet_node(first + i * part, part);
    }
#pragma omp taskwait
    for (long s : sums)
        sum += s;
    return sum;
}

static void skynet(peer_args a)
{
#pragma omp parallel num_threads(a.workers)
#pragma omp single
    {
        skynet_node(0, a.times);
        int64_t start = peer_now();
        long sum = skynet_node(0, a.times);
        peer_say_skynet(start, a.times, sum);
    }
}

/* The best of four passes over filled arrays. */
template <typename Pass> static void loop(const char *name, peer_args a, Pass pass)
{
    std::vector<double> x((size_t)a.times), y((size_t)a.times);
    peer_fill(x.data(), a.times);
    peer_fill(y.data(), a.times);
    omp_set_num_threads(a.workers);
    int64_t best = INT64_MAX;
    for (int round = 0; round < 4; round++) {
        int64_t start = peer_now();
        pass(x.data(), y.data());
        best = std::min(best, peer_now() - start);
    }
    peer_say(name, (double)best / (double)a.times, "ns");
}

/* The median of passes that come after a pause. */
template <typename Pass> static void bursts(peer_args a, Pass pass)
{
    std::vector<double> x((size_t)a.times), y((size_t)a.times);
    peer_fill(x.data(), a.times);
    peer_fill(y.data(), a.times);
    omp_set_num_threads(a.workers);
    int64_t took[PEER_BURSTS];
    for (auto &t : took) {
        peer_pause();
        int64_t start = peer_now();
        pass(x.data(), y.data());
        t = peer_now() - start;
    }
    peer_say_bursts(took);
}

static auto even(long n)
{
    long steps = peer_steps();
    return [=](const double *x, double *y) {
#pragma omp parallel for
        for (long i = 0; i < n; i++)
            y[i] = peer_work(x[i], steps);
    };
}

static void for_even(peer_args a)
{
    loop("for-even", a, even(a.times));
}

static void burst(peer_args a)
{
    bursts(a, even(a.times));
}

static void for_uneven(peer_args a)
{
    loop("for-uneven", a, [=](const double *x, double *y) {
#pragma omp parallel for schedule(guided)
        for (long i = 0; i < a.times; i++)
            y[i] = peer_work(x[i], peer_steps_at(i, a.times));
    });
}

/* A parallel function called in a parallel loop: the standard's default is that it is sequential. */
static void one_row(const double *x, double *y, long columns, long steps)
{
#pragma omp parallel for
    for (long i = 0; i < columns; i++)
        y[i] = peer_work(x[i], steps);
}

static void for_nested(peer_args a)
{
    long steps = peer_steps(), columns = a.times / PEER_ROWS;
    loop("for-nested", a, [=](const double *x, double *y) {
#pragma omp parallel for
        for (long row = 0; row < PEER_ROWS; row++)
            one_row(x + row * columns, y + row * columns, columns, steps);
    });
}

static void for_memory(peer_args a)
{
    loop("for-memory", a, [=](const double *x, double *y) {
#pragma omp parallel for simd
        for (long i = 0; i < a.times; i++)
            y[i] = y[i] * 0.5 + x[i];
    });
}

static volatile double result;

static void reduce(peer_args a)
{
    long steps = peer_steps();
    loop("reduce", a, [=](const double *x, double *) {
        double sum = 0;
#pragma omp parallel for reduction(+ : sum)
        for (long i = 0; i < a.times; i++)
            sum += peer_work(x[i], steps);
        result = sum;
    });
}

static void sort(peer_args a)
{
    std::vector<double> x((size_t)a.times);
    omp_set_num_threads(a.workers);
    int64_t best = INT64_MAX;
    for (int round = 0; round < 4; round++) {
        peer_fill(x.data(), a.times);
        int64_t start = peer_now();
        __gnu_parallel::sort(x.begin(), x.end());
        best = std::min(best, peer_now() - start);
        if (!std::is_sorted(x.begin(), x.end()))
            peer_fail("not sorted");
    }
    peer_say("sort", (double)best / (double)a.times, "ns");
}

int main(int argc, char **argv)
{
    static const peer_row rows[] = {{"spawn", spawn},           {"fib", fib},
                                    {"skynet", skynet},         {"for-even", for_even},
                                    {"burst", burst},           {"for-uneven", for_uneven},
                                    {"for-nested", for_nested}, {"for-memory", for_memory},
                                    {"reduce", reduce},         {"sort", sort},
                                    {nullptr, nullptr}};
    return peer_main(argc, argv, rows);
}
