#!/usr/bin/env python3
"""programs.py - the labelled set: what is run, what is right to say of it, and its surroundings.

SPDX-License-Identifier: MIT

A verdict is the class in the report's JSON, and a model one of task, thread, process, as-is.  Where
two answers are right, both stand there, with the reason.
"""
import atexit
import contextlib
import dataclasses
import http.server
import os
import shutil
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILT = os.path.abspath(os.environ.get("URD_PROGRAMS", os.path.join(TOP, "build", "test")))
PACKAGES = ["bzip2", "xz-utils", "zstd", "make", "gcc", "curl", "wget", "nodejs", "postgresql",
            "postgresql-client", "redis-server", "default-jdk-headless", "golang-go", "nginx-light",
            "perl", "gawk"]
PYTHON = sys.executable


def nothing():
    pass


@dataclasses.dataclass
class Case:
    """One program; see the head comment of this file."""
    name: str
    command: list
    verdicts: tuple
    models: tuple
    quick: bool = False
    needs: tuple = ()
    options: tuple = ()
    stdin: str = ""  # "pipe": one to which nothing is written; "terminal": one in which none types
    prepare: object = nothing


SLEEP_THREADS = """
import threading, time
def worker(): time.sleep(1.5)
threads = [threading.Thread(target=worker) for _ in range(5)]
[t.start() for t in threads]; [t.join() for t in threads]
"""
SLEEP_PROCESSES = """
import multiprocessing, time
def worker(): time.sleep(1.5)
if __name__ == "__main__":
    jobs = [multiprocessing.Process(target=worker) for _ in range(5)]
    [j.start() for j in jobs]; [j.join() for j in jobs]
"""
SLEEP_ASYNCIO = """
import asyncio
async def worker(): await asyncio.sleep(1.5)
async def main(): await asyncio.gather(*[worker() for _ in range(5)])
asyncio.run(main())
"""
CPU_THREADS = """
import threading
def worker():
    s = 0
    for i in range(6_000_000): s += i * i
threads = [threading.Thread(target=worker) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
"""
CPU_PROCESSES = """
import multiprocessing
def worker(n):
    s = 0
    for i in range(8_000_000): s += i * i
if __name__ == "__main__":
    jobs = [multiprocessing.Process(target=worker, args=(0,)) for _ in range(4)]
    [j.start() for j in jobs]; [j.join() for j in jobs]
"""
CPU_ALONE = "s = 0\nfor i in range(15_000_000): s += i * i\n"
HELD_LOCK = """
import threading, time
lock = threading.Lock()
def worker():
    for _ in range(4):
        with lock: time.sleep(0.1)
threads = [threading.Thread(target=worker) for _ in range(5)]
[t.start() for t in threads]; [t.join() for t in threads]
"""
SIMPLE_QUEUE = """
import queue, threading, time
work = queue.SimpleQueue()
def worker():
    while work.get():
        time.sleep(0.01)
threads = [threading.Thread(target=worker) for _ in range(4)]
[t.start() for t in threads]
for i in range(1, 16): work.put(i); time.sleep(0.1)
[work.put(0) for t in threads]; [t.join() for t in threads]
"""
HELD_GIL = """
import ctypes, threading
c = ctypes.PyDLL(None)
def worker():
    for _ in range(10): c.usleep(50_000)
threads = [threading.Thread(target=worker) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
"""
QUEUE_IDLE = """
import queue, threading, time
q = queue.Queue()
def worker():
    while q.get() is not None: pass
threads = [threading.Thread(target=worker) for _ in range(8)]
[t.start() for t in threads]
[(time.sleep(0.5), q.put(1)) for _ in range(4)]
[q.put(None) for _ in threads]; [t.join() for t in threads]
"""
URLS = """
import sys, urllib.request
for _ in range(3): urllib.request.urlopen(sys.argv[1]).read()
"""
URLS_THREADS = """
import sys, urllib.request
from concurrent.futures import ThreadPoolExecutor
def get(_): return urllib.request.urlopen(sys.argv[1]).read()
with ThreadPoolExecutor(6) as pool: list(pool.map(get, range(12)))
"""
ASYNC_CLIENT = """
import asyncio, sys
async def get():
    r, w = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    w.write(b"GET / HTTP/1.0\\r\\n\\r\\n"); await r.read(); w.close()
async def main(): await asyncio.gather(*[get() for _ in range(10)])
asyncio.run(main())
"""
NODE_CPU = "let s=0; for (let i=0;i<1.5e9;i++) s+=i%7; console.log(s)"
NODE_TIMERS = "for (let i=0;i<5;i++) setTimeout(()=>{}, 1500)"
NODE_HTTP = """
const http = require('http');
for (let i = 0; i < 5; i++) http.get(process.argv[1], r => r.resume());
"""
JAVA = """
public class Main {
    static Object lock = new Object();
    static double sum = 0;
    static void work(int n) { for (int i = 1; i < n; i++) sum += 1.0 / i; }
    public static void main(String[] a) throws Exception {
        Thread[] t = new Thread[4];
        int n = a[0].equals("one") || a[0].equals("all") ? 1 : 4;
        if (a[0].equals("all")) n = 4;
        for (int i = 0; i < n; i++) {
            t[i] = new Thread(() -> {
                try {
                    if (a[0].equals("sleep")) { Thread.sleep(2000); return; }
                    if (a[0].equals("lock"))
                        for (int k = 0; k < 250; k++) synchronized (lock) { work(3000000); }
                    else {
                        double s = 0;
                        for (long k = 1; k < 1500000000L; k++) s += 1.0 / k;
                        sum = s;
                    }
                } catch (InterruptedException e) { }
            });
            t[i].start();
        }
        for (int i = 0; i < n; i++) t[i].join();
    }
}
"""
GO = """
package main

import ("io"; "net/http"; "os"; "sync"; "time")

var sum uint64

func work(n int) {
	x := uint64(1)
	for i := 0; i < n; i++ { x = x*6364136223846793005 + 1 }
	sum = x
}

func main() {
	var wait sync.WaitGroup
	var lock sync.Mutex
	n := 4
	if os.Args[1] == "one" { n = 1 }
	for i := 0; i < n; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			switch os.Args[1] {
			case "sleep": time.Sleep(2 * time.Second)
			case "http": r, e := http.Get(os.Args[2]); if e == nil { io.ReadAll(r.Body) }
			case "lock": for k := 0; k < 100; k++ { lock.Lock(); work(8000000); lock.Unlock() }
			default: work(2500000000)
			}
		}()
	}
	wait.Wait()
}
"""
MAKEFILE = """
all: $(patsubst %,out%.o,1 2 3 4 5 6 7 8)
out%.o: big.c
\t$(CC) -O2 -c $< -o $@
"""

# ---- surroundings --------------------------------------------------------------------------------


class Slow(http.server.BaseHTTPRequestHandler):
    """Answers after half a second, in pieces."""
    protocol_version = "HTTP/1.0"

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        for _ in range(4):
            time.sleep(0.25)
            self.wfile.write(b"x" * 1000)

    def log_message(self, *args):
        pass


servers = []


def slow_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def keep_running(words, **more):
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    servers.append(process)
    return process


def stop_servers():
    for process in servers:
        if process.poll() is None:
            process.terminate()
            process.wait()
    servers.clear()


atexit.register(stop_servers)


@contextlib.contextmanager
def surroundings(case):
    """The standard input of a case, for as long as it runs."""
    if case.stdin == "pipe":
        read, write = os.pipe()
        closer = threading.Timer(2, os.close, [write])
        closer.start()
        yield read
        closer.join()
        os.close(read)
    elif case.stdin == "terminal":
        master, slave = os.openpty()
        ender = threading.Timer(2, os.write, [master, b"\x04"])
        ender.start()
        yield slave
        ender.join()
        os.close(slave)
        os.close(master)
    else:
        yield subprocess.DEVNULL


def install():
    subprocess.run(["apt-get", "update"], check=True, stdout=subprocess.DEVNULL)
    for package in PACKAGES:  # one by one: what a system does not have is skipped
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", package],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


class Data:
    """Files and servers that cases need, made when the first of them does."""

    def __init__(self, folder):
        self.folder, self.done = folder, set()

    def path(self, name):
        return os.path.join(self.folder, name)

    def once(self, name):
        new = name not in self.done
        self.done.add(name)
        return new

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def big(self):
        """80 MB that compress as text does."""
        if not self.once("big"):
            return
        words = [f"{n * 2654435761 % 999983:x}" for n in range(4000)]
        with open(self.path("big"), "w", encoding="utf-8") as file:
            state = 1
            for _ in range(120_000):
                line = []
                for _ in range(110):
                    state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
                    line.append(words[(state >> 33) % len(words)])
                file.write(" ".join(line) + "\n")

    def make(self):
        """Eight copies of a file that takes the compiler about half a second."""
        body = "\n".join(f"int f{i}(int x) {{ int s = 0; for (int i = 0; i < x; i++) "
                         f"s += (i ^ {i}) * x % (s + {i + 3}); return s; }}" for i in range(1200))
        self.write("big.c", body)
        self.write("Makefile", MAKEFILE)
        for n in range(1, 9):
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.path(f"out{n}.o"))

    def simple_queue(self):
        self.write("simple_queue.py", SIMPLE_QUEUE)

    def java(self):
        if self.once("java"):
            self.write("Main.java", JAVA)
            subprocess.run(["javac", "Main.java"], cwd=self.folder, check=True)

    def go(self):
        if self.once("go"):
            self.write("main.go", GO)
            go = shutil.which("go") or "/usr/local/go/bin/go"
            subprocess.run([go, "build", "-o", self.path("gomain"), self.path("main.go")],
                           check=True, cwd=self.folder,
                           env={**os.environ, "GOFLAGS": "-mod=mod", "GO111MODULE": "off"})

    def postgres(self):
        if not self.once("postgres"):
            return
        programs = sorted(os.listdir("/usr/lib/postgresql"))[-1]
        binary = f"/usr/lib/postgresql/{programs}/bin"
        home = self.path("pg")
        os.makedirs(home)
        os.chmod(self.folder, 0o755)
        shutil.chown(home, "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        subprocess.run([*as_user, f"{binary}/initdb", "-D", f"{home}/data", "-A", "trust"],
                       check=True, stdout=subprocess.DEVNULL, cwd="/")
        keep_running([*as_user, f"{binary}/postgres", "-D", f"{home}/data", "-k", home, "-p",
                      "24329", "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"], cwd="/")
        for _ in range(300):
            if subprocess.run(["psql", "-h", "127.0.0.1", "-p", "24329", "-U", "postgres", "-c",
                               "select 1"], capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        subprocess.run(["pgbench", "-i", "-h", "127.0.0.1", "-p", "24329", "-U", "postgres",
                        "postgres"], check=True, capture_output=True)

    def redis(self):
        if self.once("redis"):
            keep_running(["redis-server", "--port", "23799", "--save", "", "--appendonly", "no"],
                         cwd=self.folder)
            time.sleep(1)

    def nginx(self):
        self.write("nginx.conf", f"pid {self.path('nginx.pid')}; error_log /dev/null; daemon off; "
                   "events {} http { access_log off; server { listen 127.0.0.1:24380; } }")

    @staticmethod
    def cold():
        with contextlib.suppress(OSError):
            subprocess.run(["sync"], check=False)
            with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
                file.write("3")


# ---- the set -------------------------------------------------------------------------------------


def python(text, *words):
    return [PYTHON, "-c", text, *words]


def built(name, *words):
    return [os.path.join(BUILT, f"advise_{name}"), *words]


def quick_cases():
    return [
        Case("sleep", ["sleep", "1"], ("timer",), ("task",)),
        Case("shell-waits-for-sleeps", ["sh", "-c", "sleep 1 & sleep 1 & wait"], ("timer",),
             ("task",)),
        Case("pipe-that-says-nothing", ["cat"], ("pipe",), ("task",), stdin="pipe"),
        Case("c-computes", built("compute", "1", "700"), ("cpu",), ("thread",)),
        Case("c-computes-on-all-cores", built("compute", str(max(2, os.cpu_count() or 2)), "700"),
             ("cpu",), ("as-is",)),
        Case("c-contended-mutex", built("mutex", "2"), ("lock",), ("process",)),
        Case("c-idle-pool", built("idle_pool", "1"), ("idle",), ("as-is",)),
        Case("c-full-event-loop", built("loop", "1"), ("cpu",), ("thread",)),
        # Two phases that compute and one, longer or shorter by how long these wait for a core,
        # that waits for time: the longest decides what fits.
        Case("c-phases", built("phases", "0.6"), ("phases",), ("task", "thread")),
        Case("python-threads-sleep", python(SLEEP_THREADS), ("timer",), ("task",)),
        Case("python-processes-sleep", python(SLEEP_PROCESSES), ("timer",), ("task",)),
        Case("python-asyncio-sleeps", python(SLEEP_ASYNCIO), ("timer",), ("as-is",)),
        Case("python-threads-compute", python(CPU_THREADS), ("gil",), ("process",)),
        Case("python-lock-held", python(HELD_LOCK), ("lock",), ("process",)),
    ]


def tool_cases(d):
    big = d.path("big")
    cpu = {"verdicts": ("cpu",), "models": ("thread",), "prepare": d.big}
    server = f"http://127.0.0.1:{d.port}/"
    return [
        # Its workers wait for work, in a call that has no frame of its own.
        Case("python-simple-queue", [PYTHON, d.path("simple_queue.py")], ("timer",),
             ("task",), prepare=d.simple_queue),
        Case("gzip", ["gzip", "-9", "-c", big], needs=("gzip",), **cpu),
        Case("bzip2", ["bzip2", "-k", "-c", big], needs=("bzip2",), **cpu),
        Case("xz", ["xz", "-1", "-T1", "-k", "-c", big], needs=("xz",), **cpu),
        Case("xz-on-all-cores", ["xz", "-1", "-T2", "--block-size=4MiB", "-k", "-c", big], ("cpu",),
             ("as-is",), needs=("xz",), prepare=d.big),
        Case("zstd", ["zstd", "-9", "--single-thread", "-k", "-c", big], needs=("zstd",), **cpu),
        Case("sha256sum", ["sha256sum", *[big] * 12], **cpu),
        Case("md5sum", ["md5sum", *[big] * 12], **cpu),
        Case("b2sum", ["b2sum", *[big] * 12], **cpu),
        Case("cksum", ["cksum", *[big] * 20], **cpu),
        Case("sort", ["sort", "--parallel=1", "-o", "/dev/null", big], **cpu),
        Case("sort-by-number", ["sort", "-k", "7", "--parallel=1", "-o", "/dev/null", big], **cpu),
        Case("wc", ["wc", *[big] * 4], **cpu),
        Case("grep", ["grep", "-cE", "(ab|cd)+[0-9]{4}e", *[big] * 4], **cpu),
        Case("sed", ["sed", "s/[a-f][0-9]*/x/g", big], **cpu),
        Case("awk", ["awk", "{ s += length($3) * NF } END { print s }", big, big], **cpu),
        # An interpreter of one thread: threads in no useful way, so processes are right too.
        Case("perl", ["perl", "-e", "$s += $_ % 7 for 1..20_000_000"], ("cpu",),
             ("thread", "process"), needs=("perl",)),
        Case("shell-loop", ["sh", "-c", "i=0; while [ $i -lt 900000 ]; do i=$((i+1)); done"],
             ("cpu",), ("process",)),
        Case("find-in-memory", ["find", "/usr", "/usr", "/usr", "-name", "*.nothing"], ("cpu",),
             ("thread",), prepare=lambda: subprocess.run(["find", "/usr", "-name", "x"])),
        # How much of it is the disk depends on the disk.
        Case("find-on-disk", ["find", "/usr", "-name", "*.nothing"], ("disk", "mixed"),
             ("thread",), prepare=d.cold),
        # tar reads what is in memory and waits for gzip, which has all the work: gzip itself fits
        # threads (pigz), and as two programs of which one works, more processes.
        Case("tar-and-gzip", ["sh", "-c", f"tar c {big} | gzip -9"], ("cpu",),
             ("thread", "process"), prepare=d.big),
        Case("make", ["make", "-j1"], ("cpu",), ("process",), needs=("make", "gcc"),
             prepare=d.make),
        Case("make-on-all-cores", ["make", f"-j{os.cpu_count()}"], ("cpu",), ("as-is",),
             needs=("make", "gcc"), prepare=d.make),
        Case("dd-in-memory", ["dd", "if=/dev/zero", "of=/dev/null", "bs=64k", "count=400000"],
             ("cpu",), ("thread",)),
        Case("dd-to-disk", ["dd", "if=/dev/zero", "of=written", "bs=64k", "count=3000",
                            "oflag=direct,dsync"], ("disk",), ("thread",)),
        Case("curl", ["curl", "-s", server, server], ("net",), ("task",), needs=("curl",)),
        # curl -Z waits for all in one loop (as it is), by poll() and not epoll: where that is not
        # told from a wait for one, tasks, which is what its loop is.
        Case("curl-in-parallel", ["curl", "-s", "-Z", server, server, server], ("net",),
             ("task", "as-is"), needs=("curl",)),
        Case("wget", ["wget", "-q", "-O", "/dev/null", server, server], ("net",), ("task",),
             needs=("wget",)),
        Case("nginx-without-clients", ["nginx", "-c", d.path("nginx.conf"), "-p", d.folder],
             ("idle",), ("as-is",), needs=("nginx",), options=("--for", "2"), prepare=d.nginx),
        Case("cat-on-a-terminal", ["cat"], ("terminal",), ("as-is",), stdin="terminal"),
    ]


def database_cases(d):
    where = ["-h", "127.0.0.1", "-p", "24329", "-U", "postgres"]
    needs = ("psql", "/usr/lib/postgresql", "pgbench")
    return [
        Case("psql-sleeps", ["psql", *where, "-c", "select pg_sleep(2)"], ("net",), ("task",),
             needs=needs, prepare=d.postgres),
        # The client has as much to do as the server, on two cores: how much it waits depends on who
        # gets them; and its loop over four clients is one of ppoll(), as curl's.
        Case("pgbench", ["pgbench", *where, "-c", "4", "-T", "3", "-S", "postgres"],
             ("net", "mixed"), ("task", "as-is"), needs=needs, prepare=d.postgres),
        # A load generator in an event loop: full, or nearly, by how fast the server gets its core;
        # full it needs threads, and while it still waits it is a loop as it should be.
        Case("redis-benchmark", ["redis-benchmark", "-p", "23799", "-n", "400000", "-t", "get"],
             ("cpu", "mixed", "net"), ("thread", "as-is"),
             needs=("redis-benchmark", "redis-server"), prepare=d.redis),
        Case("redis-cli-waits", ["redis-cli", "-p", "23799", "blpop", "nothing", "2"], ("net",),
             ("task",), needs=("redis-cli", "redis-server"), prepare=d.redis),
    ]


def language_cases(d):
    server = f"http://127.0.0.1:{d.port}/"
    go = [d.path("gomain")]
    java = ["java", "-cp", d.folder, "Main"]
    needs_go = (shutil.which("go") or "/usr/local/go/bin/go",)
    return [
        Case("python-computes", python(CPU_ALONE), ("cpu",), ("process",)),
        Case("python-processes-compute", python(CPU_PROCESSES), ("cpu",), ("as-is",)),
        Case("python-gil-held", python(HELD_GIL), ("gil",), ("process",)),
        # Eight threads idle, and a main thread that sleeps between two items: time, or idle.
        Case("python-queue-idle", python(QUEUE_IDLE), ("timer", "idle"), ("task", "as-is")),
        Case("python-urls-in-turn", python(URLS, server), ("net",), ("task",)),
        Case("python-urls-threads", python(URLS_THREADS, server), ("net",), ("task",)),
        Case("python-asyncio-client", python(ASYNC_CLIENT, str(d.port)), ("net",), ("as-is",)),
        Case("node-computes", ["node", "-e", NODE_CPU], ("cpu",), ("process",), needs=("node",)),
        Case("node-timers", ["node", "-e", NODE_TIMERS], ("timer",), ("as-is",), needs=("node",)),
        Case("node-http", ["node", "-e", NODE_HTTP, server], ("net",), ("as-is",), needs=("node",)),
        Case("java-computes", [*java, "one"], ("cpu",), ("thread",), needs=("java", "javac"),
             prepare=d.java),
        Case("java-computes-on-all", [*java, "all"], ("cpu",), ("as-is",), needs=("java", "javac"),
             prepare=d.java),
        # A monitor of Java is a condition of its runtime from outside, so that threads are seen to
        # take turns; it is a lock where the runtime's own mutex under it is met.
        Case("java-synchronized", [*java, "lock"], ("turns", "lock"), ("process",),
             needs=("java", "javac"), prepare=d.java),
        Case("java-threads-sleep", [*java, "sleep"], ("timer",), ("task",), needs=("java", "javac"),
             prepare=d.java),
        Case("go-computes", [*go, "one"], ("cpu",), ("task",), needs=needs_go, prepare=d.go),
        Case("go-computes-on-all", [*go, "all"], ("cpu",), ("as-is",), needs=needs_go,
             prepare=d.go),
        # Goroutines that wait for a sync.Mutex are on no thread: from outside one computes, on
        # thread after thread.  Where threads are parked for it they take turns.
        Case("go-mutex", [*go, "lock"], ("turns", "lock", "cpu"), ("process", "task"),
             needs=needs_go, prepare=d.go),
        Case("go-sleeps", [*go, "sleep"], ("timer",), ("as-is",), needs=needs_go, prepare=d.go),
        Case("go-http", [*go, "http", server], ("net",), ("as-is",), needs=needs_go, prepare=d.go),
        Case("c-memory", built("memory", "256", "40"), ("memory",), ("thread",)),
    ]


def cases(folder):
    data = Data(folder)
    data.port = slow_server()
    for case in quick_cases():
        case.quick = True
        yield case
    yield from tool_cases(data)
    yield from database_cases(data)
    yield from language_cases(data)
