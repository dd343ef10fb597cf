//! How long a node takes from its start to its first answer, by the keys in its enclave.

use std::sync::Arc;
use std::time::Instant;

use keystead_intent::{AuthorityChange, KeyCeremony, KeyKind};
use keystead_tests::cluster::NodeHome;
use keystead_tests::fixture::name;
use keystead_wire::RequestStage;
use tokio::runtime::Runtime;

use super::report::StartRow;
use crate::cluster::clients::{self, Until};
use crate::cluster::site::Site;

/// Founds a node, creates the keys, stops it, and starts it as a process of its own.
pub(super) fn run(runtime: &Runtime, keys: usize) -> StartRow {
    eprintln!("start with {keys} keys");
    runtime.block_on(async {
        let home = with_keys(keys).await;
        let start = Instant::now();
        let site = Arc::new(Site::start(vec![home], None).await);
        site.height(0).await;
        let answers_millis = millis(start);
        clients::run(&site, 1, Until::Decisions(1)).await;
        StartRow { keys, answers_millis, signs_millis: millis(start) }
    })
}

/// A node whose enclave holds so many keys, `hot` among them, which alone is backed up and signs.
async fn with_keys(keys: usize) -> NodeHome {
    let station = NodeHome::several(1, |_| {}).remove(0).start().await;
    station.make_hot_key().await;
    for number in 1..keys {
        let key = name(&format!("key-{number}"));
        let create = KeyCeremony::Create { key, kind: KeyKind::HdSecp256k1, home: name("node-1") };
        let created = station.change(AuthorityChange::Key(create)).await;
        assert_eq!(created.stage, RequestStage::Applied, "{created:?}");
    }
    station.stop().await
}

fn millis(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}
