//! How long a node takes from its start to its first answer, by the keys in its enclave; and how fast keys are made and listed.

use std::sync::Arc;
use std::time::Instant;

use keystead_tests::cluster::{NodeHome, Station};
use tokio::runtime::Runtime;

use super::report::StartRow;
use crate::cluster::clients::{self, Until};
use crate::cluster::site::{Pays, Site};

/// Founds a node, creates the keys, stops it, and starts it as a process of its own.
pub(super) fn run(runtime: &Runtime, keys: usize) -> StartRow {
    eprintln!("start with {keys} keys");
    runtime.block_on(async {
        let mut home = NodeHome::several(1, |_| {}).remove(0);
        // As a node of some age has one: a start replays what came after it, and nothing of how the keys were made.
        home.config.limits.snapshot_blocks = SNAPSHOT_BLOCKS;
        let station = home.start().await;
        station.make_hot_key().await;
        let created_per_second = create(&station, keys - 1).await;
        let client = station.client("cleo").await;
        let begin = Instant::now();
        assert_eq!(client.keys().await.expect("the keys").len(), keys);
        let lists_millis = millis(begin);
        let home = station.stop().await;
        let start = Instant::now();
        let site = Arc::new(Site::start(vec![home], None, Pays::Ether).await);
        site.height(0).await;
        let answers_millis = millis(start);
        clients::run(&site, 1, Until::Decisions(1)).await;
        StartRow { keys, answers_millis, signs_millis: millis(start), created_per_second, lists_millis }
    })
}

/// Makes so many keys; gives how many in a second.
async fn create(station: &Station, count: usize) -> f64 {
    let begin = Instant::now();
    let told = |made: usize| {
        if made.is_multiple_of(1_024) {
            eprintln!("{made} keys made in {:.0} s", begin.elapsed().as_secs_f64());
        }
    };
    station.make_keys(count, told).await;
    count as f64 / begin.elapsed().as_secs_f64()
}

fn millis(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// So many blocks are replayed by a start at most.
const SNAPSHOT_BLOCKS: u64 = 64;
