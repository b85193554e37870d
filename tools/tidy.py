#!/usr/bin/env python3
"""tidy.py - the rules of the house that a machine can check.

SPDX-License-Identifier: MIT

Usage: tools/tidy.py [FOLDER]     prints FILE:LINE: what is wrong and what to do; exit 1 if anything

Each check_NAME below takes the tree and yields (path, line, message); tools/tidy_test.py feeds each
one a tree that breaks it.
"""
import os
import re
import sys

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 800
HEAD_LINES = 12  # the name and the licence stand in these

# Includes go from a layer to itself or to one of a lower rank.
# What uses urd.h alone, as any program does, includes none of them: tls; or base alone: blocking.
LAYERS = {"tls": 0, "mpi": 0,
          "base": 0, "blocking": 1, "core": 1, "sync": 2, "io": 2, "watch": 3, "net": 3,
          "proc": 4, "par": 4, "pool": 5, "ui": 6, "compare": 7, "advise": 8, "cli": 9}
COMMAND = ("ui", "compare", "advise", "cli")  # of the command, which is tested as one: test/cli

# What is banned, where (a pattern of paths), where not, and what to use in its place.
BANS = [
    (r"\b(__atomic_\w+|__sync_\w+|_Atomic|atomic_\w+|volatile)\b", r"src/", r"src/base/atomic\.h",
     "use the named orders of base/atomic.h"),
    (r"\berrno\b", r"src/", r"src/(base/os|blocking/blocking)\w*\.c",
     "let a wrapper in base/os*.c return -errno"),
    (r"\b(__thread|_Thread_local|thread_local)\b", r"src/", r"src/core/(task\.[ch]|overflow\.c)",
     "ask core/task.c: a thread-local read is cached across a switch"),
    (r"\b(sleep|usleep|nanosleep)\s*\(", r"test/", r"test/(unit/blocking\w*|blocking/plain)\.c",
     "use the virtual clock: no test waits"),
    (r"\b(strcpy|strcat|stpcpy)\s*\(", r"", None, "use memcpy or snprintf with a size"),
    (r"\b(sprintf|vsprintf)\s*\(", r"", None, "use snprintf"),
    (r"\b(gets|strtok)\s*\(", r"", None, "use fgets or strtok_r"),
    (r"\balloca\s*\(", r"", None, "use a fixed array: stacks are small"),
]
# The exported symbols of each library.
MAPS = ("src/urd.map", "src/urd_tls.map", "src/urd_mpi.map")
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"])
                        + r")\b")

# Exemptions: (check, path): reason.  The shorter the better.
EXEMPT = {
}

SKIPPED_FOLDERS = re.compile(r"^(\.git|build(-.*)?|__pycache__|\.cache)$")
CODE = (".c", ".h", ".S")
SCRIPTS = (".py", ".sh")
TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def blank(text):
    return re.sub(r"[^\n]", " ", text)


class File:
    """A text file: whole, and for C also without comments and strings, or comments alone."""

    def __init__(self, path, text):
        self.path, self.text = path, text
        self.lines = text.split("\n")
        self.kind = os.path.splitext(path)[1]
        self.code = self.comments = ""
        if self.kind in CODE:
            self.code = TOKEN.sub(lambda m: blank(m[0]), text)
            rest = TOKEN.sub(lambda m: "\0" * len(m[0]) if m[0][0] == "/" else m[0], text)
            self.comments = "".join(a if a == "\n" or b == "\0" else " "
                                    for a, b in zip(text, rest))


class Tree:
    """Every text file below a folder, by its path in it."""

    def __init__(self, top):
        self.top, self.files = top, {}
        for folder, folders, names in os.walk(top):
            folders[:] = sorted(d for d in folders if not SKIPPED_FOLDERS.match(d))
            for name in sorted(names):
                full = os.path.join(folder, name)
                try:
                    with open(full, encoding="utf-8") as text:
                        path = os.path.relpath(full, top)
                        self.files[path] = File(path, text.read())
                except (UnicodeDecodeError, OSError):
                    continue

    def under(self, folder, *kinds):
        return [f for f in self.files.values()
                if f.path.startswith(folder) and (not kinds or f.kind in kinds)]

    def text(self, *paths):
        return "\n".join(f.text for p in paths for f in self.under(p))


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def check_width(tree):
    for f in tree.under("", *CODE, *SCRIPTS, ".build"):
        for number, line in enumerate(f.lines, 1):
            if len(line) > COLUMNS_MAX:
                yield f.path, number, f"{len(line)} columns, at most {COLUMNS_MAX}"


def check_function_length(tree):
    for f in tree.under("", ".c", ".h"):
        start = None
        for number, line in enumerate(f.lines, 1):
            if line == "{":
                start = number
            elif line == "}" and start:
                if number - start + 1 > FUNCTION_LINES_MAX:
                    yield (f.path, start, f"function of {number - start + 1} lines, at most "
                           f"{FUNCTION_LINES_MAX}: split it")
                start = None


def check_file_length(tree):
    for f in tree.under("", *CODE, *SCRIPTS):
        if len(f.lines) - 1 > FILE_LINES_MAX:
            yield f.path, 1, f"{len(f.lines) - 1} lines, at most {FILE_LINES_MAX}: split it"


def check_first_line(tree):
    for f in tree.under("", *CODE, *SCRIPTS):
        name = re.escape(os.path.basename(f.path))
        if f.kind in CODE:
            fits = re.match(rf"/\*\n \* {name} - \S.*[.?]\n", f.text)
        else:
            fits = re.match(rf'#!.*\n("""|# ){name} - \S.*[.?]\n', f.text)
        if not fits:
            yield f.path, 1, f"does not begin with `{os.path.basename(f.path)} - one sentence.`"


def check_licence(tree):
    for f in tree.under("", *CODE, *SCRIPTS):
        if "SPDX-License-Identifier: MIT" not in "\n".join(f.lines[:HEAD_LINES]):
            yield f.path, 1, "no `SPDX-License-Identifier: MIT` in the head comment"


def check_include_direction(tree):
    for f in tree.under("src/", *CODE):
        own = f.path.split("/")[1]
        for number, line in enumerate(f.lines, 1):
            match = re.match(r'\s*#\s*include\s+"(\w+)/', line)
            if not match or match[1] == own:
                continue
            if match[1] not in LAYERS or own not in LAYERS:
                yield f.path, number, f"{match[1]} or {own} is no layer; see LAYERS in tidy.py"
            elif LAYERS[match[1]] >= LAYERS[own]:
                yield f.path, number, f"{own} may not include {match[1]}: layers point downwards"


def check_bans(tree):
    for f in tree.under("", *CODE):
        # Inline assembly is volatile by right, and an include names no variable.
        code = re.sub(r"(__asm__|asm)\s+volatile|^\s*#\s*include[^\n]*", lambda m: blank(m[0]),
                      f.code, flags=re.M)
        for pattern, where, but, instead in BANS:
            if not re.match(where, f.path) or (but and re.fullmatch(but, f.path)):
                continue
            for match in re.finditer(pattern, code):
                word = match[0].rstrip(" (")
                yield f.path, line_of(code, match.start()), f"{word} is banned here: {instead}"


def check_unfinished(tree):
    for f in tree.under(""):
        for number, line in enumerate(f.lines, 1):
            match = UNFINISHED.search(line)
            if match:
                yield f.path, number, f"{match[0]} does not land: finish it, or open an issue"


def check_order_labels(tree):
    """`[label]` in a comment names an edge; its other end bears the same label."""
    seen = {}
    for f in tree.under("src/", *CODE):
        for match in re.finditer(r"(?<![\w\]])\[([a-z][a-z0-9_-]*)\]", f.comments):
            seen.setdefault(match[1], []).append((f.path, line_of(f.comments, match.start())))
    for label, places in seen.items():
        if len(places) == 1:
            yield *places[0], f"order label [{label}] stands alone: name it at the other end too"


def check_unit_tests(tree):
    for f in tree.under("src/", ".c"):
        folder, name = f.path.split("/")[1], os.path.basename(f.path)
        if folder in COMMAND or folder == "mpi":  # of several ranks: test/cli/mpi.py
            continue
        if f"test/unit/{name}" not in tree.files:
            yield f.path, 1, f"has no unit test: write test/unit/{name}"


def declared(tree):
    """The functions of the library that its headers declare, with their lines."""
    names = {}
    for f in tree.under("include/urd.h") + tree.under("include/urd/", ".h") + \
            tree.under("include/urd_auth.h") + tree.under("include/urd_tls.h") + \
            tree.under("include/urd_mpi.h"):
        code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: blank(m[0]), f.code, flags=re.M)
        code = re.sub(r"^URD_(BEGIN|END)_DECLS$", lambda m: blank(m[0]), code, flags=re.M)
        for match in re.finditer(r"^(?!typedef\b|static\b)\w[\w\s*]*?\b(urd_\w+)\s*\(", code, re.M):
            names.setdefault(match[1], (f.path, line_of(code, match.start(1))))
    return names


def check_symbols(tree):
    maps = [tree.files[path].text for path in MAPS if path in tree.files]
    if not maps:
        return
    names = declared(tree)
    text = re.sub(r"/\*.*?\*/|#[^\n]*", "", "\n".join(maps), flags=re.S)
    listed = re.findall(r"\b(urd_\w*\*?)\s*;", text)
    exact = {name for name in listed if not name.endswith("*")}
    open_ended = tuple(name[:-1] for name in listed if name.endswith("*"))
    manual, tests = tree.text("man/"), tree.text("test/", "examples/")
    for name, place in names.items():
        if name not in exact and not (open_ended and name.startswith(open_ended)):
            yield *place, f"{name} is not in src/urd.map"
        if not re.search(rf"\b{name}\b", manual):
            yield *place, f"{name} is in no man page"
        if not re.search(rf"\b{re.sub('_at$', '(_at)?', name)}\b", tests):
            yield *place, f"{name} is in no test"
    for name in sorted(exact - set(names)):
        yield "src/urd.map", 1, f"{name} is not declared in include/"


def check_dead_files(tree):
    lists = "\n".join(f.text for f in tree.files.values()
                      if os.path.basename(f.path) in ("meson.build", "mutants.py", "demo.sh",
                                                      "bench_peers_build.py"))
    for f in tree.files.values():
        name, stem = os.path.basename(f.path), os.path.basename(f.path)[:-len(f.kind) or None]
        if f.kind in (".c", ".S") and not re.search(rf"\b{stem}\b", lists):
            yield f.path, 1, f"is in no meson.build: build {name} or delete it"
        if f.kind == ".h" and not f.path.startswith("include/") \
                and not re.search(rf'#\s*include\s+["<]([\w/.]*/)?{re.escape(name)}[">]',
                                  "\n".join(g.text for g in tree.under("", *CODE))):
            yield f.path, 1, "is included by nobody: delete it"


def prose(f):
    """The lines of a Markdown file, code blocks left empty."""
    inside = False
    for number, line in enumerate(f.lines, 1):
        if line.lstrip().startswith("```"):
            inside = not inside
            line = ""
        yield number, "" if inside else line


def check_numbering(tree):
    """Numbered lists and headings count 1, 2, 3; so do the sections of a header."""
    for f in tree.under("", ".md", ".h"):
        pattern = r"(#+ |\s*)(\d+)\.\s" if f.kind == ".md" else r"(/\* -+ )(\d+)\.\s"
        last = {}
        for number, line in (prose(f) if f.kind == ".md" else enumerate(f.lines, 1)):
            match = re.match(pattern, line)
            if f.kind == ".md" and line.startswith("#"):
                depth = len(line) - len(line.lstrip("#"))
                last = {k: v for k, v in last.items() if 0 < k.count("#") <= depth}
            if not match:
                continue
            level, value = match[1], int(match[2])
            if value not in (1, last.get(level, 0) + 1):
                yield f.path, number, f"{value}. follows {last.get(level, 0)}.: number without gaps"
            last[level] = value


def anchors(f):
    names = set()
    for _, line in prose(f):
        match = re.match(r"#+\s+(.*)", line)
        if match:
            plain = re.sub(r"[^\w\s-]", "", match[1].lower())
            names.add(plain.strip().replace(" ", "-"))
    return names


def check_links(tree):
    for f in tree.under("", ".md"):
        for number, line in prose(f):
            for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                path = os.path.normpath(os.path.join(os.path.dirname(f.path), path)) if path \
                    else f.path
                if not os.path.exists(os.path.join(tree.top, path)):
                    yield f.path, number, f"dead link: {target}"
                elif anchor and path in tree.files and anchor not in anchors(tree.files[path]):
                    yield f.path, number, f"dead link: {path} has no heading #{anchor}"


def check_manual_references(tree):
    for f in tree.under("man/"):
        for number, line in enumerate(f.lines, 1):
            match = re.match(r"\.Xr (urd\w*) (\d)", line)
            if match and f"man/{match[1]}.{match[2]}" not in tree.files:
                yield f.path, number, f"dead reference: there is no man/{match[1]}.{match[2]}"


CHECKS = {name: function for name, function in list(globals().items())
          if name.startswith("check_")}


def findings(top):
    tree = Tree(top)
    used = set()
    for name, function in CHECKS.items():
        for path, line, message in function(tree):
            if (name, path) in EXEMPT:
                used.add((name, path))
            else:
                yield path, line, message
    for name, path in EXEMPT:
        if path in tree.files and (name, path) not in used:
            yield path, 1, f"needs no exemption from {name} any more: take it out of tidy.py"


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(
        os.path.abspath(__file__)))
    found = sorted(set(findings(top)))
    for path, line, message in found:
        print(f"{path}:{line}: {message}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
