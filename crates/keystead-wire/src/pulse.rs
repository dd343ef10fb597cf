//! How a node is, as it says to the others and as they see it: for whoever looks, and for who signs with whom.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Name, RequestId, Timestamp};
use serde::{Deserialize, Serialize};

/// The most runs in one status.
pub const MAX_SHOWN_RUNS: usize = 64;
/// The most aborted runs in one status; the newest are shown.
pub const MAX_SHOWN_ABORTS: usize = 16;
/// How many nodes that are kept out a status names.
pub const MAX_KEPT_OUT: usize = 64;

/// What a node says of itself to another node. Nothing that is decided rests on it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pulse {
    /// Its clock.
    pub time: Timestamp,
    /// How long a transaction of its ledger takes, its sync included, in microseconds; none before the first.
    pub sync_micros: Option<u32>,
    /// The round trips that it measured, by name.
    pub round_trips: Vec<RoundTrip>,
}

/// From a question to another node until its answer.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundTrip {
    /// The other node.
    pub node: Name,
    /// Smoothed (RFC 6298), in microseconds.
    pub micros: u32,
}

/// What a node knows of its connection to another one, and last heard of it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkView {
    /// How often the node was started, as it says.
    pub boot: u64,
    /// How often it was started anew since this node began.
    pub restarts: u32,
    /// In microseconds; none before the first answer.
    pub round_trip_micros: Option<u32>,
    /// How its clock differs from this node's.
    pub clock: Option<ClockView>,
    /// How long a transaction of its ledger takes, as it says.
    pub sync_micros: Option<u32>,
    /// The round trips that it measured, as it says.
    pub round_trips: Vec<RoundTrip>,
}

/// How another clock differs, give or take half a round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockView {
    /// Whether it is ahead of this node's.
    pub ahead: bool,
    /// By so many milliseconds.
    pub millis: u64,
}

/// A threshold run that is wanted, or under way, at a node.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunView {
    /// What it serves.
    pub request: RequestId,
    /// What comes of it.
    pub purpose: RunPurpose,
    /// How many tries were begun.
    pub attempts: u32,
    /// Who signs in the last one that this node takes part in.
    pub signers: Vec<Name>,
    /// Since when it is wanted.
    pub since: Timestamp,
    /// Where the last run that this node's enclave takes part in stands, while it is under way.
    pub round: Option<RoundView>,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundView {
    /// The round, as envelopes count: even ones are the protocol's, odd ones echoes.
    pub round: u8,
    /// How many rounds the run has, echoes not counted.
    pub rounds: u8,
    /// Who has not been heard in it.
    pub missing: Vec<Name>,
}

/// What comes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunPurpose {
    /// A signature that the log allows.
    Signature,
    /// The proof that a new share signs.
    Proof,
    /// A new share.
    Share,
}

/// A node that this node's enclave keeps out of a key's runs, since it caught it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptOut {
    /// The key.
    pub key: Name,
    /// Who is kept out until people let it in.
    pub node: Name,
}

/// A run that ended without what it was for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbortView {
    /// What it served.
    pub request: RequestId,
    /// Who is named: nobody, one node, or two of which one told two things or lies about the other.
    pub culprits: Vec<Name>,
    /// The stable code of why.
    pub code: String,
    /// When.
    pub time: Timestamp,
}
