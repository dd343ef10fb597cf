//! A document with the signature of one named member of the roster.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{
    Canonical, Digest, HybridPublicKey, HybridSignature, HybridSigner, KeyError, Name, SignatureError,
};

/// A body, who signed it, and the hybrid signature over [`signing_message`] of its digest.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed<T: Canonical> {
    /// What was signed.
    pub body: T,
    /// The member of the roster whose key it is. A device signs as `person/device` in the body;
    /// this is the name under which the key is looked up.
    pub signer: Name,
    /// Both halves, over the same message.
    pub signature: HybridSignature,
}

impl<T: Canonical> Signed<T> {
    /// Signs `body` as `signer`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the library fails to sign.
    pub fn new(body: T, signer: Name, key: &HybridSigner) -> Result<Self, KeyError> {
        let signature = key.sign(&signing_message(&body.digest()))?;
        Ok(Self { body, signer, signature })
    }

    /// Verifies the signature under `key` and gives the body's digest.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] names the half that failed.
    pub fn verify(&self, key: &HybridPublicKey) -> Result<Digest, SignatureError> {
        let digest = self.body.digest();
        key.verify(&signing_message(&digest), &self.signature)?;
        Ok(digest)
    }
}

/// What both halves sign: `keystead/signed/v1`, a zero byte, and the document's digest.
///
/// The document's own domain is inside its digest; this prefix keeps the keys from ever signing
/// bytes that another protocol (TLS, SSH, a chain) would accept.
#[must_use]
pub fn signing_message(digest: &Digest) -> Vec<u8> {
    [b"keystead/signed/v1\0".as_slice(), digest.as_bytes()].concat()
}
