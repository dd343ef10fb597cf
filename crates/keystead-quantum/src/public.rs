//! Public keys and signatures of any scheme, each with its scheme in front.

use aws_lc_rs::signature::{ML_DSA_44, ML_DSA_65, ML_DSA_87, UnparsedPublicKey, VerificationAlgorithm};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Canonical;
use serde::{Deserialize, Serialize};

use crate::scheme::{
    ML_DSA_44_KEY_BYTES, ML_DSA_44_SIGNATURE_BYTES, ML_DSA_65_KEY_BYTES, ML_DSA_65_SIGNATURE_BYTES,
    ML_DSA_87_KEY_BYTES, ML_DSA_87_SIGNATURE_BYTES, SLH_DSA_128_KEY_BYTES, SLH_DSA_128S_SIGNATURE_BYTES,
};
use crate::{Octets, QuantumError, Scheme, slh};

/// A public key of one scheme.
///
/// Canonical: the scheme's code, then the standard's bytes without a length. Keys are ordered as these bytes are.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub enum QuantumPublicKey {
    /// Of ML-DSA-44.
    #[serde(rename = "ml_dsa_44")]
    MlDsa44(Octets<ML_DSA_44_KEY_BYTES>),
    /// Of ML-DSA-65.
    #[serde(rename = "ml_dsa_65")]
    MlDsa65(Octets<ML_DSA_65_KEY_BYTES>),
    /// Of ML-DSA-87.
    #[serde(rename = "ml_dsa_87")]
    MlDsa87(Octets<ML_DSA_87_KEY_BYTES>),
    /// Of SLH-DSA-SHA2-128s.
    #[serde(rename = "slh_dsa_sha2_128s")]
    SlhDsaSha2128s(Octets<SLH_DSA_128_KEY_BYTES>),
}

impl QuantumPublicKey {
    /// A key from its standard's bytes.
    ///
    /// # Errors
    ///
    /// [`QuantumError::Length`].
    pub fn from_bytes(scheme: Scheme, bytes: &[u8]) -> Result<Self, QuantumError> {
        let key = match scheme {
            Scheme::MlDsa44 => Octets::from_slice(bytes).map(Self::MlDsa44),
            Scheme::MlDsa65 => Octets::from_slice(bytes).map(Self::MlDsa65),
            Scheme::MlDsa87 => Octets::from_slice(bytes).map(Self::MlDsa87),
            Scheme::SlhDsaSha2128s => Octets::from_slice(bytes).map(Self::SlhDsaSha2128s),
        };
        key.ok_or(QuantumError::Length { scheme, expected: scheme.public_key_bytes(), found: bytes.len() })
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        match self {
            Self::MlDsa44(_) => Scheme::MlDsa44,
            Self::MlDsa65(_) => Scheme::MlDsa65,
            Self::MlDsa87(_) => Scheme::MlDsa87,
            Self::SlhDsaSha2128s(_) => Scheme::SlhDsaSha2128s,
        }
    }

    /// The standard's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::MlDsa44(key) => key.as_bytes(),
            Self::MlDsa65(key) => key.as_bytes(),
            Self::MlDsa87(key) => key.as_bytes(),
            Self::SlhDsaSha2128s(key) => key.as_bytes(),
        }
    }

    /// Verifies a signature of this key over `message`: pure mode, empty context.
    ///
    /// # Errors
    ///
    /// [`QuantumError::Scheme`] or [`QuantumError::Signature`].
    pub fn verify(&self, message: &[u8], signature: &QuantumSignature) -> Result<(), QuantumError> {
        let (scheme, found) = (self.scheme(), signature.scheme());
        if scheme != found {
            return Err(QuantumError::Scheme { expected: scheme, found });
        }
        let good = match scheme {
            Scheme::MlDsa44 => verifies(&ML_DSA_44, self, message, signature),
            Scheme::MlDsa65 => verifies(&ML_DSA_65, self, message, signature),
            Scheme::MlDsa87 => verifies(&ML_DSA_87, self, message, signature),
            Scheme::SlhDsaSha2128s => slh::verifies(self.as_bytes(), message, signature.as_bytes()),
        };
        good.then_some(()).ok_or(QuantumError::Signature { scheme })
    }
}

/// The digest is the key's fingerprint, which people compare.
impl Canonical for QuantumPublicKey {
    const DOMAIN: &'static str = "keystead/quantum-key/v1";
    const MAX_BYTES: usize = 4096;
}

fn verifies(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &QuantumPublicKey,
    message: &[u8],
    signature: &QuantumSignature,
) -> bool {
    UnparsedPublicKey::new(algorithm, key.as_bytes()).verify(message, signature.as_bytes()).is_ok()
}

/// A signature of one scheme. Canonical: the scheme's code, then the standard's bytes without a length.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub enum QuantumSignature {
    /// By ML-DSA-44.
    #[serde(rename = "ml_dsa_44")]
    MlDsa44(Octets<ML_DSA_44_SIGNATURE_BYTES>),
    /// By ML-DSA-65.
    #[serde(rename = "ml_dsa_65")]
    MlDsa65(Octets<ML_DSA_65_SIGNATURE_BYTES>),
    /// By ML-DSA-87.
    #[serde(rename = "ml_dsa_87")]
    MlDsa87(Octets<ML_DSA_87_SIGNATURE_BYTES>),
    /// By SLH-DSA-SHA2-128s.
    #[serde(rename = "slh_dsa_sha2_128s")]
    SlhDsaSha2128s(Octets<SLH_DSA_128S_SIGNATURE_BYTES>),
}

impl QuantumSignature {
    /// A signature from its standard's bytes.
    ///
    /// # Errors
    ///
    /// [`QuantumError::Length`].
    pub fn from_bytes(scheme: Scheme, bytes: &[u8]) -> Result<Self, QuantumError> {
        let signature = match scheme {
            Scheme::MlDsa44 => Octets::from_slice(bytes).map(Self::MlDsa44),
            Scheme::MlDsa65 => Octets::from_slice(bytes).map(Self::MlDsa65),
            Scheme::MlDsa87 => Octets::from_slice(bytes).map(Self::MlDsa87),
            Scheme::SlhDsaSha2128s => Octets::from_slice(bytes).map(Self::SlhDsaSha2128s),
        };
        signature.ok_or(QuantumError::Length {
            scheme,
            expected: scheme.signature_bytes(),
            found: bytes.len(),
        })
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        match self {
            Self::MlDsa44(_) => Scheme::MlDsa44,
            Self::MlDsa65(_) => Scheme::MlDsa65,
            Self::MlDsa87(_) => Scheme::MlDsa87,
            Self::SlhDsaSha2128s(_) => Scheme::SlhDsaSha2128s,
        }
    }

    /// The standard's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::MlDsa44(signature) => signature.as_bytes(),
            Self::MlDsa65(signature) => signature.as_bytes(),
            Self::MlDsa87(signature) => signature.as_bytes(),
            Self::SlhDsaSha2128s(signature) => signature.as_bytes(),
        }
    }
}
