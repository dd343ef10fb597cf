//! The one trait of all homes, and the values that pass through it.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Digest, Secret};

use crate::HomeError;

/// The most bytes of a label: what every token takes.
pub const MAX_LABEL_BYTES: usize = 128;

/// The longest secret that a home's wrapping key encrypts.
pub const MAX_WRAPPED_BYTES: usize = 4096;

/// Where whole keys live. Calls block, and may come from many threads at once.
pub trait Home: Send + Sync {
    /// What people call it.
    fn name(&self) -> String;

    /// What it can do, asked of its backing each time.
    ///
    /// # Errors
    ///
    /// [`HomeError`]; so of every method here.
    fn abilities(&self) -> Result<Abilities, HomeError>;

    /// Makes a key that never leaves.
    fn generate(&self, label: &Label, scheme: Scheme) -> Result<PublicKey, HomeError>;

    /// Takes a key over that was born elsewhere: its scalar, or its seed (Ed25519).
    fn import(
        &self,
        label: &Label,
        scheme: Scheme,
        secret: &Secret<[u8; 32]>,
    ) -> Result<PublicKey, HomeError>;

    /// The public side of a key.
    fn public(&self, label: &Label) -> Result<PublicKey, HomeError>;

    /// Signs. INVARIANT S7: what is returned was verified with the key's public side, in the one form that chains take.
    fn sign(&self, label: &Label, what: ToSign<'_>) -> Result<Signature, HomeError>;

    /// Wipes a key, or a wrapping key.
    fn destroy(&self, label: &Label) -> Result<(), HomeError>;

    /// Makes an AES-256 key that never leaves and encrypts other secrets.
    fn make_wrapping(&self, label: &Label) -> Result<(), HomeError>;

    /// Encrypts a secret (AES-256-GCM) for the very `bound` that it is opened with.
    fn wrap(&self, label: &Label, bound: &[u8], secret: &Secret<Vec<u8>>) -> Result<Vec<u8>, HomeError>;

    /// Decrypts what [`Self::wrap`] made.
    fn unwrap(&self, label: &Label, bound: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, HomeError>;

    /// Fills `out` from the home's own generator: raw samples for whoever tests and mixes them.
    fn random(&self, out: &mut [u8]) -> Result<(), HomeError>;

    /// Makes a key that can still be sent to other homes of its kind, until [`Self::stay`].
    fn generate_to_send(&self, _label: &Label, _scheme: Scheme) -> Result<PublicKey, HomeError> {
        Err(HomeError::cannot(self.name(), "send keys to others of its kind"))
    }

    /// Makes a one-time key that keys can be sent to.
    fn receiver(&self) -> Result<Receiver, HomeError> {
        Err(HomeError::cannot(self.name(), "receive keys of others of its kind"))
    }

    /// Encrypts a key to another home's [`Receiver`], inside; nothing of it is seen in the clear here.
    fn send(&self, _label: &Label, _to: &Receiver) -> Result<Parcel, HomeError> {
        Err(HomeError::cannot(self.name(), "send keys to others of its kind"))
    }

    /// Takes over what was sent to this home's [`Receiver`]. From then on the key never leaves.
    fn receive(&self, _label: &Label, _public: &PublicKey, _parcel: &Parcel) -> Result<(), HomeError> {
        Err(HomeError::cannot(self.name(), "receive keys of others of its kind"))
    }

    /// From now on the key never leaves.
    fn stay(&self, _label: &Label) -> Result<(), HomeError> {
        Err(HomeError::cannot(self.name(), "send keys to others of its kind"))
    }

    /// What the home says of itself, and of a key that was born in it and never left: one that came, or could leave once, is
    /// [`HomeError::Foreign`]. The key has signed before this returns.
    fn testify(&self, _label: &Label) -> Result<Testimony, HomeError> {
        Err(HomeError::cannot(self.name(), "say which device it is"))
    }
}

/// Which device a home says that it is. Its module says it, and nobody signs it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Testimony {
    /// Who made it, without the blanks that PKCS#11 pads with; so of the others.
    pub manufacturer: String,
    /// What its maker calls it.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// Whether its slot says that hardware is behind it (`CKF_HW_SLOT`).
    pub hardware: bool,
    /// The key's public side.
    pub public: PublicKey,
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub enum Scheme {
    /// ECDSA on secp256k1: Ethereum and Bitcoin.
    EcdsaSecp256k1,
    /// ECDSA on NIST P-256 (FIPS 186-5).
    EcdsaP256,
    /// Ed25519 (RFC 8032).
    Ed25519,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::EcdsaSecp256k1, Self::EcdsaP256, Self::Ed25519];

    /// The scheme's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EcdsaSecp256k1 => "ecdsa-secp256k1",
            Self::EcdsaP256 => "ecdsa-p256",
            Self::Ed25519 => "ed25519",
        }
    }
}

impl std::fmt::Display for Scheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a home can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Abilities {
    /// What its keys sign, ascending.
    pub schemes: Vec<Scheme>,
    /// Whether it has an AES key that encrypts other secrets.
    pub wraps: bool,
    /// Whether it gives random bytes.
    pub random: bool,
    /// Whether keys can be sent between homes of its kind without being seen.
    pub sends: bool,
    /// Whether it lists its vendor's mechanisms for BIP-32 (Thales: 0x80000E00 and 0x80000E01).
    pub bip32: bool,
}

impl Abilities {
    /// What all of two homes can do.
    #[must_use]
    pub fn common(mut self, other: &Self) -> Self {
        self.schemes.retain(|it| other.schemes.contains(it));
        self.wraps &= other.wraps;
        self.random &= other.random;
        self.sends &= other.sends;
        self.bip32 &= other.bip32;
        self
    }
}

/// Under what name a home knows a key: printable ASCII without spaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
pub struct Label(String);

impl Label {
    /// Reads a label.
    ///
    /// # Errors
    ///
    /// [`HomeError::Label`] when it is empty, too long, or has other characters.
    pub fn new(text: &str) -> Result<Self, HomeError> {
        let good =
            !text.is_empty() && text.len() <= MAX_LABEL_BYTES && text.bytes().all(|it| it.is_ascii_graphic());
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(HomeError::Label { found: u32::try_from(text.len()).unwrap_or(u32::MAX) })
        }
    }

    /// The label.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl BorshDeserialize for Label {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let text = String::deserialize_reader(reader)?;
        Self::new(&text)
            .map_err(|error| borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, error.to_string()))
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// The public side of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct PublicKey {
    /// What its key signs.
    pub scheme: Scheme,
    /// secp256k1: a compressed point (SEC 1, 2.3.3), 33 bytes. P-256: an uncompressed one, 65 bytes. Ed25519: 32 bytes (RFC 8032).
    pub bytes: Vec<u8>,
}

/// What is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToSign<'a> {
    /// For ECDSA: a digest that the caller computed from what it verified.
    Digest(&'a Digest),
    /// For Ed25519: a message.
    Message(&'a [u8]),
}

/// A verified signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Signature {
    /// ECDSA: `r ‖ s`, big-endian, s in the lower half. Ed25519: `R ‖ S`.
    pub bytes: [u8; 64],
    /// On secp256k1: 0 or 1, which of the two points with this `r` it was.
    pub recovery: Option<u8>,
}

/// The one-time RSA key of a home that keys can be sent to.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Receiver {
    /// The modulus, big-endian.
    pub modulus: Vec<u8>,
    /// The exponent, big-endian.
    pub exponent: Vec<u8>,
}

/// A key on its way between two homes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Parcel {
    /// An AES-256 key, RSA-OAEP to the receiver.
    pub wrapping: Vec<u8>,
    /// The key as PKCS#8 under that AES key (RFC 5649).
    pub wrapped: Vec<u8>,
}
