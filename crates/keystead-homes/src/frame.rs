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
    let bytes = Secret::new(borsh::to_vec(value)?);
    let found = bytes.expose().len();
    let length = u32::try_from(found).ok().filter(|_| found <= MAX_FRAME_BYTES);
    let length =
        length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a frame that is too long"))?;
    let mut frame = Secret::new(Vec::with_capacity(found + 4));
    frame.expose_mut().extend_from_slice(&length.to_le_bytes());
    frame.expose_mut().extend_from_slice(bytes.expose());
    output.write_all(frame.expose())?;
    output.flush()
}
