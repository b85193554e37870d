#!/usr/bin/env python3
"""bench_peers_rows.py - the rows of bench_peers.py: what is done, how often, by whom in what size.

SPDX-License-Identifier: MIT
"""

ONE_THREAD = ("st", "libuv", "asyncio", "uvloop", "gevent")  # they have no second worker
PYTHON = ("asyncio", "uvloop", "gevent")
POOLS = ("multiprocessing", "futures")
ALLOCATORS = ("tokio-mimalloc",)  # where the system's calls are measured it is Tokio once more
LARGE_MIB = 4096


class Metric:
    """One figure that a row gives; lower is better."""

    def __init__(self, key, name, title):
        self.key, self.name, self.title = key, name, title


class Row:
    """One piece of work."""

    def __init__(self, name, group, title, program, workers, size, **more):
        self.name, self.group, self.program = name, group, program
        self.workers, self.size = workers, size
        self.sizes = more.pop("sizes", {})      # of peers that are too slow for `size`
        self.seconds = more.pop("seconds", {})  # of sleepers: how long they sleep
        self.quick = more.pop("quick", 20000)   # the size that only shows that it runs
        self.limit = more.pop("limit", 30)      # seconds for one process
        self.weight = more.pop("weight", 1)     # share of the whole time
        self.free = more.pop("free", False)     # not pinned, though it has one worker
        self.client = more.pop("client", None)  # the program is a server, and this asks it
        self.files = more.pop("files", False)   # of the folder of bench_peers_files.py
        self.without = more.pop("without", ())
        metrics = more.pop("metrics", None) or [(program, title)]
        self.metrics = [Metric(key, name if key == program else key, text)
                        for key, text in metrics]
        assert not more, more

    def wants(self, peer):
        return peer not in self.without


def sizes(slow, *names, **others):
    return {**dict.fromkeys(names, slow), **others}


ROWS = [
    Row("spawn-1", "tasks", "start and join, 1 worker", "spawn", 1, 1000000,
        sizes=sizes(50000, *PYTHON, st=300000, fiber=300000)),
    Row("spawn-2", "tasks", "start and join, 2 workers", "spawn", 2, 1000000,
        sizes={"fiber": 50000}, without=ONE_THREAD),
    Row("yield", "tasks", "yield", "yield", 1, 2000000, sizes=sizes(100000, *PYTHON)),
    Row("pingpong-1", "messages", "there and back, 1 worker", "pingpong", 1, 500000,
        sizes=sizes(30000, *PYTHON)),
    Row("pingpong-2", "messages", "there and back, 2 workers", "pingpong", 2, 300000,
        sizes={"fiber": 5000}, without=ONE_THREAD),
    Row("apart", "messages", "there and back, kept apart", "apart", 2, 50000,
        sizes=sizes(5000, "go", "fiber", "crossbeam", tokio=20000, **{"tokio-mimalloc": 20000}),
        without=ONE_THREAD),
    Row("wake", "messages", "wake an idle program, p50", "wake", 2, 300, free=True, quick=20,
        metrics=[("wake.p50", "wake an idle program, p50"),
                 ("wake.p99", "wake an idle program, p99")]),
    Row("chan", "messages", "bounded channel, 4 to 4, 2 workers", "chan", 2, 400000,
        sizes=sizes(40000, *PYTHON)),
    Row("skynet-1", "trees", "skynet, 1 M leaves, 1 worker", "skynet", 1, 1000000, weight=2,
        quick=1000,
        sizes=sizes(10000, *PYTHON, fiber=10000, st=100000)),
    Row("skynet-2", "trees", "skynet, 1 M leaves, 2 workers", "skynet", 2, 1000000, weight=2,
        quick=1000,
        sizes={"fiber": 10000}, without=ONE_THREAD),
    Row("fib-1", "trees", "fib(32), a spawn a call, 1 worker", "fib", 1, 32, quick=15,
        sizes={"go": 24, "tokio": 24, "tokio-mimalloc": 24, "openmp": 27, "onetbb": 27}),
    Row("fib-2", "trees", "fib(32), a spawn a call, 2 workers", "fib", 2, 32, quick=15,
        sizes={"go": 24, "tokio": 24, "tokio-mimalloc": 24, "openmp": 27, "onetbb": 27}),
    Row("for-even", "loops", "parallel for, even", "for-even", 2, 1000000),
    Row("burst", "loops", "burst of work after 5 ms of nothing", "burst", 2, 200000),
    Row("for-uneven", "loops", "parallel for, uneven", "for-uneven", 2, 1000000),
    Row("for-nested", "loops", "parallel for, nested", "for-nested", 2, 1000000),
    Row("for-memory", "loops", "parallel for, memory-bound", "for-memory", 2, 8000000),
    Row("reduce", "loops", "parallel reduce", "reduce", 2, 1000000),
    Row("sort", "loops", "parallel sort", "sort", 2, 1000000),
    Row("mutex-1", "locks", "mutex, uncontended", "mutex", 1, 2000000,
        sizes=sizes(100000, *PYTHON)),
    Row("mutex-2", "locks", "mutex, 1000 tasks, 2 workers", "mutex-many", 2, 1000000,
        sizes=sizes(100000, "fiber", *PYTHON)),
    Row("sleepers", "waiting", "1 M sleepers: bytes each", "sleepers", 1, 1000000,
        weight=4, limit=60, sizes=sizes(50000, *PYTHON, "fiber", st=200000),
        seconds={"ours": 3, "tokio": 3, "tokio-mimalloc": 3, "go": 10, "st": 3, "fiber": 2},
        metrics=[("sleepers.bytes", "1 M sleepers: bytes each"),
                 ("sleepers.start", "1 M sleepers: to start"),
                 ("sleepers.wake", "1 M sleepers: to wake all")]),
    Row("timers-fire", "waiting", "1 M timers in a second: CPU", "timers-fire", 1, 1000000,
        weight=3, limit=40,
        metrics=[("timers-fire.cpu", "1 M timers in a second: CPU"),
                 ("timers-fire.late", "1 M timers in a second: late, mean"),
                 ("timers-fire.latest", "1 M timers in a second: latest")]),
    Row("timers-set", "waiting", "1 M timers set, cancelled: CPU", "timers-set", 1, 1000000,
        sizes=sizes(200000, *PYTHON)),
    Row("echo", "network", "TCP echo: CPU a request", "echo", 1, 64, weight=4, client="load",
        metrics=[("echo.cpu", "TCP echo: CPU a request"),
                 ("echo.time", "TCP echo: time a request"),
                 ("echo.p99", "TCP echo: latency, p99")]),
    Row("echo-many", "network", "the same, 10 000 connections: CPU", "echo", 1, 10000, weight=4,
        client="load", without=(*ALLOCATORS, "asyncio", "gevent"),
        metrics=[("echo-many.cpu", "the same, 10 000 connections: CPU"),
                 ("echo-many.time", "the same, 10 000 connections: time"),
                 ("echo-many.p99", "the same, 10 000 connections: p99")]),
    Row("echo-deep", "network", "the same, 64, 16 messages deep: CPU", "echo", 1, 64, weight=4,
        client="load", without=(*ALLOCATORS, "asyncio", "gevent"),
        metrics=[("echo-deep.cpu", "the same, 64, 16 messages deep: CPU"),
                 ("echo-deep.time", "the same, 64, 16 messages deep: time"),
                 ("echo-deep.p99", "the same, 64, 16 messages deep: p99")]),
    Row("accept", "network", "accept and close: CPU a connection", "accept", 1, 64, weight=3,
        client="load", without=ALLOCATORS,
        metrics=[("accept.cpu", "accept and close: CPU a connection"),
                 ("accept.time", "accept and close: time a connection")]),
    Row("http", "network", "HTTP, a word: CPU a request", "http", 1, 64, weight=4,
        client="load_http", files=True,
        metrics=[("http.cpu", "HTTP, a word: CPU a request"),
                 ("http.time", "HTTP, a word: time a request"),
                 ("http.p99", "HTTP, a word: latency, p99")]),
    Row("http-file", "network", "HTTP, a file of 4 KiB: CPU a request", "http", 1, 64, weight=4,
        client="load_http", files=True,
        metrics=[("http-file.cpu", "HTTP, a file of 4 KiB: CPU a request"),
                 ("http-file.time", "HTTP, a file of 4 KiB: time a request"),
                 ("http-file.p99", "HTTP, a file of 4 KiB: latency, p99")]),
    Row("files-small", "files", "10 000 small files, read: a file", "files-small", 1, 10000,
        files=True, without=ALLOCATORS),
    Row("files-large", "files", "a file of 4 GiB, read: a MiB", "files-large", 1, LARGE_MIB,
        files=True, quick=64, without=ALLOCATORS, weight=2),
    Row("exec", "programs", "start of /bin/true, and its end", "exec", 1, 400, quick=5,
        without=ALLOCATORS),
    Row("exec-large", "programs", "the same, 2 GiB in use", "exec-large", 1, 400, quick=5,
        without=ALLOCATORS, sizes={"fork": 10, "libuv": 10}, weight=2),
    Row("submit", "pools", "thread pool: submit, wait, 2 workers", "submit", 2, 300000,
        sizes={"futures": 20000}),
    Row("pool-one", "pools", "process pool, one job at a time", "pool-one", 2, 100000,
        sizes=sizes(1000, *POOLS)),
    Row("pool-asleep", "pools", "process pool, after a ms of nothing", "pool-asleep", 2, 300,
        quick=20),
    Row("pool-map", "pools", "process pool, map, a job an element", "pool-map", 2, 1000000,
        sizes=sizes(20000, *POOLS), weight=2),
    Row("pool-chunks", "pools", "process pool, map, Python in chunks", "pool-chunks", 2, 1000000),
    Row("pool-64k", "pools", "process pool, a job of 64 KiB", "pool-64k", 2, 3000, quick=100,
        sizes=sizes(300, *POOLS)),
    Row("pool-16m", "pools", "process pool, a job of 16 MiB", "pool-16m", 2, 30, quick=2,
        sizes=sizes(10, *POOLS)),
    Row("chan-process", "pools", "channel between processes, 64 bytes", "chan-process", 2, 1000000,
        weight=2,
        sizes={"multiprocessing": 30000, "zeromq": 300000, "nng": 50000, "interprocess": 300000}),
    Row("mutex-process", "pools", "mutex between processes, uncontended", "mutex-process", 1,
        3000000, sizes={"multiprocessing": 100000}),
    Row("process-start", "pools", "start of a process, 2 GiB in use", "process-start", 2, 50,
        weight=3, quick=2, limit=60, sizes={"fork": 5, "multiprocessing": 5}),
]
