#!/usr/bin/env python3
"""ps.py - urd ps, on programs that are stuck, that run, and that are none of ours.

SPDX-License-Identifier: MIT

The command is named by the variable URD; the programs are linked with the library beside it.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

URD = os.path.abspath(os.environ.get("URD", "build/urd"))
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))
from doc_blocks import needed_by  # noqa: E402
PATIENCE_S = 60

PROGRAM = """
#include <stdio.h>
#include <string.h>
#include <urd.h>

static urd_mutex lock_a, lock_b;
static int held;

static int both(urd_mutex *first, urd_mutex *second)
{
    int rc = urd_mutex_lock(first);
    for (held++; held < 2;)
        urd_yield();
    rc = urd_mutex_lock(second);
    return rc;
}

static int takes_a(void *arg) { (void)arg; return both(&lock_a, &lock_b); }
static int takes_b(void *arg) { (void)arg; return both(&lock_b, &lock_a); }

static int spins(void *arg)
{
    (void)arg;
    for (volatile int i = 0;; i++)
        ;
}

static int boss(void *arg)
{
    urd_scope s;
    urd_job named;
    urd_scope_open(&s);
    urd_job_options o = {.name = "weaver"};
    if (strcmp(arg, "spin") == 0) {
        urd_job_open(&named, &s, URD_TASK, spins, NULL, 0, &o);
    } else {
        urd_go(&s, takes_a, NULL);
        urd_go(&s, takes_b, NULL);
    }
    return urd_scope_join(&s);
}

int main(int argc, char **argv)
{
    urd_config config = {.workers = 1, .deadlock = URD_DEADLOCK_OFF};
    return urd_run(&config, boss, argc > 1 ? argv[1] : "stick") != 0;
}
"""


def urd(*arguments):
    return subprocess.run([URD, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=PATIENCE_S, check=False)


class Case(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="urd-ps-")
        cls.addClassCleanup(cls.folder.cleanup)
        source = os.path.join(cls.folder.name, "stuck.c")
        cls.program = os.path.join(cls.folder.name, "stuck")
        with open(source, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        subprocess.run(["cc", "-g", "-O1", "-I", os.path.join(TOP, "include"), source,
                        os.path.join(os.path.dirname(URD), "liburdume.a"), "-o", cls.program,
                        "-pthread", "-ldl", "-lm", *needed_by(URD)], check=True)

    def start(self, *arguments, program=None):
        process = subprocess.Popen([program or self.program, *arguments],
                                   stdin=subprocess.DEVNULL)

        def stop():
            process.kill()
            process.wait()
        self.addCleanup(stop)
        return str(process.pid)

    def until(self, text, *arguments):
        """What the command prints, when that has `text` in it."""
        end = time.monotonic() + PATIENCE_S
        while True:
            done = urd("ps", *arguments)
            if text in done.stdout:
                return done
            self.assertLess(time.monotonic(), end, f"{text!r} does not appear in {done}")

    def test_a_stuck_program_is_listed(self):
        done = self.until("a ring of locks", self.start())
        self.assertEqual(done.returncode, 3)
        self.assertIn("NUMBER", done.stdout)
        for name in ("boss", "takes_a", "takes_b"):
            self.assertRegex(done.stdout, rf"\d+ +task +0 +{name} ")
        self.assertIn("stuck.c:", done.stdout)
        self.assertIn("(lock_a), held by job takes_a [", done.stdout)
        self.assertEqual(done.stderr, "")

    def test_the_tree_names_the_ring_and_the_stacks(self):
        done = self.until("a ring of locks", "--tree", "--stacks", self.start())
        self.assertEqual(done.returncode, 3)
        self.assertIn("nobody in it can go on", done.stdout)
        self.assertIn("scope of urd_run\n  job boss [0]", done.stdout)
        self.assertRegex(done.stdout, r"#\d+ takes_b at stuck\.c:\d+|#\d+ both at stuck\.c:\d+")

    def test_json_is_the_same_tree(self):
        pid = self.start()
        self.until("a ring of locks", pid)
        done = urd("ps", "--json", pid)
        self.assertEqual(done.returncode, 3)
        told = json.loads(done.stdout)
        self.assertEqual(told["pid"], int(pid))
        self.assertEqual(told["rings_of_locks"], 1)
        boss = told["tree"]["inside"][0]
        self.assertEqual((boss["name"], boss["kind"]), ("boss", "task"))
        jobs = boss["inside"][0]["inside"]
        self.assertEqual(sorted(job["name"] for job in jobs), ["takes_a", "takes_b"])
        for job in jobs:
            self.assertEqual(job["task"]["state"], "waiting")
            self.assertIn("mutex", job["task"]["waits_for"])

    def test_a_job_that_keeps_the_only_worker_is_seen_to_run(self):
        done = self.until("weaver", self.start("spin"))
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"task +0 +weaver .* -  runs\n")

    def test_a_stripped_program_is_listed_too(self):
        if not shutil.which("strip"):
            self.skipTest("no strip")
        bare = self.program + "-bare"
        subprocess.run(["strip", "-o", bare, self.program], check=True)
        done = self.until("held by job", self.start(program=bare))
        self.assertEqual(done.returncode, 3)

    def test_a_process_that_is_none_of_ours(self):
        done = urd("ps", str(os.getpid()))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("is not inside urd_run", done.stderr)

    def test_a_process_that_is_not_there(self):
        done = urd("ps", "4194300")
        self.assertEqual(done.returncode, 1)
        self.assertIn("does not exist", done.stderr)

    def test_bad_usage_is_2_and_says_why(self):
        for arguments, why in ((["ps"], "which process?"), (["ps", "x"], "PID takes"),
                               (["ps", "--thread", "1"], "there is no option --thread"),
                               (["ps", "1", "2"], "one process at a time")):
            done = urd(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)
            self.assertIn(why, done.stderr)

    def test_help_is_on_stdout(self):
        for arguments in (["help", "ps"], ["ps", "--help"]):
            done = urd(*arguments)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("usage: urd ps", done.stdout)


if __name__ == "__main__":
    unittest.main()
