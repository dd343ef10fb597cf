//! Whoever changes the database, but holds no key of a node, is found out.

use keystead_base::{Canonical, ClusterId, Coded};
use keystead_decision::Strict;
use keystead_ledger::{AuditError, Batch, Checkpoint, Ledger, Report};

use super::cluster::{Cluster, NODE_NAME, name, node_key};
use super::raw::{Kind, Raw};
use super::store::begun;

async fn audit(ledger: &Ledger, pinned: ClusterId, older: Option<&Checkpoint>) -> Result<Report, AuditError> {
    ledger.audit(pinned, older, &Strict::default()).await
}

fn code(result: Result<Report, AuditError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "fine")
}

/// A database with a row in every table.
async fn full(url: &str) -> (Cluster, Ledger) {
    let mut cluster = Cluster::new();
    let ledger = begun(url, &cluster).await;
    ledger.append(cluster.activate_key()).await.unwrap();
    let (asked, id) = cluster.message();
    let block = cluster.step(vec![asked]);
    let vote = keystead_decision::Vote {
        cluster: cluster.state.cluster(),
        height: block.height(),
        round: 0,
        header: block.digest(),
        boot: 0,
    };
    let signatures = vec![cluster.signature(id)];
    let batch = Batch { votes: vec![vote], blocks: vec![block], signatures, ..Batch::default() };
    ledger.write(&batch).await.unwrap();
    ledger.append(cluster.change_policy()).await.unwrap();
    ledger.save_snapshot(&cluster.state, &name(NODE_NAME), &node_key()).await.unwrap();
    ledger.save_checkpoint(&cluster.checkpoint()).await.unwrap();
    ledger.save_backup(b"backup").await.unwrap();
    (cluster, ledger)
}

pub(crate) async fn l1_an_untouched_database_passes(url: &str) {
    let (cluster, ledger) = full(url).await;
    let checkpoint = cluster.checkpoint();
    let report = audit(&ledger, cluster.state.cluster(), Some(checkpoint.body())).await.unwrap();
    assert_eq!((report.blocks, report.checkpoints, report.last_checkpoint), (10, 1, 10));
    assert_eq!((report.root, report.state), (checkpoint.body().root, cluster.state.digest()));
    let decisions = cluster.decisions.values().map(Vec::len).sum::<usize>() as u64;
    assert_eq!(report.decisions.values().sum::<u64>(), decisions);
    assert_eq!(report.decisions["allow"], 1);
    let other = ClusterId(keystead_base::Digest::ZERO);
    assert_eq!(code(audit(&ledger, other, None).await), "audit.cluster");
}

pub(crate) async fn l2_one_changed_byte_of_any_row_is_detected(url: &str) {
    let (cluster, ledger) = full(url).await;
    let pinned = cluster.state.cluster();
    let mut raw = Raw::connect(url).await;
    let mut tried = 0;
    for (table, key, columns) in CELLS {
        let rows = match key {
            Some(key) => raw.numbers(&format!("SELECT {key} FROM {table} ORDER BY {key}")).await,
            None => vec![1],
        };
        for row in rows {
            let row = key.map_or("1 = 1".to_owned(), |key| format!("{key} = {row}"));
            for (column, kind) in *columns {
                tried += changed_cell(&ledger, &mut raw, pinned, (table, column, &row), *kind).await;
            }
        }
    }
    assert!(tried > 250, "{tried} changes were tried");
    audit(&ledger, pinned, None).await.unwrap();
}

async fn changed_cell(
    ledger: &Ledger,
    raw: &mut Raw,
    pinned: ClusterId,
    (table, column, row): (&str, &str, &str),
    kind: Kind,
) -> usize {
    if table == "blocks" && row == "height = 0" && ["previous", "parent"].contains(&column) {
        return 0;
    }
    let good = raw.read(table, column, row, kind).await;
    let mut tried = 0;
    for bad in good.changes() {
        tried += 1;
        // Constraints may refuse the change: that is detection, too.
        if raw.write(table, column, row, bad.clone()).await.is_ok() {
            let audited = audit(ledger, pinned, None).await;
            assert!(audited.is_err(), "{table}.{column} where {row}");
            raw.write(table, column, row, good.clone()).await.unwrap();
        }
    }
    tried
}

pub(crate) async fn l2_a_deleted_row_is_detected(url: &str) {
    let (cluster, ledger) = full(url).await;
    let pinned = cluster.state.cluster();
    let mut raw = Raw::connect(url).await;
    for (table, row, expected) in [
        ("decisions", "height = 8 AND position = 0", "audit.rows"),
        ("policies", "number = 1", "audit.rows"),
        ("policies", "number = 0", "audit.rows"),
        ("blocks", "height = 10", "audit.rows"),
        ("blocks", "height = 4", "block.height"),
    ] {
        raw.run(&format!("CREATE TABLE kept AS SELECT * FROM {table} WHERE {row}")).await.unwrap();
        assert_eq!(raw.run(&format!("DELETE FROM {table} WHERE {row}")).await.unwrap(), 1);
        assert_eq!(code(audit(&ledger, pinned, None).await), expected, "{table} where {row}");
        raw.run(&format!("INSERT INTO {table} SELECT * FROM kept")).await.unwrap();
        raw.run("DROP TABLE kept").await.unwrap();
    }
    audit(&ledger, pinned, None).await.unwrap();
    raw.run("INSERT INTO policies SELECT 7, height, document FROM policies WHERE number = 0").await.unwrap();
    assert_eq!(code(audit(&ledger, pinned, None).await), "audit.rows");
}

pub(crate) async fn l2_a_changed_inner_hash_is_detected(url: &str) {
    let mut cluster = Cluster::new();
    let ledger = begun(url, &cluster).await;
    ledger.append((0..256).map(|_| cluster.tick()).collect()).await.unwrap();
    let pinned = cluster.state.cluster();
    audit(&ledger, pinned, None).await.unwrap();
    let mut raw = Raw::connect(url).await;
    let good = raw.read("subtrees", "hash", "level = 1", Kind::Bytes).await;
    raw.write("subtrees", "hash", "level = 1", good.changes()[1].clone()).await.unwrap();
    assert_eq!(code(audit(&ledger, pinned, None).await), "audit.row");
    raw.run("DELETE FROM subtrees").await.unwrap();
    assert_eq!(code(audit(&ledger, pinned, None).await), "audit.rows");
}

/// Whoever holds the node's key and the database can make a shorter log that holds together. The
/// checkpoint that somebody else remembers shows it.
pub(crate) async fn l2_truncation_is_detected_against_an_older_checkpoint(url: &str) {
    let mut cluster = Cluster::new();
    let ledger = begun(url, &cluster).await;
    ledger.append((0..5).map(|_| cluster.tick()).collect()).await.unwrap();
    let remembered = cluster.checkpoint().body().clone();
    let mut raw = Raw::connect(url).await;
    raw.run("DELETE FROM decisions WHERE height > 3").await.unwrap();
    raw.run("DELETE FROM blocks WHERE height > 3").await.unwrap();
    let pinned = cluster.state.cluster();
    audit(&ledger, pinned, None).await.unwrap();
    let error = audit(&ledger, pinned, Some(&remembered)).await.unwrap_err();
    assert_eq!(error.code(), "log.rolled_back");
    assert!(error.to_string().contains("5 blocks were seen before, now there are only 3"), "{error}");
}

pub(crate) async fn l2_a_fork_is_detected_against_an_older_checkpoint(url: &str) {
    let mut honest = Cluster::new();
    for _ in 0..5 {
        honest.tick();
    }
    let mut forked = Cluster::new();
    let ledger = begun(url, &forked).await;
    let (asked, _) = forked.denied();
    let mut blocks = vec![forked.step(vec![asked])];
    blocks.extend((0..6).map(|_| forked.tick()));
    ledger.append(blocks).await.unwrap();
    let pinned = forked.state.cluster();
    audit(&ledger, pinned, Some(forked.checkpoint().body())).await.unwrap();
    let remembered = honest.checkpoint();
    assert_eq!(code(audit(&ledger, pinned, Some(remembered.body())).await), "log.forked");
}

pub(crate) async fn s13_a_policy_that_was_swapped_is_detected(url: &str) {
    let (cluster, ledger) = full(url).await;
    let mut version = cluster.state.policy().engine.version().clone();
    version.rules.pop();
    let mut raw = Raw::connect(url).await;
    let cell = super::raw::Cell::Bytes(version.to_document());
    raw.write("policies", "document", "number = 1", cell).await.unwrap();
    assert_eq!(code(audit(&ledger, cluster.state.cluster(), None).await), "audit.row");
}

type Columns = &'static [(&'static str, Kind)];

/// Every column that is not a key, by table and key.
const CELLS: &[(&str, Option<&str>, Columns)] = &[
    ("meta", None, &[("document", Kind::Bytes)]),
    (
        "blocks",
        Some("height"),
        &[
            ("previous", Kind::Int),
            ("parent", Kind::Bytes),
            ("digest", Kind::Bytes),
            ("leaf", Kind::Bytes),
            ("time", Kind::Int),
            ("header", Kind::Bytes),
            ("entries", Kind::Bytes),
            ("votes", Kind::Bytes),
        ],
    ),
    (
        "decisions",
        Some("height * 100 + position"),
        &[("subject", Kind::Bytes), ("word", Kind::Text), ("document", Kind::Bytes)],
    ),
    ("policies", Some("number"), &[("height", Kind::Int), ("document", Kind::Bytes)]),
    ("votes", Some("height"), &[("header", Kind::Bytes)]),
    ("snapshots", Some("height"), &[("document", Kind::Bytes), ("mark", Kind::Bytes)]),
    ("checkpoints", Some("size"), &[("note", Kind::Text)]),
    ("signatures", Some("height"), &[("document", Kind::Bytes), ("digest", Kind::Bytes)]),
    ("backups", None, &[("document", Kind::Bytes)]),
];
