//! A clock that is an hour off, and right again.

use std::path::{Path, PathBuf};

use crate::cluster::Cluster;
use crate::founded::{HOME, NODES};
use crate::ground::Ground;

/// The enclave starts with an empty environment, so its clock stays right: what is tested is the node's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d03_a_clock_an_hour_off_is_outvoted_and_takes_part_when_it_is_right() {
    let Some(library) = faketime() else { return };
    for (wrong, offset) in [(HOME, "+3600"), (2, "-3600")] {
        let mut cluster = Cluster::placed(Ground::Loopback).await;
        let clock = cluster.folder().join("clock");
        set(&clock, offset);
        cluster.program(wrong).environment = vec![
            ("LD_PRELOAD".to_owned(), library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE".to_owned(), clock.display().to_string()),
            ("FAKETIME_NO_CACHE".to_owned(), "1".to_owned()),
            // Time limits of rounds run on: nobody sets those clocks.
            ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
        ];
        let cluster = cluster.all_up().await;
        let load = cluster.load();
        for _ in 0..3 {
            println!("{offset} s: next decision after {:?}", load.next_decision().await);
        }
        load.answers(30).await;
        let words = cluster.words(wrong);
        assert!(words.contains("does not vote for a block"), "it objects to what the others build: {words}");
        // It follows nevertheless.
        cluster.takes_part(wrong).await;
        set(&clock, "+0");
        println!("right again: next decision after {:?}", load.next_decision().await);
        // With another one gone, nothing is decided without its vote.
        cluster.kill(NODES - 1);
        println!("and needed: next decision after {:?}", load.next_decision().await);
        load.answers(15).await;
        cluster.launch(NODES - 1);
        cluster.takes_part(NODES - 1).await;
        cluster.verify(&format!("a clock {offset} s off"), load).await;
    }
}

/// Where Debian puts the library; none where it is not installed.
fn faketime() -> Option<PathBuf> {
    let library = PathBuf::from("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1");
    if library.is_file() {
        return Some(library);
    }
    println!("SKIPPED: faketime is not installed, so no clock was put wrong");
    None
}

/// In one step, so that nobody reads half of it.
fn set(clock: &Path, offset: &str) {
    let next = clock.with_extension("next");
    std::fs::write(&next, format!("{offset}\n")).unwrap();
    std::fs::rename(&next, clock).unwrap();
}
