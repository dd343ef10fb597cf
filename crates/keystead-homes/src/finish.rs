//! What a home made becomes a signature: low s, with the recovery id, and verified (S7).

use aws_lc_rs::digest::{Digest as Hashed, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use keystead_base::Digest;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId, Signature as Ecdsa};
use secp256k1::{Message, Secp256k1};

use crate::{HomeError, PublicKey, Scheme, Signature, ToSign};

/// Brings 64 raw bytes into the one form that chains take.
///
/// INVARIANT S7: none leaves that does not verify with `public` over `what`, whichever home made it.
///
/// # Errors
///
/// [`HomeError::Unverified`], and [`HomeError::Form`] where a key of `public` does not sign such a thing.
pub fn finish(home: &str, public: &PublicKey, what: ToSign<'_>, raw: &[u8]) -> Result<Signature, HomeError> {
    let raw: [u8; 64] = raw.try_into().map_err(|_| unverified(home))?;
    let finished = match (public.scheme, what) {
        (Scheme::EcdsaSecp256k1, ToSign::Digest(digest)) => secp256k1(public, digest, &raw),
        (Scheme::EcdsaP256, ToSign::Digest(digest)) => p256(public, digest, raw),
        (Scheme::Ed25519, ToSign::Message(message)) => {
            let key = UnparsedPublicKey::new(&ED25519, &public.bytes);
            key.verify(message, &raw).ok().map(|()| Signature { bytes: raw, recovery: None })
        }
        (scheme, _) => return Err(form(scheme)),
    };
    finished.ok_or_else(|| unverified(home))
}

/// Refuses what a key of this scheme does not sign, before anybody is asked.
pub(crate) fn fits(scheme: Scheme, what: ToSign<'_>) -> Result<(), HomeError> {
    match (scheme, what) {
        (Scheme::EcdsaSecp256k1 | Scheme::EcdsaP256, ToSign::Digest(_))
        | (Scheme::Ed25519, ToSign::Message(_)) => Ok(()),
        _ => Err(form(scheme)),
    }
}

fn form(scheme: Scheme) -> HomeError {
    let expected = match scheme {
        Scheme::EcdsaSecp256k1 | Scheme::EcdsaP256 => "a digest of 32 bytes",
        Scheme::Ed25519 => "a message",
    };
    HomeError::Form { scheme, expected: expected.to_owned() }
}

fn unverified(home: &str) -> HomeError {
    HomeError::Unverified { home: home.to_owned() }
}

/// Recovering the signer and finding `public` is the same equation as verifying, and finds the recovery id too. An `r` at or
/// above the group's order, which Ethereum has no way to write, is not found.
fn secp256k1(public: &PublicKey, digest: &Digest, raw: &[u8; 64]) -> Option<Signature> {
    let key = secp256k1::PublicKey::from_slice(&public.bytes).ok()?;
    let mut signature = Ecdsa::from_compact(raw).ok()?;
    signature.normalize_s();
    let (bytes, message) = (signature.serialize_compact(), Message::from_digest(digest.0));
    let context = Secp256k1::verification_only();
    [0, 1].into_iter().find_map(|id| {
        let parity = RecoveryId::try_from(i32::from(id)).ok()?;
        let recoverable = RecoverableSignature::from_compact(&bytes, parity).ok()?;
        let found = context.recover_ecdsa(message, &recoverable).ok()?;
        (found == key).then_some(Signature { bytes, recovery: Some(id) })
    })
}

fn p256(public: &PublicKey, digest: &Digest, mut raw: [u8; 64]) -> Option<Signature> {
    let (_, s) = raw.split_at_mut(32);
    if *s > *P256_HALF_ORDER.as_slice() {
        let other = minus(&P256_ORDER, s)?;
        s.copy_from_slice(&other);
    }
    let hashed = Hashed::import_less_safe(&digest.0, &SHA256).ok()?;
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public.bytes);
    key.verify_digest(&hashed, &raw).ok().map(|()| Signature { bytes: raw, recovery: None })
}

/// `order − s`, big-endian; none where s is larger. Signatures are public: no need to be constant-time.
fn minus(order: &[u8; 32], s: &[u8]) -> Option<[u8; 32]> {
    let (mut out, mut borrow) = (*order, false);
    for (digit, subtrahend) in out.iter_mut().rev().zip(s.iter().rev()) {
        let (first, one) = digit.overflowing_sub(*subtrahend);
        let (second, two) = first.overflowing_sub(u8::from(borrow));
        (*digit, borrow) = (second, one || two);
    }
    (!borrow).then_some(out)
}

/// The order of P-256 (SEC 2, 2.4.2), and half of it.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
const P256_HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xde,
    0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
];

#[cfg(test)]
mod tests {
    use keystead_base::Secret;

    use super::*;
    use crate::{Home as _, Label, SoftwareHome};

    /// Both halves of s come out as the lower one, with the id that recovers the key; a flipped bit never comes out.
    #[test]
    fn s07_high_s_is_brought_down_and_a_flipped_bit_is_refused() {
        let home = SoftwareHome::new("software");
        for scheme in Scheme::ALL {
            let label = Label::new(scheme.as_str()).unwrap();
            let public = home.import(&label, scheme, &Secret::new([7; 32])).unwrap();
            let (digest, message) = (Digest([3; 32]), b"a message".as_slice());
            let what =
                if scheme == Scheme::Ed25519 { ToSign::Message(message) } else { ToSign::Digest(&digest) };
            let signature = home.sign(&label, what).unwrap();
            let order = match scheme {
                Scheme::EcdsaSecp256k1 => Some(secp256k1::constants::CURVE_ORDER),
                Scheme::EcdsaP256 => Some(P256_ORDER),
                Scheme::Ed25519 => None,
            };
            if let Some(order) = order {
                let mut high = signature.bytes;
                high[32..].copy_from_slice(&minus(&order, &signature.bytes[32..]).unwrap());
                assert_ne!(high, signature.bytes);
                let low = finish("home", &public, what, &high).unwrap();
                assert_eq!(low.bytes, signature.bytes);
                assert_eq!(low.recovery.is_some(), scheme == Scheme::EcdsaSecp256k1);
            }
            for bit in 0..512 {
                let mut flipped = signature.bytes;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(finish("home", &public, what, &flipped).is_err(), "{scheme}: bit {bit}");
            }
            assert!(finish("home", &public, what, &signature.bytes[..63]).is_err());
        }
    }
}
