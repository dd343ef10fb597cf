//! The secrets of a member of the roster (approver, node, service) and the file they are sealed in.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{
    Blame, Canonical, ClassicalHalf, Coded, HYBRID_SEED_BYTES, HybridPublicKey, HybridSigner, KeyError, Name,
    Secret,
};
use serde::{Deserialize, Serialize};

use crate::{
    Fill, Kdf, Purpose, RECIPIENT_SEED_BYTES, RecipientKey, RecipientPublicKey, SealError, SealLabel, Sealed,
    SealingKey, TokenHalf, TokenMemberKeyFile,
};

/// Bytes of all secrets of a member: signing, transport, recipient.
pub const MEMBER_SECRET_BYTES: usize = HYBRID_SEED_BYTES + TRANSPORT_SEED_BYTES + RECIPIENT_SEED_BYTES;

/// What a member can do: sign (hybrid), speak (TLS), read backups (X-Wing).
pub struct MemberKey {
    name: Name,
    /// Where a token has the Ed25519 half of the signing key, its public side stands in the place of its seed.
    secrets: Secret<[u8; MEMBER_SECRET_BYTES]>,
    token: Option<String>,
}

impl MemberKey {
    /// Fresh secrets for `name`.
    #[must_use]
    pub fn generate(name: Name, fill: Fill<'_>) -> Self {
        let mut secrets = Secret::new([0; MEMBER_SECRET_BYTES]);
        fill(secrets.expose_mut());
        Self { name, secrets, token: None }
    }

    /// Fresh secrets for `name`, but for the Ed25519 half of its signing key: that was born in a token, and stays there.
    #[must_use]
    pub fn generate_beside(name: Name, half: TokenHalf, fill: Fill<'_>) -> Self {
        let mut key = Self::generate(name, fill);
        key.secrets.expose_mut().iter_mut().zip(half.public).for_each(|(to, from)| *to = from);
        Self { token: Some(half.label), ..key }
    }

    /// The name under which the member is enrolled.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Where the Ed25519 half of the signing key is, if it is in a token.
    #[must_use]
    pub fn token_half(&self) -> Option<TokenHalf> {
        self.token.clone().map(|label| TokenHalf { label, public: *self.part(0).expose() })
    }

    /// The signer of approvals, votes and requests, where all of it is here.
    ///
    /// # Errors
    ///
    /// [`MemberError::Library`] when the cryptographic library refuses a seed, [`MemberError::InToken`] when a token has half of
    /// it.
    pub fn signer(&self) -> Result<HybridSigner, MemberError> {
        match &self.token {
            None => HybridSigner::from_seed(&self.part(0)).map_err(|_| MemberError::Library),
            Some(label) => Err(MemberError::InToken { name: self.name.clone(), label: label.clone() }),
        }
    }

    /// The signer of a key of which a token has half.
    ///
    /// # Errors
    ///
    /// [`MemberError::Library`] when the cryptographic library refuses a seed, [`MemberError::Half`] when that is no half of
    /// this key.
    pub fn signer_beside(&self, half: Arc<dyn ClassicalHalf>) -> Result<HybridSigner, MemberError> {
        let fits = self.token_half().is_some_and(|it| it.public == half.public());
        if !fits {
            return Err(MemberError::Half { name: self.name.clone() });
        }
        HybridSigner::from_halves(half, &self.part(ED25519_SEED_BYTES)).map_err(|_| MemberError::Library)
    }

    /// The public side of the signing key; no token is asked for it.
    fn signing(&self) -> Result<HybridPublicKey, MemberError> {
        match self.token_half() {
            None => Ok(self.signer()?.public().clone()),
            Some(half) => Ok(self.signer_beside(Arc::new(OutOfReach(half.public)))?.public().clone()),
        }
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
            signing: self.signing()?,
            transport: transport.public_key().as_ref().try_into().map_err(|_| MemberError::Library)?,
            recipient: self.recipient()?.public(),
        })
    }

    /// Seals all secrets under `passphrase`.
    ///
    /// # Errors
    ///
    /// [`MemberError`]; a key of which a token has half is sealed by [`Self::seal_beside`].
    pub fn seal(&self, passphrase: &[u8], fill: Fill<'_>) -> Result<MemberKeyFile, MemberError> {
        self.signer()?;
        let sealed = self.sealed(Purpose::Member, passphrase, fill)?;
        Ok(MemberKeyFile { public: self.public()?, sealed })
    }

    /// Seals what is not in the token.
    ///
    /// # Errors
    ///
    /// [`MemberError`]; a key that is whole is sealed by [`Self::seal`].
    pub fn seal_beside(&self, passphrase: &[u8], fill: Fill<'_>) -> Result<TokenMemberKeyFile, MemberError> {
        let token = self.token.clone().ok_or_else(|| MemberError::Half { name: self.name.clone() })?;
        let sealed = self.sealed(Purpose::MemberBesideToken, passphrase, fill)?;
        Ok(TokenMemberKeyFile::new(self.public()?, token, sealed))
    }

    fn sealed(&self, purpose: Purpose, passphrase: &[u8], fill: Fill<'_>) -> Result<Sealed, MemberError> {
        let key = SealingKey::derive(passphrase, Kdf::new(fill))?;
        Ok(key.seal(label(&self.name, purpose), self.secrets.expose(), fill)?)
    }

    /// What both forms of key files have in common.
    pub(crate) fn open(
        (public, sealed): (&MemberPublic, &Sealed),
        token: Option<String>,
        passphrase: &[u8],
    ) -> Result<Self, MemberError> {
        let purpose = if token.is_some() { Purpose::MemberBesideToken } else { Purpose::Member };
        let key = SealingKey::derive(passphrase, *sealed.kdf())?;
        let mut secrets = Secret::new([0; MEMBER_SECRET_BYTES]);
        key.open(sealed, &label(&public.name, purpose), secrets.expose_mut())?;
        let member = Self { name: public.name.clone(), secrets, token };
        if member.public()? != *public {
            return Err(MemberError::Public { name: member.name });
        }
        Ok(member)
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
        MemberKey::open((&self.public, &self.sealed), None, passphrase)
    }
}

/// The half of a token that nobody asks: for the public side alone.
struct OutOfReach([u8; 32]);

impl ClassicalHalf for OutOfReach {
    fn public(&self) -> [u8; 32] {
        self.0
    }

    fn sign(&self, _: &[u8]) -> Result<[u8; 64], KeyError> {
        Err(KeyError::Away)
    }

    fn is_there(&self) -> bool {
        false
    }
}

fn label(name: &Name, purpose: Purpose) -> SealLabel {
    SealLabel { cluster: None, name: name.clone(), purpose, epoch: 0 }
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
    /// A token has half of the key.
    #[error(
        "half of the signing key of `{name}` is `{label}` in a token; name that token: `[node.member.token]` of the node's \
         keystead.toml, or --node-token FILE"
    )]
    InToken {
        /// Whose key.
        name: Name,
        /// What the token calls its half.
        label: String,
    },
    /// A token is named for a key that it has no half of.
    #[error(
        "the token that is named has no half of the signing key of `{name}`; name the token in which it was made, and none \
         for a key that is whole"
    )]
    Half {
        /// Whose key.
        name: Name,
    },
}

impl Coded for MemberError {
    fn code(&self) -> &'static str {
        match self {
            Self::Seal(error) => error.code(),
            Self::Public { .. } => "member.public",
            Self::Library => "member.library",
            Self::InToken { .. } => "member.in_token",
            Self::Half { .. } => "member.half",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Seal(error) => error.blame(),
            Self::Public { .. } | Self::Library | Self::InToken { .. } | Self::Half { .. } => {
                Blame::Environment
            }
        }
    }
}

const ED25519_SEED_BYTES: usize = 32;
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
