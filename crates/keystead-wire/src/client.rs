//! A caller: keeps one connection to a server, or to any one of several.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::frame;
use crate::hello::{self, Greeting};
use crate::limits::MAX_CALLS;
use crate::link::Link;
use crate::road::{AnyRoad, Dial, Socket};
use crate::{Hello, Identity, Limits, Stage, TransportKey, WireError, tls};

/// Whom to call, and as whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// `host:port`.
    pub address: String,
    /// The key that the server must prove.
    pub server: TransportKey,
    /// Our own key.
    pub identity: Identity,
    /// What we say of ourselves.
    pub hello: Hello,
    /// How long things may take.
    pub limits: Limits,
}

/// A client of one server, or of several of which any will do. Clones share the connection.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    servers: Vec<Server>,
    /// Which of them the connection is to, or is tried first.
    at: AtomicUsize,
    call: Duration,
    link: tokio::sync::Mutex<Option<Arc<Link>>>,
    calls: Semaphore,
}

impl Client {
    /// A client that connects with its first call.
    ///
    /// # Errors
    ///
    /// [`WireError::Tls`] when the library refuses the configuration.
    pub fn new(target: Target) -> Result<Self, WireError> {
        Self::among(vec![target])
    }

    /// A client of several servers that answer the same. It stays with one, the first at first, and goes to the
    /// next when that one cannot be reached. A call whose connection ends under way is made again at another
    /// one, so each call must be safe to make twice. The first target's [`Limits::call`] holds for all.
    ///
    /// # Errors
    ///
    /// [`WireError::NoServer`] without a target, [`WireError::Tls`] when the library refuses the configuration.
    pub fn among(targets: Vec<Target>) -> Result<Self, WireError> {
        let call = targets.first().ok_or(WireError::NoServer)?.limits.call;
        Ok(Self::of(targets.into_iter().map(Server::new).collect::<Result<_, _>>()?, call))
    }

    /// A client of one server that is reached over roads of another kind than sockets: whatever carries its bytes, the
    /// server proves the same key, and [`Target::address`] is not called.
    ///
    /// # Errors
    ///
    /// As [`Client::new`].
    pub fn over(target: Target, dial: Arc<dyn Dial>) -> Result<Self, WireError> {
        let call = target.limits.call;
        Ok(Self::of(vec![Server { dial, ..Server::new(target)? }], call))
    }

    fn of(servers: Vec<Server>, call: Duration) -> Self {
        let (at, link) = (AtomicUsize::new(0), tokio::sync::Mutex::new(None));
        let shared = Shared { servers, at, call, link, calls: Semaphore::new(MAX_CALLS) };
        Self { shared: Arc::new(shared) }
    }

    /// A client that is connected already.
    ///
    /// # Errors
    ///
    /// [`WireError`] when the server cannot be reached, is not the pinned one, or refuses.
    pub async fn connect(target: Target) -> Result<Self, WireError> {
        Self::new(target)?.connected().await
    }

    /// This client as soon as it is connected.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`], of the server that was tried last.
    pub async fn connected(self) -> Result<Self, WireError> {
        self.shared.link().await?;
        Ok(self)
    }

    /// Sends a request and gives its reply, within [`Limits::call`].
    ///
    /// A connection that has ended is made anew first. A request to a single server whose connection ends under
    /// way is not repeated: the caller knows whether that is safe.
    ///
    /// # Errors
    ///
    /// [`WireError`] when no reply came.
    pub async fn call(&self, request: Vec<u8>) -> Result<Vec<u8>, WireError> {
        self.call_within(request, self.shared.call).await
    }

    /// As [`Client::call`], with a limit of its own, for a reply that waits for something.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub async fn call_within(&self, request: Vec<u8>, limit: Duration) -> Result<Vec<u8>, WireError> {
        frame::check_message(&request)?;
        let reply = timeout(limit, self.shared.exchange(request)).await;
        reply.unwrap_or(Err(WireError::Late { stage: Stage::Call, limit }))
    }

    /// What the server said of itself, if a connection is open.
    pub async fn server_hello(&self) -> Option<Hello> {
        self.shared.link.lock().await.as_ref().map(|link| link.hello.clone())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.shared.servers.iter().map(|it| it.target.address.as_str());
        f.debug_tuple("Client").field(&addresses.collect::<Vec<_>>()).finish()
    }
}

impl Shared {
    async fn exchange(&self, mut request: Vec<u8>) -> Result<Vec<u8>, WireError> {
        let _place = self.calls.acquire().await.map_err(|_| WireError::Closed)?;
        for _ in 1..self.servers.len() {
            let again = request.clone();
            match self.link().await?.exchange(request).await {
                Err(WireError::Closed | WireError::Io(_)) => request = again,
                reply => return reply,
            }
        }
        self.link().await?.exchange(request).await
    }

    async fn link(&self) -> Result<Arc<Link>, WireError> {
        let mut held = self.link.lock().await;
        match held.as_ref() {
            Some(link) if !link.is_closed() => Ok(Arc::clone(link)),
            _ => {
                let link = Arc::new(self.dial_any().await?);
                *held = Some(Arc::clone(&link));
                Ok(link)
            }
        }
    }

    /// The one that it was, else the next that can be reached.
    async fn dial_any(&self) -> Result<Link, WireError> {
        let first = self.at.load(Ordering::Relaxed);
        let mut failure = WireError::NoServer;
        for place in (first..self.servers.len()).chain(0..first) {
            let Some(server) = self.servers.get(place) else { break };
            match server.dial().await {
                Ok(link) => {
                    self.at.store(place, Ordering::Relaxed);
                    return Ok(link);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// One server, how it is reached, and the TLS that proves it.
struct Server {
    target: Target,
    dial: Arc<dyn Dial>,
    connector: TlsConnector,
}

impl Server {
    fn new(target: Target) -> Result<Self, WireError> {
        let config = tls::client_config(&target.identity, target.server)?;
        let dial = Arc::new(Socket(target.address.clone()));
        Ok(Self { target, dial, connector: TlsConnector::from(Arc::new(config)) })
    }

    async fn dial(&self) -> Result<Link, WireError> {
        let limit = self.target.limits.handshake;
        let opened = timeout(limit, self.open()).await;
        let (stream, hello) = opened.unwrap_or(Err(WireError::Late { stage: Stage::Handshake, limit }))?;
        Ok(Link::start(stream, hello, self.target.limits.frame))
    }

    async fn open(&self) -> Result<(TlsStream<AnyRoad>, Hello), WireError> {
        let road = self.dial.dial().await?;
        let mut stream = self.connector.connect(nameless(), road).await?;
        tls::proven_key(stream.get_ref().1)?;
        let (ours, limit) = (&self.target.hello, self.target.limits.handshake);
        hello::send(&mut stream, ours, limit).await?;
        match hello::receive(&mut stream, limit).await? {
            Greeting::Welcome(theirs) => ours.agrees_with(&theirs).map(|()| (stream, theirs)),
            Greeting::Refused(reason) => Err(WireError::Refused(reason)),
        }
    }
}

/// TLS libraries want a name; it is not sent, and the server is known by its key.
fn nameless() -> ServerName<'static> {
    ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into())
}
