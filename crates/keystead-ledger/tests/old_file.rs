//! A database that an older version of this crate wrote: it opens, migrates, and goes on.
//!
//! The file has schema version 1. `KEYSTEAD_BLESS=1 cargo test -p keystead-ledger --test old_file` writes it
//! anew, which is only right before the first release: afterwards every released file is kept as it is.

// The lints see tests only where the attribute stands.
#![allow(clippy::unwrap_used)]

mod suite;

use std::path::{Path, PathBuf};

use keystead_decision::Strict;
use keystead_ledger::{Batch, Ledger, SCHEMA_VERSION};
use suite::cluster::{Cluster, NODE_NAME, name, node_key};
use suite::raw::Raw;

#[tokio::test]
async fn a_database_of_schema_version_1_opens_migrates_and_goes_on() {
    bless_if_asked().await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("ledger.db");
    std::fs::copy(file(), &copy).unwrap();
    let ledger = Ledger::open(&url(&copy)).await.unwrap();
    assert_eq!((ledger.schema_found(), SCHEMA_VERSION), (1, 10));

    let mut cluster = Cluster::new();
    assert_eq!(ledger.genesis().await.unwrap().genesis.cluster(), cluster.state.cluster());
    let report = ledger.audit(cluster.state.cluster(), None, &Strict::default()).await.unwrap();
    assert_eq!((report.blocks, report.last_checkpoint), (8, 8));
    cluster.state = ledger.load(node_key().public(), &Strict::default()).await.unwrap();
    assert_eq!(cluster.state.digest(), report.state);

    ledger.save_cosignature(8, "witness-1", "").await.unwrap();
    ledger.append(vec![cluster.tick()]).await.unwrap();
    ledger.audit(cluster.state.cluster(), None, &Strict::default()).await.unwrap();
    ledger.close().await;
    assert_eq!(Ledger::open(&url(&copy)).await.unwrap().schema_found(), SCHEMA_VERSION);
}

#[tokio::test]
async fn a_database_of_a_newer_or_another_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(&folder.path().join("ledger.db"));
    Ledger::open(&url).await.unwrap().close().await;
    let mut raw = Raw::connect(&url).await;
    raw.run("UPDATE migrations SET digest = zeroblob(32) WHERE version = 2").await.unwrap();
    let error = Ledger::open(&url).await.unwrap_err();
    assert!(error.to_string().starts_with("schema version 2 was made by 0000"), "{error}");
    let newer = SCHEMA_VERSION + 1;
    raw.run(&format!("INSERT INTO migrations VALUES ({newer}, zeroblob(32))")).await.unwrap();
    let error = Ledger::open(&url).await.unwrap_err();
    let expected = format!("this program knows schema version {SCHEMA_VERSION}, the database has {newer}");
    assert_eq!(error.to_string(), expected);
}

async fn bless_if_asked() {
    if std::env::var_os("KEYSTEAD_BLESS").is_none() {
        return;
    }
    let _ = std::fs::remove_file(file());
    let mut cluster = Cluster::new();
    let ledger = suite::store::begun(&url(&file()), &cluster).await;
    let mut blocks = cluster.activate_key();
    let (asked, id) = cluster.message();
    blocks.push(cluster.step(vec![asked]));
    let signatures = vec![cluster.signature(id)];
    ledger.write(&Batch { blocks, signatures, ..Batch::default() }).await.unwrap();
    ledger.save_snapshot(&cluster.state, &name(NODE_NAME), &node_key()).await.unwrap();
    ledger.save_checkpoint(&cluster.checkpoint()).await.unwrap();
    ledger.boot(&name(NODE_NAME)).await.unwrap();
    ledger.close().await;
    let mut raw = Raw::connect(&url(&file())).await;
    for back_to_version_1 in [
        "DROP TABLE cosignatures",
        "DROP TABLE records",
        "DROP TABLE reconciled",
        "DROP TABLE threshold_records",
        "DROP TABLE receipts",
        "CREATE TABLE outbox (request BYTEA PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, \
         payload BYTEA NOT NULL, attempts BIGINT NOT NULL)",
        "DELETE FROM migrations WHERE version >= 2",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA page_size = 512",
        "VACUUM",
    ] {
        raw.run(back_to_version_1).await.unwrap();
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/schema-1.db")
}

fn url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}
