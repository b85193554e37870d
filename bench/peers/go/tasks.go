// tasks.go - goroutines: starting, yielding, messages, trees, locks.
// SPDX-License-Identifier: MIT
package main

import (
	"runtime"
	"sync"
	"time"
)

func nothing() {}

func spawnBatches(n int) {
	var wg sync.WaitGroup
	for i := 0; i < n; i += batch {
		for range batch {
			wg.Go(nothing)
		}
		wg.Wait()
	}
}

func spawn() {
	spawnBatches(times / 10)
	start := time.Now()
	spawnBatches(times)
	sayEach("spawn", start, times)
}

func yield() {
	var wg sync.WaitGroup
	start := time.Now()
	for range 2 {
		wg.Go(func() {
			for range times / 2 {
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	sayEach("yield", start, times)
}

func roundTrips(name string, locked bool) {
	there, back := make(chan int), make(chan int)
	go func() {
		if locked {
			runtime.LockOSThread()
		}
		for v := range there {
			back <- v
		}
	}()
	if locked {
		runtime.LockOSThread()
	}
	for i := range times / 10 {
		there <- i
		<-back
	}
	start := time.Now()
	for i := range times {
		there <- i
		<-back
	}
	sayEach(name, start, times)
	close(there)
}

func pingpong() { roundTrips("pingpong", false) }

// The scheduler may put both on one thread; with a thread each they are apart, as a user would say it.
func apart() { roundTrips("apart", true) }

func skynetNode(up chan<- int, first, leaves int) {
	if leaves == 1 {
		up <- first
		return
	}
	sums := make(chan int, 10)
	part := leaves / 10
	for i := range 10 {
		go skynetNode(sums, first+i*part, part)
	}
	sum := 0
	for range 10 {
		sum += <-sums
	}
	up <- sum
}

func skynet() {
	for round := range 2 {
		start := time.Now()
		top := make(chan int, 1)
		go skynetNode(top, 0, times)
		if <-top != times*(times-1)/2 {
			fail("the sum is wrong")
		}
		if round == 1 {
			say("skynet", float64(time.Since(start).Nanoseconds())/float64(times), "ms")
		}
	}
}

func fibOf(n int) int {
	if n < 2 {
		return n
	}
	left := make(chan int, 1)
	go func() { left <- fibOf(n - 1) }()
	right := fibOf(n - 2)
	return <-left + right
}

func fibSpawns(n int) float64 {
	a, b := 0.0, 0.0
	for range n - 1 {
		a, b = b, a+b+1
	}
	return b
}

func fib() {
	fibOf(times / 2)
	start := time.Now()
	fibOf(times)
	say("fib", time.Since(start).Seconds()*1e3*fibSpawns(32)/fibSpawns(times), "ms")
}

func channel() {
	const sides = 4
	c := make(chan int, 128)
	var wg sync.WaitGroup
	start := time.Now()
	for range sides {
		wg.Go(func() {
			for i := range times / sides {
				c <- i
			}
		})
		wg.Go(func() {
			for range times / sides {
				<-c
			}
		})
	}
	wg.Wait()
	sayEach("chan", start, times)
}

var (
	lock    sync.Mutex
	counter int
)

func count(n int) {
	for range n {
		lock.Lock()
		counter++
		lock.Unlock()
	}
}

func mutex() {
	start := time.Now()
	count(times)
	sayEach("mutex", start, times)
}

func mutexMany() {
	var wg sync.WaitGroup
	start := time.Now()
	for range 1000 {
		wg.Go(func() { count(times / 1000) })
	}
	wg.Wait()
	if counter != times {
		fail("the count is wrong")
	}
	sayEach("mutex-many", start, times)
}

// A pool of goroutines that take functions from a channel.
func submit() {
	jobs := make(chan func(), batch)
	for range workers {
		go func() {
			for job := range jobs {
				job()
			}
		}()
	}
	results := make([]int, batch)
	batches := func(n int) {
		var wg sync.WaitGroup
		for range n / batch {
			wg.Add(batch)
			for k := range batch {
				jobs <- func() {
					results[k]++
					wg.Done()
				}
			}
			wg.Wait()
		}
	}
	batches(times / 10)
	start := time.Now()
	batches(times)
	sayEach("submit", start, times)
}
