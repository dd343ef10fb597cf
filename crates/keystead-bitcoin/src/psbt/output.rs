//! What a PSBT says about an output: whose keys are said to be behind it.

use bitcoin::secp256k1::XOnlyPublicKey;

use super::field::{self, Field};
use super::input::{claim, tap_claim};
use super::{Claim, Map, PsbtError, Scope};

/// What a PSBT says about an output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    map: Map,
    claims: Vec<Claim>,
}

impl Output {
    pub(super) fn parse(map: Map, scope: Scope) -> Result<Self, PsbtError> {
        let value = |field| PsbtError::Value { scope, field };
        if map.get(field::OUT_TAP_INTERNAL_KEY).is_some_and(|it| XOnlyPublicKey::from_slice(it).is_err()) {
            return Err(value("TAP_INTERNAL_KEY"));
        }
        let paths = map.all(field::OUT_BIP32_DERIVATION).map(|(_, value)| claim(value));
        let taproot = map.all(field::OUT_TAP_BIP32_DERIVATION).map(|(_, value)| Some(tap_claim(value)?.0));
        let mut claims: Vec<Claim> = paths.collect::<Option<_>>().ok_or(value("BIP32_DERIVATION"))?;
        let taproot: Vec<Claim> = taproot.collect::<Option<_>>().ok_or(value("TAP_BIP32_DERIVATION"))?;
        claims.extend(taproot);
        Ok(Self { map, claims })
    }

    pub(crate) fn map(&self) -> &Map {
        &self.map
    }

    /// Whose keys are said to be behind it.
    #[must_use]
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// The same with one more pair.
    pub(crate) fn with(&self, field: Field, data: &[u8], value: Vec<u8>) -> Result<Self, PsbtError> {
        let mut map = self.map.clone();
        map.put(field, data, value);
        Self::parse(map, Scope::Output(0))
    }
}
