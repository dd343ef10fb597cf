//! What the clients asked for, as they meant it: the oracle believes this, not the decoder.

use alloy_primitives::Address;
use keystead_base::{Digest, Name, RequestId, Timestamp};
use keystead_decision::Entry;
use keystead_policy::PolicyVersion;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) requester: Name,
    pub(crate) expires: Timestamp,
    pub(crate) what: What,
    /// The signed entry, to hand in again.
    pub(crate) entry: Entry,
    /// When an honest node took it, once everything was healed.
    pub(crate) taken: Option<u64>,
}

/// What it is about.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// Ether to somebody.
    Pay(Payment),
    /// The next policy version.
    Policy(Box<PolicyVersion>),
    /// The end of a freeze.
    Thaw,
    /// A step of the key's life: only before the run.
    Ceremony,
    /// A statement that a key in shares signs, with the digest that the client computed.
    Statement(Digest),
}

/// A payment.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) nonce: u64,
    /// The digest that the client computed from the bytes to sign.
    pub(crate) digest: Digest,
    pub(crate) wei: u128,
    pub(crate) fee: u128,
    pub(crate) to: Address,
    pub(crate) replaces: Option<RequestId>,
}

impl Payment {
    /// What counts in a window and for a threshold: network fees, too.
    pub(crate) fn total(&self) -> u128 {
        self.wei + self.fee
    }
}

impl Asked {
    pub(crate) fn payment(&self) -> Option<&Payment> {
        match &self.what {
            What::Pay(it) => Some(it),
            What::Policy(_) | What::Thaw | What::Ceremony | What::Statement(_) => None,
        }
    }

    /// The digest that approvals of this request name.
    pub(crate) fn approved_digest(&self, id: &RequestId) -> Digest {
        self.payment().map_or(id.0, |it| it.digest)
    }
}
