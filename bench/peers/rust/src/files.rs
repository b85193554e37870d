// files.rs - Tokio: files and programs.
// SPDX-License-Identifier: MIT
use std::path::PathBuf;
use std::time::Instant;

use tokio::fs::{self, File};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::tasks::run_task;
use crate::*;

const FILE_BYTES: usize = 1024;
const PIECE_BYTES: usize = 256 << 10;
const PAGE_BYTES: usize = 4096;

pub fn folder() -> PathBuf {
    std::env::var_os("BENCH_FILES").expect("BENCH_FILES").into()
}

async fn read_small(folder: &std::path::Path, times: usize) {
    for i in 0..times {
        let bytes = fs::read(folder.join(i.to_string())).await.expect("read");
        assert_eq!(bytes.len(), FILE_BYTES);
    }
}

pub fn files_small(args: Args) {
    run_task(args, async move {
        let folder = folder();
        read_small(&folder, args.times).await;
        let start = Instant::now();
        read_small(&folder, args.times).await;
        say_us("files-small", start, args.times);
    });
}

pub fn files_large(args: Args) {
    run_task(args, async move {
        let mut file = File::open(folder().join("large")).await.expect("open");
        let mut piece = vec![0; PIECE_BYTES];
        let start = Instant::now();
        for _ in 0..(args.times << 20) / PIECE_BYTES {
            file.read_exact(&mut piece).await.expect("read");
        }
        say_us("files-large", start, args.times);
    });
}

async fn start_one() {
    let status = Command::new("/bin/true").status().await.expect("start");
    assert!(status.success());
}

fn start_all(args: Args, name: &'static str) {
    run_task(args, async move {
        start_one().await;
        let start = Instant::now();
        for _ in 0..args.times {
            start_one().await;
        }
        say_us(name, start, args.times);
    });
}

pub fn exec(args: Args) {
    start_all(args, "exec");
}

pub fn exec_large(args: Args) {
    let mut grown = vec![0u8; 2 << 30];
    for i in (0..grown.len()).step_by(PAGE_BYTES) {
        grown[i] = 1;
    }
    start_all(args, "exec-large");
    std::hint::black_box(&grown);
}
