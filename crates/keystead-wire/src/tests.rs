//! Two ends over real sockets: calls that work, and everything that is refused.

mod calls;
mod consensus;
mod handshakes;
mod lines;
mod misbehavior;
mod vectors;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use keystead_base::{ClusterId, Coded as _, Digest, Secret};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::hello::{self, Greeting};
use crate::*;

const CLUSTER: ClusterId = ClusterId(Digest([7; 32]));

fn identity(byte: u8) -> Identity {
    Identity::from_seed(&Secret::new([byte; 32])).unwrap()
}

fn server_identity() -> Identity {
    identity(1)
}

fn client_identity() -> Identity {
    identity(2)
}

fn known() -> Pins {
    pins([(*client_identity().key(), "alice".parse().unwrap()), (*identity(3).key(), "bob".parse().unwrap())])
}

fn hello(role: Role) -> Hello {
    Hello::new(CLUSTER, role, 1)
}

/// A server that echoes, and the faults that it saw.
struct Running {
    address: SocketAddr,
    faults: UnboundedReceiver<Fault>,
    task: JoinHandle<()>,
}

impl Running {
    async fn echo(limits: Limits) -> Self {
        Self::start(limits, known(), |_: Arc<Peer>, request| async move { request }).await
    }

    async fn start<H: Handler>(limits: Limits, pins: Pins, handler: H) -> Self {
        let server = Server::bind("127.0.0.1:0", &server_identity(), pins, hello(Role::Node)).await.unwrap();
        let (sender, faults) = unbounded_channel();
        let address = server.address().unwrap();
        let observer: Observer = Arc::new(move |fault| drop(sender.send(fault)));
        let serving = server.with_limits(limits).with_observer(observer).serve(handler);
        Self { address, faults, task: tokio::spawn(serving) }
    }

    fn target(&self, identity: Identity) -> Target {
        Target {
            address: self.address.to_string(),
            server: *server_identity().key(),
            identity,
            hello: hello(Role::Service),
            limits: Limits::default(),
        }
    }

    async fn client(&self) -> Client {
        Client::connect(self.target(client_identity())).await.unwrap()
    }

    async fn fault(&mut self) -> WireError {
        self.faults.recv().await.unwrap().error
    }

    /// A TLS connection on which the test speaks for itself.
    async fn raw(&self) -> TlsStream<TcpStream> {
        let config = tls::client_config(&client_identity(), *server_identity().key()).unwrap();
        let socket = TcpStream::connect(self.address).await.unwrap();
        TlsConnector::from(Arc::new(config)).connect(nameless(), socket).await.unwrap()
    }

    /// A connection that was welcomed.
    async fn welcomed(&self) -> TlsStream<TcpStream> {
        let mut stream = self.raw().await;
        hello::send(&mut stream, &hello(Role::Service), LONG).await.unwrap();
        let greeting: Greeting = hello::receive(&mut stream, LONG).await.unwrap();
        assert_eq!(greeting, Greeting::Welcome(hello(Role::Node)));
        stream
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn nameless() -> rustls::pki_types::ServerName<'static> {
    rustls::pki_types::ServerName::IpAddress(std::net::Ipv4Addr::LOCALHOST.into())
}

const LONG: Duration = Duration::from_secs(60);
/// For tests in which the other end never answers.
const SHORT: Duration = Duration::from_millis(50);
