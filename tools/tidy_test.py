#!/usr/bin/env python3
"""tidy_test.py - break each rule of tidy.py on purpose, and see that it is found.

SPDX-License-Identifier: MIT
"""
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import tidy  # noqa: E402 (the line above must come first)

HEAD = "/*\n * {} - a test.\n *\n * SPDX-License-Identifier: MIT\n */\n"

# A tree without fault: every test below changes one thing in it.
SOUND = {
    "meson.build": "files('src/base/lock.c', 'src/core/task.c', 'test/unit/lock.c')",
    "include/urd.h": HEAD.format("urd.h") + "int urd_go(int a);\n",
    "src/urd.map": "URDUME_0.1 {\n  global: urd_go;\n  local: *;\n};\n",
    "src/base/lock.c": HEAD.format("lock.c") + "/* [open] pairs with shut() */\n"
                       "int f(void)\n{\n    return 0; /* [open] pairs with f() */\n}\n",
    "src/base/lock.h": HEAD.format("lock.h") + "int f(void);\n",
    "src/core/task.c": HEAD.format("task.c") + '#include "base/lock.h"\nstatic __thread int own;\n',
    "test/unit/lock.c": HEAD.format("lock.c") + "int g(void) { return urd_go(1); }\n",
    "test/unit/task.c": HEAD.format("task.c"),
    "man/urd_go.3": ".Nm urd_go\n",
    "README.md": "# Top\n\n1. one\n2. two\n\n[the guide](docs/guide.md#a-title)\n",
    "docs/guide.md": "# A title\n\n```c\n7. not a list [x](nowhere)\n```\n",
    "tools/run.sh": "#!/bin/sh\n# run.sh - a test.\n# SPDX-License-Identifier: MIT\n",
}


def found(**changes):
    """What tidy says of the sound tree with some files changed: "path: message" lines."""
    with tempfile.TemporaryDirectory() as top:
        for path, text in {**SOUND, **changes.get("files", {})}.items():
            if text is not None:
                os.makedirs(os.path.join(top, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(top, path), "w", encoding="utf-8") as out:
                    out.write(text)
        return [f"{path}:{line}: {message}" for path, line, message in tidy.findings(top)]


def source(body, name="lock.c"):
    return HEAD.format(name) + body


class Tidy(unittest.TestCase):
    def expect(self, path, text, message, count=1):
        lines = found(files={path: text})
        self.assertEqual(len(lines), count, lines)
        self.assertIn(message, "\n".join(lines))

    def clean(self, path, text):
        self.assertEqual(found(files={path: text}), [])

    def test_a_sound_tree_has_no_findings(self):
        self.assertEqual(found(), [])

    def test_width(self):
        self.clean("test/unit/lock.c", source("// " + "é" * 97 + "\nurd_go"))
        self.expect("test/unit/lock.c", source("// " + "x" * 98 + "\nurd_go"), "101 columns")

    def test_function_length(self):
        body = "int urd_go(void)\n{\n" + "    f();\n" * 68 + "}\n"
        self.clean("test/unit/lock.c", source(body))
        self.expect("test/unit/lock.c", source(body.replace("f();", "f();\n", 1)), "of 71 lines")

    def test_file_length(self):
        self.clean("test/unit/lock.c", source("// urd_go\n" * 795))
        self.expect("test/unit/lock.c", source("// urd_go\n" * 796), "801 lines")

    def test_first_line(self):
        for head in ("other.c - a test.", "lock.c - no full stop", "lock.c"):
            text = source("urd_go").replace("lock.c - a test.", head)
            self.expect("test/unit/lock.c", text, "does not begin with")
        self.expect("tools/run.sh", "#!/bin/sh\n# SPDX-License-Identifier: MIT\n",
                    "does not begin with")

    def test_licence(self):
        self.expect("test/unit/lock.c", source("urd_go").replace("MIT", "GPL"), "SPDX")
        self.expect("tools/run.sh", "#!/bin/sh\n# run.sh - a test.\n", "SPDX")

    def test_include_direction(self):
        up = source('#include "core/task.c"\n', "lock.h")
        self.expect("src/base/lock.h", up, "base may not include core")
        self.expect("src/base/lock.h", up.replace("core", "cores"), "no layer")
        for one, other in (("sync", "io"), ("par", "proc")):
            files = {f"src/{one}/a.h": source(f'#include "{other}/b.h"\n', "a.h"),
                     f"src/{other}/b.h": source('#include "core/task.c"\n#include "sync/a.h"\n',
                                                "b.h")}
            self.assertIn(f"{one} may not include {other}", "\n".join(found(files=files)))

    def test_bans_in_the_runtime(self):
        for word, instead in (("__atomic_load_n(p, 0)", "base/atomic.h"), ("volatile int", "base"),
                              ("__sync_synchronize()", "base/atomic.h"), ("_Atomic int", "base"),
                              ("atomic_load(p)", "base/atomic.h"), ("errno", "base/os*.c"),
                              ("__thread", "core/task.c"), ("_Thread_local", "core/task.c")):
            self.expect("src/base/lock.h", source(f"{word} x;\n", "lock.h"), instead)
            self.clean("test/unit/lock.c", source(f"{word} x; urd_go\n"))
            self.clean("src/base/lock.h", source(f'/* {word} */ "{word}"\n', "lock.h"))

    def test_bans_allow_their_own_places(self):
        self.clean("src/base/lock.h", source("#include <errno.h>\n__asm__ volatile();", "lock.h"))
        for path, text in (("src/base/atomic.h", "__atomic_load_n(p, 0)"),
                           ("src/base/os_x.c", "errno")):
            lines = found(files={path: source(text, os.path.basename(path))})
            self.assertNotIn("banned", "\n".join(lines))

    def test_bans_everywhere(self):
        for word in ("strcpy(a, b)", "strcat(a, b)", "sprintf(a, b)", "vsprintf(a, b)", "gets(a)",
                     "strtok(a, b)", "alloca(1)"):
            self.expect("test/unit/lock.c", source(f"{word}; urd_go"), "is banned here")
            self.clean("test/unit/lock.c", source(f"x{word}; urd_go"))

    def test_sleep_in_tests(self):
        for word in ("sleep(1)", "usleep(1)", "nanosleep(&t, 0)"):
            self.expect("test/unit/lock.c", source(f"{word}; urd_go"), "virtual clock")
        self.clean("test/unit/lock.c", source("urd_sleep(1); urd_go"))

    def test_unfinished_marks(self):
        for word in ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"):
            self.expect("README.md", f"# Top\n{word}: more\n", "does not land")
        self.clean("README.md", "# Top\nHACKING.md mktemp x.XXXXXX\n")

    def test_order_labels(self):
        self.expect("src/base/lock.h", source("/* [shut] pairs */\n", "lock.h"), "[shut] stands")
        self.clean("src/base/lock.h", source("/* [shut] */ x; /* ([shut]) */\n", "lock.h"))
        self.clean("src/base/lock.h", source("int a[shut]; /* slots[top] [URD_X] [0] */", "lock.h"))

    def test_unit_tests(self):
        self.expect("test/unit/task.c", None, "src/core/task.c:1: has no unit test")

    def test_symbols(self):
        text = source("#define urd_x(a) y(a)\ntypedef int urd_fn(void *);\nint urd_go(int a);\n"
                      "const char *urd_b(void)\n    attribute;\n", "urd.h")
        lines = "\n".join(found(files={"include/urd.h": text}))
        for message in ("urd_b is not in src/urd.map", "urd_b is in no man page",
                        "urd_b is in no test"):
            self.assertIn(message, lines)
        self.assertEqual(len(lines.split("\n")), 3, lines)
        self.expect("src/urd.map", "{ global: urd_go; urd_c; };", "urd_c is not declared")
        self.clean("src/urd.map", "{ global: urd_*; };")
        self.expect("src/urd.map", "{ global: urd_g; };", "", count=2)

    def test_dead_files(self):
        self.expect("test/fail.c", source("", "fail.c"), "is in no meson.build")
        self.expect("src/base/dead.h", source("", "dead.h"), "is included by nobody")

    def test_numbering(self):
        self.expect("docs/guide.md", "# A title\n1. a\n3. b\n", "3. follows 1.")
        self.expect("docs/guide.md", "# A title\n## 1. a\ntext\n## 3. b\n", "3. follows 1.")
        self.clean("docs/guide.md", "# A title\n## 1. a\n1. x\n2. y\n## 2. b\n1. x\n")
        self.expect("docs/guide.md", "# A title\n2. b\n", "2. follows 0.")
        header = SOUND["include/urd.h"]
        self.expect("include/urd.h", header + "/* ---- 1. a */\n/* ---- 3. b */\n", "3. follows 1.")

    def test_links(self):
        self.expect("docs/guide.md", "# A title\n[x](../REEDME.md)\n", "dead link: ../REEDME.md")
        self.expect("docs/guide.md", "# B title\n", "no heading #a-title")
        self.expect("docs/guide.md", "# A title\n[x](#b)\n", "no heading #b")
        self.clean("docs/guide.md", "# A title\n[x](https://a.b/c) [y](../README.md) `[z](w)`\n")

    def test_manual_references(self):
        self.expect("man/urd_go.3", ".Nm urd_go\n.Xr urd_run 3\n", "no man/urd_run.3")
        self.clean("man/urd_go.3", ".Nm urd_go\n.Xr urd_go 3 ,\n.Xr printf 3\n")

    def test_exemptions(self):
        key = ("check_width", "test/unit/lock.c")
        tidy.EXEMPT[key] = "a test"
        try:
            self.clean("test/unit/lock.c", source("// " + "x" * 98 + "\nurd_go"))
            self.expect("test/unit/lock.c", SOUND["test/unit/lock.c"], "needs no exemption")
        finally:
            del tidy.EXEMPT[key]

    def test_every_check_has_its_test(self):
        tests = " ".join(dir(Tidy))
        for name in tidy.CHECKS:
            self.assertIn("test_" + name[len("check_"):], tests)


if __name__ == "__main__":
    unittest.main()
