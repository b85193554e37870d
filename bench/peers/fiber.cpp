/*
 * fiber.cpp - the rows of the comparison in boost.fiber.
 *
 * SPDX-License-Identifier: MIT
 */
#include <thread>
#include <vector>

#include <boost/fiber/all.hpp>

#include "peer.h"

namespace fibers = boost::fibers;
using fibers::fiber;
using fibers::launch;

/* Stacks of 16 KiB: from a pool where one thread has all fibers; it has no lock, so else by malloc. */
static fibers::pooled_fixedsize_stack pool(16384);
static fibers::fixedsize_stack heap(16384);
static bool alone = true;

template <typename Work> static fiber start_fiber(launch how, Work work)
{
    return alone ? fiber(how, std::allocator_arg, pool, work)
                 : fiber(how, std::allocator_arg, heap, work);
}

/* Run `work` with one scheduler, or with work-stealing ones on so many threads. */
template <typename Work> static void with_workers(int workers, Work work)
{
    if (workers == 1) {
        work();
        return;
    }
    alone = false;
    bool done = false;
    fibers::mutex mutex;
    fibers::condition_variable ended;
    std::vector<std::thread> threads;
    for (int i = 1; i < workers; i++) {
        threads.emplace_back([&] {
            fibers::use_scheduling_algorithm<fibers::algo::work_stealing>((uint32_t)workers, true);
            std::unique_lock<fibers::mutex> hold(mutex);
            ended.wait(hold, [&] { return done; });
        });
    }
    fibers::use_scheduling_algorithm<fibers::algo::work_stealing>((uint32_t)workers, true);
    work();
    {
        std::unique_lock<fibers::mutex> hold(mutex);
        done = true;
    }
    ended.notify_all();
    for (auto &thread : threads)
        thread.join();
}

static void spawn_batches(long n)
{
    std::vector<fiber> batch(PEER_BATCH);
    for (long i = 0; i < n; i += PEER_BATCH) {
        for (auto &f : batch)
            f = start_fiber(launch::post, [] {});
        for (auto &f : batch)
            f.join();
    }
}

static void spawn(peer_args a)
{
    with_workers(a.workers, [=] {
        spawn_batches(a.times / 10);
        int64_t start = peer_now();
        spawn_batches(a.times);
        peer_say_each("spawn", start, a.times);
    });
}

static void yield(peer_args a)
{
    auto yields = [=] {
        for (long i = 0; i < a.times / 2; i++)
            boost::this_fiber::yield();
    };
    int64_t start = peer_now();
    fiber one = start_fiber(launch::post, yields), two = start_fiber(launch::post, yields);
    one.join();
    two.join();
    peer_say_each("yield", start, a.times);
}

using channel = fibers::unbuffered_channel<long>;

static void answer(channel &there, channel &back)
{
    for (long v : there)
        back.push(v);
}

static void round_trips(const char *name, long times, channel &there, channel &back)
{
    int64_t start = 0;
    for (long i = -times / 10; i < times; i++) {
        if (i == 0)
            start = peer_now();
        there.push(i);
        back.value_pop();
    }
    peer_say_each(name, start, times);
    there.close();
}

static void pingpong(peer_args a)
{
    with_workers(a.workers, [=] {
        channel there, back;
        fiber other = start_fiber(launch::post, [&] { answer(there, back); });
        round_trips("pingpong", a.times, there, back);
        other.join();
    });
}

static void apart(peer_args a)
{
    channel there, back;
    std::thread other([&] { answer(there, back); });
    round_trips("apart", a.times, there, back);
    other.join();
}

using sums = fibers::buffered_channel<long>;

/* As boost.fiber's own skynet: dispatched fibers, which begin at once, and a buffered channel. */
static void skynet_node(sums &up, long first, long leaves)
{
    long sum = first;
    if (leaves > 1) {
        sums from(16);
        long part = leaves / 10;
        for (long i = 0; i < 10; i++) {
            long at = first + i * part;
            start_fiber(launch::dispatch, [&from, at, part] {
                skynet_node(from, at, part);
            }).detach();
        }
        sum = 0;
        for (int i = 0; i < 10; i++)
            sum += from.value_pop();
    }
    up.push(sum);
}

static void skynet(peer_args a)
{
    with_workers(a.workers, [=] {
        for (int round = 0; round < 2; round++) {
            sums top(2);
            int64_t start = peer_now();
            start_fiber(launch::dispatch, [&] { skynet_node(top, 0, a.times); }).detach();
            long sum = top.value_pop();
            if (round)
                peer_say_skynet(start, a.times, sum);
        }
    });
}

static void chan(peer_args a)
{
    const int sides = 4;
    with_workers(a.workers, [=] {
        fibers::buffered_channel<long> c(128);
        std::vector<fiber> all;
        int64_t start = peer_now();
        for (int i = 0; i < sides; i++) {
            all.push_back(start_fiber(launch::post, [&, a] {
                for (long k = 0; k < a.times / sides; k++)
                    c.push(k);
            }));
            all.push_back(start_fiber(launch::post, [&, a] {
                for (long k = 0; k < a.times / sides; k++)
                    c.value_pop();
            }));
        }
        for (auto &f : all)
            f.join();
        peer_say_each("chan", start, a.times);
    });
}

static fibers::mutex mutex;
static long counter;

static void count(long n)
{
    for (long i = 0; i < n; i++) {
        std::lock_guard<fibers::mutex> hold(mutex);
        counter++;
    }
}

static void mutex_alone(peer_args a)
{
    int64_t start = peer_now();
    count(a.times);
    peer_say_each("mutex", start, a.times);
}

static void mutex_many(peer_args a)
{
    with_workers(a.workers, [=] {
        std::vector<fiber> all;
        int64_t start = peer_now();
        for (int i = 0; i < 1000; i++)
            all.push_back(start_fiber(launch::post, [=] { count(a.times / 1000); }));
        for (auto &f : all)
            f.join();
        if (counter != a.times / 1000 * 1000)
            peer_fail("the count is wrong");
        peer_say_each("mutex-many", start, counter);
    });
}

static void sleepers(peer_args a)
{
    using clock = std::chrono::steady_clock;
    alone = false; /* the pool keeps its list in the far page of each stack, which then is used */
    double before = peer_resident();
    int64_t start = peer_now(), when = start + (int64_t)(a.seconds * 1e9);
    clock::time_point moment = clock::time_point(std::chrono::nanoseconds(when));
    std::vector<fiber> all((size_t)a.times);
    long asleep = 0;
    for (auto &f : all) {
        f = start_fiber(launch::post, [&] {
            asleep++;
            boost::this_fiber::sleep_until(moment);
        });
    }
    while (asleep < a.times)
        boost::this_fiber::yield();
    int64_t slept = peer_now();
    double bytes = peer_resident() - before;
    for (auto &f : all)
        f.join();
    peer_say_sleepers(a.times, bytes, start, slept, when);
}

static void wake(peer_args a)
{
    fibers::buffered_channel<int64_t> c(8);
    std::vector<int64_t> samples((size_t)a.times);
    std::thread outside([&] {
        for (long i = 0; i < a.times; i++) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            c.push(peer_now());
        }
    });
    start_fiber(launch::post, [&] {
        for (auto &sample : samples) {
            int64_t sent = c.value_pop();
            sample = peer_now() - sent;
        }
    }).join();
    outside.join();
    peer_say_wakes(samples.data(), a.times);
}

int main(int argc, char **argv)
{
    static const peer_row rows[] = {
        {"spawn", spawn},       {"yield", yield},           {"pingpong", pingpong},
        {"apart", apart},       {"skynet", skynet},         {"chan", chan},
        {"mutex", mutex_alone}, {"mutex-many", mutex_many}, {"sleepers", sleepers},
        {"wake", wake},         {nullptr, nullptr}};
    return peer_main(argc, argv, rows);
}
