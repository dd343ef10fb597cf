//! Which registers of measured boot something is bound to.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::EvidenceError;

/// Registers 0 to 15 of the SHA-256 bank, at least one.
///
/// Those above can be reset while the machine runs: 16 and 23 by every program, 17 to 22 by a dynamic launch that this
/// version knows nothing of. What is bound to them opens again for whoever resets and extends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pcrs(u16);

impl Pcrs {
    /// The registers of these numbers.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::ResettablePcr`] or [`EvidenceError::Pcrs`].
    pub fn new(indices: &[u8]) -> Result<Self, EvidenceError> {
        let mut bits = 0_u16;
        for index in indices {
            bits |= bit(*index)?;
        }
        match bits {
            0 => Err(EvidenceError::Pcrs { found: "none".to_owned() }),
            bits => Ok(Self(bits)),
        }
    }

    /// The numbers, ascending.
    #[must_use]
    pub fn indices(self) -> Vec<u8> {
        (0..16).filter(|index| self.0 & (1 << index) != 0).collect()
    }

    /// The bitmap as a TPM has it: bit `n` of byte `n / 8`, three bytes.
    #[must_use]
    pub fn bitmap(self) -> [u8; 3] {
        let [low, high] = self.0.to_le_bytes();
        [low, high, 0]
    }

    /// Reads [`Self::bitmap`].
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn from_bitmap(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let set = |(at, byte): (usize, &u8)| {
            let byte = *byte;
            (0..8).filter(move |bit| byte & (1 << bit) != 0).map(move |bit| at.saturating_mul(8) + bit)
        };
        let indices = bytes.iter().enumerate().flat_map(set).map(|index| u8::try_from(index).unwrap_or(u8::MAX));
        Self::new(&indices.collect::<Vec<_>>())
    }
}

fn bit(index: u8) -> Result<u16, EvidenceError> {
    match index {
        0..=15 => Ok(1 << index),
        16 | 23 => Err(EvidenceError::ResettablePcr { index }),
        _ => Err(EvidenceError::Pcrs { found: index.to_string() }),
    }
}

impl FromStr for Pcrs {
    type Err = EvidenceError;

    /// `0,2,4,7`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let index = |part: &str| part.trim().parse::<u8>();
        let indices = text.split(',').map(index).collect::<Result<Vec<_>, _>>();
        Self::new(&indices.map_err(|_| EvidenceError::Pcrs { found: format!("{text:?}") })?)
    }
}

impl fmt::Display for Pcrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.indices().iter().map(u8::to_string).collect();
        f.write_str(&numbers.join(","))
    }
}

impl TryFrom<String> for Pcrs {
    type Error = EvidenceError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Pcrs> for String {
    fn from(pcrs: Pcrs) -> Self {
        pcrs.to_string()
    }
}

impl BorshSerialize for Pcrs {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        BorshSerialize::serialize(&self.to_string(), writer)
    }
}

impl BorshDeserialize for Pcrs {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let text = String::deserialize_reader(reader)?;
        let read = text.parse::<Self>().ok().filter(|pcrs| pcrs.to_string() == text);
        read.ok_or_else(|| borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, "no registers in their one form"))
    }
}

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;

    use super::*;

    #[test]
    fn registers_that_can_be_reset_are_refused() {
        let code = |text: &str| text.parse::<Pcrs>().map_err(|error| error.code());
        for (text, refused) in [
            ("16", "evidence.resettable_pcr"),
            ("7,23", "evidence.resettable_pcr"),
            ("17", "evidence.pcrs"),
            ("24", "evidence.pcrs"),
            ("", "evidence.pcrs"),
            ("7,", "evidence.pcrs"),
        ] {
            assert_eq!(code(text), Err(refused), "{text}");
        }
        let pcrs: Pcrs = "7, 0,14".parse().unwrap();
        assert_eq!((pcrs.to_string(), pcrs.bitmap()), ("0,7,14".to_owned(), [0x81, 0x40, 0]));
        assert_eq!(Pcrs::from_bitmap(&pcrs.bitmap()), Ok(pcrs));
        assert_eq!(Pcrs::from_bitmap(&[1, 0, 0x80]).map_err(|it| it.code()), Err("evidence.resettable_pcr"));
    }
}
