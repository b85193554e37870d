#!/usr/bin/env python3
"""labelled.py - does urd advise say of known programs what they are known to be?

SPDX-License-Identifier: MIT

Usage: test/advise/labelled.py [--quick] [--runs N] [--only TEXT] [--list] [--install]

Each case is a program, the verdicts that are right for it and the models that fit.  --quick takes
those that need nothing but Python and the programs of this folder, and gives each three attempts:
that is the test.  Without it all run, and what counts is every one of --runs N.  --install gets
what is missing by apt-get first (Debian).  The environment: URD names the command, URD_PROGRAMS the
folder of the built programs.
"""
import argparse
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import programs  # noqa: E402  (beside this file)

TOP = os.path.dirname(os.path.dirname(HERE))
URD = os.path.abspath(os.environ.get("URD", os.path.join(TOP, "build", "urd")))
ATTEMPTS = 3


def advise(case, folder):
    """The report on one run of a case."""
    path = os.path.join(folder, "report.json")
    if os.path.exists(path):
        os.remove(path)
    words = [URD, "advise", f"--json={path}", *case.options, "--", *case.command]
    with programs.surroundings(case) as stdin:
        subprocess.run(words, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                       timeout=300, cwd=folder)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def judge(case, report):
    """"" if it is right; else what it said."""
    verdict = report["verdict"]
    said = (verdict["class"], verdict["model"])
    if said[0] in case.verdicts and said[1] in case.models:
        return ""
    return f"{said[0]}/{said[1]}"


def run_case(case, folder, runs, attempts):
    """How many of the runs were right, and what the others said."""
    right, wrong = 0, collections.Counter()
    for _ in range(runs):
        for attempt in range(attempts):
            said = judge(case, advise(case, folder))
            if not said:
                right += 1
                break
            if attempt == attempts - 1:
                wrong[said] += 1
    return right, wrong


def usable(case):
    return all(shutil.which(name) or os.path.exists(name) for name in case.needs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--install", action="store_true")
    options = parser.parse_args()
    if options.install:
        programs.install()
    passed = failed = skipped = runs = hits = 0
    with tempfile.TemporaryDirectory(prefix="urd-advise-") as folder:
        cases = [c for c in programs.cases(folder)
                 if options.only in c.name and (c.quick or not options.quick)]
        for case in cases:
            if options.list:
                print(f"{case.name:28} {'|'.join(case.verdicts):18} {'|'.join(case.models)}")
                continue
            if not usable(case):
                skipped += 1
                print(f"skip {case.name}: needs {' '.join(case.needs)}", flush=True)
                continue
            case.prepare()
            right, wrong = run_case(case, folder, options.runs, ATTEMPTS if options.quick else 1)
            runs += options.runs
            hits += right
            good = not wrong
            passed += good
            failed += not good
            what = "" if good else "  said " + ", ".join(f"{w} x{n}" for w, n in wrong.items())
            print(f"{'ok' if good else 'FAIL':4} {case.name:28} {right}/{options.runs}{what}",
                  flush=True)
        programs.stop_servers()
    if options.list:
        return 0
    if runs:
        print(f"{hits} of {runs} runs right: {100 * hits / runs:.1f} %")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
