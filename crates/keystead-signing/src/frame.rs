//! Frames between parent and enclave: four bytes of length, little-endian, and one document.

use std::io::{self, Read, Write};

use keystead_base::{Blame, CanonError, Canonical, Coded, MAX_DOCUMENT_BYTES, Secret};

/// The longest frame.
pub const MAX_FRAME_BYTES: usize = MAX_DOCUMENT_BYTES;

/// Reads one document; none at the end of the stream between two frames.
///
/// # Errors
///
/// [`FrameError`] when it is too long, cut short, or another document.
pub fn read<T: Canonical>(input: &mut impl Read) -> Result<Option<T>, FrameError> {
    let mut length = [0; 4];
    if !starts(input, &mut length)? {
        return Ok(None);
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_FRAME_BYTES {
        return Err(FrameError::TooLong { found: length });
    }
    // INVARIANT K5: some frames hold words of shares, so that none is left to whoever gets its memory next.
    let mut document = Secret::new(vec![0; length]);
    input.read_exact(document.expose_mut())?;
    Ok(Some(T::from_document(document.expose())?))
}

/// Writes one document and flushes.
///
/// # Errors
///
/// [`FrameError`] when it is too long or the stream is broken.
pub fn write<T: Canonical>(output: &mut impl Write, value: &T) -> Result<(), FrameError> {
    let found =
        T::DOMAIN.len().saturating_add(1).saturating_add(borsh::object_length(value).unwrap_or(usize::MAX));
    let length = u32::try_from(found).ok().filter(|_| found <= MAX_FRAME_BYTES);
    let length = length.ok_or(FrameError::TooLong { found })?;
    // One write: a frame costs one system call where it fits the pipe. INVARIANT K5: it is as long as it will be from the
    // beginning, so that no half-written copy stays behind, and wiped.
    let mut frame = Secret::new(Vec::with_capacity(found + length.to_le_bytes().len()));
    frame.expose_mut().extend_from_slice(&length.to_le_bytes());
    value.write_document(frame.expose_mut());
    output.write_all(frame.expose())?;
    output.flush()?;
    Ok(())
}

/// Fills `length`; false when the stream ends before its first byte.
fn starts(input: &mut impl Read, length: &mut [u8; 4]) -> io::Result<bool> {
    let mut first = [0];
    loop {
        match input.read(&mut first) {
            Ok(0) => return Ok(false),
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let (head, rest) = length.split_at_mut(1);
    head.copy_from_slice(&first);
    input.read_exact(rest)?;
    Ok(true)
}

/// Why a frame does not come across.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Longer than any frame.
    #[error("a frame has at most {MAX_FRAME_BYTES} bytes, found {found}")]
    TooLong {
        /// The length announced.
        found: usize,
    },
    /// Not the document that belongs here.
    #[error(transparent)]
    Document(#[from] CanonError),
    /// The stream broke.
    #[error("the stream between parent and enclave broke: {0}")]
    Stream(#[from] io::Error),
}

impl Coded for FrameError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "frame.too_long",
            Self::Document(error) => error.code(),
            Self::Stream(_) => "frame.stream",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::TooLong { .. } | Self::Document(_) => Blame::Peer,
            Self::Stream(_) => Blame::Environment,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hardening;

    #[test]
    fn a_frame_comes_back_and_garbage_is_an_error() {
        let mut bytes = Vec::new();
        write(&mut bytes, &Hardening::default()).unwrap();
        assert_eq!(read::<Hardening>(&mut bytes.as_slice()).unwrap(), Some(Hardening::default()));
        assert_eq!(read::<Hardening>(&mut [].as_slice()).unwrap(), None);
        let code = |bytes: &[u8]| read::<Hardening>(&mut &*bytes).unwrap_err().code();
        assert_eq!(code(&bytes[..bytes.len() - 1]), "frame.stream");
        assert_eq!(code(&bytes[..2]), "frame.stream");
        assert_eq!(code(&u32::MAX.to_le_bytes()), "frame.too_long");
        assert_eq!(code(&[1, 0, 0, 0, 9]), "canon.domain");
    }
}
