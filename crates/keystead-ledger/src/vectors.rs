//! Vectors of this crate's documents: a stored file, read by the product and by the second implementation.
//!
//! `KEYSTEAD_BLESS=1 cargo test -p keystead-ledger vectors` writes it anew: a change of form, which needs a
//! new version in its domain.

use std::path::PathBuf;

use keystead_base::{
    Canonical, ClusterId, Digest, HybridSignature, ML_DSA_65_SIGNATURE_BYTES, Name, RequestId, Signed,
    Timestamp, merkle::Inclusion,
};
use keystead_decision::{Certificate, Commit, Decision, Entry, Frozen, Header, Outcome, VoteSignature};
use keystead_policy::PolicyRef;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ledger::{SignedMark, SnapshotMark};
use crate::record::{Documents, Votes};
use crate::{Consistency, Proof, SignatureRecord, WitnessState};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vector {
    name: String,
    domain: String,
    json: Value,
    document: String,
    digest: Digest,
}

#[test]
fn the_stored_vectors_are_these() {
    let expected = vectors();
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        let mut text = serde_json::to_string_pretty(&expected).unwrap();
        text.push('\n');
        std::fs::write(file(), text).unwrap();
    }
    let stored: Vec<Vector> = serde_json::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap();
    assert_eq!(stored, expected);
}

#[test]
fn each_vector_reads_back_and_a_cut_one_does_not() {
    reads_back(&votes());
    reads_back(&entries());
    reads_back(&record());
    reads_back(&mark().body);
    reads_back(&SignedMark(mark()));
    reads_back(&proof());
    reads_back(&state());
}

fn reads_back<T: Canonical + PartialEq + std::fmt::Debug>(value: &T) {
    let document = value.to_document();
    assert_eq!(&T::from_document(&document).unwrap(), value);
    for cut in [document.len() - 1, document.len() / 2, 1, 0] {
        assert!(T::from_document(&document[..cut]).is_err(), "{} cut to {cut} bytes", T::DOMAIN);
    }
}

fn vectors() -> Vec<Vector> {
    let (mark, votes) = (mark(), votes());
    let body = json!({ "cluster": mark.body.cluster, "height": 7, "time": mark.body.time, "state": mark.body.state });
    let signed = json!({ "body": body, "signer": mark.signer, "signature": mark.signature });
    let entries_json: Vec<_> = entries().0.iter().map(const_hex::encode_prefixed).collect();
    vec![
        vector("votes", &votes, json!({ "round": 2, "votes": votes.votes })),
        vector("entries", &entries(), json!(entries_json)),
        vector("signature record", &record(), json!(record())),
        vector("snapshot mark", &mark.body, body),
        vector("signed snapshot mark", &SignedMark(mark.clone()), signed),
        vector("log proof", &proof(), json!(proof())),
        vector("witness", &state(), json!(state())),
    ]
}

fn vector<T: Canonical>(name: &str, value: &T, json: Value) -> Vector {
    Vector {
        name: name.to_owned(),
        domain: T::DOMAIN.to_owned(),
        json,
        document: const_hex::encode(value.to_document()),
        digest: value.digest(),
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../specs/vectors/ledger.json")
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Bytes of the right length; whether they verify is not what a vector of a form is about.
fn signature() -> HybridSignature {
    HybridSignature::from_parts([1; 64], Box::new([2; ML_DSA_65_SIGNATURE_BYTES]))
}

fn votes() -> Votes {
    Votes { round: 2, votes: vec![VoteSignature { node: name("node-1"), signature: signature() }] }
}

fn entries() -> Documents {
    Documents(vec![Entry::Tick.to_document(), Entry::Tick.to_document()])
}

fn record() -> SignatureRecord {
    SignatureRecord {
        request: RequestId(Digest([3; 32])),
        height: 7,
        position: 3,
        signing_digest: Digest([4; 32]),
        signature: vec![5; 65],
        signed: vec![6; 3],
        transaction: Some(Digest([7; 32])),
    }
}

fn mark() -> Signed<SnapshotMark> {
    let body = SnapshotMark {
        cluster: ClusterId(Digest([1; 32])),
        height: 7,
        time: Timestamp(1_795_464_902_417),
        state: Digest([8; 32]),
    };
    Signed { body, signer: name("node-1"), signature: signature() }
}

fn state() -> WitnessState {
    WitnessState { origin: "keystead/hot/0101010101010101".to_owned(), size: 7, root: Digest([9; 32]) }
}

fn proof() -> Proof {
    let policy = PolicyRef { number: 0, digest: Digest([10; 32]) };
    let header = Header {
        cluster: ClusterId(Digest([1; 32])),
        height: 7,
        time: Timestamp(1_795_464_902_417),
        parent: Digest([11; 32]),
        proposer: name("node-1"),
        history: Digest([12; 32]),
        entries: Digest([13; 32]),
        decisions: Digest([14; 32]),
        policy,
        roster: Digest([15; 32]),
        frozen: Frozen::default(),
    };
    let decision = Decision {
        cluster: header.cluster,
        height: 7,
        subject: RequestId(Digest([3; 32])),
        policy,
        rules: vec![name("pay")],
        outcome: Outcome::Priced,
    };
    let inclusion = Inclusion { index: 6, size: 9, path: vec![Digest([16; 32])] };
    let commit = Commit { header, round: 2, votes: votes().votes };
    Proof {
        certificate: Certificate { commit, decision, proof: inclusion.clone() },
        header: inclusion,
        checkpoint: "keystead/hot/0101010101010101\n9\n…\n".to_owned(),
        consistency: Some(Consistency { older: 5, newer: 9, path: vec![Digest([17; 32])] }),
        transitions: Vec::new(),
    }
}
