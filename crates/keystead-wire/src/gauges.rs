//! How full each limit is, and whom each request waits for.

use alloy_primitives::Address;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Amount, Name, RequestId, Timestamp};
use keystead_intent::DangerClass;
use serde::{Deserialize, Serialize};

/// The most counts of windows in one status; the fullest are shown.
pub const MAX_SHOWN_WINDOWS: usize = 128;
/// The most requests that wait in one status; the oldest are shown.
pub const MAX_SHOWN_WAITING: usize = 64;
/// The most people that are named for one missing approval.
pub const MAX_SHOWN_PEOPLE: usize = 16;

/// One count of one limit window, as a node counts it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowView {
    /// The window.
    pub window: Name,
    /// The key that it counts for, where the window is split by keys.
    pub key: Option<Name>,
    /// The destination, where it is split by destinations.
    pub destination: Option<Address>,
    /// The chain's id, where it is split by chains.
    pub chain: Option<u64>,
    /// What the amounts are in: an asset's symbol, a currency, or a word for base units and requests.
    pub symbol: String,
    /// Digits after the point.
    pub decimals: u8,
    /// The limit, in base units.
    pub limit: Amount,
    /// What counts against it now, in base units: all that is allowed and not final, and what became final
    /// within the span.
    pub used: Amount,
    /// The span, in seconds.
    pub span_seconds: u64,
}

/// One request that waits for people or for its delay.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitingView {
    /// The request.
    pub request: RequestId,
    /// Who asked.
    pub requester: Name,
    /// The danger class.
    pub class: DangerClass,
    /// Whose yes counts so far.
    pub approved: Vec<Name>,
    /// Whose yes is missing.
    pub missing: Vec<MissingView>,
    /// The earliest moment at which it may be signed.
    pub ready: Timestamp,
    /// After this moment it is over.
    pub expires: Timestamp,
}

/// So many people of a role, still to come.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MissingView {
    /// The role.
    pub role: Name,
    /// How many.
    pub count: u32,
    /// Who could: people of the role who did not ask and have not said yes.
    pub people: Vec<Name>,
}
