//! A key's backup: its seed, encrypted once for each named recipient (specs/keys.md).

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Canonical, ClusterId, Coded, Digest, Name, PublicAccount, Secret};
use serde::{Deserialize, Serialize};

use crate::recipient::{Encapsulated, TAG_BYTES};
use crate::{ENCAPSULATED_BYTES, Fill, HdSeed, Purpose, RecipientKey, RecipientPublicKey, SEED_BYTES};

/// The most people one backup is for.
pub const MAX_RECIPIENTS: usize = 16;

/// Which key a backup is about.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupSubject {
    /// The cluster.
    pub cluster: ClusterId,
    /// The key's name.
    pub key: Name,
    /// What kind of secret it is.
    pub purpose: Purpose,
    /// Its epoch.
    pub epoch: u32,
    /// Its public side: a restored seed must give the same.
    pub account: PublicAccount,
}

/// A whole backup. Losing it reveals nothing; each recipient alone can restore the key.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupFile {
    /// The key.
    pub subject: BackupSubject,
    /// One copy for each recipient.
    pub copies: Vec<BackupCopy>,
}

impl Canonical for BackupFile {
    const DOMAIN: &'static str = "keystead/backup/v1";
}

/// The seed for one recipient: HPKE base mode with X-Wing, HKDF-SHA-256 and ChaCha20-Poly1305.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupCopy {
    /// The recipient's name in the roster.
    pub recipient: Name,
    /// Which of the recipient's keys: its fingerprint.
    pub fingerprint: Digest,
    #[serde(with = "const_hex")]
    encapsulated: [u8; ENCAPSULATED_BYTES],
    #[serde(with = "const_hex")]
    tag: [u8; TAG_BYTES],
    #[serde(with = "const_hex")]
    ciphertext: [u8; SEED_BYTES],
}

/// What is bound into a copy: no copy can be moved to another key, epoch, cluster or person.
#[derive(BorshSerialize, BorshDeserialize)]
struct Place {
    subject: BackupSubject,
    recipient: Name,
    fingerprint: Digest,
}

impl Canonical for Place {
    const DOMAIN: &'static str = "keystead/backup-copy/v1";
}

impl BackupFile {
    /// Encrypts `seed` for each recipient.
    ///
    /// # Errors
    ///
    /// [`BackupError`] when the subject is not this seed's key, or the recipients do not fit.
    pub fn write(
        subject: BackupSubject,
        seed: &HdSeed,
        recipients: &[(Name, RecipientPublicKey)],
        fill: Fill<'_>,
    ) -> Result<Self, BackupError> {
        if recipients.is_empty() || recipients.len() > MAX_RECIPIENTS {
            return Err(BackupError::Recipients { found: recipients.len() });
        }
        belongs(seed, &subject)?;
        let copies = recipients
            .iter()
            .map(|(name, key)| copy(&subject, seed, name, key, fill))
            .collect::<Result<_, _>>()?;
        Ok(Self { subject, copies })
    }

    /// Gives the seed back to `recipient`, after checking that it is the subject's.
    ///
    /// # Errors
    ///
    /// [`BackupError`] when there is no copy for this key, or it was altered.
    pub fn restore(&self, recipient: &Name, key: &RecipientKey) -> Result<HdSeed, BackupError> {
        let fingerprint = key.public().fingerprint();
        let copy = self
            .copies
            .iter()
            .find(|copy| &copy.recipient == recipient && copy.fingerprint == fingerprint)
            .ok_or_else(|| BackupError::NoCopy { recipient: recipient.clone() })?;
        let from = Encapsulated { key: copy.encapsulated, tag: copy.tag };
        let mut entropy = Secret::new(copy.ciphertext);
        key.open(INFO, &from, &place(&self.subject, recipient, fingerprint), entropy.expose_mut())
            .ok_or_else(|| BackupError::Altered { recipient: recipient.clone() })?;
        let seed = HdSeed::from_entropy(entropy);
        belongs(&seed, &self.subject)?;
        Ok(seed)
    }
}

/// What HPKE calls `info`: a copy opens as nothing but a backup.
const INFO: &[u8] = BackupFile::DOMAIN.as_bytes();

fn copy(
    subject: &BackupSubject,
    seed: &HdSeed,
    recipient: &Name,
    key: &RecipientPublicKey,
    fill: Fill<'_>,
) -> Result<BackupCopy, BackupError> {
    let fingerprint = key.fingerprint();
    let mut buffer = Secret::new(*seed.entropy().expose());
    let sealed = key
        .seal(INFO, &place(subject, recipient, fingerprint), buffer.expose_mut(), fill)
        .ok_or_else(|| BackupError::RecipientKey { recipient: recipient.clone() })?;
    Ok(BackupCopy {
        recipient: recipient.clone(),
        fingerprint,
        encapsulated: sealed.key,
        tag: sealed.tag,
        ciphertext: *buffer.expose(),
    })
}

fn place(subject: &BackupSubject, recipient: &Name, fingerprint: Digest) -> Vec<u8> {
    Place { subject: subject.clone(), recipient: recipient.clone(), fingerprint }.to_document()
}

pub(crate) fn belongs(seed: &HdSeed, subject: &BackupSubject) -> Result<(), BackupError> {
    match seed.account(subject.purpose) {
        Ok(account) if account == subject.account => Ok(()),
        Ok(_) | Err(_) => Err(BackupError::OtherKey { key: subject.key.clone() }),
    }
}

/// Why a backup is not written or restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// Nobody, or too many.
    #[error("a backup is for 1 to {MAX_RECIPIENTS} recipients, found {found}")]
    Recipients {
        /// How many.
        found: usize,
    },
    /// A roster entry that is not an X-Wing key.
    #[error("the recipient key of `{recipient}` is not a valid X-Wing key")]
    RecipientKey {
        /// Whose.
        recipient: Name,
    },
    /// The file has no copy for this recipient and key.
    #[error("this backup has no copy for `{recipient}` with this key")]
    NoCopy {
        /// Who asked.
        recipient: Name,
    },
    /// The copy does not decrypt.
    #[error("the copy for `{recipient}` was altered or moved")]
    Altered {
        /// Whose copy.
        recipient: Name,
    },
    /// The seed is another key's.
    #[error("the seed does not give the public key of `{key}`")]
    OtherKey {
        /// The key that was expected.
        key: Name,
    },
}

impl Coded for BackupError {
    fn code(&self) -> &'static str {
        match self {
            Self::Recipients { .. } => "backup.recipients",
            Self::RecipientKey { .. } => "backup.recipient_key",
            Self::NoCopy { .. } => "backup.no_copy",
            Self::Altered { .. } => "backup.altered",
            Self::OtherKey { .. } => "backup.other_key",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Recipients { .. } | Self::RecipientKey { .. } | Self::NoCopy { .. } => Blame::Caller,
            Self::Altered { .. } | Self::OtherKey { .. } => Blame::Environment,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(seed: &HdSeed) -> BackupSubject {
        BackupSubject {
            cluster: ClusterId(Digest([1; 32])),
            key: "hot".parse().unwrap(),
            purpose: Purpose::HdSeed,
            epoch: 1,
            account: seed.root().unwrap().ethereum().unwrap().public(),
        }
    }

    fn key(byte: u8) -> RecipientKey {
        RecipientKey::from_seed(&Secret::new([byte; 32])).unwrap()
    }

    #[test]
    fn d2_each_recipient_restores_and_nobody_else() {
        let seed = HdSeed::generate(&mut |b| b.fill(5));
        let (ann, bob): (Name, Name) = ("ann".parse().unwrap(), "bob".parse().unwrap());
        let people = [(ann.clone(), key(1).public()), (bob.clone(), key(2).public())];
        let file = BackupFile::write(subject(&seed), &seed, &people, &mut |b| b.fill(9)).unwrap();
        let file = BackupFile::from_document(&file.to_document()).unwrap();
        for (name, byte) in [(&ann, 1), (&bob, 2)] {
            let restored = file.restore(name, &key(byte)).unwrap();
            assert_eq!(restored.entropy().expose(), seed.entropy().expose());
        }
        let code = |result: Result<HdSeed, BackupError>| result.map(|_| ()).unwrap_err().code();
        assert_eq!(code(file.restore(&ann, &key(3))), "backup.no_copy");
        assert_eq!(code(file.restore(&bob, &key(1))), "backup.no_copy");

        let mut moved = file.clone();
        moved.subject.epoch = 2;
        assert_eq!(code(moved.restore(&ann, &key(1))), "backup.altered");
        let mut renamed = file.clone();
        renamed.copies[0].recipient = bob.clone();
        assert_eq!(code(renamed.restore(&bob, &key(1))), "backup.altered");
        let mut flipped = file;
        flipped.copies[0].ciphertext[0] ^= 1;
        assert_eq!(code(flipped.restore(&ann, &key(1))), "backup.altered");
    }

    /// One seed is two keys: which one a backup is of is bound into it.
    #[test]
    fn d2_a_backup_of_a_key_of_ml_dsa_65_restores_that_and_is_none_of_the_other_key_of_its_seed() {
        let seed = HdSeed::generate(&mut |b| b.fill(5));
        let (ann, people) = ("ann".parse().unwrap(), [("ann".parse().unwrap(), key(1).public())]);
        let account = seed.account(Purpose::MlDsa65Seed).unwrap();
        assert_eq!(
            account,
            PublicAccount::ml_dsa_65(seed.ml_dsa_65().unwrap().public().as_bytes().try_into().unwrap())
        );
        let of = |purpose, account| BackupSubject { purpose, account, ..subject(&seed) };
        let write = |subject| BackupFile::write(subject, &seed, &people, &mut |b| b.fill(9));
        let file = write(of(Purpose::MlDsa65Seed, account)).unwrap();
        assert_eq!(file.restore(&ann, &key(1)).unwrap().entropy().expose(), seed.entropy().expose());
        for (purpose, account) in [
            (Purpose::HdSeed, account),
            (Purpose::MlDsa65Seed, subject(&seed).account),
            (Purpose::ThresholdShare, account),
        ] {
            assert_eq!(write(of(purpose, account)).unwrap_err().code(), "backup.other_key");
        }
        let mut other = file;
        other.subject.purpose = Purpose::HdSeed;
        assert_eq!(other.restore(&ann, &key(1)).map(|_| ()).unwrap_err().code(), "backup.altered");
    }

    #[test]
    fn a_backup_is_of_the_key_it_names() {
        let (seed, other) = (HdSeed::generate(&mut |b| b.fill(5)), HdSeed::generate(&mut |b| b.fill(6)));
        let people = [("ann".parse().unwrap(), key(1).public())];
        let error = BackupFile::write(subject(&other), &seed, &people, &mut |b| b.fill(9)).unwrap_err();
        assert_eq!(error.code(), "backup.other_key");
        let error = BackupFile::write(subject(&seed), &seed, &[], &mut |b| b.fill(9)).unwrap_err();
        assert_eq!(error.code(), "backup.recipients");
    }
}
