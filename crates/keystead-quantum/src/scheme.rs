//! Which signature scheme, with its standard's sizes.

use std::fmt;
use std::str::FromStr;

use keystead_base::{Blame, Coded};

/// A scheme and parameter set of FIPS 204 or FIPS 205, in its pure form, with an empty context.
///
/// The number is the scheme's code: in canonical bytes, and as the first step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// ML-DSA-44: category 2.
    MlDsa44 = 0,
    /// ML-DSA-65: category 3.
    MlDsa65 = 1,
    /// ML-DSA-87: category 5.
    MlDsa87 = 2,
    /// SLH-DSA-SHA2-128s: category 1, rests on SHA-256 alone; slow to sign, for roots.
    SlhDsaSha2128s = 3,
}

impl Scheme {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 4] = [Self::MlDsa44, Self::MlDsa65, Self::MlDsa87, Self::SlhDsaSha2128s];

    /// The scheme's number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The standard's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
            Self::SlhDsaSha2128s => "SLH-DSA-SHA2-128s",
        }
    }

    /// Bytes of a public key (FIPS 204, table 2; FIPS 205, table 2).
    #[must_use]
    pub fn public_key_bytes(self) -> usize {
        match self {
            Self::MlDsa44 => ML_DSA_44_KEY_BYTES,
            Self::MlDsa65 => ML_DSA_65_KEY_BYTES,
            Self::MlDsa87 => ML_DSA_87_KEY_BYTES,
            Self::SlhDsaSha2128s => SLH_DSA_128_KEY_BYTES,
        }
    }

    /// Bytes of a signature.
    #[must_use]
    pub fn signature_bytes(self) -> usize {
        match self {
            Self::MlDsa44 => ML_DSA_44_SIGNATURE_BYTES,
            Self::MlDsa65 => ML_DSA_65_SIGNATURE_BYTES,
            Self::MlDsa87 => ML_DSA_87_SIGNATURE_BYTES,
            Self::SlhDsaSha2128s => SLH_DSA_128S_SIGNATURE_BYTES,
        }
    }

    /// Bytes of what a key is made of: ξ, or SK.seed, SK.prf and PK.seed in this order.
    #[must_use]
    pub fn seed_bytes(self) -> usize {
        match self {
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => ML_DSA_SEED_BYTES,
            Self::SlhDsaSha2128s => SLH_DSA_128_SEED_BYTES,
        }
    }
}

pub(crate) const ML_DSA_44_KEY_BYTES: usize = 1312;
pub(crate) const ML_DSA_65_KEY_BYTES: usize = 1952;
pub(crate) const ML_DSA_87_KEY_BYTES: usize = 2592;
pub(crate) const SLH_DSA_128_KEY_BYTES: usize = 32;
pub(crate) const ML_DSA_44_SIGNATURE_BYTES: usize = 2420;
pub(crate) const ML_DSA_65_SIGNATURE_BYTES: usize = 3309;
pub(crate) const ML_DSA_87_SIGNATURE_BYTES: usize = 4627;
pub(crate) const SLH_DSA_128S_SIGNATURE_BYTES: usize = 7856;
pub(crate) const ML_DSA_SEED_BYTES: usize = 32;
pub(crate) const SLH_DSA_128_SEED_BYTES: usize = 48;

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scheme {
    type Err = ParseSchemeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let same = |scheme: &Self| scheme.name() == text;
        Self::ALL.into_iter().find(same).ok_or_else(|| ParseSchemeError { found: text.to_owned() })
    }
}

/// A text that names no scheme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected ML-DSA-44, ML-DSA-65, ML-DSA-87 or SLH-DSA-SHA2-128s, found `{found}`")]
pub struct ParseSchemeError {
    /// The text.
    pub found: String,
}

impl Coded for ParseSchemeError {
    fn code(&self) -> &'static str {
        "quantum.scheme"
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}
