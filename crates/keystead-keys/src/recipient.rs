//! Who can read a backup or a message: X-Wing keys (X25519 and ML-KEM-768; breaking one gives nothing), used by HPKE.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use hpke::aead::{AeadTag, ChaCha20Poly1305};
use hpke::inout::InOutBuf;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use keystead_base::{Digest, Secret, tagged_hash};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Fill;

/// Bytes of an X-Wing public key.
pub const RECIPIENT_KEY_BYTES: usize = 1216;
/// Bytes of an X-Wing secret seed.
pub const RECIPIENT_SEED_BYTES: usize = 32;
/// Bytes of an X-Wing ciphertext.
pub const ENCAPSULATED_BYTES: usize = 1120;
/// Bytes of the Poly1305 tag.
pub const TAG_BYTES: usize = 16;

/// A public key that backups are encrypted to.
///
/// Canonical bytes: the 1,216 of X-Wing, no length. JSON: hex of the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecipientPublicKey(Box<[u8; RECIPIENT_KEY_BYTES]>);

impl RecipientPublicKey {
    /// What people compare when they enroll a key.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        tagged_hash("keystead/recipient-key/v1", self.0.as_slice())
    }

    /// The key's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; RECIPIENT_KEY_BYTES] {
        &self.0
    }

    /// Takes bytes that stood in a roster; whether they are a key shows when something is encrypted.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.to_vec().into_boxed_slice().try_into().ok().map(Self)
    }

    /// HPKE seal (RFC 9180, base mode) in place; `info` names the protocol. `None` when the key is not a valid one.
    pub fn seal(
        &self,
        info: &[u8],
        associated: &[u8],
        secret: &mut [u8],
        fill: Fill<'_>,
    ) -> Option<Encapsulated> {
        let key = <XWing as Kem>::PublicKey::from_bytes(self.0.as_slice()).ok()?;
        let (encapsulated, tag) =
            hpke::single_shot_seal_inout_detached_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
                &OpModeS::Base,
                &key,
                info,
                InOutBuf::from(secret),
                associated,
                &mut Source(fill),
            )
            .ok()?;
        Some(Encapsulated { key: encapsulated.to_bytes().into(), tag: tag.to_bytes().into() })
    }
}

/// What the recipient needs beside the ciphertext.
pub struct Encapsulated {
    /// The X-Wing ciphertext.
    pub key: [u8; ENCAPSULATED_BYTES],
    /// The Poly1305 tag.
    pub tag: [u8; TAG_BYTES],
}

/// The secret side of a recipient.
pub struct RecipientKey(<XWing as Kem>::PrivateKey);

impl RecipientKey {
    /// The key of a 32-byte seed, which is X-Wing's own decapsulation key.
    ///
    /// # Errors
    ///
    /// `None` when the library refuses the seed, which it does not for 32 bytes.
    #[must_use]
    pub fn from_seed(seed: &Secret<[u8; RECIPIENT_SEED_BYTES]>) -> Option<Self> {
        <XWing as Kem>::PrivateKey::from_bytes(seed.expose()).ok().map(Self)
    }

    /// The public side.
    #[must_use]
    pub fn public(&self) -> RecipientPublicKey {
        RecipientPublicKey(Box::new(XWing::sk_to_pk(&self.0).to_bytes().into()))
    }

    /// HPKE open in place. `None` when anything differs from what was sealed, `info` included.
    pub fn open(&self, info: &[u8], from: &Encapsulated, associated: &[u8], secret: &mut [u8]) -> Option<()> {
        let encapsulated = <XWing as Kem>::EncappedKey::from_bytes(from.key.as_slice()).ok()?;
        let tag = AeadTag::<ChaCha20Poly1305>::from_bytes(&from.tag).ok()?;
        hpke::single_shot_open_inout_detached::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeR::Base,
            &self.0,
            &encapsulated,
            info,
            InOutBuf::from(secret),
            associated,
            &tag,
        )
        .ok()
    }
}

/// A [`Fill`] as the traits of the HPKE library want it.
struct Source<'a>(Fill<'a>);

impl TryRng for Source<'_> {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        (self.0)(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        (self.0)(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        (self.0)(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Source<'_> {}

impl fmt::Debug for RecipientPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecipientPublicKey({})", self.fingerprint().short())
    }
}

impl BorshSerialize for RecipientPublicKey {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        writer.write_all(self.0.as_slice())
    }
}

impl BorshDeserialize for RecipientPublicKey {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let mut bytes = Box::new([0; RECIPIENT_KEY_BYTES]);
        reader.read_exact(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }
}

impl Serialize for RecipientPublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&const_hex::encode(self.0.as_slice()))
    }
}

impl<'de> Deserialize<'de> for RecipientPublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        let bytes = const_hex::decode(text).map_err(serde::de::Error::custom)?;
        Self::from_bytes(&bytes)
            .ok_or_else(|| serde::de::Error::custom("expected 1,216 bytes of a recipient key in hex"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> RecipientKey {
        RecipientKey::from_seed(&Secret::new([byte; 32])).unwrap()
    }

    #[test]
    fn only_the_recipient_reads_and_only_in_its_place() {
        let (ours, other) = (key(1), key(2));
        let mut bytes = [7; 32];
        let sealed = ours.public().seal(b"info", b"place", &mut bytes, &mut |b| b.fill(3)).unwrap();
        assert_ne!(bytes, [7; 32]);
        assert_eq!(other.open(b"info", &sealed, b"place", &mut bytes.clone()), None);
        assert_eq!(ours.open(b"info", &sealed, b"elsewhere", &mut bytes.clone()), None);
        assert_eq!(ours.open(b"another protocol", &sealed, b"place", &mut bytes.clone()), None);
        ours.open(b"info", &sealed, b"place", &mut bytes).unwrap();
        assert_eq!(bytes, [7; 32]);
    }

    /// 1,088 bytes of ML-KEM-768, then 32 of X25519: the key for the copy needs both.
    #[test]
    fn q1_a_copy_opens_with_neither_half_of_its_key_alone() {
        let ours = key(1);
        let mut bytes = [7; 32];
        let sealed = ours.public().seal(b"info", b"place", &mut bytes, &mut |b| b.fill(3)).unwrap();
        for half in [0, ENCAPSULATED_BYTES - 32] {
            let mut broken = Encapsulated { ..sealed };
            broken.key[half] ^= 1;
            assert_eq!(
                ours.open(b"info", &broken, b"place", &mut bytes.clone()),
                None,
                "from byte {half} on"
            );
        }
        ours.open(b"info", &sealed, b"place", &mut bytes).unwrap();
    }

    #[test]
    fn a_public_key_has_one_encoding() {
        let public = key(1).public();
        let bytes = borsh::to_vec(&public).unwrap();
        assert_eq!(bytes.len(), RECIPIENT_KEY_BYTES);
        assert_eq!(RecipientPublicKey::try_from_slice(&bytes).unwrap(), public);
        let json = serde_json::to_string(&public).unwrap();
        assert_eq!(serde_json::from_str::<RecipientPublicKey>(&json).unwrap(), public);
        assert_eq!(RecipientPublicKey::from_bytes(&bytes[1..]), None);
    }
}
