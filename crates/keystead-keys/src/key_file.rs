//! The two forms of a member's key file: all of its secrets, or all but the half of the signing key that a token has.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{CanonError, Canonical};
use serde::{Deserialize, Serialize};

use crate::{MemberError, MemberKey, MemberKeyFile, MemberPublic, Sealed};

/// The Ed25519 half of a signing key that a token made and keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHalf {
    /// What the token calls it.
    pub label: String,
    /// Its public side (RFC 8032).
    pub public: [u8; 32],
}

/// The key file of a member whose signing key is half in a token: no copy of this file, and no passphrase, signs anything.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenMemberKeyFile {
    /// The public side, readable without the passphrase.
    pub public: MemberPublic,
    /// What the token calls the Ed25519 half: printable ASCII.
    pub token: String,
    sealed: Sealed,
}

impl Canonical for TokenMemberKeyFile {
    const DOMAIN: &'static str = "keystead/member-key/v2";
}

impl TokenMemberKeyFile {
    pub(crate) fn new(public: MemberPublic, token: String, sealed: Sealed) -> Self {
        Self { public, token, sealed }
    }

    /// Opens the file and checks that the public side is that of the secrets; the token is not asked.
    ///
    /// # Errors
    ///
    /// [`MemberError`] tells a wrong passphrase, altered secrets and an altered public side apart.
    pub fn open(&self, passphrase: &[u8]) -> Result<MemberKey, MemberError> {
        MemberKey::open((&self.public, &self.sealed), Some(self.token.clone()), passphrase)
    }
}

/// A member's key file of either form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFile {
    /// All secrets.
    Whole(MemberKeyFile),
    /// All but the half that a token has.
    BesideToken(TokenMemberKeyFile),
}

impl KeyFile {
    /// Reads a document of either form.
    ///
    /// # Errors
    ///
    /// [`CanonError`].
    pub fn from_document(bytes: &[u8]) -> Result<Self, CanonError> {
        match TokenMemberKeyFile::from_document(bytes) {
            Ok(file) => Ok(Self::BesideToken(file)),
            Err(CanonError::Domain { .. }) => MemberKeyFile::from_document(bytes).map(Self::Whole),
            Err(error) => Err(error),
        }
    }

    /// Its document.
    #[must_use]
    pub fn to_document(&self) -> Vec<u8> {
        match self {
            Self::Whole(file) => file.to_document(),
            Self::BesideToken(file) => file.to_document(),
        }
    }

    /// The public side, readable without the passphrase.
    #[must_use]
    pub fn public(&self) -> &MemberPublic {
        match self {
            Self::Whole(file) => &file.public,
            Self::BesideToken(file) => &file.public,
        }
    }

    /// Opens it.
    ///
    /// # Errors
    ///
    /// [`MemberError`].
    pub fn open(&self, passphrase: &[u8]) -> Result<MemberKey, MemberError> {
        match self {
            Self::Whole(file) => file.open(passphrase),
            Self::BesideToken(file) => file.open(passphrase),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keystead_base::{ClassicalHalf, Coded as _, HybridSigner, KeyError, Secret};

    use super::*;

    /// The other half, as a token would have it.
    struct Half(HybridSigner);

    impl ClassicalHalf for Half {
        fn public(&self) -> [u8; 32] {
            *self.0.public().ed25519()
        }

        fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
            Ok(*self.0.sign(message)?.ed25519())
        }
    }

    fn half(byte: u8) -> Arc<Half> {
        Arc::new(Half(HybridSigner::from_seed(&Secret::new([byte; 64])).unwrap()))
    }

    fn beside(byte: u8) -> MemberKey {
        let (label, public) = ("keystead-log-1".to_owned(), half(byte).public());
        MemberKey::generate_beside("node-1".parse().unwrap(), TokenHalf { label, public }, &mut |it| {
            it.fill(3)
        })
    }

    #[test]
    fn a06_a_file_beside_a_token_opens_and_signs_with_the_token_alone() {
        let made = beside(7);
        let file = made.seal_beside(b"correct horse", &mut |it| it.fill(9)).unwrap();
        let read = KeyFile::from_document(&file.to_document()).unwrap();
        assert_eq!((read.public(), read.to_document()), (&file.public, file.to_document()));
        let opened = read.open(b"correct horse").unwrap();
        assert_eq!(opened.public().unwrap(), file.public);
        assert_eq!(opened.token_half().unwrap().label, "keystead-log-1");

        assert_eq!(opened.signer().unwrap_err().code(), "member.in_token");
        assert_eq!(opened.signer_beside(half(8)).unwrap_err().code(), "member.half");
        let signature = opened.signer_beside(half(7)).unwrap().sign(b"a vote").unwrap();
        file.public.signing.verify(b"a vote", &signature).unwrap();
        assert_eq!(read.open(b"wrong").unwrap_err().code(), "seal.passphrase");
    }

    /// What is sealed beside a token's half is nowhere taken for a whole key, nor a whole key for that.
    #[test]
    fn a06_neither_form_is_taken_for_the_other() {
        let (made, whole) = (beside(7), MemberKey::generate("node-1".parse().unwrap(), &mut |it| it.fill(3)));
        assert_eq!(made.seal(b"correct horse", &mut |it| it.fill(9)).unwrap_err().code(), "member.in_token");
        assert_eq!(
            whole.seal_beside(b"correct horse", &mut |it| it.fill(9)).unwrap_err().code(),
            "member.half"
        );
        let file = made.seal_beside(b"correct horse", &mut |it| it.fill(9)).unwrap();
        let as_whole =
            [b"\x16keystead/member-key/v1".to_vec(), borsh::to_vec(&(&file.public, &file.sealed)).unwrap()];
        let read = KeyFile::from_document(&as_whole.concat()).unwrap();
        assert_eq!(read.open(b"correct horse").unwrap_err().code(), "seal.label");
        let mut other = file;
        other.public = beside(8).public().unwrap();
        assert_eq!(other.open(b"correct horse").unwrap_err().code(), "member.public");
    }
}
