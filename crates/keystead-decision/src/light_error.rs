//! Every reason for which a light client refuses.

use keystead_base::{Blame, ClusterId, Coded, Digest, Name, SignatureError, Timestamp};
use keystead_policy::PolicyRef;

use crate::{GenesisError, RebuildError};

/// Why a back end does not sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LightError {
    /// The genesis does not verify.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// Another cluster's document.
    #[error("pinned to cluster {expected}, found {found}")]
    Cluster {
        /// The pinned cluster.
        expected: ClusterId,
        /// The one named.
        found: ClusterId,
    },
    /// A rebuild that does not hold.
    #[error(transparent)]
    Rebuild(Box<RebuildError>),
    /// The block is not the one that the rebuild makes.
    #[error("block {height} is not the one that the rebuild makes")]
    NotRebuilt {
        /// The block.
        height: u64,
    },
    /// A policy version that does not follow the one known.
    #[error("the next policy version is {expected}, found {found}")]
    Gap {
        /// The next number.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// Decided under a policy version that is not in force.
    #[error("policy version {} is in force, found {}", expected.number, found.number)]
    Policy {
        /// The version in force.
        expected: PolicyRef,
        /// The version found.
        found: PolicyRef,
    },
    /// A header older than the newest known.
    #[error("the newest block known is {newest}, found {found}")]
    Old {
        /// The newest height.
        newest: u64,
        /// The height found.
        found: u64,
    },
    /// A vote of somebody who has none.
    #[error("{node} is not a node of the roster")]
    Voter {
        /// Who voted.
        node: Name,
    },
    /// A vote twice, or out of order.
    #[error("the votes are not in ascending order of nodes at {node}")]
    VoteOrder {
        /// Where.
        node: Name,
    },
    /// A vote whose signature fails.
    #[error("the vote of {node}: {error}")]
    Vote {
        /// Who voted.
        node: Name,
        /// Which half fails.
        error: SignatureError,
    },
    /// Too few votes.
    #[error("a certificate needs {expected} votes, found {found}")]
    Quorum {
        /// How many are needed.
        expected: u32,
        /// How many there are.
        found: u32,
    },
    /// The decision is not in the block.
    #[error("the decision is not among those of block {height}")]
    NotIncluded {
        /// The block.
        height: u64,
    },
    /// The decision is not a yes.
    #[error("the decision is `{found}`, not a right to sign")]
    NotAllowed {
        /// What it is.
        found: &'static str,
    },
    /// The right is for other bytes.
    #[error("the right is for digest {expected}, the bytes have {found}")]
    Digest {
        /// The digest granted.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// No quorum has said for a nonce of this back end which head is the newest, or not as often as policy asks.
    #[error("no quorum has confirmed the newest head to this back end")]
    Stale,
    /// An answer to no nonce that is out.
    #[error("the confirmed head answers no nonce of this back end")]
    Nonce,
    /// The quorum's answer came too late.
    #[error("the newest head was asked for at {asked}, and it is {now}")]
    Late {
        /// When the nonce was drawn.
        asked: Timestamp,
        /// The time now.
        now: Timestamp,
    },
    /// A node has a newer head than the one shown, or another one.
    #[error("{node} named its newest block {named}, not the block {shown} that is shown")]
    Ahead {
        /// The node.
        node: Name,
        /// The height shown.
        shown: u64,
        /// The height that the node named.
        named: u64,
    },
    /// Frozen.
    #[error("{key} is frozen")]
    Frozen {
        /// Which key.
        key: Name,
    },
    /// Suspended, deactivated or destroyed.
    #[error("{key} is stopped by its own state")]
    Stopped {
        /// Which key.
        key: Name,
    },
    /// Too late.
    #[error("the right ended at {at}, it is {now}")]
    Expired {
        /// When it ended.
        at: Timestamp,
        /// The time now.
        now: Timestamp,
    },
}

impl From<RebuildError> for LightError {
    fn from(error: RebuildError) -> Self {
        Self::Rebuild(Box::new(error))
    }
}

impl Coded for LightError {
    fn code(&self) -> &'static str {
        match self {
            Self::Genesis(error) => error.code(),
            Self::Cluster { .. } => "certificate.cluster",
            Self::Rebuild(error) => error.code(),
            Self::NotRebuilt { .. } => "certificate.not_rebuilt",
            Self::Gap { .. } => "certificate.gap",
            Self::Policy { .. } => "certificate.policy",
            Self::Old { .. } => "certificate.old",
            Self::Voter { .. } => "certificate.voter",
            Self::VoteOrder { .. } => "certificate.vote_order",
            Self::Vote { .. } => "certificate.vote",
            Self::Quorum { .. } => "certificate.quorum",
            Self::NotIncluded { .. } => "certificate.not_included",
            Self::NotAllowed { .. } => "certificate.not_allowed",
            Self::Digest { .. } => "certificate.digest",
            Self::Stale => "certificate.stale_head",
            Self::Nonce => "certificate.fresh_nonce",
            Self::Late { .. } => "certificate.fresh_late",
            Self::Ahead { .. } => "certificate.fresh_ahead",
            Self::Frozen { .. } => "certificate.frozen",
            Self::Stopped { .. } => "certificate.stopped",
            Self::Expired { .. } => "certificate.expired",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Peer
    }
}
