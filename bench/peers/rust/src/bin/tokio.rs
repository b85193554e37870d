// tokio.rs - the rows of the comparison in Tokio.
// SPDX-License-Identifier: MIT
fn main() {
    peers::run(peers::tasks::ROWS);
}
