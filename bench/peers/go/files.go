// files.go - files and programs.
// SPDX-License-Identifier: MIT
package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
)

const (
	fileBytes  = 1024
	pieceBytes = 256 << 10
	pageBytes  = 4096
)

func sayUs(name string, start time.Time, n int) {
	say(name, float64(time.Since(start).Nanoseconds())/1e3/float64(n), "us")
}

func readSmall() {
	folder := os.Getenv("BENCH_FILES")
	for i := range times {
		bytes, err := os.ReadFile(filepath.Join(folder, strconv.Itoa(i)))
		must(err)
		if len(bytes) != fileBytes {
			fail("a file is too short")
		}
	}
}

func filesSmall() {
	readSmall()
	start := time.Now()
	readSmall()
	sayUs("files-small", start, times)
}

func filesLarge() {
	file, err := os.Open(filepath.Join(os.Getenv("BENCH_FILES"), "large"))
	must(err)
	defer file.Close()
	piece := make([]byte, pieceBytes)
	start := time.Now()
	for left := times << 20; left > 0; left -= len(piece) {
		_, err := io.ReadFull(file, piece)
		must(err)
	}
	sayUs("files-large", start, times)
}

func startAll(name string) {
	must(exec.Command("/bin/true").Run())
	start := time.Now()
	for range times {
		must(exec.Command("/bin/true").Run())
	}
	sayUs(name, start, times)
}

func startSmall() {
	startAll("exec")
}

func startLarge() {
	grown := make([]byte, 2<<30)
	for i := 0; i < len(grown); i += pageBytes {
		grown[i] = 1
	}
	startAll("exec-large")
	runtime.KeepAlive(grown)
}
