#!/usr/bin/env python3
"""advise.py - urd advise, used as a user does: what it passes on, what it says, how it fails.

SPDX-License-Identifier: MIT

The command is named by the variable URD.  Whether verdicts are right is asked by
test/advise/labelled.py; here are the options, the signals, the outputs and bad input.
"""
import ctypes.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from html.parser import HTMLParser

URD = os.path.abspath(os.environ.get("URD", "build/urd"))
ATTEMPTS = 3  # of what is sampled from programs in real time
STATES = {"run", "ready", "lock", "gil", "disk", "net", "pipe", "timer", "terminal", "fault",
          "join", "work", "stopped", "unknown"}


def environment(**more):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("URD", "LC_", "LANG"))}
    return {**clean, **more}


def wait_for(condition, what):
    """Until something is true that another process makes true; a minute is for a hang."""
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.01)


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="urd-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def advise(self, *words, code=0, stdin=None, **env):
        done = subprocess.run([URD, "advise", *words], capture_output=True, text=True, timeout=120,
                              input=stdin, env=environment(**env))
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def report(self, *words, code=0, **env):
        path = self.path("report.json")
        self.advise(f"--json={path}", *words, code=code, **env)
        with open(path, encoding="utf-8") as file:
            return json.load(file)

    def start(self, *words):
        process = subprocess.Popen([URD, "advise", *words], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=environment(),
                                   start_new_session=True)
        self.addCleanup(process.kill)
        return process


class PassedOn(Case):
    """The program is the same as without."""

    def test_output_input_and_arguments(self):
        done = self.advise("--", "sh", "-c", 'cat; echo "$1" >&2; echo out', "sh", "--json",
                           stdin="in\n")
        self.assertEqual(done.stdout, "in\nout\n")
        self.assertTrue(done.stderr.startswith("--json\n"), done.stderr)

    def test_exit_code(self):
        self.advise("sh", "-c", "exit 7", code=7)

    def test_death_by_a_signal(self):
        self.advise("sh", "-c", "kill -KILL $$", code=128 + 9)

    def test_options_of_the_command_are_its_own(self):
        self.assertIn("--help", self.advise("echo", "--help").stdout)

    def test_no_descriptor_is_inherited(self):
        done = self.advise("ls", "/proc/self/fd")
        # The last is the folder that ls reads.
        self.assertEqual(sorted(done.stdout.split()), ["0", "1", "2", "3"])

    def test_signals_that_came_to_us_alone_are_passed_on(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            with self.subTest(number.name):
                ready = self.path(f"ready-{number}")
                process = self.start("sh", "-c",
                                     f"trap 'echo got; exit 3' {number.name[3:]}; : > {ready}; "
                                     "while :; do sleep 0.05; done")
                wait_for(lambda: os.path.exists(ready), "the trap")
                process.send_signal(number)
                out, err = process.communicate(timeout=60)
                self.assertEqual((out, process.returncode), ("got\n", 3), err)
                self.assertIn("Verdict:", err)

    def test_interrupt_of_the_terminal_still_gets_a_report(self):
        ready = self.path("ready")
        process = self.start("sh", "-c", f": > {ready}; exec sleep 60")
        wait_for(lambda: os.path.exists(ready), "the program")
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertIn("Verdict:", err)


class Told(Case):
    def test_json_has_every_part(self):
        report = self.report("--", "sleep", "1")
        self.assertEqual(report["command"], "sleep 1")
        self.assertEqual(report["verdict"]["class"], "timer")
        self.assertEqual(report["verdict"]["model"], "task")
        self.assertGreaterEqual(report["watch"]["wall_ns"], 1_000_000_000)
        self.assertGreater(report["watch"]["overhead_cores"], 0)
        process, = report["processes"]
        thread, = process["threads"]
        self.assertEqual((process["name"], thread["name"]), ("sleep", "sleep"))
        self.assertEqual(thread["places"][0]["at"], "clock_nanosleep")
        self.assertLessEqual(set(thread["time_ns"]), STATES)
        self.assertIn("timer", report["whole"]["waits"])
        for part in (process, thread):
            self.assertEqual((part["class"], part["model"]), ("timer", "task"))

    def test_no_more_time_is_told_than_there_was(self):
        report = self.report("--", "sh", "-c", "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done")
        wall = report["watch"]["wall_ns"]
        self.assertEqual(report["whole"]["span_ns"], wall)
        time_ns = report["processes"][0]["threads"][0]["time_ns"]
        self.assertGreater(time_ns["run"], 0)
        self.assertLessEqual(sum(time_ns.values()), wall)

    @unittest.skipUnless(ctypes.util.find_library("dw"), "no libdw")
    def test_functions_of_native_programs_have_names(self):
        for _ in range(ATTEMPTS):
            report = self.report("--", URD, "advise", "--json=/dev/null", "sleep", "1")
            inner = next(p for p in report["processes"] if p["program"] == os.path.basename(URD))
            places = [place["at"] for thread in inner["threads"] for place in thread["places"]]
            if any(place.startswith("wait_for_end (") for place in places):
                return
        self.fail(places)

    def test_counters_are_told_or_why_not(self):
        report = self.report("--deep", "--", "sleep", "0.2", LC_ALL="C")
        counted, notes = report["counted"], " ".join(report["verdict"]["notes"])
        if counted["switches"] is None:
            self.assertIn("perf_event_paranoid", notes)
        elif counted["cycles"] is None:
            self.assertIn("the processor shows no counters", notes)
        else:
            self.assertGreater(counted["instructions"], 0)
        self.assertIsNone(self.report("--", "true")["counted"]["switches"])

    def test_each_process_has_its_verdict(self):
        done = self.advise("sh", "-c", "sleep 1; exit 0", LC_ALL="C")
        told = [line for line in done.stderr.splitlines() if line.startswith("Process: ")]
        self.assertTrue([t for t in told if "sleep" in t and "waiting for time" in t], done.stderr)

    def test_json_to_stdout_comes_instead_of_the_report(self):
        done = self.advise("--json", "--", "sleep", "0.1")
        self.assertIn("verdict", json.loads(done.stdout))
        self.assertEqual(done.stderr, "")

    def test_page_is_well_formed_and_whole(self):
        page = self.path("page.html")
        self.advise("--html", page, "--", "sh", "-c", "sleep 0.2; : '</script><b>'")
        with open(page, encoding="utf-8") as file:
            text = file.read()
        self.assertNotIn("</script><b>", text)
        self.assertNotIn("{{", text)
        for outside in ("http://", "https://"):
            self.assertNotIn(outside, text.replace("http://www.w3.org/2000/svg", ""))
        Balanced(text)

    def test_portuguese(self):
        for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
            done = self.advise("sleep", "0.1", **{name: "pt_BR.UTF-8"})
            self.assertIn("Veredito:", done.stderr)
            self.assertIn("esperando o tempo", done.stderr)
        self.assertIn("Verdict:", self.advise("sleep", "0.1", LC_ALL="C", LANG="pt_BR").stderr)

    def test_no_colours_in_a_pipe(self):
        self.assertNotIn("\033", self.advise("--watch", "sleep", "0.6").stderr)

    def test_children_and_threads_are_seen(self):
        report = self.report("--", "sh", "-c", "sleep 1 & sleep 1; wait")
        names = sorted(p["name"] for p in report["processes"])
        self.assertEqual(names, ["sh", "sleep", "sleep"])

    def test_help(self):
        done = subprocess.run([URD, "help", "advise"], capture_output=True, text=True)
        self.assertIn("--pid PID", done.stdout)
        self.assertEqual(done.stdout, self.advise("--help").stdout)


class Balanced(HTMLParser):
    """Every element that is opened is closed."""

    void = {"meta", "br", "!doctype"}

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()


class Limits(Case):
    def test_for_ends_the_watch_and_what_was_started(self):
        child = self.path("child")
        start = time.monotonic()
        report = self.report("--for", "1.5", "--", "sh", "-c",
                             f"sleep 61 & echo $! > {child}; wait")
        self.assertLess(time.monotonic() - start, 30)
        self.assertEqual(report["verdict"]["class"], "timer")
        with open(child, encoding="utf-8") as file:
            pid = int(file.read())
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "the end of the child")

    def test_a_program_that_runs_no_time(self):
        report = self.report("true")
        self.assertEqual(report["verdict"]["class"], "short")
        self.assertIsNone(report["verdict"]["model"])

    def test_a_program_that_forks_away(self):
        marker = self.path("pid")
        done = self.advise("sh", "-c", f"sleep 61 >/dev/null 2>&1 & echo $! > {marker}")
        with open(marker, encoding="utf-8") as file:
            pid = int(file.read())
        self.addCleanup(os.kill, pid, signal.SIGKILL)
        self.assertIn(f"urd advise --pid {pid}", " ".join(done.stderr.split()))

    def test_what_forked_away_is_followed_for_the_time(self):
        report = self.report("--for", "1.5", "--", "sh", "-c", "(sleep 61 &) >/dev/null 2>&1")
        self.assertEqual(report["verdict"]["class"], "timer")
        self.assertGreaterEqual(report["watch"]["wall_ns"], 1_500_000_000)

    def test_more_threads_than_can_be_looked_at_one_by_one(self):
        program = ("import threading, time\n"
                   "threading.stack_size(65536)\n"
                   "e = threading.Event()\n"
                   "t = [threading.Thread(target=e.wait) for _ in range(1500)]\n"
                   "[x.start() for x in t]; time.sleep(1); e.set(); [x.join() for x in t]")
        for _ in range(ATTEMPTS):
            report = self.report("--", sys.executable, "-c", program)
            self.assertGreater(report["watch"]["threads"], 1500)
            told = report["verdict"]["class"]
            # On a slow machine waking all, one by one through one lock, takes longest.
            if told in ("idle", "cpu", "gil", "lock", "phases", "mixed"):
                return
        self.fail(told)


class Attached(Case):
    def sleeper(self, *words):
        process = subprocess.Popen(words or ("sleep", "60"))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_a_running_program_is_watched_and_left_alone(self):
        process = self.sleeper()
        report = self.report("--pid", str(process.pid), "--for", "1")
        self.assertEqual(report["verdict"]["class"], "timer")
        self.assertIsNone(process.poll())

    def test_all_threads_of_a_running_program_are_counted(self):
        program = ("import threading, time\n"
                   "def nap():\n"
                   "    while True: time.sleep(0.002)\n"
                   "[threading.Thread(target=nap).start() for _ in range(3)]\n"
                   "print(flush=True)")
        process = subprocess.Popen((sys.executable, "-c", program), stdout=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        process.stdout.readline()
        counted = self.report("--deep", "--pid", str(process.pid), "--for", "1")["counted"]
        if counted["switches"] is None:
            self.skipTest("switches may not be counted here")
        self.assertGreater(counted["switches"], 20)  # those of the first thread: none

    def test_interrupt_ends_the_watch_alone(self):
        process = self.sleeper()
        watch = self.start("--pid", str(process.pid))
        wait_for(lambda: os.path.exists(f"/proc/{watch.pid}/task") and
                 len(os.listdir(f"/proc/{watch.pid}/task")) > 1, "the watch")
        watch.send_signal(signal.SIGINT)
        _, err = watch.communicate(timeout=60)
        self.assertEqual(watch.returncode, 0)
        self.assertIn("Verdict:", err)
        self.assertIsNone(process.poll())

    def test_the_end_of_the_program_ends_the_watch(self):
        process = self.sleeper("sleep", "0.5")
        self.assertIn("watched", self.advise("--pid", str(process.pid)).stderr)

    def test_a_process_that_is_not_there(self):
        process = subprocess.Popen(["true"])
        process.wait()
        error = self.advise("--pid", str(process.pid), code=1).stderr
        self.assertIn(f"there is no process {process.pid}", error)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_a_process_of_another_user(self):
        process = self.sleeper()
        os.chmod(self.folder, 0o755)
        copy = self.path("urd")  # where that user can execute it
        subprocess.run(["cp", URD, copy], check=True)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copy,
                               "advise", "--pid", str(process.pid), "--for", "0.3"],
                              capture_output=True, text=True, timeout=60, env=environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("CAP_SYS_PTRACE", done.stderr)
        self.assertIn("not judged", done.stderr)


class BadUsage(Case):
    def test_words(self):
        for words, message in ((["--pid", "x", ], "--pid takes a number"),
                               (["--pid", "0"], "--pid takes a number"),
                               (["--pid", "1", "true"], "not both"),
                               ([], "which COMMAND"),
                               (["--for", "-1", "true"], "--for takes a number"),
                               (["--for"], "--for needs a value"),
                               (["--interval", "0", "true"], "--interval takes a number"),
                               (["--nonsense", "true"], "unknown option --nonsense"),
                               (["--try", "true"], "--try takes a file of jobs")):
            with self.subTest(words):
                error = self.advise(*words, code=2).stderr
                self.assertIn(message, error)
                self.assertIn("urd help advise", error)

    def test_a_command_that_is_not_there(self):
        error = self.advise("/no/such/command", code=127).stderr
        self.assertIn("cannot start /no/such/command: No such file", error)

    def test_a_command_that_cannot_be_executed(self):
        with open(self.path("data"), "w", encoding="utf-8") as file:
            file.write("no program\n")
        error = self.advise(self.path("data"), code=126).stderr
        self.assertIn("Permission denied", error)

    def test_a_report_that_cannot_be_written(self):
        error = self.advise("--html", "/no/such/folder/x.html", "sleep", "0.1", code=1).stderr
        self.assertIn("cannot write /no/such/folder/x.html", error)


if __name__ == "__main__":
    unittest.main()
