//! A road between two programs on which every byte takes its time, as between two continents.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Listens on loopback and carries each connection to its target and back, late. Dropped, it carries nothing more.
#[derive(Debug)]
pub struct Far {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Far {
    /// To `target`, so long in each direction.
    ///
    /// # Panics
    ///
    /// Where loopback has no free port.
    pub async fn to(target: &str, one_way: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let target = target.to_owned();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Where nobody listens the client learns it by the end of its connection.
                let Ok(server) = TcpStream::connect(&target).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(carry(from_client, to_server, one_way));
                tokio::spawn(carry(from_server, to_client, one_way));
            }
        });
        Self { address, task }
    }

    /// Where it listens, as `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Each piece arrives so much later than it was sent, and behind the one before.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, one_way: Duration) {
    let (sent, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES);
    tokio::spawn(async move {
        while let Some((arrives, piece)) = under_way.recv().await {
            sleep_until(arrives).await;
            if to.write_all(&piece).await.is_err() {
                break;
            }
        }
    });
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if sent.send((Instant::now() + one_way, buffer[..read].to_vec())).await.is_err() {
            break;
        }
    }
}

/// Under way at once.
const PIECES: usize = 1024;
