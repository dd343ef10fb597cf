//! Signatures of Bitcoin inputs: ECDSA in DER, or Schnorr by the tweaked key (BIP-340, 341), each verified before it is let
//! go (S7).

use keystead_base::Secret;
use keystead_bitcoin::{DerivedKey, InputSignature, Scheme, Sighash, SigningDigest, tap_tweak};
use secp256k1::{Keypair, Message, Scalar, SecretKey};

use super::{Curve, CurveError};
use crate::{EnclaveControls, Struck};

impl<C: EnclaveControls> Curve<C> {
    /// Signs an input, and checks the signature by the code that every other node checks it with before anybody sees it.
    /// Beside it the half that must never repeat.
    ///
    /// INVARIANT S7: a fault in the computation does not leave the process.
    pub(crate) fn sign_input(
        &self,
        scalar: &Secret<[u8; 32]>,
        key: &DerivedKey,
        digest: &SigningDigest,
        aux: &Secret<[u8; 32]>,
    ) -> Result<(InputSignature, [u8; 32]), CurveError> {
        let mut secret = self.scalar(scalar)?;
        let signed = match digest.scheme {
            Scheme::Ecdsa => Ok(self.ecdsa(&secret, digest)),
            Scheme::Schnorr => {
                let tweak = self.struck(Struck::Tweak, tap_tweak(key.x_only()));
                self.schnorr(&secret, digest, tweak, aux)
            }
        };
        secret.non_secure_erase();
        let (mut bytes, r) = signed?;
        self.1.strike(Struck::Signature, &mut bytes);
        let signature = InputSignature { input: digest.input, key: key.public, bytes };
        digest.verify(&signature).map_err(|_| CurveError::Unverified)?;
        Ok((signature, r))
    }

    /// Deterministic (RFC 6979), low s, in DER, with the byte that says that everything is covered.
    fn ecdsa(&self, secret: &SecretKey, digest: &SigningDigest) -> (Vec<u8>, [u8; 32]) {
        let signature =
            self.0.sign_ecdsa(Message::from_digest(self.struck(Struck::Digest, digest.digest.0)), secret);
        let bytes = [signature.serialize_der().as_ref(), &[SIGHASH_ALL]].concat();
        (bytes, first_half(&signature.serialize_compact()))
    }

    /// The nonce is that of BIP-340: of key, digest and fresh randomness together.
    pub(crate) fn schnorr(
        &self,
        secret: &SecretKey,
        digest: &SigningDigest,
        tweak: [u8; 32],
        aux: &Secret<[u8; 32]>,
    ) -> Result<(Vec<u8>, [u8; 32]), CurveError> {
        let tweak = Scalar::from_be_bytes(tweak).map_err(|_| CurveError::Scalar)?;
        let mut internal = Keypair::from_secret_key(&self.0, secret);
        let tweaked = internal.add_xonly_tweak(&self.0, &tweak);
        internal.non_secure_erase();
        let mut pair = tweaked.map_err(|_| CurveError::Scalar)?;
        let signature = self.0.sign_schnorr_with_aux_rand(
            &self.struck(Struck::Digest, digest.digest.0),
            &pair,
            aux.expose(),
        );
        pair.non_secure_erase();
        let signature = signature.to_byte_array();
        let bytes = match digest.sighash {
            Sighash::Default => signature.to_vec(),
            Sighash::All => [&signature[..], &[SIGHASH_ALL]].concat(),
        };
        Ok((bytes, first_half(&signature)))
    }
}

fn first_half(signature: &[u8; 64]) -> [u8; 32] {
    let mut half = [0; 32];
    half.iter_mut().zip(signature).for_each(|(to, from)| *to = *from);
    half
}

/// Everything is covered.
pub(crate) const SIGHASH_ALL: u8 = 0x01;

#[cfg(test)]
mod tests {
    use keystead_base::Digest;
    use serde_json::Value;

    use super::*;
    use crate::Strict;

    fn bytes(vector: &Value, name: &str) -> [u8; 32] {
        const_hex::decode_to_array(vector[name].as_str().unwrap()).unwrap()
    }

    /// BIP-340, `test-vectors.csv`: the four of 32 bytes that come with a secret key. A tweak of nothing leaves the key.
    #[test]
    fn s07_the_vectors_of_bip_340_are_signed() {
        let text = include_str!("../../../keystead-bitcoin/vectors/bip340.json");
        let vectors: Value = serde_json::from_str(text).unwrap();
        let vectors = vectors["vectors"].as_array().unwrap().iter();
        let mut signed = 0;
        for vector in vectors.filter(|it| it.get("secret").is_some()) {
            let (secret, aux) = (bytes(vector, "secret"), Secret::new(bytes(vector, "aux")));
            let (secret, digest) = (SecretKey::from_byte_array(secret).unwrap(), bytes(vector, "message"));
            let digest = SigningDigest {
                input: 0,
                digest: Digest(digest),
                scheme: Scheme::Schnorr,
                sighash: Sighash::Default,
                keys: Vec::new(),
            };
            let (signature, _) =
                Curve::new(&Secret::new([7; 32]), Strict).schnorr(&secret, &digest, [0; 32], &aux).unwrap();
            assert_eq!(const_hex::encode(signature), vector["signature"].as_str().unwrap(), "{vector}");
            signed += 1;
        }
        assert_eq!(signed, 4);
    }

    /// 15 to 18, whose messages are not 32 bytes. Nobody here signs such; the library under what is signed does it so.
    #[test]
    fn s07_the_vectors_of_bip_340_of_other_lengths_are_those_of_the_library() {
        let text = include_str!("../../../keystead-bitcoin/vectors/bip340.json");
        let vectors: Value = serde_json::from_str(text).unwrap();
        let (curve, others) =
            (Curve::new(&Secret::new([7; 32]), Strict), vectors["of_other_lengths"].as_array().unwrap());
        for vector in others {
            let pair = Keypair::from_secret_key(
                &curve.0,
                &SecretKey::from_byte_array(bytes(vector, "secret")).unwrap(),
            );
            let message = const_hex::decode(vector["message"].as_str().unwrap()).unwrap();
            let signature = curve.0.sign_schnorr_with_aux_rand(&message, &pair, &bytes(vector, "aux"));
            let signature = const_hex::encode(signature.to_byte_array());
            assert_eq!(signature, vector["signature"].as_str().unwrap(), "{vector}");
        }
        assert_eq!(others.len(), 4);
    }
}
