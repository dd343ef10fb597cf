//! One kept connection on which many calls are in flight.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{BufReader, BufWriter, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::frame::{self, MAX_FRAME_BYTES};
use crate::hello::{self, Greeting};
use crate::limits::{MAX_CALLS, MAX_QUEUED_FRAMES};
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

/// A client of one server. Clones share the connection.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    target: Target,
    connector: TlsConnector,
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
        let config = tls::client_config(&target.identity, target.server)?;
        let connector = TlsConnector::from(Arc::new(config));
        let link = tokio::sync::Mutex::new(None);
        Ok(Self { shared: Arc::new(Shared { target, connector, link, calls: Semaphore::new(MAX_CALLS) }) })
    }

    /// A client that is connected already.
    ///
    /// # Errors
    ///
    /// [`WireError`] when the server cannot be reached, is not the pinned one, or refuses.
    pub async fn connect(target: Target) -> Result<Self, WireError> {
        let client = Self::new(target)?;
        client.shared.link().await?;
        Ok(client)
    }

    /// Sends a request and gives its reply, within [`Limits::call`].
    ///
    /// A connection that has ended is made anew first. A request whose connection ends under way is not
    /// repeated: the caller knows whether that is safe.
    ///
    /// # Errors
    ///
    /// [`WireError`] when no reply came.
    pub async fn call(&self, request: Vec<u8>) -> Result<Vec<u8>, WireError> {
        self.call_within(request, self.shared.target.limits.call).await
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
        write!(f, "Client({})", self.shared.target.address)
    }
}

impl Shared {
    async fn exchange(&self, request: Vec<u8>) -> Result<Vec<u8>, WireError> {
        let _place = self.calls.acquire().await.map_err(|_| WireError::Closed)?;
        let link = self.link().await?;
        let (call, reply) = link.replies.open()?;
        let _forget = Forget { replies: &link.replies, call };
        link.outbox.send((call, request)).await.map_err(|_| link.replies.reason())?;
        reply.await.unwrap_or_else(|_| Err(link.replies.reason()))
    }

    async fn link(&self) -> Result<Arc<Link>, WireError> {
        let mut held = self.link.lock().await;
        match held.as_ref() {
            Some(link) if !link.replies.is_closed() => Ok(Arc::clone(link)),
            _ => {
                let link = Arc::new(self.dial().await?);
                *held = Some(Arc::clone(&link));
                Ok(link)
            }
        }
    }

    async fn dial(&self) -> Result<Link, WireError> {
        let limit = self.target.limits.handshake;
        let opened = timeout(limit, self.open()).await;
        let (stream, hello) = opened.unwrap_or(Err(WireError::Late { stage: Stage::Handshake, limit }))?;
        Ok(Link::start(stream, hello, self.target.limits.frame))
    }

    async fn open(&self) -> Result<(TlsStream<TcpStream>, Hello), WireError> {
        let socket = TcpStream::connect(&self.target.address).await?;
        socket.set_nodelay(true)?;
        let mut stream = self.connector.connect(nameless(), socket).await?;
        tls::proven_key(stream.get_ref().1)?;
        let (ours, limit) = (&self.target.hello, self.target.limits.handshake);
        hello::send(&mut stream, ours, limit).await?;
        match hello::receive(&mut stream, limit).await? {
            Greeting::Welcome(theirs) => ours.agrees_with(&theirs).map(|()| (stream, theirs)),
            Greeting::Refused(reason) => Err(WireError::Refused(reason)),
        }
    }
}

/// One connection. Dropping it ends it, and every open call with it.
struct Link {
    hello: Hello,
    outbox: mpsc::Sender<(u64, Vec<u8>)>,
    replies: Arc<Replies>,
    tasks: [JoinHandle<()>; 2],
}

impl Link {
    fn start(stream: TlsStream<TcpStream>, hello: Hello, limit: Duration) -> Self {
        let (reader, writer) = split(stream);
        let (outbox, queue) = mpsc::channel(MAX_QUEUED_FRAMES);
        let replies = Arc::new(Replies::default());
        let (reads, writes) = (Arc::clone(&replies), Arc::clone(&replies));
        let tasks = [
            tokio::spawn(async move { reads.close(read_replies(reader, &reads, limit).await) }),
            tokio::spawn(async move { writes.close(write_requests(writer, queue, limit).await) }),
        ];
        Self { hello, outbox, replies, tasks }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn read_replies(
    reader: ReadHalf<TlsStream<TcpStream>>,
    replies: &Replies,
    limit: Duration,
) -> Result<(), WireError> {
    let mut reader = BufReader::new(reader);
    while let Some(length) = frame::read_length(&mut reader, MAX_FRAME_BYTES, limit).await? {
        let (call, reply) = frame::split_call(frame::read_body(&mut reader, length, limit).await?)?;
        replies.answer(call, reply)?;
    }
    Err(WireError::Closed)
}

async fn write_requests(
    writer: WriteHalf<TlsStream<TcpStream>>,
    mut queue: mpsc::Receiver<(u64, Vec<u8>)>,
    limit: Duration,
) -> Result<(), WireError> {
    let mut writer = BufWriter::new(writer);
    while let Some((call, request)) = queue.recv().await {
        frame::write_call(&mut writer, call, &request, limit).await?;
        if queue.is_empty() {
            frame::flush(&mut writer, limit).await?;
        }
    }
    Ok(())
}

type Reply = Result<Vec<u8>, WireError>;

/// The calls that wait.
#[derive(Default)]
struct Replies(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    next: u64,
    calls: HashMap<u64, oneshot::Sender<Reply>>,
    ended: Option<WireError>,
}

impl Replies {
    fn open(&self) -> Result<(u64, oneshot::Receiver<Reply>), WireError> {
        let mut waiting = self.lock();
        if let Some(reason) = &waiting.ended {
            return Err(reason.clone());
        }
        let (sender, receiver) = oneshot::channel();
        let call = waiting.next;
        waiting.next = call.saturating_add(1);
        waiting.calls.insert(call, sender);
        Ok((call, receiver))
    }

    /// A reply may come after its caller gave up; one to a call never made is the peer's fault.
    fn answer(&self, call: u64, reply: Vec<u8>) -> Result<(), WireError> {
        let mut waiting = self.lock();
        if call >= waiting.next {
            return Err(WireError::UnknownCall { found: call });
        }
        if let Some(caller) = waiting.calls.remove(&call) {
            // The caller may be gone at this very moment.
            let _ = caller.send(Ok(reply));
        }
        Ok(())
    }

    fn close(&self, ended: Result<(), WireError>) {
        let mut waiting = self.lock();
        let reason = waiting.ended.get_or_insert(ended.err().unwrap_or(WireError::Closed)).clone();
        for (_, caller) in waiting.calls.drain() {
            let _ = caller.send(Err(reason.clone()));
        }
    }

    fn reason(&self) -> WireError {
        self.lock().ended.clone().unwrap_or(WireError::Closed)
    }

    fn is_closed(&self) -> bool {
        self.lock().ended.is_some()
    }

    fn forget(&self, call: u64) {
        self.lock().calls.remove(&call);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a call whose caller stopped waiting.
struct Forget<'a> {
    replies: &'a Replies,
    call: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.replies.forget(self.call);
    }
}

/// TLS libraries want a name; it is not sent, and the server is known by its key.
fn nameless() -> ServerName<'static> {
    ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into())
}
