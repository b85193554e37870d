#!/usr/bin/env python3
"""bench_peers.py - the same work in ours and in every peer, in turns and in one run.

SPDX-License-Identifier: MIT

Usage: tools/bench_peers.py [--build BUILD] [--rows NAMES|GROUPS] [--peers NAMES] [--rounds N]
                            [--minutes N] [--quick] [--list] [--no-install]

Installs what is missing, or says which peer is left out and why; builds all; then for each row lets
ours, the floor and the peers take turns, round after round, each in a process of its own on pinned
processors, and keeps the medians: a table, BUILD/bench-peers.json and BUILD/bench-peers.svg.
bench/peers/README.md says what the rows and the programs are.
A peer that fails or takes too long is a cell of the table and not the end of the run.
"""
import argparse
import contextlib
import datetime
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import time

import bench_chart
import bench_peers_build as build
from bench_peers_files import Files
from bench_peers_rows import ROWS

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NO_ROW, TOO_SMALL = 77, 3  # exit codes, see bench/peers/peer.h
SHORT = {"tokio-mimalloc": "tokio+mi"}  # where columns are narrow
SPARE_DESCRIPTORS = 100
SLEEP_SECONDS, CLIENT_SECONDS = 2, 1
CELL_SHARE = 0.25  # of a row's time that one peer may use after its first round


class Failure(Exception):
    """Why a program gave no value; a word or a sentence for the reader of the table."""


class NoRow(Failure):
    """The program does not have this row."""


class TooSmall(Failure):
    """The sleepers took longer to start than they were to sleep."""


def parse(text):
    """The lines NAME VALUE UNIT of a program's output."""
    values = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) != 3:
            raise Failure(f"said: {line[:60]}")
        try:
            values[words[0]] = (float(words[1]), words[2])
        except ValueError:
            raise Failure(f"said: {line[:60]}") from None
    return values


def stop(process):
    """End a program and what it started, and wait for it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


def descriptors():
    """How many a program may have."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def begin(command, cpus, **pipes):
    def prepare():
        os.sched_setaffinity(0, cpus)
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors(), descriptors()))

    return subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, start_new_session=True,
                            preexec_fn=prepare, **pipes)


def finish(process, limit):
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise Failure(f"took more than {limit:.0f} s") from None
    finally:
        stop(process)
    if process.returncode == NO_ROW:
        raise NoRow("-")
    if process.returncode == TOO_SMALL:
        raise TooSmall(err.strip())
    if process.returncode != 0:
        last = (err.strip().splitlines() or [""])[-1]
        how = f"exit {process.returncode}" if process.returncode > 0 \
            else signal.Signals(-process.returncode).name
        raise Failure(f"{how} {last[:100]}".strip())
    return parse(out)


def run_server(peer, row, size, seconds, cpus, tools):
    """The server on one processor, the client on the other."""
    server = begin([*peer.command, row.program, "1", "1"], {cpus[0]}, stdout=subprocess.PIPE,
                   stderr=subprocess.PIPE)
    try:
        first = server.stdout.readline().split()
        if len(first) != 2 or first[0] != "port":
            finish(server, 1)
            raise Failure("the server gave no port")
        client = begin([*tools[row.client], row.name, first[1], str(server.pid), str(size),
                        f"{seconds:g}"], {cpus[-1]}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return finish(client, row.limit)
    finally:
        stop(server)


def run_once(peer, row, size, seconds, cpus, tools):
    """One process of one peer: {metric: (value, unit)}, or a Failure."""
    if row.client:
        return run_server(peer, row, size, seconds, cpus, tools)
    pinned = set(cpus[:1]) if row.workers == 1 and not row.free else set(cpus)
    command = [*peer.command, row.program, str(row.workers), str(size), f"{seconds:g}"]
    return finish(begin(command, pinned, stdout=subprocess.PIPE, stderr=subprocess.PIPE), row.limit)


class Cell:
    """What one peer came to in one row."""

    def __init__(self, peer, row, quick, most):
        self.peer = peer
        self.size = min(row.sizes.get(peer.name, row.size), most)
        self.scaled = self.size != row.size
        if quick:
            self.size = min(self.size, row.quick)
        seconds, least = (CLIENT_SECONDS, 0.1) if row.client else (SLEEP_SECONDS, 1)
        self.seconds = least if quick else row.seconds.get(peer.name, seconds)
        self.samples, self.error, self.spent = {}, None, 0.0

    def go(self, row, cpus, tools):
        """One round: samples or an error.  Sleepers that started too slowly may sleep longer."""
        start = time.monotonic()
        for longer in (1, 2, 2):
            self.seconds *= longer
            try:
                values = run_once(self.peer, row, self.size, self.seconds, cpus, tools)
            except TooSmall as problem:
                self.error = str(problem)
            except Failure as problem:
                self.error = str(problem)
                break
            else:
                self.error = None
                for key, value in values.items():
                    self.samples.setdefault(key, []).append(value)
                break
        self.spent += time.monotonic() - start

    def rounds(self):
        return max((len(s) for s in self.samples.values()), default=0)

    def value(self, key):
        """The median, and its unit; None without a sample."""
        numbers = sorted(value for value, _ in self.samples.get(key, ()))
        if not numbers:
            return None
        half = len(numbers) // 2
        middle = numbers[half] if len(numbers) % 2 else (numbers[half - 1] + numbers[half]) / 2
        return middle, self.samples[key][0][1]


def size_max(row, tools, quick):
    """What the machine allows of descriptors and of files in memory."""
    if row.client:
        return descriptors() - SPARE_DESCRIPTORS
    if row.program == "files-large":
        return tools["files"].large(row.quick if quick else row.size)
    return row.size


def measure(row, peers, options, cpus, tools, budget, say):
    """All rounds of a row within its time; at least one."""
    most = size_max(row, tools, options.quick)
    cells = [Cell(peer, row, options.quick, most) for peer in peers if row.wants(peer.name)]
    start = time.monotonic()
    longest = 0.0
    for number in range(options.rounds):
        begun = time.monotonic()
        if number and begun - start + longest > budget:
            break
        # Every other round backwards: who follows whom should not matter.
        for cell in cells if number % 2 == 0 else reversed(cells):
            worn = cell.rounds() and \
                cell.spent * (1 + 1 / cell.rounds()) > budget * CELL_SHARE
            if cell.error or worn:
                continue
            say(f"{row.name}: round {number + 1} of {options.rounds}, {cell.peer.name}")
            cell.go(row, cpus, tools)
        longest = max(longest, time.monotonic() - begun)
    return cells


def results_of(row, cells):
    """The rows of the table that one row of work gives: one for each of its metrics."""
    results = []
    for metric in row.metrics:
        found = {}
        for cell in cells:
            value = cell.value(metric.key)
            if value:
                found[cell.peer.name] = {
                    "value": value[0], "unit": value[1], "rounds": cell.rounds(),
                    "samples": [v for v, _ in cell.samples[metric.key]],
                    "scaled_from": cell.size if cell.scaled else None}
            elif cell.error and cell.error != "-":
                found[cell.peer.name] = {"error": cell.error}
            elif cell.peer.name == "ours":
                found["ours"] = {"error": "not built"}
        base = found.get("ours", {}).get("value")
        for entry in found.values():
            if base and "value" in entry:
                entry["ratio"] = entry["value"] / base
        results.append({"name": metric.name, "title": metric.title, "group": row.group,
                        "workers": row.workers, "cells": found})
    return results


def short(number):
    """Three figures, or none behind the point."""
    if number >= 100:
        return f"{number:,.0f}".replace(",", " ")
    return f"{number:.3g}"


def cell_text(entry, has_base):
    if entry is None:
        return ""
    if "error" in entry:
        return "failed"
    mark = "~" if entry.get("scaled_from") else ""
    return mark + (short(entry["ratio"]) + "x" if has_base else short(entry["value"]))


def table(results, names):
    """Rows of text: absolute figures of ours, then how many times ours the others are."""
    others = [name for name in names if name != "ours"
              and any(name in row["cells"] for row in results)]
    heads = [SHORT.get(name, name) for name in others]
    lines, notes, last = [["", "ours", *heads]], [], None
    for row in results:
        if row["group"] != last:
            lines.append([row["group"].upper()])
            last = row["group"]
        ours = row["cells"].get("ours", {})
        has_base = "value" in ours
        unit = next((e["unit"] for e in row["cells"].values() if "unit" in e), "")
        error = ours.get("error", "")
        first = f"{short(ours['value'])} {unit}" if has_base else \
            (error if error == "not built" else "failed") + (f" ({unit})" if unit else "")
        lines.append(["  " + row["title"], first,
                      *(cell_text(row["cells"].get(name), has_base) for name in others)])
        notes += [f"{row['title']}, {name}: {entry['error']}"
                  for name, entry in row["cells"].items()
                  if "error" in entry and entry["error"] != "not built"]
    widths = [max(len(line[i]) for line in lines if len(line) > i) for i in range(len(lines[0]))]
    text = ["  ".join(word.ljust(widths[i]) if i == 0 else word.rjust(widths[i])
                      for i, word in enumerate(line)).rstrip() for line in lines]
    text.append("")
    text.append("Medians.  Ours: the figure; the others: how many times ours (below 1x: better "
                "than ours), or the figure\nwhere ours has none.  ~: a smaller size, scaled.")
    return "\n".join(text + sorted(set(notes)))


def machine():
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as text:
        for line in text:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    return {"cpu": model, "processors": len(os.sched_getaffinity(0)),
            "kernel": platform.release(), "system": platform.machine(),
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")}


class Progress:
    """One line that is written over on a terminal; elsewhere a line a row."""

    def __init__(self):
        self.live = sys.stderr.isatty()
        self.start = time.monotonic()

    def say(self, text):
        if self.live:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def row(self, number, count, row, cells):
        if self.live:
            sys.stderr.write("\r\x1b[K")
        parts = []
        for cell in cells:
            value = cell.value(row.metrics[0].key)
            if value:
                parts.append(f"{cell.peer.name} {short(value[0])}")
            elif cell.error and cell.error != "-":
                parts.append(f"{cell.peer.name} failed")
        seconds = time.monotonic() - self.start
        print(f"[{number:2}/{count} {seconds:4.0f} s] {row.metrics[0].title}: " + ", ".join(parts),
              flush=True)


def chosen(text, known, what):
    """The names of a comma-separated list; `none` for none; all without a list."""
    if text is None:
        return list(known)
    names = [name for name in text.split(",") if name and name != "none"]
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"there is no {what} {unknown[0]}; there are: {' '.join(known)}")
    return names


def chosen_rows(text):
    """Rows by name or by group, in the order of the table."""
    groups = dict.fromkeys(row.group for row in ROWS)
    names = chosen(text, [*(row.name for row in ROWS), *groups], "row or group")
    return [row for row in ROWS if row.name in names or row.group in names]


def arguments():
    parser = argparse.ArgumentParser(description="Compare with other runtimes, in one run.")
    parser.add_argument("--build", default="build", help="the meson build folder (build)")
    parser.add_argument("--rows", help="only these rows or groups, separated by commas")
    parser.add_argument("--peers", help="only these; none: ours and the floor alone")
    parser.add_argument("--rounds", type=int, default=5, help="at most so many a cell (5)")
    parser.add_argument("--minutes", type=float, default=18, help="to measure in (18)")
    parser.add_argument("--quick", action="store_true", help="one round of little work")
    parser.add_argument("--list", action="store_true", help="name the rows and the peers")
    parser.add_argument("--no-install", action="store_true", help="take what is there")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
    if options.rounds < 1:
        parser.error("--rounds is at least 1")
    return options


def processors():
    """The first and the last that this process may use: on a larger machine rarely one core."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        print("there is one processor: rows of two workers and echo say little", file=sys.stderr)
    return [cpus[0], cpus[-1]]


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def measure_all(rows, peers, options, tools):
    """The results of all rows, within the time that was given."""
    progress, cpus = Progress(), processors()
    results, end = [], time.monotonic() + 60 * options.minutes
    for number, row in enumerate(rows):
        weight = sum(r.weight for r in rows[number:])
        budget = max(0.0, (end - time.monotonic()) * row.weight / weight)
        cells = measure(row, peers, options, cpus, tools, budget, progress.say)
        progress.row(number + 1, len(rows), row, cells)
        results += results_of(row, cells)
    return results


def main():
    options = arguments()
    names = chosen(options.peers, [peer.name for peer in build.PEERS], "peer")
    rows = chosen_rows(options.rows)
    if options.list:
        for group in dict.fromkeys(row.group for row in ROWS):
            print(f"{group}:", " ".join(row.name for row in ROWS if row.group == group))
        print("peers:", " ".join(peer.name for peer in build.PEERS))
        return 0
    folder = os.path.join(TOP, options.build)
    tools = build.own_programs(folder)
    peers, left_out = build.build_peers(names, folder, not options.no_install)
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}", flush=True)
    peers = [build.Ready("ours", [tools["ours"]], "this tree"),
             build.Ready("floor", [tools["floor"]], "by hand"), *peers]
    with Files(os.path.join(folder, "peers")) if any(row.files for row in rows) \
            else contextlib.nullcontext() as files:
        results = measure_all(rows, peers, options, {**tools, "files": files})
    order = [peer.name for peer in peers]
    report = {"machine": machine(), "rounds": options.rounds, "rows": results, "peers": order,
              "versions": {peer.name: peer.version for peer in peers}, "left_out": left_out}
    print("\n" + table(results, order))
    base = os.path.join(folder, "bench-peers")
    write(base + ".json", json.dumps(report, indent=1) + "\n")
    write(base + ".svg", bench_chart.chart(report))
    print(f"\n{base}.json\n{base}.svg")
    # The exit code says whether ours ran; a peer's failure stands in the table.
    bad = [row["title"] for row in results
           if row["cells"].get("ours", {}).get("error", "not built") != "not built"]
    if bad:
        print("failed: ours in " + ", ".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
