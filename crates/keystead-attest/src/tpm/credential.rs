//! Credential activation: shows that an identity key lives in the TPM of an endorsement key (part 1, section 24).

use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use aws_lc_rs::hmac;
use keystead_base::Secret;
use keystead_keys::Fill;
use subtle::ConstantTimeEq as _;

use crate::EvidenceError;
use crate::tpm::public::IdentityPublic;
use crate::tpm::{Endorsement, TpmIdentity};

/// What the TPM is handed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The contents of a `TPM2B_ID_OBJECT`.
    pub blob: Vec<u8>,
    /// The contents of a `TPM2B_ENCRYPTED_SECRET`.
    pub secret: Vec<u8>,
}

/// Waits for the bytes that only that TPM finds. Used up by [`Self::complete`].
#[derive(Debug)]
pub struct CredentialChallenge {
    expected: Secret<[u8; 32]>,
    identity: TpmIdentity,
}

impl CredentialChallenge {
    /// Encrypts fresh bytes to an endorsement key, for the identity key of this public area (`TPM2_MakeCredential`). The
    /// endorsement key is RSA with 2,048 bits, by the default template of the TCG.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::Form`] where either key is of another kind.
    pub fn new(
        endorsement: &Endorsement,
        public: &[u8],
        fill: Fill<'_>,
    ) -> Result<(Self, Credential), EvidenceError> {
        let name = IdentityPublic::read(public)?.name;
        let (mut expected, mut seed) = (Secret::new([0; 32]), Secret::new([0; 32]));
        fill(expected.expose_mut());
        fill(seed.expose_mut());
        let credential = Credential {
            blob: wrap(seed.expose(), &name, expected.expose()).ok_or_else(library)?,
            secret: encrypt(&endorsement.key, seed.expose())?,
        };
        let identity = TpmIdentity::new(endorsement.device, public.to_vec());
        Ok((Self { expected, identity }, credential))
    }

    /// The identity, if the TPM found the bytes.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::Binding`]; the challenge is gone all the same.
    pub fn complete(self, found: &[u8]) -> Result<TpmIdentity, EvidenceError> {
        match bool::from(self.expected.expose().as_slice().ct_eq(found)) {
            true => Ok(self.identity),
            false => Err(EvidenceError::Binding),
        }
    }
}

/// `OAEP(SHA-256, "IDENTITY")` of the seed.
fn encrypt(key: &[u8], seed: &[u8]) -> Result<Vec<u8>, EvidenceError> {
    let other = || EvidenceError::Form {
        expected: "an endorsement key of RSA with 2,048 bits",
        found: format!("{} bytes of another key", key.len()),
    };
    let key = PublicEncryptingKey::from_der(key).map_err(|_| other())?;
    if key.key_size_bits() != 2048 {
        return Err(other());
    }
    let key = OaepPublicEncryptingKey::new(key).map_err(|_| other())?;
    let mut secret = vec![0; key.ciphertext_size()];
    let length = key
        .encrypt(&OAEP_SHA256_MGF1SHA256, seed, &mut secret, Some(b"IDENTITY\0"))
        .map_err(|_| other())?
        .len();
    secret.truncate(length);
    Ok(secret)
}

/// The credential under keys that grow from the seed: encrypted, and bound to the name of the identity key.
fn wrap(seed: &[u8; 32], name: &[u8], credential: &[u8; 32]) -> Option<Vec<u8>> {
    let mut encrypted = sized(credential);
    let storage = grow(seed, "STORAGE", name, 128);
    let key = UnboundCipherKey::new(&AES_128, storage.get(..16)?).ok()?;
    let key = EncryptingKey::cfb128(key).ok()?;
    // Each seed is used once, so that the zero vector of the specification meets each key once.
    let vector = EncryptionContext::Iv128(FixedLength::from([0; 16]));
    key.less_safe_encrypt(&mut encrypted, vector).ok()?;
    let integrity = hmac::Key::new(hmac::HMAC_SHA256, &grow(seed, "INTEGRITY", &[], 256));
    let tag = hmac::sign(&integrity, &[encrypted.as_slice(), name].concat());
    Some([sized(tag.as_ref()), encrypted].concat())
}

/// `KDFa` with SHA-256, one block of it.
fn grow(seed: &[u8; 32], label: &str, context: &[u8], bits: u32) -> Vec<u8> {
    let message =
        [&1_u32.to_be_bytes(), label.as_bytes(), &[0], context, &bits.to_be_bytes()].concat();
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, seed), &message).as_ref().to_vec()
}

/// A `TPM2B` of 32 bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [[0, 32].as_slice(), bytes].concat()
}

fn library() -> EvidenceError {
    EvidenceError::Form { expected: "AES-128 in cipher feedback", found: "a library that refuses it".to_owned() }
}
