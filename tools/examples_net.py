#!/usr/bin/env python3
"""examples_net.py - run the example programs that others talk to, and talk to them.

SPDX-License-Identifier: MIT

    tools/examples_net.py DIR [NAME...]

DIR holds the built programs.  A server prints `listening at ADDRESS:PORT`, and ends in order when
it is sent SIGINT.  What was not built is skipped, and so is a part that needs a command which is
not there; the last line is N passed, N failed, N skipped.
"""
import http.server
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HANG_S = 60
DIRECTORY = "."


class Skip(Exception):
    """This cannot be tried here."""


def check(condition, *shown):
    if not condition:
        raise AssertionError(" ".join(str(one) for one in shown))


class Program:
    """An example that runs until it is told to stop."""

    def __init__(self, name, *args):
        path = os.path.join(DIRECTORY, name)
        if not os.path.exists(path):
            raise Skip(f"{name} was not built")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("URD_")}
        self.process = subprocess.Popen(
            [path, *args], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
            env=environment, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.timer = threading.Timer(HANG_S, self.process.kill)
        self.timer.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.timer.cancel()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def address(self):
        match = re.fullmatch(r"listening at (127\.0\.0\.1):(\d+)", self.line())
        check(match, "it does not say where it listens")
        return match[1], int(match[2])

    def stop(self, last="stopped"):
        self.process.send_signal(signal.SIGINT)
        rest = self.process.stdout.read()
        code = self.process.wait(HANG_S)
        check(code == 0 and rest.rstrip("\n").endswith(last), "ended with", code, repr(rest))


class Peer:
    """A connection, by lines."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, HANG_S)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        return self.file.readline().decode().rstrip("\n")

    def rest(self):
        return self.file.read()

    def close(self):
        self.file.close()
        self.socket.close()


def run(name, *args, text=None):
    """To its end: exit code, standard output, standard error."""
    path = os.path.join(DIRECTORY, name)
    if not os.path.exists(path):
        raise Skip(f"{name} was not built")
    done = subprocess.run([path, *args], capture_output=True, text=True, input=text,
                          timeout=HANG_S, check=False)
    return done.returncode, done.stdout, done.stderr


def test_echo():
    with Program("echo", "0", "300") as program:
        address = program.address()
        one, two = Peer(address), Peer(address)
        for n in range(3):
            one.send(b"one %d\n" % n)
            two.send(b"two %d\n" % n)
            check(two.line() == f"two {n}" and one.line() == f"one {n}", "no echo")
        one.close()
        check(two.rest() == b"", "it does not hang up")  # after 300 ms
        check(program.line() == "nothing was heard for too long")
        two.close()
        late = Peer(address)
        late.send(b"x\n")
        check(late.line() == "x")
        program.stop()  # though somebody is connected
        late.close()


def test_chat():
    with Program("chat") as program:
        address = program.address()
        ana, bia = Peer(address), Peer(address)
        ana.send(b"ana\n")
        check(ana.line() == "* ana comes in")
        bia.send(b"bia\n")
        check(bia.line() == ana.line() == "* bia comes in")
        ana.send(b"is anybody there?\n")
        check(bia.line() == "ana: is anybody there?")
        bia.send(b"yes\n")
        check(ana.line() == "bia: yes")  # and not what she said herself
        bia.send(b"x" * 300 + b"\n")  # longer than a line may be
        check(ana.line() == "* bia goes")
        check(program.line() == "a guest: Message too long")
        program.stop()
        ana.close()
        bia.close()


def answer_when_all_was_said(listener):
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer, peer.makefile("rb") as file:
            peer.sendall(file.read()[::-1])


def test_forward():
    listener = socket.create_server(("127.0.0.1", 0))
    target = listener.getsockname()
    thread = threading.Thread(target=answer_when_all_was_said, args=(listener,), daemon=True)
    thread.start()
    with Program("forward", "0", target[0], str(target[1])) as program:
        address = program.address()
        data = os.urandom(1 << 20)
        for _ in range(3):
            peer = Peer(address)
            peer.send(data)
            peer.socket.shutdown(socket.SHUT_WR)  # and only then is there an answer
            check(peer.rest() == data[::-1], "something else came back")
            peer.close()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        peer = Peer(address)
        check(peer.rest() == b"")
        peer.close()
        check(program.line() == "a connection: Connection refused")
        program.stop()


def write_to(path, text, mode="a"):
    with open(path, mode, encoding="utf-8") as file:
        file.write(text)


def test_tail():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log")
        write_to(path, "one\n")
        with Program("tail", path) as program:
            check(program.line() == "one")
            write_to(path, "two\nthr")
            check(program.line() == "two")
            write_to(path, "ee\n")
            check(program.line() == "three")
            os.rename(path, path + ".1")
            write_to(path + ".1", "last of the old\n")
            write_to(path, "first of the new\n")
            check(program.line() == "last of the old")
            check(program.line() == "first of the new")
            write_to(path, "x\n", "w")  # emptied
            check(program.line() == "x")
            program.stop("")


def test_pipeline():
    code, out, _ = run("pipeline", "printf", "b\\na\\nb\\n", ":", "sort", ":", "uniq", "-c")
    check(code == 0 and out.split() == ["1", "a", "2", "b"], code, out)
    code, out, _ = run("pipeline", "cat", ":", "tr", "a-z", "A-Z", text="warp\n" * 100000)
    check(code == 0 and out == "WARP\n" * 100000, code, len(out))
    code, out, error = run("pipeline", "sh", "-c", "echo x; exit 3", ":", "cat")
    check(code == 1 and out == "x\n" and error == "sh: exited with code 3\n", code, out, error)
    code, _, error = run("pipeline", "cat", ":", "no-such-program", text="")
    check(code == 1 and "no-such-program: No such file or directory" in error, code, error)
    for words in ([], [":"], ["cat", ":"], ["cat", ":", ":", "cat"]):
        check(run("pipeline", *words)[0] == 2, words)


class Counting(http.server.BaseHTTPRequestHandler):
    """Answers after a while; counts how many it has to answer, from each host."""

    lock, now, most, seen = threading.Lock(), {}, {}, {}

    def count(self, by):
        with self.lock:
            for who in (self.headers["Host"], "all"):
                self.now[who] = self.now.get(who, 0) + by
                self.most[who] = max(self.most.get(who, 0), self.now[who])

    def do_GET(self):
        self.count(1)
        with self.lock:
            tries = self.seen[self.path] = self.seen.get(self.path, 0) + 1
        time.sleep(0.03)
        status = 404 if self.path == "/none" else 503 if "bad" in self.path and tries < 3 else 200
        self.count(-1)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"x" * 1000)

    def log_message(self, *_):
        pass


def test_fetch():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    closed = socket.create_server(("127.0.0.1", 0))
    nobody = closed.getsockname()[1]
    closed.close()
    urls = [f"http://{host}:{port}/{name}{n}" for n in range(6) for host in
            ("127.0.0.1", "localhost") for name in (host[0], "bad" + host[0])]
    code, out, error = run("fetch", "-m", "3", "-h", "2", "-w", "10", *urls)
    expected = [f"200, 1000 bytes, tries: {3 if 'bad' in url else 1}: {url}" for url in urls]
    check(code == 0 and out.splitlines() == expected, code, out)
    check(error.splitlines()[-1] == f"{len(urls)} of {len(urls)}", error)
    most = Counting.most
    check(most["all"] <= 3 and max(n for who, n in most.items() if who != "all") <= 2, most)
    urls = [f"http://127.0.0.1:{port}/none", f"http://127.0.0.1:{nobody}/"]
    code, out, _ = run("fetch", "-w", "1", *urls)
    check(code == 1 and out.splitlines() == [f"404, 1000 bytes, tries: 1: {urls[0]}",
                                             f"Connection refused, tries: 3: {urls[1]}"], out)
    check(run("fetch", "ftp://a/")[0] == 2 and run("fetch")[0] == 2)
    server.shutdown()
    server.server_close()


def curl(*args):
    done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", str(HANG_S), *args],
                          capture_output=True, check=False, stdin=subprocess.DEVNULL)
    check(done.returncode == 0, "curl", args, done.stderr.decode())
    return done.stdout


def ask_httpd(base, folder, big):
    check(curl(base + "/") == b"<p>home</p>\n")
    check(curl(base + "/a%20file.txt?x=y") == b"text\n")
    check(curl(base + "/sub/") == b"<p>below</p>\n")
    check(curl(base + "/big.bin") == big, "the large file")
    head = curl("--head", base + "/big.bin").decode()
    check(head.startswith("HTTP/1.1 200 OK\r\n") and f"Length: {len(big)}\r\n" in head, head)
    for args, status in ((("/none",), 404), (("/sub",), 403), (("/%00",), 400), (("/%2",), 400),
                         (("/" + "x" * 2000,), 414), (("/", "--data", "x=y"), 405),
                         (("/../secret", "--path-as-is"), 400),
                         (("/sub/%2e%2e/%2e%2e/secret", "--path-as-is"), 400)):
        got = curl("--write-out", "%{http_code}", "--output", os.path.join(folder, "..", "got"),
                   base + args[0], *args[1:])
        check(got == b"%d" % status, args, got, status)
    count = curl("--write-out", "%{num_connects} ", base + "/none", base + "/none")
    check(count.endswith(b"0 "), "the connection was not kept", count)


def ask_in_pieces(address):
    peer = Peer(address)
    peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\n\r\nGET /none HT")
    peer.send(b"TP/1.1\r\nConnection: close\r\n\r\n")
    statuses = re.findall(rb"HTTP/1.1 (\d+)", peer.rest())
    check(statuses == [b"200", b"200", b"404"], statuses)
    peer.close()
    peer = Peer(address)
    peer.send(b"how are you?\r\n\r\n")
    check(peer.rest().startswith(b"HTTP/1.1 400 Bad Request\r\n"))
    peer.close()


def test_httpd():
    if not shutil.which("curl"):
        raise Skip("there is no curl")
    with tempfile.TemporaryDirectory() as above:
        folder = os.path.join(above, "www")
        os.makedirs(os.path.join(folder, "sub"))
        write_to(os.path.join(above, "secret"), "secret")
        write_to(os.path.join(folder, "index.html"), "<p>home</p>\n")
        write_to(os.path.join(folder, "sub", "index.html"), "<p>below</p>\n")
        write_to(os.path.join(folder, "a file.txt"), "text\n")
        big = os.urandom(3 << 20)
        with open(os.path.join(folder, "big.bin"), "wb") as file:
            file.write(big)
        with Program("httpd", "0", folder) as program:
            address = program.address()
            base = f"http://{address[0]}:{address[1]}"
            ask_httpd(base, folder, big)
            ask_in_pieces(address)
            if shutil.which("wrk"):
                out = subprocess.run(["wrk", "-t1", "-c8", "-d1", base + "/"], text=True,
                                     capture_output=True, timeout=HANG_S, check=True).stdout
                check(re.search(r"[1-9]\d* requests in", out) and "Non-2xx" not in out
                      and "Socket errors" not in out, out)
            program.stop()


TESTS = {name[len("test_"):]: test for name, test in list(globals().items())
         if name.startswith("test_")}


def main(tests, usage):
    global DIRECTORY
    if len(sys.argv) < 2:
        sys.exit(usage)
    DIRECTORY = sys.argv[1]
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    for name in sys.argv[2:] or tests:
        said, why = "ok", ""
        try:
            tests[name]()
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
    sys.exit(main(TESTS, __doc__))
