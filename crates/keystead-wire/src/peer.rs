//! What nodes of one cluster tell one another (specs/wire.md).

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Name, RequestId};
use keystead_consensus::Message;
use keystead_decision::RunAim;
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
    /// A signed envelope of a threshold run, for the enclave of the receiver (specs/threshold.md).
    Threshold(Vec<u8>),
    /// The sender begins a threshold run, and asks the others in it to begin it too.
    Joins(RunCall),
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

/// A threshold run that its leader calls others to. Each enclave asks the log itself whether it may take part.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunCall {
    /// What is to be signed.
    pub aim: RunAim,
    /// Counts the leader's tries.
    pub attempt: u32,
    /// Who signs; the sender is one of them.
    pub signers: Vec<Name>,
}
