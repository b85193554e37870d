// tokio-mimalloc.rs - the same with the allocator that many of Tokio's users take.
// SPDX-License-Identifier: MIT
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    peers::run(peers::tasks::ROWS);
}
