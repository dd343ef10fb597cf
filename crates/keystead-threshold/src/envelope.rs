//! A message as it travels: one signed document, which the wrong node cannot read.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Name};
use serde::{Deserialize, Serialize};

use crate::{MAX_PAYLOAD_BYTES, SessionId};

/// What a message is.
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
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What a node heard from each sender of the round before.
    Echo,
    /// A commitment to a polynomial, with a proof of knowledge.
    DealCommitment,
    /// One point of a polynomial, for its holder alone.
    DealShare,
    /// Commitments to signing nonces.
    NonceCommitment,
    /// A part of a signature.
    SignatureShare,
    /// A part of a lost share, for another helper.
    RepairDelta,
    /// A sum of such parts, for whoever lost the share.
    RepairSigma,
    /// A hash that binds a dealer before anybody opens.
    DealHash,
    /// The commitments, shares and seeds of a set-up of multiplications, to all.
    SetupOpen,
    /// The same, to one.
    SetupDirect,
    /// A commitment of signing, to one.
    MultiplyOffer,
    /// A multiplication's answer, to one.
    MultiplyAnswer,
}

/// A message and who it is from and for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The run.
    pub session: SessionId,
    /// The round: even ones are the protocol's, odd ones echoes.
    pub round: u8,
    /// Its kind.
    pub kind: Kind,
    /// For whom; none for all.
    pub to: Option<Name>,
    /// Its content.
    pub content: Content,
}

/// What is inside.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Content {
    /// For all to read.
    Open(Vec<u8>),
    /// For one (HPKE with X-Wing).
    Sealed {
        /// The X-Wing ciphertext, 1,120 bytes.
        encapsulated: Vec<u8>,
        /// The payload's ciphertext and its tag of 16 bytes.
        ciphertext: Vec<u8>,
    },
}

impl Canonical for Envelope {
    const DOMAIN: &'static str = "keystead/threshold-envelope/v1";
    const MAX_BYTES: usize = MAX_ENVELOPE_BYTES;
}

/// The longest envelope, in bytes.
pub const MAX_ENVELOPE_BYTES: usize = MAX_PAYLOAD_BYTES + 8 * 1024;
