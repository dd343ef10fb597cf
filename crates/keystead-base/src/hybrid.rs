//! Hybrid signatures: Ed25519 **and** ML-DSA-65 over the same message; both must verify (Q1).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair as _, ML_DSA_65, ML_DSA_65_SIGNING, PqdsaKeyPair, UnparsedPublicKey,
};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Blame, Coded, Digest, Secret, tagged_hash};

/// Bytes of an Ed25519 public key (RFC 8032).
pub const ED25519_KEY_BYTES: usize = 32;
/// Bytes of an Ed25519 signature.
pub const ED25519_SIGNATURE_BYTES: usize = 64;
/// Bytes of an ML-DSA-65 public key (FIPS 204, table 2).
pub const ML_DSA_65_KEY_BYTES: usize = 1952;
/// Bytes of an ML-DSA-65 signature.
pub const ML_DSA_65_SIGNATURE_BYTES: usize = 3309;
/// Bytes of a hybrid seed: the Ed25519 seed, then the ML-DSA seed ξ.
pub const HYBRID_SEED_BYTES: usize = 64;
/// Bytes of the ML-DSA seed ξ alone (FIPS 204, section 5.1).
pub const ML_DSA_65_SEED_BYTES: usize = 32;

/// A public key whose two halves must both verify.
///
/// Canonical bytes: 32 of Ed25519, then 1,952 of ML-DSA-65, no lengths. JSON: hex of the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HybridPublicKey {
    ed25519: [u8; ED25519_KEY_BYTES],
    ml_dsa_65: Box<[u8; ML_DSA_65_KEY_BYTES]>,
}

impl HybridPublicKey {
    /// Verifies both halves over `message`.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] names the half that failed.
    pub fn verify(&self, message: &[u8], signature: &HybridSignature) -> Result<(), SignatureError> {
        UnparsedPublicKey::new(&ED25519, &self.ed25519)
            .verify(message, &signature.ed25519)
            .map_err(|_| SignatureError::Ed25519)?;
        UnparsedPublicKey::new(&ML_DSA_65, self.ml_dsa_65.as_slice())
            .verify(message, signature.ml_dsa_65.as_slice())
            .map_err(|_| SignatureError::MlDsa65)
    }

    /// What people compare when they enroll a key.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        tagged_hash("keystead/hybrid-key/v1", &self.to_bytes())
    }

    /// The Ed25519 half.
    #[must_use]
    pub fn ed25519(&self) -> &[u8; ED25519_KEY_BYTES] {
        &self.ed25519
    }

    /// The ML-DSA-65 half.
    #[must_use]
    pub fn ml_dsa_65(&self) -> &[u8; ML_DSA_65_KEY_BYTES] {
        &self.ml_dsa_65
    }

    fn to_bytes(&self) -> Vec<u8> {
        [self.ed25519.as_slice(), self.ml_dsa_65.as_slice()].concat()
    }
}

/// Both signatures over one message.
///
/// Canonical bytes: 64 of Ed25519, then 3,309 of ML-DSA-65, no lengths. JSON: hex of the same.
#[derive(Clone, PartialEq, Eq)]
pub struct HybridSignature {
    ed25519: [u8; ED25519_SIGNATURE_BYTES],
    ml_dsa_65: Box<[u8; ML_DSA_65_SIGNATURE_BYTES]>,
}

impl HybridSignature {
    /// Puts two halves together.
    #[must_use]
    pub fn from_parts(
        ed25519: [u8; ED25519_SIGNATURE_BYTES],
        ml_dsa_65: Box<[u8; ML_DSA_65_SIGNATURE_BYTES]>,
    ) -> Self {
        Self { ed25519, ml_dsa_65 }
    }

    /// The Ed25519 half.
    #[must_use]
    pub fn ed25519(&self) -> &[u8; ED25519_SIGNATURE_BYTES] {
        &self.ed25519
    }

    /// The ML-DSA-65 half.
    #[must_use]
    pub fn ml_dsa_65(&self) -> &[u8; ML_DSA_65_SIGNATURE_BYTES] {
        &self.ml_dsa_65
    }

    fn to_bytes(&self) -> Vec<u8> {
        [self.ed25519.as_slice(), self.ml_dsa_65.as_slice()].concat()
    }
}

/// Whoever signs with the Ed25519 half of a hybrid key: a seed in this process, or a token that keeps its key to itself.
pub trait ClassicalHalf: Send + Sync {
    /// The public side of the half (RFC 8032).
    fn public(&self) -> [u8; ED25519_KEY_BYTES];

    /// Signs `message`. It answers within a few seconds: votes wait for it.
    ///
    /// # Errors
    ///
    /// [`KeyError::Away`] when the key cannot be reached now and may be later; [`KeyError::Sign`].
    fn sign(&self, message: &[u8]) -> Result<[u8; ED25519_SIGNATURE_BYTES], KeyError>;

    /// Whether it can be reached, as far as is known without asking it to sign.
    fn is_there(&self) -> bool {
        true
    }
}

/// A seed in this process.
struct SeedHalf(Ed25519KeyPair, [u8; ED25519_KEY_BYTES]);

impl SeedHalf {
    fn new(seed: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Seed)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Seed)?;
        Ok(Self(pair, public))
    }
}

impl ClassicalHalf for SeedHalf {
    fn public(&self) -> [u8; ED25519_KEY_BYTES] {
        self.1
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; ED25519_SIGNATURE_BYTES], KeyError> {
        self.0.sign(message).as_ref().try_into().map_err(|_| KeyError::Sign)
    }
}

/// The secret side of a hybrid key.
///
/// The ML-DSA half is signed in hedged mode (FIPS 204, section 3.4): the library mixes in fresh
/// randomness, so two signatures over one message differ, and both verify.
pub struct HybridSigner {
    ed25519: Arc<dyn ClassicalHalf>,
    ml_dsa_65: PqdsaKeyPair,
    public: HybridPublicKey,
}

impl HybridSigner {
    /// Derives both halves from one seed: bytes 0–31 for Ed25519, 32–63 for ML-DSA-65.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the cryptographic library refuses a seed.
    pub fn from_seed(seed: &Secret<[u8; HYBRID_SEED_BYTES]>) -> Result<Self, KeyError> {
        let (classical, quantum) = seed.expose().split_at(32);
        Self::new(Arc::new(SeedHalf::new(classical)?), quantum)
    }

    /// A key whose Ed25519 half is elsewhere: either half alone signs nothing.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the cryptographic library refuses the seed.
    pub fn from_halves(
        ed25519: Arc<dyn ClassicalHalf>,
        quantum: &Secret<[u8; ML_DSA_65_SEED_BYTES]>,
    ) -> Result<Self, KeyError> {
        Self::new(ed25519, quantum.expose())
    }

    fn new(ed25519: Arc<dyn ClassicalHalf>, quantum: &[u8]) -> Result<Self, KeyError> {
        let ml_dsa_65 = PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, quantum).map_err(|_| KeyError::Seed)?;
        let public = HybridPublicKey {
            ed25519: ed25519.public(),
            ml_dsa_65: boxed(ml_dsa_65.public_key().as_ref()).ok_or(KeyError::Seed)?,
        };
        Ok(Self { ed25519, ml_dsa_65, public })
    }

    /// Whether both halves can be had, as far as is known without signing.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.ed25519.is_there()
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> &HybridPublicKey {
        &self.public
    }

    /// Signs `message` with both halves, and verifies both.
    ///
    /// INVARIANT S7: a fault in the computation does not leave the process; two Ed25519 signatures of one message, one of them
    /// faulty, would give the key away.
    ///
    /// # Errors
    ///
    /// [`KeyError::Sign`] when the library fails to sign, for instance for want of randomness; [`KeyError::Unverified`];
    /// [`KeyError::Away`] when the token with the Ed25519 half cannot be reached.
    pub fn sign(&self, message: &[u8]) -> Result<HybridSignature, KeyError> {
        let ed25519 = self.ed25519.sign(message)?;
        let mut ml_dsa_65 = vec![0; ML_DSA_65_SIGNATURE_BYTES];
        let length = self.ml_dsa_65.sign(message, &mut ml_dsa_65).map_err(|_| KeyError::Sign)?;
        ml_dsa_65.truncate(length);
        self.release(message, &ed25519, &ml_dsa_65)
    }

    fn release(&self, message: &[u8], ed25519: &[u8], ml_dsa_65: &[u8]) -> Result<HybridSignature, KeyError> {
        let signature = HybridSignature {
            ed25519: ed25519.try_into().map_err(|_| KeyError::Sign)?,
            ml_dsa_65: boxed(ml_dsa_65).ok_or(KeyError::Sign)?,
        };
        self.public.verify(message, &signature).map_err(|_| KeyError::Unverified)?;
        Ok(signature)
    }
}

impl fmt::Debug for HybridSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HybridSigner({})", self.public.fingerprint().short())
    }
}

/// Why a hybrid key cannot be made or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The library refused the seed.
    #[error("the cryptographic library refused the seed of a hybrid key")]
    Seed,
    /// The library failed to sign.
    #[error("the cryptographic library failed to sign")]
    Sign,
    /// What the library signed does not verify: a fault.
    #[error(
        "the fresh signature of a hybrid key does not verify and is kept; if it happens again, take another machine"
    )]
    Unverified,
    /// The token with the Ed25519 half cannot be reached.
    #[error(
        "the token with the Ed25519 half of this key is away, and nothing is signed until it is back; bring it back: \
         `keystead status` says what it lacks"
    )]
    Away,
    /// The token with the Ed25519 half has more to sign than it can: whoever can wait is sent away.
    #[error(
        "the token with the Ed25519 half of this key has too much to sign just now; try again in a few seconds"
    )]
    Busy,
}

impl Coded for KeyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Seed => "hybrid.seed",
            Self::Sign => "hybrid.sign",
            Self::Unverified => "hybrid.unverified",
            Self::Away => "key.token_away",
            Self::Busy => "key.token_busy",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

/// Which half of a hybrid signature failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The Ed25519 half.
    #[error("the Ed25519 half of the signature does not verify")]
    Ed25519,
    /// The ML-DSA-65 half.
    #[error("the ML-DSA-65 half of the signature does not verify")]
    MlDsa65,
}

impl Coded for SignatureError {
    fn code(&self) -> &'static str {
        match self {
            Self::Ed25519 => "signature.ed25519",
            Self::MlDsa65 => "signature.ml_dsa_65",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

fn boxed<const N: usize>(bytes: &[u8]) -> Option<Box<[u8; N]>> {
    bytes.to_vec().into_boxed_slice().try_into().ok()
}

macro_rules! two_halves {
    ($type:ident, $first:expr, $second:expr, $what:literal) => {
        impl BorshSerialize for $type {
            fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
                writer.write_all(&self.ed25519)?;
                writer.write_all(self.ml_dsa_65.as_slice())
            }
        }

        impl BorshDeserialize for $type {
            fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
                let ed25519 = <[u8; $first]>::deserialize_reader(reader)?;
                let mut ml_dsa_65 = Box::new([0; $second]);
                reader.read_exact(ml_dsa_65.as_mut_slice())?;
                Ok(Self { ed25519, ml_dsa_65 })
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let digest = tagged_hash("keystead/debug", &self.to_bytes());
                write!(f, "{}({})", stringify!($type), digest.short())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&const_hex::encode(self.to_bytes()))
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as Deserialize>::deserialize(deserializer)?;
                let bytes = const_hex::decode(text).map_err(serde::de::Error::custom)?;
                Self::try_from_slice(&bytes)
                    .map_err(|_| serde::de::Error::custom(concat!("expected ", $what, " in hex")))
            }
        }
    };
}

two_halves!(HybridPublicKey, ED25519_KEY_BYTES, ML_DSA_65_KEY_BYTES, "1,984 bytes of a hybrid public key");
two_halves!(
    HybridSignature,
    ED25519_SIGNATURE_BYTES,
    ML_DSA_65_SIGNATURE_BYTES,
    "3,373 bytes of a hybrid signature"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(byte: u8) -> HybridSigner {
        HybridSigner::from_seed(&Secret::new([byte; HYBRID_SEED_BYTES])).unwrap()
    }

    #[test]
    fn q1_breaking_either_half_alone_gives_nothing() {
        let (ours, other) = (signer(1), signer(2));
        let good = ours.sign(b"message").unwrap();
        let foreign = other.sign(b"message").unwrap();
        ours.public().verify(b"message", &good).unwrap();

        let mixed = HybridSignature::from_parts(*good.ed25519(), foreign.ml_dsa_65.clone());
        assert_eq!(ours.public().verify(b"message", &mixed), Err(SignatureError::MlDsa65));
        let mixed = HybridSignature::from_parts(*foreign.ed25519(), good.ml_dsa_65.clone());
        assert_eq!(ours.public().verify(b"message", &mixed), Err(SignatureError::Ed25519));
        assert!(ours.public().verify(b"messagE", &good).is_err());
    }

    /// One bit of each intermediate: message, either half of the signature, either half of the public key.
    #[test]
    fn s07_a_flipped_bit_leaves_no_hybrid_signature() {
        let ours = signer(1);
        let good = ours.sign(b"message").unwrap();
        let (ed25519, ml_dsa_65) = (good.ed25519(), good.ml_dsa_65().as_slice());
        assert_eq!(ours.release(b"message", ed25519, ml_dsa_65), Ok(good.clone()));
        assert_eq!(ours.release(b"messagd", ed25519, ml_dsa_65), Err(KeyError::Unverified));
        for bit in 0..512 {
            let mut struck = *ed25519;
            struck[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ours.release(b"message", &struck, ml_dsa_65), Err(KeyError::Unverified), "bit {bit}");
        }
        for bit in (0..ML_DSA_65_SIGNATURE_BYTES * 8).step_by(97) {
            let mut struck = ml_dsa_65.to_vec();
            struck[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ours.release(b"message", ed25519, &struck), Err(KeyError::Unverified), "bit {bit}");
        }
        for byte in [0, ED25519_KEY_BYTES, ED25519_KEY_BYTES + ML_DSA_65_KEY_BYTES - 1] {
            let mut other = signer(1);
            let mut public = borsh::to_vec(&other.public).unwrap();
            public[byte] ^= 1;
            other.public = HybridPublicKey::try_from_slice(&public).unwrap();
            assert_eq!(other.sign(b"message"), Err(KeyError::Unverified), "byte {byte} of the public key");
        }
    }

    /// A key elsewhere, that is reached or not, and may sign something else.
    struct Elsewhere(SeedHalf, fn(&[u8]) -> Result<Vec<u8>, KeyError>);

    impl ClassicalHalf for Elsewhere {
        fn public(&self) -> [u8; ED25519_KEY_BYTES] {
            self.0.public()
        }

        fn sign(&self, message: &[u8]) -> Result<[u8; ED25519_SIGNATURE_BYTES], KeyError> {
            self.0.sign(&self.1(message)?)
        }
    }

    #[test]
    fn s07_a_half_elsewhere_signs_as_the_seed_does_or_nothing_leaves() {
        let whole = signer(1);
        let with = |asked| {
            let half = Elsewhere(SeedHalf::new(&[1; 32]).unwrap(), asked);
            HybridSigner::from_halves(Arc::new(half), &Secret::new([1; ML_DSA_65_SEED_BYTES])).unwrap()
        };
        let split = with(|message| Ok(message.to_vec()));
        assert_eq!(split.public(), whole.public());
        let signature = split.sign(b"message").unwrap();
        whole.public().verify(b"message", &signature).unwrap();
        assert_eq!(signature.ed25519(), whole.sign(b"message").unwrap().ed25519());
        assert_eq!(with(|_| Err(KeyError::Away)).sign(b"message"), Err(KeyError::Away));
        assert_eq!(with(|_| Ok(b"another".to_vec())).sign(b"message"), Err(KeyError::Unverified));
    }

    #[test]
    fn keys_and_signatures_have_one_encoding() {
        let ours = signer(1);
        let key = borsh::to_vec(ours.public()).unwrap();
        assert_eq!(key.len(), ED25519_KEY_BYTES + ML_DSA_65_KEY_BYTES);
        assert_eq!(&HybridPublicKey::try_from_slice(&key).unwrap(), ours.public());
        assert!(HybridPublicKey::try_from_slice(&key[1..]).is_err());
    }
}
