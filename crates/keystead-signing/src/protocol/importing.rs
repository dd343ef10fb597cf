//! What is said of seats, and of whole keys that are dealt in shares.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{ClusterId, Digest, Name, RequestId, Signed};
use keystead_decision::{Convened, Dealing, PublicAccount};
use serde::{Deserialize, Serialize};

/// A ceremony that a seat is drawn for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeatFor {
    /// The request that allowed it.
    pub request: RequestId,
    /// The key.
    pub key: Name,
    /// The node that announces the seat.
    pub node: Name,
}

/// What is to be done with a whole key.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitWhole {
    /// Whether every seed of every weak generator is tried.
    pub everything: bool,
    /// Whom it is dealt to; none where only its public side is asked for.
    pub to: Option<DealTo>,
    /// Which taproot wallet of the words it is; none where the words are Ethereum's, and of what is no words.
    pub taproot: Option<TaprootAccount>,
}

/// The account of a taproot wallet, `m/86'/coin'/account'` (BIP-86).
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaprootAccount {
    /// 0 of Bitcoin, 1 of its test networks (SLIP-44).
    pub coin: u32,
    /// The account's number.
    pub account: u32,
}

/// An import that the log convened, as whoever deals read it there.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DealTo {
    /// The cluster.
    pub cluster: ClusterId,
    /// What was convened.
    pub convened: Convened,
    /// The number of the policy version that allowed it.
    pub policy_version: u64,
    /// The digest of the decision.
    pub decision: Digest,
    /// The person's device that signs what is dealt.
    pub device: Name,
}

/// What was dealt, and for which ceremony.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakeDealing {
    /// The request of the ceremony.
    pub request: RequestId,
    /// What was dealt.
    pub dealing: Signed<Dealing>,
}

/// A whole key's public side, and what was dealt of it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WholeKey {
    /// What its addresses derive from.
    pub account: PublicAccount,
    /// What was dealt, where that was asked for.
    pub dealing: Option<Dealing>,
}
