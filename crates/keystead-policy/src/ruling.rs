//! What policy answers: no with reasons, or yes with what it takes and what it counts.

use std::fmt;

use alloy_primitives::Address;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Amount, Name};
use keystead_intent::ChainId;
use serde::{Deserialize, Serialize};

use crate::{Need, Reason};

/// The answer to one question. A pass is not a permission yet: approvals and limits come after it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ruling {
    /// No.
    Deny {
        /// Why, in the order found; never empty.
        reasons: Vec<Reason>,
        /// The rules that forbid or fail, ascending.
        rules: Vec<Name>,
    },
    /// As far as policy goes, yes.
    Pass {
        /// Who has to approve, and how long it waits.
        requirement: Requirement,
        /// What it counts in which window.
        charges: Vec<Charge>,
        /// The rules that permit it, ascending.
        rules: Vec<Name>,
    },
}

impl Ruling {
    /// The reasons of a denial; none for a pass.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Deny { reasons, .. } => reasons,
            Self::Pass { .. } => &[],
        }
    }

    /// The rules that produced it.
    #[must_use]
    pub fn rules(&self) -> &[Name] {
        match self {
            Self::Deny { rules, .. } | Self::Pass { rules, .. } => rules,
        }
    }
}

/// What all matching quorum rows together ask for, in one canonical order.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// So many people of each role, ascending; one person counts once in the whole request.
    pub needs: Vec<Need>,
    /// The longest delay of all rows, in seconds.
    pub delay_seconds: u64,
    /// The roles that may veto while it waits, ascending.
    pub vetoers: Vec<Name>,
    /// The rows it comes from, ascending.
    pub rows: Vec<Name>,
}

impl Requirement {
    /// Whether nobody has to approve and nothing has to wait: the hot path.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.needs.is_empty() && self.delay_seconds == 0
    }

    /// How many people must approve.
    #[must_use]
    pub fn people(&self) -> u64 {
        self.needs.iter().map(|need| u64::from(need.count)).sum()
    }
}

/// What a request counts in one window, fixed at the moment of the decision.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// The window.
    pub window: Name,
    /// Which of its counts.
    pub bucket: Bucket,
    /// How much: requests, base units, or micro-units of fiat at the price of that moment.
    pub amount: Amount,
    /// The window's limit.
    pub limit: Amount,
    /// The window's span, in seconds.
    pub span_seconds: u64,
}

/// One count of a window that is split; what it is not split by is none.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// The key.
    pub key: Option<Name>,
    /// The destination; also none for what has none, as network fees.
    pub destination: Option<Address>,
    /// The chain.
    pub chain: Option<ChainId>,
    /// Who asked.
    pub requester: Option<Name>,
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.as_ref().map(|key| format!("key {key}"));
        let destination = self.destination.map(|address| format!("to {address}"));
        let chain = self.chain.map(|chain| format!("on {chain}"));
        let requester = self.requester.as_ref().map(|requester| format!("asked by {requester}"));
        let parts: Vec<_> = [key, destination, chain, requester].into_iter().flatten().collect();
        if parts.is_empty() { f.write_str("all together") } else { f.write_str(&parts.join(", ")) }
    }
}
