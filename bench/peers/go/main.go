// main.go - the rows of the comparison in Go.
// SPDX-License-Identifier: MIT
//
// Called as bench/peers/peer.h says: main ROW WORKERS N [SECONDS].
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

const (
	batch   = 1000
	steps   = 8
	rows    = 1000
	million = 1e6
)

var (
	workers int
	times   int
	seconds float64
)

var table = map[string]func(){
	"spawn": spawn, "yield": yield, "pingpong": pingpong, "apart": apart, "skynet": skynet, "fib": fib,
	"chan": channel, "mutex": mutex, "mutex-many": mutexMany, "wake": wake, "sleepers": sleepers,
	"timers-fire": timersFire, "timers-set": timersSet, "echo": echo,
	"accept": accept, "http": web,
	"for-even": forEven, "burst": burst, "for-uneven": forUneven, "for-nested": forNested, "for-memory": forMemory,
	"reduce": reduce, "sort": sortAll, "submit": submit,
	"files-small": filesSmall, "files-large": filesLarge, "exec": startSmall, "exec-large": startLarge,
}

func say(name string, value float64, unit string) {
	fmt.Printf("%s %.6g %s\n", name, value, unit)
}

func sayEach(name string, start time.Time, n int) {
	say(name, float64(time.Since(start).Nanoseconds())/float64(n), "ns")
}

func fail(what ...any) {
	fmt.Fprintln(os.Stderr, append([]any{"failed:"}, what...)...)
	os.Exit(1)
}

func must(err error) {
	if err != nil {
		fail(err)
	}
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: main ROW WORKERS N [SECONDS]")
		os.Exit(2)
	}
	workers, _ = strconv.Atoi(os.Args[2])
	times, _ = strconv.Atoi(os.Args[3])
	seconds = 2
	if len(os.Args) > 4 {
		seconds, _ = strconv.ParseFloat(os.Args[4], 64)
	}
	row := table[os.Args[1]]
	if row == nil {
		os.Exit(77)
	}
	runtime.GOMAXPROCS(workers)
	row()
}
