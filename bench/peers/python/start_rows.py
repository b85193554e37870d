#!/usr/bin/env python3
"""start_rows.py - the rows of programs in Python's subprocess.

SPDX-License-Identifier: MIT
"""
import subprocess
import sys

from rows import Args, find, grow, now, say_us


def start_all(args):
    subprocess.run(["/bin/true"], check=True)
    start = now()
    for _ in range(args.times):
        subprocess.run(["/bin/true"], check=True)
    say_us(args.row, start, args.times)


def start_all_large(args):
    grown = grow()
    start_all(args)
    del grown


ROWS = {"exec": start_all, "exec-large": start_all_large}


def main():
    args = Args(sys.argv[1:])
    find(ROWS, args)(args)


if __name__ == "__main__":
    main()
