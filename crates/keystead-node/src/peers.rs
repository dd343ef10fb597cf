//! Kept connections to the other nodes: bounded queues, batches, and many calls in flight.
//!
//! A message that finds its queue full is lost; the consensus says everything again that matters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keystead_base::{Canonical as _, Name};
use keystead_wire::{
    Client, Identity, Limits, MAX_FRAME_BYTES, MAX_PEER_MESSAGES, NodeRequest, Refused, Target, WireError,
};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::config::PeerConfig;
use crate::replica::Heard;
use crate::shared::Shared;
use crate::{Event, NodeError};

/// The queues to the other nodes, and the connections that are open.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    queues: BTreeMap<Name, mpsc::Sender<Vec<u8>>>,
    open: Mutex<BTreeMap<Name, Client>>,
}

/// The other end of a queue, before its connection is kept.
pub(crate) struct Queue {
    peer: PeerConfig,
    messages: mpsc::Receiver<Vec<u8>>,
}

impl Peers {
    /// A queue for each peer but this node.
    pub(crate) fn new(peers: &[PeerConfig], me: &Name) -> (Self, Vec<Queue>) {
        let mut senders = BTreeMap::new();
        let mut queues = Vec::new();
        for peer in peers.iter().filter(|it| it.name != *me) {
            let (sender, messages) = mpsc::channel(MAX_QUEUED);
            senders.insert(peer.name.clone(), sender);
            queues.push(Queue { peer: peer.clone(), messages });
        }
        (Self { queues: senders, open: Mutex::default() }, queues)
    }

    /// Clients of the nodes that can be reached.
    pub(crate) fn reachable(&self) -> Vec<Client> {
        self.open().values().cloned().collect()
    }

    /// The names of the nodes that can be reached.
    pub(crate) fn reachable_names(&self) -> BTreeSet<Name> {
        self.open().keys().cloned().collect()
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<Name, Client>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a document to some of them.
    pub(crate) fn send(&self, to: &BTreeSet<Name>, document: &[u8]) {
        for name in to {
            self.send_one(name, document.to_vec());
        }
    }

    /// Hands a document to one of them.
    pub(crate) fn send_one(&self, to: &Name, document: Vec<u8>) {
        if let Some(queue) = self.queues.get(to) {
            // Full or closed: lost, as on any network.
            let _ = queue.try_send(document);
        }
    }

    /// Hands a document to all of them.
    pub(crate) fn send_all(&self, document: &[u8]) {
        for queue in self.queues.values() {
            let _ = queue.try_send(document.to_vec());
        }
    }
}

/// Keeps the connection to one node for as long as this node runs.
pub(crate) async fn keep(
    shared: Arc<Shared>,
    identity: Identity,
    mut queue: Queue,
    mut stop: watch::Receiver<bool>,
) -> Result<(), NodeError> {
    let mut reachable = None;
    loop {
        let ended = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            ended = serve(&shared, &identity, &mut queue, &mut reachable) => ended,
        };
        if let Err(error) = ended
            && reachable != Some(false)
        {
            reachable = Some(false);
            let refused = Refused::of(&error);
            shared.event(Event::Unreachable { node: queue.peer.name.clone(), refused });
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
    reachable: &mut Option<bool>,
) -> Result<(), WireError> {
    let Some(server) = shared.state().roster().node(&queue.peer.name).map(|it| it.transport) else {
        return Err(WireError::Closed);
    };
    let target = Target {
        address: queue.peer.address.clone(),
        server: server.0.0,
        identity: identity.clone(),
        hello: shared.hello(),
        limits: Limits { call: CALL_TIME, ..Limits::default() },
    };
    let client = Client::connect(target).await?;
    if *reachable != Some(true) {
        *reachable = Some(true);
        shared.event(Event::Connected { node: queue.peer.name.clone() });
    }
    let name = queue.peer.name.clone();
    shared.peers.open().insert(name.clone(), client.clone());
    shared.hear(Heard::Connected(name.clone())).await;
    let ended = pump(&client, &mut queue.messages).await;
    shared.peers.open().remove(&name);
    ended
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

/// Messages that wait for one node.
const MAX_QUEUED: usize = 1024;
/// Calls to one node whose answers have not come.
const MAX_IN_FLIGHT: usize = 32;
/// A frame has room for the call around the batch.
const MAX_BATCH_BYTES: usize = MAX_FRAME_BYTES * 3 / 4;
/// How long a node may take to say that it heard.
const CALL_TIME: Duration = Duration::from_secs(5);
/// Between two tries to reach a node.
const PAUSE: Duration = Duration::from_millis(200);
