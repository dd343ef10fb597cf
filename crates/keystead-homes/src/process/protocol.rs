//! What passes between a home's process and the one that started it: two ends of one program, on a stream without a name.
//! Nothing of it is kept, hashed or signed.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Digest, Secret};

use crate::{Abilities, HomeError, Label, Parcel, PublicKey, Receiver, Scheme, Signature, Testimony};

/// One call of [`crate::Home`].
#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) enum HomeRequest {
    Abilities,
    Generate { label: Label, scheme: Scheme, to_send: bool },
    Import { label: Label, scheme: Scheme, secret: Octets },
    Public { label: Label },
    SignDigest { label: Label, digest: Digest },
    SignMessage { label: Label, message: Vec<u8> },
    Destroy { label: Label },
    MakeWrapping { label: Label },
    Wrap { label: Label, bound: Vec<u8>, secret: Octets },
    Unwrap { label: Label, bound: Vec<u8>, wrapped: Vec<u8> },
    Random { count: u32 },
    Receiver,
    Send { label: Label, to: Receiver },
    Receive { label: Label, public: PublicKey, parcel: Parcel },
    Stay { label: Label },
    Testify { label: Label },
}

impl HomeRequest {
    /// For how many more spells it is waited: nobody waits for a signature that long, and small tokens make RSA keys slowly.
    pub(crate) fn patience(&self) -> u32 {
        match self {
            Self::Receiver => 9,
            _ => 0,
        }
    }
}

/// Its answer.
#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) enum HomeReply {
    Abilities(Abilities),
    Public(PublicKey),
    Signature(Signature),
    Octets(Octets),
    Receiver(Receiver),
    Parcel(Parcel),
    Testimony(Testimony),
    Done,
    Failed(HomeError),
}

/// Bytes that may be secret: wiped wherever a message with them ends (K5).
pub(crate) struct Octets(pub(crate) Secret<Vec<u8>>);

impl Octets {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Secret::new(bytes))
    }
}

impl BorshSerialize for Octets {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        self.0.expose().serialize(writer)
    }
}

impl BorshDeserialize for Octets {
    /// What is as short as a frame is read into memory of its length, which does not grow on the way.
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        Vec::deserialize_reader(reader).map(Self::new)
    }
}

impl HomeReply {
    pub(crate) fn of<T>(result: Result<T, HomeError>, done: impl FnOnce(T) -> Self) -> Self {
        result.map_or_else(Self::Failed, done)
    }
}
