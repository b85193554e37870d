#!/usr/bin/env python3
"""doc_blocks.py - compile and run every block of C in the documentation.

SPDX-License-Identifier: MIT

    tools/doc_blocks.py --include DIR --lib FILE [--cc CC] [--cflags FLAGS] [FILE...]
    tools/doc_blocks.py --self-test [--cc CC]

Reads README*.md and docs/**/*.md, where a block is fenced by ```c, and the EXAMPLES of man/*.3,
where it stands between .Bd and .Ed.  A block with a main() is a program: it is compiled with
warnings as errors, linked, and run; it must exit with 0, and what it prints must equal the block
that follows, if that is fenced by ```text or ```saida (in a man page: announced by `.\\" output`).

Any other block says in a comment just before it how it is to be read: `<!-- block: WORDS -->`, or
`.\\" block: WORDS`.  A block that says nothing and is no program is a failure, never skipped.

    statements           the body of a job; further lines of the comment stand before the function
    declarations         text at file scope, after further lines of the comment
    program              has a main(); only needed to give one of the words below
    same FILE            a program, and equal to FILE less its head comment
    kinds                run it again with URD_THREAD and with URD_PROCESS in place of URD_TASK
    env NAME=VALUE       set while it runs (`env A=1 B=2`)
    exit N               it must end with this code
    groups 2 2 1         lines of output that may change places, as in tools/examples.py
    prelude              no block: its further lines stand before every fragment that follows and
                         has none of its own
    rows                 a table follows, not a block: every piece of code in its second column is
                         statements, or an expression where it ends in neither ; nor }

Words are joined by commas.  A ```python block must parse.  Every word urd_* or URD_* in any of
these files must be in the headers, and every function of urd.h must be named in a man page.
"""
import argparse
import ast
import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

sys.dont_write_bytecode = True
from examples import clean_environment, compare  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HANG_S = 60
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wstrict-prototypes",
            "-Wwrite-strings", "-Wcast-qual", "-Werror"]
FRAGMENT_FLAGS = ["-D_GNU_SOURCE", "-Wno-unused-variable", "-Wno-unused-function",
                  "-Wno-unused-parameter", "-Wno-unused-value", "-Wno-unused-but-set-variable"]
WORD = re.compile(r"\b(?:urd|URD)_(?!_)\w+")
HEADERS = "".join(f"#include <{name}.h>\n" for name in
                  ("errno", "signal", "stdatomic", "stdio", "stdlib", "string", "sys/resource",
                   "unistd", "urd", "urd_auth", "urd_mpi", "urd_tls"))


@dataclass
class Block:
    file: str
    line: int
    code: str
    language: str = "c"
    words: dict = field(default_factory=dict)
    hidden: str = ""
    output: str = None

    @property
    def where(self):
        return f"{os.path.relpath(self.file, ROOT)}:{self.line}"

    @property
    def is_program(self):
        return re.search(r"^int main\(", self.code, re.M) is not None


class BadBlock(Exception):
    """The block or its directive cannot be understood."""


KNOWN_WORDS = {"statements", "declarations", "program", "same", "kinds", "env", "exit", "groups",
               "rows", "prelude"}


def parse_words(text):
    """`same examples/a.c, kinds` -> {"same": ["examples/a.c"], "kinds": []}"""
    words = {}
    for part in text.split(","):
        name, *values = part.split()
        if name not in KNOWN_WORDS:
            raise BadBlock(f"unknown word `{name}`")
        words[name] = values
    return words


def table_blocks(file, lines, start, words, hidden):
    """One block for each row of the table that begins at or after lines[start]."""
    i, rows = start, []
    while i < len(lines) and not lines[i].startswith("|"):
        if lines[i].strip():
            raise BadBlock("`rows` is not followed by a table")
        i += 1
    for number in range(i + 2, len(lines)):
        if not lines[number].startswith("|"):
            break
        cells = re.split(r"(?<!\\)\|", lines[number])
        pieces = re.findall(r"`([^`]+)`", cells[2])
        code = "\n".join(p if p[-1] in ";}" else f"(void)({p});" for p in pieces)
        if code:
            rows.append(Block(file, number + 1, code, words={"statements": [], **words},
                              hidden=hidden))
    if not rows:
        raise BadBlock("a table without code in its second column")
    return rows


def markdown_blocks(file, text):
    """Every fenced block, with the comment before it and the output after it."""
    lines, blocks, i = text.splitlines(), [], 0
    comment, comment_ended, prelude = None, -2, ""
    while i < len(lines):
        if lines[i].startswith("<!-- block:"):
            start = i
            while "-->" not in lines[i]:
                i += 1
            body = "\n".join(lines[start:i + 1])
            first, _, hidden = body[len("<!-- block:"):body.index("-->")].partition("\n")
            comment, comment_ended = (parse_words(first), hidden or prelude), i
            if "rows" in comment[0]:
                blocks += table_blocks(file, lines, i + 1, *comment)
                comment = None
            elif "prelude" in comment[0]:
                comment, prelude = None, hidden
        elif lines[i].startswith("```"):
            language, start = lines[i][3:].strip(), i
            i += 1
            while lines[i] != "```":
                i += 1
            code = "\n".join(lines[start + 1:i]) + "\n"
            if language in ("text", "saida") and blocks and is_next(lines, blocks[-1], start):
                blocks[-1].output = code
            elif language in ("c", "python"):
                near = comment and not "".join(lines[comment_ended + 1:start]).strip()
                words, hidden = comment if near else ({}, "")
                blocks.append(Block(file, start + 1, code, language, words, hidden))
                comment = None
        i += 1
    return blocks


def is_next(lines, block, start):
    """Is there only prose between the block and lines[start]?"""
    end = block.line + block.code.count("\n") + 1
    return (block.language == "c" and block.is_program and
            not any(line.startswith(("```", "#")) for line in lines[end:start]))


def unescape(line):
    """A line of a literal display as a reader sees it."""
    if line.startswith(r"\&"):
        line = line[2:]
    return line.replace(r"\e", "\\").replace(r"\-", "-").replace(r"\&", "")


def man_blocks(file, text):
    """Every display in the EXAMPLES of a man page."""
    lines, blocks = text.splitlines(), []
    inside, words, hidden, announced = False, {}, [], False
    i = 0
    while i < len(lines):
        line = lines[i]
        if line.startswith(".Sh"):
            inside = line == ".Sh EXAMPLES"
        elif inside and line.startswith('.\\" block:'):
            words = parse_words(line[len('.\\" block:'):])
        elif inside and line == '.\\" output':
            announced = True
        elif inside and line.startswith('.\\" ') and words:
            hidden.append(line[4:])
        elif inside and line.startswith(".Bd"):
            start = i
            i += 1
            while lines[i] != ".Ed":
                i += 1
            code = "".join(unescape(each) + "\n" for each in lines[start + 1:i])
            if announced:
                blocks[-1].output = code
            else:
                blocks.append(Block(file, start + 1, code, "c", words, "\n".join(hidden)))
            words, hidden, announced = {}, [], False
        i += 1
    return blocks


def read_blocks(file):
    with open(file, encoding="utf-8") as opened:
        text = opened.read()
    return man_blocks(file, text) if file.endswith(".3") else markdown_blocks(file, text)


def source_of(block):
    """The file to compile, with line numbers of the document."""
    place = f'#line {block.line + 1} "{os.path.relpath(block.file, ROOT)}"\n'
    if block.is_program:
        return place + block.code
    head = HEADERS + block.hidden + "\n"
    if "declarations" in block.words:
        return head + place + block.code
    if "statements" in block.words:
        return (f"{head}int block(void *arg);\nint block(void *arg)\n{{\n    (void)arg;\n"
                f"{place}{block.code}\n    return 0;\n}}\n")
    raise BadBlock("neither a program nor said how to read it")


def check_same(block):
    """`same FILE`: the text of a file, which is tested elsewhere too."""
    if "same" not in block.words:
        return
    name = block.words["same"][0]
    with open(os.path.join(ROOT, name), encoding="utf-8") as opened:
        text = opened.read()
    if text.partition("*/\n")[2].strip() != block.code.strip():
        raise BadBlock(f"differs from {name}")


def run(command, what, env=None, exit_code=0):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False,
                              stdin=subprocess.DEVNULL, env=env)
    except subprocess.TimeoutExpired:
        raise BadBlock(f"{what}: still running after {HANG_S} s") from None
    if done.returncode != exit_code:
        message = (done.stderr or done.stdout).strip()
        raise BadBlock(f"{what}: exit {done.returncode}\n{message}")
    return done.stdout


def link_flags(lib, source):
    if not lib:
        return []
    folder = os.path.dirname(os.path.abspath(lib))
    tls = []
    if re.search(r"^#include <urd_(auth|tls)\.h>", source, re.M):
        tls = [os.path.join(folder, "liburdume-tls.a"), "-lssl", "-lcrypto"]
    return [*tls, lib, f"-Wl,-rpath,{folder}", "-pthread", "-lm", *needed_by(lib)]


def needed_by(lib):
    """What a static library was built with, as its pkg-config file has it."""
    described = os.path.join(os.path.dirname(os.path.abspath(lib)), "meson-private", "urdume.pc")
    if not os.path.exists(described):
        return []
    with open(described, encoding="utf-8") as text:
        return ["-luring"] if "liburing" in text.read() else []


def run_program(block, program):
    env = clean_environment()
    for setting in block.words.get("env", []):
        name, _, value = setting.partition("=")
        env[name] = value
    exit_code = int(block.words.get("exit", ["0"])[0])
    printed = run([program], "run", env, exit_code)
    if block.output is None:
        return
    groups = tuple(int(n) for n in block.words.get("groups", []))
    for _ in range(2):
        what, message = compare(block.output, printed, groups)
        if what != "time":
            break
        printed = run([program], "run", env, exit_code)
    if what:
        raise BadBlock(f"output: {message}")


def check_c(block, options, directory):
    check_same(block)
    sources = [source_of(block)]
    if "kinds" in block.words:
        if sources[0].count("URD_TASK") != 1:
            raise BadBlock("`kinds` needs the word URD_TASK exactly once")
        sources += [sources[0].replace("URD_TASK", kind) for kind in ("URD_THREAD", "URD_PROCESS")]
    for number, source in enumerate(sources):
        file = os.path.join(directory, f"block{number}.c")
        program = os.path.join(directory, f"block{number}")
        with open(file, "w", encoding="utf-8") as opened:
            opened.write(source)
        command = [*shlex.split(options.cc), "-std=gnu17", "-O1", "-g", "-I", options.include,
                   *WARNINGS, *shlex.split(options.cflags)]
        if not block.is_program:
            run([*command, *FRAGMENT_FLAGS, "-c", file, "-o", program], "compile")
        elif not options.lib:
            run([*command, "-c", file, "-o", program], "compile")
        else:
            run([*command, file, "-o", program, *link_flags(options.lib, source)], "compile")
            run_program(block, program)


def check_block(block, options):
    """Returns None, or why it failed."""
    try:
        if block.language == "python":
            compile(block.code, block.where, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT |
                    ast.PyCF_ONLY_AST)
        else:
            with tempfile.TemporaryDirectory() as directory:
                check_c(block, options, directory)
    except (BadBlock, SyntaxError, OSError) as error:
        return str(error)
    return None


def header_names(include):
    def read(pattern):
        text = ""
        for file in sorted(glob.glob(os.path.join(include, pattern))):
            with open(file, encoding="utf-8") as opened:
                text += opened.read()
        return text

    text = "".join(map(read, ("urd.h", "urd/*.h", "urd_auth.h", "urd_mpi.h", "urd_tls.h")))
    everything = text + read("urd_compare.h")
    functions = set(re.findall(r"\b(urd_[a-z_]*?[a-z])(?:_at)?\(", re.sub(r"/\*.*?\*/", "", text,
                                                                     flags=re.S)))
    return functions, set(WORD.findall(everything)) | functions


def check_names(files, include):
    """Words that are not in urd.h, and functions that are in no man page: a list of messages."""
    functions, names = header_names(include)
    names |= {os.path.basename(page)[:-2] for page in glob.glob(os.path.join(ROOT, "man", "*.3"))}
    messages, documented = [], set()
    for file in files:
        with open(file, encoding="utf-8") as opened:
            lines = opened.read().splitlines()
        for number, line in enumerate(lines, 1):
            for name in [] if line.startswith(".Dt") else WORD.findall(line):
                if name not in names:
                    messages.append(f"{os.path.relpath(file, ROOT)}:{number}: {name} is not in "
                                    "urd.h")
        if file.endswith(".3"):
            named = set(re.findall(r"^\.Nm (urd_\w+)", "\n".join(lines), re.M))
            shown = set(re.findall(r"^\.F[no] \"?\w*?\s?\*?(urd_\w+)", "\n".join(lines), re.M))
            documented |= named & shown
    if any(file.endswith(".3") for file in files):
        messages += [f"{name}: in no man page's NAME and SYNOPSIS"
                     for name in sorted(functions - documented) if not name.endswith("_fn")]
    return messages


def documents():
    return sorted(glob.glob(os.path.join(ROOT, "README*.md")) +
                  glob.glob(os.path.join(ROOT, "docs", "**", "*.md"), recursive=True) +
                  glob.glob(os.path.join(ROOT, "man", "*.3")))


def check_file(file, options):
    """Prints a line for each block; returns how many passed and failed."""
    passed = failed = 0
    try:
        blocks = read_blocks(file)
    except BadBlock as error:
        print(f"FAIL {os.path.relpath(file, ROOT)}: {error}")
        return 0, 1
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        messages = list(pool.map(lambda block: check_block(block, options), blocks))
    for block, message in zip(blocks, messages):
        print(f"FAIL {block.where}: {message}" if message else f"ok {block.where}", flush=True)
        passed, failed = passed + (message is None), failed + (message is not None)
    return passed, failed


def self_test(options):
    """Every kind of wrong block must fail, and its right twin pass."""
    program = '```c\n#include <stdio.h>\n\nint main(void)\n{\n    puts("a");\n%s}\n```\n'
    good = program % ""
    cases = [
        (True, good), (True, good + "\n```text\na\n```\n"), (True, good + "\n```saida\na\n```\n"),
        (False, good + "\n```text\nb\n```\n"), (False, good + "\n```text\n```\n"),
        (False, program % "    return undeclared;\n"), (False, program % "    int unused;\n"),
        (False, program % "    return 3;\n"),
        (True, "<!-- block: exit 3 -->\n" + program % "    return 3;\n"),
        (False, "<!-- block: exit 2 -->\n" + program % "    return 3;\n"),
        (False, "```c\nputs(\"a\");\n```\n"),
        (True, "<!-- block: statements -->\n```c\nputs(\"a\");\n```\n"),
        (False, "<!-- block: statements -->\n```c\nputs(1 +);\n```\n"),
        (False, "<!-- block: statements -->\n```c\nhelp();\n```\n"),
        (True, "<!-- block: statements\nvoid help(void);\n-->\n```c\nhelp();\n```\n"),
        (True, "<!-- block: declarations -->\n```c\nint f(void);\n```\n"),
        (False, "<!-- block: declarations -->\n```c\nint f(;\n```\n"),
        (False, "<!-- block: stetements -->\n```c\nint f;\n```\n"),
        (False, "<!-- block: same LICENSE -->\n" + good),
        (True, "<!-- block: rows -->\n\n| a | b |\n|---|---|\n| x | `puts(\"a\");` |\n"),
        (False, "<!-- block: rows -->\n\n| a | b |\n|---|---|\n| x | `putz(\"a\");` |\n"),
        (False, "<!-- block: rows -->\n\n| a | b |\n|---|---|\n| x | y |\n"),
        (True, "<!-- block: prelude\nint g;\n-->\n<!-- block: statements -->\n```c\ng++;\n```\n"),
        (True, "```python\nawait f(1)\n```\n"), (False, "```python\nf(1\n```\n"),
    ]
    page = ('.Sh EXAMPLES\n.Bd -literal\n#include <stdio.h>\n\nint main(void)\n{\n'
            '    puts("a\\e\\e");\n}\n.Ed\n.\\" output\n.Bd -literal\n%s\n.Ed\n')
    with tempfile.TemporaryDirectory() as directory:
        options.include, options.lib = directory, "-lm"
        for header in ("urd.h", "urd_auth.h", "urd_mpi.h", "urd_tls.h"):
            open(os.path.join(directory, header), "w", encoding="utf-8").close()
        failed = total = 0
        for name, text, should in ([("t.md", text, should) for should, text in cases] +
                                   [("t.3", page % "a\\e", True), ("t.3", page % "b", False)]):
            file = os.path.join(directory, name)
            with open(file, "w", encoding="utf-8") as opened:
                opened.write(text)
            try:
                blocks = read_blocks(file)
                right = bool(blocks) and all(check_block(b, options) is None for b in blocks)
            except BadBlock:
                right = False
            total, failed = total + 1, failed + (right != should)
            if right != should:
                print(f"FAIL self-test: should {'pass' if should else 'fail'}:\n{text}")
    print(f"{total - failed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="default: all of the documentation")
    parser.add_argument("--include", default=os.path.join(ROOT, "include"))
    parser.add_argument("--lib", help="liburdume.so or .a; without it programs are only compiled")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--cflags", default="")
    parser.add_argument("--self-test", action="store_true", help="prove that it can fail")
    options = parser.parse_args()
    if options.self_test:
        return self_test(options)
    files = [os.path.abspath(file) for file in options.files] or documents()
    passed = failed = 0
    for file in files:
        more_passed, more_failed = check_file(file, options)
        passed, failed = passed + more_passed, failed + more_failed
    messages = check_names(files, options.include)
    for message in messages:
        print(f"FAIL {message}")
    if not messages:
        print("ok names")
    passed, failed = passed + (not messages), failed + len(messages)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
