//! Carries connections between nodes that cannot reach each other, blindly (specs/wire.md, "Lines").
//!
//! It offers each node lines; a node that takes one is carried to the node that it names. What passes is the two nodes' own TLS:
//! here it is bytes, of which some and their times are all that is to be seen.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keystead_base::Name;
use keystead_wire::{AnyRoad, LineRefusal, Offer, Target, WireError};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// A relay that runs. Dropped, it carries nothing more.
pub struct Relay {
    yard: Arc<Yard>,
    _offers: JoinSet<()>,
}

/// The nodes between which it carries.
struct Yard {
    nodes: BTreeMap<Name, Target>,
    carried: AtomicUsize,
}

impl Relay {
    /// Offers lines to these nodes for as long as it lives.
    #[must_use]
    pub fn start(nodes: Vec<(Name, Target)>) -> Self {
        let yard = Arc::new(Yard { nodes: nodes.into_iter().collect(), carried: AtomicUsize::new(0) });
        let mut offers = JoinSet::new();
        for name in yard.nodes.keys() {
            for _ in 0..LINES_OFFERED {
                offers.spawn(Arc::clone(&yard).offers(name.clone()));
            }
        }
        Self { yard, _offers: offers }
    }

    /// How many connections it carries right now.
    #[must_use]
    pub fn carried(&self) -> usize {
        self.yard.carried.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("carried", &self.carried()).finish_non_exhaustive()
    }
}

impl Yard {
    /// Keeps one line waiting at a node. What became of those that it called on goes on beside, and ends with this.
    async fn offers(self: Arc<Self>, name: Name) {
        let (mut carried, mut pause) = (JoinSet::new(), PAUSE);
        loop {
            while carried.try_join_next().is_some() {}
            let (full, start) = (carried.len() >= MAX_CARRIED_OF_ONE_OFFER, Instant::now());
            if let Ok(Some((caller, reached))) = self.called(&name, full).await {
                carried.spawn(Arc::clone(&self).carry(caller, reached));
                pause = BREATH;
            }
            // Otherwise the node is away, ended the line, or called whom nobody reaches.
            sleep(pause).await;
            pause = if start.elapsed() > MAX_PAUSE { PAUSE } else { MAX_PAUSE.min(pause.saturating_mul(2)) };
        }
    }

    /// Offers a line, and when it is called on connects its node with the one that it named.
    async fn called(&self, name: &Name, full: bool) -> Result<Option<(AnyRoad, TcpStream)>, WireError> {
        let target = self.nodes.get(name).ok_or(WireError::NoServer)?;
        let offer = Offer::over(Box::new(self.socket(&target.address).await?), target).await?;
        let (call, offer) = offer.called().await?;
        let reached = match (full, self.nodes.get(&call.node)) {
            (true, _) => Err(LineRefusal::Full),
            (false, Some(other)) if call.node != *name => {
                self.socket(&other.address).await.map_err(|_| LineRefusal::Unreachable)
            }
            (false, _) => Err(LineRefusal::Unknown),
        };
        match reached {
            Ok(reached) => Ok(Some((offer.join().await?, reached))),
            Err(reason) => offer.refuse(reason).await.map(|()| None),
        }
    }

    /// A socket that finds out when the other end's machine is gone: lines wait, and are silent, for long.
    async fn socket(&self, address: &str) -> Result<TcpStream, WireError> {
        let socket =
            timeout(DIAL_TIME, TcpStream::connect(address)).await.map_err(|_| WireError::Closed)??;
        socket.set_nodelay(true)?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
        SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
        Ok(socket)
    }

    /// Carries both directions until one end is done. Nothing is read that the other end has not taken.
    async fn carry(self: Arc<Self>, mut caller: AnyRoad, mut reached: TcpStream) {
        self.carried.fetch_add(1, Ordering::Relaxed);
        // How it ended the two ends know.
        let _ = copy_bidirectional(&mut caller, &mut reached).await;
        self.carried.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lines that wait at each node.
const LINES_OFFERED: usize = 2;
/// Connections that began on the lines of one of those places.
const MAX_CARRIED_OF_ONE_OFFER: usize = 16;
/// How long a node may take to accept a socket.
const DIAL_TIME: Duration = Duration::from_secs(4);
/// Before another line is offered where one came to nothing; twice as long each time.
const PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(8);
/// Before another line is offered where one is used: a node that calls without end costs so many handshakes and no more.
const BREATH: Duration = Duration::from_millis(50);
/// Of silence, until the other end is asked whether it still lives.
const KEEPALIVE: Duration = Duration::from_secs(30);
