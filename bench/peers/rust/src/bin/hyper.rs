// hyper.rs - the row of the comparison in hyper.
// SPDX-License-Identifier: MIT
fn main() {
    peers::run(&[("http", peers::web::http)]);
}
