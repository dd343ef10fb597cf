//! A message as it travels: signed where several are told it, a letter where one is.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Name, Signed};
use serde::{Deserialize, Serialize};

use crate::{Letter, MAX_PAYLOAD_BYTES, PostError, SessionId};

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

/// A message to all, which its sender signs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The run.
    pub session: SessionId,
    /// The round: even ones are the protocol's, odd ones echoes.
    pub round: u8,
    /// Its kind.
    pub kind: Kind,
    /// Its content.
    pub payload: Vec<u8>,
}

impl Canonical for Envelope {
    const DOMAIN: &'static str = "keystead/threshold-envelope/v2";
    const MAX_BYTES: usize = MAX_ENVELOPE_BYTES;
}

/// The longest envelope, in bytes.
pub const MAX_ENVELOPE_BYTES: usize = MAX_PAYLOAD_BYTES + 8 * 1024;

/// What travels between two nodes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Message {
    /// To all, where more than two take part: what one says that it heard, another can be shown.
    Broadcast(Signed<Envelope>),
    /// To one, for whom it is encrypted.
    Letter(Box<Letter>),
}

impl Message {
    /// A message of which nothing is believed yet.
    ///
    /// # Errors
    ///
    /// [`PostError::Malformed`] when it is too long, or none.
    pub fn read(bytes: &[u8]) -> Result<Self, PostError> {
        if bytes.len() > MAX_MESSAGE_FRAME_BYTES {
            return Err(PostError::Malformed);
        }
        Self::try_from_slice(bytes).map_err(|_| PostError::Malformed)
    }

    /// Its bytes.
    ///
    /// # Errors
    ///
    /// [`PostError::Library`] when it does not encode.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PostError> {
        borsh::to_vec(self).map_err(|_| PostError::Library)
    }

    /// The run that it names.
    #[must_use]
    pub fn session(&self) -> SessionId {
        match self {
            Self::Broadcast(signed) => signed.body.session,
            Self::Letter(letter) => letter.session,
        }
    }

    /// The round that it names.
    #[must_use]
    pub fn round(&self) -> u8 {
        match self {
            Self::Broadcast(signed) => signed.body.round,
            Self::Letter(letter) => letter.round,
        }
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Broadcast(signed) => signed.body.kind,
            Self::Letter(letter) => letter.kind,
        }
    }

    /// In whose name it comes.
    #[must_use]
    pub fn sender(&self) -> &Name {
        match self {
            Self::Broadcast(signed) => &signed.signer,
            Self::Letter(letter) => &letter.channel.signer,
        }
    }
}

/// The longest message: an envelope, or a letter's content behind its channel, with a name and a hybrid signature.
const MAX_MESSAGE_FRAME_BYTES: usize = MAX_ENVELOPE_BYTES + 8 * 1024;
