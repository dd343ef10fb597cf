//! The key at a path: shares shifted for one run, as a whole key's child and its taproot output would be.

use std::collections::BTreeMap;

use frost_core::keys::{KeyPackage, PublicKeyPackage, SigningShare, VerifyingShare};
use frost_core::{Ciphersuite, Element, Field as _, Group as _, Scalar, VerifyingKey};
use keystead_base::PublicAccount;
use sha2::{Digest as _, Sha256};

use crate::curve::{identifier, identifiers};
use crate::vss::{self, Scalars};
use crate::{KeyShare, Scheme, Suite};

/// What the library signs and verifies with at a path: of the key itself where it is empty; else, for BIP-340, of the
/// BIP-32 child, tweaked without scripts (BIP-341, BIP-86). None where a path leads nowhere, or the scheme has no children.
///
/// `chain_code` is that of an imported account; none where the key was born in shares.
pub(super) fn at<C: Suite>(
    share: &KeyShare,
    path: &[u32],
    chain_code: Option<[u8; 32]>,
) -> Option<(KeyPackage<C>, PublicKeyPackage<C>)> {
    if path.is_empty() {
        return Some((share.to_key_package::<C>()?, share.public().to_package::<C>()?));
    }
    let shift = Shift::<C>::of(share, path, chain_code)?;
    let (holders, threshold) = (&share.public.holders, u16::from(share.public.holders.threshold()));
    let key = VerifyingKey::new(shift.element(vss::element::<C>(&share.public.key)?));
    let ids = identifiers::<C>(holders).into_iter().zip(&share.public.shares);
    let shares = ids.map(|(id, it)| Some((id, VerifyingShare::new(shift.element(vss::element::<C>(it)?)))));
    let shares: BTreeMap<_, _> = shares.collect::<Option<_>>()?;
    let signing = SigningShare::new(shift.scalar(vss::scalar::<C>(&share.scalar)?));
    let id = identifier::<C>(holders, &share.me)?;
    let own = KeyPackage::new(id, signing, *shares.get(&id)?, key, threshold);
    Some((own, PublicKeyPackage::new(shares, key, Some(threshold))))
}

/// What is done to the key, and so to each share: all are values of one polynomial, whose constant alone it moves.
struct Shift<C: Ciphersuite> {
    /// The steps of the path.
    child: Scalar<C>,
    /// Whether the child's point is the odd one of two, whose secret counts negative (BIP-340).
    negated: bool,
    /// The tweak of the output key.
    output: Scalar<C>,
}

impl<C: Suite> Shift<C> {
    fn of(share: &KeyShare, path: &[u32], chain_code: Option<[u8; 32]>) -> Option<Self> {
        if C::SCHEME != Scheme::Bip340Frost || share.scheme != Scheme::Bip340Frost {
            return None;
        }
        let compressed = <[u8; 33]>::try_from(share.public.key.as_slice()).ok()?;
        let account = match chain_code {
            Some(chain_code) => PublicAccount::taproot(compressed, chain_code),
            None => PublicAccount::bip340(compressed),
        };
        let mut child = Scalars::<C>::zero();
        for tweak in account.tweaks(path)? {
            child = child + public_scalar::<C>(&tweak)?;
        }
        let key = vss::element::<C>(&share.public.key)? + C::Group::generator() * child;
        let bytes = vss::element_bytes::<C>(key)?;
        let (parity, x) = bytes.split_first()?;
        Some(Self { child, negated: *parity == ODD, output: public_scalar::<C>(&tap_tweak(x))? })
    }

    fn scalar(&self, share: Scalar<C>) -> Scalar<C> {
        let child = share + self.child;
        let even = if self.negated { Scalars::<C>::zero() - child } else { child };
        even + self.output
    }

    fn element(&self, share: Element<C>) -> Element<C> {
        let child = share + C::Group::generator() * self.child;
        let even = if self.negated { C::Group::identity() - child } else { child };
        even + C::Group::generator() * self.output
    }
}

fn public_scalar<C: Ciphersuite>(bytes: &[u8]) -> Option<Scalar<C>> {
    SigningShare::<C>::deserialize(bytes).ok().map(|it| it.to_scalar())
}

/// BIP-341, "Taproot key path": no script is committed to.
fn tap_tweak(x: &[u8]) -> [u8; 32] {
    let tag = Sha256::digest(b"TapTweak");
    Sha256::new().chain_update(tag).chain_update(tag).chain_update(x).finalize().into()
}

/// The first byte of a compressed point whose y is odd.
const ODD: u8 = 0x03;
