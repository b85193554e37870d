#!/usr/bin/env python3
"""examples.py - run the built example programs and compare what they print.

SPDX-License-Identifier: MIT

    tools/examples.py DIR [--no-times] [--wrap COMMAND] [--tsan]
    tools/examples.py --self-test

DIR holds the built programs.  What each must print is examples/expected/NAME.txt, with two
liberties, both stated below and nowhere else:

  groups   jobs that run together print in no fixed order.  A case names how many lines belong
           together: (2, 2, 1) means that the first two may come in either order, then the next
           two, and that the fifth is last.
  times    `1.00 s` in the expected text stands for 1.00 to 1.02 seconds.  A time that can not be
           known is written `_`, as in `_ s`, and stands for any number.

A case with `at_most` must also end within so many seconds, counted from its start.  Noise can only
make a program slower, so a case that fails by its times alone is tried up to three times.
"""
import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

EXPECTED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                        "examples", "expected")
TIME_TOLERANCE_S = 0.02
HANG_S = 60
TRIES = 3


@dataclass(frozen=True)
class Case:
    program: str
    args: tuple = ()
    groups: tuple = ()       # empty: every line in its place
    at_most: float = 0.0     # seconds; 0: not measured
    exit_code: int = 0
    races: bool = False      # under ThreadSanitizer it must be reported

    @property
    def name(self):
        return " ".join((self.program, *self.args))

    @property
    def expected_file(self):
        return "-".join((self.program, *self.args)) + ".txt"


CASES = [
    Case("readme", groups=(2, 2), at_most=1.05),
    Case("bolo", ("sequencial",)),
    Case("bolo", ("tarefas",), groups=(2, 2, 1)),
    Case("bolo", ("threads",), groups=(2, 2, 1)),
    Case("bolo", ("processos",), groups=(2, 2, 1)),
    Case("bolo", ("torta",), exit_code=2),
    Case("trabalhadores", ("tarefas",), groups=(5, 5, 1), at_most=2.02),
    Case("trabalhadores", ("threads",), groups=(5, 5, 1), at_most=2.02),
    Case("trabalhadores", ("processos",), groups=(5, 5, 1), at_most=2.02),
    Case("gather", groups=(1, 1, 1, 2, 1)),
    Case("primes", ("sequencial",)),
    Case("primes", ("tarefas",)),
    Case("primes", ("threads",)),
    Case("primes", ("processos",)),
    Case("counter", ("sem-trava",), races=True),
    Case("counter", ("trava",)),
    Case("counter", ("atomico",)),
    Case("counter", ("canal",)),
    Case("contention"),
    Case("pingpong"),
    Case("service"),
]


def line_pattern(line):
    """The regular expression of an expected line: `_` before a unit is any number."""
    any_number = re.sub(r"(?<!\S)_(?= (s|ms|us)\b)", "\0", line)
    return re.escape(any_number).replace("\0", r"\d+(?:\.\d+)?")


def line_matches(expected, actual):
    """None if the line is right; else "time" if only a time is too long, or "text"."""
    if re.fullmatch(line_pattern(expected), actual):
        return None
    seconds = re.compile(r"(\d+\.\d\d)(?= s\b)")
    if seconds.sub("", expected) != seconds.sub("", actual):
        return "text"
    for want, got in zip(seconds.findall(expected), seconds.findall(actual)):
        if not float(want) <= float(got) <= float(want) + TIME_TOLERANCE_S + 1e-9:
            return "time"
    return None


def compare(expected, actual, groups=(), times=True):
    """Compare two texts; returns (what, message), with what None, "time" or "text"."""
    want, got = expected.splitlines(), actual.splitlines()
    if len(want) != len(got):
        return "text", f"{len(want)} lines expected, {len(got)} printed"
    groups = groups or (1,) * len(want)
    if sum(groups) != len(want):
        return "text", f"groups {groups} do not add up to {len(want)} lines"
    start, late = 0, None
    for size in groups:
        for a, b in zip(sorted(want[start:start + size]), sorted(got[start:start + size])):
            what = line_matches(a, b)
            if what == "text":
                return "text", f"expected `{a}`, printed `{b}`"
            if what == "time" and times and not late:
                late = f"expected `{a}`, printed `{b}`"
        start += size
    return ("time", late) if late else (None, "")


def clean_environment():
    """Without the variables that would change how a program runs."""
    return {k: v for k, v in os.environ.items() if not k.startswith("URD_")}


def run_once(case, directory, wrap, times):
    command = [*wrap, os.path.join(directory, case.program), *case.args]
    start = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S,
                              stdin=subprocess.DEVNULL, env=clean_environment(), check=False)
    except subprocess.TimeoutExpired:
        return "text", f"still running after {HANG_S} s"
    except OSError as error:
        return "text", f"could not be started: {error.strerror}"
    seconds = time.monotonic() - start
    if done.returncode != case.exit_code:
        return "text", f"exit {done.returncode}, expected {case.exit_code}; {done.stderr.strip()}"
    with open(os.path.join(EXPECTED, case.expected_file), encoding="utf-8") as file:
        expected = file.read()
    printed = done.stdout if case.exit_code == 0 else done.stdout + done.stderr
    what, message = compare(expected, printed, case.groups, times)
    if not what and times and case.at_most and seconds > case.at_most:
        return "time", f"took {seconds:.3f} s, at most {case.at_most} s"
    return what, message


def run_case(case, directory, wrap, times):
    """Returns None if it passed, else the message."""
    for _ in range(TRIES):
        what, message = run_once(case, directory, wrap, times)
        if what != "time":
            break
    return message if what else None


def run_tsan(case, directory, wrap):
    """Built with -fsanitize=thread: the race is named, and nothing else is reported."""
    command = [*wrap, os.path.join(directory, case.program), *case.args]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S,
                              stdin=subprocess.DEVNULL, env=clean_environment(), check=False)
    except subprocess.TimeoutExpired:
        return f"still running after {HANG_S} s"
    except OSError as error:
        return f"could not be started: {error.strerror}"
    reported = "WARNING: ThreadSanitizer: data race" in done.stderr
    if case.races and not (reported and f"{case.program}.c" in done.stderr):
        return "ThreadSanitizer did not name the race"
    if not case.races and "ThreadSanitizer" in done.stderr:
        return "ThreadSanitizer reports: " + done.stderr.strip().splitlines()[1]
    if not case.races and done.returncode != case.exit_code:
        return f"exit {done.returncode}, expected {case.exit_code}"
    return None


def self_test():
    """The comparison must fail where it should."""
    checks = [
        (None, compare("a\nb\n", "a\nb\n")),
        ("text", compare("a\nb\n", "b\na\n")),
        (None, compare("a\nb\n", "b\na\n", (2,))),
        ("text", compare("a\nb\nc\n", "c\nb\na\n", (2, 1))),
        ("text", compare("a\n", "a\na\n")),
        ("text", compare("a\na\n", "a\n")),
        (None, compare("Tempo total: 1.00 s", "Tempo total: 1.02 s")),
        ("time", compare("Tempo total: 1.00 s", "Tempo total: 1.03 s")),
        ("time", compare("Tempo total: 1.00 s", "Tempo total: 0.99 s")),
        (None, compare("Tempo total: 1.00 s", "Tempo total: 1.03 s", (), False)),
        ("text", compare("Tempo total: 1.00 s", "Tempo: 1.00 s")),
        (None, compare("em _ ms", "em 17.3 ms")),
        ("text", compare("em _ ms", "em x ms")),
        ("text", compare("soma 5 em _ ms", "soma 6 em 17.3 ms")),
    ]
    failed = [f"check {i}: expected {want}, got {got}"
              for i, (want, (got, _)) in enumerate(checks) if want != got]
    with tempfile.TemporaryDirectory() as directory:
        program = os.path.join(directory, "pingpong")
        for text, should_pass in (("echo ping 1", False), ("exit 3", False), ("sleep 0", False)):
            with open(program, "w", encoding="utf-8") as file:
                file.write(f"#!/bin/sh\n{text}\n")
            os.chmod(program, 0o755)
            if (run_case(Case("pingpong"), directory, [], True) is None) != should_pass:
                failed.append(f"a program that does `{text}` was not told apart")
        if run_case(Case("readme"), directory, [], True) is None:
            failed.append("a program that is not there passed")
    for line in failed:
        print(f"FAIL self-test: {line}")
    count = len(checks) + 4
    print(f"{count - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", nargs="?", help="where the built programs are")
    parser.add_argument("--no-times", action="store_true",
                        help="do not judge times: for sanitizers, Valgrind and emulators")
    parser.add_argument("--wrap", default="", help="a command to put before each program")
    parser.add_argument("--tsan", action="store_true",
                        help="the programs are built with ThreadSanitizer: judge its reports")
    parser.add_argument("--self-test", action="store_true", help="prove that it can fail")
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    if not options.directory:
        parser.error("the directory of the built programs is missing")
    wrap, failed = shlex.split(options.wrap), 0
    for case in CASES:
        if options.tsan:
            message = run_tsan(case, options.directory, wrap)
        else:
            message = run_case(case, options.directory, wrap, not options.no_times)
        failed += message is not None
        print(f"{'FAIL' if message else 'ok'} {case.name}{': ' + message if message else ''}",
              flush=True)
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
