#!/usr/bin/env python3
"""compare.py - the command urd, used as a user does: every output, and every way to fail.

SPDX-License-Identifier: MIT

The command is named by the variable URD.  Times are not judged, only what must hold on a busy
machine too: a wait takes at least as long as asked for, and waits overlap where they should.
"""
import ctypes
import glob
import hashlib
import json
import os
import re
import signal
import subprocess
import tempfile
import unittest
from html.parser import HTMLParser

URD = os.path.abspath(os.environ.get("URD", "build/urd"))
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = os.path.join(TOP, "examples", "compare")
MODELS = ["sequential", "task", "thread", "process"]

JOBS = """
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <urd_compare.h>
static pid_t first;
int urd_compare_jobs(int argc, char **argv)
{
    (void)argc, (void)argv;
    first = getpid();
    return %(count)s;
}
int urd_compare_prepare(struct urd_compare_job *jobs, int n)
{
    (void)first;
    for (int i = 0; i < n; i++)
        snprintf(jobs[i].label, sizeof jobs[i].label, "job-%%c", 'a' + i);
    return 0;
}
int urd_compare_job(void *arg)
{
    struct urd_compare_job *job = arg;
    (void)job;
    %(job)s
    return 0;
}
%(more)s
"""


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def environment(**more):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("URD", "LC_", "LANG"))}
    return {**clean, **more}


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="urd-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.scratch = self.path("scratch")
        os.mkdir(self.scratch)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def jobs(self, job="", count="3", more=""):
        return self.write("jobs.c", JOBS % {"job": job, "count": count, "more": more})

    def urd(self, *args, code=0, **env):
        done = subprocess.run([URD, *args], capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL,
                              env=environment(TMPDIR=self.scratch, **env))
        self.assertEqual(done.returncode, code, f"urd {' '.join(args)}\n{done.stdout}{done.stderr}")
        self.assertEqual(os.listdir(self.scratch), [], "the scratch folder was left behind")
        return done

    def compare(self, *args, **more):
        """The JSON of one run of each model."""
        file, *rest = args
        done = self.urd("compare", file, "--runs", "1", "--json", *rest, **more)
        report = json.loads(done.stdout)
        report["by"] = {m["model"]: m for m in report["models"]}
        report["stderr"] = done.stderr
        return report


class Command(Case):
    def test_version_says_what_it_is_and_what_it_found(self):
        out = self.urd("--version").stdout
        for line in (r"^urd \d+\.\d+\.\d+", r"^compiler +\S", r"^I/O backend +\S",
                     r"^workers +[1-9]", r"^stack guard +(madvise|mprotect)$"):
            self.assertRegex(out, re.compile(line, re.M))

    def test_help_names_every_option_and_exit_code(self):
        self.assertIn("urd compare", self.urd("--help").stdout)
        out = self.urd("help", "compare").stdout
        self.assertEqual(out, self.urd("compare", "--help").stdout)
        for word in ("--kind", "--runs", "--workers", "--timeout", "--html", "--json", "--cflags",
                     "--output", "124", "urd_compare_jobs"):
            self.assertIn(word, out)

    def test_bad_usage_is_named_and_ends_with_2(self):
        file = self.jobs()
        for args, message in (
                ([], "usage: urd COMMAND"),
                (["weave"], 'no command "weave"'),
                (["compare"], "which FILE"),
                (["compare", "a.txt"], "a.txt is neither a .c nor a .so file"),
                (["compare", self.path("none.c")], "No such file or directory"),
                (["compare", file, file], "one FILE at a time"),
                (["compare", file, "--speed"], "unknown option --speed"),
                (["compare", file, "--runs"], "--runs needs a value"),
                (["compare", file, "--runs", "0"], "--runs takes a number from 1"),
                (["compare", file, "--runs=2.5"], "--runs takes a whole number"),
                (["compare", file, "--workers", "x"], "--workers takes a number"),
                (["compare", file, "--timeout", "-1"], "--timeout takes a number"),
                (["compare", file, "--kind", "task,fiber"], 'not "fiber"'),
                (["compare", file, "--kind", ""], "--kind needs at least one"),
                (["compare-run"], "only urd compare can start this")):
            with self.subTest(args=args):
                self.assertIn(message, self.urd(*args, code=2).stderr)


class Output(Case):
    bolo = os.path.join(EXAMPLES, "bolo.c")

    def test_json_of_bolo_says_that_it_waits(self):
        report = self.compare(self.bolo, "--", "0.3")
        self.assertEqual([m["model"] for m in report["models"]], MODELS)
        self.assertEqual((report["jobs"], report["runs"], report["file"]), (2, 1, "bolo.c"))
        self.assertEqual(report["verdict"]["class"], "waiting")
        sequential = report["by"]["sequential"]["wall_ns"]
        self.assertGreaterEqual(sequential, 600_000_000)
        for model in report["models"]:
            with self.subTest(model=model["model"]):
                self.assertTrue(model["ok"])
                self.assertIsNone(model["error"])
                self.assertGreaterEqual(model["wall_ns"], 300_000_000)
                self.assertLessEqual(model["wall_ns"], sequential)
                self.assertEqual(model["walls_ns"], [model["wall_ns"]])
                self.assertAlmostEqual(model["speedup"], sequential / model["wall_ns"], places=3)
                self.assertAlmostEqual(model["cores_used"], model["cpu_ns"] / model["wall_ns"],
                                       places=3)
                self.assertEqual(model["cpu_ns"], model["cpu_user_ns"] + model["cpu_system_ns"])
                self.assertGreater(model["waiting"], 0.8)
                self.assertGreater(model["memory_peak_bytes"], 50_000)
                self.assertGreater(model["startup_ns"], 0)
                self.check_timeline(model)
        starts = [j["started_ns"] for j in report["by"]["sequential"]["timeline"]]
        self.assertGreaterEqual(starts[1] - starts[0], 300_000_000)

    def check_timeline(self, model):
        self.assertEqual([j["label"] for j in model["timeline"]], ["chocolate", "cenoura"])
        for job in model["timeline"]:
            self.assertGreaterEqual(job["started_ns"], job["spawned_ns"])
            self.assertGreaterEqual(job["ended_ns"], job["started_ns"] + 300_000_000)
            self.assertLessEqual(job["ended_ns"], model["wall_ns"])
            at = job["started_ns"]
            for begin, end, running, ready in job["stretches"]:
                self.assertEqual(begin, at)
                self.assertGreaterEqual(running, 0)
                self.assertLessEqual(running + ready, 1.011)  # rounded to hundredths
                at = end
            self.assertEqual(at, job["ended_ns"])

    def test_table_is_aligned_and_has_a_row_for_each_model(self):
        out = self.urd("compare", self.bolo, "--runs", "1", "--", "0.3").stdout
        self.assertNotIn("\033", out)
        lines = out.splitlines()
        first = next(i for i, line in enumerate(lines) if line.startswith("model "))
        for row, name in enumerate(["sequential", "tasks", "threads", "processes"], first + 1):
            self.assertTrue(lines[row].startswith(name), lines[row])
            self.assertEqual(len(lines[row]), len(lines[first]))
        self.assertIn("Verdict: I/O-bound", out)
        self.assertIn("Expect: ", out)
        for column in ("wall", "CPU", "speed-up", "cores used", "peak memory", "start-up/job",
                       "waiting"):
            self.assertIn(column, lines[first])

    def test_portuguese_where_the_locale_says_so(self):
        args = ["compare", self.bolo, "--runs", "1", "--", "0.3"]
        out = self.urd(*args, LANG="pt_BR.UTF-8").stdout
        for word in ("modelo", "tarefas", "processos", "Veredito: limitado por E/S", "Espere: "):
            self.assertIn(word, out)
        self.assertRegex(out, r"\d,\d\dx")
        self.assertIn("Verdict", self.urd(*args, LANG="pt_BR.UTF-8", LC_ALL="C").stdout)

    def test_kind_picks_the_models_and_runs_their_number(self):
        report = json.loads(self.urd("compare", self.bolo, "--kind", "thread,sequential", "--json",
                                     "--runs", "3", "--", "0.01").stdout)
        self.assertEqual([m["model"] for m in report["models"]], ["sequential", "thread"])
        for model in report["models"]:
            walls = sorted(model["walls_ns"])
            self.assertEqual(len(walls), 3)
            self.assertEqual(model["wall_ns"], walls[1])
        alone = self.compare(self.bolo, "--kind", "task", "--", "0.01")
        self.assertEqual(alone["verdict"]["class"], "unknown")
        self.assertIsNone(alone["by"]["task"]["speedup"])

    def test_json_goes_to_a_file_and_the_table_stays(self):
        path = self.path("out.json")
        done = self.urd("compare", self.bolo, "--runs", "1", "--json", path, "--", "0.01")
        self.assertIn("Verdict", done.stdout)
        self.assertEqual(json.loads(read(path))["jobs"], 2)
        done = self.urd("compare", "--json", self.bolo, "--runs", "1", "--", "0.01")
        self.assertEqual(json.loads(done.stdout)["jobs"], 2)

    def test_files_that_cannot_be_written_are_named(self):
        for option in ("--json", "--html"):
            path = self.path("none/out")
            done = self.urd("compare", self.bolo, "--runs", "1", option, path, "--", "0.01", code=1)
            self.assertIn(f"cannot write {path}: No such file or directory", done.stderr)

    def test_output_of_the_jobs_is_shown_only_on_request(self):
        args = ["compare", self.bolo, "--runs", "1", "--kind", "task"]
        self.assertNotIn("Fazendo", self.urd(*args, "--", "0.01").stdout)
        self.assertIn("Bolo cenoura feito!", self.urd(*args, "--output", "--", "0.01").stdout)


class Page(HTMLParser):
    """What a browser would find: the text of scripts and headings, and every address."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.data, self.texts, self.tags, self.lang = [], None, {}, [], None
        self.open = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.addresses += [v for k, v in attrs.items() if k in ("src", "href")]
        self.lang = attrs.get("lang", self.lang)
        self.open.append(attrs.get("id") or tag)

    def handle_endtag(self, tag):
        while self.open:
            if self.open.pop() in (tag, "data", "page"):
                break

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data


class Html(Case):
    title = 'cut </script><b id=\\"x\\">short & \\xff\u00e9'

    def page(self, file, *args, **env):
        path = self.path("page.html")
        self.urd("compare", file, "--runs", "1", "--html", path, *args, **env)
        text = read(path)
        return text, Page(text)

    def test_page_has_all_data_and_needs_no_network(self):
        text, page = self.page(Output.bolo, "--", "0.3")
        self.assertEqual(page.addresses, [])
        text = text.replace("http://www.w3.org/2000/svg", "")  # a name, not an address
        self.assertNotRegex(text, r"https?://|@import|url\(")
        self.assertNotIn("{{", text)
        data = json.loads(page.texts["data"])
        self.assertEqual(data["verdict"]["class"], "waiting")
        for model in data["models"]:
            self.assertEqual(len(model["shown"]), len(data["text"]["headings"]))
            self.assertEqual(len(model["timeline"]), 2)
        self.assertEqual(page.lang, "en")
        self.assertIn("Verdict: I/O-bound", page.texts["pre"])

    def test_page_speaks_the_language_of_the_locale(self):
        _, page = self.page(Output.bolo, "--", "0.02", LANG="pt_BR.UTF-8")
        self.assertEqual(page.lang, "pt-BR")
        self.assertEqual(json.loads(page.texts["data"])["text"]["verdict"], "Veredito")

    def test_names_cannot_break_out_of_the_page(self):
        file = self.jobs(more=f'const char *const urd_compare_title = "{self.title}";',
                         job='snprintf(job->label, 32, "</script><i>");')
        text, page = self.page(file)
        self.assertNotIn("b", page.tags)
        self.assertNotIn("i", page.tags)
        data = json.loads(page.texts["data"])
        self.assertEqual(data["title"], 'cut </script><b id="x">short & ?\u00e9')
        self.assertEqual(data["models"][0]["timeline"][0]["label"], "</script><i>")
        self.assertEqual(text.count("</script>"), 2)

    def test_page_shows_a_model_that_failed(self):
        file = self.jobs(job="return getpid() == first ? 0 : -EIO;")
        path = self.path("page.html")
        self.urd("compare", file, "--runs", "1", "--html", path, code=1)
        data = json.loads(Page(read(path)).texts["data"])
        self.assertEqual([m["ok"] for m in data["models"]], [True, True, True, False])
        self.assertIn("Input/output error", data["models"][3]["error"])


class Files(Case):
    def test_shared_objects_are_taken_as_they_are(self):
        source = self.jobs(count="argc", more="")
        subprocess.run([os.environ.get("CC", "cc").split()[0], "-shared", "-fPIC", "-I",
                        os.path.join(TOP, "include"), source, "-o", self.path("jobs.so")],
                       check=True)
        report = self.compare(self.path("jobs.so"), "--", "x", "--", "-y", "z")
        self.assertEqual((report["jobs"], report["file"]), (4, "jobs.so"))

    def test_directive_and_cflags_reach_the_compiler(self):
        file = self.write("jobs.c", "/* urd-compare: cflags=-DA=2 -DB=3 libs=-lm */\n" +
                          JOBS % {"count": "A + B + C", "more": "#include <math.h>",
                                  "job": "volatile double x = 2; job->result = (long)cbrt(x);"})
        report = self.compare(file, "--cflags", "-DC=4", "--kind", "sequential,task")
        self.assertEqual(report["jobs"], 9)

    def test_a_file_that_does_not_compile_shows_the_compilers_errors(self):
        file = self.write("jobs.c", "int urd_compare_jobs(int c, char **v) { return soup; }\n")
        error = self.urd("compare", file, code=2).stderr
        self.assertRegex(error, r"jobs\.c:1:\d+: .*soup")
        self.assertIn("jobs.c does not compile", error)

    def test_a_compiler_that_is_not_there_is_named(self):
        error = self.urd("compare", self.jobs(), code=2, CC="no-such-compiler").stderr
        self.assertIn("cannot run the compiler no-such-compiler: No such file", error)

    def test_a_missing_function_is_named(self):
        for missing, text in (
                ("urd_compare_job(", "int urd_compare_jobs(int c, char **v) { return !c + !v; }"),
                ("urd_compare_jobs(", "int urd_compare_job(void *arg) { return !arg; }")):
            with self.subTest(missing=missing):
                error = self.urd("compare", self.write("jobs.c", text + "\n"), code=2).stderr
                self.assertIn("it does not define int " + missing, error)

    def test_an_unknown_symbol_is_named(self):
        file = self.jobs(job="return soup();", more="", count="2")
        text = read(file).replace("static pid_t", "int soup(void);\nstatic pid_t")
        error = self.urd("compare", self.write("jobs.c", text), code=2).stderr
        self.assertIn("undefined symbol: soup", error)

    def test_a_number_of_jobs_that_cannot_be_is_refused(self):
        self.assertIn("urd_compare_jobs returned 0",
                      self.urd("compare", self.jobs(count="0"), code=2).stderr)
        self.assertIn("Permission denied",
                      self.urd("compare", self.jobs(count="-EACCES"), code=2).stderr)

    def test_a_crash_before_any_job_says_so(self):
        error = self.urd("compare", self.jobs(count="raise(SIGSEGV)"), code=2).stderr
        self.assertIn("killed by SIGSEGV outside of any job", error)


class Failures(Case):
    def fails(self, job, expected, code=1, options=(), **more):
        """Every model fails, and says the same of it."""
        done = self.urd("compare", self.jobs(job, **more), "--runs", "1", *options, code=code)
        for model in MODELS:
            lines = [line for line in done.stderr.splitlines() if f": as {model}: " in line]
            line = lines[0] if lines else ""
            self.assertRegex(line, expected, f"as {model}\n{done.stderr}")
        return done

    def test_a_job_that_fails_is_named_with_its_errno_in_words(self):
        self.fails("if (job->index == 1) return -ENOENT;",
                   r"job 1 \(job-b\) failed: No such file or directory \(-ENOENT\)$")
        self.fails("if (job->index > 0) return -ENOMEM;",
                   r"job 1 \(job-b\) failed: .*memory \(-ENOMEM\), and 1 other jobs failed too$")

    def test_a_job_that_crashes_is_named_with_its_signal(self):
        nap = "urd_sleep(URD_MS * 100);"
        self.fails("if (job->index == 1) { raise(SIGSEGV); } " + nap,
                   r"job 1 \(job-b\) was killed by SIGSEGV")
        self.fails("if (job->index == 2) { abort(); } " + nap,
                   r"job 2 \(job-c\) was killed by SIGABRT")
        self.fails("if (job->index == 0) { *(volatile int *)8 = 1; } " + nap,
                   r"job 0 \(job-a\) was killed by SIGSEGV")

    def test_a_task_that_overruns_its_stack_keeps_the_runtimes_report(self):
        deep = """static int deep(int n)
        {
            volatile char room[1024];
            for (int i = 0; i < 1024; i++) room[i] = (char)n;
            return deep(n + 1) + room[n % 1024];
        }
        int urd_compare_job(void *arg);"""
        text = read(self.jobs("return deep(job->index);"))
        file = self.write("jobs.c", text.replace("int urd_compare_job(void *arg)\n",
                                                 deep + "\nint urd_compare_job(void *arg)\n"))
        error = self.urd("compare", file, "--kind", "task", "--runs", "1", "--cflags",
                         "-Wno-infinite-recursion -O0", "--timeout", "20", code=1).stderr
        self.assertRegex(error, r"as task: job \d .*was killed by SIG")
        self.assertRegex(error, r"urd: stack overflow in task")

    def test_what_the_jobs_said_last_is_shown(self):
        done = self.fails('fprintf(stderr, "no soup %d\\n", job->index); return -EIO;', "failed")
        self.assertIn("  | no soup 0\n", done.stderr)

    def test_a_job_that_exits_is_named(self):
        for kind in ("sequential", "thread", "task"):
            error = self.urd("compare", self.jobs("if (job->index == 1) exit(3); usleep(100000);"),
                             "--runs", "1", "--kind", kind, code=1).stderr
            self.assertRegex(error, rf"as {kind}: job \d .*ended the program with exit code 3")

    def test_a_process_that_exits_is_named(self):
        error = self.urd("compare", self.jobs("if (job->index == 1) exit(3);"), "--runs", "1",
                         "--kind", "process", code=1).stderr
        self.assertRegex(error, r"as process: job 1 \(job-b\) was exited with code 3|"
                                r"as process: job 1 \(job-b\) exited with code 3")

    def test_a_job_that_hangs_is_ended_and_named(self):
        self.fails("while (job->index == 1) usleep(1000);",
                   r"timed out: job 1 \(job-b\).* had not ended after 0\.7 s$", code=124,
                   options=("--timeout", "0.7"))

    def test_a_model_that_fails_does_not_hide_the_others(self):
        done = self.urd("compare", self.jobs("return getpid() == first ? 0 : -EIO;"), "--runs", "2",
                        code=1)
        self.assertEqual(done.stderr.count(": as "), 1)
        rows = {line.split()[0]: line for line in done.stdout.splitlines() if line}
        self.assertIn("failed", rows["processes"])
        for name in ("sequential", "tasks", "threads"):
            self.assertNotIn("failed", rows[name])

    def test_wrong_results_fail(self):
        self.fails("job->result = job->index;", r"urd_compare_check says the results are wrong: ",
                   more="int urd_compare_check(const struct urd_compare_job *jobs, int n)"
                        "{ return jobs[n - 1].result == n - 1 ? -EDOM : 0; }")

    def test_a_failing_prepare_is_named(self):
        text = read(self.jobs()).replace("return 0;\n}\nint urd_compare_job(",
                                         "return -ENOSPC;\n}\nint urd_compare_job(")
        error = self.urd("compare", self.write("jobs.c", text), "--runs", "1", code=1).stderr
        self.assertEqual(error.count("urd_compare_prepare failed: No space left on device"), 4)

    def hang(self, kind):
        """A running urd, all of whose orphans would come to us."""
        libc = ctypes.CDLL(None)
        libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
        self.addCleanup(libc.prctl, 36, 0, 0, 0, 0)
        file = self.jobs("FILE *f = fopen(job->argv[0], \"w\"); fclose(f); for (;;) pause();")
        mark = self.path("started-" + kind)
        os.mkfifo(mark)
        process = subprocess.Popen([URD, "compare", file, "--kind", kind, "--", mark],
                                   env=environment(TMPDIR=self.scratch), stderr=subprocess.DEVNULL)
        read(mark)  # until a job has opened and closed it
        return process

    def test_an_interrupt_ends_everything(self):
        process = self.hang("process")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=60), 130)
        self.assertEqual(os.listdir(self.scratch), [])
        with self.assertRaises(ChildProcessError):
            os.waitpid(-1, 0)

    def test_nothing_runs_on_when_the_command_is_killed(self):
        for kind in ("thread", "process"):
            process = self.hang(kind)
            process.kill()
            self.assertEqual(process.wait(timeout=60), -signal.SIGKILL)
            signal.signal(signal.SIGALRM, lambda *_: self.fail(f"as {kind}: something runs on"))
            signal.alarm(20)
            with self.assertRaises(ChildProcessError):
                while True:
                    os.waitpid(-1, 0)
            signal.alarm(0)


class Work(Case):
    def check_all_good(self, report):
        for model in report["models"]:
            self.assertTrue(model["ok"], f"{model['model']}: {model['error']}\n{report['stderr']}")

    def test_shared_memory_reaches_every_model(self):
        file = self.write("jobs.c", """
            #include <errno.h>
            #include <urd_compare.h>
            static long *sum;
            int urd_compare_jobs(int argc, char **argv) { (void)argv; return argc + 4; }
            int urd_compare_prepare(struct urd_compare_job *jobs, int n)
            {
                sum = urd_shared_alloc(sizeof *sum);
                for (int i = 0; i < n; i++)
                    jobs[i].shared = sum;
                return sum ? 0 : -ENOMEM;
            }
            int urd_compare_job(void *arg)
            {
                struct urd_compare_job *job = arg;
                for (int i = 0; i < 1000; i++)
                    __atomic_fetch_add((long *)job->shared, 1, __ATOMIC_RELAXED);
                return 0;
            }
            int urd_compare_check(const struct urd_compare_job *jobs, int n)
            {
                (void)jobs;
                return *sum == n * 1000 ? 0 : -EDOM;
            }""")
        self.check_all_good(self.compare(file))

    def test_peak_memory_is_that_of_the_whole_tree(self):
        file = self.jobs("char *p = malloc(1 << 24); memset(p, 1, 1 << 24);"
                         "urd_sleep(URD_MS * 300);"
                         "job->result = p[job->index]; free(p);", count="2")
        report = self.compare(file)
        self.check_all_good(report)
        for model, chunks in (("sequential", 1), ("task", 2), ("thread", 2), ("process", 2)):
            memory = report["by"][model]["memory_peak_bytes"]
            self.assertGreater(memory, chunks << 24, model)
            self.assertLess(memory, (chunks + 1) << 24, model)

    def test_primes_are_counted_right_by_every_model(self):
        report = self.compare(os.path.join(EXAMPLES, "primes.c"), "--", "300000")
        self.check_all_good(report)
        self.assertEqual(report["jobs"], 8)
        self.assertGreater(report["by"]["sequential"]["cpu_ns"], 0)
        self.assertLess(report["by"]["sequential"]["waiting"], 0.5)

    def test_counter_is_right_by_every_model(self):
        self.check_all_good(self.compare(os.path.join(EXAMPLES, "counter_locked.c"), "--", "3000"))

    def test_hash_files_agrees_with_another_sha256(self):
        tree = self.path("tree")
        os.makedirs(os.path.join(tree, "deep er"))
        total = bytes(32)
        for name, size in (("empty", 0), ("a", 1), ("deep er/large", 300_001), ("deep er/b", 4096)):
            content = bytes(i * 7 % 251 for i in range(size))
            with open(os.path.join(tree, name), "wb") as file:
                file.write(content)
            one = hashlib.sha256(content).digest()
            total = bytes(a ^ b for a, b in zip(total, one))
        file = os.path.join(EXAMPLES, "hash_files.c")
        done = self.urd("compare", file, "--runs", "1", "--output", "--", tree, "3")
        self.assertEqual(done.stdout.count(total.hex()), 4, done.stdout)

    def test_hash_files_says_what_it_needs(self):
        file = os.path.join(EXAMPLES, "hash_files.c")
        self.assertIn("which folder?", self.urd("compare", file, code=2).stderr)
        error = self.urd("compare", file, "--", self.path("no"), code=2).stderr
        self.assertIn("No such file", error)


if __name__ == "__main__":
    unittest.main()
