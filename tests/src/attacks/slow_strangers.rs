//! Strangers knock, and say nothing (A1).
//!
//! Slowloris, 2009: one laptop opens connections, begins on each of them, and never comes to an end. Servers
//! that give every caller the time it asks for have no place left for the others.
//!
//! Two hundred strangers without a key connect to a node's port: a third is silent, a third sends garbage
//! that begins like TLS, a third half a handshake. The server is a process with few file descriptors, as every
//! process has a number of them. The product lets the newest handshake push out the oldest; the twin waits for
//! all of them.

use std::time::Duration;

use keystead_wire::{Client, Limits};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::edge::{self, Who};
use crate::{Loot, Service, binary};

/// The product's: a handshake has a time, and so many of them are under way.
#[must_use]
pub fn product() -> Limits {
    Limits { handshakes: 16, ..Limits::default() }
}

/// The naive server's: whoever knocks is waited for.
#[must_use]
pub fn waiting_for_all() -> Limits {
    Limits { handshake: Duration::from_secs(86_400), handshakes: usize::MAX, ..product() }
}

/// Plays it; so long an honest client waits to be let in.
pub async fn attack(limits: Limits, patience: Duration) -> Loot {
    let (_server, address) = listener(limits);
    let mut strangers = Vec::new();
    for words in [b"".as_slice(), b"\x16\x03\x01\xff\xffgarbage", b"\x16\x03\x01\x02\x00\x01\x00"]
        .into_iter()
        .cycle()
        .take(STRANGERS)
    {
        let mut stranger = TcpStream::connect(&address).await.expect("a port that is open");
        // The server may have hung up already.
        let _ = stranger.write_all(words).await;
        strangers.push(stranger);
    }
    match Client::connect(edge::target(&address, Who::Honest, patience)).await {
        Ok(client) => {
            assert_eq!(client.call(b"in".to_vec()).await, Ok(b"in".to_vec()));
            Loot::refused("wire.pushed_out")
        }
        Err(error) => Loot::harmed(format!("an honest client is not let in: {error}")),
    }
}

/// The server in a process that may open sixty-four files.
fn listener(limits: Limits) -> (Service, String) {
    let folder = tempfile::tempdir().expect("a folder").keep();
    let program = binary("test_listener").display().to_string();
    let (seconds, handshakes) = (limits.handshake.as_secs(), limits.handshakes);
    let script = format!("ulimit -n 64; exec {program} {seconds} {handshakes}");
    let service = Service::start(&folder, &["sh", "-c", &script], "listening");
    let address = service.ready_line().split(' ').next_back().expect("an address").to_owned();
    (service, address)
}

const STRANGERS: usize = 200;
