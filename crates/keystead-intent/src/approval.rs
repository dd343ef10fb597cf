//! What approvers sign: yes, no, and stop.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, ClusterId, Digest, Name, RequestId, Timestamp};
use serde::{Deserialize, Serialize};

/// One person's word on one request, under one policy version (S11).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The cluster.
    pub cluster: ClusterId,
    /// The request.
    pub request: RequestId,
    /// The digest that the approver's own client computed from the raw payload.
    pub signing_digest: Digest,
    /// The policy version that the approver saw.
    pub policy_version: u64,
    /// Yes or no.
    pub verdict: Verdict,
    /// The person.
    pub person: Name,
    /// The device whose key signs.
    pub device: Name,
    /// After this moment the approval counts no more.
    pub expires: Timestamp,
}

impl Canonical for Approval {
    const DOMAIN: &'static str = "keystead/approval/v1";
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Do it.
    Approve,
    /// Do not do it: ends the request.
    Reject,
}

/// Stops one request during its delay.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Veto {
    /// The cluster.
    pub cluster: ClusterId,
    /// The request.
    pub request: RequestId,
    /// The person.
    pub person: Name,
    /// The device whose key signs.
    pub device: Name,
    /// After this moment the veto counts no more.
    pub expires: Timestamp,
}

impl Canonical for Veto {
    const DOMAIN: &'static str = "keystead/veto/v1";
}

/// Stops signing (S14): of one key, or of everything.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// The cluster.
    pub cluster: ClusterId,
    /// The key, or none for the whole cluster.
    pub key: Option<Name>,
    /// The person.
    pub person: Name,
    /// The device whose key signs.
    pub device: Name,
    /// After this moment the order counts no more: an old one cannot be replayed after a thaw.
    pub expires: Timestamp,
}

impl Canonical for Freeze {
    const DOMAIN: &'static str = "keystead/freeze/v1";
}
