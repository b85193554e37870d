#!/usr/bin/env python3
"""rows.py - what the compared programs in Python share: the command line, results, memory.

SPDX-License-Identifier: MIT

Called as bench/peers/peer.h says: PROGRAM ROW WORKERS N [SECONDS].
"""
import random
import resource
import sys
import time

BATCH = 1000
now = time.perf_counter_ns


class Args:
    """The command line."""

    def __init__(self, words):
        if len(words) < 3:
            sys.exit("usage: PROGRAM ROW WORKERS N [SECONDS]")
        self.row, self.workers, self.times = words[0], int(words[1]), int(words[2])
        self.seconds = float(words[3]) if len(words) > 3 else 2.0


def find(rows, args):
    """The function of the row; there is none: 77."""
    if args.row not in rows:
        sys.exit(77)
    return rows[args.row]


def say(name, value, unit):
    print(f"{name} {value:.6g} {unit}", flush=True)


def say_each(name, start, times):
    say(name, (now() - start) / times, "ns")


def say_us(name, start, times):
    say(name, (now() - start) / 1e3 / times, "us")


def grow():
    """2 GiB that were written to."""
    return bytearray(b"\1") * (2 << 30)


def say_skynet(start, leaves, total):
    if total != leaves * (leaves - 1) // 2:
        sys.exit("the sum is wrong")
    say("skynet", (now() - start) / leaves, "ms")


def say_sleepers(args, used, start, slept, when):
    """Times as time.monotonic has them."""
    ended = time.monotonic()
    if slept > when:
        print(f"{args.times} tasks took {slept - start:.1f} s to start", file=sys.stderr)
        sys.exit(3)
    say("sleepers.bytes", used / args.times, "B")
    say("sleepers.start", (slept - start) * 1e6 / args.times, "s")
    say("sleepers.wake", (ended - when) * 1e6 / args.times, "s")


def say_timers(args, before, lates):
    say("timers-fire.cpu", (time.process_time() - before) * 1e6 / args.times, "s")
    say("timers-fire.late", sum(lates) / len(lates) * 1e3, "ms")
    say("timers-fire.latest", max(lates) * 1e3, "ms")


def resident():
    with open("/proc/self/statm", encoding="ascii") as text:
        return int(text.read().split()[1]) * resource.getpagesize()


def delays(times):
    """Moments within a second, the same in every run."""
    draw = random.Random(1)
    return [draw.random() for _ in range(times)]
