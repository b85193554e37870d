#!/bin/sh
# demo.sh - one C function in sequence, as tasks, as threads and as processes: seen and measured.
# SPDX-License-Identifier: MIT
#
# Usage: tools/demo.sh BUILD [FOLDER]     FOLDER: whose files are hashed; /usr/include
set -eu

build=$1
folder=${2:-/usr/include}
pages=$build/demo
mkdir -p "$pages"

for way in sequencial tarefas threads processos; do
    printf '\n== bolo %s\n' "$way"
    "$build/examples/bolo" "$way"
done

failed=
compare() { # compare NAME [ARG...]
    name=$1
    shift
    printf '\n== urd compare %s\n' "$name${1:+ $*}"
    "$build/urd" compare "examples/compare/$name.c" --html "$pages/$name.html" -- "$@" ||
        failed="$failed $name"
}
compare bolo
compare primes
compare hash_files "$folder"
compare counter_locked

printf '\nThe timelines, to open in a browser:\n'
for page in "$pages"/*.html; do
    echo "  file://$(realpath "$page")"
done
[ -z "$failed" ] || { echo "failed:$failed" >&2 && exit 1; }
