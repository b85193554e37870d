#!/usr/bin/env python3
"""auth.py - our messages and keys, and those of Python's multiprocessing.connection.

SPDX-License-Identifier: MIT

AUTH_PEER is our side (test/tls/auth_peer.c).
"""
import multiprocessing
import os
import subprocess
import tempfile
import unittest
from multiprocessing.connection import Client, Listener

PEER = os.path.abspath(os.environ.get("AUTH_PEER", "build/test/auth_peer"))
PATIENCE_S = 60
KEY = b"bolo de fuba"


class Ours:
    """Our program that listens: a context with the path of its socket."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "socket")
        self.process = subprocess.Popen([PEER, "listen", self.path, KEY.decode()], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n"

    def end(self):
        """Its exit code and what it said."""
        _, said = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, said.strip()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.communicate()


def dial(path, key):
    done = subprocess.run([PEER, "dial", path, key.decode(), "ola"], text=True, check=False,
                          capture_output=True, timeout=PATIENCE_S)
    return done.returncode, (done.stdout + done.stderr).strip()


class Both(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_a_client_of_python_talks_with_us(self):
        with Ours(self.folder.name) as ours:
            with Client(ours.path, authkey=KEY) as connection:
                for message in (b"ola", b"", b"x" * 100000, b"adeus"):
                    connection.send_bytes(message)
                    self.assertEqual(connection.recv_bytes(), message.upper())
            self.assertEqual(ours.end(), (0, ""))

    def test_a_client_of_python_with_another_key_is_refused(self):
        with Ours(self.folder.name) as ours:
            with self.assertRaises(multiprocessing.AuthenticationError):
                Client(ours.path, authkey=b"another")
            self.assertEqual(ours.end(), (1, "EACCES"))

    def listen(self, key):
        """We dial a listener of Python: what we say, and what it heard or raised."""
        path = os.path.join(self.folder.name, "socket")
        program = [PEER, "dial", path, key.decode(), "ola"]
        with Listener(path, authkey=KEY) as listener:
            with subprocess.Popen(program, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE) as ours:
                heard = None
                try:
                    with listener.accept() as connection:
                        heard = connection.recv_bytes()
                        connection.send_bytes(heard + b"!")
                except multiprocessing.AuthenticationError as error:
                    heard = error
                out, said = ours.communicate(timeout=PATIENCE_S)
        return ours.returncode, (out + said).strip(), heard

    def test_a_listener_of_python_talks_with_us(self):
        self.assertEqual(self.listen(KEY), (0, "ola!", b"ola"))

    def test_a_listener_of_python_refuses_another_key(self):
        code, said, heard = self.listen(b"another")
        self.assertEqual((code, said), (1, "EACCES"))
        self.assertIsInstance(heard, multiprocessing.AuthenticationError)

    def test_nobody_there_is_an_error(self):
        self.assertEqual(dial(os.path.join(self.folder.name, "nobody"), KEY), (1, "ENOENT"))


if __name__ == "__main__":
    unittest.main(verbosity=0)
