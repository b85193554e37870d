#!/usr/bin/env python3
"""mpi.py - run pools on several ranks: on this machine, and between network namespaces.

SPDX-License-Identifier: MIT

    test/cli/mpi.py DIR [NAME...]

DIR holds mpi_jobs and mpi_other, which is the same but for its build id.  The last line is
N passed, N failed, N skipped.
"""
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

HANG_S = 60
DIRECTORY = sys.argv[1] if len(sys.argv) > 1 else "."
MPIRUN = ["mpirun", "--oversubscribe", "--allow-run-as-root"]


class Skip(Exception):
    """This cannot be tried here."""


def check(condition, *shown):
    if not condition:
        raise AssertionError(" ".join(str(one) for one in shown))


def environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("URD_", "OMPI_", "PMIX_"))}
    return {**kept, **more}


def run(*command, **variables):
    """To its end: exit code, and all that was printed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, timeout=HANG_S, check=False,
                          env=environment(**variables))
    return done.returncode, done.stdout


def jobs(*words, name="mpi_jobs"):
    return [os.path.join(DIRECTORY, name), *words]


def ranks(n, *words, options=(), **variables):
    return run(*MPIRUN, *options, "-n", str(n), *jobs(*words), **variables)


def test_every_kind_does_all():
    code, out = ranks(3, "all", "each")
    check(code == 0 and out.splitlines() == ["all: right"], code, out)


def test_one_rank_without_mpirun():
    code, out = run(*jobs("all", "threads"))
    check(code == 0 and out == "all: right\n", code, out)


def test_a_job_that_fails():
    code, out = ranks(3, "failing", "tasks")
    check(code == 0 and out.splitlines() == ["-33 -33 rank", "failing: right"], code, out)


def test_a_job_that_kills_its_worker():
    code, out = ranks(3, "dying", "processes")
    check(code == 0 and out.splitlines() == ["1 failed: 40", "dying: right"], code, out)


def test_a_job_that_kills_its_rank():
    """As Open MPI has it: all end, mpirun says which it was, and nothing hangs."""
    code, out = ranks(3, "dying", "threads")
    check(code != 0 and "rank 1" in out and "signal 9" in out, code, out)


def test_a_lost_rank_is_a_lost_worker_where_mpirun_lets_the_others_live():
    for what, failed in (("dying", 1), ("retrying", 0)):
        code, out = ranks(3, what, "threads", options=["--enable-recovery"],
                          URD_MPI_LOST_MS="1000")
        check("urd: rank 0 has lost rank 1: nothing was heard of it" in out and
              f"{failed} failed: 40" in out and f"{what}: right" in out, what, code, out)


def test_ranks_of_different_builds_are_refused():
    code, out = run(*MPIRUN, "-n", "1", *jobs("all", "tasks"), ":", "-n", "1",
                    *jobs("all", "tasks", name="mpi_other"))
    check(code != 0 and "urd: rank 1 runs another build than rank 0" in out and
          "all: Exec format error" in out, code, out)


@contextlib.contextmanager
def namespaces():
    """Two of them, with one wire between; and how mpirun gets into one."""
    a, b = f"urd{os.getpid()}a", f"urd{os.getpid()}b"

    def ip(*words):
        code, out = run("ip", *words)
        if code:
            raise Skip(f"ip {' '.join(words)}: {out.strip()}")

    if not shutil.which("ip"):
        raise Skip("there is no ip (iproute2)")
    with tempfile.TemporaryDirectory() as folder:
        agent = os.path.join(folder, "agent")
        with open(agent, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n# agent HOST COMMAND...\nshift\n"
                       f"exec ip netns exec {b} sh -c \"$*\"\n")
        os.chmod(agent, 0o755)
        try:
            for name in (a, b):
                ip("netns", "add", name)
                ip("-n", name, "link", "set", "lo", "up")
            ip("link", "add", "v0", "netns", a, "type", "veth", "peer", "name", "v0", "netns", b)
            for name, address in ((a, "10.77.0.1/24"), (b, "10.77.0.2/24")):
                ip("-n", name, "addr", "add", address, "dev", "v0")
                ip("-n", name, "link", "set", "v0", "up")
            yield a, agent
        finally:
            for name in (a, b):
                run("ip", "netns", "del", name)


def test_between_network_namespaces():
    """Ranks that are not on one machine as far as MPI knows: by TCP, over the wire."""
    with namespaces() as (name, agent):
        options = ["--mca", "plm_rsh_agent", agent, "--mca", "btl", "tcp,self", "--mca", "pml",
                   "ob1", "--mca", "btl_tcp_if_include", "10.77.0.0/24", "--mca",
                   "oob_tcp_if_include", "10.77.0.0/24", "--host", "10.77.0.1:1,10.77.0.2:2"]
        code, out = run("ip", "netns", "exec", name, *MPIRUN, *options, "-n", "3",
                        *jobs("all", "threads"))
        check(code == 0 and out.splitlines() == ["all: right"], code, out)


TESTS = {name[len("test_"):]: test for name, test in list(globals().items())
         if name.startswith("test_")}


def main():
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    for name in sys.argv[2:] or TESTS:
        said, why = "ok", ""
        try:
            TESTS[name]()
        except Skip as reason:
            said, why = "skip", f": {reason}"
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            said, why = "FAIL", f": {type(error).__name__} {error}"
        counts[said] += 1
        print(f"{said} {name}{why}", flush=True)
    print(f"{counts['ok']} passed, {counts['FAIL']} failed" +
          (f", {counts['skip']} skipped" if counts["skip"] else ""))
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
