//! Bytes taken one after the other, and lengths in their one form (compact-u16).

use crate::MessageError;

/// What is left to read.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], MessageError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(MessageError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], MessageError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(MessageError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, MessageError> {
        self.array().map(|[byte]| byte)
    }

    /// A length of one to three bytes, seven bits in each, the lowest first; longer forms of the same are refused.
    pub(crate) fn length(&mut self) -> Result<usize, MessageError> {
        let mut length = 0_usize;
        for place in 0..MAX_LENGTH_BYTES {
            let byte = self.byte()?;
            if byte == 0 && place > 0 {
                return Err(MessageError::Length);
            }
            length |= usize::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return u16::try_from(length).map(usize::from).map_err(|_| MessageError::Length);
            }
        }
        Err(MessageError::Length)
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), MessageError> {
        match self.rest.len() {
            0 => Ok(()),
            found => Err(MessageError::Trailing { found }),
        }
    }
}

/// Writes a length; one beyond 65,535 cannot be read back, and no message here has it.
pub(crate) fn write_length(bytes: &mut Vec<u8>, length: usize) {
    let mut rest = length;
    while rest > 0x7f {
        bytes.push(u8::try_from(rest & 0x7f).unwrap_or(0) | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap_or(0));
}

const MAX_LENGTH_BYTES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s02_a_length_has_one_form() {
        for length in 0..=usize::from(u16::MAX) {
            let mut bytes = Vec::new();
            write_length(&mut bytes, length);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.length(), Ok(length));
            assert_eq!(reader.end(), Ok(()));
        }
        for alias in [&[0x80, 0x00][..], &[0xff, 0x00], &[0x80, 0x80, 0x00], &[0xff, 0xff, 0x04]] {
            assert_eq!(Reader::new(alias).length(), Err(MessageError::Length), "{alias:?}");
        }
        assert_eq!(Reader::new(&[0x80, 0x80, 0x80, 0x01]).length(), Err(MessageError::Length));
        assert_eq!(Reader::new(&[0x80]).length(), Err(MessageError::Truncated));
    }
}
