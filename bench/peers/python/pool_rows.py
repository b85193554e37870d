#!/usr/bin/env python3
"""pool_rows.py - the rows of pools and processes in multiprocessing and concurrent.futures.

SPDX-License-Identifier: MIT

    pool_rows.py [--futures] ROW WORKERS N [SECONDS]
"""
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, wait

from rows import BATCH, Args, find, grow, now, say, say_each, say_us

SMALL_BYTES, LARGE_BYTES, PAGE_BYTES = 64 << 10, 16 << 20, 4096


def increment(number):
    return number + 1


def touch(data):
    return sum(data[::PAGE_BYTES])


def nothing():
    pass


class Pool:
    """multiprocessing.Pool and ProcessPoolExecutor under one name."""

    chunk = None  # the library's own choice

    def __init__(self, workers):
        self.pool = multiprocessing.Pool(workers)

    def __enter__(self):
        self.pool.__enter__()
        return self

    def __exit__(self, *error):
        self.pool.__exit__(*error)

    def call(self, job, argument):
        return self.pool.apply(job, (argument,))

    def map(self, numbers, chunk):
        return self.pool.map(increment, numbers, chunksize=chunk)


class Futures(Pool):
    """It takes chunks of 1 unless it is told otherwise."""

    chunk = 1000

    def __init__(self, workers):
        self.pool = ProcessPoolExecutor(workers)

    def call(self, job, argument):
        return self.pool.submit(job, argument).result()

    def map(self, numbers, chunk):
        return list(self.pool.map(increment, numbers, chunksize=chunk))


def pool_one(args, pool):
    for i in range(args.times // 10 + 1):
        pool.call(increment, i)
    start = now()
    for i in range(args.times):
        pool.call(increment, i)
    say_each("pool-one", start, args.times)


def pool_asleep(args, pool):
    samples = []
    for i in range(args.times):
        time.sleep(0.001)
        start = now()
        pool.call(increment, i)
        samples.append((now() - start) / 1e3)
    samples.sort()
    say("pool-asleep", samples[args.times // 2], "us")


def map_all(args, pool, chunk):
    pool.map(range(args.times // 10), chunk)
    start = now()
    found = pool.map(range(args.times), chunk)
    say_each(args.row, start, args.times)
    if len(found) != args.times or found[-1] != args.times:
        sys.exit("the result is wrong")


def pool_map(args, pool):
    map_all(args, pool, 1)


def pool_chunks(args, pool):
    map_all(args, pool, pool.chunk)


def pool_bytes(args, pool):
    data = b"\1" * (SMALL_BYTES if args.row == "pool-64k" else LARGE_BYTES)
    wanted = touch(data)
    pool.call(touch, data)
    start = now()
    for _ in range(args.times):
        if pool.call(touch, data) != wanted:
            sys.exit("the result is wrong")
    say_us(args.row, start, args.times)


def submit(args):
    pool = ThreadPoolExecutor(args.workers)
    start = now()
    for _ in range(0, args.times, BATCH):
        wait([pool.submit(increment, i) for i in range(BATCH)])
    say_each("submit", start, args.times)


def send_all(queue, times):
    for i in range(times):
        queue.put(i)


def chan_process(args):
    queue = multiprocessing.Queue(1024)
    sender = multiprocessing.Process(target=send_all, args=(queue, args.times))
    sender.start()
    total = queue.get()
    start = now()
    for _ in range(args.times - 1):
        total += queue.get()
    say_each("chan-process", start, args.times - 1)
    sender.join()
    if total != args.times * (args.times - 1) // 2:
        sys.exit("messages are missing")


def mutex_process(args):
    lock = multiprocessing.Lock()
    start = now()
    for _ in range(args.times):
        with lock:
            pass
    say_each("mutex-process", start, args.times)


def process_start(args):
    context = multiprocessing.get_context("forkserver")
    grown = grow()
    for i in range(args.times + 1):
        if i == 1:  # the first starts the server
            start = now()
        process = context.Process(target=nothing)
        process.start()
        process.join()
    say_us("process-start", start, args.times)
    del grown


POOLS = {"pool-one": pool_one, "pool-asleep": pool_asleep, "pool-map": pool_map,
         "pool-chunks": pool_chunks, "pool-64k": pool_bytes, "pool-16m": pool_bytes}
MULTIPROCESSING = {**POOLS, "chan-process": chan_process, "mutex-process": mutex_process,
                   "process-start": process_start}
FUTURES = {**POOLS, "submit": submit}


def main():
    words = sys.argv[1:]
    futures = words[:1] == ["--futures"]
    args = Args(words[1:] if futures else words)
    row = find(FUTURES if futures else MULTIPROCESSING, args)
    if args.row not in POOLS:
        row(args)
        return
    with (Futures if futures else Pool)(args.workers) as pool:
        row(args, pool)


if __name__ == "__main__":
    main()
