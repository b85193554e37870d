#!/usr/bin/env python3
"""bench_peers_files.py - the files that the rows of bench_peers.py read, all of them in memory.

SPDX-License-Identifier: MIT
"""
import os
import shutil

from bench_peers_rows import LARGE_MIB

SMALL, SMALL_BYTES, SERVED_BYTES, MIB = 10000, 1024, 4096, 1 << 20


def memory_mib():
    """What programs can have before the kernel gives up what it has read."""
    with open("/proc/meminfo", encoding="ascii") as text:
        for line in text:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1024
    return 0


class Files:
    """A folder that is gone at the end: small files `0` to `9999`, `large`, and `4k` to serve."""

    def __init__(self, base):
        self.folder = os.path.join(base, "files")

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        for name, size in (*((str(i), SMALL_BYTES) for i in range(SMALL)), ("4k", SERVED_BYTES)):
            with open(os.path.join(self.folder, name), "wb") as out:
                out.write(b"x" * size)
        os.environ["BENCH_FILES"] = self.folder
        self.made = 0
        return self

    def __exit__(self, *error):
        del os.environ["BENCH_FILES"]
        shutil.rmtree(self.folder)

    def large(self, wanted=LARGE_MIB):
        """Make the large one, of so many MiB or what memory holds: how many it has.  It has no
        blocks on the disk, but once it was read it is in memory as any other is."""
        if self.made == 0:
            self.made = min(wanted, memory_mib() // 2)
            with open(os.path.join(self.folder, "large"), "wb") as out:
                out.truncate(self.made * MIB)
            with open(os.path.join(self.folder, "large"), "rb", buffering=0) as file:
                while file.read(MIB):
                    pass
        return min(wanted, self.made)
