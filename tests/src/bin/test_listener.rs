//! A node's wire server as a process of its own that answers with the question: its limits are the arguments.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use keystead_tests::listener;
use keystead_wire::{Limits, Peer};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let number = |at: usize| std::env::args().nth(at).and_then(|it| it.parse::<usize>().ok());
    let [seconds, handshakes] = [1, 2].map(|at| number(at).expect("seconds and handshakes"));
    let handshake = Duration::from_secs(seconds.try_into().expect("seconds"));
    let server = listener(Limits { handshake, handshakes, ..Limits::default() }).await;
    println!("listening {}", server.address().expect("a bound address"));
    std::io::stdout().flush().expect("a reader");
    server.serve(|_: Arc<Peer>, question: Vec<u8>| async move { question }).await;
}
