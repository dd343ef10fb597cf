//! Decisions: what the log says about each request, approval and event, for ever.

use alloy_primitives::Address;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, ClusterId, Digest, Name, RequestId, Timestamp, merkle::Inclusion};
use keystead_intent::{AccountRef, ChainId, DangerClass, KeyCeremony, KeyState, Rotation, Slot};
use keystead_policy::{PolicyRef, Reason, Requirement};
use serde::{Deserialize, Serialize};

use crate::{Commit, Convened, Fate, Finding};

/// One decision, a leaf of the block's decision tree.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The cluster.
    pub cluster: ClusterId,
    /// The block.
    pub height: u64,
    /// What it is about: a request, or the digest of the document that was judged.
    pub subject: RequestId,
    /// Under which policy it was made.
    pub policy: PolicyRef,
    /// The rules and rows that produced it, ascending.
    pub rules: Vec<Name>,
    /// What was decided.
    pub outcome: Outcome,
}

impl Canonical for Decision {
    const DOMAIN: &'static str = "keystead/decision/v1";
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// No, and why.
    Deny {
        /// The danger class, where the bytes were understood so far.
        class: Option<DangerClass>,
        /// Every reason found.
        reasons: Vec<Reason>,
    },
    /// Not yet: so many people, and not before then.
    Wait {
        /// The danger class.
        class: DangerClass,
        /// The digest of the bytes to sign; approvals name it, with the run where there is one.
        signing_digest: Digest,
        /// Who has to approve.
        requirement: Requirement,
        /// The earliest moment.
        ready: Timestamp,
    },
    /// Yes: these bytes may be signed.
    Allow(Grant),
    /// Yes: this ceremony may be carried out.
    Ceremony {
        /// What may be done.
        ceremony: KeyCeremony,
        /// The key's epoch.
        epoch: u32,
        /// After this moment it may not.
        expires: Timestamp,
    },
    /// The word of an approver counts.
    Counted {
        /// Who.
        person: Name,
    },
    /// The word of somebody does not count, and why.
    Refused {
        /// Who.
        person: Name,
        /// Why.
        reason: Reason,
    },
    /// A policy version is in force from the next block on.
    Activated {
        /// Which.
        policy: PolicyRef,
    },
    /// Signing stopped.
    Frozen {
        /// One key, or everything.
        key: Option<Name>,
        /// By whom.
        person: Name,
    },
    /// Signing may go on.
    Thawed {
        /// One key, or everything.
        key: Option<Name>,
    },
    /// A step in a key's life is recorded.
    Key {
        /// The key.
        key: Name,
        /// Its state now.
        state: KeyState,
    },
    /// A signed transaction met its end.
    Ended {
        /// How.
        fate: Fate,
    },
    /// A price was taken over.
    Priced,
    /// Not yet: the nodes run the transaction first.
    Simulate {
        /// The danger class.
        class: DangerClass,
        /// The digest of the bytes that are run.
        signing_digest: Digest,
        /// What has not been run by then is denied.
        until: Timestamp,
    },
    /// A run was taken over; what it means for its request is decided beside it.
    Simulated,
    /// A chain shows what the log did not allow: the key of that account is frozen.
    Found {
        /// What, and where.
        finding: Finding,
    },
    /// All who take part in the ceremony of a shared key have a seat: it may be begun.
    Convened(Convened),
    /// A compromise was declared: nothing signs but what sweeps.
    Compromised {
        /// What is to be replaced first, ascending.
        rotate: Vec<Rotation>,
    },
}

impl Outcome {
    /// A word for tables.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Deny { .. } => "deny",
            Self::Wait { .. } => "wait",
            Self::Allow(_) => "allow",
            Self::Ceremony { .. } => "ceremony",
            Self::Counted { .. } => "counted",
            Self::Refused { .. } => "refused",
            Self::Activated { .. } => "activated",
            Self::Frozen { .. } => "frozen",
            Self::Thawed { .. } => "thawed",
            Self::Key { .. } => "key",
            Self::Ended { .. } => "ended",
            Self::Priced => "priced",
            Self::Simulate { .. } => "simulate",
            Self::Simulated => "simulated",
            Self::Found { .. } => "found",
            Self::Convened(_) => "convened",
            Self::Compromised { .. } => "compromised",
        }
    }
}

/// The right to sign exactly one digest with one account.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Which account.
    pub account: AccountRef,
    /// Its address.
    pub address: Address,
    /// The key's epoch.
    pub epoch: u32,
    /// The chain.
    pub chain: ChainId,
    /// The 32 bytes to sign.
    pub signing_digest: Digest,
    /// The slot that they take.
    pub slot: Option<Slot>,
    /// The danger class.
    pub class: DangerClass,
    /// After this moment the grant is worth nothing.
    pub expires: Timestamp,
}

/// A decision, the commit of its block, and the proof that it stands there.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The block's header with its votes.
    pub commit: Commit,
    /// The decision.
    pub decision: Decision,
    /// Its place in the header's decision tree.
    pub proof: Inclusion,
}

impl Canonical for Certificate {
    const DOMAIN: &'static str = "keystead/certificate/v1";
}
