//! Borsh, taken field by field: integers are little-endian, lengths four bytes.

use crate::{AccountId, Refusal};

/// What is left to read.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Refusal::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Refusal> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Refusal> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Refusal> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self) -> Result<u128, Refusal> {
        self.array().map(u128::from_le_bytes)
    }

    /// Bytes with their length in front: no more are taken than are there.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Refusal> {
        let length = usize::try_from(self.u32()?).map_err(|_| Refusal::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Refusal::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn text(&mut self) -> Result<String, Refusal> {
        std::str::from_utf8(self.bytes()?).map(str::to_owned).map_err(|_| Refusal::Text)
    }

    pub(crate) fn account(&mut self) -> Result<AccountId, Refusal> {
        self.text()?.parse()
    }

    /// A tag that is 0 or 1.
    pub(crate) fn flag(&mut self) -> Result<bool, Refusal> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(Refusal::Tag { found }),
        }
    }

    pub(crate) fn end(self) -> Result<(), Refusal> {
        match self.rest.len() {
            0 => Ok(()),
            found => Err(Refusal::Trailing { found }),
        }
    }
}

pub(crate) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    // What was read fits into four bytes of length, and nothing here is longer than what was read.
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(bytes);
}
