//! Accepts pinned peers and answers their requests, many at once.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use keystead_base::Name;
use tokio::io::{BufReader, BufWriter, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::frame::{self, MAX_FRAME_BYTES};
use crate::hello::{self, Greeting};
use crate::limits::MAX_QUEUED_FRAMES;
use crate::line::Line;
use crate::places::{Place, Places, Unfinished};
use crate::road::AnyRoad;
use crate::tls::Purpose;
use crate::{Hello, Identity, Limits, Pins, Refusal, Role, Stage, TransportKey, WireError, tls};

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The name that the pins gave.
    pub name: Name,
    /// The key that was proved.
    pub key: TransportKey,
    /// What it says it is.
    pub role: Role,
    /// The boot number that it says it has.
    pub boot: u64,
    /// Where it connects from.
    pub address: SocketAddr,
}

/// Answers requests. A handler that began runs to its end, even if the peer is gone by then.
pub trait Handler: Send + Sync + 'static {
    /// Gives the reply to one request; at most [`MAX_FRAME_BYTES`] less a few.
    fn handle(&self, peer: Arc<Peer>, request: Vec<u8>) -> impl Future<Output = Vec<u8>> + Send;
}

impl<F, R> Handler for F
where
    F: Fn(Arc<Peer>, Vec<u8>) -> R + Send + Sync + 'static,
    R: Future<Output = Vec<u8>> + Send,
{
    fn handle(&self, peer: Arc<Peer>, request: Vec<u8>) -> impl Future<Output = Vec<u8>> + Send {
        self(peer, request)
    }
}

/// A connection that ended badly.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Where it came from; `None` when accepting itself failed.
    pub address: Option<SocketAddr>,
    /// Whose it was, once that was proved.
    pub peer: Option<Name>,
    /// Why it ended.
    pub error: WireError,
}

/// Is told of every connection that ended badly: the shell logs it, once.
pub type Observer = Arc<dyn Fn(Fault) + Send + Sync>;

/// Takes the lines that pinned peers offer, or drops them.
pub type LineKeeper = Arc<dyn Fn(Line) + Send + Sync>;

/// A bound server, not yet answering.
pub struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    hello: Hello,
    pins: Pins,
    limits: Limits,
    observer: Observer,
    lines: Option<LineKeeper>,
    roads: Option<mpsc::Receiver<AnyRoad>>,
}

impl Server {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// [`WireError::Io`] when it cannot be bound.
    pub async fn bind(
        address: impl ToSocketAddrs,
        identity: &Identity,
        pins: Pins,
        hello: Hello,
    ) -> Result<Self, WireError> {
        let listener = TcpListener::bind(address).await?;
        let acceptor = TlsAcceptor::from(Arc::new(tls::server_config(identity, Arc::clone(&pins))?));
        let (limits, observer) = (Limits::default(), Arc::new(|_| ()));
        Ok(Self { listener, acceptor, hello, pins, limits, observer, lines: None, roads: None })
    }

    /// The same server with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same server with somebody who is told of faults.
    #[must_use]
    pub fn with_observer(self, observer: Observer) -> Self {
        Self { observer, ..self }
    }

    /// The same server with somebody who takes lines; without, nobody can offer one.
    #[must_use]
    pub fn with_lines(self, keeper: LineKeeper) -> Self {
        Self { lines: Some(keeper), ..self }
    }

    /// The same server, which also answers on roads that are opened to it elsewhere than at its socket.
    #[must_use]
    pub fn with_roads(self, roads: mpsc::Receiver<AnyRoad>) -> Self {
        Self { roads: Some(roads), ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// [`WireError::Io`] when the operating system does not say.
    pub fn address(&self) -> Result<SocketAddr, WireError> {
        Ok(self.listener.local_addr()?)
    }

    /// Answers until the future is dropped, which closes every connection.
    pub async fn serve<H: Handler>(mut self, handler: H) {
        let shared = Arc::new(Shared {
            acceptor: self.acceptor,
            hello: self.hello,
            pins: self.pins,
            limits: self.limits,
            observer: self.observer,
            lines: self.lines,
            places: Places::default(),
            handler,
        });
        let mut unfinished = Unfinished::default();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((socket, address)) => {
                        let pushed_out = unfinished.enter(shared.limits.handshakes);
                        // A socket that refuses is slower.
                        let _ = socket.set_nodelay(true);
                        let road = Box::new(socket);
                        connections.spawn(Arc::clone(&shared).connection(road, address, pushed_out));
                    }
                    Err(error) => shared.refuse_accept(error.into()).await,
                },
                road = next(&mut self.roads) => {
                    let pushed_out = unfinished.enter(shared.limits.handshakes);
                    connections.spawn(Arc::clone(&shared).connection(road, NOWHERE, pushed_out));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("listener", &self.listener).finish_non_exhaustive()
    }
}

struct Shared<H> {
    acceptor: TlsAcceptor,
    hello: Hello,
    pins: Pins,
    limits: Limits,
    observer: Observer,
    lines: Option<LineKeeper>,
    places: Places,
    handler: H,
}

type Stream = TlsStream<AnyRoad>;

/// A connection whose other end proved who it is.
struct Opened {
    stream: Stream,
    purpose: Purpose,
    peer: Arc<Peer>,
    place: Place,
}

impl<H: Handler> Shared<H> {
    async fn connection(
        self: Arc<Self>,
        road: AnyRoad,
        address: SocketAddr,
        pushed_out: oneshot::Receiver<()>,
    ) {
        let limit = self.limits.handshake;
        let opened = tokio::select! {
            opened = timeout(limit, self.open(road, address)) =>
                opened.unwrap_or(Err(WireError::Late { stage: Stage::Handshake, limit })),
            _ = pushed_out => Err(WireError::PushedOut),
        };
        let (peer, ended) = match opened {
            Ok(Opened { stream, purpose: Purpose::Calls, peer, place }) => {
                let name = peer.name.clone();
                (Some(name), Arc::clone(&self).talk(stream, peer, place).await)
            }
            // From here on it is the keeper's, who bounds how many wait.
            Ok(Opened { stream, purpose: Purpose::Line, peer, .. }) => {
                let line = Line { peer, road: Box::new(stream) };
                if let Some(keeper) = &self.lines {
                    keeper(line);
                }
                return;
            }
            Err(error) => (None, Err(error)),
        };
        if let Err(error) = ended {
            (self.observer)(Fault { address: Some(address), peer, error });
        }
    }

    async fn open(&self, road: AnyRoad, address: SocketAddr) -> Result<Opened, WireError> {
        let mut stream = self.acceptor.accept(road).await?;
        let (key, purpose) = tls::proven_key(stream.get_ref().1)?;
        if purpose == Purpose::Line && self.lines.is_none() {
            return Err(WireError::Protocol);
        }
        let admitted = self.admit(&mut stream, key, address).await;
        let greeting = match &admitted {
            Ok(_) => Greeting::Welcome(self.hello.clone()),
            Err(error) => Greeting::Refused(Refusal::of(error, &self.hello)),
        };
        hello::send(&mut stream, &greeting, self.limits.handshake).await?;
        admitted.map(|(peer, place)| Opened { stream, purpose, peer, place })
    }

    async fn admit(
        &self,
        stream: &mut Stream,
        key: TransportKey,
        address: SocketAddr,
    ) -> Result<(Arc<Peer>, Place), WireError> {
        let theirs: Hello = hello::receive(stream, self.limits.handshake).await?;
        self.hello.agrees_with(&theirs)?;
        let name = (self.pins)(&key).ok_or(WireError::Protocol)?;
        let place = self.places.take(key, &name, &self.limits)?;
        Ok((Arc::new(Peer { name, key, role: theirs.role, boot: theirs.boot, address }), place))
    }

    async fn talk(self: Arc<Self>, stream: Stream, peer: Arc<Peer>, place: Place) -> Result<(), WireError> {
        let (reader, writer) = split(stream);
        let (outbox, queue) = mpsc::channel(MAX_QUEUED_FRAMES);
        let limit = self.limits.frame;
        tokio::select! {
            read = self.read_requests(reader, peer, &place, outbox) => read,
            written = write_replies(writer, queue, limit) => written,
        }
    }

    async fn read_requests(
        self: &Arc<Self>,
        reader: ReadHalf<Stream>,
        peer: Arc<Peer>,
        place: &Place,
        outbox: mpsc::Sender<Answer>,
    ) -> Result<(), WireError> {
        let (mut reader, limit) = (BufReader::new(reader), self.limits.frame);
        while let Some(length) = self.next_length(&mut reader).await? {
            // Back-pressure: a peer with too much unanswered is not read from.
            let budget = place.reserve(length).await?;
            let (call, request) = frame::split_call(frame::read_body(&mut reader, length, limit).await?)?;
            if (self.pins)(&peer.key).as_ref() != Some(&peer.name) {
                return Err(WireError::Unpinned { peer: peer.name.clone() });
            }
            let (shared, peer, outbox) = (Arc::clone(self), Arc::clone(&peer), outbox.clone());
            tokio::spawn(async move {
                let reply = shared.handler.handle(peer, request).await;
                // The connection may have ended meanwhile.
                let _ = outbox.send(Answer { call, reply, _budget: budget }).await;
            });
        }
        Ok(())
    }

    async fn next_length(
        &self,
        reader: &mut BufReader<ReadHalf<Stream>>,
    ) -> Result<Option<usize>, WireError> {
        let idle = self.limits.idle;
        let next = timeout(idle, frame::read_length(reader, MAX_FRAME_BYTES, self.limits.frame)).await;
        next.unwrap_or(Err(WireError::Late { stage: Stage::Idle, limit: idle }))
    }

    async fn refuse_accept(&self, error: WireError) {
        (self.observer)(Fault { address: None, peer: None, error });
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

/// The next road that was opened elsewhere.
async fn next(roads: &mut Option<mpsc::Receiver<AnyRoad>>) -> AnyRoad {
    if let Some(roads) = roads
        && let Some(road) = roads.recv().await
    {
        return road;
    }
    std::future::pending().await
}

struct Answer {
    call: u64,
    reply: Vec<u8>,
    _budget: OwnedSemaphorePermit,
}

async fn write_replies(
    writer: WriteHalf<Stream>,
    mut queue: mpsc::Receiver<Answer>,
    limit: Duration,
) -> Result<(), WireError> {
    let mut writer = BufWriter::new(writer);
    while let Some(answer) = queue.recv().await {
        frame::write_call(&mut writer, answer.call, &answer.reply, limit).await?;
        if queue.is_empty() {
            frame::flush(&mut writer, limit).await?;
        }
    }
    // The reader holds a sender as long as the connection lasts.
    Ok(())
}

/// What has no address.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// How long to wait when the machine has no sockets left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
