//! Opens everything that a node needs, and starts it.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keystead_base::{Canonical, ClusterId, Name, Secret};
use keystead_decision::{SignedGenesis, State, Strict};
use keystead_keys::{MAX_PASSPHRASE_BYTES, MemberKey, MemberKeyFile};
use keystead_ledger::Ledger;
use keystead_policy::{Peer, TransportKey};
use keystead_wire::{Hello, Identity, Pins, Refused, Role, Server};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::answer::Front;
use crate::board::Board;
use crate::builder::{Builder, commits_alone};
use crate::enclave::{EnclaveHome, Started};
use crate::resume::fill_board;
use crate::settle::{Watcher, views_of};
use crate::shared::Shared;
use crate::signer::Signer;
use crate::stages::Stages;
use crate::writer::{Unstored, Writer};
use crate::{Config, Event, Events, NodeError, sweep};

/// A node that runs in this process; its enclave is a child process. Dropped, it stops.
#[derive(Debug)]
pub struct RunningNode {
    address: SocketAddr,
    cluster: ClusterId,
    stop: watch::Sender<bool>,
    ended: JoinHandle<Result<(), NodeError>>,
}

impl RunningNode {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its cluster.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// Stops taking requests, finishes what is under way, and ends.
    ///
    /// # Errors
    ///
    /// [`NodeError`] of the first stage that failed.
    pub async fn shutdown(self) -> Result<(), NodeError> {
        self.stop.send_replace(true);
        self.ended().await
    }

    /// Waits for the node to end by itself, which it does only when something is broken.
    ///
    /// # Errors
    ///
    /// [`NodeError`] of the first stage that failed.
    pub async fn ended(self) -> Result<(), NodeError> {
        self.ended.await.unwrap_or(Err(NodeError::Stage { stage: "supervisor" }))
    }
}

/// Starts a node. Returns when it listens, after everything that a crash left undone was taken up again.
///
/// # Errors
///
/// [`NodeError`] says what is missing or broken.
pub async fn run(config: Config, events: Arc<dyn Events>) -> Result<RunningNode, NodeError> {
    let home = Home::open(&config).await?;
    let (published, state) = watch::channel(Arc::new(home.state.clone()));
    let (inbox, submissions) = mpsc::channel(MAX_WAITING_ENTRIES);
    let identity = Identity::from_seed(&home.member.transport_seed())?;
    let key = Arc::new(home.member.signer()?);
    let shared = Arc::new(Shared {
        cluster: home.genesis.genesis.cluster(),
        genesis: home.genesis,
        node: home.member.name().clone(),
        boot: home.ledger.boot(home.member.name()).await?,
        key: Arc::clone(&key),
        ledger: home.ledger,
        board: Board::default(),
        state,
        inbox,
        sweep: Notify::new(),
        protections: Mutex::default(),
        chains: Mutex::default(),
        events,
    });
    fill_board(&shared, &home.state).await?;
    let server = bind(&config, &shared, &identity).await?;
    let address = server.address()?;
    let mut stages = Stages::new();
    let builder_parts = (home.state, submissions, published);
    pipeline(&config, &shared, &mut stages, builder_parts).await?;
    serve(&config, &shared, &mut stages, server)?;
    shared.event(Event::Listening { address, height: shared.state().height() });
    let (stop, ordered) = watch::channel(false);
    let cluster = shared.cluster;
    let ended = tokio::spawn(stages.watch(shared, ordered));
    Ok(RunningNode { address, cluster, stop, ended })
}

type PipelineParts = (State, mpsc::Receiver<crate::blocks::Submission>, watch::Sender<Arc<State>>);

/// Starts builder, writer and signer; the enclave has caught up with the log when this returns.
async fn pipeline(
    config: &Config,
    shared: &Arc<Shared>,
    stages: &mut Stages,
    (state, submissions, published): PipelineParts,
) -> Result<(), NodeError> {
    let (built, finished) = mpsc::channel(MAX_BLOCKS_AHEAD);
    let (durable, allowed) = mpsc::channel(MAX_DURABLE_BLOCKS);
    let (signer_ends, signer_ended) = oneshot::channel();
    let unstored = Arc::new(Unstored::default());
    let frozen_before = state.frozen().everything || !state.frozen().keys.is_empty();
    let home = EnclaveHome::new(config, shared.cluster)?;
    let (ready, is_ready) = oneshot::channel();
    let (ground, made) = (Arc::clone(shared), Arc::clone(&unstored));
    stages.thread("signer", async move {
        match resumed_signer(home, ground, made).await {
            Ok(signer) => {
                // Whoever waited may have given up.
                let _ = ready.send(Ok(()));
                let result = signer.run(allowed).await;
                // The writer stores the last signatures after this.
                drop(signer_ends);
                result
            }
            Err(error) => {
                let _ = ready.send(Err(error));
                Ok(())
            }
        }
    })?;
    is_ready.await.unwrap_or(Err(NodeError::Stage { stage: "signer" }))?;
    let builder = Builder {
        state,
        node: shared.node.clone(),
        key: Arc::clone(&shared.key),
        limits: config.limits,
        inbox: submissions,
        out: built,
        stop: stages.stopping(),
    };
    let writer = Writer {
        shared: Arc::clone(shared),
        unstored,
        inbox: finished,
        published,
        out: durable,
        signer_ended,
        snapshot_blocks: config.limits.snapshot_blocks,
        frozen_before,
    };
    stages.thread("builder", builder.run())?;
    stages.task("writer", writer.run());
    Ok(())
}

async fn resumed_signer(
    home: EnclaveHome,
    shared: Arc<Shared>,
    unstored: Arc<Unstored>,
) -> Result<Signer, NodeError> {
    let Started { client: enclave, held, in_force } = home.start(&shared).await?;
    let (frozen, confirmed) = (Default::default(), false);
    let mut signer = Signer { shared, unstored, home, enclave, in_force, frozen, confirmed };
    signer.resume(held).await?;
    Ok(signer)
}

fn serve(
    config: &Config,
    shared: &Arc<Shared>,
    stages: &mut Stages,
    server: Server,
) -> Result<(), NodeError> {
    let watcher = Watcher {
        shared: Arc::clone(shared),
        chains: views_of(&config.chains)?,
        interval: Duration::from_secs(config.limits.settlement_seconds.max(1)),
    };
    stages.task("settlement watcher", watcher.run(stages.stopping()));
    stages.task("sweep", sweep::run(Arc::clone(shared), stages.stopping()));
    let (front, mut stop) = (Front(Arc::clone(shared)), stages.stopping());
    stages.task("server", async move {
        tokio::select! {
            () = server.serve(front) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        Ok(())
    });
    Ok(())
}

async fn bind(config: &Config, shared: &Arc<Shared>, identity: &Identity) -> Result<Server, NodeError> {
    let hello = Hello::new(shared.cluster, Role::Node, shared.boot);
    let server = Server::bind(config.listen.as_str(), identity, pins(shared), hello).await?;
    let watcher = Arc::clone(shared);
    Ok(server.with_observer(Arc::new(move |fault| {
        let refused = Refused::of(&fault.error);
        watcher.event(Event::Connection { address: fault.address, peer: fault.peer, refused });
    })))
}

/// Peers are those of the roster in force, at this very moment.
fn pins(shared: &Arc<Shared>) -> Pins {
    let state = shared.state.clone();
    Arc::new(move |key| {
        let state = Arc::clone(&state.borrow());
        let peer = state.roster().transport(&TransportKey(keystead_base::Digest(*key)));
        peer.map(|peer| match peer {
            Peer::Node(name) | Peer::Service(name) | Peer::Person(name) => Name::clone(name),
        })
    })
}

/// What lies on the disk when a node starts.
struct Home {
    genesis: SignedGenesis,
    member: MemberKey,
    ledger: Ledger,
    state: State,
}

impl Home {
    async fn open(config: &Config) -> Result<Self, NodeError> {
        let genesis: SignedGenesis = document(&config.genesis)?;
        let member = open_member(config)?;
        // Nobody else on the machine reads the log or the seals.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&config.data)
            .map_err(|error| NodeError::File { path: config.data.clone(), error })?;
        let ledger = Ledger::open(&config.ledger_url()).await?;
        ledger.begin(&genesis).await?;
        let public = member.public()?.signing;
        let state = ledger.load(&public, &Strict::default()).await?;
        commits_alone(&state, member.name(), &public)?;
        Ok(Self { genesis, member, ledger, state })
    }
}

fn open_member(config: &Config) -> Result<MemberKey, NodeError> {
    let file: MemberKeyFile = document(&config.member.key)?;
    let path = &config.member.passphrase;
    let passphrase = Secret::new(read(path)?);
    if passphrase.expose().len() > MAX_PASSPHRASE_BYTES + 1 {
        return Err(NodeError::Passphrase { path: path.clone(), limit: MAX_PASSPHRASE_BYTES });
    }
    let text = passphrase.expose();
    Ok(file.open(text.strip_suffix(b"\n").unwrap_or(text))?)
}

fn document<T: Canonical>(path: &Path) -> Result<T, NodeError> {
    T::from_document(&read(path)?).map_err(|error| NodeError::Document { path: path.to_owned(), error })
}

fn read(path: &Path) -> Result<Vec<u8>, NodeError> {
    std::fs::read(path).map_err(|error| NodeError::File { path: path.to_owned(), error })
}

/// Entries that wait for the builder; at the limit peers wait.
const MAX_WAITING_ENTRIES: usize = 1024;
/// Blocks that wait for the disk. Few: while they wait, entries gather for the next one.
const MAX_BLOCKS_AHEAD: usize = 2;
/// Durable blocks that wait for the back end.
const MAX_DURABLE_BLOCKS: usize = 16;
