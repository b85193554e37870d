/*
 * onetbb.cpp - the rows of the comparison in oneTBB.
 *
 * SPDX-License-Identifier: MIT
 *
 * Its tasks cannot wait for a message, so there are no rows for that; skynet is the tree alone.
 */
#include <thread>
#include <vector>

#include <tbb/blocked_range.h>
#include <tbb/concurrent_queue.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>
#include <tbb/parallel_sort.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include "peer.h"

using range = tbb::blocked_range<long>;

template <typename Work> static void inside(int workers, Work work)
{
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism, (size_t)workers);
    tbb::task_arena arena(workers);
    arena.execute(work);
}

static void spawn_batches(long n)
{
    for (long i = 0; i < n; i += PEER_BATCH) {
        tbb::task_group group;
        for (int k = 0; k < PEER_BATCH; k++)
            group.run([] {});
        group.wait();
    }
}

static void spawn(peer_args a)
{
    inside(a.workers, [=] {
        spawn_batches(a.times / 10);
        int64_t start = peer_now();
        spawn_batches(a.times);
        peer_say_each("spawn", start, a.times);
    });
}

static long fib_of(long n)
{
    if (n < 2)
        return n;
    long left, right;
    tbb::task_group group;
    group.run([&left, n] { left = fib_of(n - 1); });
    right = fib_of(n - 2);
    group.wait();
    return left + right;
}

static void fib(peer_args a)
{
    inside(a.workers, [=] {
        fib_of(a.times / 2);
        int64_t start = peer_now();
        long result = fib_of(a.times);
        peer_say_fib(start, a.times, result);
    });
}

static long skynet_node(long first, long leaves)
{
    if (leaves == 1)
        return first;
    long sums[10], part = leaves / 10;
    tbb::task_group group;
    for (int i = 0; i < 10; i++)
        group.run([&sums, i, first, part] { sums[i] = skynet_node(first + i * part, part); });
    group.wait();
    long sum = 0;
    for (long s : sums)
        sum += s;
    return sum;
}

static void skynet(peer_args a)
{
    inside(a.workers, [=] {
        skynet_node(0, a.times);
        int64_t start = peer_now();
        long sum = skynet_node(0, a.times);
        peer_say_skynet(start, a.times, sum);
    });
}

/* The best of four passes over filled arrays. */
template <typename Pass> static void loop(const char *name, peer_args a, Pass pass)
{
    std::vector<double> x((size_t)a.times), y((size_t)a.times);
    peer_fill(x.data(), a.times);
    peer_fill(y.data(), a.times);
    inside(a.workers, [&] {
        int64_t best = INT64_MAX;
        for (int round = 0; round < 4; round++) {
            int64_t start = peer_now();
            pass(x.data(), y.data());
            best = std::min(best, peer_now() - start);
        }
        peer_say(name, (double)best / (double)a.times, "ns");
    });
}

/* The median of passes that come after a pause. */
template <typename Pass> static void bursts(peer_args a, Pass pass)
{
    std::vector<double> x((size_t)a.times), y((size_t)a.times);
    peer_fill(x.data(), a.times);
    peer_fill(y.data(), a.times);
    inside(a.workers, [&] {
        int64_t took[PEER_BURSTS];
        for (auto &t : took) {
            peer_pause();
            int64_t start = peer_now();
            pass(x.data(), y.data());
            t = peer_now() - start;
        }
        peer_say_bursts(took);
    });
}

static auto even(long n)
{
    long steps = peer_steps();
    return [=](const double *x, double *y) {
        tbb::parallel_for(range(0, n), [=](const range &r) {
            for (long i = r.begin(); i < r.end(); i++)
                y[i] = peer_work(x[i], steps);
        });
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
        tbb::parallel_for(range(0, a.times), [=](const range &r) {
            for (long i = r.begin(); i < r.end(); i++)
                y[i] = peer_work(x[i], peer_steps_at(i, a.times));
        });
    });
}

static void for_nested(peer_args a)
{
    long steps = peer_steps(), columns = a.times / PEER_ROWS;
    loop("for-nested", a, [=](const double *x, double *y) {
        tbb::parallel_for(0L, (long)PEER_ROWS, [=](long row) {
            tbb::parallel_for(range(row * columns, (row + 1) * columns), [=](const range &r) {
                for (long i = r.begin(); i < r.end(); i++)
                    y[i] = peer_work(x[i], steps);
            });
        });
    });
}

static void for_memory(peer_args a)
{
    loop("for-memory", a, [=](const double *x, double *y) {
        tbb::parallel_for(range(0, a.times), [=](const range &r) {
            for (long i = r.begin(); i < r.end(); i++)
                y[i] = y[i] * 0.5 + x[i];
        });
    });
}

static volatile double result;

static void reduce(peer_args a)
{
    long steps = peer_steps();
    loop("reduce", a, [=](const double *x, double *) {
        result = tbb::parallel_reduce(
            range(0, a.times), 0.0,
            [=](const range &r, double sum) {
                for (long i = r.begin(); i < r.end(); i++)
                    sum += peer_work(x[i], steps);
                return sum;
            },
            std::plus<double>());
    });
}

static void sort(peer_args a)
{
    std::vector<double> x((size_t)a.times);
    inside(a.workers, [&] {
        int64_t best = INT64_MAX;
        for (int round = 0; round < 4; round++) {
            peer_fill(x.data(), a.times);
            int64_t start = peer_now();
            tbb::parallel_sort(x.begin(), x.end());
            best = std::min(best, peer_now() - start);
            if (!std::is_sorted(x.begin(), x.end()))
                peer_fail("not sorted");
        }
        peer_say("sort", (double)best / (double)a.times, "ns");
    });
}

/* Between threads: a task that waited here would hold its worker. */
static void channel(peer_args a)
{
    const int sides = 4;
    tbb::concurrent_bounded_queue<long> queue;
    queue.set_capacity(128);
    std::vector<std::thread> threads;
    int64_t start = peer_now();
    for (int i = 0; i < sides; i++) {
        threads.emplace_back([&] {
            for (long k = 0; k < a.times / sides; k++)
                queue.push(k);
        });
        threads.emplace_back([&] {
            for (long k = 0, v; k < a.times / sides; k++)
                queue.pop(v);
        });
    }
    for (auto &thread : threads)
        thread.join();
    peer_say_each("chan", start, a.times);
}

static void submit_batches(tbb::task_arena &arena, long n)
{
    static long results[PEER_BATCH];
    for (long i = 0; i < n; i += PEER_BATCH) {
        tbb::task_group group;
        for (int k = 0; k < PEER_BATCH; k++)
            arena.enqueue(group.defer([k] { results[k]++; }));
        arena.execute([&group] { group.wait(); });
    }
}

/* From a thread that is not the arena's, which is one of the two while it waits. */
static void submit(peer_args a)
{
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism, (size_t)a.workers + 1);
    tbb::task_arena arena(a.workers, 0);
    submit_batches(arena, a.times / 10);
    int64_t start = peer_now();
    submit_batches(arena, a.times);
    peer_say_each("submit", start, a.times);
}

int main(int argc, char **argv)
{
    static const peer_row rows[] = {{"spawn", spawn},           {"fib", fib},
                                    {"skynet", skynet},         {"for-even", for_even},
                                    {"burst", burst},           {"for-uneven", for_uneven},
                                    {"for-nested", for_nested}, {"for-memory", for_memory},
                                    {"reduce", reduce},         {"sort", sort},
                                    {"chan", channel},          {"submit", submit},
                                    {nullptr, nullptr}};
    return peer_main(argc, argv, rows);
}
