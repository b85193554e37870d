#!/usr/bin/env python3
"""package.py - install a build into an empty folder and use it as strangers do.

SPDX-License-Identifier: MIT

Usage: tools/package.py BUILD     the last line is N passed, N failed
"""
import os
import re
import subprocess
import sys
import tempfile

import tidy

PROGRAM = """#include <urd.h>
#include <stdio.h>

static int job(void *arg)
{
    *(int *)arg = 42;
    return 0;
}

int main(void)
{
    int answer = 0;
    int rc = urd_run(NULL, job, &answer);
    printf("%d %d\\n", rc, answer);
    return 0;
}
"""
TLS_PROGRAM = """#include <stdio.h>
#include <urd_tls.h>

static int job(void *arg)
{
    urd_tls_context *c;
    int rc = urd_tls_context_open(&c, URD_TLS_CLIENT);
    if (rc == 0)
        urd_tls_context_close(c);
    *(int *)arg = 42;
    return rc;
}

int main(void)
{
    int answer = 0;
    int rc = urd_run(NULL, job, &answer);
    printf("%d %d\\n", rc, answer);
    return 0;
}
"""
MPI_PROGRAM = PROGRAM.replace("urd.h", "urd_mpi.h").replace("urd_run", "urd_mpi_run")
BLOCKING_PROGRAM = """#include <stdio.h>
#include <unistd.h>
#include <urd.h>

static int nap(void *arg)
{
    (void)arg;
    return usleep(100000);
}

static int job(void *arg)
{
    urd_time before = urd_now();
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, nap, NULL);
    urd_go(&s, nap, NULL);
    int rc = urd_scope_join(&s);
    *(int *)arg = urd_now() - before == 100 * URD_MS ? 42 : 0;
    return rc;
}

int main(void)
{
    urd_config config = {.workers = 1, .virtual_clock = true};
    int answer = 0;
    int rc = urd_run(&config, job, &answer);
    printf("%d %d\\n", rc, answer);
    return 0;
}
"""
CMAKE = """cmake_minimum_required(VERSION 3.13)
project(consumer C)
find_package(urdume {version} REQUIRED)
foreach(kind urdume static)
    add_executable(with_${{kind}} main.c)
    target_link_libraries(with_${{kind}} urdume::${{kind}})
endforeach()
if(TARGET urdume::tls)
    foreach(kind tls tls_static)
        add_executable(with_${{kind}} tls.c)
        target_link_libraries(with_${{kind}} urdume::${{kind}})
    endforeach()
endif()
if(TARGET urdume::mpi)
    foreach(kind mpi mpi_static)
        add_executable(with_${{kind}} mpi.c)
        target_link_libraries(with_${{kind}} urdume::${{kind}})
    endforeach()
endif()
if(TARGET urdume::blocking)
    add_executable(with_blocking blocking.c)
    target_link_libraries(with_blocking urdume::blocking)
endif()
"""
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Wundef", "-Wconversion", "-Werror"]


class Package:
    """What `meson install` wrote, below a folder of our own."""

    def __init__(self, build, folder):
        self.build, self.folder = os.path.abspath(build), folder
        self.top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self.run(["meson", "install", "-C", self.build, "--no-rebuild", "--quiet",
                  "--destdir", os.path.join(folder, "root")])
        self.prefix = self.find("urd.h", parents=2)
        self.library = os.path.dirname(self.find("liburdume.so"))
        os.environ["PKG_CONFIG_PATH"] = os.path.join(self.library, "pkgconfig")
        os.environ["LD_LIBRARY_PATH"] = self.library
        self.main = self.write("main.c", PROGRAM)
        self.tls = self.write("tls.c", TLS_PROGRAM)
        self.mpi = self.write("mpi.c", MPI_PROGRAM)
        self.has_mpi = os.path.exists(os.path.join(self.library, "liburdume-mpi.so"))
        self.blocking = self.write("blocking.c", "#define _GNU_SOURCE\n" + BLOCKING_PROGRAM)
        self.has_blocking = os.path.exists(os.path.join(self.library, "liburdume-blocking.so"))
        self.has_tls = os.path.exists(os.path.join(self.library, "liburdume-tls.so"))

    def find(self, name, parents=0):
        for folder, _, names in os.walk(os.path.join(self.folder, "root")):
            if name in names:
                path = os.path.join(folder, name)
                for _ in range(parents):
                    path = os.path.dirname(path)
                return path
        raise AssertionError(f"{name} was not installed")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def run(self, command, cwd=None):
        done = subprocess.run(command, cwd=cwd or self.folder, text=True, timeout=120, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
        return done.stdout

    def answers(self, program):
        said = self.run([program])
        assert said == "0 42\n", f"{program} printed {said!r}"


def headers(package):
    top = os.path.join(package.prefix, "include")
    return sorted(os.path.relpath(os.path.join(folder, name), top)
                  for folder, _, names in os.walk(top) for name in names)


def check_headers_are_c11(package):
    for name in headers(package):
        source = package.write("header.c", f"#include <{name}>\nint main(void) {{ return 0; }}\n")
        for compiler in ("gcc", "clang"):
            for standard in ("c11", "gnu17"):
                package.run([compiler, f"-std={standard}", *STRICT, "-fsyntax-only",
                             f"-I{package.prefix}/include", source])


def check_headers_are_cplusplus(package):
    for name in headers(package):
        twice = f"#include <{name}>\n" * 2
        source = package.write("header.cc", twice + "int main() { return 0; }\n")
        for compiler in ("g++", "clang++"):
            for standard in ("c++11", "c++17", "c++20"):
                package.run([compiler, f"-std={standard}", *STRICT, "-fsyntax-only",
                             f"-I{package.prefix}/include", source])


def check_cplusplus_links(package):
    flags = package.run(["pkg-config", "--cflags", "--libs", "urdume"]).split()
    source = package.write("main.cc", PROGRAM)
    package.run(["g++", "-std=c++17", *STRICT, source, "-o", "cplusplus", *flags])
    package.answers(os.path.join(package.folder, "cplusplus"))


def check_pkg_config_shared(package):
    flags = package.run(["pkg-config", "--cflags", "--libs", "urdume"]).split()
    package.run(["gcc", "-std=c11", *STRICT, package.main, "-o", "shared", *flags])
    assert "liburdume.so.0" in package.run(["ldd", "shared"]), "not linked with liburdume.so.0"
    package.answers(os.path.join(package.folder, "shared"))


def check_pkg_config_static(package):
    flags = package.run(["pkg-config", "--cflags", "--libs", "--static", "urdume"]).split()
    flags = [flag if flag != "-lurdume" else f"{package.library}/liburdume.a" for flag in flags]
    package.run(["gcc", "-std=c11", *STRICT, package.main, "-o", "static", *flags])
    package.answers(os.path.join(package.folder, "static"))


def check_pkg_config_tls(package):
    """With it comes OpenSSL, and only with it."""
    if not package.has_tls:
        return
    flags = package.run(["pkg-config", "--cflags", "--libs", "urdume-tls"]).split()
    package.run(["gcc", "-std=c11", *STRICT, package.tls, "-o", "tls", *flags])
    package.answers(os.path.join(package.folder, "tls"))
    flags = package.run(["pkg-config", "--cflags", "--libs", "--static", "urdume-tls"]).split()
    archives = {f"-l{name}": f"{package.library}/lib{name}.a" for name in ("urdume", "urdume-tls")}
    package.run(["gcc", "-std=c11", *STRICT, package.tls, "-o", "tls_static",
                 *(archives.get(flag, flag) for flag in flags)])
    package.answers(os.path.join(package.folder, "tls_static"))
    assert "libssl" not in package.run(["ldd", f"{package.library}/liburdume.so"])


def check_pkg_config_mpi(package):
    """With it comes MPI, and only with it."""
    if not package.has_mpi:
        return
    flags = package.run(["pkg-config", "--cflags", "--libs", "urdume-mpi"]).split()
    package.run(["gcc", "-std=c11", *STRICT, package.mpi, "-o", "mpi", *flags])
    package.answers(os.path.join(package.folder, "mpi"))
    flags = package.run(["pkg-config", "--cflags", "--libs", "--static", "urdume-mpi"]).split()
    archives = {f"-l{name}": f"{package.library}/lib{name}.a" for name in ("urdume", "urdume-mpi")}
    package.run(["gcc", "-std=c11", *STRICT, package.mpi, "-o", "mpi_static",
                 *(archives.get(flag, flag) for flag in flags)])
    package.answers(os.path.join(package.folder, "mpi_static"))
    assert "libmpi" not in package.run(["ldd", f"{package.library}/liburdume.so"])


def check_pkg_config_blocking(package):
    """Linked, and loaded before the others."""
    if not package.has_blocking:
        return
    for name, environment in (("urdume-blocking", ""), ("urdume", "LD_PRELOAD=")):
        flags = package.run(["pkg-config", "--cflags", "--libs", name]).split()
        package.run(["gcc", "-std=c11", *STRICT, package.blocking, "-o", "blocking", *flags])
        preload = f"{environment}{package.library}/liburdume-blocking.so.0"
        said = package.run(["env", *([preload] if environment else []), "./blocking"])
        assert said == "0 42\n", f"with {name}: {said!r}"


def check_cmake(package):
    version = package.run(["pkg-config", "--modversion", "urdume"]).strip()
    package.write("CMakeLists.txt", CMAKE.format(version=version.rsplit(".", 1)[0]))
    package.run(["cmake", "-S", ".", "-B", "cmake", f"-DCMAKE_PREFIX_PATH={package.prefix}"])
    package.run(["cmake", "--build", "cmake"])
    for kind in ("urdume", "static") + ("tls", "tls_static") * package.has_tls + \
            ("mpi", "mpi_static") * package.has_mpi + ("blocking",) * package.has_blocking:
        package.answers(os.path.join(package.folder, "cmake", f"with_{kind}"))


def check_cmake_refuses_another_series(package):
    for version in ("0.99", "1.0"):
        package.write("CMakeLists.txt", CMAKE.format(version=version))
        try:
            package.run(["cmake", "-S", ".", "-B", "no", f"-DCMAKE_PREFIX_PATH={package.prefix}"])
        except AssertionError as refused:
            assert "compatible with requested version" in " ".join(str(refused).split()), refused
        else:
            raise AssertionError(f"find_package(urdume {version}) was satisfied")


def check_versions_agree(package):
    with open(os.path.join(package.prefix, "include/urd.h"), encoding="utf-8") as header:
        header_says = re.search(r'#define URD_VERSION "(.*)"', header.read())[1]
    package_says = package.run(["pkg-config", "--modversion", "urdume"]).strip()
    assert header_says == package_says, f"urd.h says {header_says}, urdume.pc {package_says}"
    with open(os.path.join(package.top, "CHANGELOG.md"), encoding="utf-8") as log:
        assert f"## {header_says}" in log.read(), f"CHANGELOG.md has no section {header_says}"


def check_exports_equal_the_map(package):
    compare_exports(package, "liburdume.so", "src/urd.map")


def check_exports_equal_the_map_of_tls(package):
    if package.has_tls:
        compare_exports(package, "liburdume-tls.so", "src/urd_tls.map")


def check_exports_equal_the_map_of_mpi(package):
    if package.has_mpi:
        compare_exports(package, "liburdume-mpi.so", "src/urd_mpi.map")


def compare_exports(package, library, path):
    """`nm -D` shows what the map lists."""
    text = tidy.Tree(package.top).files[path].text
    wanted = set(re.findall(r"\b(urd_\w*)\s*;", text))
    versions = set(re.findall(r"^(\w+(?:\.\w+)*)\s*\{", text, re.M))
    lines = package.run(["nm", "-D", "--defined-only", f"{package.library}/{library}"])
    symbols = [line.split()[-1].split("@") for line in lines.splitlines()]
    found = {parts[0] for parts in symbols if len(parts) > 1} - versions
    strangers = {parts[0] for parts in symbols if len(parts) == 1 and parts[0] not in versions}
    assert not strangers, f"exported without a version: {sorted(strangers)}"
    assert found == wanted, f"exported but not in the map: {sorted(found - wanted)}; in the map " \
                            f"but not exported: {sorted(wanted - found)}"


def check_manual(package):
    names = set(os.listdir(os.path.join(package.prefix, "share/man/man3")))
    for name in tidy.declared(tidy.Tree(package.top)):
        page = re.sub("_at$", "", name) + ".3"
        assert page in names or f"{name}.3" in names, f"`man {name}` finds nothing"


def check_command(package):
    said = package.run([os.path.join(package.prefix, "bin/urd"), "--version"])
    assert package.run(["pkg-config", "--modversion", "urdume"]).strip() in said, said


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        try:
            package = Package(sys.argv[1], folder)
        except AssertionError as error:
            print(f"FAIL install: {error}\n0 passed, 1 failed")
            return 1
        for name, function in list(globals().items()):
            if not name.startswith("check_"):
                continue
            try:
                function(package)
                print(f"ok {name[len('check_'):]}")
                passed += 1
            except (AssertionError, OSError, KeyError) as error:
                print(f"FAIL {name[len('check_'):]}: {error}")
                failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
