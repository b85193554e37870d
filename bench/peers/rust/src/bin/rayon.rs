// rayon.rs - the rows of the comparison in rayon.
// SPDX-License-Identifier: MIT
fn main() {
    peers::run(peers::loops::ROWS);
}
