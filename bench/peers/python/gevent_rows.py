#!/usr/bin/env python3
"""gevent_rows.py - the rows of the comparison in gevent.

SPDX-License-Identifier: MIT
"""
import sys
import threading
import time

import gevent
from gevent.event import Event
from gevent.lock import Semaphore
from gevent.queue import Channel, Queue
from gevent.server import StreamServer

from rows import (BATCH, Args, delays, find, now, resident, say, say_each, say_skynet, say_sleepers,
                  say_timers)


def nothing():
    pass


def spawn_batches(times):
    for _ in range(0, times, BATCH):
        gevent.joinall([gevent.spawn(nothing) for _ in range(BATCH)])


def spawn(args):
    spawn_batches(args.times // 10)
    start = now()
    spawn_batches(args.times)
    say_each("spawn", start, args.times)


def yields(times):
    for _ in range(times):
        gevent.sleep(0)


def yield_(args):
    start = now()
    gevent.joinall([gevent.spawn(yields, args.times // 2) for _ in range(2)])
    say_each("yield", start, args.times)


def answer(there, back):
    while True:
        back.put(there.get())


def pingpong(args):
    there, back = Channel(), Channel()
    gevent.spawn(answer, there, back)
    start = now()
    for i in range(args.times):
        there.put(i)
        back.get()
    say_each("pingpong", start, args.times)


def skynet_node(up, first, leaves):
    total = first
    if leaves > 1:
        sums, part = Queue(10), leaves // 10
        for i in range(10):
            gevent.spawn(skynet_node, sums, first + i * part, part)
        total = sum(sums.get() for _ in range(10))
    up.put(total)


def skynet(args):
    top = Queue(1)
    start = now()
    gevent.spawn(skynet_node, top, 0, args.times)
    say_skynet(start, args.times, top.get())


def chan(args):
    sides = 4
    queue = Queue(128)

    def produce():
        for i in range(args.times // sides):
            queue.put(i)

    def consume():
        for _ in range(args.times // sides):
            queue.get()

    start = now()
    gevent.joinall([gevent.spawn(side) for _ in range(sides) for side in (produce, consume)])
    say_each("chan", start, args.times)


def count(lock, times):
    for _ in range(times):
        with lock:
            pass


def mutex(args):
    start = now()
    count(Semaphore(1), args.times)
    say_each("mutex", start, args.times)


def mutex_many(args):
    lock = Semaphore(1)
    start = now()
    gevent.joinall([gevent.spawn(count, lock, args.times // 1000) for _ in range(1000)])
    say_each("mutex-many", start, args.times)


def sleepers(args):
    before = resident()
    start = time.monotonic()
    when = start + args.seconds
    asleep, everyone = 0, Event()

    def sleeper():
        nonlocal asleep
        asleep += 1
        if asleep == args.times:
            everyone.set()
        gevent.sleep(max(0, when - time.monotonic()))

    tasks = [gevent.spawn(sleeper) for _ in range(args.times)]
    everyone.wait()
    slept = time.monotonic()
    used = resident() - before
    gevent.joinall(tasks)
    say_sleepers(args, used, start, slept, when)


def timers_fire(args):
    done, lates, waits = Event(), [], delays(args.times)

    def fired(when):
        lates.append(time.monotonic() - when)
        if len(lates) == args.times:
            done.set()

    loop = gevent.get_hub().loop
    before = time.process_time()
    loop.update_now()  # timers count from the loop's own idea of the time
    start = time.monotonic()
    timers = []
    for wait in waits:
        timer = loop.timer(wait)
        timer.start(fired, start + wait)
        timers.append(timer)
    done.wait()
    say_timers(args, before, lates)


def timers_set(args):
    loop, waits = gevent.get_hub().loop, delays(args.times)
    before = time.process_time()
    timers = []
    for wait in waits:
        timer = loop.timer(60 + wait)
        timer.start(nothing)
        timers.append(timer)
    for timer in timers:
        timer.stop()
        timer.close()
    say("timers-set", (time.process_time() - before) * 1e6 / args.times, "s")


def wake(args):
    """From a thread: the loop's asynchronous watcher, which is what its thread pool uses."""
    woken, samples, sent = gevent.get_hub().loop.async_(), [], 0
    heard = Event()

    def hear():
        samples.append((now() - sent) / 1e3)
        heard.set()

    woken.start(hear)

    def outside():
        nonlocal sent
        while len(samples) < args.times:
            time.sleep(0.001)
            sent = now()
            woken.send()

    threading.Thread(target=outside, daemon=True).start()
    while len(samples) < args.times:
        heard.wait()
        heard.clear()
    samples.sort()
    say("wake.p50", samples[args.times // 2], "us")
    say("wake.p99", samples[args.times * 99 // 100], "us")


def serve(socket, _):
    while data := socket.recv(4096):
        socket.sendall(data)


def echo(_):
    server = StreamServer(("127.0.0.1", 0), serve)
    server.start()
    print("port", server.server_port, flush=True)
    server.serve_forever()


ROWS = {"spawn": spawn, "yield": yield_, "pingpong": pingpong, "skynet": skynet, "chan": chan,
        "mutex": mutex, "mutex-many": mutex_many, "sleepers": sleepers, "timers-fire": timers_fire,
        "timers-set": timers_set, "wake": wake, "echo": echo}


def main():
    args = Args(sys.argv[1:])
    find(ROWS, args)(args)


if __name__ == "__main__":
    main()
