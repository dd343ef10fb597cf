//! Sealing: XChaCha20-Poly1305 under a key that Argon2id grows from a passphrase (specs/keys.md).

use argon2::{Algorithm, Argon2, Params, Version};
use borsh::{BorshDeserialize, BorshSerialize};
use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut as _, KeyInit as _, XChaCha20Poly1305};
use keystead_base::{Blame, Canonical, ClusterId, Coded, Name, Secret};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::Fill;

/// The longest passphrase.
pub const MAX_PASSPHRASE_BYTES: usize = 1024;
/// The longest secret that is sealed in one file.
pub const MAX_SEALED_BYTES: usize = 4096;
/// The longest openings of a seed that are sealed in one file.
pub const MAX_SEALED_OPENINGS_BYTES: usize = 16 * 1024;
/// The longest share of a key that is sealed in one file: `DKLs23` keeps 52 KB for each other holder.
pub const MAX_SEALED_SHARE_BYTES: usize = 1024 * 1024;

/// How a passphrase is stretched: Argon2id, version 0x13 (RFC 9106).
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kdf {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
    /// Sixteen random bytes.
    #[serde(with = "const_hex")]
    pub salt: [u8; 16],
}

impl Kdf {
    /// Today's cost (RFC 9106, section 4, second recommendation) with a fresh salt.
    #[must_use]
    pub fn new(fill: Fill<'_>) -> Self {
        let mut salt = [0; 16];
        fill(&mut salt);
        Self { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES, salt }
    }

    /// A file may cost more than today's files, within reason, and never less.
    fn params(&self) -> Result<Params, SealError> {
        let fits = (MEMORY_KIB..=MAX_MEMORY_KIB).contains(&self.memory_kib)
            && (PASSES..=MAX_PASSES).contains(&self.passes)
            && (1..=MAX_LANES).contains(&self.lanes);
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(DERIVED_BYTES));
        params.ok().filter(|_| fits).ok_or(SealError::Cost {
            memory_kib: self.memory_kib,
            passes: self.passes,
            lanes: self.lanes,
        })
    }
}

/// What the sealed secret is for. It is bound into the seal, so that no file can stand in for another.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealLabel {
    /// The cluster; none for a member's key, which is older than the cluster that lists it.
    pub cluster: Option<ClusterId>,
    /// The key or member.
    pub name: Name,
    /// What kind of secret.
    pub purpose: Purpose,
    /// The key's epoch; zero for members.
    pub epoch: u32,
}

/// The kinds of secret that are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The 32 bytes behind an HD key.
    HdSeed,
    /// The secrets of an approver, node or service.
    Member,
    /// A node's share of a key, with what its protocol keeps beside it.
    ThresholdShare,
    /// Where a key in tokens is: no secret, sealed with the others so that nobody puts another place under its name.
    TokenKey,
    /// The machine's part of a seed that people brought rolls for.
    SeedOpenings,
    /// The 32 bytes behind a key of ML-DSA-65.
    MlDsa65Seed,
    /// The secrets of a node, but for the half of its signing key that a token has.
    MemberBesideToken,
}

impl Purpose {
    /// The longest secret of its kind, in bytes.
    fn limit(self) -> usize {
        match self {
            Self::HdSeed | Self::Member | Self::TokenKey | Self::MlDsa65Seed | Self::MemberBesideToken => {
                MAX_SEALED_BYTES
            }
            Self::SeedOpenings => MAX_SEALED_OPENINGS_BYTES,
            Self::ThresholdShare => MAX_SEALED_SHARE_BYTES,
        }
    }
}

/// A key grown from a passphrase. Growing it is slow on purpose: once per start, then it seals and
/// opens any number of files that share its salt.
pub struct SealingKey {
    kdf: Kdf,
    key: Secret<[u8; 32]>,
    commitment: [u8; 32],
}

impl SealingKey {
    /// Stretches `passphrase`.
    ///
    /// # Errors
    ///
    /// [`SealError::Cost`] for parameters outside the accepted range, [`SealError::PassphraseLength`].
    pub fn derive(passphrase: &[u8], kdf: Kdf) -> Result<Self, SealError> {
        if passphrase.is_empty() || passphrase.len() > MAX_PASSPHRASE_BYTES {
            return Err(SealError::PassphraseLength { found: passphrase.len() });
        }
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, kdf.params()?);
        let mut derived = Secret::new([0; DERIVED_BYTES]);
        argon2
            .hash_password_into(passphrase, &kdf.salt, derived.expose_mut())
            .map_err(|_| SealError::Memory { memory_kib: kdf.memory_kib })?;
        let (key, commitment) = derived.expose().split_at(32);
        let mut sealing = Self { kdf, key: Secret::new([0; 32]), commitment: [0; 32] };
        sealing.key.expose_mut().copy_from_slice(key);
        sealing.commitment.copy_from_slice(commitment);
        Ok(sealing)
    }

    /// The stretching that made this key: a file with an equal one opens without stretching again.
    #[must_use]
    pub fn kdf(&self) -> &Kdf {
        &self.kdf
    }

    /// Seals `secret` for `label`.
    ///
    /// # Errors
    ///
    /// [`SealError::SecretLength`] past the limit.
    pub fn seal(&self, label: SealLabel, secret: &[u8], fill: Fill<'_>) -> Result<Sealed, SealError> {
        if secret.len() > label.purpose.limit() {
            return Err(SealError::SecretLength { found: secret.len() });
        }
        let mut sealed = Sealed {
            label,
            kdf: self.kdf,
            commitment: self.commitment,
            nonce: [0; 24],
            tag: [0; 16],
            ciphertext: vec![0; secret.len()],
        };
        fill(&mut sealed.nonce);
        let associated = sealed.associated();
        let buffer = InOutBuf::new(secret, &mut sealed.ciphertext)
            .map_err(|_| SealError::SecretLength { found: secret.len() })?;
        sealed.tag = self
            .cipher()
            .encrypt_inout_detached(&sealed.nonce.into(), &associated, buffer)
            .map_err(|_| SealError::SecretLength { found: secret.len() })?
            .into();
        Ok(sealed)
    }

    /// Opens `sealed` into `secret`, which has exactly its length, and only for `label`.
    ///
    /// # Errors
    ///
    /// [`SealError`] tells a foreign file, a wrong passphrase and altered bytes apart.
    pub fn open(&self, sealed: &Sealed, label: &SealLabel, secret: &mut [u8]) -> Result<(), SealError> {
        if &sealed.label != label {
            return Err(SealError::Label {
                expected: Box::new(label.clone()),
                found: Box::new(sealed.label.clone()),
            });
        }
        if sealed.kdf != self.kdf || !bool::from(sealed.commitment.ct_eq(&self.commitment)) {
            return Err(SealError::Passphrase);
        }
        let found = sealed.ciphertext.len();
        let buffer =
            InOutBuf::new(&sealed.ciphertext, secret).map_err(|_| SealError::SecretLength { found })?;
        self.cipher()
            .decrypt_inout_detached(&sealed.nonce.into(), &sealed.associated(), buffer, &sealed.tag.into())
            .map_err(|_| SealError::Altered)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        cipher(&self.key)
    }
}

pub(crate) fn cipher(key: &Secret<[u8; 32]>) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.expose().into())
}

/// A sealed secret as it lies on a disk.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    label: SealLabel,
    kdf: Kdf,
    /// The second half of the stretched passphrase: a wrong one is known before anything is
    /// decrypted, and no two passphrases open one file.
    #[serde(with = "const_hex")]
    commitment: [u8; 32],
    #[serde(with = "const_hex")]
    nonce: [u8; 24],
    #[serde(with = "const_hex")]
    tag: [u8; 16],
    #[serde(with = "const_hex")]
    ciphertext: Vec<u8>,
}

impl Canonical for Sealed {
    const DOMAIN: &'static str = "keystead/sealed/v1";
}

impl Sealed {
    /// What the secret is for.
    #[must_use]
    pub fn label(&self) -> &SealLabel {
        &self.label
    }

    /// How long the secret is, in bytes.
    #[must_use]
    pub fn secret_bytes(&self) -> usize {
        self.ciphertext.len()
    }

    /// How its passphrase is stretched.
    #[must_use]
    pub fn kdf(&self) -> &Kdf {
        &self.kdf
    }

    /// Everything but nonce, tag and ciphertext, under the document's own domain and version.
    fn associated(&self) -> Vec<u8> {
        let empty = Self { nonce: [0; 24], tag: [0; 16], ciphertext: Vec::new(), ..self.clone() };
        empty.to_document()
    }
}

/// Why a secret is not sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Empty, or longer than any passphrase.
    #[error("a passphrase has 1 to {MAX_PASSPHRASE_BYTES} bytes, found {found}")]
    PassphraseLength {
        /// The length found.
        found: usize,
    },
    /// A stretching that is too cheap to accept or too dear to run.
    #[error("refused Argon2id parameters: {memory_kib} KiB, {passes} passes, {lanes} lanes")]
    Cost {
        /// Memory, in KiB.
        memory_kib: u32,
        /// Passes.
        passes: u32,
        /// Lanes.
        lanes: u32,
    },
    /// The memory for stretching is not there.
    #[error("Argon2id needs {memory_kib} KiB of memory and did not get it")]
    Memory {
        /// Memory, in KiB.
        memory_kib: u32,
    },
    /// Longer than any secret, or of another length than expected.
    #[error("a sealed secret of {found} bytes does not fit")]
    SecretLength {
        /// The length found.
        found: usize,
    },
    /// The file is for something else.
    #[error("expected the seal of {expected:?}, found that of {found:?}")]
    Label {
        /// What was asked for.
        expected: Box<SealLabel>,
        /// What the file says it is.
        found: Box<SealLabel>,
    },
    /// The passphrase is not the one, or the file's header was altered.
    #[error("the passphrase does not open this file")]
    Passphrase,
    /// The passphrase is right and the content is not what was sealed.
    #[error("the sealed bytes were altered")]
    Altered,
}

impl Coded for SealError {
    fn code(&self) -> &'static str {
        match self {
            Self::PassphraseLength { .. } => "seal.passphrase_length",
            Self::Cost { .. } => "seal.cost",
            Self::Memory { .. } => "seal.memory",
            Self::SecretLength { .. } => "seal.secret_length",
            Self::Label { .. } => "seal.label",
            Self::Passphrase => "seal.passphrase",
            Self::Altered => "seal.altered",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::PassphraseLength { .. } | Self::Passphrase => Blame::Caller,
            Self::Cost { .. }
            | Self::Memory { .. }
            | Self::SecretLength { .. }
            | Self::Label { .. }
            | Self::Altered => Blame::Environment,
        }
    }
}

const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 16;
/// Key and commitment.
const DERIVED_BYTES: usize = 64;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use keystead_base::Digest;

    pub(crate) fn decrypts(
        key: [u8; 32],
        nonce: [u8; 24],
        aad: &[u8],
        ct: &[u8],
        tag: [u8; 16],
    ) -> Option<Vec<u8>> {
        let mut out = vec![0; ct.len()];
        let buffer = InOutBuf::new(ct, &mut out).unwrap();
        let opened =
            cipher(&Secret::new(key)).decrypt_inout_detached(&nonce.into(), aad, buffer, &tag.into());
        opened.ok().map(|()| out)
    }

    fn label(name: &str) -> SealLabel {
        SealLabel {
            cluster: Some(ClusterId(Digest([1; 32]))),
            name: name.parse().unwrap(),
            purpose: Purpose::HdSeed,
            epoch: 1,
        }
    }

    fn count() -> impl FnMut(&mut [u8]) {
        let mut next = 0;
        move |bytes: &mut [u8]| {
            for byte in bytes {
                *byte = next;
                next += 1;
            }
        }
    }

    #[test]
    fn only_the_passphrase_and_the_label_open_a_seal() {
        let key = SealingKey::derive(b"correct horse", Kdf::new(&mut count())).unwrap();
        let sealed = key.seal(label("hot"), &[9; 32], &mut count()).unwrap();
        let mut out = [0; 32];
        key.open(&sealed, &label("hot"), &mut out).unwrap();
        assert_eq!(out, [9; 32]);

        let code = |result: Result<(), SealError>| result.unwrap_err().code();
        assert_eq!(code(key.open(&sealed, &label("cold"), &mut out)), "seal.label");
        assert_eq!(code(key.open(&sealed, &label("hot"), &mut [0; 31])), "seal.secret_length");
        let wrong = SealingKey::derive(b"incorrect horse", *sealed.kdf()).unwrap();
        assert_eq!(code(wrong.open(&sealed, &label("hot"), &mut out)), "seal.passphrase");
        assert_eq!(
            SealingKey::derive(b"", *sealed.kdf()).map(|_| ()).unwrap_err().code(),
            "seal.passphrase_length"
        );
        let cheap = Kdf { memory_kib: MEMORY_KIB - 1, ..*sealed.kdf() };
        assert_eq!(SealingKey::derive(b"x", cheap).map(|_| ()).unwrap_err().code(), "seal.cost");
    }

    #[test]
    fn every_flipped_bit_of_a_document_is_noticed() {
        let key = SealingKey::derive(b"correct horse", Kdf::new(&mut count())).unwrap();
        let document = key.seal(label("hot"), &[9; 32], &mut count()).unwrap().to_document();
        for at in 0..document.len() {
            let mut flipped = document.clone();
            flipped[at] ^= 1 << (at % 8);
            let opened = Sealed::from_document(&flipped)
                .map(|sealed| key.open(&sealed, &label("hot"), &mut [0; 32]).map_err(|error| error.code()));
            assert!(!matches!(opened, Ok(Ok(()))), "byte {at}");
        }
    }

    /// The sealed form must open in every later version: this one was written by version 0.1.0.
    #[test]
    fn an_old_file_opens() {
        let document = const_hex::decode(include_str!("../tests/vectors/sealed-v1.hex").trim()).unwrap();
        let sealed = Sealed::from_document(&document).unwrap();
        let key = SealingKey::derive(b"correct horse", *sealed.kdf()).unwrap();
        let mut out = [0; 32];
        key.open(&sealed, &label("hot"), &mut out).unwrap();
        assert_eq!(out, [9; 32]);
        assert_eq!(key.seal(label("hot"), &[9; 32], &mut count()).unwrap().to_document(), document);
    }
}
