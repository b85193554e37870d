#!/usr/bin/env python3
"""blocking.py - libraries as they are, made to wait as tasks, against their real servers.

SPDX-License-Identifier: MIT

BLOCKING names liburdume-blocking, which is preloaded; BLOCKING_REDIS and BLOCKING_POSTGRES the
programs, which need their servers of Debian: each is started here, in a folder that goes away.
BLOCKING_PLAIN is a program that knows nothing of Urdume.
    test/cli/blocking.py [redis] [postgres] [runtime] [plain]
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

SECONDS_MAX = 60
TASKS = 1000


class Skip(Exception):
    """What it takes is not here."""


def as_nobody(folder):
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, "nobody", "nogroup")
    os.chmod(folder, 0o755)
    return ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "env",
            f"HOME={folder}"]


def program(name, *arguments):
    path = os.environ.get(name)
    if not path or not os.path.exists(path):
        raise Skip(f"{name} was not built")
    environment = dict(os.environ, LD_PRELOAD=os.environ["BLOCKING"])
    done = subprocess.run([path, *arguments], env=environment, text=True, timeout=SECONDS_MAX,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, f"{name}: exit {done.returncode}\n{done.stdout}"
    print(done.stdout, end="")


class Server:
    """A program that runs until the end of the block, when it is ready."""

    def __init__(self, command, is_ready, folder):
        self.command, self.is_ready, self.folder = command, is_ready, folder

    def __enter__(self):
        with open(os.path.join(self.folder, "log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.folder,
                                            stdin=subprocess.DEVNULL)
        end = time.monotonic() + SECONDS_MAX
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                self.__exit__()
                with open(os.path.join(self.folder, "log"), encoding="utf-8") as log:
                    raise AssertionError(f"{self.command[0]} did not start\n{log.read()}")
            time.sleep(0.05)
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait(SECONDS_MAX)


def check_redis(folder):
    if not shutil.which("redis-server"):
        raise Skip("no redis-server")
    socket = os.path.join(folder, "redis")
    command = ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder,
               "--maxclients", str(TASKS + 100)]
    ask = ["redis-cli", "-s", socket, "ping"]
    with Server(command, lambda: b"PONG" in subprocess.run(ask, capture_output=True,
                                                           check=False).stdout, folder):
        program("BLOCKING_REDIS", socket, str(TASKS))


def check_postgres(folder):
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not found:
        raise Skip("no PostgreSQL")
    nobody, data = as_nobody(folder), os.path.join(folder, "data")
    done = subprocess.run([*nobody, f"{found[-1]}/initdb", "-D", data, "-A", "trust", "-U", "urd",
                           "--no-sync", "-E", "UTF8", "--locale=C"], cwd=folder, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout
    connections = 200
    command = [*nobody, f"{found[-1]}/postgres", "-D", data, "-k", folder, "-F", "-c",
               "listen_addresses=", "-c", f"max_connections={connections + 20}"]
    ask = [f"{found[-1]}/pg_isready", "-h", folder, "-U", "urd", "-d", "postgres", "-q"]
    with Server(command, lambda: subprocess.run(ask, check=False).returncode == 0, folder):
        program("BLOCKING_POSTGRES", f"host={folder} user=urd dbname=postgres", str(TASKS),
                str(connections))


def check_runtime(_):
    """The runtime is known by where its calls return to: it must call, and not jump."""
    if not shutil.which("objdump"):
        raise Skip("no objdump")
    library = os.path.join(os.path.dirname(os.environ["BLOCKING"]), "liburdume.so")
    names = subprocess.run(["nm", "-D", "--defined-only", os.environ["BLOCKING"]], text=True,
                           capture_output=True, check=True).stdout.split("\n")
    names = {line.split()[-1].split("@")[0] for line in names if " T " in line}
    assert "poll" in names and "pthread_mutex_lock" in names, names
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", library], text=True,
                          capture_output=True, check=True).stdout
    jumps = set(re.findall(r"\b(?:jmp|b|bnd jmp)\s+\w+ <(\w+)@plt>", code)) & names
    assert not jumps, f"liburdume.so jumps to {sorted(jumps)}, so their caller is not known"


SCRIPT = """
import select, socket, subprocess, threading
done, lock, ends = [], threading.Lock(), socket.socketpair()
def work(n):
    for _ in range(1000):
        with lock:
            done.append(n)
all = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for one in all: one.start()
for one in all: one.join()
ends[0].settimeout(0.01)
try:
    ends[0].recv(1)
except TimeoutError as error:
    print(error)
ends[1].sendall(b"x" * 9)
print(sum(done), ends[0].recv(100), select.select([], [ends[0]], [], 1)[1] == [ends[0]])
print(subprocess.run("echo $((6*7)) | cat; exit 5", shell=True, capture_output=True))
"""


def check_plain(_):
    """For a program that uses nothing of Urdume all is as it was."""
    for command in ([os.environ["BLOCKING_PLAIN"]], [sys.executable, "-c", SCRIPT],
                    ["bash", "-c", "(sleep 0.01; exit 3) & wait $!; echo $?; seq 9 | sort -r"]):
        with_it, without = (subprocess.run(command, env=dict(os.environ, **preload), text=True,
                                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                           stderr=subprocess.STDOUT, timeout=SECONDS_MAX,
                                           check=False)
                            for preload in ({"LD_PRELOAD": os.environ["BLOCKING"]}, {}))
        assert (with_it.returncode, with_it.stdout) == (without.returncode, without.stdout), \
            f"{command[0]} {with_it.returncode}\n{with_it.stdout}\nand without " \
            f"{without.returncode}\n{without.stdout}"
        assert with_it.stdout, command[0]


def main():
    wanted = sys.argv[1:] or [name[len("check_"):] for name in globals() if
                              name.startswith("check_")]
    passed = failed = skipped = 0
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="urd-") as folder:
            try:
                globals()[f"check_{name}"](folder)
                print(f"ok {name}")
                passed += 1
            except Skip as why:
                print(f"skip {name}: {why}")
                skipped += 1
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                print(f"FAIL {name}: {error}")
                failed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
