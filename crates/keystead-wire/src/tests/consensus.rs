//! Every word of the consensus as `specs/vectors/consensus.json` has it.

use std::path::PathBuf;

use keystead_base::{Canonical, HybridSignature, ML_DSA_65_SIGNATURE_BYTES, RequestId};
use keystead_consensus::{
    Abstention, Ballot, Claim, CommittedBlock, Message, Objection, Polka, Prevote, Proposal, Purpose, Record,
    RoundKind, RoundProof, Step, TimeoutStep,
};
use keystead_decision::{Block, Entry, RunAim, VoteSignature};
use serde_json::{Value, to_value};

use super::vectors::{block, vector, word};
use super::*;

#[test]
fn every_word_of_the_consensus_is_that_of_its_vectors() {
    let vectors = Value::Array(vectors());
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../specs/vectors/consensus.json");
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        std::fs::write(&file, serde_json::to_string_pretty(&vectors).unwrap() + "\n").unwrap();
    }
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(stored, vectors);
}

fn vectors() -> Vec<Value> {
    let (cluster, height, round, boot) = (CLUSTER, 7, 2, 1);
    let header = Digest([3; 32]);
    let signed = [
        shown("a prevote", &Prevote { cluster, height, round, header: Some(header), boot }),
        shown("a prevote for nothing", &Prevote { cluster, height, round, header: None, boot }),
        shown("an abstention", &Abstention { cluster, height, round, boot }),
        shown("a proposal", &Claim { cluster, height, round, valid_round: None, header, boot }),
        shown("a proposal again", &Claim { cluster, height, round, valid_round: Some(1), header, boot }),
    ];
    let messages = messages().into_iter().map(|(name, message)| shown(name, &message));
    let records = records().into_iter().map(|(name, record)| shown(name, &record));
    let peers = peers().into_iter().map(|(name, message)| shown(name, &message));
    signed.into_iter().chain(messages).chain(records).chain(peers).collect()
}

fn shown<T>(name: &str, value: &T) -> Value
where
    T: Canonical + PartialEq + std::fmt::Debug + serde::Serialize,
{
    vector(name, value, &to_value(value).unwrap())
}

fn messages() -> Vec<(&'static str, Message)> {
    let block = block();
    let committed = CommittedBlock { commit: block.commit.clone(), entries: block.entries.clone() };
    let proposed = Block { header: block.commit.header, entries: block.entries };
    vec![
        ("entries", Message::Entries(vec![Entry::Tick])),
        (
            "a proposal and its block",
            Message::Proposal { proposal: Box::new(proposal()), block: Box::new(proposed) },
        ),
        ("a ballot", Message::Ballot(ballot(Step::Precommit))),
        ("a quorum's prevotes", Message::Polka(polka())),
        (
            "what justifies a round",
            Message::Round(RoundProof {
                height: 7,
                round: 2,
                kind: RoundKind::Skip,
                ballots: vec![ballot(Step::Prevote)],
            }),
        ),
        ("a head that asks", Message::Head { height: 6, seen: None, purpose: Purpose::Asks }),
        (
            "a head that answers",
            Message::Head {
                height: 6,
                seen: Some(Box::new(ballot(Step::Prevote))),
                purpose: Purpose::Answers,
            },
        ),
        ("what is wanted", Message::Want(5)),
        ("what was committed", Message::Blocks(vec![committed])),
        (
            "an objection",
            Message::Objection(Objection {
                height: 7,
                header: Digest([3; 32]),
                code: "block.early".to_owned(),
                text: "its time is ahead".to_owned(),
            }),
        ),
    ]
}

fn records() -> Vec<(&'static str, Record)> {
    let block = block();
    let block = Block { header: block.commit.header, entries: block.entries };
    let judged = Record::Judged {
        round: 2,
        valid_round: None,
        proposer: word("node-1"),
        header: Digest([3; 32]),
        valid: true,
    };
    vec![
        ("a recorded block", Record::Block(Box::new(block))),
        ("a verdict", judged),
        ("a recorded proposal", Record::Proposal(Box::new(proposal()))),
        ("a recorded ballot", Record::Ballot(ballot(Step::Prevote))),
        ("recorded prevotes", Record::Polka(polka())),
        ("a time that ran out", Record::Timeout { step: TimeoutStep::Propose, round: 2 }),
    ]
}

fn peers() -> Vec<(&'static str, PeerMessage)> {
    let request = RequestId(Digest([5; 32]));
    let payload = SignedPayload {
        signing_digest: Digest([6; 32]),
        signature: vec![1; 65].into(),
        raw: vec![2, 3].into(),
        transaction: Some(Digest([7; 32])),
    };
    vec![
        ("a word for a node", PeerMessage::Consensus(Box::new(Message::Want(5)))),
        (
            "a signature for a node",
            PeerMessage::Signed(SharedSignature { request, height: 7, position: 0, payload }),
        ),
        ("a signature is wanted", PeerMessage::WantSigned(request)),
        ("a node can be called back", PeerMessage::Listens(7400)),
        ("a message of a threshold run", PeerMessage::Threshold(vec![1, 2, 3])),
        ("others are called to sign", PeerMessage::Joins(call(RunAim::Request { request, height: 7 }))),
        ("and to sign an input", PeerMessage::Joins(call(RunAim::Input { request, height: 7, input: 2 }))),
        ("and to prove a share", PeerMessage::Joins(call(RunAim::Proof { request, prover: word("node-2") }))),
    ]
}

fn call(aim: RunAim) -> RunCall {
    RunCall { aim, attempt: 1, signers: vec![word("node-1"), word("node-2")] }
}

fn ballot(step: Step) -> Ballot {
    Ballot { step, height: 7, round: 2, header: None, node: word("node-1"), signature: signature() }
}

fn proposal() -> Proposal {
    Proposal {
        height: 7,
        round: 2,
        valid_round: Some(1),
        header: Digest([3; 32]),
        node: word("node-1"),
        signature: signature(),
    }
}

fn polka() -> Polka {
    let votes = vec![VoteSignature { node: word("node-1"), signature: signature() }];
    Polka { height: 7, round: 2, header: Digest([3; 32]), votes }
}

fn signature() -> HybridSignature {
    HybridSignature::from_parts([1; 64], Box::new([2; ML_DSA_65_SIGNATURE_BYTES]))
}
