//! What nodes of one cluster tell one another (specs/wire.md).

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, RequestId};
use keystead_consensus::Message;

use serde::{Deserialize, Serialize};

use crate::SignedPayload;

/// The most messages of one [`NodeRequest::Peer`](crate::NodeRequest::Peer).
pub const MAX_PEER_MESSAGES: usize = 64;

/// One message between nodes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PeerMessage {
    /// A word of the consensus.
    Consensus(Box<Message>),
    /// What the key's home signed, for those who ask another node about it. The receiver verifies it.
    Signed(SharedSignature),
    /// The sender lacks the signature of a request that the log allows.
    WantSigned(RequestId),
    /// The sender can be reached at this port of the machine that its connection comes from.
    Listens(u16),
}

impl Canonical for PeerMessage {
    const DOMAIN: &'static str = "keystead/peer/v1";
}

/// A signature with the decision that it rests on.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedSignature {
    /// The request.
    pub request: RequestId,
    /// The block whose decision allowed it.
    pub height: u64,
    /// The place of that decision in its block.
    pub position: u64,
    /// The signature and what it makes.
    pub payload: SignedPayload,
}
