//! Why evidence, an allow list or a release is refused.

use keystead_base::{Blame, CanonError, ClusterId, Coded, Digest, Name, SignatureError, Timestamp};
use keystead_quorum::{Mismatch, Shortfall};

use crate::{Platform, Tcb};

/// Why evidence says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Bytes that are no document of ours.
    #[error("expected {expected}: {error}")]
    Document {
        /// What should stand there.
        expected: &'static str,
        /// What is wrong.
        error: CanonError,
    },
    /// Bytes that are no evidence of this platform.
    #[error("expected {expected}, found {found}")]
    Form {
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// The chain of certificates does not end at the maker's root, or not at this moment.
    #[error("the certificates do not lead to a root that is trusted for this platform: {reason}")]
    Chain {
        /// What the verifier says.
        reason: Reason,
    },
    /// Somebody in the chain took it back.
    #[error("the key behind this evidence was revoked: {reason}")]
    Revoked {
        /// What the verifier says.
        reason: Reason,
    },
    /// What the maker says of its keys or its firmware is not in force at this moment.
    #[error("what the maker says of its keys or firmware is not in force: {reason}. Fetch what it says now")]
    Stale {
        /// What the verifier says.
        reason: Reason,
    },
    /// Other bytes than those that were signed.
    #[error("the signature of the evidence fails: {reason}")]
    Signature {
        /// What the verifier says.
        reason: Reason,
    },
    /// A list of the maker's that cannot be read.
    #[error("list {at} of the maker's revoked certificates cannot be read: {error}")]
    Revocations {
        /// Which, from zero.
        at: usize,
        /// What is wrong with it.
        error: webpki::Error,
    },
    /// A register that everybody can set anew.
    #[error(
        "PCR {index} can be reset by every program of the machine and so measures nothing: name registers of measured boot (0 to 15)"
    )]
    ResettablePcr {
        /// Its number.
        index: u8,
    },
    /// No registers, or one that there is not.
    #[error("expected one or more registers of 0 to 15, found {found}")]
    Pcrs {
        /// What was found.
        found: String,
    },
    /// A quote of other registers than those that were asked for.
    #[error("expected a quote of PCRs {expected}, found one of {found}")]
    OtherPcrs {
        /// What was asked for.
        expected: String,
        /// What was quoted.
        found: String,
    },
    /// The challenge is over.
    #[error("the challenge could be answered until {until}, and it is {now}: ask for a new one")]
    Late {
        /// The last moment.
        until: Timestamp,
        /// Now.
        now: Timestamp,
    },
    /// The evidence binds another nonce or key.
    #[error("the evidence does not bind this challenge and this key: it answers another one")]
    Binding,
}

/// What a verifier says, in its own type where it has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The verifier of certificates.
    #[error(transparent)]
    Certificate(#[from] webpki::Error),
    /// A library that says it in words.
    #[error("{0}")]
    Words(String),
}

impl Coded for EvidenceError {
    fn code(&self) -> &'static str {
        match self {
            Self::Form { .. } | Self::Document { .. } => "evidence.form",
            Self::Chain { .. } => "evidence.chain",
            Self::Revoked { .. } => "evidence.revoked",
            Self::Stale { .. } => "evidence.stale",
            Self::Signature { .. } => "evidence.signature",
            Self::Revocations { .. } => "evidence.revocations",
            Self::ResettablePcr { .. } => "evidence.resettable_pcr",
            Self::Pcrs { .. } => "evidence.pcrs",
            Self::OtherPcrs { .. } => "evidence.other_pcrs",
            Self::Late { .. } => "evidence.late",
            Self::Binding => "evidence.binding",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Revocations { .. } => Blame::Environment,
            _ => Blame::Peer,
        }
    }
}

/// Why an allow list does not come into force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllowError {
    /// For another cluster.
    #[error("the list is for cluster {found}, this is {expected}")]
    Cluster {
        /// This cluster.
        expected: ClusterId,
        /// The list's.
        found: ClusterId,
    },
    /// Not the one after the list in force.
    #[error("expected list {expected}, after {previous}; found list {number}, after {after}")]
    Order {
        /// The number that is next.
        expected: u64,
        /// The digest of the list in force.
        previous: Digest,
        /// The number found.
        number: u64,
        /// Which one it says that it follows.
        after: Digest,
    },
    /// Too long, out of order, or with an entry twice.
    #[error("the list is not in canonical order, or longer than {limit}: {what}")]
    Form {
        /// Which part.
        what: &'static str,
        /// The most entries.
        limit: usize,
    },
    /// Signed by one and proposed in the name of another.
    #[error("the list names {proposer} as its proposer, and {signer} signed it")]
    Proposer {
        /// Whom the list names.
        proposer: Name,
        /// Who signed it.
        signer: Name,
    },
    /// Whom the roster does not know.
    #[error("{signer} has no key in the roster to propose a list with")]
    Unknown {
        /// Who claims to have signed.
        signer: Name,
    },
    /// Not by that person.
    #[error("the signature of {signer} under the list fails: {error}")]
    Signature {
        /// Who claims to have signed.
        signer: Name,
        /// The half that fails.
        error: SignatureError,
    },
    /// Nobody announced it here.
    #[error("list {digest} was not announced to this custodian: its time lock has not begun")]
    Unannounced {
        /// The list.
        digest: Digest,
    },
    /// Policy asks for no people, or lets more in without a delay.
    #[error("policy asks for no {what} before such a list: nothing is released by it")]
    Lax {
        /// What is missing.
        what: &'static str,
    },
    /// Not enough people, or not long enough.
    #[error("the list is not approved: {0}")]
    Quorum(#[from] Shortfall),
    /// The approvals are for something else.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

impl Coded for AllowError {
    fn code(&self) -> &'static str {
        match self {
            Self::Cluster { .. } => "allow.cluster",
            Self::Order { .. } => "allow.order",
            Self::Form { .. } => "allow.form",
            Self::Proposer { .. } => "allow.proposer",
            Self::Unknown { .. } => "allow.unknown",
            Self::Signature { .. } => "allow.signature",
            Self::Unannounced { .. } => "allow.unannounced",
            Self::Lax { .. } => "allow.lax",
            Self::Quorum(shortfall) => shortfall.code(),
            Self::Mismatch(mismatch) => mismatch.code(),
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

/// Why nothing is released.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// Evidence that was fresh once.
    #[error("the evidence was fresh until {until}, and it is {now}: ask for new evidence")]
    Late {
        /// The last moment.
        until: Timestamp,
        /// Now.
        now: Timestamp,
    },
    /// The list in force is too old.
    #[error("allow list {number} ended at {expired}: people have to approve the next one")]
    Expired {
        /// The list.
        number: u64,
        /// When.
        expired: Timestamp,
    },
    /// A machine that people took out.
    #[error("device {device} was revoked by the allow list")]
    Device {
        /// The device.
        device: Digest,
    },
    /// Somebody else may look inside.
    #[error("the program runs in debug mode, where others read its memory: nothing is released to it")]
    Debug,
    /// A program that nobody allowed.
    #[error(
        "measurement {measurement} on {} is not on allow list {number}: a new program needs the next list, approved and past its time lock",
        platform.as_str()
    )]
    Measurement {
        /// The platform.
        platform: Platform,
        /// What runs there.
        measurement: Digest,
        /// The list in force.
        number: u64,
    },
    /// Firmware that is too old.
    #[error("the platform's firmware is {found:?}, and the allow list asks for {floor:?} at least")]
    Tcb {
        /// The floor.
        floor: Tcb,
        /// What the evidence says.
        found: Tcb,
    },
    /// Longer than anything that is released, or empty.
    #[error("a release has 1 to {limit} bytes, found {found}")]
    Length {
        /// The most.
        limit: usize,
        /// What was to be released.
        found: usize,
    },
    /// The key in the evidence is none.
    #[error("the key that the evidence binds is not a valid one")]
    Key,
    /// What was released does not open here.
    #[error("this release is not for this key and challenge, or was altered")]
    Sealed,
}

impl Coded for ReleaseError {
    fn code(&self) -> &'static str {
        match self {
            Self::Late { .. } => "release.late",
            Self::Expired { .. } => "release.expired",
            Self::Device { .. } => "release.device",
            Self::Debug => "release.debug",
            Self::Measurement { .. } => "release.measurement",
            Self::Tcb { .. } => "release.tcb",
            Self::Length { .. } => "release.length",
            Self::Key => "release.key",
            Self::Sealed => "release.sealed",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Expired { .. } | Self::Length { .. } => Blame::Caller,
            _ => Blame::Peer,
        }
    }
}
