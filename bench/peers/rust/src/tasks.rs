// tasks.rs - Tokio: starting, yielding, messages, trees, locks.
// SPDX-License-Identifier: MIT
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, mpsc};

use crate::*;

pub const ROWS: &[Row] = &[
    ("spawn", spawn),
    ("yield", yields),
    ("pingpong", pingpong),
    ("apart", apart),
    ("skynet", skynet),
    ("fib", fib),
    ("chan", channel),
    ("mutex", mutex),
    ("mutex-many", mutex_many),
    ("sleepers", waits::sleepers),
    ("timers-fire", waits::timers_fire),
    ("timers-set", waits::timers_set),
    ("wake", waits::wake),
    ("echo", waits::echo),
    ("accept", waits::accept),
    ("files-small", files::files_small),
    ("files-large", files::files_large),
    ("exec", files::exec),
    ("exec-large", files::exec_large),
];

fn stealing_runtime(workers: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("runtime")
}

/// One worker: the scheduler made for it.  More: the one that steals.
pub fn runtime(workers: usize) -> Runtime {
    match workers {
        1 => Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("runtime"),
        _ => stealing_runtime(workers),
    }
}

/// As a task, so that what it spawns goes to its worker's own queue and not to the shared one.
pub fn run_task<F: Future<Output = ()> + Send + 'static>(args: Args, root: F) {
    run_task_on(runtime(args.workers), root);
}

fn run_task_on<F: Future<Output = ()> + Send + 'static>(runtime: Runtime, root: F) {
    runtime.block_on(async { tokio::spawn(root).await.expect("root") });
}

async fn spawn_batches(n: usize) {
    let mut handles = Vec::with_capacity(BATCH);
    for _ in (0..n).step_by(BATCH) {
        for _ in 0..BATCH {
            handles.push(tokio::spawn(async {}));
        }
        for handle in handles.drain(..) {
            handle.await.unwrap();
        }
    }
}

fn spawn(args: Args) {
    run_task(args, async move {
        spawn_batches(args.times / 10).await;
        let start = Instant::now();
        spawn_batches(args.times).await;
        say_each("spawn", start, args.times);
    });
}

fn yields(args: Args) {
    run_task(args, async move {
        let start = Instant::now();
        let tasks = [0; 2].map(|_| {
            tokio::spawn(async move {
                for _ in 0..args.times / 2 {
                    tokio::task::yield_now().await;
                }
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
        say_each("yield", start, args.times);
    });
}

async fn echo(mut from: mpsc::Receiver<usize>, to: mpsc::Sender<usize>) {
    while let Some(v) = from.recv().await {
        to.send(v).await.unwrap();
    }
}

async fn round_trips(times: usize, to: mpsc::Sender<usize>, mut from: mpsc::Receiver<usize>) {
    for i in 0..times {
        to.send(i).await.unwrap();
        from.recv().await.unwrap();
    }
}

/// Tokio has no channel without room: one place is the nearest.
fn pingpong(args: Args) {
    run_task(args, async move {
        for (times, measured) in [(args.times / 10, false), (args.times, true)] {
            let (to, there) = mpsc::channel(1);
            let (back, from) = mpsc::channel(1);
            tokio::spawn(echo(there, back));
            let start = Instant::now();
            round_trips(times, to, from).await;
            if measured {
                say_each("pingpong", start, times);
            }
        }
    });
}

/// A runtime a thread, which is how one keeps two tasks apart.
fn apart(args: Args) {
    let (to, there) = mpsc::channel(1);
    let (back, from) = mpsc::channel(1);
    std::thread::spawn(|| runtime(1).block_on(echo(there, back)));
    runtime(1).block_on(async {
        let start = Instant::now();
        round_trips(args.times, to, from).await;
        say_each("apart", start, args.times);
    });
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

fn skynet_node(up: mpsc::Sender<usize>, first: usize, leaves: usize) -> Boxed<()> {
    Box::pin(async move {
        let mut sum = first;
        if leaves > 1 {
            let (to, mut sums) = mpsc::channel(10);
            let part = leaves / 10;
            for i in 0..10 {
                tokio::spawn(skynet_node(to.clone(), first + i * part, part));
            }
            sum = 0;
            for _ in 0..10 {
                sum += sums.recv().await.unwrap();
            }
        }
        up.send(sum).await.unwrap();
    })
}

fn skynet(args: Args) {
    run_task(args, async move {
        for round in 0..2 {
            let start = Instant::now();
            let (to, mut top) = mpsc::channel(1);
            tokio::spawn(skynet_node(to, 0, args.times));
            let sum = top.recv().await.unwrap();
            if round == 1 {
                say_skynet(start, args.times, sum);
            }
        }
    });
}

fn fib_of(n: usize) -> Boxed<usize> {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let left = tokio::spawn(fib_of(n - 1));
        let right = fib_of(n - 2).await;
        left.await.unwrap() + right
    })
}

/// The stealing scheduler also with one worker: it runs the newest task first, and is 1.5 times as
/// fast here as the other, which keeps a whole level of the tree alive.
fn fib(args: Args) {
    run_task_on(stealing_runtime(args.workers), async move {
        fib_of(args.times / 2).await;
        let start = Instant::now();
        fib_of(args.times).await;
        say_fib(start, args.times);
    });
}

/// Tokio's own channel has one receiver; for several its users take async-channel.
fn channel(args: Args) {
    const SIDES: usize = 4;
    run_task(args, async move {
        let (to, from) = async_channel::bounded(128);
        let mut tasks = Vec::new();
        let start = Instant::now();
        for _ in 0..SIDES {
            let (to, from) = (to.clone(), from.clone());
            tasks.push(tokio::spawn(async move {
                for i in 0..args.times / SIDES {
                    to.send(i).await.unwrap();
                }
            }));
            tasks.push(tokio::spawn(async move {
                for _ in 0..args.times / SIDES {
                    from.recv().await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        say_each("chan", start, args.times);
    });
}

async fn count(counter: &Mutex<usize>, times: usize) {
    for _ in 0..times {
        *counter.lock().await += 1;
    }
}

fn mutex(args: Args) {
    run_task(args, async move {
        let counter = Mutex::new(0);
        let start = Instant::now();
        count(&counter, args.times).await;
        say_each("mutex", start, args.times);
    });
}

fn mutex_many(args: Args) {
    run_task(args, async move {
        let counter = Arc::new(Mutex::new(0));
        let start = Instant::now();
        let tasks: Vec<_> = (0..1000)
            .map(|_| {
                let counter = counter.clone();
                tokio::spawn(async move { count(&counter, args.times / 1000).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*counter.lock().await, args.times);
        say_each("mutex-many", start, args.times);
    });
}
