#!/usr/bin/env python3
"""tls.py - liburdume-tls talks with curl and with the command openssl, as client and as server.

SPDX-License-Identifier: MIT

TLS_PEER is our side (test/tls/peer.c), CERTIFICATES the folder of certificates.sh.
"""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

PEER = os.path.abspath(os.environ.get("TLS_PEER", "build/test/tls_peer"))
CERTIFICATES = os.path.abspath(os.environ.get("CERTIFICATES", "build/test"))
CA = os.path.join(CERTIFICATES, "ca.pem")
PATIENCE_S = 60
REQUEST = "GET / HTTP/1.0\r\n\r\n"


def run(*command, text=""):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False,
                          timeout=PATIENCE_S)
    return done.returncode, done.stdout + done.stderr


class Server:
    """A process that says which port it has got, in its first lines."""

    def __init__(self, *command, pattern=r"^(\d+)$"):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        match = None
        while not match:
            line = self.process.stdout.readline()
            assert line, f"{command[0]} has ended"
            match = re.search(pattern, line.strip())
        self.port = match[1]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.communicate()


def ours(*more):
    return Server(PEER, "serve", CERTIFICATES, *more)


def s_server(name, *more):
    return Server("openssl", "s_server", "-accept", "127.0.0.1:0", "-www",
                  "-cert", os.path.join(CERTIFICATES, name + ".pem"),
                  "-cert_chain", os.path.join(CERTIFICATES, name + ".pem"),
                  "-key", os.path.join(CERTIFICATES, name + ".key"), *more,
                  pattern=r"^ACCEPT .*:(\d+)$")


def s_client(port, *more):
    return run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", CA,
               "-verify_return_error", "-verify_hostname", "server.test", "-servername",
               "server.test", "-ign_eof", *more, text=REQUEST)


class Tls(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()

    def tearDown(self):
        shutil.rmtree(self.folder)

    def test_curl_gets_a_page(self):
        if not shutil.which("curl"):
            self.skipTest("no curl")
        with ours() as server:
            for host in ("server.test", "www.second.test"):
                code, said = run("curl", "--silent", "--show-error", "--cacert", CA, "--http1.0",
                                 "--resolve", f"{host}:{server.port}:127.0.0.1",
                                 f"https://{host}:{server.port}/")
                self.assertEqual((code, said), (0, f"host {host} protocol http/1.0 new\n"))

    def test_curl_refuses_another_host(self):
        if not shutil.which("curl"):
            self.skipTest("no curl")
        with ours() as server:
            code, said = run("curl", "--silent", "--show-error", "--cacert", CA,
                             "--resolve", f"wrong.test:{server.port}:127.0.0.1",
                             "--http1.0", f"https://wrong.test:{server.port}/")
            self.assertEqual(code, 60, said)

    def test_s_client_gets_a_page_in_both_versions(self):
        with ours() as server:
            for version in ("-tls1_2", "-tls1_3"):
                code, said = s_client(server.port, version, "-alpn", "http/1.0")
                self.assertEqual(code, 0, said)
                self.assertIn("host server.test protocol http/1.0 new", said)
                self.assertIn("Verify return code: 0", said)

    def test_s_client_without_a_version_in_common_is_refused(self):
        with ours() as server:
            code, _ = s_client(server.port, "-tls1_1", "-cipher", "ALL@SECLEVEL=0")
            self.assertNotEqual(code, 0)
            self.assertIn("served -71 unsupported protocol", server.process.stdout.readline())

    def test_s_client_resumes_its_session(self):
        with ours() as server:
            file = os.path.join(self.folder, "session")
            code, said = s_client(server.port, "-sess_out", file)
            self.assertEqual(code, 0, said)
            self.assertIn("new", said)
            code, said = s_client(server.port, "-sess_in", file)
            self.assertEqual(code, 0, said)
            self.assertIn("again", said)

    def test_s_client_starts_tls_in_a_connection(self):
        with ours("smtp") as server:
            code, said = s_client(server.port, "-starttls", "smtp")
            self.assertEqual(code, 0, said)
            self.assertIn("host server.test", said)

    def test_s_server_gives_pages_and_sessions(self):
        for version in ("-tls1_2", "-tls1_3"):
            with s_server("server", version) as server:
                code, said = run(PEER, "get", CERTIFICATES, "server.test", server.port, "2")
                self.assertEqual(code, 0, said)
                name = "TLSv" + version[-3:].replace("_", ".")
                self.assertIn(f"\n0 {name} new", said)
                self.assertIn(f"\n0 {name} again", said)

    def test_s_server_with_a_bad_certificate_is_refused(self):
        for name, why in (("expired", "certificate of expired: certificate has expired"),
                          ("self", "certificate of self: self-signed certificate"),
                          ("second", "not to server.test")):
            with s_server(name) as server:
                code, said = run(PEER, "get", CERTIFICATES, "server.test", server.port)
                self.assertEqual(code, 1)
                self.assertIn(why, said)


if __name__ == "__main__":
    unittest.main()
