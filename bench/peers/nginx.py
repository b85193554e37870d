#!/usr/bin/env python3
"""nginx.py - nginx as a server of the comparison: a word, and the files of a folder.

SPDX-License-Identifier: MIT

Called as bench/peers/peer.h says: nginx.py ROW WORKERS N.
"""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

CONFIG = """
worker_processes {workers};
daemon off;
pid {folder}/pid;
error_log {folder}/error crit;
worker_rlimit_nofile 16384;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    open_file_cache max=1000 inactive=60s;
    open_file_cache_valid 60s;
    types {{ }}
    default_type text/plain;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {files};
        location = /hello {{ return 200 "hello, world\\n"; }}
    }}
}}
user {user};
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def await_listener(port, program):
    while program.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.01)
    sys.exit("nginx has ended")


def main():
    if len(sys.argv) < 4:
        sys.exit("usage: nginx.py ROW WORKERS N")
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if sys.argv[1] != "http":
        sys.exit(77)
    port, folder = free_port(), tempfile.mkdtemp()
    try:
        with open(os.path.join(folder, "config"), "w", encoding="ascii") as out:
            out.write(CONFIG.format(workers=sys.argv[2], folder=folder, port=port,
                                    files=os.environ["BENCH_FILES"],
                                    user="root" if os.geteuid() == 0 else "nobody"))
        program = subprocess.Popen([nginx, "-p", folder, "-c", os.path.join(folder, "config")])
        await_listener(port, program)
    finally:
        shutil.rmtree(folder)
    print("port", port, flush=True)
    program.wait()


if __name__ == "__main__":
    main()
