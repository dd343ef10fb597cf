//! `cargo xtask bench cluster --quick` once: every figure is there, and the log that the load left verifies. No
//! time is asserted.

use std::process::{Command, Stdio};

use serde_json::Value;

fn quick_report() -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_keystead-bench"))
        .args(["cluster", "--quick", "--json"])
        .stderr(Stdio::inherit())
        .output()
        .expect("the benchmark starts");
    assert!(output.status.success(), "{output:?}");
    // Whoever has no strace is told so on a line of its own, before the document.
    let text = String::from_utf8(output.stdout).expect("text");
    let start = text.find('{').expect("a document");
    serde_json::from_str(&text[start..]).expect("JSON")
}

/// A figure that was measured is a number above zero.
fn is_there(row: &Value, names: &[&str]) {
    for name in names {
        let found = row[name].as_f64();
        assert!(found.is_some_and(|it| it.is_finite() && it > 0.0), "{name} is {found:?} in {row}");
    }
}

fn rows<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().expect(name)
}

#[test]
fn s01_a_loaded_cluster_leaves_a_log_that_verifies_and_every_figure_is_there() {
    let report = quick_report();
    let clusters = rows(&report, "clusters");
    let sizes: Vec<_> = clusters.iter().filter_map(|it| it["nodes"].as_u64()).collect();
    assert_eq!(sizes, [1, 3, 4]);
    for cluster in clusters {
        assert_eq!(cluster["log"]["verified"], true, "{}", cluster["log"]);
        is_there(&cluster["log"], &["blocks"]);
        is_there(cluster, &["ledger_bytes_per_decision", "quorum"]);
        is_there(&cluster["certificate"], &["votes", "bytes", "commit_bytes", "verify_micros"]);
        assert!(cluster["certificate"]["votes"].as_u64() >= cluster["quorum"].as_u64(), "{cluster}");
        rows(cluster, "stages").iter().for_each(stage_is_there);
        rows(cluster, "counts").iter().for_each(|it| count_is_there(it, cluster["nodes"] != 1));
    }
    let aims = rows(&report, "aims");
    assert!(aims.iter().all(|it| it["met"].is_boolean()) && aims.len() >= 3, "{aims:?}");
}

fn stage_is_there(stage: &Value) {
    is_there(stage, &["fsync_micros"]);
    is_there(&stage["empty"], &["blocks", "per_second", "cpu_micros"]);
    assert_eq!(rows(stage, "loads").len(), 2, "{stage}");
    for load in rows(stage, "loads") {
        is_there(load, &["clients", "decisions", "blocks", "per_second", "p50_micros", "p99_micros"]);
        let counted = load["peer_bytes"].as_f64();
        assert_eq!(counted.is_some(), stage["added_millis"] != 0, "proxies count what they delay: {load}");
    }
}

/// INVARIANT S1: a node that takes part in a block makes it durable.
fn count_is_there(count: &Value, has_peers: bool) {
    is_there(count, &["decisions", "blocks", "fsyncs_per_decision"]);
    assert_eq!(count["peer_bytes_per_decision"].is_f64(), has_peers, "{count}");
    assert!(count["fsyncs_per_block_and_node"].as_f64() >= Some(0.5), "a quorum syncs every block: {count}");
}
