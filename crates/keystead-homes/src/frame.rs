//! Frames between a home's process and the one that started it: four bytes of length, little-endian, and one value. Each lies
//! in memory that is wiped, as secrets are wrapped and unwrapped in some.

use std::io::{self, Read, Write};

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Secret;

/// The longest frame: what is wrapped is short.
pub(crate) const MAX_FRAME_BYTES: usize = 64 * 1024;

/// Reads one value; none at the end of the stream between two frames.
pub(crate) fn read<T: BorshDeserialize>(input: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    let mut filled = 0;
    while filled < length.len() {
        let (_, rest) = length.split_at_mut(filled);
        match input.read(rest) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_FRAME_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame that is too long"));
    }
    let mut bytes = Secret::new(vec![0; length]);
    input.read_exact(bytes.expose_mut())?;
    borsh::from_slice(bytes.expose()).map(Some)
}

/// Writes one value.
pub(crate) fn write<T: BorshSerialize>(output: &mut impl Write, value: &T) -> io::Result<()> {
    let frame = encode(value)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a frame that is too long"))?;
    send(output, &frame)
}

/// The frame of one value; none where it is too long. Its buffer never grows, so that no copy of a secret is left behind.
pub(crate) fn encode<T: BorshSerialize>(value: &T) -> Option<Secret<Vec<u8>>> {
    let mut frame = Secret::new(Vec::with_capacity(MAX_FRAME_BYTES + 4));
    frame.expose_mut().extend_from_slice(&[0; 4]);
    let mut rest = Bounded { frame: frame.expose_mut() };
    value.serialize(&mut rest).ok()?;
    let length = u32::try_from(frame.expose().len().checked_sub(4)?).ok()?;
    frame.expose_mut().get_mut(..4)?.copy_from_slice(&length.to_le_bytes());
    Some(frame)
}

/// Sends a frame.
pub(crate) fn send(output: &mut impl Write, frame: &Secret<Vec<u8>>) -> io::Result<()> {
    output.write_all(frame.expose())?;
    output.flush()
}

/// As long as a frame, and no longer.
struct Bounded<'a> {
    frame: &'a mut Vec<u8>,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.frame.len() + bytes.len() <= self.frame.capacity() {
            true => self.frame.write(bytes),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
