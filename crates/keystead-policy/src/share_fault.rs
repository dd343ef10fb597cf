//! Why the word of a node in the ceremony of a shared key does not count.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Coded};
use serde::{Deserialize, Serialize};

/// Why the word of a node in the ceremony of a shared key does not count.
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
    thiserror::Error,
)]
#[serde(rename_all = "snake_case")]
pub enum ShareFault {
    /// The node takes no part in the ceremony, or gets no share in it.
    #[error("it takes no part")]
    Stranger,
    /// The ceremony was begun anew since, or not yet.
    #[error("it speaks of an attempt that is not the one under way")]
    Attempt,
    /// The keys of the enclave do not have the form of such keys.
    #[error("its seat is malformed")]
    Seat,
    /// The ceremony was begun anew as often as one request allows.
    #[error("the ceremony was begun anew too often")]
    Spent,
    /// Another public key than the one that the shares are of.
    #[error("its account is not the key's")]
    Account,
    /// Not one public share of the right form for each holder.
    #[error("its public shares are malformed")]
    Shares,
    /// Not what the same node said before.
    #[error("it contradicts what it said before")]
    Contradiction,
    /// Not every holder says the same about the new shares so far.
    #[error("the holders do not say the same about the shares")]
    Unagreed,
    /// The signature is not the key's over this node's challenge.
    #[error("its shares prove nothing")]
    Proof,
    /// Another epoch than the one in force.
    #[error("it speaks of an epoch that is not in force")]
    Epoch,
    /// It is not the one who has the key whole.
    #[error("it is not who has the key")]
    Dealer,
    /// What was dealt does not have the form of it, or is not of this attempt.
    #[error("what it dealt is malformed")]
    Dealing,
    /// What was dealt is another key than people approved.
    #[error("it dealt another key than the one that was approved")]
    OtherKey,
    /// The key has coins where no key in shares has any.
    #[error("the key has wallets of Bitcoin that its shares do not sign for")]
    Wallets,
}

impl Coded for ShareFault {
    fn code(&self) -> &'static str {
        match self {
            Self::Stranger => "deny.share.stranger",
            Self::Attempt => "deny.share.attempt",
            Self::Seat => "deny.share.seat",
            Self::Spent => "deny.share.spent",
            Self::Account => "deny.share.account",
            Self::Shares => "deny.share.shares",
            Self::Contradiction => "deny.share.contradiction",
            Self::Unagreed => "deny.share.unagreed",
            Self::Proof => "deny.share.proof",
            Self::Epoch => "deny.share.epoch",
            Self::Dealer => "deny.share.dealer",
            Self::Dealing => "deny.share.dealing",
            Self::OtherKey => "deny.share.other_key",
            Self::Wallets => "deny.share.wallets",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Peer
    }
}
