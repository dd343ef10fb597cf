//! One function per parser of outside bytes.
//!
//! A parser may refuse; it may not panic, and what it accepts means one thing: it is written again as the
//! very same bytes, or reads back as the same value. Each function runs in two places: in a bounded,
//! deterministic run on spoiled seeds (`tests/bounded.rs`, part of `cargo xtask test`), and under libFuzzer
//! (`cargo xtask fuzz TARGET`, which needs a nightly toolchain).

mod bitcoin;
mod calls;
mod config_file;
mod descriptors;
mod documents;
mod endpoints;
mod ethereum;
#[allow(dead_code, reason = "what the shell's configuration names")]
#[path = "../../crates/keystead/src/failure.rs"]
mod failure;
mod log_texts;
mod near;
#[allow(dead_code, reason = "what the shell's configuration names")]
#[path = "../../crates/keystead/src/outside.rs"]
mod outside;
mod rpc;
mod seeds;
mod solana;
mod spoil;
mod streams;
mod targets;
mod texts;

pub use spoil::Spoiler;
pub use targets::{TARGETS, Target, Verdict, target};
