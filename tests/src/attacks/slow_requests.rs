//! Half a request holds a whole place (A1).
//!
//! Slowloris once more, where it was first seen: at an HTTP server. The thieves want the coordinator silent
//! for an hour, and one machine of theirs sends heads that do not end and bodies that do not come.
//!
//! The product gives a head and a body their time and then hangs up; the twin waits.

use std::net::SocketAddr;
use std::time::Duration;

use keystead_coordinator::HttpLimits;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{Loot, edge, http};

/// The product's, and few places and a short time, so that the test is short.
#[must_use]
pub fn product() -> HttpLimits {
    let time = Duration::from_millis(200);
    HttpLimits { head: time, body: time, connections: 4, ..HttpLimits::default() }
}

/// The naive server's: whoever began is waited for.
#[must_use]
pub fn without_times() -> HttpLimits {
    let day = Duration::from_secs(86_400);
    HttpLimits { head: day, body: day, ..product() }
}

/// Plays it; so long an honest client waits for its answer.
pub async fn attack(limits: HttpLimits, patience: Duration) -> Loot {
    let folder = tempfile::tempdir().expect("a folder");
    let server = edge::coordinator(edge::nowhere(), limits, folder.path()).await;
    let mut strangers = Vec::new();
    for at in 0..2 * limits.connections {
        strangers.push(stranger(server.address(), at).await);
    }
    let question = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#;
    match timeout(patience, http::post(server.address(), "/", question)).await {
        Ok((200, answer)) if answer.contains("0x7a69") => Loot::refused("http.slow"),
        Ok((status, answer)) => panic!("{status} {answer}"),
        Err(_) => Loot::harmed("an honest caller is not answered"),
    }
}

/// Half a head, or a head without its body.
async fn stranger(server: SocketAddr, at: usize) -> TcpStream {
    let whole = http::request("/", r#"{"method":"eth_chainId"}"#);
    let length = if at.is_multiple_of(2) { 20 } else { whole.len() - 10 };
    let mut socket = TcpStream::connect(server).await.expect("a port that is open");
    // The server may have hung up already.
    let _ = socket.write_all(&whole.as_bytes()[..length]).await;
    socket
}
