//! Reads the TPM's structures to their end, and nothing behind it.

use crate::EvidenceError;

/// What is left of a structure.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], EvidenceError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| EvidenceError::Form {
            expected: "a TPM structure",
            found: format!("{} bytes where {count} should follow", self.0.len()),
        })?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, EvidenceError> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, EvidenceError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, EvidenceError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, EvidenceError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A `TPM2B`: its length, then its bytes.
    pub(super) fn sized(&mut self) -> Result<&'a [u8], EvidenceError> {
        let length = usize::from(self.u16()?);
        self.bytes(length)
    }

    /// A number that has to be this one.
    pub(super) fn expect(&mut self, expected: &'static str, value: u16) -> Result<(), EvidenceError> {
        let found = self.u16()?;
        if found == value {
            return Ok(());
        }
        Err(EvidenceError::Form { expected, found: format!("{found:#06x}") })
    }

    pub(super) fn end(self) -> Result<(), EvidenceError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let found = format!("{} bytes behind it", self.0.len());
        Err(EvidenceError::Form { expected: "the end of a TPM structure", found })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], EvidenceError> {
        let bytes = self.bytes(N)?;
        bytes.try_into().map_err(|_| EvidenceError::Form { expected: "a TPM structure", found: String::new() })
    }
}
