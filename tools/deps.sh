#!/bin/sh
# deps.sh - install what make needs and this machine lacks; silent where all is there.
# SPDX-License-Identifier: MIT
#
# Usage: tools/deps.sh build|demo|test|blocking|peers
# Each line of the table is a Debian package and the command that succeeds when it is not needed.
set -eu

has() { command -v "$1" >/dev/null 2>&1; }

compiles() { # compiles COMPILER HEADER [FLAG...]
    compiler=$1 header=$2
    shift 2
    echo "#include <$header>
int main(void) { return 0; }" | "$compiler" -x c - -o /dev/null "$@" 2>/dev/null
}

finds() { # finds HEADER: of C or C++
    echo "#include <$1>" | c++ -E -x c++ - >/dev/null 2>&1
}

build_table() {
    cat <<'END'
build-essential       has g++ && compiles cc stdio.h
meson                 has meson
ninja-build           has ninja
pkg-config            has pkg-config
python3               has python3
libjansson-dev        compiles cc jansson.h -ljansson
libdw-dev             compiles cc elfutils/libdwfl.h
liburing-dev          compiles cc liburing.h -luring
libc-ares-dev         compiles cc ares.h -lcares
libssl-dev            compiles cc openssl/ssl.h -lssl -lcrypto
END
}

demo_table() { # which hashes files with OpenSSL
    build_table
}

test_table() {
    demo_table
    cat <<'END'
openssl               has openssl
curl                  has curl
gcc                   has gcc && compiles gcc stdio.h -fsanitize=address,undefined
clang                 has clang && compiles clang stdio.h
clang-format          has clang-format
clang-tidy            has clang-tidy
libhttp-parser-dev    compiles cc http_parser.h -lhttp_parser
curl                  has curl
wrk                   has wrk
libopenmpi-dev        has mpicc
openmpi-bin           has mpirun
iproute2              has ip
libpng-dev            compiles cc png.h -lpng
redis-server          has redis-server
libhiredis-dev        compiles cc hiredis/hiredis.h -lhiredis
cmake                 has cmake
gdb                   has gdb
mandoc                has mandoc
valgrind              has valgrind && compiles cc valgrind/valgrind.h
libc6-dbg             valgrind --quiet true
qemu-user             has qemu-aarch64
gcc-aarch64-linux-gnu has aarch64-linux-gnu-gcc
libc6-dev-arm64-cross compiles aarch64-linux-gnu-gcc stdio.h
END
}

blocking_table() { # of make blocking-demo
    build_table
    cat <<'END'
binutils              has objdump
redis-server          has redis-server
libhiredis-dev        compiles cc hiredis/hiredis.h -lhiredis
postgresql            ls /usr/lib/postgresql/*/bin/postgres
libpq-dev             compiles cc postgresql/libpq-fe.h -lpq
END
}

peers_table() { # of make bench-peers; Go and Rust are not Debian's, whose releases are too old
    build_table
    cat <<'END'
g++                   has g++
libtbb-dev            finds tbb/task_group.h
libboost-fiber-dev    finds boost/fiber/all.hpp
libuv1-dev            finds uv.h
libst-dev             finds st.h
libboost-dev          finds boost/interprocess/ipc/message_queue.hpp
libzmq3-dev           finds zmq.h
libnng-dev            finds nng/nng.h
libhttp-parser-dev    compiles cc http_parser.h -lhttp_parser
wrk                   has wrk
python3-venv          python3 -c 'import ensurepip, venv'
END
}

missing() { # the packages of the table on stdin whose command fails, on one line
    while read -r package check; do
        (eval "$check") </dev/null >/dev/null 2>&1 || printf '%s ' "$package"
    done
}

run_apt() {
    if [ "$(id -u)" = 0 ]; then
        DEBIAN_FRONTEND=noninteractive apt-get "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive apt-get "$@"
    fi
}

case ${1:-} in
build | demo | test | blocking | peers) ;;
*) echo "usage: tools/deps.sh build|demo|test|blocking|peers" >&2 && exit 2 ;;
esac

needed=$("$1_table" | missing)
[ -n "$needed" ] || exit 0
if ! has apt-get; then
    echo "make $1 needs these Debian packages, or what your system calls them: $needed" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ] && ! has sudo; then
    echo "make $1 needs packages.  As root: apt-get install $needed" >&2
    exit 1
fi

echo "installing with apt-get: $needed"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # the names are words
if ! { run_apt update && run_apt install -y --no-install-recommends $needed; } \
    </dev/null >"$log" 2>&1; then
    cat "$log" >&2
    echo "apt-get could not install: $needed" >&2
    exit 1
fi
still=$("$1_table" | missing)
[ -z "$still" ] || { echo "still missing after apt-get: $still" >&2 && exit 1; }
