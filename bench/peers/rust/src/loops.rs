// loops.rs - rayon: fork and join, and data parallelism.
// SPDX-License-Identifier: MIT
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::*;

pub const ROWS: &[Row] = &[
    ("spawn", spawn),
    ("fib", fib),
    ("skynet", skynet),
    ("for-even", for_even),
    ("burst", burst),
    ("for-uneven", for_uneven),
    ("for-nested", for_nested),
    ("for-memory", for_memory),
    ("reduce", reduce),
    ("sort", sort),
    ("submit", submit),
];

/// Inside the pool, where rayon is at its best.
fn inside(args: Args, run: impl FnOnce() + Send) {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.workers)
        .build()
        .expect("pool");
    pool.install(run);
}

fn spawn_batches(n: usize) {
    for _ in (0..n).step_by(BATCH) {
        rayon::scope(|s| {
            for _ in 0..BATCH {
                s.spawn(|_| ());
            }
        });
    }
}

fn spawn(args: Args) {
    inside(args, || {
        spawn_batches(args.times / 10);
        let start = Instant::now();
        spawn_batches(args.times);
        say_each("spawn", start, args.times);
    });
}

fn fib_of(n: usize) -> usize {
    if n < 2 {
        return n;
    }
    let (left, right) = rayon::join(|| fib_of(n - 1), || fib_of(n - 2));
    left + right
}

fn fib(args: Args) {
    inside(args, || {
        fib_of(args.times / 2);
        let start = Instant::now();
        std::hint::black_box(fib_of(args.times));
        say_fib(start, args.times);
    });
}

/// No channels here, and no task that could wait for one: the tree alone.
fn skynet_node(first: usize, leaves: usize) -> usize {
    if leaves == 1 {
        return first;
    }
    let part = leaves / 10;
    let mut sums = [0; 10];
    rayon::scope(|s| {
        for (i, sum) in sums.iter_mut().enumerate() {
            s.spawn(move |_| *sum = skynet_node(first + i * part, part));
        }
    });
    sums.iter().sum()
}

fn skynet(args: Args) {
    inside(args, || {
        for round in 0..2 {
            let start = Instant::now();
            let sum = skynet_node(0, args.times);
            if round == 1 {
                say_skynet(start, args.times, sum);
            }
        }
    });
}

fn arrays(n: usize) -> (Vec<f64>, Vec<f64>) {
    (filled(n), filled(n))
}

fn for_even(args: Args) {
    let steps = steps();
    let (x, mut y) = arrays(args.times);
    inside(args, || {
        best("for-even", args.times, || {
            y.par_iter_mut()
                .zip(&x)
                .for_each(|(y, x)| *y = work(*x, steps));
        });
    });
}

/// The median of passes that come after a pause.
fn burst(args: Args) {
    let steps = steps();
    let (x, mut y) = arrays(args.times);
    inside(args, || {
        let mut took = [0.0; 60];
        for t in took.iter_mut() {
            std::thread::sleep(Duration::from_millis(5));
            let start = Instant::now();
            y.par_iter_mut()
                .zip(&x)
                .for_each(|(y, x)| *y = work(*x, steps));
            *t = start.elapsed().as_nanos() as f64 / 1e3;
        }
        took.sort_by(f64::total_cmp);
        say("burst", took[took.len() / 2], "us");
    });
}

fn for_uneven(args: Args) {
    let (x, mut y) = arrays(args.times);
    inside(args, || {
        best("for-uneven", args.times, || {
            y.par_iter_mut()
                .zip(&x)
                .enumerate()
                .for_each(|(i, (y, x))| *y = work(*x, steps_at(i, args.times)));
        });
    });
}

fn for_nested(args: Args) {
    let steps = steps();
    let (x, mut y) = arrays(args.times);
    let columns = args.times / crate::ROWS;
    inside(args, || {
        best("for-nested", args.times, || {
            y.par_chunks_mut(columns)
                .zip(x.par_chunks(columns))
                .for_each(|(y, x)| {
                    y.par_iter_mut()
                        .zip(x)
                        .for_each(|(y, x)| *y = work(*x, steps));
                });
        });
    });
}

fn for_memory(args: Args) {
    let (x, mut y) = arrays(args.times);
    inside(args, || {
        best("for-memory", args.times, || {
            y.par_iter_mut()
                .zip(&x)
                .for_each(|(y, x)| *y = *y * 0.5 + x);
        });
    });
}

fn reduce(args: Args) {
    let steps = steps();
    let x = filled(args.times);
    inside(args, || {
        best("reduce", args.times, || {
            std::hint::black_box(x.par_iter().map(|x| work(*x, steps)).sum::<f64>());
        });
    });
}

fn sort(args: Args) {
    let x = filled(args.times);
    inside(args, || {
        let least = (0..4)
            .map(|_| {
                let mut y = x.clone();
                let start = Instant::now();
                y.par_sort_unstable_by(f64::total_cmp);
                let time = start.elapsed();
                assert!(y.is_sorted());
                time
            })
            .min()
            .unwrap();
        say("sort", least.as_nanos() as f64 / args.times as f64, "ns");
    });
}

/// From a thread that is not the pool's.
fn submit(args: Args) {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.workers)
        .build()
        .expect("pool");
    let mut results = vec![0; BATCH];
    let mut batches = |n: usize| {
        for _ in (0..n).step_by(BATCH) {
            pool.in_place_scope(|s| {
                for result in results.iter_mut() {
                    s.spawn(move |_| *result += 1);
                }
            });
        }
    };
    batches(args.times / 10);
    let start = Instant::now();
    batches(args.times);
    say_each("submit", start, args.times);
}
