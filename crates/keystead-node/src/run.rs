//! Opens everything that a node needs, and starts it.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keystead_base::{Canonical, ClusterId, HybridPublicKey, Name, Secret, SelfTested};
use keystead_consensus::{Limits, Record, Replica, Setup, Timers};
use keystead_decision::{Controls, SignedGenesis, State, Strict};
use keystead_keys::{KeyFile, MAX_PASSPHRASE_BYTES, MemberKey};
use keystead_ledger::{Ledger, RecordRow};
use keystead_nats::{Broker, Login, NatsError};
use keystead_policy::{Peer, TransportKey};
use keystead_trace::Tracer;
use keystead_wire::{Identity, Pins, Refused, Server};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::answer::Front;
use crate::blocks::Submission;
use crate::board::Board;
use crate::enclave::{EnclaveHome, Started};
use crate::errands::Errands;
use crate::health::Health;
use crate::meters::Meters;
use crate::peers::{self, Peers};
use crate::recent::Recent;
use crate::reconcile::{CoinReconciler, Reconciler, Suspects};
use crate::rehearse::Runs;
use crate::replica::{Deliberator, Heard};
use crate::restore::HandOver;
use crate::resume::fill_board;
use crate::settle::{Watcher, views_of};
use crate::shared::Shared;
use crate::sightings::Sightings;
use crate::signer::Signer;
use crate::simulate::RunWatcher;
use crate::spent::watches_of;
use crate::stages::Stages;
use crate::threshold::{MAX_RUN_WORDS, RunWord};
use crate::traces::Traces;
use crate::writer::{Unstored, Writer};
use crate::{Config, Event, Events, NodeError, backups, log_token, probe, self_test, sweep, tpm};

/// A node that runs in this process; its enclave is a child process. Dropped, it stops.
#[derive(Debug)]
pub struct RunningNode {
    name: Name,
    address: SocketAddr,
    cluster: ClusterId,
    stop: watch::Sender<bool>,
    ended: JoinHandle<Result<(), NodeError>>,
}

impl RunningNode {
    /// Its name in the roster.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

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

    /// Runs until `told` comes, then stops in good order and gives what was told. When something breaks before, it
    /// ends at once: a process that lives on without its node is one that no service manager starts again (D4).
    ///
    /// # Errors
    ///
    /// [`NodeError`] of the first stage that failed.
    pub async fn until<T>(mut self, told: impl Future<Output = T>) -> Result<T, NodeError> {
        tokio::select! {
            told = told => self.shutdown().await.map(|()| told),
            ended = &mut self.ended => {
                ended.unwrap_or(Ok(())).and(Err(NodeError::Stage { stage: "supervisor" }))
            }
        }
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
    run_under(config, events, Strict::default()).await
}

/// The same, and tells a collector of the requests that it takes part in.
///
/// # Errors
///
/// [`NodeError`] says what is missing or broken.
pub async fn run_traced(
    config: Config,
    events: Arc<dyn Events>,
    tracer: Tracer,
) -> Result<RunningNode, NodeError> {
    start(config, events, Strict::default(), tracer).await
}

/// Starts a node that proposes and votes under other controls than the product's: a lying node, as somebody who
/// patched the program would run it. The stories and tests show with it that the others outvote it.
///
/// # Errors
///
/// [`NodeError`] says what is missing or broken.
pub async fn run_under<C: Controls + Clone + 'static>(
    config: Config,
    events: Arc<dyn Events>,
    controls: C,
) -> Result<RunningNode, NodeError> {
    start(config, events, controls, Tracer::default()).await
}

async fn start<C: Controls + Clone + 'static>(
    config: Config,
    events: Arc<dyn Events>,
    controls: C,
    tracer: Tracer,
) -> Result<RunningNode, NodeError> {
    let home = Home::open(&config).await?;
    let (published, state) = watch::channel(Arc::new(home.state.clone()));
    let (inbox, submissions) = mpsc::channel(MAX_WAITING_ENTRIES);
    let (heard, words) = mpsc::channel(MAX_WAITING_WORDS);
    let (hand_overs, handed_over) = mpsc::channel(MAX_HAND_OVERS);
    let (run_words, runs) = mpsc::channel(MAX_RUN_WORDS);
    let identity = Identity::from_seed(&home.member.transport_seed())?;
    let key = log_token::own_key(&config, &home.member)?;
    let (peers, queues) = Peers::new(&config.peers, home.member.name());
    let shared = Arc::new(Shared {
        cluster: home.genesis.genesis.cluster(),
        genesis: home.genesis,
        node: home.member.name().clone(),
        boot: home.ledger.boot(home.member.name()).await?,
        key,
        own_checkpoints: Arc::default(),
        ledger: home.ledger,
        board: Board::default(),
        state,
        inbox,
        heard,
        hand_overs,
        run_words,
        peers,
        views: Arc::new(views_of(&config.chains)?),
        coins: watches_of(&config.bitcoin)?,
        unstored: Unstored::default(),
        recent: Recent::default(),
        cluster_view: Mutex::default(),
        errands: Errands::default(),
        runs: Runs::default(),
        sweep: Notify::new(),
        protections: Mutex::default(),
        tokens: Mutex::default(),
        chains: Mutex::default(),
        sightings: Sightings::default(),
        suspects: Suspects::default(),
        health: Health::default(),
        seen_runs: Mutex::default(),
        meters: Meters::default(),
        traces: Traces::new(tracer),
        events,
    });
    fill_board(&shared, &home.state).await?;
    let server = answer_at_broker(&config, &shared, bind(&config, &shared, &identity).await?).await?;
    let address = server.address()?;
    let metrics = probe::bind(config.metrics.as_deref()).await?;
    shared.peers.listens_at(address.port());
    let mut stages = Stages::new();
    let parts =
        PipelineParts { state: home.state, submissions, words, handed_over, runs, published, controls };
    pipeline(&config, &shared, &mut stages, parts).await?;
    let kept = peers::keep_all(Arc::clone(&shared), identity, queues, stages.stopping());
    stages.task("connections to the nodes", kept);
    tpm::keep_marks(&config, &shared, &mut stages)?;
    serve(&config, &shared, &mut stages, server)?;
    if let Some(listener) = metrics {
        stages.task("metrics", probe::serve(Arc::clone(&shared), listener, stages.stopping()));
    }
    shared.event(Event::Listening { address, height: shared.state().height() });
    let ((stop, ordered), name, cluster) = (watch::channel(false), shared.node.clone(), shared.cluster);
    let ended = tokio::spawn(stages.watch(shared, ordered));
    Ok(RunningNode { name, address, cluster, stop, ended })
}

/// What the pipeline starts with.
struct PipelineParts<C> {
    state: State,
    submissions: mpsc::Receiver<Submission>,
    words: mpsc::Receiver<Heard>,
    handed_over: mpsc::Receiver<HandOver>,
    runs: mpsc::Receiver<RunWord>,
    published: watch::Sender<Arc<State>>,
    controls: C,
}

/// Starts replica, writer and signer; the enclave has caught up with the log when this returns.
async fn pipeline<C: Controls + Clone + 'static>(
    config: &Config,
    shared: &Arc<Shared>,
    stages: &mut Stages,
    parts: PipelineParts<C>,
) -> Result<(), NodeError> {
    let (decided, turns) = mpsc::channel(MAX_TURNS_AHEAD);
    let (durable, allowed) = mpsc::channel(MAX_DURABLE_BLOCKS);
    let (signer_ends, signer_ended) = oneshot::channel();
    let frozen_before = parts.state.frozen().clone();
    let home = EnclaveHome::new(config, shared.cluster)?;
    let (ready, is_ready) = oneshot::channel();
    let (ground, handed_over, runs) = (Arc::clone(shared), parts.handed_over, parts.runs);
    stages.thread("signer", async move {
        match resumed_signer(home, ground).await {
            Ok(signer) => {
                // Whoever waited may have given up.
                let _ = ready.send(Ok(()));
                let result = signer.run(allowed, handed_over, runs).await;
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
    let rows = shared.ledger.records().await?;
    let writer = Writer {
        shared: Arc::clone(shared),
        inbox: turns,
        position: rows.last().map(|row| row.position + 1).unwrap_or_default(),
        published: parts.published,
        out: durable,
        signer_ended,
        snapshot_blocks: config.limits.snapshot_blocks,
        frozen_before,
        held: Vec::new(),
    };
    let replica = replica(config, shared, parts.state, &rows, parts.controls).await?;
    // Whoever asks from the first moment on is told whether this node votes.
    shared.see(&replica);
    let deliberator = Deliberator {
        shared: Arc::clone(shared),
        replica,
        inbox: parts.submissions,
        heard: parts.words,
        out: decided,
        stop: stages.stopping(),
        block_entries: config.limits.block_entries,
        waiting: HashMap::new(),
        timers: Timers::default(),
        next_beat: tokio::time::Instant::now(),
        word: "",
    };
    stages.thread("replica", deliberator.run())?;
    stages.task("writer", writer.run());
    Ok(())
}

/// The replica as its disk left it.
async fn replica<C: Controls>(
    config: &Config,
    shared: &Arc<Shared>,
    state: State,
    rows: &[RecordRow],
    controls: C,
) -> Result<Replica<C>, NodeError> {
    let under_way = state.height() + 1;
    let record = |row: &RecordRow| {
        let path = PathBuf::from(format!("line {} of the record", row.position));
        Record::from_document(&row.document).map_err(|error| NodeError::Document { path, error })
    };
    let records = rows.iter().filter(|row| row.height == under_way).map(record).collect::<Result<_, _>>()?;
    Ok(Replica::new(Setup {
        me: shared.node.clone(),
        signer: Arc::clone(shared.key.votes()),
        last: shared.ledger.block(state.height()).await?.map(|block| block.commit),
        state,
        records,
        controls,
        limits: Limits { block_entries: config.limits.block_entries, block_bytes: config.limits.block_bytes },
        times: config.times,
    }))
}

async fn resumed_signer(home: EnclaveHome, shared: Arc<Shared>) -> Result<Signer, NodeError> {
    let Started { client: enclave, held, in_force } = home.start(&shared).await?;
    let (frozen, confirmed) = (Default::default(), false);
    let (told, runs, shown) = Default::default();
    let (opened, lived) = (std::collections::BTreeSet::new(), BTreeMap::new());
    let mut signer =
        Signer { shared, home, enclave, in_force, held: opened, frozen, confirmed, told, lived, runs, shown };
    signer.resume(held).await?;
    Ok(signer)
}

fn serve(
    config: &Config,
    shared: &Arc<Shared>,
    stages: &mut Stages,
    server: Server,
) -> Result<(), NodeError> {
    let interval = Duration::from_secs(config.limits.settlement_seconds.max(1));
    let watcher = Watcher {
        shared: Arc::clone(shared),
        chains: Arc::clone(&shared.views),
        interval,
        looks: HashMap::new(),
        turns: crate::turns::Turns::default(),
    };
    stages.task("settlement watcher", watcher.run(stages.stopping()));
    let reconciler = Reconciler::new(Arc::clone(shared), interval);
    stages.task("reconciler", reconciler.run(stages.stopping()));
    let reconciler = CoinReconciler::new(Arc::clone(shared), interval);
    stages.task("reconciler of coins", reconciler.run(stages.stopping()));
    stages.task("run watcher", RunWatcher::new(Arc::clone(shared)).run(stages.stopping()));
    stages.task("sweep", sweep::run(Arc::clone(shared), stages.stopping()));
    stages.task("copies of backups", backups::keep(Arc::clone(shared), stages.stopping()));
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
    let server = Server::bind(config.listen.as_str(), identity, pins(shared), shared.hello()).await?;
    let (watcher, keeper) = (Arc::clone(shared), Arc::clone(shared));
    let server = server.with_lines(Arc::new(move |line| {
        keeper.peers.offered(line, keeper.state().roster());
    }));
    Ok(server.with_observer(Arc::new(move |fault| {
        let refused = Refused::of(&fault.error);
        watcher.event(Event::Connection { address: fault.address, peer: fault.peer, refused });
    })))
}

/// Connections that other nodes open over the broker are served as any other ones.
async fn answer_at_broker(config: &Config, shared: &Shared, server: Server) -> Result<Server, NodeError> {
    let Some(url) = &config.nats else { return Ok(server) };
    let login = config.nats_login.as_deref().map(broker_login).transpose()?;
    let broker = Broker::connect(url, login, shared.cluster).await?;
    let roads = broker.roads_to(&shared.node).await?;
    shared.peers.at_broker(broker);
    Ok(server.with_roads(roads))
}

fn broker_login(path: &Path) -> Result<Login, NodeError> {
    let text = Secret::new(read(path)?);
    let text = std::str::from_utf8(text.expose()).map_err(|_| NatsError::Login)?;
    Ok(Login::parse(text)?)
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
        let tested = self_test::power_on(&|_, _| {})?;
        let genesis: SignedGenesis = document(&config.genesis)?;
        let member = open_member(config, &tested)?;
        // Nobody else on the machine reads the log or the seals.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&config.data)
            .map_err(|error| NodeError::File { path: config.data.clone(), error })?;
        let ledger = Ledger::open(&config.ledger_url()).await?;
        ledger.write_seals_anew().await?;
        ledger.begin(&genesis).await?;
        let public = member.public()?.signing;
        // What is committed is what it is, whatever the controls of this run.
        let state = ledger.load(&public, &Strict::default()).await?;
        tpm::check(config, &ledger, &state).await?;
        in_roster(&state, member.name(), &public, config.peers.is_empty())?;
        Ok(Self { genesis, member, ledger, state })
    }
}

/// A node that the roster does not name, or names with another key, may follow the others until a roster does:
/// it joins, or takes over the name of a node that is gone. One whose key the roster has for another name may not.
fn in_roster(state: &State, name: &Name, key: &HybridPublicKey, alone: bool) -> Result<(), NodeError> {
    let nodes = &state.roster().nodes;
    let other = nodes.iter().any(|node| node.name != *name && node.key == *key);
    let sits = nodes.iter().any(|node| node.name == *name && node.key == *key);
    if other || (alone && !sits) {
        return Err(NodeError::NotInRoster { cluster: state.cluster(), name: name.clone() });
    }
    Ok(())
}

/// Without its tests a process has no key (S7).
fn open_member(config: &Config, _: &SelfTested) -> Result<MemberKey, NodeError> {
    let path = &config.member.key;
    let file = KeyFile::from_document(&read(path)?)
        .map_err(|error| NodeError::Document { path: path.clone(), error })?;
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
/// Words of other nodes that wait for the replica; at the limit their connections wait.
const MAX_WAITING_WORDS: usize = 1024;
/// Backups that wait for the enclave: people hand them over one at a time.
const MAX_HAND_OVERS: usize = 4;
/// Turns that wait for the disk. Few: while they wait, entries gather for the next block.
const MAX_TURNS_AHEAD: usize = 2;
/// Durable blocks that wait for the back end.
const MAX_DURABLE_BLOCKS: usize = 16;
