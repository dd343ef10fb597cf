//! Blocks, votes and the commit that a quorum of votes makes.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{
    Canonical, ClusterId, Digest, HybridSignature, HybridSigner, KeyError, Name, Timestamp, signing_message,
};
use keystead_policy::PolicyRef;
use serde::{Deserialize, Serialize};

use crate::Entry;

/// The most entries of one block.
pub const MAX_BLOCK_ENTRIES: usize = 1024;
/// The most bytes of a block's entries together. With its header and votes it fits a message, so that whoever
/// lacks a committed block can be sent it.
pub const MAX_BLOCK_BYTES: usize = 2 * 1024 * 1024;

/// What votes are for. It commits to the entries and to every decision that they led to.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The cluster.
    pub cluster: ClusterId,
    /// 1, 2, 3, … without gaps.
    pub height: u64,
    /// The block's time, later than its parent's.
    pub time: Timestamp,
    /// The digest of the header before; the cluster's id at height 1.
    pub parent: Digest,
    /// The node that built this block; the next height begins with the same node's proposal.
    pub proposer: Name,
    /// The Merkle root over the documents of all headers before (RFC 6962).
    pub history: Digest,
    /// The Merkle root over the entries' documents.
    pub entries: Digest,
    /// The Merkle root over the decisions' documents.
    pub decisions: Digest,
    /// The policy version in force after this block.
    pub policy: PolicyRef,
    /// The digest of the roster in force after this block; this block itself is voted for by the roster before.
    pub roster: Digest,
    /// What is frozen after this block.
    pub frozen: Frozen,
}

impl Canonical for Header {
    const DOMAIN: &'static str = "keystead/header/v1";
}

/// What may not sign (S14).
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// Nothing may sign.
    pub everything: bool,
    /// These keys may not sign.
    pub keys: BTreeSet<Name>,
    /// These keys were suspended, deactivated or destroyed: a thaw does not let them sign.
    pub stopped: BTreeSet<Name>,
}

impl Frozen {
    /// Whether this key is frozen.
    #[must_use]
    pub fn holds(&self, key: &Name) -> bool {
        self.everything || self.keys.contains(key)
    }

    /// Whether this key is stopped by its own state, frozen or not.
    #[must_use]
    pub fn stops(&self, key: &Name) -> bool {
        self.stopped.contains(key)
    }

    /// Whether this key may sign.
    #[must_use]
    pub fn lets_sign(&self, key: &Name) -> bool {
        !self.holds(key) && !self.stops(key)
    }
}

/// A header and its entries.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// What is voted for.
    pub header: Header,
    /// What happened.
    pub entries: Vec<Entry>,
}

impl Canonical for Block {
    const DOMAIN: &'static str = "keystead/block/v1";
}

/// One node's word that a block is valid by its own decoding, policy and count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// The cluster.
    pub cluster: ClusterId,
    /// The height.
    pub height: u64,
    /// The round of the consensus engine.
    pub round: u32,
    /// The digest of the header.
    pub header: Digest,
    /// The boot number that the roster gives the voter: votes from before a readmission count no more.
    pub boot: u64,
}

impl Canonical for Vote {
    const DOMAIN: &'static str = "keystead/vote/v1";
}

/// A header with the votes of a quorum.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// What was voted for.
    pub header: Header,
    /// In which round.
    pub round: u32,
    /// The votes, by node name ascending.
    pub votes: Vec<VoteSignature>,
}

impl Canonical for Commit {
    const DOMAIN: &'static str = "keystead/commit/v1";
}

/// One node's signature on the [`Vote`] that the commit describes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoteSignature {
    /// The node.
    pub node: Name,
    /// Its signature.
    pub signature: HybridSignature,
}

impl Commit {
    /// What a voter with this boot number signed.
    #[must_use]
    pub fn vote(&self, boot: u64) -> Vote {
        vote_for(&self.header, self.round, boot)
    }
}

/// The vote for a header of a node with this boot number.
#[must_use]
pub fn vote_for(header: &Header, round: u32, boot: u64) -> Vote {
    Vote { cluster: header.cluster, height: header.height, round, header: header.digest(), boot }
}

/// Signs a vote. The caller has made the vote durable before it sends it (S1).
///
/// # Errors
///
/// [`KeyError`] when the library fails to sign.
pub fn sign_vote(vote: &Vote, node: Name, key: &HybridSigner) -> Result<VoteSignature, KeyError> {
    key.sign(&signing_message(&vote.digest())).map(|signature| VoteSignature { node, signature })
}
