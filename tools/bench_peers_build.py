#!/usr/bin/env python3
"""bench_peers_build.py - find, install and build the peers of bench_peers.py, or say why not.

SPDX-License-Identifier: MIT
"""
import os
import re
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCES = os.path.join(TOP, "bench", "peers")
BUILD_SECONDS_MAX = 540
FLAGS = ["-O3", "-march=native", "-DNDEBUG", "-D_GNU_SOURCE", "-pthread"]


class LeftOut(Exception):
    """Why a peer is not in this run."""


class Ready:
    """A peer that can be run."""

    def __init__(self, name, command, version):
        self.name, self.command, self.version = name, command, version


def run(command, folder=TOP, seconds=BUILD_SECONDS_MAX, **env):
    """A command's output; LeftOut with what it said last if it fails."""
    try:
        done = subprocess.run(command, cwd=folder, env={**os.environ, **env}, timeout=seconds,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    except OSError as error:
        raise LeftOut(f"{command[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise LeftOut(f"{os.path.basename(command[0])} took more than {seconds} s") from None
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()] or lines[-1:] or ["no output"]
        raise LeftOut(f"{os.path.basename(command[0])}: {errors[0].strip()[:160]}")
    return done.stdout


def find(program, *places):
    """The path of a program: of PATH, or of where its installer puts it."""
    for path in (shutil.which(program), *map(os.path.expanduser, places)):
        if path and os.access(path, os.X_OK):
            return path
    return None


def version_in(text):
    match = re.search(r"\d+(\.\d+)+", text)
    return match[0] if match else "?"


def own_programs(folder):
    """Ours, the floors and the client, from the tree's own build."""
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        sys.exit(f"{folder} is not built: run make first")
    done = subprocess.run(["ninja", "--quiet", "-C", folder, "compared"], check=False)
    if done.returncode:
        sys.exit("ours could not be built")
    return {**{name: os.path.join(folder, "bench", name) for name in ("ours", "floor")},
            "load": [os.path.join(folder, "bench", "load")],
            "load_http": [sys.executable, os.path.join(SOURCES, "load_http.py")]}


def build_go(out):
    go = find("go", "/usr/local/go/bin/go")
    if not go:
        raise LeftOut("needs Go 1.26 or newer, https://go.dev/dl")
    program = os.path.join(out, "go")
    run([go, "build", "-o", program, "."], os.path.join(SOURCES, "go"))
    return [program], version_in(run([go, "version"], os.path.join(SOURCES, "go")))


def build_rust(out, crate, binary):
    cargo = find("cargo", "~/.cargo/bin/cargo")
    if not cargo:
        raise LeftOut("needs Rust 1.85 or newer, https://rustup.rs")
    folder = os.path.join(SOURCES, "rust")
    target = os.path.join(out, "rust")
    run([cargo, "build", "--release", "--locked", "--target-dir", target], folder,
        RUSTFLAGS="-C target-cpu=native")
    with open(os.path.join(folder, "Cargo.lock"), encoding="utf-8") as lock:
        pinned = re.search(rf'name = "{crate}"\nversion = "([^"]+)"', lock.read())
    return [os.path.join(target, "release", binary)], pinned[1] if pinned else "?"


def build_c(out, source, *libraries, package, arguments=()):
    name = source.split(".")[0]
    program = os.path.join(out, name)
    compiler = ["g++", "-std=c++20"] if source.endswith(".cpp") else ["gcc", "-std=gnu17"]
    run([*compiler, *FLAGS, os.path.join(SOURCES, source), "-o", program, *libraries, "-lm"])
    try:
        version = run(["dpkg-query", "-W", "-f", "${Version}", package]).strip()
    except LeftOut:
        version = "?"  # another distribution's
    return [program, *arguments], version


def build_own_python(source, *arguments):
    """What takes Python's own library and nothing more."""
    version = run([sys.executable, "--version"]).split()[1]
    return [sys.executable, os.path.join(SOURCES, "python", source), *arguments], version


def find_nginx():
    """It is not installed for this: Debian's package would also start it as a service."""
    nginx = find("nginx", "/usr/sbin/nginx")
    if not nginx:
        raise LeftOut("needs nginx")
    return [sys.executable, os.path.join(SOURCES, "nginx.py")], version_in(run([nginx, "-v"]))


def build_posix(out, how):
    return build_c(out, "posix.c", package="libc6", arguments=[how])


def build_python(out, module, *arguments):
    venv = os.path.join(out, "python")
    python = os.path.join(venv, "bin", "python")
    stamp = os.path.join(venv, "requirements.txt")
    wanted = os.path.join(SOURCES, "python", "requirements.txt")
    with open(wanted, encoding="utf-8") as text:
        pins = text.read()
    if not os.path.exists(stamp) or open(stamp, encoding="utf-8").read() != pins:
        run([sys.executable, "-m", "venv", "--clear", venv])
        run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--require-hashes", "-r", wanted])
        shutil.copy(wanted, stamp)
    version = run([python, "--version"]).split()[1]
    if module != "asyncio":
        pinned = re.search(rf"^{module}==(\S+)", pins, re.M)
        version = f"{pinned[1]} on Python {version}"
    source = "gevent_rows.py" if module == "gevent" else "asyncio_rows.py"
    return [python, os.path.join(SOURCES, "python", source), *arguments], version


class Peer:
    """A peer and how it is built: build(out) gives its command and its version."""

    def __init__(self, name, title, build):
        self.name, self.title, self.build = name, title, build


PEERS = [
    Peer("go", "Go", build_go),
    Peer("tokio", "Tokio", lambda out: build_rust(out, "tokio", "tokio")),
    Peer("tokio-mimalloc", "Tokio with mimalloc",
         lambda out: build_rust(out, "tokio", "tokio-mimalloc")),
    Peer("rayon", "rayon", lambda out: build_rust(out, "rayon", "rayon")),
    Peer("crossbeam", "crossbeam",
         lambda out: build_rust(out, "crossbeam-channel", "crossbeam")),
    Peer("onetbb", "oneTBB",
         lambda out: build_c(out, "onetbb.cpp", "-ltbb", package="libtbb-dev")),
    Peer("openmp", "OpenMP (gcc)",
         lambda out: build_c(out, "openmp.cpp", "-fopenmp", package="g++")),
    Peer("fiber", "boost.fiber",
         lambda out: build_c(out, "fiber.cpp", "-lboost_fiber", "-lboost_context",
                             package="libboost-fiber-dev")),
    Peer("st", "state-threads", lambda out: build_c(out, "st.c", "-lst", package="libst-dev")),
    Peer("libuv", "libuv", lambda out: build_c(out, "libuv.c", "-luv", package="libuv1-dev")),
    Peer("asyncio", "Python asyncio", lambda out: build_python(out, "asyncio")),
    Peer("uvloop", "uvloop", lambda out: build_python(out, "uvloop", "--uvloop")),
    Peer("gevent", "gevent", lambda out: build_python(out, "gevent")),
    Peer("multiprocessing", "Python multiprocessing", lambda out: build_own_python("pool_rows.py")),
    Peer("futures", "Python concurrent.futures",
         lambda out: build_own_python("pool_rows.py", "--futures")),
    Peer("subprocess", "Python subprocess", lambda out: build_own_python("start_rows.py")),
    Peer("interprocess", "Boost.Interprocess",
         lambda out: build_c(out, "interprocess.cpp", "-lrt", package="libboost-dev")),
    Peer("zeromq", "ZeroMQ", lambda out: build_c(out, "zeromq.c", "-lzmq", package="libzmq3-dev")),
    Peer("nng", "nng", lambda out: build_c(out, "nng.c", "-lnng", package="libnng-dev")),
    Peer("io_uring", "io_uring by hand", lambda out: build_c(out, "uring.c", package="libc6")),
    Peer("hyper", "hyper", lambda out: build_rust(out, "hyper", "hyper")),
    Peer("nginx", "nginx", lambda out: find_nginx()),
    Peer("fork", "fork", lambda out: build_posix(out, "--fork")),
    Peer("vfork", "vfork and exec", lambda out: build_posix(out, "--vfork")),
    Peer("posix_spawn", "posix_spawn", lambda out: build_posix(out, "--spawn")),
]


def install():
    """What Debian has of it; without apt-get the peers say what they miss."""
    done = subprocess.run([os.path.join(TOP, "tools", "deps.sh"), "peers"], check=False,
                          stdin=subprocess.DEVNULL)
    if done.returncode:
        print("going on with what is there", flush=True)


def build_peers(names, folder, may_install):
    """Build the named peers: those that can be run, and the reasons of the others."""
    if not names:
        return [], {}
    if may_install:
        install()
    out = os.path.join(folder, "peers")
    os.makedirs(out, exist_ok=True)
    ready, left_out = [], {}
    for peer in PEERS:
        if peer.name not in names:
            continue
        print(f"building {peer.title}", flush=True)
        try:
            command, version = peer.build(out)
            ready.append(Ready(peer.name, command, version))
        except LeftOut as reason:
            left_out[peer.name] = str(reason)
    return ready, left_out
