//! Public keys as they stand in transactions.

use std::fmt;

use aws_lc_rs::digest::{self, SHA3_256};
use keystead_quantum::{QuantumPublicKey, Scheme};

use crate::Refusal;
use crate::reader::Reader;

/// A public key in its wire form: one byte of kind, then the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// Kind 0.
    Ed25519([u8; 32]),
    /// Kind 1: the point without its first byte.
    Secp256k1([u8; 64]),
    /// Kind 2 (NEP-645).
    MlDsa65(QuantumPublicKey),
}

impl PublicKey {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Refusal> {
        match reader.byte()? {
            0 => reader.array().map(Self::Ed25519),
            1 => reader.array().map(Self::Secp256k1),
            2 => {
                let bytes = reader.array::<ML_DSA_65_KEY_BYTES>()?;
                let key = QuantumPublicKey::from_bytes(Scheme::MlDsa65, &bytes);
                key.map(Self::MlDsa65).map_err(|_| Refusal::Truncated)
            }
            found => Err(Refusal::KeyKind { found }),
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Ed25519(_) => 0,
            Self::Secp256k1(_) => 1,
            Self::MlDsa65(_) => 2,
        });
        out.extend(self.bytes());
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => key,
            Self::Secp256k1(key) => key,
            Self::MlDsa65(key) => key.as_bytes(),
        }
    }

    /// How a node lists it among an account's keys: the key itself, or of ML-DSA-65 the SHA3-256 under NEAR's tag.
    #[must_use]
    pub fn listed(&self) -> String {
        match self {
            Self::Ed25519(_) | Self::Secp256k1(_) => self.to_string(),
            Self::MlDsa65(key) => {
                let hashed = digest::digest(&SHA3_256, &[HANDLE_TAG, key.as_bytes()].concat());
                format!("ml-dsa-65-hash:{}", bs58::encode(hashed.as_ref()).into_string())
            }
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Ed25519(_) => "ed25519",
            Self::Secp256k1(_) => "secp256k1",
            Self::MlDsa65(_) => "ml-dsa-65",
        };
        write!(f, "{kind}:{}", bs58::encode(self.bytes()).into_string())
    }
}

const HANDLE_TAG: &[u8] = b"near:ml-dsa-65-pubkey-hash:v1";
const ML_DSA_65_KEY_BYTES: usize = 1952;
