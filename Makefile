# Makefile - short names for what meson and tools/ do; `make help` lists them.
# SPDX-License-Identifier: MIT
PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
CI := python3 tools/ci.py --jobs $(JOBS)

.PHONY: all demo test advise-set blocking-demo bench bench-peers install asan tsan valgrind stress \
  model soak mutants nightly tidy format clean help

all:        ## build the library, the command and the tests in build/
	@tools/deps.sh build
	@test -f build/build.ninja || meson setup build
	@ninja -C build -j $(JOBS)

demo:       ## run the same function in sequence, as tasks, threads and processes, measured
	@tools/deps.sh demo
	@test -f build/build.ninja || meson setup build
	@ninja -C build -j $(JOBS) urd examples/bolo
	@tools/demo.sh build

test:       ## everything that must hold; the last line is N passed, N failed
	@tools/deps.sh test
	@$(CI)

asan tsan valgrind stress model: ## the tests under one tool, or one suite of them
	@tools/deps.sh test
	@$(CI) $@

mutants:    ## every protocol broken in every known way: its model must fail
	@python3 test/model/mutants.py --jobs $(JOBS)

soak: export URD_STRESS_SECONDS := 600
soak: export URD_STRESS_KILLS := 100000
nightly: export URD_STRESS_SEEDS := 1000000
nightly: export URD_FAULTS := all
soak nightly: export URD_TEST_TIMEOUT := 3000
soak nightly: all ## 10 minutes on real threads and connections, 100,000 deaths; a million random programs
	@meson test -C build --num-processes 1 -t 30 --verbose --suite stress --suite fail

advise-set: all ## urd advise on 60 known programs, most of them installed first by apt-get
	@URD=build/urd URD_PROGRAMS=build/test python3 test/advise/labelled.py --install --runs $(or $(RUNS),1)

blocking-demo: ## libpq and hiredis as they are, waiting as tasks, against real servers
	@tools/deps.sh blocking
	@test -f build/build.ninja || meson setup build
	@ninja -C build -j $(JOBS) blocking-demo

bench: all  ## build and run the benches
	@meson test -C build --benchmark --verbose --num-processes 1

bench-peers: all ## compare with Go, Tokio and other runtimes, built here: table, JSON, chart
	@python3 tools/bench_peers.py

install: all ## install below PREFIX (/usr/local), and below DESTDIR if it is set
	@meson configure build --prefix '$(abspath $(PREFIX))'
	@meson install -C build

tidy:       ## the house rules, and clang-tidy
	@tools/deps.sh test
	@$(CI) --deep tidy lint

format:     ## let clang-format write the C files
	@python3 tools/ci.py --format

clean:      ## remove what was built
	rm -rf build build-*

help:       ## this list
	@sed -n 's/^\([a-z -]*\):[^#]*## /\1\t/p' Makefile | expand -t 34
