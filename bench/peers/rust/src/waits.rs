// waits.rs - Tokio: sleepers, timers, wake-ups, connections.
// SPDX-License-Identifier: MIT
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Sleep, sleep, sleep_until};

use crate::tasks::{run_task, runtime};
use crate::*;

pub fn sleepers(args: Args) {
    run_task(args, async move {
        let before = resident();
        let start = Instant::now();
        let when = start + Duration::from_secs_f64(args.seconds);
        let asleep = Arc::new(AtomicUsize::new(0));
        let all = Arc::new(Notify::new());
        let mut tasks = Vec::with_capacity(args.times);
        for _ in 0..args.times {
            let (asleep, all) = (asleep.clone(), all.clone());
            tasks.push(tokio::spawn(async move {
                if asleep.fetch_add(1, Relaxed) + 1 == args.times {
                    all.notify_one();
                }
                sleep_until(when.into()).await;
            }));
        }
        all.notified().await;
        let slept = Instant::now();
        let bytes = resident() - before;
        for task in tasks {
            task.await.unwrap();
        }
        let ended = Instant::now();
        if slept > when {
            eprintln!("{} tasks took {:?} to start", args.times, slept - start);
            std::process::exit(3);
        }
        let million = 1e6 / args.times as f64;
        say("sleepers.bytes", bytes / args.times as f64, "B");
        say(
            "sleepers.start",
            (slept - start).as_secs_f64() * million,
            "s",
        );
        say("sleepers.wake", (ended - when).as_secs_f64() * million, "s");
    });
}

/// Tokio has no timer that calls: a task that sleeps is its timer.
pub fn timers_fire(args: Args) {
    run_task(args, async move {
        let late_sum = Arc::new(AtomicU64::new(0));
        let latest = Arc::new(AtomicU64::new(0));
        let before = cpu();
        let start = Instant::now();
        let tasks: Vec<_> = Random::default()
            .take(args.times)
            .map(|r| {
                let when = start + Duration::from_nanos(r % 1_000_000_000);
                let (late_sum, latest) = (late_sum.clone(), latest.clone());
                tokio::spawn(async move {
                    sleep_until(when.into()).await;
                    let late = when.elapsed().as_nanos() as u64;
                    late_sum.fetch_add(late, Relaxed);
                    latest.fetch_max(late, Relaxed);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let each = 1.0 / args.times as f64;
        say("timers-fire.cpu", (cpu() - before) * 1e6 * each, "s");
        say(
            "timers-fire.late",
            late_sum.load(Relaxed) as f64 * each / 1e6,
            "ms",
        );
        say(
            "timers-fire.latest",
            latest.load(Relaxed) as f64 / 1e6,
            "ms",
        );
    });
}

/// What a timeout does when its work is ready first: begin to sleep, and be dropped.
pub fn timers_set(args: Args) {
    run_task(args, async move {
        let mut all: Vec<Pin<Box<Sleep>>> = Vec::with_capacity(args.times);
        let before = cpu();
        for r in Random::default().take(args.times) {
            let mut timer = Box::pin(sleep(
                Duration::from_secs(60) + Duration::from_nanos(r % 1_000_000_000),
            ));
            poll_fn(|context| {
                assert!(timer.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            all.push(timer);
        }
        drop(all);
        say(
            "timers-set",
            (cpu() - before) * 1e6 / args.times as f64,
            "s",
        );
    });
}

pub fn wake(args: Args) {
    let (to, mut from) = mpsc::channel(8);
    std::thread::spawn(move || {
        for _ in 0..args.times {
            std::thread::sleep(Duration::from_millis(1));
            to.blocking_send(Instant::now()).unwrap();
        }
    });
    run_task(args, async move {
        let mut samples = Vec::with_capacity(args.times);
        while let Some(sent) = from.recv().await {
            samples.push(sent.elapsed());
        }
        say_wakes(&mut samples);
    });
}

async fn serve(mut connection: TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let n = connection.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        connection.write_all(&buffer[..n]).await?;
    }
}

pub fn echo(args: Args) {
    runtime(args.workers).block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        println!("port {}", listener.local_addr().unwrap().port());
        loop {
            let (connection, _) = listener.accept().await.expect("accept");
            connection.set_nodelay(true).unwrap();
            tokio::spawn(serve(connection));
        }
    });
}

pub fn accept(args: Args) {
    runtime(args.workers).block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        println!("port {}", listener.local_addr().unwrap().port());
        loop {
            let (connection, _) = listener.accept().await.expect("accept");
            tokio::spawn(async move { drop(connection) });
        }
    });
}
