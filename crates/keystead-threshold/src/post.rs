//! Between nodes: each message signed with the sender's hybrid key, each direct one readable by one node alone.

use std::collections::BTreeMap;

use borsh::BorshDeserialize;
use keystead_base::{Blame, Canonical, Coded, HybridPublicKey, HybridSigner, Name, Secret, Signed};
use keystead_keys::{ENCAPSULATED_BYTES, Encapsulated, Fill, RecipientKey, RecipientPublicKey, TAG_BYTES};

use crate::{Content, Delivery, Envelope, MAX_ENVELOPE_BYTES, Parcel, SessionId};

/// Bytes of a signer's name and its signature behind an envelope, at most.
const SIGNATURE_BYTES: usize = 4 * 1024;
/// What HPKE binds the ciphertext to, beside the envelope's place.
const INFO: &[u8] = Envelope::DOMAIN.as_bytes();

/// A node's own keys, and those of everybody it runs protocols with.
///
/// Whose the keys are, the caller knows from the signed roster.
pub struct Post {
    me: Name,
    signer: HybridSigner,
    recipient: RecipientKey,
    directory: BTreeMap<Name, Address>,
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
        Self { me, signer, recipient, directory }
    }

    /// Signs a message, and encrypts it if it is for one node.
    ///
    /// # Errors
    ///
    /// [`PostError`] when the addressee is unknown, or a library call fails.
    pub fn pack(&self, parcel: &Parcel, fill: Fill<'_>) -> Result<Vec<u8>, PostError> {
        let content = match &parcel.to {
            None => Content::Open(parcel.payload.expose().clone()),
            Some(to) => self.seal(parcel, to, fill)?,
        };
        let Parcel { session, round, kind, to, .. } = parcel;
        let body = Envelope { session: *session, round: *round, kind: *kind, to: to.clone(), content };
        let signed = Signed::new(body, self.me.clone(), &self.signer).map_err(|_| PostError::Library)?;
        borsh::to_vec(&signed).map_err(|_| PostError::Library)
    }

    /// Reads and verifies a message without decrypting it.
    ///
    /// # Errors
    ///
    /// [`PostError`] when it does not parse, or its signer's keys do not verify it.
    pub fn verify(&self, bytes: &[u8]) -> Result<Signed<Envelope>, PostError> {
        let signed = read(bytes)?;
        let from = self.address(&signed.signer)?;
        signed.verify(&from.signing).map_err(|_| PostError::Signature { from: signed.signer.clone() })?;
        Ok(signed)
    }

    /// Verifies a message and decrypts it.
    ///
    /// # Errors
    ///
    /// [`PostError`] as [`Self::verify`], and when it is for another node or does not decrypt; from there on the
    /// sender is the one that signed it.
    pub fn open(&self, bytes: &[u8]) -> Result<Delivery, PostError> {
        let Signed { body, signer: from, .. } = self.verify(bytes)?;
        let payload = match (&body.to, &body.content) {
            (None, Content::Open(payload)) => Secret::new(payload.clone()),
            (Some(to), Content::Sealed { encapsulated, ciphertext }) if *to == self.me => {
                let place = associated(body.session, body.round, &from, to);
                self.unseal(encapsulated, ciphertext, &place)
                    .ok_or(PostError::Sealed { from: from.clone(), session: body.session })?
            }
            (Some(to), _) if *to != self.me => return Err(PostError::Misrouted { to: to.clone() }),
            _ => return Err(PostError::Sealed { from, session: body.session }),
        };
        let Envelope { session, round, kind, to, .. } = body;
        Ok(Delivery { session, round, kind, from, to, payload })
    }

    /// The public keys of a node, if the directory has it.
    #[must_use]
    pub fn keys_of(&self, name: &Name) -> Option<&Address> {
        self.directory.get(name)
    }

    fn seal(&self, parcel: &Parcel, to: &Name, fill: Fill<'_>) -> Result<Content, PostError> {
        let address = self.address(to)?;
        let place = associated(parcel.session, parcel.round, &self.me, to);
        let mut bytes = Secret::new(parcel.payload.expose().clone());
        let sealed = address.recipient.seal(INFO, &place, bytes.expose_mut(), fill);
        let sealed = sealed.ok_or(PostError::Library)?;
        let ciphertext = [bytes.expose().as_slice(), &sealed.tag].concat();
        Ok(Content::Sealed { encapsulated: sealed.key.to_vec(), ciphertext })
    }

    fn unseal(&self, encapsulated: &[u8], ciphertext: &[u8], place: &[u8]) -> Option<Secret<Vec<u8>>> {
        let (content, tag) = ciphertext.split_at_checked(ciphertext.len().checked_sub(TAG_BYTES)?)?;
        let key: [u8; ENCAPSULATED_BYTES] = encapsulated.try_into().ok()?;
        let sealed = Encapsulated { key, tag: tag.try_into().ok()? };
        let mut payload = Secret::new(content.to_vec());
        self.recipient.open(INFO, &sealed, place, payload.expose_mut())?;
        Some(payload)
    }

    fn address(&self, name: &Name) -> Result<&Address, PostError> {
        self.keys_of(name).ok_or_else(|| PostError::Unknown { name: name.clone() })
    }
}

/// A message whose signature nobody has verified yet.
pub(crate) fn read(bytes: &[u8]) -> Result<Signed<Envelope>, PostError> {
    if bytes.len() > MAX_ENVELOPE_BYTES + SIGNATURE_BYTES {
        return Err(PostError::Malformed);
    }
    Signed::<Envelope>::try_from_slice(bytes).map_err(|_| PostError::Malformed)
}

/// The place of a direct message: a ciphertext that is moved elsewhere does not open.
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
    /// The bytes are no signed envelope; who sent them, only the connection knows.
    #[error("not a signed envelope")]
    Malformed,
    /// Somebody writes in a node's name.
    #[error("the signature of `{from}` does not verify")]
    Signature {
        /// Whose name it bears.
        from: Name,
    },
    /// Signed by that node, and not readable by this one.
    #[error("`{from}` sent something that this node cannot open")]
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
            Self::Sealed { .. } => "threshold_post.sealed",
            Self::Misrouted { .. } => "threshold_post.misrouted",
            Self::Library => "threshold_post.library",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Malformed | Self::Signature { .. } | Self::Sealed { .. } => Blame::Peer,
            Self::Unknown { .. } => Blame::Caller,
            Self::Misrouted { .. } | Self::Library => Blame::Environment,
        }
    }
}
