//! The words of the FROST libraries and ours: identifiers, shares and public packages of a curve.

use std::collections::BTreeMap;

use frost_core::keys::{KeyPackage, PublicKeyPackage, SigningShare, VerifyingShare};
use frost_core::{Ciphersuite, Identifier, VerifyingKey};
use keystead_base::{Name, Secret};
use sha2::{Digest as _, Sha512};

use crate::share::{SHARE_BYTES, take_scalar};
use crate::{Holders, KeyShare, PublicShares, Scheme};

/// BIP-340 Schnorr signatures on secp256k1.
pub type Bip340 = frost_secp256k1_tr::Secp256K1Sha256TR;
/// Ed25519 signatures (RFC 8032).
pub type Ed25519 = frost_ed25519::Ed25519Sha512;

/// A curve and the signatures that FROST makes on it.
pub trait Suite: Ciphersuite {
    /// Its name in sessions and shares.
    const SCHEME: Scheme;

    /// Whether a scheme's shares are scalars of this curve.
    fn shares(scheme: Scheme) -> bool;
}

impl Suite for Bip340 {
    const SCHEME: Scheme = Scheme::Bip340Frost;

    fn shares(scheme: Scheme) -> bool {
        matches!(scheme, Scheme::Bip340Frost | Scheme::EcdsaDkls23)
    }
}

impl Suite for Ed25519 {
    const SCHEME: Scheme = Scheme::Ed25519Frost;

    fn shares(scheme: Scheme) -> bool {
        matches!(scheme, Scheme::Ed25519Frost)
    }
}

/// A holder's identifier on the curve: its share index.
pub(crate) fn identifier<C: Ciphersuite>(holders: &Holders, name: &Name) -> Option<Identifier<C>> {
    Identifier::try_from(u16::from(holders.index_of(name)?)).ok()
}

/// Everybody's identifier, in the holders' order.
pub(crate) fn identifiers<C: Ciphersuite>(holders: &Holders) -> Vec<Identifier<C>> {
    holders.members().iter().filter_map(|name| identifier(holders, name)).collect()
}

/// Whose identifier it is.
pub(crate) fn name_of<C: Ciphersuite>(holders: &Holders, id: &Identifier<C>) -> Option<Name> {
    holders.members().iter().find(|name| identifier::<C>(holders, name).as_ref() == Some(id)).cloned()
}

/// Whether bytes are the one encoding of what was read from them. Only for what is public.
pub(crate) fn is_canonical<E>(bytes: &[u8], again: Result<Vec<u8>, E>) -> bool {
    again.is_ok_and(|again| again == bytes)
}

impl PublicShares {
    /// What a library computed, in our order.
    pub(crate) fn from_package<C: Ciphersuite>(
        holders: &Holders,
        package: &PublicKeyPackage<C>,
    ) -> Option<Self> {
        let ids = identifiers::<C>(holders);
        let shares = ids.iter().map(|id| package.verifying_shares().get(id)?.serialize().ok());
        Some(Self {
            holders: holders.clone(),
            key: package.verifying_key().serialize().ok()?,
            shares: shares.collect::<Option<_>>()?,
        })
    }

    pub(crate) fn to_package<C: Ciphersuite>(&self) -> Option<PublicKeyPackage<C>> {
        let ids = identifiers::<C>(&self.holders);
        if ids.len() != self.shares.len() {
            return None;
        }
        let shares = ids.into_iter().zip(&self.shares);
        let shares: Option<BTreeMap<_, _>> =
            shares.map(|(id, bytes)| Some((id, VerifyingShare::deserialize(bytes).ok()?))).collect();
        let key = VerifyingKey::deserialize(&self.key).ok()?;
        Some(PublicKeyPackage::new(shares?, key, Some(u16::from(self.holders.threshold()))))
    }

    /// The public side of one holder's share.
    pub(crate) fn share_of(&self, name: &Name) -> Option<&[u8]> {
        self.shares.get(usize::from(self.holders.index_of(name)?).checked_sub(1)?).map(Vec::as_slice)
    }
}

impl KeyShare {
    pub(crate) fn signing_share<C: Ciphersuite>(&self) -> Option<SigningShare<C>> {
        SigningShare::deserialize(self.scalar.expose()).ok()
    }

    /// What the library signs with. It is wiped when it is dropped.
    pub(crate) fn to_key_package<C: Ciphersuite>(&self) -> Option<KeyPackage<C>> {
        let signing = self.signing_share::<C>()?;
        let id = identifier::<C>(&self.public.holders, &self.me)?;
        let key = VerifyingKey::deserialize(&self.public.key).ok()?;
        let threshold = u16::from(self.public.holders.threshold());
        Some(KeyPackage::new(id, signing, signing.into(), key, threshold))
    }
}

/// The public key of an Ed25519 scalar (RFC 8032, 5.1.5, step 4).
#[must_use]
pub fn ed25519_public(scalar: &Secret<[u8; SHARE_BYTES]>) -> Option<[u8; 32]> {
    let share = SigningShare::<Ed25519>::deserialize(scalar.expose()).ok()?;
    VerifyingShare::<Ed25519>::from(share).serialize().ok()?.try_into().ok()
}

/// The scalar that an Ed25519 seed signs with (RFC 8032, 5.1.5), to be imported. `None` for one seed in 2^252.
#[must_use]
pub fn ed25519_scalar(seed: &Secret<[u8; SHARE_BYTES]>) -> Option<Secret<[u8; SHARE_BYTES]>> {
    let mut hash = Secret::new([0; 64]);
    hash.expose_mut().copy_from_slice(&Sha512::digest(seed.expose()));
    let mut half = Secret::new([0; SHARE_BYTES]);
    half.expose_mut().iter_mut().zip(hash.expose()).for_each(|(to, from)| *to = *from);
    let [first, .., last] = half.expose_mut();
    *first &= 0b1111_1000;
    *last = (*last & 0b0111_1111) | 0b0100_0000;
    let scalar = frost_core::Scalar::<Ed25519>::from_bytes_mod_order(*half.expose());
    take_scalar(frost_core::SigningKey::<Ed25519>::from_scalar(scalar).ok()?.serialize())
}
