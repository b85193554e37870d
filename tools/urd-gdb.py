#!/usr/bin/env python3
"""urd-gdb.py - gdb commands for programs of liburdume: their tasks, in a process or a core file.

SPDX-License-Identifier: MIT

    (gdb) source urd-gdb.py
    (gdb) info urd        the workers and tasks
    (gdb) urd bt N        the stack of task N
    (gdb) urd bt all      of every task that does not run

It reads the table in the section .urd.layout (src/watch/layout.h), so it needs no debug
information of the library.  Threads and tasks that run are gdb's own: thread apply all bt.
"""
import struct

import gdb
from gdb.unwinder import Unwinder

MAGIC = b"urdume layout 2\0"
LIVE = 0x6b73617420647275
FRAMES_MAX = 100
# What a saved context holds, from its address upwards, as core/switch_*.S says.
SAVED = {
    "x86-64": (["r15", "r14", "r13", "r12", "rbx", "rbp", "rip"], "rsp", "rip", 7),
    "aarch64": ([f"x{i}" for i in range(19, 31)], "sp", "pc", 20),
}


def architecture():
    name = gdb.selected_inferior().architecture().name()
    return "aarch64" if "aarch64" in name else "x86-64"


def memory(at, size):
    return bytes(gdb.selected_inferior().read_memory(at, size))


def number(at, size=8):
    return int.from_bytes(memory(at, size), "little")


def string(at):
    text = b""
    while at and b"\0" not in text and len(text) < 200:
        text += memory(at + len(text), 1)
    return text.split(b"\0")[0].decode(errors="replace")


class Runtime:
    """The runtime of the program, by its table."""

    def __init__(self):
        try:
            at = int(gdb.parse_and_eval("(unsigned long)&urd__layout_own"))
            head = memory(at, 64)
        except gdb.error as error:
            raise gdb.GdbError(f"no liburdume in this program: {error}")
        if head[:16] != MAGIC:
            raise gdb.GdbError("the liburdume of this program is of another version")
        count, self.at, self.stacks = struct.unpack_from("<IQQ", head, 20)
        self.compacts = struct.unpack_from("<Q", head, 48)[0]
        self.fields = {}
        for i in range(count):
            name, offset, size = struct.unpack("<24sII", memory(at + 64 + 32 * i, 32))
            self.fields[name.split(b"\0")[0].decode()] = (offset, size)

    def get(self, at, name):
        offset, size = self.fields[name]
        return number(at + offset, min(size, 8))

    def value(self, name):
        return self.fields[name][0]

    def workers(self):
        at, size = self.get(self.at, "runtime.workers"), self.fields["worker"][1]
        return [at + i * size for i in range(self.get(self.at, "runtime.nworkers"))]

    def tasks(self):
        """Number and address of each: the first job's is 0, the others' are their slots + 1."""
        root = self.at + self.value("runtime.root")
        owner = self.get(root, "scope.owner")
        if owner:
            yield 0, owner
        slot_bytes = self.get(self.stacks, "stacks.slot_bytes")
        per_chunk = self.get(self.stacks, "stacks.chunk_slots")
        for slot in range(self.get(self.stacks, "stacks.used")):
            chunk = self.get(self.stacks + slot // per_chunk * self.fields["chunk"][1],
                             "stacks.chunks")
            high = chunk + (slot % per_chunk + 1) * slot_bytes - \
                slot % self.value("stacks.colours") * self.value("stacks.colour_bytes")
            at = (high - self.fields["task"][1]) & ~63
            if self.get(at, "task.live") == LIVE:
                yield slot + 1, at
        yield from self.compact_tasks()

    def compact_tasks(self):
        """Their frames are in a copy, unless they ran last: gdb cannot follow them there."""
        slot_bytes = self.get(self.compacts, "compacts.slot_bytes")
        per_block = self.get(self.compacts, "compacts.block_slots")
        task_bytes = (self.fields["task"][1] + 63) & ~63
        for block in range(self.get(self.compacts, "compacts.mapped")):
            base = self.get(self.compacts + block * self.fields["compact_block"][1],
                            "compacts.blocks")
            for slot in range(per_block):
                at = base + (slot + 1) * slot_bytes - task_bytes
                if self.get(at, "task.live") == LIVE:
                    yield 1000000000 + block * per_block + slot, at

    def state(self, at):
        wait = self.get(at, "task.wait")
        worker = self.get(at, "task.worker")
        if wait % self.value("task.states") == self.value("task.waiting"):
            return "waits"
        return "runs" if worker and self.get(worker, "worker.current") == at else "ready"

    def name(self, job):
        handle = self.get(job, "job.handle")
        if handle:
            given = string(handle + self.value("handle.name"))
            if given:
                return given
        symbol = gdb.execute(f"info symbol {self.get(job, 'job.fn')}", to_string=True)
        return symbol.split()[0] if "No symbol" not in symbol else "job"


class Switch(Unwinder):
    """Lets gdb go on from the innermost frame of the thread into the stack of a task."""

    def __init__(self):
        super().__init__("urdume task")
        self.enabled = False
        self.context = self.stack = None

    def __call__(self, frame):
        names, sp, pc, words = SAVED[architecture()]
        here = int(frame.read_register(sp))
        if not self.context or here != self.stack:
            return None
        word = gdb.lookup_type("unsigned long")
        # As if the innermost frame lay below the task's: gdb takes a stack that jumps for torn.
        below = gdb.Value(self.context).cast(word)
        info = frame.create_unwind_info(Frame(below, frame.read_register(pc)))
        for i, name in enumerate(names):
            value = gdb.Value(number(self.context + 8 * i)).cast(word)
            info.add_saved_register(name, value)
            if name == "x30":
                info.add_saved_register("pc", value)
        info.add_saved_register(sp, gdb.Value(self.context + 8 * words).cast(word))
        return info


class Frame:
    """What gdb knows a frame by."""

    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


SWITCH = Switch()
gdb.unwinder.register_unwinder(None, SWITCH, replace=True)


def print_stack(runtime, at):
    SWITCH.context = runtime.get(at, "task.context")
    SWITCH.stack = int(gdb.newest_frame().read_register(SAVED[architecture()][1]))
    SWITCH.enabled = True
    gdb.invalidate_cached_frames()
    if runtime.get(at, "task.compact") and \
            runtime.get(runtime.get(at, "task.worker"), "worker.compact.inside") != at:
        print("its frames are in a copy, where gdb cannot follow; urd ps PID shows them")
        return
    try:
        frame, i = gdb.newest_frame().older(), 0
        while frame and frame.is_valid() and i < FRAMES_MAX:
            place = frame.find_sal()
            where = f" at {place.symtab.filename}:{place.line}" if place.symtab else ""
            print(f"#{i:<3} {frame.name() or hex(frame.pc())}{where}")
            frame, i = frame.older(), i + 1
    finally:
        SWITCH.enabled = False
        SWITCH.context = None
        gdb.invalidate_cached_frames()


def describe(runtime, n, at):
    job = runtime.get(at, "task.job")
    where = string(runtime.get(job, "job.where")) if job else ""
    print(f"{n:>6}  {runtime.state(at):<6} {runtime.name(job) if job else '-'}"
          f"{'  started at ' + where if where else ''}")


class InfoUrd(gdb.Command):
    """List the workers and tasks of a program of liburdume."""

    def __init__(self):
        super().__init__("info urd", gdb.COMMAND_STATUS)

    def invoke(self, _argument, _from_tty):
        runtime = Runtime()
        for i, worker in enumerate(runtime.workers()):
            parked = " sleeps" if runtime.get(worker, "worker.parked") else ""
            print(f"worker {i} is thread {runtime.get(worker, 'worker.id')}{parked}")
        for n, at in runtime.tasks():
            describe(runtime, n, at)


class Urd(gdb.Command):
    """Commands for programs of liburdume: urd bt N, urd bt all."""

    def __init__(self):
        super().__init__("urd", gdb.COMMAND_STACK, prefix=True)


class UrdBt(gdb.Command):
    """The stack of task N, or of all that do not run."""

    def __init__(self):
        super().__init__("urd bt", gdb.COMMAND_STACK)

    def invoke(self, argument, _from_tty):
        runtime = Runtime()
        if argument != "all" and not argument.isdigit():
            raise gdb.GdbError("urd bt N, or urd bt all")
        found = [(n, at) for n, at in runtime.tasks() if argument in ("all", str(n))]
        if not found:
            raise gdb.GdbError(f"there is no task {argument}; see: info urd")
        for n, at in found:
            if runtime.state(at) == "runs":
                if argument != "all":
                    raise gdb.GdbError(f"task {n} runs: use bt in the thread of its worker")
                continue
            describe(runtime, n, at)
            print_stack(runtime, at)


InfoUrd()
Urd()
UrdBt()
