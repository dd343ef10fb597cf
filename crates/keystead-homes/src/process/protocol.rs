//! What passes between a home's process and the one that started it: two ends of one program, on a stream without a name.
//! Nothing of it is kept, hashed or signed.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Digest;

use crate::{Abilities, HomeError, Label, Parcel, PublicKey, Receiver, Scheme, Signature};

/// One call of [`crate::Home`].
#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) enum HomeRequest {
    Abilities,
    Generate { label: Label, scheme: Scheme, to_send: bool },
    Import { label: Label, scheme: Scheme, secret: Vec<u8> },
    Public { label: Label },
    SignDigest { label: Label, digest: Digest },
    SignMessage { label: Label, message: Vec<u8> },
    Destroy { label: Label },
    MakeWrapping { label: Label },
    Wrap { label: Label, bound: Vec<u8>, secret: Vec<u8> },
    Unwrap { label: Label, bound: Vec<u8>, wrapped: Vec<u8> },
    Random { count: u32 },
    Receiver,
    Send { label: Label, to: Receiver },
    Receive { label: Label, public: PublicKey, parcel: Parcel },
    Stay { label: Label },
}

/// Its answer.
#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) enum HomeReply {
    Abilities(Abilities),
    Public(PublicKey),
    Signature(Signature),
    Octets(Vec<u8>),
    Receiver(Receiver),
    Parcel(Parcel),
    Done,
    Failed(HomeError),
}

impl HomeReply {
    pub(crate) fn of<T>(result: Result<T, HomeError>, done: impl FnOnce(T) -> Self) -> Self {
        result.map_or_else(Self::Failed, done)
    }
}
