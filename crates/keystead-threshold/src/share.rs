//! One node's share of a key, and what everybody knows of all shares.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Name, Secret};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::{Abort, Begun, Holders, Scheme};

/// Bytes of a share: a scalar of the curve.
pub const SHARE_BYTES: usize = 32;

/// What is public of a shared key: each holder checks every other by it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicShares {
    /// Who holds, and the threshold.
    pub holders: Holders,
    /// The public key: 33 bytes compressed for secp256k1, 32 for Ed25519.
    pub key: Vec<u8>,
    /// The public side of each holder's share, in the holders' order.
    pub shares: Vec<Vec<u8>>,
}

/// A node's share: wiped when dropped, neither cloned nor shown.
///
/// ```compile_fail
/// fn twice(share: keystead_threshold::KeyShare) -> keystead_threshold::KeyShare {
///     share.clone()
/// }
/// ```
///
/// ```compile_fail
/// fn shown(share: &keystead_threshold::KeyShare) -> String {
///     format!("{share:?}")
/// }
/// ```
pub struct KeyShare {
    pub(crate) key: Name,
    pub(crate) scheme: Scheme,
    pub(crate) epoch: u32,
    pub(crate) me: Name,
    pub(crate) scalar: Secret<[u8; SHARE_BYTES]>,
    pub(crate) public: PublicShares,
}

impl KeyShare {
    /// Whose share it is.
    #[must_use]
    pub fn holder(&self) -> &Name {
        &self.me
    }

    /// The epoch: shares of two epochs do not combine.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// What everybody knows of it.
    #[must_use]
    pub fn public(&self) -> &PublicShares {
        &self.public
    }

    /// The key's name.
    #[must_use]
    pub fn key(&self) -> &Name {
        &self.key
    }

    /// The scalar itself, for nothing but an exit that was allowed (K4): whoever has as many as sign has the key.
    #[must_use]
    pub fn scalar_that_leaves(&self) -> &Secret<[u8; SHARE_BYTES]> {
        &self.scalar
    }

    /// Whether it is the share that a session is about.
    pub(crate) fn check(&self, begun: &Begun) -> Result<(), Abort> {
        let session = begun.session();
        // INVARIANT K3: a share of another epoch, or of other holders, takes no part.
        let fits = self.key == session.key
            && self.scheme == session.scheme
            && self.epoch == session.epoch
            && self.me == *begun.me()
            && self.public.holders == session.holders;
        if fits { Ok(()) } else { Err(begun.own_fault()) }
    }

    /// The bytes to be sealed in the enclave: a document of `keystead/threshold-share/v1`.
    #[must_use]
    pub fn to_secret(&self) -> Secret<Vec<u8>> {
        let stored = Stored {
            key: self.key.clone(),
            scheme: self.scheme,
            epoch: self.epoch,
            me: self.me.clone(),
            scalar: Zeroizing::new(*self.scalar.expose()),
            public: self.public.clone(),
        };
        Secret::new(stored.to_document())
    }

    /// The share of bytes that were sealed.
    #[must_use]
    pub fn from_secret(bytes: &Secret<Vec<u8>>) -> Option<Self> {
        let Stored { key, scheme, epoch, me, scalar, public } = Stored::from_document(bytes.expose()).ok()?;
        Some(Self { key, scheme, epoch, me, scalar: Secret::new(*scalar), public })
    }
}

/// A share at rest. The scalar is wiped with it.
pub(crate) struct Stored {
    pub(crate) key: Name,
    pub(crate) scheme: Scheme,
    pub(crate) epoch: u32,
    pub(crate) me: Name,
    pub(crate) scalar: Zeroizing<[u8; SHARE_BYTES]>,
    pub(crate) public: PublicShares,
}

impl Canonical for Stored {
    const DOMAIN: &'static str = "keystead/threshold-share/v1";
    const MAX_BYTES: usize = 16 * 1024;
}

impl BorshSerialize for Stored {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        BorshSerialize::serialize(&(&self.key, &self.scheme, &self.epoch, &self.me), writer)?;
        writer.write_all(self.scalar.as_slice())?;
        BorshSerialize::serialize(&self.public, writer)
    }
}

impl BorshDeserialize for Stored {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let (key, scheme, epoch, me) = BorshDeserialize::deserialize_reader(reader)?;
        let mut scalar = Zeroizing::new([0; SHARE_BYTES]);
        reader.read_exact(scalar.as_mut_slice())?;
        Ok(Self { key, scheme, epoch, me, scalar, public: PublicShares::deserialize_reader(reader)? })
    }
}

/// Copies a library's secret bytes into ours, and wipes theirs.
pub(crate) fn take_scalar(mut bytes: Vec<u8>) -> Option<Secret<[u8; SHARE_BYTES]>> {
    let scalar = <[u8; SHARE_BYTES]>::try_from(bytes.as_slice()).ok().map(Secret::new);
    bytes.zeroize();
    scalar
}
