//! Kept connections to the other nodes: bounded queues, batches, and many calls in flight.
//!
//! A message that finds its queue full is lost; the consensus says everything again that matters.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use keystead_base::{Canonical as _, Name};
use keystead_nats::Broker;
use keystead_policy::{Roster, Service, TransportKey};
use keystead_wire::{
    Client, Dial, Identity, Limits, Line, Lines, MAX_FRAME_BYTES, MAX_PEER_MESSAGES, NodeRequest, OverLines,
    PeerMessage, Refused, Target, WireError,
};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::PeerConfig;
use crate::replica::Heard;
use crate::shared::Shared;
use crate::{Event, NodeError, clock, health};

/// The queues to the other nodes, and the connections that are open.
#[derive(Debug)]
pub(crate) struct Peers {
    queues: Mutex<BTreeMap<Name, Sender>>,
    open: Mutex<BTreeMap<Name, Open>>,
    /// Offered by coordinators, for nodes that this one does not reach itself.
    lines: Lines,
    /// Carries connections, too.
    broker: OnceLock<Broker>,
    newcomers: mpsc::Sender<Queue>,
    /// The port that this node listens at.
    port: OnceLock<u16>,
}

/// A connection that is open.
#[derive(Clone, Debug)]
struct Open {
    /// The key that its other end proved.
    key: TransportKey,
    client: Client,
    /// Who carries it.
    relay: Option<Name>,
}

/// This end of a queue.
#[derive(Debug)]
struct Sender {
    messages: mpsc::Sender<Vec<u8>>,
    calls_from: watch::Sender<Option<SocketAddr>>,
}

/// The other end of a queue, before its connection is kept.
#[derive(Debug)]
pub(crate) struct Queue {
    name: Name,
    /// Where the operator says that it listens.
    configured: Option<String>,
    /// Where it said itself that it can be reached.
    calls_from: watch::Receiver<Option<SocketAddr>>,
    messages: mpsc::Receiver<Vec<u8>>,
}

/// The queues whose connections are to be kept: those of the configuration, and those that come later.
pub(crate) type Queues = mpsc::Receiver<Queue>;

impl Peers {
    /// A queue for each peer but this node.
    pub(crate) fn new(peers: &[PeerConfig], me: &Name) -> (Self, Queues) {
        let (newcomers, queues) = mpsc::channel(MAX_NEWCOMERS);
        let (queues_to, open) = (Mutex::default(), Mutex::default());
        let this = Self {
            queues: queues_to,
            open,
            lines: Lines::default(),
            broker: OnceLock::new(),
            newcomers,
            port: OnceLock::new(),
        };
        for peer in peers.iter().filter(|it| it.name != *me) {
            this.line_to(&mut this.queues(), &peer.name, Some(peer.address.clone()));
        }
        (this, queues)
    }

    fn line_to(&self, queues: &mut BTreeMap<Name, Sender>, name: &Name, configured: Option<String>) {
        let (sender, messages) = mpsc::channel(MAX_QUEUED);
        let (told, calls_from) = watch::channel(None);
        let queue = Queue { name: name.clone(), configured, calls_from, messages };
        // Too many at once, which no roster allows: they say again where they can be reached.
        if self.newcomers.try_send(queue).is_ok() {
            queues.insert(name.clone(), Sender { messages: sender, calls_from: told });
        }
    }

    /// A node of the roster said where it can be reached. Whoever answers there has to prove its key.
    pub(crate) fn calls_from(&self, node: &Name, address: SocketAddr) {
        let mut queues = self.queues();
        if !queues.contains_key(node) {
            self.line_to(&mut queues, node, None);
        }
        if let Some(line) = queues.get(node) {
            line.calls_from.send_replace(Some(address));
        }
    }

    /// This node listens at this port.
    pub(crate) fn listens_at(&self, port: u16) {
        // Said once, when the server is bound.
        let _ = self.port.set(port);
    }

    /// Clients of the nodes that can be reached.
    pub(crate) fn reachable(&self) -> Vec<Client> {
        self.open().values().map(|it| it.client.clone()).collect()
    }

    /// Those of this roster: also while connections of the one before are still open.
    pub(crate) fn reachable_of(&self, roster: &Roster) -> Vec<Client> {
        let open = self.open();
        let sits =
            |(name, it): &(&Name, &Open)| roster.node(name).is_some_and(|node| node.transport == it.key);
        open.iter().filter(sits).map(|(_, it)| it.client.clone()).collect()
    }

    /// The names of the nodes that can be reached.
    pub(crate) fn reachable_names(&self) -> BTreeSet<Name> {
        self.open().keys().cloned().collect()
    }

    /// Nodes that sockets do not reach are reached over this broker.
    pub(crate) fn at_broker(&self, broker: Broker) {
        // Said once, when the server is bound.
        drop(self.broker.set(broker));
    }

    /// Who carries the connection to a node, where it is open and not a direct one.
    pub(crate) fn relay_to(&self, node: &Name) -> Option<Name> {
        self.open().get(node).and_then(|it| it.relay.clone())
    }

    /// Keeps a line that was offered, if a service of this roster offers it.
    pub(crate) fn offered(&self, line: Line, roster: &Roster) {
        let sits = |it: &Service| it.name == line.peer.name && it.transport.0.0 == line.peer.key;
        if roster.services.iter().any(sits) {
            self.lines.park(line);
        }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<Name, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queues(&self) -> MutexGuard<'_, BTreeMap<Name, Sender>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a document to some of them.
    pub(crate) fn send(&self, to: &BTreeSet<Name>, document: &[u8]) {
        for name in to {
            self.send_one(name, document.to_vec());
        }
    }

    /// Hands a document to one of them.
    pub(crate) fn send_one(&self, to: &Name, document: Vec<u8>) {
        if let Some(line) = self.queues().get(to) {
            // Full or closed: lost, as on any network.
            let _ = line.messages.try_send(document);
        }
    }
}

impl Queue {
    /// Where it may listen: where the operator said, and where the node said.
    fn addresses(&self) -> Vec<String> {
        let told = self.calls_from.borrow().map(|it| it.to_string());
        let mut known = self.configured.iter().cloned().chain(told).collect::<Vec<_>>();
        known.dedup();
        known.retain(|it| it != BROKER_ALONE);
        known
    }

    /// How to call at the next try: each address by turns, then the broker, and then whoever offers to carry.
    fn way(&self, tries: usize, brokered: bool, carried: bool) -> Option<Way> {
        let direct = self.addresses().into_iter().map(Way::Direct);
        let broker = brokered.then_some(Way::Brokered);
        let ways = direct.chain(broker).chain(carried.then_some(Way::Relayed)).collect::<Vec<_>>();
        let turn = tries.checked_rem(ways.len())?;
        ways.into_iter().nth(turn)
    }
}

/// One way to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// To an address.
    Direct(String),
    /// Over the broker.
    Brokered,
    /// Over a line.
    Relayed,
}

/// Keeps the connections to all nodes for as long as this node runs.
pub(crate) async fn keep_all(
    shared: Arc<Shared>,
    identity: Identity,
    mut queues: Queues,
    mut stop: watch::Receiver<bool>,
) -> Result<(), NodeError> {
    // Dropped with this stage, they end.
    let mut kept = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            Some(queue) = queues.recv() => {
                kept.spawn(keep(Arc::clone(&shared), identity.clone(), queue));
            }
            Some(ended) = kept.join_next() => ended.map_err(|_| NodeError::Stage { stage: "connection to a node" })?,
        }
    }
}

async fn keep(shared: Arc<Shared>, identity: Identity, mut queue: Queue) {
    let mut reachable = None;
    for tries in 0.. {
        let ended = serve(&shared, &identity, &mut queue, tries, &mut reachable).await;
        if let Err(error) = ended
            && reachable != Some(false)
        {
            reachable = Some(false);
            let refused = Refused::of(&error);
            shared.event(Event::Unreachable { node: queue.name.clone(), refused });
        }
        // What was meant for a node that is away is stale when it comes back.
        while queue.messages.try_recv().is_ok() {}
        sleep(PAUSE).await;
    }
}

async fn serve(
    shared: &Arc<Shared>,
    identity: &Identity,
    queue: &mut Queue,
    tries: usize,
    reachable: &mut Option<bool>,
) -> Result<(), WireError> {
    let name = queue.name.clone();
    let server = shared.state().roster().node(&name).map(|it| it.transport);
    let way = queue.way(tries, shared.peers.broker.get().is_some(), shared.peers.lines.any());
    let (Some(server), Some(way)) = (server, way) else { return Err(WireError::Closed) };
    let to = |address: String| target(shared, identity, server, address);
    let (client, relay) = match way {
        Way::Direct(address) => (Client::connect(to(address)).await?, None),
        Way::Brokered => at_broker(shared, to(String::new()), &name).await?,
        Way::Relayed => through(shared, to(String::new()), &name).await?,
    };
    if *reachable != Some(true) {
        *reachable = Some(true);
        shared.event(Event::Connected { node: name.clone(), relay: relay.clone() });
    }
    let open = Open { key: server, client: client.clone(), relay: relay.clone() };
    let boot = client.server_hello().await.map(|it| it.boot).unwrap_or_default();
    shared.health.found(&name, boot, clock::now());
    shared.peers.open().insert(name.clone(), open);
    // Of a connection that is carried the other end sees the carrier's address, where nobody listens.
    if let (Some(port), None) = (shared.peers.port.get(), &relay) {
        shared.peers.send_one(&name, PeerMessage::Listens(*port).to_document());
    }
    shared.hear(Heard::Connected(name.clone())).await;
    let direct = queue.addresses().into_iter().map(to).collect();
    let ended = tokio::select! {
        ended = pump(&client, &mut queue.messages) => ended,
        // Whoever holds a connection and answers nothing is not there.
        error = health::beats(shared, &client, &name) => Err(error),
        () = unseated(shared, &name, server) => Err(WireError::Unpinned { peer: name.clone() }),
        () = reached(direct), if relay.is_some() => Ok(()),
    };
    shared.peers.open().remove(&name);
    shared.health.lost(&name, clock::now());
    ended
}

fn target(shared: &Shared, identity: &Identity, server: TransportKey, address: String) -> Target {
    Target {
        address,
        server: server.0.0,
        identity: identity.clone(),
        hello: shared.hello(),
        limits: Limits { call: CALL_TIME, ..Limits::default() },
    }
}

/// Over a line: the same handshake with the same pin, whoever carries its bytes.
async fn through(shared: &Shared, target: Target, node: &Name) -> Result<(Client, Option<Name>), WireError> {
    let limit = target.limits.handshake;
    let dial = Arc::new(OverLines::to(shared.peers.lines.clone(), node.clone(), limit));
    let client = Client::over(target, Arc::clone(&dial) as Arc<dyn Dial>)?.connected().await?;
    Ok((client, dial.carrier()))
}

/// Over the broker, alike.
async fn at_broker(
    shared: &Shared,
    target: Target,
    node: &Name,
) -> Result<(Client, Option<Name>), WireError> {
    let broker = shared.peers.broker.get().ok_or(WireError::NoLine)?;
    let client = Client::over(target, Arc::new(broker.to(node.clone())))?.connected().await?;
    Ok((client, BROKER_ALONE.parse().ok()))
}

/// Until one of them is reached without help, which is tried now and then: a short outage does not leave a connection with
/// its carrier for ever.
async fn reached(targets: Vec<Target>) {
    loop {
        sleep(DIRECT_AGAIN).await;
        for target in &targets {
            if Client::connect(target.clone()).await.is_ok() {
                return;
            }
        }
    }
}

/// INVARIANT S13: what is said to a node is for the machine that the roster in force names, and for no other.
async fn unseated(shared: &Shared, name: &Name, key: TransportKey) {
    let sits = |roster: &Roster| roster.node(name).is_some_and(|node| node.transport == key);
    comes_true(shared.state.clone(), |it| !sits(it.roster())).await;
}

/// Until it is true. Where nobody tells any more the node stops, and takes its connections along: nothing came true.
async fn comes_true<T>(mut told: watch::Receiver<T>, is_true: impl FnMut(&T) -> bool) {
    if told.wait_for(is_true).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Sends what waits, as few calls as possible, without waiting for the answers of earlier ones.
async fn pump(client: &Client, messages: &mut mpsc::Receiver<Vec<u8>>) -> Result<(), WireError> {
    let flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let (failed, mut failures) = mpsc::channel(1);
    let mut held: Option<Vec<u8>> = None;
    loop {
        let first = match held.take() {
            Some(first) => first,
            None => tokio::select! {
                biased;
                Some(error) = failures.recv() => return Err(error),
                first = messages.recv() => match first {
                    Some(first) => first,
                    None => return Ok(()),
                },
            },
        };
        let batch = gather(first, messages, &mut held);
        let Ok(place) = timeout(CALL_TIME, Arc::clone(&flight).acquire_owned()).await else {
            return Err(WireError::Closed);
        };
        let (client, failed) = (client.clone(), failed.clone());
        let request = NodeRequest::Peer(batch).to_document();
        tokio::spawn(async move {
            if let Err(error) = client.call(request).await {
                // One failure is enough to end the connection.
                let _ = failed.try_send(error);
            }
            drop(place);
        });
    }
}

fn gather(
    first: Vec<u8>,
    messages: &mut mpsc::Receiver<Vec<u8>>,
    held: &mut Option<Vec<u8>>,
) -> Vec<Vec<u8>> {
    let mut bytes = first.len();
    let mut batch = vec![first];
    while batch.len() < MAX_PEER_MESSAGES {
        let Ok(next) = messages.try_recv() else { break };
        if bytes + next.len() > MAX_BATCH_BYTES {
            *held = Some(next);
            break;
        }
        bytes += next.len();
        batch.push(next);
    }
    batch
}

/// Queues whose connections are not kept yet.
const MAX_NEWCOMERS: usize = 256;
/// Messages that wait for one node.
const MAX_QUEUED: usize = 1024;
/// Calls to one node whose answers have not come.
const MAX_IN_FLIGHT: usize = 32;
/// A frame has room for the call around the batch.
const MAX_BATCH_BYTES: usize = MAX_FRAME_BYTES * 3 / 4;
/// How long a node may take to say that it heard.
const CALL_TIME: Duration = Duration::from_secs(5);
/// The address of a node that only the broker reaches, and the name of the broker in what is shown.
const BROKER_ALONE: &str = "nats";
/// How often a node that is reached over a line is called directly.
const DIRECT_AGAIN: Duration = Duration::from_secs(60);
/// Between two tries to reach a node.
const PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d03_a_carrier_is_called_after_every_address() {
        let (tells, calls_from) = watch::channel(None);
        let (_, messages) = mpsc::channel(1);
        let name = "node-2".parse().unwrap();
        let queue = Queue { name, configured: Some("10.0.0.2:7400".to_owned()), calls_from, messages };
        let at = |address: &str| Some(Way::Direct(address.to_owned()));
        assert_eq!(queue.way(1, false, false), at("10.0.0.2:7400"));
        tells.send_replace(Some("10.0.0.9:7400".parse().unwrap()));
        let ways = (0..4).map(|tries| queue.way(tries, false, true)).collect::<Vec<_>>();
        let first = at("10.0.0.2:7400");
        assert_eq!(ways, [first.clone(), at("10.0.0.9:7400"), Some(Way::Relayed), first]);
    }

    /// A node that stops says nothing of the others' seats: it only knows nothing more of them.
    #[tokio::test]
    async fn s13_a_seat_is_taken_by_a_roster_and_by_no_node_that_stops() {
        let (tells, told) = watch::channel(1);
        tells.send_replace(2);
        comes_true(told.clone(), |it| *it == 2).await;
        drop(tells);
        let stopped = comes_true(told, |it| *it == 3);
        tokio::select! {
            biased;
            () = stopped => panic!("nobody said so"),
            () = tokio::task::yield_now() => {}
        }
    }
}
