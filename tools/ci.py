#!/usr/bin/env python3
"""ci.py - run the stages of `make test`, show what failed, and count.

SPDX-License-Identifier: MIT

Usage: tools/ci.py [--jobs N] [--deep] [--list] [--format] [STAGE...]    without a stage: all

A stage is a list of results; a result is one test program or one check.  What prints `N passed,
N failed` itself, as its last line, counts as that many.  A failure shows its log and does not stop
the stages after it, except those that stand on a build that failed.
"""
import argparse
import glob
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOG_LINES_MAX = 120
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
SKIP = 77
SUITE_SECONDS_MAX = 400
LINES_ALONE = ["-Ddebug=false", "-Dc_args=-g1"]  # what a report shows; a quarter of a compile less
CROSS = ["--cross-file", "tools/aarch64.ini", "-Dcli=disabled", "-Dtls=disabled",
         "-Dmpi=disabled"]
# Of each folder: the compiler, the options, the targets; none are all.  In the order of need.
BUILDS = {
    "build-gcc": ("gcc", [], []),
    "build-clang": ("clang", ["-Ddebug=false"],
                    ["urd", "suite_unit", "suite_fail", "suite_stress", "suite_examples"]),
    "build-asan": ("gcc", ["-Db_sanitize=address,undefined", "-Db_lundef=false",
                           "-Doptimization=1", *LINES_ALONE],
                   ["suite_unit", "suite_fail", "suite_stress"]),
    "build-tsan": ("gcc", ["-Db_sanitize=thread", "-Db_lundef=false", "-Doptimization=1",
                           *LINES_ALONE],
                   ["suite_unit", "suite_stress", "suite_examples"]),
    "build-aarch64": (None, CROSS, ["suite_unit"]),
}
TOGETHER = {"URD_TEST_TOGETHER": "1"}  # where code is translated anew in each process
JOBS = 2
DEEP = False


class Result:
    """What one program or check came to."""

    def __init__(self, name, state, log, seconds=0.0):
        self.name, self.state, self.log, self.seconds = name, state, log, seconds
        last = log.strip().rsplit("\n", 1)[-1]
        match = COUNTS.match(last)
        if match and state != "skip":
            self.passed, self.failed, self.skipped = (int(n or 0) for n in match.groups())
            if state == "fail" and self.failed == 0:
                self.failed = 1
            if state == "ok" and self.failed > 0:
                self.state = "fail"
        else:
            self.passed, self.failed, self.skipped = (int(state == s) for s in
                                                      ("ok", "fail", "skip"))


def run(command, timeout=300, env=None):
    """Run to the end or the timeout, with no input: exit code and everything it printed."""
    environment = dict(os.environ, **(env or {}))
    with tempfile.TemporaryFile() as log:
        try:
            process = subprocess.Popen(command, cwd=TOP, env=environment, stdout=log,
                                       stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                                       start_new_session=True)
        except OSError as error:
            return 127, f"{command[0]}: {error.strerror}\n"
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = 124
        finally:
            stop(process)
        log.seek(0)
        text = log.read().decode(errors="replace")
    if code == 124:
        text += f"\nstopped after {timeout} s\n"
    return code, text


def stop(process):
    """Ask first: `meson test` ends the tests that it started, which have sessions of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                continue


def check(name, command, timeout=300, env=None):
    start = time.monotonic()
    code, text = run(command, timeout, env)
    state = {0: "ok", SKIP: "skip"}.get(code, "fail")
    return Result(name, state, text, time.monotonic() - start)


def configure(directory):
    """Make a build folder, where there is none."""
    if os.path.exists(os.path.join(TOP, directory, "build.ninja")):
        return Result(f"{directory} configure", "ok", "")
    compiler, options, _ = BUILDS[directory]
    return check(f"{directory} configure",
                 ["meson", "setup", directory, "-Db_colorout=never", *options],
                 env={"CC": compiler} if compiler else None)


def compile_command(directory, jobs):
    return ["ninja", "--quiet", "-C", directory, "-j", str(jobs), *BUILDS[directory][2]]


def build(directory):
    """Configure where needed, and compile the targets, or everything."""
    AHEAD.leave(directory)
    done = configure(directory)
    if done.failed:
        return done
    return check(f"{directory} build", compile_command(directory, JOBS), timeout=600)


class Ahead(threading.Thread):
    """Builds folders that later stages need, while the tests leave processors idle.

    It has only what nobody else wants (SCHED_IDLE).  A stage takes its folder from it, and builds
    what is left itself: so a failure shows there.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.lock = threading.Condition()
        self.wanted, self.folder, self.compiling, self.left = [], None, None, set()

    def begin(self, folders):
        self.wanted = list(folders)
        self.start()

    def run(self):
        while self.next_folder():
            if not configure(self.folder).failed:
                self.compile()
            with self.lock:
                self.folder = None
                self.lock.notify_all()

    def next_folder(self):
        with self.lock:
            self.folder = self.wanted.pop(0) if self.wanted else None
            return self.folder

    def compile(self):
        with self.lock:
            if self.folder in self.left:
                return
            self.compiling = subprocess.Popen(
                ["chrt", "--idle", "0", *compile_command(self.folder, 1)], cwd=TOP,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True)
        self.compiling.wait()
        with self.lock:
            self.compiling = None

    def leave(self, folder):
        """Whoever calls has the folder to himself from now on."""
        with self.lock:
            self.left.add(folder)
            if folder in self.wanted:
                self.wanted.remove(folder)
            if self.folder == folder and self.compiling and self.compiling.poll() is None:
                os.killpg(self.compiling.pid, signal.SIGINT)
            self.lock.wait_for(lambda: self.folder != folder)

    def end(self):
        for folder in BUILDS:
            self.leave(folder)


AHEAD = Ahead()


def suites(directory, *names, prefix=(), wrapper=None, patience=1, env=None):
    """The named suites of a built directory, as `meson test` runs them."""
    command = [*prefix, "meson", "test", "-C", directory, "--no-rebuild", "--num-processes",
               str(JOBS), "-t", str(patience), "--logbase", "ci-" + "-".join(names)]
    command += [argument for name in names for argument in ("--suite", name)]
    command += ["--wrapper", wrapper] if wrapper else []
    environment = {"URD_TEST_TIMEOUT": str(60 * patience), **(env or {})}
    if patience > 1:
        environment["URD_TEST_SLOW"] = "1"
    log = "ci-" + "-".join(names) + (f"-{wrapper.split()[0]}" if wrapper else "") + ".json"
    path = os.path.join(TOP, directory, "meson-logs", log)
    if os.path.exists(path):
        os.remove(path)
    code, text = run(command, SUITE_SECONDS_MAX, environment)
    results = []
    if os.path.exists(path):
        with open(path, encoding="utf-8", errors="replace") as lines:
            results = [from_meson(json.loads(line)) for line in lines]
    if code and not any(result.failed for result in results):
        results.append(Result("meson test", "fail", text))
    if not results:
        results.append(Result(" ".join(names), "fail", "there is no test in this suite"))
    return results


def from_meson(entry):
    state = {"OK": "ok", "SKIP": "skip", "EXPECTEDFAIL": "ok"}.get(entry["result"], "fail")
    log = entry.get("stderr") or ""
    if state == "fail":
        log += f"\n{entry['result']}, exit code {entry.get('returncode')}: " \
               f"{' '.join(entry.get('command') or [])}\n"
    # The standard output comes last: its last line may hold counts.
    log += entry.get("stdout") or ""
    name = entry["name"].split(":")[-1].replace(" / ", "/")
    return Result(name, state, log, entry.get("duration") or 0.0)


def c_files(*folders, kinds=("c", "h")):
    return sorted(path for folder in folders for kind in kinds
                  for path in glob.glob(f"{folder}/**/*.{kind}", root_dir=TOP, recursive=True))


def format_files():
    return c_files("include", "src", "test", "examples", "bench")


def stage_format():
    yield check("clang-format", ["clang-format", "--dry-run", "-Werror", *format_files()])


def stage_tidy():
    with ThreadPoolExecutor(JOBS) as pool:
        yield from pool.map(lambda name: check(name, ["python3", f"tools/{name}"]),
                            ["tidy_test.py", "tidy.py"])


def stage_gcc():
    done = build("build-gcc")
    yield done
    if not done.failed:
        for some in (["unit", "fail"], ["cli", "examples"]):
            yield from suites("build-gcc", *some)


def stage_refused():
    """What touches descriptors, where the kernel refuses io_uring."""
    yield from on_build(lambda: refused("epoll", "exec", "fd", "file", "io", "os_file", "poller",
                                        "signal", "stream"))


def refused(*names):
    code, text = run(["build-gcc/test/refused", "build-gcc/urd", "--version"])
    right = code == 0 and re.search(r"^I/O backend +epoll$", text, re.M)
    yield Result("urd --version", "ok" if right else "skip" if code == SKIP else "fail", text)
    for name in names:
        yield check(name, ["build-gcc/test/refused", f"build-gcc/test/unit_{name}"])


def stage_clang():
    done = build("build-clang")
    yield done
    if not done.failed:
        yield from suites("build-clang", "unit")


def stage_stress():
    yield from on_build(lambda: suites("build-gcc", "stress",
                                       env={"URD_STRESS_SECONDS": "5"}))


def stage_model():
    yield from on_build(lambda: suites("build-gcc", "model"))


def on_build(tests):
    """What stands on the gcc build; it is made where the gcc stage has not run."""
    done = build("build-gcc")
    yield from [done] if done.failed else tests()


def stage_docs():
    yield from on_build(lambda: [
        check("doc_blocks.py --self-test", ["python3", "tools/doc_blocks.py", "--self-test"]),
        check("doc_blocks.py", ["python3", "tools/doc_blocks.py", "--include", "include", "--lib",
                                "build-gcc/liburdume.a"]),
        check("examples.py --self-test", ["python3", "tools/examples.py", "--self-test"]),
        check("man pages", ["mandoc", "-T", "lint", "-W", "warning",
                            *sorted(glob.glob("man/*.[0-9]", root_dir=TOP))])])


def stage_package():
    yield from on_build(lambda: [
        check("package.py", ["python3", "tools/package.py", "build-gcc"])])


def stage_bench():
    """One round of each, so that they do not rot; nothing is measured here, no peer is built."""
    yield check("bench_peers_test.py", ["python3", "tools/bench_peers_test.py"])
    results = list(on_build(lambda: [check("build", ["ninja", "--quiet", "-C", "build-gcc",
                                                     "benches"])]))
    yield from results
    if not results[-1].failed:
        programs = sorted(glob.glob("build-gcc/bench/bench_*[!.p]", root_dir=TOP))
        with ThreadPoolExecutor(JOBS) as pool:
            yield from pool.map(lambda path: check(os.path.basename(path), [path, "1"]), programs)
        yield check("bench_peers.py --quick", ["python3", "tools/bench_peers.py", "--build",
                                               "build-gcc", "--quick", "--peers", "none"])


def stage_lint():
    """clang-tidy over the sources of the library and the command."""
    # Some of the states of a function that the analyzer would look at, in an eighth of the time.
    bound = ["--extra-arg=" + word for word in ("-Xclang", "-analyzer-config", "-Xclang",
                                                "max-nodes=5000") if not DEEP]
    AHEAD.leave("build-clang")
    done = configure("build-clang")
    if done.failed:
        yield done
        return
    with open(os.path.join(TOP, "build-clang", "compile_commands.json"), encoding="utf-8") as text:
        known = {os.path.normpath(os.path.join(entry["directory"], entry["file"]))
                 for entry in json.load(text)}
    files = [path for path in c_files("src", kinds=("c",)) if os.path.join(TOP, path) in known]
    with ThreadPoolExecutor(JOBS) as pool:
        yield from pool.map(lambda path: check(f"clang-tidy {path}", [
            "clang-tidy", "-p", "build-clang", "--quiet", *bound, path]), files)


def stage_asan():
    done = build("build-asan")
    yield done
    if not done.failed:
        yield from suites("build-asan", "unit", "fail", "stress", patience=2, env={
            # Its guess where libdw, loaded late, keeps its thread's variables is wrong, and fatal.
            "ASAN_OPTIONS": "detect_leaks=1:intercept_tls_get_addr=0", "URD_STRESS_SECONDS": "2",
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})


def stage_tsan():
    done = build("build-tsan")
    yield done
    if not done.failed:
        # gcc 12's runtime cannot place its shadow where the kernel spreads addresses widely.
        fixed = ["setarch", "-R"] if run(["setarch", "-R", "true"])[0] == 0 else []
        # Each test is a process, which by default waits a second at its end for races to come.
        yield from suites("build-tsan", "unit", "stress", prefix=fixed, patience=2, env={
            "TSAN_OPTIONS": "halt_on_error=1:atexit_sleep_ms=10", "URD_STRESS_SECONDS": "2"})
        # The race that the guide shows must be named.
        yield check("examples --tsan", [*fixed, "python3", "tools/examples.py", "--tsan",
                                        "build-tsan/examples"])


def stage_valgrind():
    yield from on_build(lambda: suites(
        "build-gcc", "unit", patience=3, env=TOGETHER,
        # Leaks are for the asan stage: here each forked process would read all reserved memory.
        wrapper="valgrind --quiet --fair-sched=yes --error-exitcode=99 --leak-check=no "
                "--num-callers=25"))


def stage_aarch64():
    done = build("build-aarch64")
    yield done
    if not done.failed:
        yield from suites("build-aarch64", "unit", patience=3, env={
            "QEMU_LD_PREFIX": "/usr/aarch64-linux-gnu", **TOGETHER})


# In this order: what is quick and fails most often comes first.
STAGES = {name[len("stage_"):]: function for name, function in list(globals().items())
          if name.startswith("stage_") and callable(function)}


def show(result, stage):
    lines = [line for line in result.log.strip().split("\n") if not line.startswith("ok ")]
    print(f"\n---- {stage}: {result.name} failed ----")
    if len(lines) > LOG_LINES_MAX:
        print(f"(the last {LOG_LINES_MAX} of {len(lines)} lines)")
    print("\n".join(lines[-LOG_LINES_MAX:]))
    print("----", flush=True)


def run_stages(names):
    total = [0, 0, 0]
    failures = []
    start = time.monotonic()
    for number, name in enumerate(names, 1):
        print(f"[{number:2}/{len(names)}] {name:10}", end="", flush=True)
        begin, cpu = time.monotonic(), cpu_seconds()
        results = list(STAGES[name]())
        counts = [sum(getattr(result, kind) for result in results)
                  for kind in ("passed", "failed", "skipped")]
        total = [a + b for a, b in zip(total, counts)]
        print(f"{time.monotonic() - begin:7.1f} s   {cpu_seconds() - cpu:5.0f} s of CPU   "
              f"{summary(counts)}", flush=True)
        for result in results:
            if result.failed:
                failures.append(f"{name}: {result.name}")
                show(result, name)
            elif result.state == "skip":
                reason = result.log.strip().rsplit("\n", 1)[-1]
                print(f"        skipped {result.name}: {reason}", flush=True)
    for failure in failures:
        print(f"failed: {failure}")
    print(f"{time.monotonic() - start:.0f} s")
    print(summary(total), flush=True)
    return 1 if total[1] else 0


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def summary(counts):
    text = f"{counts[0]} passed, {counts[1]} failed"
    return text + (f", {counts[2]} skipped" if counts[2] else "")


def main():
    parser = argparse.ArgumentParser(description="Run the stages of `make test`.")
    parser.add_argument("--jobs", type=int, default=2, help="at most so many at once (2)")
    parser.add_argument("--deep", action="store_true", help="lint without a bound of states")
    parser.add_argument("--list", action="store_true", help="name the stages")
    parser.add_argument("--format", action="store_true", help="write the C files as clang-format")
    parser.add_argument("stages", nargs="*", metavar="STAGE")
    options = parser.parse_args()
    unknown = [name for name in options.stages if name not in STAGES]
    if unknown:
        parser.error(f"no stage {unknown[0]}; there are: {' '.join(STAGES)}")
    global JOBS, DEEP
    JOBS, DEEP = max(1, min(options.jobs, 2)), options.deep
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.list:
        print("\n".join(STAGES))
        return 0
    if options.format:
        return subprocess.call(["clang-format", "-i", *format_files()], cwd=TOP)
    if not options.stages:
        AHEAD.begin(BUILDS)
    try:
        return run_stages(options.stages or list(STAGES))
    finally:
        AHEAD.end()


if __name__ == "__main__":
    sys.exit(main())
