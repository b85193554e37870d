#!/usr/bin/env python3
"""gdb.py - tools/urd-gdb.py on a live process and on a core file.

SPDX-License-Identifier: MIT

Skipped where gdb is missing, or may not look into processes.
"""
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

URD = os.path.abspath(os.environ.get("URD", "build/urd"))
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))
from doc_blocks import needed_by  # noqa: E402
SCRIPT = os.path.join(TOP, "tools", "urd-gdb.py")
SKIPPED = 77

PROGRAM = """
#include <stdio.h>
#include <unistd.h>
#include <urd.h>

static urd_chan never;

__attribute__((noinline)) static int receives(void *arg)
{
    int value, rc = urd_chan_recv(&never, &value);
    __asm__ volatile("" : "+r"(rc));
    return arg ? 1 : rc;
}

static int boss(void *arg)
{
    urd_scope s;
    urd_job named;
    urd_chan_init(&never, sizeof(int), NULL, 0);
    urd_scope_open(&s);
    urd_job_options o = {.name = "listener"};
    urd_job_open(&named, &s, URD_TASK, receives, NULL, 0, &o);
    urd_sleep(URD_MS);
    puts("ready");
    fflush(stdout);
    pause();
    return arg ? 1 : urd_scope_join(&s);
}

int main(void)
{
    return urd_run(&(urd_config){.workers = 1, .shared_bytes = 65536}, boss, NULL) != 0;
}
"""


def unlimited_core():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="urd-gdb-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        source = os.path.join(self.folder, "waits.c")
        self.program = os.path.join(self.folder, "waits")
        with open(source, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        subprocess.run(["cc", "-g", "-O1", "-I", os.path.join(TOP, "include"), source,
                        os.path.join(os.path.dirname(URD), "liburdume.a"), "-o", self.program,
                        "-pthread", "-ldl", "-lm", *needed_by(URD)], check=True)
        self.process = subprocess.Popen([self.program], cwd=self.folder, stdout=subprocess.PIPE,
                                        text=True, preexec_fn=unlimited_core)
        self.addCleanup(self.stop)
        self.assertEqual(self.process.stdout.readline(), "ready\n")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def gdb(self, *target):
        commands = [f"source {SCRIPT}", "info urd", "urd bt 2", "urd bt all", "urd bt 99"]
        done = subprocess.run(["gdb", "-q", "-nx", "-batch", *target,
                               *(word for c in commands for word in ("-ex", c))],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env={**os.environ, "DEBUGINFOD_URLS": ""}, timeout=120, check=False)
        return done.stdout + done.stderr

    def check(self, text):
        if "Operation not permitted" in text:
            self.skipTest("gdb may not look into processes here")
        self.assertRegex(text, r"worker 0 is thread \d+\n")
        self.assertRegex(text, r"\n +0  runs +boss\n")
        self.assertRegex(text, r"\n +2  waits +listener  started at .*waits\.c:\d+\n")
        self.assertRegex(text, r"#\d+ +receives at .*waits\.c:\d+\n")
        self.assertIn("there is no task 99", text)

    def test_a_live_process(self):
        self.check(self.gdb("-p", str(self.process.pid)))
        self.assertIsNone(self.process.poll())

    def test_a_core_file(self):
        self.process.send_signal(signal.SIGABRT)
        self.process.wait()
        cores = [name for name in os.listdir(self.folder) if name.startswith("core")]
        if not cores:
            self.skipTest("the system keeps no core files here")
        self.check(self.gdb(self.program, os.path.join(self.folder, cores[0])))


if __name__ == "__main__":
    if not shutil.which("gdb"):
        print("0 passed, 0 failed, 1 skipped")
        sys.exit(SKIPPED)
    unittest.main()
