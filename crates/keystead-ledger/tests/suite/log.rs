//! Proofs from the database, checked without it.

use std::fs;
use std::path::Path;

use keystead_base::{Canonical, Coded, Digest, RequestId, merkle};
use keystead_decision::{Entry, Strict};
use keystead_intent::Intent;
use keystead_ledger::{
    Consistency, ExportedLog, Ledger, LogKeys, Proof, SignedCheckpoint, WitnessState, cosign,
    verify_cosignature,
};

use super::cluster::{Cluster, name, node_key, signer};
use super::store::begun;

fn code<T>(result: Result<T, impl Coded>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "fine")
}

/// Appends blocks in which nothing happens, and gives the leaf hashes of all blocks so far.
async fn ticks(ledger: &Ledger, cluster: &mut Cluster, count: u64) -> Vec<Digest> {
    ledger.append((0..count).map(|_| cluster.tick()).collect()).await.unwrap();
    let blocks = ledger.blocks(1, u64::from(u32::MAX)).await.unwrap();
    blocks.iter().map(|block| merkle::leaf_hash(&block.commit.header.to_document())).collect()
}

pub(crate) async fn l1_tree_proofs_from_the_database_verify(url: &str) {
    let mut cluster = Cluster::new();
    let ledger = begun(url, &cluster).await;
    let mut leaves = Vec::new();
    for count in [1, 254, 1, 1, 300] {
        leaves = ticks(&ledger, &mut cluster, count).await;
        let root = ledger.root(leaves.len() as u64).await.unwrap();
        assert_eq!(root, merkle::root(&leaves));
        assert_eq!(root, cluster.state.history().root());
    }
    let size = leaves.len();
    for older in [0, 1, 2, 200, 255, 256, 257, 300, 511, 512, 513, size] {
        let proof = ledger.consistency(older as u64, size as u64).await.unwrap();
        assert_eq!(proof, Consistency::prove(&leaves, older, size).unwrap());
        proof.verify(&merkle::root(&leaves[..older]), &merkle::root(&leaves)).unwrap();
    }
    for index in [0, 1, 255, 256, 400, 512, size - 1] {
        let proof = ledger.inclusion(index as u64 + 1, size as u64).await.unwrap();
        assert_eq!(Some(proof), merkle::Inclusion::prove(&leaves, index));
    }
    let beyond = size as u64 + 1;
    assert_eq!(code(ledger.root(beyond).await), "log.size");
    assert_eq!(code(ledger.inclusion(beyond, size as u64).await), "log.size");
    assert_eq!(code(ledger.consistency(beyond, size as u64).await), "log.size");
}

/// A log with an allowed and a denied request, and the checkpoint over it.
async fn log_with_decisions(url: &str) -> (Cluster, Ledger, RequestId, RequestId) {
    let mut cluster = Cluster::new();
    let ledger = begun(url, &cluster).await;
    ledger.append(cluster.activate_key()).await.unwrap();
    let ((first, allowed), (second, denied)) = (cluster.message(), cluster.denied());
    ledger.append(vec![cluster.step(vec![first, second]), cluster.tick()]).await.unwrap();
    ledger.save_checkpoint(&cluster.checkpoint()).await.unwrap();
    (cluster, ledger, allowed, denied)
}

pub(crate) async fn l1_a_decision_is_proven_offline(url: &str) {
    let (mut cluster, ledger, allowed, denied) = log_with_decisions(url).await;
    let remembered = cluster.checkpoint();
    ledger.append(vec![cluster.tick(), cluster.tick()]).await.unwrap();
    ledger.save_checkpoint(&cluster.checkpoint()).await.unwrap();
    for (subject, word) in [(allowed, "allow"), (denied, "deny")] {
        let proof = ledger.prove(&subject, Some(remembered.body().size)).await.unwrap().unwrap();
        let proof = Proof::from_document(&proof.to_document()).unwrap();
        let older = Some(remembered.body());
        let shown = proof.check(&cluster.genesis, cluster.state.cluster(), older).unwrap();
        assert_eq!((shown.decision.subject, shown.decision.outcome.word()), (subject, word));
        assert_eq!((shown.size, shown.continues), (11, Some(9)));
    }
    assert_eq!(ledger.prove(&RequestId(Digest::ZERO), None).await.unwrap(), None);
    let (asked, late) = cluster.denied();
    ledger.append(vec![cluster.step(vec![asked])]).await.unwrap();
    assert_eq!(ledger.prove(&late, None).await.unwrap(), None);
}

pub(crate) async fn l1_a_proof_leads_through_changes_of_policy(url: &str) {
    let mut cluster = Cluster::new();
    let ledger = begun(url, &cluster).await;
    let (asked, before) = cluster.denied();
    ledger.append(vec![cluster.step(vec![asked])]).await.unwrap();
    ledger.append(cluster.change_policy()).await.unwrap();
    ledger.append(cluster.change_policy()).await.unwrap();
    let (asked, after) = cluster.denied();
    ledger.append(vec![cluster.step(vec![asked])]).await.unwrap();
    ledger.save_checkpoint(&cluster.checkpoint()).await.unwrap();
    assert_eq!(ledger.policy(2).await.unwrap().unwrap().0, 5);
    for subject in [before, after] {
        let proof = ledger.prove(&subject, None).await.unwrap().unwrap();
        assert_eq!(proof.transitions.len(), 2);
        proof.check(&cluster.genesis, cluster.state.cluster(), None).unwrap();
        let mut gap = proof.clone();
        gap.transitions.remove(0);
        assert_eq!(code(gap.check(&cluster.genesis, cluster.state.cluster(), None)), "certificate.gap");
    }
    ledger.audit(cluster.state.cluster(), None, &Strict::default()).await.unwrap();
}

pub(crate) async fn l2_a_changed_proof_is_none(url: &str) {
    let (mut cluster, ledger, allowed, denied) = log_with_decisions(url).await;
    let remembered = cluster.checkpoint().body().clone();
    ledger.append(vec![cluster.tick()]).await.unwrap();
    ledger.save_checkpoint(&cluster.checkpoint()).await.unwrap();
    let good = ledger.prove(&allowed, Some(remembered.size)).await.unwrap().unwrap();
    let other = ledger.prove(&denied, Some(remembered.size)).await.unwrap().unwrap();
    let check =
        |proof: &Proof| code(proof.check(&cluster.genesis, cluster.state.cluster(), Some(&remembered)));
    assert_eq!(check(&good), "fine");
    let changed = |change: &dyn Fn(&mut Proof)| {
        let mut proof = good.clone();
        change(&mut proof);
        check(&proof)
    };
    assert_eq!(
        changed(&|it| it.certificate.decision = other.certificate.decision.clone()),
        "log.not_included"
    );
    assert_eq!(changed(&|it| it.certificate.decision.height -= 1), "log.not_included");
    assert_eq!(changed(&|it| it.certificate.commit.header.time.0 += 1), "certificate.vote");
    assert_eq!(changed(&|it| it.certificate.commit.votes.clear()), "certificate.quorum");
    assert_eq!(changed(&|it| it.header.index += 1), "log.not_included");
    assert_eq!(changed(&|it| it.header.path[0] = Digest::ZERO), "log.not_included");
    assert_eq!(changed(&|it| it.checkpoint = it.checkpoint.replacen("\n10\n", "\n11\n", 1)), "log.signature");
    assert_eq!(changed(&|it| it.consistency = None), "log.inconsistent");
    assert_eq!(changed(&|it| it.consistency.as_mut().unwrap().path[0] = Digest::ZERO), "log.inconsistent");

    let document = good.to_document();
    for at in (0..document.len()).step_by(97) {
        let mut bytes = document.clone();
        bytes[at] ^= 0x10;
        let survives = Proof::from_document(&bytes).is_ok_and(|proof| check(&proof) == "fine");
        assert!(!survives, "byte {at} of {}", document.len());
    }
}

pub(crate) async fn l2_a_checkpoint_of_another_root_is_refused(url: &str) {
    let (cluster, ledger, _, _) = log_with_decisions(url).await;
    let good = cluster.checkpoint();
    ledger.save_checkpoint(&good).await.unwrap();
    let mut body = good.body().clone();
    body.root = Digest::ZERO;
    let forked = SignedCheckpoint::sign(body, &node_key()).unwrap();
    assert_eq!(code(ledger.save_checkpoint(&forked).await), "log.forked");

    let keys = LogKeys::of(&cluster.genesis.genesis, cluster.state.roster());
    let state = WitnessState::new(&keys.origin);
    let request = ledger.cosign_request(0).await.unwrap().unwrap();
    assert_eq!(request.checkpoint, good);
    let (witness, key) = (name("witness-1"), signer(50));
    let cosigned = cosign(&state, &request, &keys, &witness, &key, cluster.state.time()).unwrap();
    ledger.save_cosignature(9, witness.as_str(), &cosigned.lines).await.unwrap();
    let stored = ledger.latest_checkpoint().await.unwrap().unwrap();
    stored.verify(&keys).unwrap();
    let at = verify_cosignature(&stored, &witness, key.public()).unwrap();
    assert_eq!(at.seconds(), cluster.state.time().seconds());
    ledger
        .audit(cluster.state.cluster(), Some(&cosigned.state.remembered()), &Strict::default())
        .await
        .unwrap();
}

pub(crate) async fn l2_an_exported_log_is_verified_without_the_database(url: &str) {
    let (mut cluster, ledger, allowed, _) = log_with_decisions(url).await;
    let folder = tempfile::tempdir().unwrap();
    let (first, pinned) = (cluster.checkpoint(), cluster.state.cluster());
    assert_eq!(ledger.export(folder.path(), &first).await.unwrap(), 9);
    ticks(&ledger, &mut cluster, 260).await;
    let second = cluster.checkpoint();
    assert_eq!(ledger.export(folder.path(), &second).await.unwrap(), 260);
    assert_eq!(ledger.export(folder.path(), &second).await.unwrap(), 0);
    assert_eq!(code(ledger.export(folder.path(), &first).await), "log.rolled_back");
    ledger.close().await;

    let log = ExportedLog::open(folder.path()).unwrap();
    let report = log.audit(pinned, Some(first.body()), &Strict::default()).unwrap();
    assert_eq!((report.blocks, report.last_checkpoint), (269, 269));
    assert_eq!((report.root, report.state), (second.body().root, cluster.state.digest()));
    let block = &log.blocks_from(8).unwrap()[0];
    let ids = block.entries.iter().filter_map(|entry| match entry {
        Entry::Requests(signed) => signed.body.intents.first().map(Intent::id),
        _ => None,
    });
    assert!(ids.into_iter().any(|id| id == allowed));
    assert_eq!(code(log.blocks_from(270)), "log.size");
    let proof = log.prove(&allowed, pinned, Some(9), &Strict::default()).unwrap().unwrap();
    let shown = proof.check(&cluster.genesis, pinned, Some(first.body())).unwrap();
    assert_eq!((shown.decision.outcome.word(), shown.size, shown.continues), ("allow", 269, Some(9)));
    let state = WitnessState { origin: first.body().origin.clone(), size: 9, root: first.body().root };
    let request = log.cosign_request(9).unwrap();
    let keys = LogKeys::of(&cluster.genesis.genesis, cluster.state.roster());
    let (witness, key) = (name("witness-1"), signer(50));
    let cosigned = cosign(&state, &request, &keys, &witness, &key, cluster.state.time()).unwrap();
    assert_eq!(cosigned.state.remembered(), *second.body());
    assert_eq!(code(log.cosign_request(270)), "log.rolled_back");
    for path in [
        "genesis",
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/13",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/13",
        "block/000",
        "block/001.p/13",
    ] {
        changed_file_is_detected(folder.path(), path, pinned);
    }
}

fn changed_file_is_detected(folder: &Path, path: &str, pinned: keystead_base::ClusterId) {
    let file = folder.join(path);
    let good = fs::read(&file).unwrap();
    for at in [0, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&file, &bad).unwrap();
        let audited = ExportedLog::open(folder)
            .map_err(|error| error.to_string())
            .and_then(|log| log.audit(pinned, None, &Strict::default()).map_err(|error| error.to_string()));
        assert!(audited.is_err(), "byte {at} of {path}");
    }
    fs::write(&file, &good).unwrap();
}
