//! An exact, unsigned amount in an asset's smallest unit.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::U256;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount in the smallest unit of its asset (wei, token base units, micro-dollars).
///
/// Canonical bytes: 32, little-endian. JSON: a decimal string, because JSON numbers lose digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub U256);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(U256::ZERO);
    /// The largest amount; what "unlimited" is written as.
    pub const MAX: Self = Self(U256::MAX);

    /// The sum, or `None` past 2^256 − 1.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` below zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The product, or `None` past 2^256 − 1.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        self.0.checked_mul(other.0).map(Self)
    }

    /// The sum, held at the maximum: only where more means deny.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The product, held at the maximum: only where more means deny.
    #[must_use]
    pub fn saturating_mul(self, other: Self) -> Self {
        Self(self.0.saturating_mul(other.0))
    }

    /// Shows the amount with `decimals` digits after the point, trailing zeros dropped.
    ///
    /// Here and in [`Self::with_all_decimals`] alone base units become what people read.
    #[must_use]
    pub fn with_decimals(self, decimals: u8) -> String {
        let all = self.with_all_decimals(decimals);
        match all.split_once('.') {
            Some((whole, fraction)) => match fraction.trim_end_matches('0') {
                "" => whole.to_owned(),
                fraction => format!("{whole}.{fraction}"),
            },
            None => all,
        }
    }

    /// The same with every digit, so that amounts stand below each other and none hides a factor of ten.
    #[must_use]
    pub fn with_all_decimals(self, decimals: u8) -> String {
        let digits = self.0.to_string();
        let places = usize::from(decimals);
        let padded = format!("{digits:0>width$}", width = places.saturating_add(1));
        match padded.split_at(padded.len().saturating_sub(places)) {
            (whole, "") => whole.to_owned(),
            (whole, fraction) => format!("{whole}.{fraction}"),
        }
    }
}

impl From<u64> for Amount {
    fn from(value: u64) -> Self {
        Self(U256::from(value))
    }
}

impl From<u128> for Amount {
    fn from(value: u128) -> Self {
        Self(U256::from(value))
    }
}

impl From<U256> for Amount {
    fn from(value: U256) -> Self {
        Self(value)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Amount({})", self.0)
    }
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("an amount is written in decimal digits, found {text:?}"));
        }
        U256::from_str_radix(text, 10)
            .map(Self)
            .map_err(|_| format!("an amount is below 2^256, found {text:?}"))
    }
}

impl BorshSerialize for Amount {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        writer.write_all(&self.0.to_le_bytes::<32>())
    }
}

impl BorshDeserialize for Amount {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        <[u8; 32]>::deserialize_reader(reader).map(|bytes| Self(U256::from_le_bytes(bytes)))
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_string())
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <String as Deserialize>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        for (units, decimals, text) in [
            (0_u64, 18, "0"),
            (1, 18, "0.000000000000000001"),
            (1_500_000, 6, "1.5"),
            (42, 0, "42"),
            (1_000_000, 6, "1"),
        ] {
            assert_eq!(Amount::from(units).with_decimals(decimals), text);
            let all = Amount::from(units).with_all_decimals(decimals);
            assert_eq!(all.split_once('.').map_or(0, |(_, fraction)| fraction.len()), usize::from(decimals));
            assert!(all.starts_with(text), "{all}");
        }
        assert_eq!(Amount::MAX.to_string().parse(), Ok(Amount::MAX));
        assert!("1.5".parse::<Amount>().is_err());
        assert!(format!("{}0", Amount::MAX).parse::<Amount>().is_err());
    }
}
