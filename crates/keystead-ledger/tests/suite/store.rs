//! What is written is there, once, in order, and after a restart.

use keystead_base::{Canonical, Coded, Digest, RequestId};
use keystead_decision::{Strict, Vote};
use keystead_ledger::{Batch, KEPT_RUNS, Ledger, SCHEMA_VERSION, ThresholdRow};

use super::cluster::{Cluster, NODE_NAME, name, node_key, signer};
use super::raw::{Cell, Kind, Raw};

fn code<T>(result: Result<T, impl Coded>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "fine")
}

/// A database with a begun log.
pub(crate) async fn begun(url: &str, cluster: &Cluster) -> Ledger {
    let ledger = Ledger::open(url).await.unwrap();
    ledger.begin(&cluster.genesis).await.unwrap();
    ledger
}

pub(crate) async fn a_life_is_written_and_loaded_again(url: &str) {
    let mut cluster = Cluster::new();
    let ledger = begun(url, &cluster).await;
    assert_eq!(ledger.schema_found(), 0);
    let (asked, denied) = cluster.denied();
    ledger.append(vec![cluster.step(vec![asked])]).await.unwrap();
    ledger.append(cluster.activate_key()).await.unwrap();
    let (asked, allowed) = cluster.message();
    ledger.append(vec![cluster.step(vec![asked]), cluster.freeze()]).await.unwrap();
    ledger.close().await;

    let ledger = Ledger::open(url).await.unwrap();
    assert_eq!(ledger.schema_found(), SCHEMA_VERSION);
    assert_eq!(ledger.begin(&cluster.genesis).await.unwrap(), cluster.state.cluster());
    let state = ledger.load(node_key().public(), &Strict::default()).await.unwrap();
    assert_eq!(state.digest(), cluster.state.digest());
    for (height, decisions) in &cluster.decisions {
        assert_eq!(&ledger.decisions(*height).await.unwrap(), decisions);
    }
    assert_eq!(ledger.tip().await.unwrap().0, cluster.state.height());
    assert_eq!(ledger.decisions_about(&denied).await.unwrap()[0].outcome.word(), "deny");
    assert_eq!(ledger.request(&allowed).await.unwrap().unwrap().intent.id(), allowed);
    assert_eq!(ledger.request(&RequestId(Digest::ZERO)).await.unwrap(), None);
    let latest = ledger.latest_requests(2).await.unwrap();
    assert_eq!(latest[0].intent.id(), allowed);
    assert_eq!(latest.len(), 2);
    assert_eq!(ledger.latest_requests(100).await.unwrap().last().unwrap().intent.id(), denied);
}

pub(crate) async fn a_batch_is_written_as_a_whole_or_not_at_all(url: &str) {
    let mut cluster = Cluster::new();
    let ledger = begun(url, &cluster).await;
    let (first, second, third) = (cluster.tick(), cluster.tick(), cluster.tick());
    let mut other = Cluster::new();
    let elsewhere = {
        let (asked, _) = other.denied();
        other.step(vec![asked])
    };
    assert_eq!(code(ledger.append(vec![second]).await), "ledger.height");
    assert_eq!(code(ledger.append(vec![first, third]).await), "ledger.height");
    let mut cluster = Cluster::new();
    let (first, second) = (cluster.tick(), cluster.tick());
    assert_eq!(ledger.tip().await.unwrap().0, 0);
    ledger.append(vec![elsewhere]).await.unwrap();
    assert_eq!(code(ledger.append(vec![second]).await), "ledger.parent");
    assert_eq!(code(ledger.append(vec![first]).await), "ledger.height");
    let state = ledger.replay(&Strict::default()).await.unwrap();
    assert_eq!(state.digest(), other.state.digest());
}

pub(crate) async fn s03_a_second_different_vote_is_refused(url: &str) {
    let mut cluster = Cluster::new();
    let ledger = begun(url, &cluster).await;
    let block = cluster.tick();
    let vote =
        |height, round, header| Vote { cluster: cluster.state.cluster(), height, round, header, boot: 0 };
    let ours = vote(1, 0, block.digest());
    ledger.record_vote(&ours).await.unwrap();
    ledger.record_vote(&ours).await.unwrap();
    let theirs = vote(1, 0, Digest([9; 32]));
    assert_eq!(code(ledger.record_vote(&theirs).await), "ledger.vote_taken");
    ledger.close().await;
    let ledger = Ledger::open(url).await.unwrap();
    assert_eq!(code(ledger.record_vote(&theirs).await), "ledger.vote_taken");
    ledger.record_vote(&vote(1, 1, Digest([9; 32]))).await.unwrap();
    assert_eq!(code(ledger.record_vote(&vote(2, 0, Digest::ZERO)).await), "ledger.vote_height");
    let refused = Batch { votes: vec![theirs], blocks: vec![block], ..Batch::default() };
    assert_eq!(code(ledger.write(&refused).await), "ledger.vote_taken");
    assert_eq!(ledger.tip().await.unwrap().0, 0);
    let whole = Batch { votes: vec![ours], ..refused };
    ledger.write(&whole).await.unwrap();
    assert_eq!(code(ledger.record_vote(&vote(1, 2, Digest::ZERO)).await), "ledger.vote_height");
}

pub(crate) async fn s04_a_request_is_signed_with_one_digest(url: &str) {
    let mut cluster = Cluster::new();
    let ledger = begun(url, &cluster).await;
    ledger.append(cluster.activate_key()).await.unwrap();
    let (asked, id) = cluster.message();
    ledger.append(vec![cluster.step(vec![asked])]).await.unwrap();
    let record = cluster.signature(id);
    let write = |record| Batch { signatures: vec![record], ..Batch::default() };
    ledger.write(&write(record.clone())).await.unwrap();
    ledger.write(&write(record.clone())).await.unwrap();
    let mut other = record.clone();
    other.signing_digest = Digest::ZERO;
    assert_eq!(code(ledger.write(&write(other)).await), "ledger.signature_taken");
    assert_eq!(ledger.signature(&id).await.unwrap(), Some(record));
}

pub(crate) async fn l2_the_database_itself_keeps_the_chain(url: &str) {
    let mut cluster = Cluster::new();
    let ledger = begun(url, &cluster).await;
    ledger.append(vec![cluster.tick(), cluster.tick()]).await.unwrap();
    let mut raw = Raw::connect(url).await;
    let on = match raw {
        Raw::Sqlite(_) => "PRAGMA foreign_keys = ON",
        Raw::Postgres(_) => "SET session_replication_role = origin",
    };
    raw.run(on).await.unwrap();
    let copy = |height: &str, previous: &str, parent: &str| {
        format!(
            "INSERT INTO blocks (height, previous, parent, digest, leaf, time, header, entries, votes) \
             SELECT {height}, {previous}, {parent}, leaf, leaf, time, header, entries, votes \
             FROM blocks WHERE height = 2"
        )
    };
    for (what, sql) in [
        ("a gap", copy("4", "2", "digest")),
        ("an orphan", copy("3", "2", "leaf")),
        ("a twin", copy("2", "1", "parent")),
        ("a second child", copy("3", "2", "parent")),
        ("no parent", copy("3", "NULL", "NULL")),
        ("a second genesis", copy("0", "NULL", "NULL")),
    ] {
        assert!(raw.run(&sql).await.is_err(), "{what}");
    }
    raw.run(&copy("3", "2", "digest")).await.unwrap();
}

pub(crate) async fn two_writers_cannot_both_extend_the_log(url: &str) {
    let mut cluster = Cluster::new();
    let ledger = begun(url, &cluster).await;
    let second = Ledger::open(url).await.unwrap();
    let ours = cluster.tick();
    let mut other = Cluster::new();
    let (asked, _) = other.denied();
    let theirs = other.step(vec![asked]);
    let (first, second) = tokio::join!(ledger.append(vec![ours]), second.append(vec![theirs]));
    assert_eq!([first.is_ok(), second.is_ok()].iter().filter(|ok| **ok).count(), 1);
    assert_eq!(ledger.tip().await.unwrap().0, 1);
}

pub(crate) async fn a_snapshot_is_believed_from_this_node_only(url: &str) {
    let mut cluster = Cluster::new();
    let ledger = begun(url, &cluster).await;
    ledger.append(cluster.activate_key()).await.unwrap();
    let (key, node) = (node_key(), name(NODE_NAME));
    for _ in 0..3 {
        ledger.append(vec![cluster.tick()]).await.unwrap();
        ledger.save_snapshot(&cluster.state, &node, &key).await.unwrap();
    }
    ledger.append(vec![cluster.tick()]).await.unwrap();
    let state = ledger.load(key.public(), &Strict::default()).await.unwrap();
    assert_eq!(state.digest(), cluster.state.digest());
    cluster.tick();
    assert_eq!(code(ledger.save_snapshot(&cluster.state, &node, &key).await), "ledger.height");

    let stranger = ledger.load(signer(99).public(), &Strict::default()).await;
    assert_eq!(code(stranger), "ledger.snapshot_mark");
    let mut raw = Raw::connect(url).await;
    assert_eq!(raw.numbers("SELECT height FROM snapshots ORDER BY height").await, [9, 10]);
    for (column, expected) in [("document", "ledger.snapshot"), ("mark", "ledger.snapshot_mark")] {
        let Cell::Bytes(good) = raw.read("snapshots", column, "height = 10", Kind::Bytes).await else {
            panic!()
        };
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        raw.write("snapshots", column, "height = 10", Cell::Bytes(bad)).await.unwrap();
        let loaded = ledger.load(key.public(), &Strict::default()).await;
        assert_eq!(code(loaded), expected);
        raw.write("snapshots", column, "height = 10", Cell::Bytes(good)).await.unwrap();
    }
    ledger.load(key.public(), &Strict::default()).await.unwrap();
}

pub(crate) async fn what_is_kept_beside_the_log_is_found_again(url: &str) {
    let cluster = Cluster::new();
    let ledger = begun(url, &cluster).await;
    let (node, key) = (name(NODE_NAME), name("hot"));
    assert_eq!(ledger.boot(&node).await.unwrap(), 1);
    assert_eq!(ledger.boot(&node).await.unwrap(), 2);
    assert_eq!(ledger.boot(&name("node-2")).await.unwrap(), 1);
    ledger.save_sealed_key(&key, 0, b"sealed").await.unwrap();
    ledger.save_sealed_key(&key, 0, b"sealed").await.unwrap();
    assert_eq!(code(ledger.save_sealed_key(&key, 0, b"other").await), "ledger.seal_taken");
    ledger.save_sealed_key(&key, 1, b"other").await.unwrap();
    let expected = vec![(key.clone(), 0, b"sealed".to_vec()), (key.clone(), 1, b"other".to_vec())];
    assert_eq!(ledger.sealed_keys(None).await.unwrap(), expected);
    assert_eq!(ledger.sealed_keys(Some(&(key.clone(), 0))).await.unwrap(), expected[1..]);
    assert_eq!(ledger.sealed_keys(Some(&(key.clone(), 1))).await.unwrap(), []);
    ledger.save_sealed_key(&name("kept"), 0, b"kept").await.unwrap();
    ledger.erase_sealed_key(&key).await.unwrap();
    assert_eq!(ledger.sealed_keys(None).await.unwrap(), [(name("kept"), 0, b"kept".to_vec())]);
    ledger.erase_sealed_key(&key).await.unwrap();
    let born = |seal: &'static [u8]| ledger.save_born_key(&key, 0, seal, Some(seal));
    born(b"born").await.unwrap();
    assert_eq!(code(born(b"other").await), "ledger.seal_taken");
    assert_eq!(ledger.receipt(&key).await.unwrap().unwrap(), b"born", "seal and receipt, or neither");
    ledger.erase_sealed_epochs(&[(key.clone(), 0), (name("kept"), 0), (name("none"), 0)]).await.unwrap();
    ledger.write_seals_anew().await.unwrap();
    assert_eq!(ledger.count_sealed_keys().await.unwrap(), 0);
    let digest = ledger.save_backup(b"backup").await.unwrap();
    assert_eq!(ledger.backup(&digest).await.unwrap().unwrap(), b"backup");
    assert_eq!(ledger.backup(&Digest::ZERO).await.unwrap(), None);
    assert_eq!(ledger.boot(&node).await.unwrap(), 3);
}

pub(crate) async fn another_cluster_s_genesis_is_refused(url: &str) {
    let cluster = Cluster::new();
    let ledger = Ledger::open(url).await.unwrap();
    assert_eq!(code(ledger.genesis().await), "ledger.empty");
    assert_eq!(code(ledger.append(Vec::new()).await), "ledger.empty");
    let mut forged = cluster.genesis.clone();
    forged.genesis.name = name("other");
    assert_eq!(code(ledger.begin(&forged).await), "genesis.founder");
    ledger.begin(&cluster.genesis).await.unwrap();
    forged.signatures = vec![forged.genesis.sign(&signer(3)).unwrap()];
    assert_eq!(code(ledger.begin(&forged).await), "ledger.cluster");
    assert_eq!(ledger.genesis().await.unwrap().digest(), cluster.genesis.digest());
}

pub(crate) async fn s05_k06_the_journal_of_runs_keeps_its_order_and_forgets_old_beginnings_alone(url: &str) {
    let line = |stays, document: &[u8]| ThresholdRow { stays, document: document.to_vec() };
    let (begun, aborted) = (line(false, b"begun"), line(true, b"aborted"));
    let ledger = self::begun(url, &Cluster::new()).await;
    ledger.save_threshold_records(&[]).await.unwrap();
    assert_eq!(ledger.threshold_records().await.unwrap(), []);
    ledger.save_threshold_records(&[begun.clone(), aborted.clone()]).await.unwrap();
    ledger.save_threshold_records(std::slice::from_ref(&begun)).await.unwrap();
    ledger.close().await;

    let ledger = Ledger::open(url).await.unwrap();
    let all = [begun.clone(), aborted.clone(), begun.clone()];
    assert_eq!(ledger.threshold_records().await.unwrap(), all, "as it was written, after a start");
    // As many runs later as are kept, all but one.
    let mut raw = Raw::connect(url).await;
    let later = i64::try_from(KEPT_RUNS).unwrap();
    raw.write("threshold_records", "position", "position = 2", Cell::Int(later - 1)).await.unwrap();
    ledger.save_threshold_records(std::slice::from_ref(&aborted)).await.unwrap();
    let left = [aborted.clone(), begun, aborted];
    assert_eq!(
        ledger.threshold_records().await.unwrap(),
        left,
        "the oldest beginning is forgotten, an abort never"
    );
    let positions = raw.numbers("SELECT position FROM threshold_records ORDER BY position").await;
    assert_eq!(positions, [1, later - 1, later]);
}
