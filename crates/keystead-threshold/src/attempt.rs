//! What makes one try to sign another session than the next.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, Name, RequestId};
use serde::{Deserialize, Serialize};

/// A try to sign what one decision allows. Its digest is the session's `attempt`: whoever leads names only the number and
/// the signers, and every enclave computes the rest of what the log showed it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// The header whose decisions the right stands among; for the proof of a share the decision that convened its ceremony.
    pub ground: Digest,
    /// The request.
    pub request: RequestId,
    /// Counts the leader's tries.
    pub number: u32,
    /// Who signs, in the leader's order.
    pub signers: Vec<Name>,
}

impl Canonical for Attempt {
    const DOMAIN: &'static str = "keystead/threshold-attempt/v1";
    const MAX_BYTES: usize = 16 * 1024;
}
