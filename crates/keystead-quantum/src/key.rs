//! The secret side: signs, and lets nothing out that does not verify.

use std::fmt;

use aws_lc_rs::signature::{
    KeyPair as _, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING, PqdsaKeyPair,
    PqdsaSigningAlgorithm,
};
use fips205::slh_dsa_sha2_128s::PrivateKey;
use keystead_base::{Canonical as _, Secret};

use crate::scheme::SLH_DSA_128_SEED_BYTES;
use crate::{QuantumError, QuantumPublicKey, QuantumSignature, Scheme, second, slh};

/// A key pair of one scheme. Neither cloned, shown nor serialized.
///
/// ML-DSA signs hedged (FIPS 204, section 3.4): the library mixes in fresh randomness, so two signatures over one
/// message differ. SLH-DSA signs deterministically.
pub struct QuantumKey {
    secret: SecretHalf,
    public: QuantumPublicKey,
    second: Second,
}

/// What says a second time whether a signature is one.
type Second = fn(&QuantumPublicKey, &[u8], &QuantumSignature) -> bool;

enum SecretHalf {
    Lattice(PqdsaKeyPair),
    // Boxed, so that moving the key leaves no copy on the stack.
    Hashes(Box<PrivateKey>),
}

impl QuantumKey {
    /// The key pair of a seed: `ML-DSA.KeyGen_internal(ξ)`, or `slh_keygen_internal(SK.seed, SK.prf, PK.seed)`.
    ///
    /// # Errors
    ///
    /// [`QuantumError::Length`] for a seed of another length, [`QuantumError::Seed`] when the library refuses it.
    pub fn from_seed(scheme: Scheme, seed: &[u8]) -> Result<Self, QuantumError> {
        match scheme {
            Scheme::MlDsa44 => Self::lattice(scheme, &ML_DSA_44_SIGNING, seed),
            Scheme::MlDsa65 => Self::lattice(scheme, &ML_DSA_65_SIGNING, seed),
            Scheme::MlDsa87 => Self::lattice(scheme, &ML_DSA_87_SIGNING, seed),
            Scheme::SlhDsaSha2128s => Self::hashes(seed),
        }
    }

    fn lattice(
        scheme: Scheme,
        algorithm: &'static PqdsaSigningAlgorithm,
        seed: &[u8],
    ) -> Result<Self, QuantumError> {
        check_length(scheme, seed)?;
        let pair = PqdsaKeyPair::from_seed(algorithm, seed).map_err(|_| QuantumError::Seed { scheme })?;
        let public = QuantumPublicKey::from_bytes(scheme, pair.public_key().as_ref())?;
        Ok(Self { secret: SecretHalf::Lattice(pair), public, second: second::agrees })
    }

    fn hashes(seed: &[u8]) -> Result<Self, QuantumError> {
        let scheme = Scheme::SlhDsaSha2128s;
        check_length(scheme, seed)?;
        let mut own = Secret::new([0; SLH_DSA_128_SEED_BYTES]);
        own.expose_mut().copy_from_slice(seed);
        let (secret, public) = slh::key_pair(&own);
        let public = QuantumPublicKey::from_bytes(scheme, &public)?;
        Ok(Self { secret: SecretHalf::Hashes(Box::new(secret)), public, second: second::agrees })
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> &QuantumPublicKey {
        &self.public
    }

    /// Signs `message`: pure mode, empty context.
    ///
    /// # Errors
    ///
    /// [`QuantumError::Sign`], and [`QuantumError::Faulty`] when what came out does not verify.
    pub fn sign(&self, message: &[u8]) -> Result<QuantumSignature, QuantumError> {
        let scheme = self.public.scheme();
        let bytes = match &self.secret {
            SecretHalf::Lattice(pair) => lattice_signature(pair, scheme, message),
            SecretHalf::Hashes(secret) => slh::sign(secret, message).map(|bytes| bytes.to_vec()),
        };
        let bytes = bytes.ok_or(QuantumError::Sign { scheme })?;
        let signature = QuantumSignature::from_bytes(scheme, &bytes)?;
        self.checked(message, signature)
    }

    // INVARIANT S7: a faulty signature of a deterministic scheme can give the key away; and what one library makes of ML-DSA,
    // another one verifies.
    fn checked(&self, message: &[u8], signature: QuantumSignature) -> Result<QuantumSignature, QuantumError> {
        let scheme = self.public.scheme();
        self.public.verify(message, &signature).map_err(|_| QuantumError::Faulty { scheme })?;
        let agrees = (self.second)(&self.public, message, &signature);
        agrees.then_some(signature).ok_or(QuantumError::Faulty { scheme })
    }
}

impl fmt::Debug for QuantumKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QuantumKey({}, {})", self.public.scheme(), self.public.digest().short())
    }
}

fn check_length(scheme: Scheme, seed: &[u8]) -> Result<(), QuantumError> {
    let (expected, found) = (scheme.seed_bytes(), seed.len());
    (expected == found).then_some(()).ok_or(QuantumError::Length { scheme, expected, found })
}

fn lattice_signature(pair: &PqdsaKeyPair, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = vec![0; scheme.signature_bytes()];
    let length = pair.sign(message, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_base::Coded as _;

    #[test]
    fn s7_a_signature_that_does_not_verify_stays_inside() {
        let key = QuantumKey::from_seed(Scheme::MlDsa65, &[7; 32]).unwrap();
        let good = key.sign(b"message").unwrap();
        let mut bytes = good.as_bytes().to_vec();
        bytes[100] ^= 1;
        let bad = QuantumSignature::from_bytes(Scheme::MlDsa65, &bytes).unwrap();
        assert_eq!(key.checked(b"message", bad).unwrap_err().code(), "quantum.faulty");
        assert_eq!(key.checked(b"message", good.clone()), Ok(good));
    }

    #[test]
    fn s07_what_the_second_implementation_does_not_take_stays_inside() {
        for scheme in [Scheme::MlDsa44, Scheme::MlDsa65, Scheme::MlDsa87] {
            let mut key = QuantumKey::from_seed(scheme, &[7; 32]).unwrap();
            assert!(key.sign(b"message").is_ok());
            key.second = |_, _, _| false;
            assert_eq!(key.sign(b"message").unwrap_err().code(), "quantum.faulty");
            // It is asked about what was signed, under the key that signed.
            key.second =
                |key, message, signature| message == b"message" && second::agrees(key, message, signature);
            assert!(key.sign(b"message").is_ok());
            assert_eq!(key.sign(b"messagE").unwrap_err().code(), "quantum.faulty");
        }
    }

    #[test]
    fn a_key_signs_and_another_scheme_or_message_does_not_verify() {
        for scheme in Scheme::ALL {
            let key = QuantumKey::from_seed(scheme, &vec![3; scheme.seed_bytes()]).unwrap();
            let signature = key.sign(b"message").unwrap();
            assert_eq!(key.public().as_bytes().len(), scheme.public_key_bytes());
            assert_eq!(signature.as_bytes().len(), scheme.signature_bytes());
            assert_eq!(key.public().verify(b"message", &signature), Ok(()));
            assert_eq!(key.public().verify(b"messagE", &signature).unwrap_err().code(), "quantum.signature");
            let other = if scheme == Scheme::MlDsa44 { Scheme::MlDsa87 } else { Scheme::MlDsa44 };
            let foreign = QuantumKey::from_seed(other, &[3; 32]).unwrap();
            assert_eq!(
                foreign.public().verify(b"message", &signature).unwrap_err().code(),
                "quantum.other_scheme"
            );
        }
    }

    #[test]
    fn a_seed_has_its_schemes_length() {
        for scheme in Scheme::ALL {
            let short = vec![0; scheme.seed_bytes() - 1];
            assert_eq!(QuantumKey::from_seed(scheme, &short).unwrap_err().code(), "quantum.length");
            assert_eq!(scheme.name().parse(), Ok(scheme));
        }
        assert_eq!("ML-DSA-66".parse::<Scheme>().unwrap_err().code(), "quantum.scheme");
    }
}
