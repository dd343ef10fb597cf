//! What a TPM gives away to be kept in a file: useless on every other machine.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Canonical;
use serde::{Deserialize, Serialize};

use crate::tpm::Pcrs;

/// A secret that one TPM opens, while its registers are as they were, for whoever has the authorization value.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TpmSeal {
    /// The registers of measured boot that it is bound to.
    pub pcrs: Pcrs,
    /// The name of the TPM's storage key: whoever answers with another one is not that TPM.
    #[serde(with = "const_hex")]
    pub parent: Vec<u8>,
    /// The index of the counter that goes with it.
    pub counter: u32,
    /// The sealed object's public area (`TPMT_PUBLIC`).
    #[serde(with = "const_hex")]
    pub public: Vec<u8>,
    /// Its private area, encrypted by the TPM (`TPM2B_PRIVATE` without its length).
    #[serde(with = "const_hex")]
    pub private: Vec<u8>,
}

impl Canonical for TpmSeal {
    const DOMAIN: &'static str = "keystead/tpm-seal/v1";
    const MAX_BYTES: usize = 4096;
}

/// An identity key that one TPM loads.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TpmKey {
    /// The name of the TPM's storage key.
    #[serde(with = "const_hex")]
    pub parent: Vec<u8>,
    /// The key's public area (`TPMT_PUBLIC`).
    #[serde(with = "const_hex")]
    pub public: Vec<u8>,
    /// Its private area, encrypted by the TPM.
    #[serde(with = "const_hex")]
    pub private: Vec<u8>,
}

impl Canonical for TpmKey {
    const DOMAIN: &'static str = "keystead/tpm-key/v1";
    const MAX_BYTES: usize = 4096;
}
