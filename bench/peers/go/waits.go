// waits.go - what waits: sleepers, timers, wake-ups, connections.
// SPDX-License-Identifier: MIT
package main

import (
	"fmt"
	"math/rand"
	"net"
	"net/http"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func resident() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	must(err)
	var size, pages int
	_, err = fmt.Fscan(strings.NewReader(string(text)), &size, &pages)
	must(err)
	return float64(pages * os.Getpagesize())
}

func cpu() float64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func sleepers() {
	before := resident()
	start := time.Now()
	when := start.Add(time.Duration(seconds * 1e9))
	var wg sync.WaitGroup
	var asleep atomic.Int64
	all := make(chan struct{})
	for range times {
		wg.Go(func() {
			if asleep.Add(1) == int64(times) {
				close(all)
			}
			time.Sleep(time.Until(when))
		})
	}
	<-all
	slept := time.Now()
	bytes := resident() - before
	wg.Wait()
	ended := time.Now()
	if slept.After(when) {
		fmt.Fprintf(os.Stderr, "%d goroutines took %v to start\n", times, slept.Sub(start))
		os.Exit(3)
	}
	say("sleepers.bytes", bytes/float64(times), "B")
	say("sleepers.start", slept.Sub(start).Seconds()*million/float64(times), "s")
	say("sleepers.wake", ended.Sub(when).Seconds()*million/float64(times), "s")
}

func timersFire() {
	var fired, sum, latest atomic.Int64
	done := make(chan struct{})
	before := cpu()
	start := time.Now()
	for range times {
		delay := time.Duration(rand.Int63n(1e9)) - time.Since(start)
		when := time.Now().Add(delay)
		time.AfterFunc(delay, func() {
			late := int64(time.Since(when))
			sum.Add(late)
			for old := latest.Load(); late > old && !latest.CompareAndSwap(old, late); {
				old = latest.Load()
			}
			if fired.Add(1) == int64(times) {
				close(done)
			}
		})
	}
	<-done
	say("timers-fire.cpu", (cpu()-before)*million/float64(times), "s")
	say("timers-fire.late", float64(sum.Load())/float64(times)/1e6, "ms")
	say("timers-fire.latest", float64(latest.Load())/1e6, "ms")
}

func timersSet() {
	timers := make([]*time.Timer, times)
	before := cpu()
	for i := range timers {
		timers[i] = time.AfterFunc(time.Minute+time.Duration(rand.Int63n(1e9)), nothing)
	}
	for _, timer := range timers {
		timer.Stop()
	}
	say("timers-set", (cpu()-before)*million/float64(times), "s")
}

// A thread in a system call is to the scheduler what a foreign thread is to the others.
func wake() {
	samples := make([]float64, times)
	c := make(chan time.Time, 8)
	go func() {
		runtime.LockOSThread()
		for range times {
			syscall.Nanosleep(&syscall.Timespec{Nsec: 1e6}, nil)
			c <- time.Now()
		}
	}()
	for i := range samples {
		sent := <-c
		samples[i] = float64(time.Since(sent).Nanoseconds()) / 1e3
	}
	sort.Float64s(samples)
	say("wake.p50", samples[times/2], "us")
	say("wake.p99", samples[times*99/100], "us")
}

func serve(c net.Conn) {
	defer c.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			return
		}
		if _, err = c.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func echo() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	for {
		c, err := listener.Accept()
		must(err)
		go serve(c)
	}
}

func accept() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	for {
		c, err := listener.Accept()
		must(err)
		go c.Close()
	}
}

var hello = []byte("hello, world\n")

func sayHello(w http.ResponseWriter, _ *http.Request) {
	w.Write(hello)
}

func web() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	http.HandleFunc("GET /hello", sayHello)
	http.Handle("GET /", http.FileServer(http.Dir(os.Getenv("BENCH_FILES"))))
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	must(http.Serve(listener, nil))
}
