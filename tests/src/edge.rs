//! The product's servers as strangers meet them: the wire of a node, the HTTP side of a coordinator.

use std::path::Path;
use std::time::Duration;

use keystead_base::{ClusterId, Digest, Secret};
use keystead_coordinator::{Coordinator, Doors, HttpLimits, HttpServer, Settings};
use keystead_transmit::ChainView;
use keystead_wire::{Client, Handler, Hello, Identity, Limits, Role, Server, Target, WireError, pins};
use tokio::task::JoinHandle;

use crate::fixture::{CHAIN, Member, name};

/// A coordinator of the fixture's desk on a free port, with these limits; `target` is its node.
pub(crate) async fn coordinator(target: Target, limits: HttpLimits, folder: &Path) -> HttpServer {
    coordinator_behind(Doors::default(), target, None, limits, folder).await
}

/// The same before a chain.
pub(crate) async fn coordinator_of(
    target: Target,
    chain: Option<ChainView>,
    limits: HttpLimits,
    folder: &Path,
) -> HttpServer {
    coordinator_behind(Doors::default(), target, chain, limits, folder).await
}

/// The same behind doors of one's own.
pub(crate) async fn coordinator_behind(
    doors: Doors,
    target: Target,
    chain: Option<ChainView>,
    limits: HttpLimits,
    folder: &Path,
) -> HttpServer {
    let coordinator = bare_coordinator(target, chain, folder);
    let listen = ([127, 0, 0, 1], 0).into();
    let server = HttpServer::start(listen, coordinator, doors, limits).await;
    server.expect("a free port")
}

/// The coordinator alone, for a server of somebody else.
pub(crate) fn bare_coordinator(target: Target, chain: Option<ChainView>, folder: &Path) -> Coordinator {
    let settings = Settings {
        cluster: target.hello.cluster,
        service: name("desk"),
        chain: CHAIN,
        deadline: Duration::from_secs(60),
        lifetime: Duration::from_secs(3600),
        addresses_per_key: 1,
    };
    // The key of the fixture's service, once more.
    let signer = Member::new("desk", 20).signer;
    let coordinator = Coordinator::start(settings, vec![target], signer, chain, &folder.join("journal"));
    coordinator.expect("a journal")
}

/// A node's server with these limits, and the two peers that it knows: `thief` and `honest`.
pub(crate) struct Wire {
    address: String,
    task: JoinHandle<()>,
}

impl Wire {
    pub(crate) async fn start<H: Handler>(limits: Limits, handler: H) -> Self {
        let server = server(limits).await;
        let address = server.address().expect("a bound address").to_string();
        Self { address, task: tokio::spawn(server.serve(handler)) }
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self, who: Who) -> Result<Client, WireError> {
        Client::connect(target(&self.address, who, PATIENCE)).await
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A peer that the server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Thief,
    Honest,
}

/// The server, not yet answering.
///
/// # Panics
///
/// When no port is free.
pub async fn server(limits: Limits) -> Server {
    let known = [(Who::Thief, "thief"), (Who::Honest, "honest")];
    let known = pins(known.map(|(who, word)| (*identity(who).key(), name(word))));
    let server = Server::bind("127.0.0.1:0", &node(), known, hello(Role::Node)).await;
    server.expect("a free port").with_limits(limits)
}

/// How a peer reaches it, and how long it waits to be let in.
pub(crate) fn target(address: &str, who: Who, patience: Duration) -> Target {
    let limits = Limits { handshake: patience, frame: PATIENCE, call: PATIENCE, ..Limits::default() };
    let (address, server) = (address.to_owned(), *node().key());
    Target { address, server, identity: identity(who), hello: hello(Role::Service), limits }
}

/// How a coordinator reaches a node that is not there.
pub(crate) fn nowhere() -> Target {
    target("127.0.0.1:1", Who::Honest, PATIENCE)
}

fn node() -> Identity {
    seeded(1)
}

fn identity(who: Who) -> Identity {
    match who {
        Who::Thief => seeded(2),
        Who::Honest => seeded(3),
    }
}

fn seeded(byte: u8) -> Identity {
    Identity::from_seed(&Secret::new([byte; 32])).expect("a seed")
}

fn hello(role: Role) -> Hello {
    Hello::new(ClusterId(Digest([7; 32])), role, 1)
}

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
