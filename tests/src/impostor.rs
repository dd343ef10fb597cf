//! A server in the node's place: it speaks the real wire with the node's own pinned key, and lies.
//!
//! Whoever has taken a node's host, or the connection of one, holds that key. Every question is put to the
//! real node behind it, and every answer may be changed on its way back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use keystead_base::{Canonical as _, Name};
use keystead_wire::{
    Client, Hello, Identity, Limits, NodeReply, Peer, Pins, Role, Server, Target, TransportKey,
};
use tokio::task::JoinHandle;

/// What becomes of an answer on its way.
pub type Lie = Arc<dyn Fn(NodeReply) -> NodeReply + Send + Sync>;

/// A server that listens on a free port of this machine, until it is dropped.
pub struct Impostor {
    address: String,
    task: JoinHandle<()>,
}

impl Impostor {
    /// Starts one with the key of a node, in front of `behind`; it takes everybody for a known peer.
    ///
    /// # Panics
    ///
    /// When the real node cannot be reached.
    pub async fn start(identity: &Identity, behind: Target, lie: Lie) -> Self {
        let hello = Hello::new(behind.hello.cluster, Role::Node, 1);
        let real = Client::connect(behind).await.expect("a real node");
        let server = Server::bind("127.0.0.1:0", identity, everybody(), hello).await.expect("a free port");
        let address = server.address().expect("a bound address").to_string();
        let answers = move |_: Arc<Peer>, question: Vec<u8>| {
            let (real, lie) = (real.clone(), Arc::clone(&lie));
            async move {
                let answer = real.call_within(question, PATIENCE).await.expect("an answer of the real node");
                lie(NodeReply::from_document(&answer).expect("a reply")).to_document()
            }
        };
        let limits = Limits { handshake: PATIENCE, frame: PATIENCE, ..Limits::default() };
        Self { address, task: tokio::spawn(server.with_limits(limits).serve(answers)) }
    }

    /// Starts one that hands nothing on, and answers the same to everybody.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub async fn deaf(identity: &Identity, hello: Hello, says: NodeReply) -> Self {
        let server = Server::bind("127.0.0.1:0", identity, everybody(), hello).await.expect("a free port");
        let address = server.address().expect("a bound address").to_string();
        let answer = says.to_document();
        let answers = move |_: Arc<Peer>, _: Vec<u8>| {
            let answer = answer.clone();
            async move { answer }
        };
        Self { address, task: tokio::spawn(server.serve(answers)) }
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Impostor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Impostor({})", self.address)
    }
}

fn everybody() -> Pins {
    let somebody: Name = "somebody".parse().expect("a name");
    Arc::new(move |_: &TransportKey| Some(somebody.clone()))
}

const PATIENCE: Duration = Duration::from_secs(120);
