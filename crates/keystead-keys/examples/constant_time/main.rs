//! Whether branches, addresses or time depend on secrets: `cargo xtask constant-time` runs this under Valgrind, and prints its
//! statistics.
//!
//! `marked`: the secrets count as undefined memory, and Valgrind says where a branch or an address depends on them. `leaky`: a
//! comparison that ends at the first difference, which it must say. `statistics`: Welch's t of two classes of inputs, printed.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    clippy::panic,
    reason = "a program for the terminal of whoever measures"
)]

mod marks;
mod statistics;
mod subjects;

use std::process::ExitCode;

fn main() -> ExitCode {
    let word = std::env::args().nth(1).unwrap_or_default();
    match word.as_str() {
        "marked" if marks::is_under_valgrind() => subjects::marked(),
        "leaky" if marks::is_under_valgrind() => subjects::leaky(),
        "statistics" => statistics::run(),
        _ => {
            eprintln!(
                "error[constant_time.usage]: expected `marked` or `leaky` under Valgrind, or `statistics`: `cargo xtask constant-time`"
            );
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
