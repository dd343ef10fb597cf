//! A message in fragments without end: each is small, and all together are not (A1).
//!
//! A WebSocket's message may come in any number of frames (RFC 6455, section 5.4). A server that bounds frames alone, or
//! bodies of HTTP alone, keeps what has come so far until the last one is there, and the thief's never comes.
//!
//! The product bounds the message, and hangs up at the fragment that is too many. The twin takes 64 MiB, and would take
//! as much as there is.

use keystead_coordinator::{HttpLimits, MAX_BODY_BYTES};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Loot, edge};

/// The product's.
#[must_use]
pub fn product() -> HttpLimits {
    HttpLimits { body: edge::PATIENCE, silence: edge::PATIENCE, ..HttpLimits::default() }
}

/// The naive server's: a message is as long as it is.
#[must_use]
pub fn without_bound() -> HttpLimits {
    HttpLimits { body_bytes: usize::MAX, ..product() }
}

/// Plays it.
pub async fn attack(limits: HttpLimits) -> Loot {
    let folder = tempfile::tempdir().expect("a folder");
    let server = edge::coordinator(edge::nowhere(), limits, folder.path()).await;
    let mut socket = TcpStream::connect(server.address()).await.expect("a server");
    socket.write_all(UPGRADE.as_bytes()).await.expect("an upgrade");
    let mut head = [0; 4096];
    let read = socket.read(&mut head).await.expect("an answer");
    assert!(head[..read].starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head[..read]));
    let (mut said, mut first) = (0, true);
    while said < LONG {
        if socket.write_all(&frame(first, false, &[b'x'; PIECE])).await.is_err() {
            return hung_up(said);
        }
        (said, first) = (said + PIECE, false);
    }
    // The end of it, and then a word: whoever kept everything answers it.
    for last in [frame(false, true, b""), ping()] {
        if socket.write_all(&last).await.is_err() {
            return hung_up(said);
        }
    }
    let mut answer = Vec::new();
    while !answer.windows(2).any(|it| it == [0x8a, 0x00]) {
        match socket.read_buf(&mut answer).await {
            Ok(read) if read > 0 => {}
            _ => return hung_up(said),
        }
    }
    Loot::harmed(format!("{said} bytes of a stranger's in the coordinator's memory, in one message"))
}

/// The server went away before the message had an end.
fn hung_up(said: usize) -> Loot {
    assert!(said > MAX_BODY_BYTES, "{said} bytes are a message");
    Loot::refused("http.body")
}

/// A text of so many bytes, or more of it; masked, as a client's has to be, with zeros.
fn frame(first: bool, last: bool, payload: &[u8]) -> Vec<u8> {
    let head = u8::from(last) << 7 | u8::from(first);
    let length = u64::try_from(payload.len()).expect("a length");
    [&[head, 0x80 | 127][..], &length.to_be_bytes(), &[0; 4], payload].concat()
}

/// An empty ping.
fn ping() -> Vec<u8> {
    vec![0x89, 0x80, 0, 0, 0, 0]
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";
const PIECE: usize = 64 * 1024;
const LONG: usize = 64 * 1024 * 1024;
