//! The life of a request: one closed table.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Digest, RequestId, Signed, Timestamp};
use keystead_intent::{Approval, Coin, DangerClass, Intent, Slot};
use keystead_policy::Charge;
use serde::{Deserialize, Serialize};

use crate::reading::Remembered;
use crate::{Rehearsed, approval_digest};

/// A request that the state remembers.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Request {
    /// What was asked.
    pub intent: Intent,
    /// The digest of the bytes to sign, or the request's own for changes of authority. Approvals name
    /// [`Self::approval_digest`].
    pub signing_digest: Digest,
    /// The danger class.
    pub class: DangerClass,
    /// The block time at which approvers were first told; a policy change tells them anew.
    pub announced: Timestamp,
    /// Where it stands.
    pub phase: Phase,
    /// Valid approvals under the current policy version.
    pub approvals: Vec<Signed<Approval>>,
    /// What it counts in windows, once allowed.
    pub charges: Vec<Charge>,
    /// The slot that it takes, once allowed.
    pub slot: Option<Slot>,
    /// What came of running it, where policy demands that.
    pub simulation: Option<Rehearsed>,
    /// Until when it waits for a run.
    pub simulate_by: Option<Timestamp>,
    /// The coins that it spends, once allowed.
    pub coins: Vec<Coin>,
    /// What was read of its PSBT.
    pub(crate) remembered: Remembered,
}

impl Request {
    /// What its approvals name.
    #[must_use]
    pub fn approval_digest(&self) -> Digest {
        approval_digest(self.signing_digest, self.simulation.as_ref())
    }
}

/// Where a request stands.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Waits for approvals or for a delay.
    Open,
    /// May be signed; its amounts are reserved.
    Allowed,
    /// A change of authority that was carried out.
    Applied,
    /// Refused, rejected, vetoed or expired.
    Denied,
    /// Its transaction is final, or the permission that it was is used up.
    Settled,
    /// It can never execute.
    Dead,
}

/// What moves a request on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Every check passed, and there is something to sign.
    Allow,
    /// Every check passed, and the change was carried out.
    Apply,
    /// Some check failed for good.
    Deny,
    /// Its transaction became final, or its permission was used.
    Settle,
    /// Another transaction became final in its slot.
    Die,
}

impl Phase {
    /// The only table of transitions; `None` is a transition that must not happen.
    #[must_use]
    pub fn after(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Open, Event::Allow) => Some(Self::Allowed),
            (Self::Open, Event::Apply) => Some(Self::Applied),
            (Self::Open, Event::Deny) => Some(Self::Denied),
            (Self::Allowed | Self::Applied, Event::Settle) => Some(Self::Settled),
            (Self::Allowed, Event::Die) => Some(Self::Dead),
            (Self::Open, Event::Settle | Event::Die)
            | (Self::Allowed, Event::Allow | Event::Apply | Event::Deny)
            | (Self::Applied, Event::Allow | Event::Apply | Event::Deny | Event::Die)
            | (
                Self::Denied | Self::Settled | Self::Dead,
                Event::Allow | Event::Apply | Event::Deny | Event::Settle | Event::Die,
            ) => None,
        }
    }

    /// Whether nothing can happen to it any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Applied | Self::Denied | Self::Settled | Self::Dead)
    }

    /// A word for tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Allowed => "allowed",
            Self::Applied => "applied",
            Self::Denied => "denied",
            Self::Settled => "settled",
            Self::Dead => "dead",
        }
    }
}

/// Who holds a slot or a coin (S4).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SlotUse {
    /// The requests allowed for it, oldest first: the first, and each replacement of the one before.
    pub requests: Vec<RequestId>,
    /// Whether one of them is final.
    pub settled: bool,
}
