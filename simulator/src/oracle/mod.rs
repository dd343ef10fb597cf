//! The oracle: an account of its own of everything that is committed, voted and signed, and what is wrong.
//!
//! It shares no code with the state machine's accounting: windows, slots, approvals and policy versions
//! are counted again from the entries and decisions of the committed blocks and from what clients meant.

mod account;
mod consent;
mod log;
mod words;

use std::collections::BTreeMap;
use std::fmt;

use keystead_base::{Digest, Name, RequestId, Timestamp};
use keystead_decision::{Frozen, SignedGenesis, SignedRebuild};
use keystead_intent::Approval;
use keystead_policy::PolicyVersion;

use account::{Held, SlotLog};
use words::Words;

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant: `S10`.
    pub invariant: &'static str,
    /// What happened.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.text)
    }
}

/// Where a request stands, by the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Announced, and waits for people or time.
    Waits,
    /// Allowed.
    Allowed,
    /// Denied, carried out, or over.
    Over,
}

/// The account of one run.
#[derive(Debug)]
pub(crate) struct Oracle {
    genesis: SignedGenesis,
    /// The policy in force after the newest block.
    pub(crate) policy: PolicyVersion,
    /// The highest limit of wei that was ever in force.
    pub(crate) highest_limit: u128,
    /// The height at which the policy in force was activated.
    activated: (u64, Timestamp),
    frozen: Frozen,
    /// What people signed when all nodes were lost.
    rebuild: Option<SignedRebuild>,
    /// Since the block of the rebuild, until everything is thawed.
    rebuilt: bool,
    headers: Vec<(Digest, Digest)>,
    time: Timestamp,
    held: BTreeMap<RequestId, Held>,
    slots: BTreeMap<u64, SlotLog>,
    approvals: BTreeMap<RequestId, Vec<(Approval, u64)>>,
    announced: BTreeMap<RequestId, Timestamp>,
    stands: BTreeMap<RequestId, Stand>,
    signed: BTreeMap<u64, Vec<Digest>>,
    words: Words,
    pub(crate) violations: Vec<Violation>,
    pub(crate) signatures: u64,
}

impl Oracle {
    pub(crate) fn new(genesis: SignedGenesis) -> Self {
        let policy = genesis.genesis.policy.clone();
        let mut oracle = Self {
            time: genesis.genesis.created,
            genesis,
            highest_limit: 0,
            policy,
            activated: (0, Timestamp(0)),
            frozen: Frozen::default(),
            rebuild: None,
            rebuilt: false,
            headers: Vec::new(),
            held: BTreeMap::new(),
            slots: BTreeMap::new(),
            approvals: BTreeMap::new(),
            announced: BTreeMap::new(),
            stands: BTreeMap::new(),
            signed: BTreeMap::new(),
            words: Words::default(),
            violations: Vec::new(),
            signatures: 0,
        };
        oracle.note_limit();
        oracle
    }

    pub(crate) fn object(&mut self, invariant: &'static str, text: impl Into<String>) {
        self.violations.push(Violation { invariant, text: text.into() });
    }

    /// People signed that the log goes on with other nodes.
    pub(crate) fn expect(&mut self, rebuild: SignedRebuild) {
        self.rebuild = Some(rebuild);
    }

    /// The height of the newest block that any honest node committed.
    pub(crate) fn height(&self) -> u64 {
        self.headers.len() as u64
    }

    /// Where a request stands; none before any decision about it.
    pub(crate) fn stand(&self, id: &RequestId) -> Option<Stand> {
        self.stands.get(id).copied()
    }

    /// What is frozen.
    pub(crate) fn frozen(&self) -> &Frozen {
        &self.frozen
    }

    /// The boot number that the roster gives a node.
    pub(crate) fn boot(&self, node: &Name) -> u64 {
        self.policy.roster.node(node).map(|it| it.boot).unwrap_or_default()
    }
}
