#!/usr/bin/env python3
"""asyncio_rows.py - the rows of the comparison in Python's asyncio; with --uvloop first, in uvloop.

SPDX-License-Identifier: MIT
"""
import asyncio
import sys
import threading
import time

from rows import (BATCH, Args, delays, find, grow, now, resident, say, say_each, say_skynet,
                  say_sleepers, say_timers, say_us)


async def nothing():
    pass


async def spawn_batches(times):
    for _ in range(0, times, BATCH):
        await asyncio.gather(*[nothing() for _ in range(BATCH)])


async def spawn(args):
    await spawn_batches(args.times // 10)
    start = now()
    await spawn_batches(args.times)
    say_each("spawn", start, args.times)


async def yields(times):
    for _ in range(times):
        await asyncio.sleep(0)


async def yield_(args):
    start = now()
    await asyncio.gather(yields(args.times // 2), yields(args.times // 2))
    say_each("yield", start, args.times)


async def answer(there, back):
    while True:
        await back.put(await there.get())


async def pingpong(args):
    there, back = asyncio.Queue(1), asyncio.Queue(1)
    other = asyncio.create_task(answer(there, back))
    start = now()
    for i in range(args.times):
        await there.put(i)
        await back.get()
    say_each("pingpong", start, args.times)
    other.cancel()


async def skynet_node(up, first, leaves):
    total = first
    if leaves > 1:
        sums, part = asyncio.Queue(10), leaves // 10
        async with asyncio.TaskGroup() as group:
            for i in range(10):
                group.create_task(skynet_node(sums, first + i * part, part))
            total = 0
            for _ in range(10):
                total += await sums.get()
    await up.put(total)


async def skynet(args):
    top = asyncio.Queue(1)
    start = now()
    await skynet_node(top, 0, args.times)
    say_skynet(start, args.times, await top.get())


async def chan(args):
    sides = 4
    queue = asyncio.Queue(128)

    async def produce():
        for i in range(args.times // sides):
            await queue.put(i)

    async def consume():
        for _ in range(args.times // sides):
            await queue.get()

    start = now()
    await asyncio.gather(*[side() for _ in range(sides) for side in (produce, consume)])
    say_each("chan", start, args.times)


async def count(lock, times):
    for _ in range(times):
        async with lock:
            pass


async def mutex(args):
    start = now()
    await count(asyncio.Lock(), args.times)
    say_each("mutex", start, args.times)


async def mutex_many(args):
    lock = asyncio.Lock()
    start = now()
    await asyncio.gather(*[count(lock, args.times // 1000) for _ in range(1000)])
    say_each("mutex-many", start, args.times)


async def sleepers(args):
    before = resident()
    start = time.monotonic()
    when = start + args.seconds
    asleep, everyone = 0, asyncio.Event()

    async def sleeper():
        nonlocal asleep
        asleep += 1
        if asleep == args.times:
            everyone.set()
        await asyncio.sleep(when - time.monotonic())

    tasks = [asyncio.create_task(sleeper()) for _ in range(args.times)]
    await everyone.wait()
    slept = time.monotonic()
    used = resident() - before
    for task in tasks:
        await task
    say_sleepers(args, used, start, slept, when)


async def timers_fire(args):
    loop = asyncio.get_running_loop()
    done, lates, waits = asyncio.Event(), [], delays(args.times)

    def fired(when):
        lates.append(loop.time() - when)
        if len(lates) == args.times:
            done.set()

    before = time.process_time()
    start = loop.time()
    for wait in waits:
        loop.call_at(start + wait, fired, start + wait)
    await done.wait()
    say_timers(args, before, lates)


async def timers_set(args):
    loop = asyncio.get_running_loop()
    waits = delays(args.times)
    before = time.process_time()
    timers = [loop.call_later(60 + wait, nothing) for wait in waits]
    for timer in timers:
        timer.cancel()
    say("timers-set", (time.process_time() - before) * 1e6 / args.times, "s")


async def wake(args):
    loop = asyncio.get_running_loop()
    queue, samples = asyncio.Queue(), []

    def outside():
        for _ in range(args.times):
            time.sleep(0.001)
            loop.call_soon_threadsafe(queue.put_nowait, now())

    threading.Thread(target=outside).start()
    for _ in range(args.times):
        sent = await queue.get()
        samples.append((now() - sent) / 1e3)
    samples.sort()
    say("wake.p50", samples[args.times // 2], "us")
    say("wake.p99", samples[args.times * 99 // 100], "us")


class Echo(asyncio.Protocol):
    """Streams take twice as long."""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def echo(_):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=1024)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def start_one():
    process = await asyncio.create_subprocess_exec("/bin/true")
    assert await process.wait() == 0


async def start_all(args):
    await start_one()
    start = now()
    for _ in range(args.times):
        await start_one()
    say_us(args.row, start, args.times)


async def start_all_large(args):
    grown = grow()
    await start_all(args)
    del grown


ROWS = {"spawn": spawn, "yield": yield_, "pingpong": pingpong, "skynet": skynet, "chan": chan,
        "mutex": mutex, "mutex-many": mutex_many, "sleepers": sleepers, "timers-fire": timers_fire,
        "timers-set": timers_set, "wake": wake, "echo": echo, "exec": start_all,
        "exec-large": start_all_large}


def main():
    words = sys.argv[1:]
    factory = None
    if words[:1] == ["--uvloop"]:
        import uvloop
        factory = uvloop.new_event_loop
        words = words[1:]
    args = Args(words)
    row = find(ROWS, args)
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(row(args))


if __name__ == "__main__":
    main()
