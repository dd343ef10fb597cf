//! A TCP proxy in user space that adds a delay each way: bytes wait in a queue until they are due, so that the
//! delay costs no throughput. It counts what it carries.
//!
//! Threads and not tasks: a task wakes on whole milliseconds, which would double a delay of one.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// What all proxies of a cluster have in common.
#[derive(Debug, Default)]
pub(crate) struct Road {
    delay_nanos: AtomicU64,
    bytes: AtomicU64,
}

impl Road {
    /// From now on bytes wait so long, each way.
    pub(crate) fn set_delay(&self, delay: Duration) {
        self.delay_nanos.store(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Bytes carried so far, both ways, TLS and answers included.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn delay(&self) -> Duration {
        Duration::from_nanos(self.delay_nanos.load(Ordering::Relaxed))
    }
}

/// Opens a proxy to `target` and gives its address. It serves for as long as this program runs.
pub(crate) fn open(target: String, road: &Arc<Road>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let road = Arc::clone(road);
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            // A target that is down looks as it would without the proxy: the connection ends.
            if let Ok(far) = TcpStream::connect(&target) {
                join(&near, &far, &road);
            }
        }
    });
    address
}

fn join(near: &TcpStream, far: &TcpStream, road: &Arc<Road>) {
    for (from, to) in [(near, far), (far, near)] {
        to.set_nodelay(true).expect("TCP_NODELAY");
        let (from, to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
        one_way(from, to, Arc::clone(road));
    }
}

/// One thread reads and says when each piece is due, the other waits and writes.
fn one_way(mut from: TcpStream, to: TcpStream, road: Arc<Road>) {
    let (queue, due) = channel();
    std::thread::spawn(move || deliver(to, &due));
    std::thread::spawn(move || {
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(count @ 1..) = from.read(&mut piece) {
            road.bytes.fetch_add(count as u64, Ordering::Relaxed);
            if queue.send((Instant::now() + road.delay(), piece[..count].to_vec())).is_err() {
                break;
            }
        }
        // Whoever writes here learns that nobody reads.
        let _ = from.shutdown(Shutdown::Both);
    });
}

fn deliver(mut to: TcpStream, pieces: &Receiver<(Instant, Vec<u8>)>) {
    for (due, piece) in pieces {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&piece).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// How long a message of `bytes` takes from one process to another and how it does so on this very machine and
/// moment: half the median round trip through a proxy with the road's delay, or without one. In nanoseconds.
pub(crate) fn message_nanos(delay: Option<Duration>) -> f64 {
    let echo = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = echo.local_addr().expect("an address");
    std::thread::spawn(move || answer(&echo));
    let road = Arc::new(Road::default());
    road.set_delay(delay.unwrap_or_default());
    let address = if delay.is_some() { open(target.to_string(), &road) } else { target };
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("TCP_NODELAY");
    let mut times: Vec<f64> = (0..ROUND_TRIPS).map(|_| round_trip(&mut stream)).collect();
    times.sort_by(f64::total_cmp);
    times[ROUND_TRIPS / 2] / 2.0
}

fn round_trip(stream: &mut TcpStream) -> f64 {
    let mut message = [7; MESSAGE_BYTES];
    let start = Instant::now();
    stream.write_all(&message).expect("a reader");
    stream.read_exact(&mut message).expect("an answer");
    start.elapsed().as_nanos() as f64
}

fn answer(echo: &TcpListener) {
    let (mut stream, _) = echo.accept().expect("a caller");
    stream.set_nodelay(true).expect("TCP_NODELAY");
    let mut message = [0; MESSAGE_BYTES];
    while stream.read_exact(&mut message).is_ok() {
        stream.write_all(&message).expect("a reader");
    }
}

/// More than a vote needs.
const PIECE_BYTES: usize = 64 * 1024;
/// About the size of a vote: its hybrid signature alone has 3,373 bytes.
const MESSAGE_BYTES: usize = 3_500;
const ROUND_TRIPS: usize = 31;
