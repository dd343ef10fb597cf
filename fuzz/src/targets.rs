//! The table of targets: a parser's name, the function that feeds it, and good examples.

use keystead_consensus::{Message, Record};
use keystead_decision::ceremony::{Assent, Contribution, SignedContribution, SignedTranscript, Transcript};
use keystead_decision::rebuild::{Rebuild, RebuildAssent, RebuildBundle, RebuildDraft, SignedRebuild};
use keystead_decision::{
    Block, Certificate, Commit, Decision, Entry, Finding, Genesis, Header, KeyEvent, Renewal, SeenRun,
    Settlement, SignedGenesis, Simulation, Snapshot, Vote,
};
use keystead_intent::{Approval, Freeze, Intent, RequestBatch, Veto};
use keystead_keys::{BackupFile, MemberKeyFile, MemberPublic, Sealed, TokenMemberKeyFile};
use keystead_ledger::{Proof, SignatureRecord, WitnessState};
use keystead_policy::{PolicyVersion, Price, Roster};
use keystead_signing::{Hardening, Reply, Request};
use keystead_threshold::{Channel, Envelope, Record as ThresholdRecord, Session};
use keystead_wire::{Greeting, Hello, NodeReply, NodeRequest, PeerMessage, SentBlock};

use crate::documents::{
    backup, canonical, contribution, proof, rebuild, seeds_of, signed_ceremony, transcript,
};
use crate::{
    bitcoin, calls, config_file, descriptors, endpoints, ethereum, log_texts, near, rpc, seeds, solana,
    streams, texts,
};

/// What a parser made of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They mean something, and every property of the target held.
    Accepted,
    /// They mean nothing.
    Refused,
}

impl<T, E> From<Result<T, E>> for Verdict {
    fn from(result: Result<T, E>) -> Self {
        if result.is_ok() { Self::Accepted } else { Self::Refused }
    }
}

/// One parser of outside bytes.
#[derive(Debug)]
pub struct Target {
    /// Its name on the command line and in `fuzz/seeds`.
    pub name: &'static str,
    /// Feeds it; panics when a property does not hold.
    pub run: fn(&[u8]) -> Verdict,
    /// Bytes that it accepts.
    pub seeds: fn(&'static str) -> Vec<Vec<u8>>,
}

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|it| it.name == name)
}

/// A canonical document, with the vectors of its domain as seeds.
macro_rules! document {
    ($name:literal, $type:ty) => {
        Target { name: $name, run: canonical::<$type>, seeds: seeds_of::<$type> }
    };
    ($name:literal, $type:ty, $run:expr) => {
        Target { name: $name, run: $run, seeds: seeds_of::<$type> }
    };
}

/// Something else, with the files of `fuzz/seeds/NAME` as seeds.
const fn other(name: &'static str, run: fn(&[u8]) -> Verdict) -> Target {
    Target { name, run, seeds: seeds::stored }
}

/// Every target.
pub const TARGETS: &[Target] = &[
    document!("intent", Intent),
    document!("request-batch", RequestBatch),
    document!("approval", Approval),
    document!("veto", Veto),
    document!("freeze", Freeze),
    document!("price", Price),
    document!("roster", Roster),
    document!("policy", PolicyVersion),
    document!("genesis", Genesis),
    document!("signed-genesis", SignedGenesis),
    document!("contribution", Contribution),
    document!("signed-contribution", SignedContribution, contribution),
    document!("ceremony", Transcript, transcript),
    document!("assent", Assent),
    document!("signed-ceremony", SignedTranscript, signed_ceremony),
    document!("rebuild", Rebuild),
    document!("signed-rebuild", SignedRebuild),
    document!("rebuild-assent", RebuildAssent),
    document!("rebuild-draft", RebuildDraft),
    document!("rebuild-bundle", RebuildBundle, rebuild),
    document!("entry", Entry),
    document!("settlement", Settlement),
    document!("finding", Finding),
    document!("key-event", KeyEvent),
    document!("renewal", Renewal),
    document!("simulation", Simulation),
    document!("seen-run", SeenRun),
    document!("header", Header),
    document!("block", Block),
    document!("vote", Vote),
    document!("commit", Commit),
    document!("decision", Decision),
    document!("certificate", Certificate),
    Target { name: "state", run: canonical::<Snapshot>, seeds: seeds::states },
    document!("unsigned", keystead_chain::Unsigned),
    document!("psbt-spend", keystead_intent::PsbtSpend),
    document!("bitcoin-wallet", keystead_intent::BitcoinWallet),
    document!("bitcoin-signatures", keystead_bitcoin::SpendSignatures),
    document!("solana-address", keystead_intent::SolanaAddress),
    document!("solana-nonce", keystead_intent::SolanaNonce),
    document!("solana-instruction", keystead_solana::SolanaInstruction),
    document!("near-request", keystead_intent::NearTransaction),
    document!("near-account", keystead_intent::NearAccount),
    document!("sealed", Sealed),
    document!("backup", BackupFile, backup),
    document!("member", MemberPublic),
    document!("member-key", MemberKeyFile),
    document!("member-key-beside-token", TokenMemberKeyFile),
    document!("threshold-session", Session),
    document!("threshold-envelope", Envelope),
    document!("threshold-channel", Channel),
    Target { name: "run-message", run: streams::run_message, seeds: seeds::run_messages },
    document!("threshold-record", ThresholdRecord),
    document!("hello", Hello),
    document!("greeting", Greeting),
    document!("node-request", NodeRequest),
    document!("node-reply", NodeReply),
    document!("sent-block", SentBlock),
    document!("peer", PeerMessage),
    document!("consensus-message", Message),
    document!("consensus-record", Record),
    document!("enclave-request", Request),
    document!("enclave-reply", Reply),
    document!("hardening", Hardening),
    document!("log-proof", Proof, proof),
    document!("witness", WitnessState),
    document!("signature-record", SignatureRecord),
    other("transaction", ethereum::transaction),
    other("authorization", ethereum::authorization),
    other("message", ethereum::message),
    other("typed-data", ethereum::typed_data),
    other("call", calls::call),
    other("erc7730", descriptors::descriptor),
    other("psbt", bitcoin::psbt),
    other("descriptor", bitcoin::descriptor),
    other("bitcoin-address", bitcoin::address),
    other("solana-message", solana::message),
    other("solana-key", solana::key),
    Target { name: "near-transaction", run: near::transaction, seeds: seeds::near_transactions },
    Target { name: "near-subject", run: near::subject, seeds: seeds::near_subjects },
    other("intent-json", texts::intent),
    Target { name: "policy-json", run: texts::policy, seeds: seeds::policies },
    other("properties", texts::properties),
    other("amount", texts::amount),
    other("name", texts::name),
    other("address", texts::address),
    other("digest", texts::digest),
    other("words", texts::words),
    other("config", config_file::config),
    Target { name: "checkpoint", run: log_texts::checkpoint, seeds: seeds::notes },
    Target { name: "cosign-request", run: log_texts::cosign_request, seeds: seeds::cosign_requests },
    Target { name: "bundles", run: streams::bundles, seeds: seeds::bundles },
    Target { name: "wire-frame", run: streams::wire_frame, seeds: seeds::wire_frames },
    Target { name: "enclave-frame", run: streams::enclave_frame, seeds: seeds::enclave_frames },
    other("rpc-body", rpc::body),
    other("rpc-transaction", rpc::transaction),
    Target { name: "http-entries", run: rpc::entries, seeds: seeds::http_entries },
    other("endpoint-answer", endpoints::answer),
    other("coin-answer", endpoints::coins),
];
