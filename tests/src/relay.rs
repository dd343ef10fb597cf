//! A relay between two programs that keeps every byte that passes, as somebody at the socket would.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Listens on loopback, carries each connection to its target and back, and remembers both directions.
///
/// Its threads end with their connections, and the listener with the process of the test.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    directions: Arc<Mutex<Vec<Direction>>>,
}

/// What one end of one connection has said so far: a secret may come in several reads.
type Direction = Arc<Mutex<Vec<u8>>>;

impl Relay {
    /// A relay to `target`, which need not listen yet.
    ///
    /// # Panics
    ///
    /// Where loopback has no free port.
    #[must_use]
    pub fn to(target: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let directions = Arc::new(Mutex::new(Vec::new()));
        let (target, kept) = (target.to_owned(), Arc::clone(&directions));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Where nobody listens the client learns it by the end of its connection.
                let Ok(server) = TcpStream::connect(&target) else { continue };
                carry(&client, &server, &kept);
                carry(&server, &client, &kept);
            }
        });
        Self { address, directions }
    }

    /// Where it listens, as `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Every direction of every connection, each for itself.
    ///
    /// # Panics
    ///
    /// When a thread of the relay has panicked.
    #[must_use]
    pub fn heard(&self) -> Vec<Vec<u8>> {
        let directions = self.directions.lock().expect("the relay goes on");
        directions.iter().map(|it| it.lock().expect("the relay goes on").clone()).collect()
    }
}

/// Carries what `from` says to `to`, on a thread of its own, until either ends.
fn carry(from: &TcpStream, to: &TcpStream, kept: &Arc<Mutex<Vec<Direction>>>) {
    let direction = Direction::default();
    kept.lock().expect("the relay goes on").push(Arc::clone(&direction));
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            direction.lock().expect("the relay goes on").extend_from_slice(&buffer[..read]);
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        // The other end may be gone already.
        let _ = to.shutdown(Shutdown::Write);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k1_both_directions_are_kept_whole() {
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let relay = Relay::to(&server.local_addr().unwrap().to_string());
        let mut client = TcpStream::connect(relay.address()).unwrap();
        client.write_all(b"a question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let (mut served, _) = server.accept().unwrap();
        let mut asked = Vec::new();
        served.read_to_end(&mut asked).unwrap();
        served.write_all(b"an answer").unwrap();
        drop(served);
        let mut answered = Vec::new();
        client.read_to_end(&mut answered).unwrap();
        assert_eq!((asked.as_slice(), answered.as_slice()), (&b"a question"[..], &b"an answer"[..]));
        assert_eq!(relay.heard(), [b"a question".to_vec(), b"an answer".to_vec()]);
    }
}
