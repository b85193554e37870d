// lib.rs - what the compared programs in Rust share: the command line, results, the loops' work.
// SPDX-License-Identifier: MIT
//
// Called as bench/peers/peer.h says: PROGRAM ROW WORKERS N [SECONDS].
use std::time::{Duration, Instant};

pub mod files;
pub mod loops;
pub mod tasks;
pub mod waits;
pub mod web;

pub const BATCH: usize = 1000;
const STEPS: usize = 8;
pub const ROWS: usize = 1000;

#[derive(Clone, Copy)]
pub struct Args {
    pub workers: usize,
    pub times: usize,
    pub seconds: f64,
}

pub type Row = (&'static str, fn(Args));

pub fn run(rows: &[Row]) {
    let args: Vec<String> = std::env::args().collect();
    if args.len() < 4 {
        eprintln!("usage: {} ROW WORKERS N [SECONDS]", args[0]);
        std::process::exit(2);
    }
    let parsed = Args {
        workers: args[2].parse().expect("WORKERS"),
        times: args[3].parse().expect("N"),
        seconds: args.get(4).map_or(2.0, |s| s.parse().expect("SECONDS")),
    };
    match rows.iter().find(|row| row.0 == args[1]) {
        Some(row) => row.1(parsed),
        None => std::process::exit(77),
    }
}

pub fn say(name: &str, value: f64, unit: &str) {
    println!("{name} {value} {unit}");
}

pub fn say_each(name: &str, start: Instant, times: usize) {
    say(name, start.elapsed().as_nanos() as f64 / times as f64, "ns");
}

pub fn say_us(name: &str, start: Instant, times: usize) {
    say(
        name,
        start.elapsed().as_secs_f64() * 1e6 / times as f64,
        "us",
    );
}

pub fn say_fib(start: Instant, n: usize) {
    let spawns = |n: usize| (1..n).fold((0.0, 0.0), |(a, b), _| (b, a + b + 1.0)).1;
    let ms = start.elapsed().as_secs_f64() * 1e3;
    say("fib", ms * spawns(32) / spawns(n), "ms");
}

pub fn say_skynet(start: Instant, leaves: usize, sum: usize) {
    assert_eq!(sum, leaves * (leaves - 1) / 2);
    say(
        "skynet",
        start.elapsed().as_nanos() as f64 / leaves as f64,
        "ms",
    );
}

pub fn say_wakes(samples: &mut [Duration]) {
    samples.sort();
    let us = |part: usize| samples[samples.len() * part / 100].as_nanos() as f64 / 1e3;
    say("wake.p50", us(50), "us");
    say("wake.p99", us(99), "us");
}

/// Seconds of processor time of all threads.
pub fn cpu() -> f64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
}

pub fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: f64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64
}

/// Numbers that every program draws alike.
pub struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Random(88172645463325252)
    }
}

impl Iterator for Random {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Some(self.0)
    }
}

pub fn filled(n: usize) -> Vec<f64> {
    Random::default()
        .take(n)
        .map(|r| (r >> 11) as f64 / 9007199254740992.0)
        .collect()
}

/// Hidden from the compiler, which would unroll and vectorize the loops if it knew the number.
pub fn steps() -> usize {
    std::hint::black_box(STEPS)
}

/// One element's work in the loops.
pub fn work(mut x: f64, steps: usize) -> f64 {
    for _ in 0..steps {
        x = x * x * 0.25 + 0.5;
    }
    x
}

pub fn steps_at(i: usize, n: usize) -> usize {
    2 * STEPS * i / n
}

/// The best of four runs, nanoseconds an element.
pub fn best(name: &str, n: usize, mut run: impl FnMut()) {
    let least = (0..4)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .min()
        .unwrap();
    say(name, least.as_nanos() as f64 / n as f64, "ns");
}
