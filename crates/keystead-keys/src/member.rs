//! The secrets of a member of the roster (approver, node, service) and the file they are sealed in.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{
    Blame, Canonical, Coded, HYBRID_SEED_BYTES, HybridPublicKey, HybridSigner, Name, Secret,
};
use serde::{Deserialize, Serialize};

use crate::{
    Fill, Kdf, Purpose, RECIPIENT_SEED_BYTES, RecipientKey, RecipientPublicKey, SealError, SealLabel, Sealed,
    SealingKey,
};

/// Bytes of all secrets of a member: signing, transport, recipient.
pub const MEMBER_SECRET_BYTES: usize = HYBRID_SEED_BYTES + TRANSPORT_SEED_BYTES + RECIPIENT_SEED_BYTES;

/// What a member can do: sign (hybrid), speak (TLS), read backups (X-Wing).
pub struct MemberKey {
    name: Name,
    secrets: Secret<[u8; MEMBER_SECRET_BYTES]>,
}

impl MemberKey {
    /// Fresh secrets for `name`.
    #[must_use]
    pub fn generate(name: Name, fill: Fill<'_>) -> Self {
        let mut secrets = Secret::new([0; MEMBER_SECRET_BYTES]);
        fill(secrets.expose_mut());
        Self { name, secrets }
    }

    /// The name under which the member is enrolled.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The signer of approvals, votes and requests.
    ///
    /// # Errors
    ///
    /// [`MemberError::Library`] when the cryptographic library refuses a seed.
    pub fn signer(&self) -> Result<HybridSigner, MemberError> {
        HybridSigner::from_seed(&self.part(0)).map_err(|_| MemberError::Library)
    }

    /// The Ed25519 seed of the TLS identity.
    #[must_use]
    pub fn transport_seed(&self) -> Secret<[u8; TRANSPORT_SEED_BYTES]> {
        self.part(HYBRID_SEED_BYTES)
    }

    /// The key that reads backups.
    ///
    /// # Errors
    ///
    /// [`MemberError::Library`] when the cryptographic library refuses a seed.
    pub fn recipient(&self) -> Result<RecipientKey, MemberError> {
        let seed = self.part(HYBRID_SEED_BYTES + TRANSPORT_SEED_BYTES);
        RecipientKey::from_seed(&seed).ok_or(MemberError::Library)
    }

    /// The public side, for the roster.
    ///
    /// # Errors
    ///
    /// [`MemberError::Library`] when the cryptographic library refuses a seed.
    pub fn public(&self) -> Result<MemberPublic, MemberError> {
        let transport = Ed25519KeyPair::from_seed_unchecked(self.transport_seed().expose())
            .map_err(|_| MemberError::Library)?;
        Ok(MemberPublic {
            name: self.name.clone(),
            signing: self.signer()?.public().clone(),
            transport: transport.public_key().as_ref().try_into().map_err(|_| MemberError::Library)?,
            recipient: self.recipient()?.public(),
        })
    }

    /// Seals all secrets under `passphrase`.
    ///
    /// # Errors
    ///
    /// [`MemberError`].
    pub fn seal(&self, passphrase: &[u8], fill: Fill<'_>) -> Result<MemberKeyFile, MemberError> {
        let key = SealingKey::derive(passphrase, Kdf::new(fill))?;
        let sealed = key.seal(label(&self.name), self.secrets.expose(), fill)?;
        Ok(MemberKeyFile { public: self.public()?, sealed })
    }

    fn part<const N: usize>(&self, start: usize) -> Secret<[u8; N]> {
        let mut part = Secret::new([0; N]);
        let source = self.secrets.expose().iter().skip(start);
        part.expose_mut().iter_mut().zip(source).for_each(|(to, from)| *to = *from);
        part
    }
}

impl fmt::Debug for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberKey({})", self.name)
    }
}

/// What the roster lists of a member.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberPublic {
    /// The member's name.
    pub name: Name,
    /// Verifies approvals, votes and requests.
    pub signing: HybridPublicKey,
    /// The Ed25519 key of the TLS identity.
    #[serde(with = "const_hex")]
    pub transport: [u8; 32],
    /// Backups are encrypted to it.
    pub recipient: RecipientPublicKey,
}

impl Canonical for MemberPublic {
    const DOMAIN: &'static str = "keystead/member/v1";
}

/// A member's key file: the public side in the clear, the secrets sealed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberKeyFile {
    /// The public side, readable without the passphrase.
    pub public: MemberPublic,
    sealed: Sealed,
}

impl Canonical for MemberKeyFile {
    const DOMAIN: &'static str = "keystead/member-key/v1";
}

impl MemberKeyFile {
    /// Opens the file and checks that the public side is that of the secrets.
    ///
    /// # Errors
    ///
    /// [`MemberError`] tells a wrong passphrase, altered secrets and an altered public side apart.
    pub fn open(&self, passphrase: &[u8]) -> Result<MemberKey, MemberError> {
        let key = SealingKey::derive(passphrase, *self.sealed.kdf())?;
        let mut secrets = Secret::new([0; MEMBER_SECRET_BYTES]);
        key.open(&self.sealed, &label(&self.public.name), secrets.expose_mut())?;
        let member = MemberKey { name: self.public.name.clone(), secrets };
        if member.public()? != self.public {
            return Err(MemberError::Public { name: member.name });
        }
        Ok(member)
    }
}

fn label(name: &Name) -> SealLabel {
    SealLabel { cluster: None, name: name.clone(), purpose: Purpose::Member, epoch: 0 }
}

/// Why a member's key is not made or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// The seal.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The public side in the file is not that of the secrets.
    #[error("the public keys in the file of `{name}` are not those of its secrets")]
    Public {
        /// Whose file.
        name: Name,
    },
    /// The cryptographic library refused a seed.
    #[error("the cryptographic library refused the seed of a member's key")]
    Library,
}

impl Coded for MemberError {
    fn code(&self) -> &'static str {
        match self {
            Self::Seal(error) => error.code(),
            Self::Public { .. } => "member.public",
            Self::Library => "member.library",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Seal(error) => error.blame(),
            Self::Public { .. } | Self::Library => Blame::Environment,
        }
    }
}

const TRANSPORT_SEED_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn count(start: u8) -> impl FnMut(&mut [u8]) {
        let mut next = start;
        move |bytes: &mut [u8]| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(1);
            }
        }
    }

    #[test]
    fn a_file_opens_with_its_passphrase_and_its_own_public_side() {
        let member = MemberKey::generate("ann".parse().unwrap(), &mut count(1));
        let file = member.seal(b"correct horse", &mut count(7)).unwrap();
        let file = MemberKeyFile::from_document(&file.to_document()).unwrap();
        let again = file.open(b"correct horse").unwrap();
        assert_eq!(again.public().unwrap(), file.public);
        assert_eq!(again.transport_seed().expose()[0], 65);

        assert_eq!(file.open(b"wrong").unwrap_err().code(), "seal.passphrase");
        let mut other = file.clone();
        other.public = MemberKey::generate("ann".parse().unwrap(), &mut count(2)).public().unwrap();
        assert_eq!(other.open(b"correct horse").unwrap_err().code(), "member.public");
        let mut renamed = file;
        renamed.public.name = "bob".parse().unwrap();
        assert_eq!(renamed.open(b"correct horse").unwrap_err().code(), "seal.label");
        assert!(!format!("{again:?}").contains("41"));
    }
}
