#!/usr/bin/env python3
"""load_http.py - wrk as the client of every server of HTTP.

SPDX-License-Identifier: MIT

    load_http.py ROW PORT PID CONNECTIONS SECONDS      prints ROW.cpu, ROW.time and ROW.p99

wrk counts whole seconds: with less than one there is one, and no other before it to warm up.  The
processor time is that of all processes of PID's session, from the scheduler's own count.
"""
import os
import re
import subprocess
import sys
import urllib.request

PATHS = {"http": ("/hello", 13), "http-file": ("/4k", 4096)}
MICROSECONDS = {"us": 1.0, "ms": 1e3, "s": 1e6}


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as text:
            return text.read()
    except OSError:
        return ""  # it has just ended


def session_of(pid):
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[3]) if fields else 0


def cpu_of(session):
    """Nanoseconds that the threads of a session's processes have run."""
    total = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if session_of(pid) == session:
            for thread in os.listdir(f"/proc/{pid}/task"):
                total += int((read(f"/proc/{pid}/task/{thread}/schedstat") or "0").split()[0])
    return total


def ask(url, connections, seconds):
    """What wrk says."""
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url],
                          capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        sys.exit("wrk: " + done.stdout.strip().splitlines()[-3])
    return done.stdout


def main():
    if len(sys.argv) != 6:
        sys.exit("usage: load_http.py ROW PORT PID CONNECTIONS")
    row, port, session, connections = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    path, size = PATHS[row]
    seconds = float(sys.argv[5])
    url = f"http://127.0.0.1:{port}{path}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        if len(answer.read()) != size:
            sys.exit("the answer is wrong")
    if seconds >= 1:
        ask(url, connections, 1)
    before = cpu_of(session)
    text = ask(url, connections, max(1, round(seconds)))
    cpu = cpu_of(session) - before
    requests, seconds = re.search(r"(\d+) requests in ([\d.]+)s", text).groups()
    late, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    print(f"{row}.cpu {cpu / 1e3 / int(requests):.6g} us")
    print(f"{row}.time {float(seconds) * 1e6 / int(requests):.6g} us")
    print(f"{row}.p99 {float(late) * MICROSECONDS[unit]:.6g} us")


if __name__ == "__main__":
    main()
