//! Frames: `u32 length, big-endian || bytes`. After the hello the bytes are `u64 call, big-endian || message`.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::{Stage, WireError};

/// The longest frame: the longest document, and room for the call's number.
pub const MAX_FRAME_BYTES: usize = keystead_base::MAX_DOCUMENT_BYTES + 1024;
/// The longest frame before both ends know each other.
pub const MAX_HELLO_BYTES: usize = 1024;

const LENGTH_BYTES: usize = 4;
const CALL_BYTES: usize = 8;

/// Reads the next frame's length, however long the peer stays silent before it; `None` at a clean end.
///
/// # Errors
///
/// [`WireError`] when the length exceeds `limit`, or its bytes are late or cut short.
pub async fn read_length<R: AsyncRead + Unpin>(
    reader: &mut R,
    limit: usize,
    within: Duration,
) -> Result<Option<usize>, WireError> {
    let mut first = [0; 1];
    match reader.read(&mut first).await {
        Ok(0) => return Ok(None),
        Ok(_) => {}
        // A process that ends says no farewell; between two frames nothing is lost by that.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let mut rest = [0; LENGTH_BYTES - 1];
    let [a] = first;
    timely(within, Stage::Reading, reader.read_exact(&mut rest)).await?;
    let [b, c, d] = rest;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    match length > limit {
        true => Err(WireError::FrameTooLong { limit, found: length }),
        false => Ok(Some(length)),
    }
}

/// Reads a frame's bytes.
///
/// # Errors
///
/// [`WireError`] when they are late or cut short.
pub async fn read_body<R: AsyncRead + Unpin>(
    reader: &mut R,
    length: usize,
    within: Duration,
) -> Result<Vec<u8>, WireError> {
    let mut bytes = vec![0; length];
    timely(within, Stage::Reading, reader.read_exact(&mut bytes)).await?;
    Ok(bytes)
}

/// Writes a frame of these parts.
pub(crate) async fn write<W: AsyncWrite + Unpin>(
    writer: &mut W,
    parts: &[&[u8]],
    within: Duration,
) -> Result<(), WireError> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let announced = check_length(length)?;
    let bytes = async {
        writer.write_all(&announced.to_be_bytes()).await?;
        for part in parts {
            writer.write_all(part).await?;
        }
        Ok(())
    };
    timely(within, Stage::Writing, bytes).await
}

/// Pushes what was written out to the peer.
pub(crate) async fn flush<W: AsyncWrite + Unpin>(writer: &mut W, within: Duration) -> Result<(), WireError> {
    timely(within, Stage::Writing, writer.flush()).await
}

/// Writes a message of a call.
pub(crate) async fn write_call<W: AsyncWrite + Unpin>(
    writer: &mut W,
    call: u64,
    message: &[u8],
    within: Duration,
) -> Result<(), WireError> {
    write(writer, &[&call.to_be_bytes(), message], within).await
}

/// Takes a frame's bytes apart into the call's number and the message.
///
/// # Errors
///
/// [`WireError::FrameTooShort`] when there is no number.
pub fn split_call(mut frame: Vec<u8>) -> Result<(u64, Vec<u8>), WireError> {
    let Some(call) = frame.first_chunk::<CALL_BYTES>() else {
        return Err(WireError::FrameTooShort { found: frame.len() });
    };
    let call = u64::from_be_bytes(*call);
    frame.drain(..CALL_BYTES);
    Ok((call, frame))
}

/// Whether a message fits a frame.
pub(crate) fn check_message(message: &[u8]) -> Result<(), WireError> {
    check_length(message.len().saturating_add(CALL_BYTES)).map(|_| ())
}

fn check_length(length: usize) -> Result<u32, WireError> {
    let too_long = WireError::FrameTooLong { limit: MAX_FRAME_BYTES, found: length };
    if length > MAX_FRAME_BYTES {
        return Err(too_long);
    }
    u32::try_from(length).map_err(|_| too_long)
}

async fn timely<T>(
    limit: Duration,
    stage: Stage,
    work: impl Future<Output = std::io::Result<T>>,
) -> Result<T, WireError> {
    match timeout(limit, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(WireError::Late { stage, limit }),
    }
}
