//! The identity key of a device, as whoever releases secrets remembers it.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Digest;
use serde::{Deserialize, Serialize};

use crate::EvidenceError;
use crate::tpm::public::IdentityPublic;

/// A P-256 key that lives in one TPM. A stored one is as good as the file that it stands in: a new one comes from
/// [`crate::tpm::CredentialChallenge::complete`] alone.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TpmIdentity {
    device: Digest,
    #[serde(with = "const_hex")]
    public: Vec<u8>,
}

impl TpmIdentity {
    pub(super) fn new(device: Digest, public: Vec<u8>) -> Self {
        Self { device, public }
    }

    /// Which TPM.
    #[must_use]
    pub fn device(&self) -> Digest {
        self.device
    }

    /// The key's public area (`TPMT_PUBLIC`).
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    pub(super) fn read(&self) -> Result<IdentityPublic, EvidenceError> {
        IdentityPublic::read(&self.public)
    }
}
