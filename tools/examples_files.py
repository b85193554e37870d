#!/usr/bin/env python3
"""examples_files.py - run the examples that use pools, and check them by others' means.

SPDX-License-Identifier: MIT

    tools/examples_files.py DIR [NAME...]

DIR holds the built programs.  The sums are sha256sum's, the counts wc's, a picture is decoded and
computed anew here, and the pages of a crawl are served here.  What was not built is skipped; the
last line is N passed, N failed, N skipped.
"""
import http.server
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

sys.dont_write_bytecode = True
import examples_net  # noqa: E402
from examples_net import check, run  # noqa: E402

KINDS = ("tasks", "threads", "processes")
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def write(folder, name, data):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def make_tree(folder):
    """What is hard about a folder; the headers, which are ASCII, are a real one."""
    write(folder, "empty", b"")
    write(folder, "no end of line", b"one two")
    write(folder, "words cut", b"x" * (1 << 20) + b"y z\n" + b"w " * (1 << 20))
    write(folder, "exact", b"ab\n" * (1 << 19) + b"ab " * (1 << 19))
    write(folder, "z\u00e9/deep/er/file", b" \t\n\v\f\r a\n")
    for n in range(200):
        write(folder, f"many/{n}", b"%d\n" % n * n)
    os.makedirs(os.path.join(folder, "empty folder"))
    os.symlink("empty", os.path.join(folder, "link"))
    os.symlink(os.path.join(TOP, "include"), os.path.join(folder, "not followed"))
    os.mkfifo(os.path.join(folder, "fifo"))


def files_below(folder):
    return sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names
                  if os.path.isfile(os.path.join(at, name))
                  and not os.path.islink(os.path.join(at, name)))


def tool(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True,
                          env={**os.environ, "LC_ALL": "C"})
    return done.stdout.splitlines()


def each_tree(judge):
    with tempfile.TemporaryDirectory() as folder:
        make_tree(folder)
        for tree in (folder, os.path.join(TOP, "include")):
            judge(tree)


def refuses(name):
    """What it is not told, or told wrongly; and what cannot be read."""
    for words in ((), ("tasks",), ("fibres", "."), ("tasks", ".", ".")):
        code, out, error = run(name, *words)
        check(code == 2 and not out and error.startswith(f"usage: {name} "), words, code, error)
    for path, why in (("/no/such/folder", "No such file or directory"),
                      ("/proc/self/mem", "Input/output error")):
        code, _, error = run(name, "processes", path)
        check(code == 1 and error == f"{name}: {path}: {why}\n", code, error)


def test_sha256():
    def judge(tree):
        expected = sorted(tool("sha256sum", *files_below(tree)))
        for kind in KINDS:
            code, out, error = run("sha256", kind, tree)
            check(code == 0 and not error, kind, code, error)
            check(sorted(out.splitlines()) == expected, "other sums than sha256sum's", kind, tree)
    each_tree(judge)
    refuses("sha256")


def test_words():
    def judge(tree):
        expected = sorted(line.split(None, 3) for line in tool("wc", *files_below(tree)))
        for kind in KINDS:
            code, out, error = run("words", kind, tree)
            check(code == 0 and not error, kind, code, error)
            got = [line.split(None, 3) for line in out.splitlines()]
            check(got[-1][3] == "total", got[-1])
            check(sorted(got) == expected, "other counts than those of wc", kind, tree)
    each_tree(judge)
    refuses("words")


def decode_png(data):
    """Width, height, rows: grey, 8 bits, as the file itself says."""
    check(data[:8] == b"\x89PNG\r\n\x1a\n", "this is no PNG")
    at, packed, size = 8, b"", None
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        check(struct.unpack(">I", data[at + 8 + length:at + 12 + length])[0]
              == zlib.crc32(kind + body), "a checksum is wrong", kind)
        if kind == b"IHDR":
            width, height, *form = struct.unpack(">IIBBBBB", body)
            size = width, height
            check(form == [8, 0, 0, 0, 0], "another format", form)
        packed += body if kind == b"IDAT" else b""
        at += 12 + length
    width, height = size
    raw, rows, above = zlib.decompress(packed), [], bytes(width)
    check(len(raw) == height * (width + 1), "so many bytes:", len(raw))
    for y in range(height):
        line = raw[y * (width + 1):(y + 1) * (width + 1)]
        above = unfilter(line[0], line[1:], above)
        rows.append(above)
    return width, height, rows


def unfilter(how, line, above):
    out = bytearray()
    for x, value in enumerate(line):
        left, up, corner = out[x - 1] if x else 0, above[x], above[x - 1] if x else 0
        nearest = min((left, up, corner), key=lambda one: abs(left + up - corner - one))
        out.append((value + (0, left, up, (left + up) // 2, nearest)[how]) & 255)
    return bytes(out)


def steps_of(cx, cy):
    x = y = 0.0
    for steps in range(255):
        if x * x + y * y > 4:
            return steps
        x, y = x * x - y * y + cx, 2 * x * y + cy
    return 255


def test_mandelbrot():
    width, height = 90, 70
    expected = [bytes(steps_of(3.0 * x / width - 2.25, 2.5 * y / height - 1.25)
                      for x in range(width)) for y in range(height)]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "picture.png")
        for kind in KINDS:
            code, _, error = run("mandelbrot", kind, path, str(width), str(height))
            check(code == 0 and not error, kind, code, error)
            with open(path, "rb") as file:
                check(decode_png(file.read()) == (width, height, expected), "other pixels", kind)
            os.unlink(path)
        code, _, error = run("mandelbrot", "tasks", os.path.join(folder, "no", "such.png"))
        check(code == 1 and "No such file or directory" in error, code, error)
        for words in ((), ("tasks",), ("fibres", path), ("tasks", path, "10"),
                      ("tasks", path, "0", "10"), ("tasks", path, "10", "10x")):
            code, _, error = run("mandelbrot", *words)
            check(code == 2 and error.startswith("usage: mandelbrot "), words, code, error)
        check(not os.path.exists(path))


def test_mandelbrot_by_ranks():
    ranks = os.path.join(examples_net.DIRECTORY, "mandelbrot_ranks")
    if not os.path.exists(ranks) or not shutil.which("mpirun"):
        raise examples_net.Skip("mandelbrot_ranks was not built, or there is no mpirun")
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name) for name in ("ranks.png", "tasks.png")]
        code, _, error = run("mandelbrot", "tasks", files[1], "90", "70")
        check(code == 0, code, error)
        done = subprocess.run(["mpirun", "--oversubscribe", "--allow-run-as-root", "-n", "2", ranks,
                               "ranks", files[0], "90", "70"], capture_output=True, text=True,
                              timeout=examples_net.HANG_S, check=False, stdin=subprocess.DEVNULL)
        check(done.returncode == 0, done.returncode, done.stderr)
        pictures = []
        for name in files:
            with open(name, "rb") as file:
                pictures.append(decode_png(file.read()))
        check(pictures[0] == pictures[1], "other pixels")


class Web:
    """A host of pages that knows who asked for what, and how many at once."""

    def __init__(self, pages, all_webs):
        self.pages, self.hits, self.now, self.peak = pages, {}, 0, 0
        self.lock, self.kill_at, self.all, self.crowd = threading.Lock(), None, all_webs, 0
        all_webs.append(self)
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                web.answer(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, handler):
        path = handler.path
        with self.lock:
            self.hits[path] = self.hits.get(path, 0) + 1
            self.now += 1
            self.peak = max(self.peak, self.now)
            self.crowd = max(self.crowd, sum(web.now for web in self.all))
            kill = path == self.kill_at and self.hits[path] == 1
        if not kill:
            time.sleep(0.005)  # so that those that come at once are seen
        with self.lock:
            self.now -= 1
        if kill:
            os.kill(owner_of(handler.client_address[1]), signal.SIGKILL)
            return
        try:
            handler.send_response(200 if path in self.pages else 404)
            handler.end_headers()
            handler.wfile.write(self.pages.get(path, b"no such page"))
        except OSError:
            pass  # it was killed

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def owner_of(port):
    """The process that has the connection from this port."""
    with open("/proc/net/tcp") as table:
        fields = [line.split() for line in table][1:]
    inode = next(f[9] for f in fields if f[1].endswith(f":{port:04X}") and f[9] != "0")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            at = f"/proc/{pid}/fd"
            if any(os.readlink(f"{at}/{fd}") == f"socket:[{inode}]" for fd in os.listdir(at)):
                return int(pid)
        except OSError:
            continue  # it has gone, or is another's
    raise AssertionError("nobody has the connection")


def link(path):
    return b'<a href="%s">x</a>\n' % path.encode()


def two_webs():
    """A tree, rings, links to themselves, to each other and to nowhere."""
    one = {"/": b"".join(link(f"/n/{n}") for n in range(40)), "/old": b"moved"}
    for n in range(40):
        one[f"/n/{n}"] = link(str((n + 1) % 40)) + link(f"{n}#here") + link("/") + link("mailto:x")
    two = {"/start": link("deep/1") + link("http://127.0.0.1:1/") + link("/gone")}
    for n in range(1, 20):
        two[f"/deep/{n}"] = link(str(n + 1) if n < 19 else "/start")
    webs = []
    return Web(one, webs), Web(two, webs)


def test_crawl():
    for kind in KINDS:
        one, two = two_webs()
        one.pages["/n/7"] += link(f"{two.url}/start")
        two.pages["/deep/9"] += link(f"{one.url}/old")
        if kind == "processes":
            one.kill_at = "/n/11"
        code, out, error = run("crawl", "-m", "5", "-h", "3", kind, f"{one.url}/",
                               f"{two.url}/start")
        one.close()
        two.close()
        expected = sorted([f"200 {len(body)} {web.url}{path}" for web in (one, two)
                           for path, body in web.pages.items()] + [f"404 12 {two.url}/gone"])
        check(sorted(out.splitlines()) == expected, kind, out, error)
        check(code == 1 and not error, kind, code, error)  # one page was not there
        for web in (one, two):
            twice = {path for path, n in web.hits.items() if n > 1}
            check(twice <= {web.kill_at}, kind, "more than once:", twice)
            check(web.peak <= 3 and web.crowd <= 5, kind, web.peak, web.crowd)
        check(kind != "processes" or one.hits["/n/11"] == 2, one.hits["/n/11"])
    for words in ((), ("tasks",), ("fibres", one.url), ("tasks", "ftp://a/"),
                  ("-m", "0", "tasks", one.url), ("-x", "tasks", one.url)):
        code, out, error = run("crawl", *words)
        check(code == 2 and not out and "usage: crawl" in error, words, code, error)
    code, out, _ = run("crawl", "tasks", f"{one.url}/")  # nobody is there any more
    check(code == 1 and out.startswith("Connection refused http://"), code, out)


TESTS = {name[len("test_"):]: test for name, test in list(globals().items())
         if name.startswith("test_")}

if __name__ == "__main__":
    sys.exit(examples_net.main(TESTS, __doc__))
