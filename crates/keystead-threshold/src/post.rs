//! Between nodes: what is said to several is signed with the sender's hybrid key, what is said to one is a letter in a channel
//! that the sender signed for.

use std::collections::BTreeMap;

use keystead_base::{Blame, Canonical, Coded, HybridPublicKey, HybridSigner, Name, Secret, Signed};
use keystead_keys::{Fill, RecipientKey, RecipientPublicKey};

use crate::channel::{Channel, Channels, Letter, SALT_BYTES};
use crate::{Delivery, Envelope, Message, Parcel, SessionId};

/// A node's own keys, those of everybody it runs protocols with, and its channels with them.
///
/// Whose the keys are, the caller knows from the signed roster.
pub struct Post {
    me: Name,
    signer: HybridSigner,
    recipient: RecipientKey,
    directory: BTreeMap<Name, Address>,
    channels: Channels,
}

/// The public keys of a node.
#[derive(Clone, Debug)]
pub struct Address {
    /// Verifies what it says.
    pub signing: HybridPublicKey,
    /// Encrypts to it.
    pub recipient: RecipientPublicKey,
}

impl Post {
    /// The post of a node.
    #[must_use]
    pub fn new(
        me: Name,
        signer: HybridSigner,
        recipient: RecipientKey,
        directory: BTreeMap<Name, Address>,
    ) -> Self {
        Self { me, signer, recipient, directory, channels: Channels::default() }
    }

    /// What a message is, in bytes, for each node that it goes to; `others` take part beside this one. What is for one node, or for
    /// all where one other takes part, is encrypted for it; what several are told is signed.
    ///
    /// # Errors
    ///
    /// [`PostError`] when an addressee is unknown, or a library call fails.
    pub fn pack(
        &self,
        parcel: &Parcel,
        others: &[Name],
        fill: Fill<'_>,
    ) -> Result<Vec<(Name, Vec<u8>)>, PostError> {
        match (&parcel.to, others) {
            (Some(to), _) => Ok(vec![(to.clone(), self.write(parcel, to, fill)?)]),
            (None, [only]) => Ok(vec![(only.clone(), self.write(parcel, only, fill)?)]),
            (None, several) => {
                let bytes = self.sign(parcel)?;
                Ok(several.iter().map(|to| (to.clone(), bytes.clone())).collect())
            }
        }
    }

    /// Signs what is said to all.
    ///
    /// # Errors
    ///
    /// [`PostError`] when a library call fails.
    pub fn sign(&self, parcel: &Parcel) -> Result<Vec<u8>, PostError> {
        let Parcel { session, round, kind, payload, .. } = parcel;
        let body =
            Envelope { session: *session, round: *round, kind: *kind, payload: payload.expose().clone() };
        let signed = Signed::new(body, self.me.clone(), &self.signer).map_err(|_| PostError::Library)?;
        Message::Broadcast(signed).to_bytes()
    }

    fn write(&self, parcel: &Parcel, to: &Name, fill: Fill<'_>) -> Result<Vec<u8>, PostError> {
        let mut salt = [0; SALT_BYTES];
        fill(&mut salt);
        let Parcel { session, round, kind, .. } = *parcel;
        let (address, to_all) = (self.address(to)?, parcel.to.is_none());
        let blank = |channel: Signed<Channel>| {
            let ciphertext = Vec::new();
            Letter { channel, session, round, kind, to_all, salt, ciphertext }
        };
        let me = (&self.me, &self.signer);
        let letter = self.channels.write(me, (to, address), blank, &parcel.payload, fill)?;
        Message::Letter(Box::new(letter)).to_bytes()
    }

    /// Verifies a message of a run in which these others take part, and decrypts it where it is a letter.
    ///
    /// # Errors
    ///
    /// [`PostError`] when it does not parse, its sender's keys do not verify it, it is for another node, or it does not
    /// decrypt. None of them names a node for certain: whoever carries messages can make each of them.
    pub fn open(&self, bytes: &[u8], others: &[Name]) -> Result<Delivery, PostError> {
        match Message::read(bytes)? {
            Message::Broadcast(signed) => self.verified(signed),
            Message::Letter(letter) => self.opened(*letter, others),
        }
    }

    fn verified(&self, signed: Signed<Envelope>) -> Result<Delivery, PostError> {
        let address = self.address(&signed.signer)?;
        signed.verify(&address.signing).map_err(|_| PostError::Signature { from: signed.signer.clone() })?;
        let Signed { body: Envelope { session, round, kind, payload }, signer: from, .. } = signed;
        Ok(Delivery { session, round, kind, from, to: None, payload: Secret::new(payload) })
    }

    fn opened(&self, letter: Letter, others: &[Name]) -> Result<Delivery, PostError> {
        let from = self.address(&letter.channel.signer)?;
        let to = &letter.channel.body.to;
        if *to != self.me {
            return Err(PostError::Misrouted { to: to.clone() });
        }
        let payload = self.channels.read(&letter, from, &self.recipient)?;
        let Letter { channel: Signed { body, signer: from, .. }, session, round, kind, to_all, .. } = letter;
        // INVARIANT K6: what several are told is signed, so that it can be shown. A letter is said to this node, whatever it says.
        let is_broadcast = to_all && others.len() == 1;
        Ok(Delivery { session, round, kind, from, to: (!is_broadcast).then_some(body.to), payload })
    }

    /// The public keys of a node, if the directory has it.
    #[must_use]
    pub fn keys_of(&self, name: &Name) -> Option<&Address> {
        self.directory.get(name)
    }

    fn address(&self, name: &Name) -> Result<&Address, PostError> {
        self.keys_of(name).ok_or_else(|| PostError::Unknown { name: name.clone() })
    }
}

/// The place of a point that was dealt: a ciphertext that is moved elsewhere does not open.
pub(crate) fn associated(session: SessionId, round: u8, from: &Name, to: &Name) -> Vec<u8> {
    Place { session, round, from: from.clone(), to: to.clone() }.to_document()
}

#[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
struct Place {
    session: SessionId,
    round: u8,
    from: Name,
    to: Name,
}

impl Canonical for Place {
    const DOMAIN: &'static str = "keystead/threshold-place/v1";
}

/// Why a message is not sent, or not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// The roster does not know that node.
    #[error("`{name}` is not in the directory")]
    Unknown {
        /// The node.
        name: Name,
    },
    /// The bytes are no message; who sent them, only the connection knows.
    #[error("not a message of a run")]
    Malformed,
    /// Somebody writes in a node's name.
    #[error("the signature of `{from}` does not verify")]
    Signature {
        /// Whose name it bears.
        from: Name,
    },
    /// In that node's channel, and not what it wrote there, or not in its place. Whoever carries letters can do that.
    #[error("a letter in the channel of `{from}` does not open")]
    Altered {
        /// Whose channel it is.
        from: Name,
    },
    /// Signed by that node, and not readable by this one: sealed wrongly, or for a key that this node had in an earlier seat. A channel is
    /// signed for no run, so that whoever keeps it can bring it into any.
    #[error("`{from}` opened a channel that this node cannot read")]
    Sealed {
        /// Who signed it.
        from: Name,
        /// The run that it names.
        session: SessionId,
    },
    /// Meant for another node. That is the carrier's doing, not the sender's.
    #[error("a message for `{to}`")]
    Misrouted {
        /// For whom it is.
        to: Name,
    },
    /// A library call failed on our side.
    #[error("a message could not be signed or encrypted")]
    Library,
}

impl Coded for PostError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "threshold_post.unknown",
            Self::Malformed => "threshold_post.malformed",
            Self::Signature { .. } => "threshold_post.signature",
            Self::Altered { .. } => "threshold_post.altered",
            Self::Sealed { .. } => "threshold_post.sealed",
            Self::Misrouted { .. } => "threshold_post.misrouted",
            Self::Library => "threshold_post.library",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Malformed | Self::Signature { .. } | Self::Sealed { .. } | Self::Altered { .. } => {
                Blame::Peer
            }
            Self::Unknown { .. } => Blame::Caller,
            Self::Misrouted { .. } | Self::Library => Blame::Environment,
        }
    }
}
