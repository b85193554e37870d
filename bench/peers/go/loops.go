// loops.go - data parallelism as a Go programmer writes it: a goroutine a chunk.
// SPDX-License-Identifier: MIT
package main

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

func work(x float64, n int) float64 {
	for range n {
		x = x*x*0.25 + 0.5
	}
	return x
}

func fill(x []float64) {
	state := uint64(88172645463325252)
	for i := range x {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		x[i] = float64(state>>11) / 9007199254740992.0
	}
}

func arrays() (x, y []float64) {
	x, y = make([]float64, times), make([]float64, times)
	fill(x)
	fill(y)
	return x, y
}

func best(name string, run func()) {
	least := time.Hour
	for range 4 {
		start := time.Now()
		run()
		least = min(least, time.Since(start))
	}
	say(name, float64(least.Nanoseconds())/float64(times), "ns")
}

// The median of runs that come after a pause.
func bursts(run func()) {
	took := make([]float64, 60)
	for i := range took {
		time.Sleep(5 * time.Millisecond)
		start := time.Now()
		run()
		took[i] = float64(time.Since(start).Nanoseconds()) / 1e3
	}
	slices.Sort(took)
	say("burst", took[len(took)/2], "us")
}

// A chunk a worker, for work that is even.
func inParts(n int, run func(lo, hi int)) {
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { run(n*i/workers, n*(i+1)/workers) })
	}
	wg.Wait()
}

// Workers that take the next chunk from a counter, for work that is not.
func inTurns(n, chunk int, run func(lo, hi int)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range workers {
		wg.Go(func() {
			for {
				hi := int(next.Add(int64(chunk)))
				lo := hi - chunk
				if lo >= n {
					return
				}
				run(lo, min(hi, n))
			}
		})
	}
	wg.Wait()
}

func even() func() {
	x, y := arrays()
	return func() {
		inParts(times, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				y[i] = work(x[i], steps)
			}
		})
	}
}

func forEven() {
	best("for-even", even())
}

func burst() {
	bursts(even())
}

func forUneven() {
	x, y := arrays()
	best("for-uneven", func() {
		inTurns(times, max(1, times/(64*workers)), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				y[i] = work(x[i], 2*steps*i/times)
			}
		})
	})
}

func forNested() {
	x, y := arrays()
	columns := times / rows
	best("for-nested", func() {
		inParts(rows, func(lo, hi int) {
			for row := lo; row < hi; row++ {
				inParts(columns, func(from, to int) {
					for i := row*columns + from; i < row*columns+to; i++ {
						y[i] = work(x[i], steps)
					}
				})
			}
		})
	})
}

func forMemory() {
	x, y := arrays()
	best("for-memory", func() {
		inParts(times, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				y[i] = y[i]*0.5 + x[i]
			}
		})
	})
}

var total float64

func reduce() {
	x, _ := arrays()
	best("reduce", func() {
		var mutex sync.Mutex
		total = 0
		inParts(times, func(lo, hi int) {
			sum := 0.0
			for i := lo; i < hi; i++ {
				sum += work(x[i], steps)
			}
			mutex.Lock()
			total += sum
			mutex.Unlock()
		})
	})
}

// Sorted runs, one a worker, merged by one.
func sortParts(x, spare []float64) {
	half := len(x) / 2
	if workers == 1 {
		slices.Sort(x)
		return
	}
	inParts(2, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			slices.Sort(x[i*half : max(i*len(x), half)])
		}
	})
	a, b := x[:half], x[half:]
	for i := range spare {
		if len(b) == 0 || len(a) > 0 && a[0] <= b[0] {
			spare[i], a = a[0], a[1:]
		} else {
			spare[i], b = b[0], b[1:]
		}
	}
	copy(x, spare)
}

func sortAll() {
	x, spare := make([]float64, times), make([]float64, times)
	least := time.Hour
	for range 4 {
		fill(x)
		start := time.Now()
		sortParts(x, spare)
		least = min(least, time.Since(start))
		if !slices.IsSorted(x) {
			fail("not sorted")
		}
	}
	say("sort", float64(least.Nanoseconds())/float64(times), "ns")
}
