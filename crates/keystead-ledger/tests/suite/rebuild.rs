//! A backup becomes a new node's log, and what was signed in the place of lost nodes is checked wherever it is read.

use keystead_base::{Canonical, Coded};
use keystead_decision::{Entry, Rebuild, SignedRebuild, State, Strict, propose, sign_vote, vote_for};
use keystead_ledger::{
    Appended, Auditor, Checkpoint, ExportedLog, Ledger, Proof, SignedCheckpoint, StoredBlock, origin,
};
use keystead_policy::{Node, PolicyVersion, Roster, TransportKey};

use super::cluster::{Cluster, name, node_key, signer};
use super::store::begun;

fn code<T>(result: Result<T, impl Coded>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "fine")
}

/// The rebuild with one new node, signed by these people.
fn rebuilt(state: &State, people: &[(&str, u8)]) -> SignedRebuild {
    let in_force = state.policy().engine.version().clone();
    let node = Node {
        name: name("node-2"),
        key: signer(NEW_NODE).public().clone(),
        transport: TransportKey(signer(NEW_NODE).public().fingerprint()),
        ..in_force.roster.nodes[0].clone()
    };
    let roster = Roster { nodes: vec![node], ..in_force.roster.clone() };
    let (number, previous) = (in_force.number + 1, in_force.digest());
    let rebuild = Rebuild {
        cluster: state.cluster(),
        height: state.height(),
        last: state.parent(),
        root: state.history().root(),
        remembered: state.height(),
        at: state.time().plus_seconds(60),
        policy: PolicyVersion { number, previous, roster, ..in_force },
    };
    let sign = |(who, byte): &(&str, u8)| rebuild.sign(name(who), name("laptop"), &signer(*byte)).unwrap();
    SignedRebuild { signatures: people.iter().map(sign).collect(), rebuild }
}

pub(crate) async fn d01_an_exported_log_becomes_a_node_s_log_and_goes_on_with_its_rebuild(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (cluster, allowed) = exported(folder.path()).await;
    let pinned = cluster.state.cluster();
    let log = ExportedLog::open(&folder.path().join("log")).unwrap();
    let ledger = Ledger::open(url).await.unwrap();
    let elsewhere = keystead_base::ClusterId(keystead_base::Digest([1; 32]));
    assert_eq!(code(ledger.import(&log, elsewhere, &Strict::default()).await), "audit.cluster");
    let state = ledger.import(&log, pinned, &Strict::default()).await.unwrap();
    assert_eq!(state.digest(), cluster.state.digest());
    // A run that was interrupted is run again.
    let again = ledger.import(&log, pinned, &Strict::default()).await.unwrap();
    assert_eq!(again.digest(), state.digest());

    let both = [("ana", 3), ("ben", 4)];
    let signed = rebuilt(&state, &both);
    assert_eq!(code(ledger.begin_rebuild(&state, &rebuilt(&state, &both[..1])).await), "rebuild.missing");
    ledger.begin_rebuild(&state, &signed).await.unwrap();
    ledger.begin_rebuild(&state, &signed).await.unwrap();
    let mut other = signed.rebuild.clone();
    other.remembered += 1;
    let sign = |(who, byte): (&str, u8)| other.sign(name(who), name("laptop"), &signer(byte)).unwrap();
    let other = SignedRebuild { signatures: both.map(sign).to_vec(), rebuild: other.clone() };
    assert_eq!(code(ledger.begin_rebuild(&state, &other).await), "ledger.rebuild_taken");

    let awaiting = ledger.load(signer(NEW_NODE).public(), &Strict::default()).await.unwrap();
    assert!(awaiting.awaits_rebuild() && !state.awaits_rebuild());
    assert_eq!(ledger.awaited_rebuild().await.unwrap().as_ref(), Some(&signed));
    let time = signed.rebuild.at.plus_seconds(1);
    let applied = propose(&awaiting, time, &name("node-2"), &[], &Strict::default());
    let vote = vote_for(&applied.block.header, 0, 0);
    let votes = vec![sign_vote(&vote, name("node-2"), &signer(NEW_NODE)).unwrap()];
    ledger.append(vec![Appended::new(&applied, 0, votes)]).await.unwrap();
    let loaded = ledger.load(signer(NEW_NODE).public(), &Strict::default()).await.unwrap();
    assert_eq!(loaded.digest(), applied.state.digest());
    assert!(loaded.is_rebuilt() && !loaded.awaits_rebuild());
    assert_eq!(ledger.awaited_rebuild().await.unwrap(), None, "its block is there");
    assert_eq!(code(ledger.import(&log, pinned, &Strict::default()).await), "ledger.not_empty");

    // From the old genesis, in the database, in an export, in a proof, by a snapshot.
    let body = Checkpoint {
        origin: origin(&cluster.genesis.genesis.name, pinned),
        size: loaded.height(),
        root: loaded.history().root(),
    };
    let checkpoint = SignedCheckpoint::sign(body, &signer(NEW_NODE)).unwrap();
    ledger.save_checkpoint(&checkpoint).await.unwrap();
    ledger.audit(pinned, Some(cluster.checkpoint().body()), &Strict::default()).await.unwrap();
    let proof = ledger.prove(&allowed, None).await.unwrap().unwrap();
    let proof = Proof::from_document(&proof.to_document()).unwrap();
    assert_eq!(proof.transitions.last().unwrap().rebuild.as_deref(), Some(&signed));
    proof.check(&cluster.genesis, pinned, None).unwrap();
    let second = folder.path().join("second");
    ledger.export(&second, &checkpoint).await.unwrap();
    let report = ExportedLog::open(&second).unwrap().audit(pinned, None, &Strict::default()).unwrap();
    assert_eq!((report.blocks, report.state), (loaded.height(), loaded.digest()));
    ledger.save_snapshot(&loaded, &name("node-2"), &signer(NEW_NODE)).await.unwrap();
    let by_snapshot = ledger.load(signer(NEW_NODE).public(), &Strict::default()).await.unwrap();
    assert_eq!((by_snapshot.digest(), by_snapshot.is_rebuilt()), (loaded.digest(), true));
    forged_and_missing_rebuilds_are_refused(&ledger, &cluster, &signed).await;
}

/// The same blocks, with another word of people, or with none.
async fn forged_and_missing_rebuilds_are_refused(ledger: &Ledger, cluster: &Cluster, signed: &SignedRebuild) {
    let blocks = ledger.blocks(1, u64::from(u32::MAX)).await.unwrap();
    let (last, before) = blocks.split_last().unwrap();
    let few = SignedRebuild { signatures: signed.signatures[..1].to_vec(), ..signed.clone() };
    let vote = vote_for(&last.commit.header, 0, 0);
    let old = vec![sign_vote(&vote, name("node-1"), &node_key()).unwrap()];
    let with = |entries| StoredBlock { entries, ..last.clone() };
    let mut by_the_lost = last.clone();
    by_the_lost.commit.votes = old;
    for (block, expected) in [
        (last.clone(), "fine"),
        (with(vec![Entry::Rebuild(Box::new(few))]), "rebuild.missing"),
        (with(vec![Entry::Tick]), "certificate.voter"),
        (with(vec![Entry::Rebuild(Box::new(signed.clone())), Entry::Tick]), "certificate.voter"),
        (by_the_lost, "certificate.voter"),
    ] {
        let controls = Strict::default();
        let mut auditor = Auditor::begin(&cluster.genesis, cluster.state.cluster(), &controls).unwrap();
        before.iter().for_each(|it| drop(auditor.block(it.clone()).unwrap()));
        assert_eq!(code(auditor.block(block)), expected);
    }
}

/// A short life of the old node, exported; and a request that it allowed.
async fn exported(folder: &std::path::Path) -> (Cluster, keystead_base::RequestId) {
    let mut cluster = Cluster::new();
    let ledger = begun(&format!("sqlite:{}", folder.join("old.db").display()), &cluster).await;
    ledger.append(cluster.activate_key()).await.unwrap();
    ledger.append(cluster.change_policy()).await.unwrap();
    let (asked, allowed) = cluster.message();
    ledger.append(vec![cluster.step(vec![asked])]).await.unwrap();
    ledger.export(&folder.join("log"), &cluster.checkpoint()).await.unwrap();
    ledger.close().await;
    (cluster, allowed)
}

const NEW_NODE: u8 = 9;
