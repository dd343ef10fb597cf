//! How long and how much the other end may take.

use std::time::Duration;

/// Bounds of one connection. [`Limits::default`] has the values of the named constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// TLS handshake and hello together.
    pub handshake: Duration,
    /// From a frame's first byte to its last, in either direction.
    pub frame: Duration,
    /// From one frame's end to the next one's start, on the server's side: a peer that vanished without a
    /// word frees its place.
    pub idle: Duration,
    /// From a call to its reply.
    pub call: Duration,
    /// Handshakes at once; a further one pushes out the oldest, so that slow strangers lock nobody out.
    pub handshakes: usize,
    /// Connections of all peers.
    pub connections: usize,
    /// Connections of one peer, so that one peer cannot take every place.
    pub connections_per_peer: usize,
    /// Bytes of requests of one peer that are read and not yet answered. Each counts at least
    /// 64 KiB, which bounds their number. A peer at the bound is not read from.
    pub bytes_per_peer: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: HANDSHAKE_TIME,
            frame: FRAME_TIME,
            idle: IDLE_TIME,
            call: CALL_TIME,
            handshakes: MAX_HANDSHAKES,
            connections: MAX_CONNECTIONS,
            connections_per_peer: MAX_CONNECTIONS_PER_PEER,
            bytes_per_peer: MAX_BYTES_PER_PEER,
        }
    }
}

/// What a request counts at least.
pub(crate) const REQUEST_BYTES: u32 = 64 * 1024;
/// Calls of one client that wait for replies; a further call waits for one of them.
pub(crate) const MAX_CALLS: usize = 512;
/// Frames that wait for the socket.
pub(crate) const MAX_QUEUED_FRAMES: usize = 64;

const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
const FRAME_TIME: Duration = Duration::from_secs(10);
/// Longer than the longest wait for a request, which is silent.
const IDLE_TIME: Duration = Duration::from_secs(900);
const CALL_TIME: Duration = Duration::from_secs(60);
const MAX_HANDSHAKES: usize = 64;
const MAX_CONNECTIONS: usize = 512;
const MAX_CONNECTIONS_PER_PEER: usize = 16;
const MAX_BYTES_PER_PEER: u32 = 32 * 1024 * 1024;
