// crossbeam.rs - the rows of the comparison in crossbeam: its channels, between threads.
// SPDX-License-Identifier: MIT
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use peers::*;

fn apart(args: Args) {
    let (to, there) = bounded(0);
    let (back, from) = bounded(0);
    thread::spawn(move || {
        for v in there {
            back.send(v).unwrap();
        }
    });
    let start = Instant::now();
    for i in 0..args.times {
        to.send(i).unwrap();
        from.recv().unwrap();
    }
    say_each("apart", start, args.times);
}

fn channel(args: Args) {
    const SIDES: usize = 4;
    let (to, from) = bounded(128);
    let start = Instant::now();
    thread::scope(|s| {
        for _ in 0..SIDES {
            s.spawn(|| {
                for i in 0..args.times / SIDES {
                    to.send(i).unwrap();
                }
            });
            s.spawn(|| {
                for _ in 0..args.times / SIDES {
                    from.recv().unwrap();
                }
            });
        }
    });
    say_each("chan", start, args.times);
}

fn wake(args: Args) {
    let (to, from) = bounded(8);
    thread::spawn(move || {
        for _ in 0..args.times {
            thread::sleep(Duration::from_millis(1));
            to.send(Instant::now()).unwrap();
        }
    });
    let mut samples: Vec<_> = from.iter().map(|sent: Instant| sent.elapsed()).collect();
    say_wakes(&mut samples);
}

fn main() {
    run(&[("apart", apart), ("chan", channel), ("wake", wake)]);
}
