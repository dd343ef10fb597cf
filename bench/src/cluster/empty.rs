//! The floor of the cluster: the same consensus engine deciding empty blocks, one after the other.
//!
//! The replicas, their hybrid votes, what they record and the ledger's transactions are the product's own. What is
//! left out is the rest: no requests, no policy, no enclave, no TLS, no encoding of messages. All nodes run in this
//! process, each on a thread of its own, and channels with the same delay take the place of connections. An empty
//! block holds one tick, the least that the state machine calls a block.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use keystead_base::{Canonical as _, ClusterId, Name};
use keystead_consensus::{
    Committed, Input, Limits, Message, Output, Record, Replica, Setup, Step, Timers, Times,
};
use keystead_decision::{Entry, SignedGenesis, State, Strict, Vote};
use keystead_ledger::{Appended, Batch, Ledger, RecordRow};
use keystead_policy::Roster;
use keystead_tests::fixture::{Desk, Member};
use serde::Serialize;
use tokio::runtime::Handle;

use super::site::now;
use crate::usage;

/// What the floor does.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Empty {
    /// Blocks that were decided.
    pub(crate) blocks: u64,
    /// Blocks per second.
    pub(crate) per_second: f64,
    /// CPU of all nodes for one block, in microseconds.
    pub(crate) cpu_micros: f64,
}

/// Has so many nodes decide empty blocks for `span`.
pub(crate) fn run(handle: &Handle, nodes: u8, delay: Duration, span: Duration) -> Empty {
    let folder = tempfile::tempdir().expect("a folder");
    let places = Places::new(nodes);
    let (inboxes, receivers): (Vec<_>, Vec<_>) = places.names().map(|_| channel()).unzip();
    let place = |index| {
        let url = format!("sqlite:{}", folder.path().join(format!("{index}.sqlite")).display());
        let ledger = handle.block_on(begun(&url, &places.genesis));
        Place::new(&places, index, places.links(index, &inboxes, delay), handle.clone(), ledger)
    };
    let nodes: Vec<Place> = (0..inboxes.len()).map(place).collect();
    let (before, start) = (own_cpu(), Instant::now());
    let end = Arc::new(End { after: start + span, reached: AtomicBool::new(false) });
    let starts = nodes.into_iter().zip(receivers).map(|(node, inbox)| {
        let end = Arc::clone(&end);
        std::thread::spawn(move || node.run(&inbox, &end))
    });
    let threads: Vec<_> = starts.collect();
    let blocks = threads.into_iter().map(|it| it.join().expect("a node")).max().unwrap_or_default();
    let seconds = start.elapsed().as_secs_f64();
    let cpu_micros = 1e6 * (own_cpu() - before) / blocks.max(1) as f64;
    Empty { blocks, per_second: blocks as f64 / seconds, cpu_micros }
}

/// When the floor is over: after its time, and not before a few blocks, however busy the machine is.
struct End {
    after: Instant,
    reached: AtomicBool,
}

impl End {
    /// Whether nodes stop now: all of them when one of them has enough, because a rest decides nothing.
    fn is_here(&self, height: u64) -> bool {
        if height >= MIN_BLOCKS && Instant::now() >= self.after {
            self.reached.store(true, Ordering::Relaxed);
        }
        self.reached.load(Ordering::Relaxed)
    }
}

fn own_cpu() -> f64 {
    usage::cpu_seconds(std::process::id()).unwrap_or_default()
}

async fn begun(url: &str, genesis: &SignedGenesis) -> Ledger {
    let ledger = Ledger::open(url).await.expect("a ledger");
    ledger.begin(genesis).await.expect("a genesis");
    ledger
}

fn member(index: usize) -> Member {
    let number = u8::try_from(index + 1).expect("few nodes");
    Member::new(&format!("node-{number}"), number)
}

/// Who is who.
struct Places {
    desk: Desk,
    genesis: SignedGenesis,
}

impl Places {
    fn new(nodes: u8) -> Self {
        let desk = Desk { nodes: (0..usize::from(nodes)).map(member).collect(), ..Desk::default() };
        let mut policy = desk.policy();
        policy.roster.quorum = Roster::quorum_of(nodes.into());
        let genesis = desk.genesis_with(policy);
        Self { desk, genesis }
    }

    fn names(&self) -> impl Iterator<Item = &Name> {
        self.desk.nodes.iter().map(|it| &it.name)
    }

    /// From one node to each other one.
    fn links(&self, from: usize, inboxes: &[Sender<Input>], delay: Duration) -> BTreeMap<Name, Link> {
        let others = self.names().zip(inboxes).enumerate().filter(|(index, _)| *index != from);
        others.map(|(_, (name, inbox))| (name.clone(), Link::new(inbox.clone(), delay))).collect()
    }
}

/// A channel whose messages arrive when they are due.
struct Link {
    queue: Sender<(Instant, Input)>,
    delay: Duration,
}

impl Link {
    fn new(inbox: Sender<Input>, delay: Duration) -> Self {
        let (queue, due) = channel::<(Instant, Input)>();
        std::thread::spawn(move || {
            for (due, input) in due {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                // The receiver has ended when the time is up.
                let _ = inbox.send(input);
            }
        });
        Self { queue, delay }
    }

    fn send(&self, from: &Name, message: Message) {
        let input = Input::Received { from: from.clone(), message: Box::new(message) };
        let _ = self.queue.send((Instant::now() + self.delay, input));
    }
}

/// One node: replica and disk.
struct Place {
    me: Name,
    cluster: ClusterId,
    replica: Replica<Strict>,
    links: BTreeMap<Name, Link>,
    handle: Handle,
    ledger: Ledger,
    position: u64,
    timers: Timers<Instant>,
}

impl Place {
    fn new(
        places: &Places,
        index: usize,
        links: BTreeMap<Name, Link>,
        handle: Handle,
        ledger: Ledger,
    ) -> Self {
        let Member { name: me, signer, .. } = member(index);
        let state = State::genesis(&places.genesis.genesis).expect("a policy that compiles");
        let cluster = state.cluster();
        let replica = Replica::new(Setup {
            me: me.clone(),
            signer: Arc::new(signer),
            state,
            last: None,
            records: Vec::new(),
            controls: Strict::default(),
            limits: Limits::default(),
            times: Times::default(),
        });
        Self { me, cluster, replica, links, handle, ledger, position: 0, timers: Timers::default() }
    }

    /// Gives the height that was reached.
    fn run(mut self, inbox: &Receiver<Input>, end: &End) -> u64 {
        let others: Vec<Name> = self.links.keys().cloned().collect();
        self.take(others.into_iter().map(Input::Connected).collect());
        while !end.is_here(self.replica.state().height()) {
            let mut inputs = self.due();
            if self.replica.round().is_none() && self.replica.standing().votes() {
                inputs.push(self.tick());
            }
            if inputs.is_empty() {
                match inbox.recv_timeout(self.pause()) {
                    Ok(input) => inputs.push(input),
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            inputs.extend(inbox.try_iter().take(MAX_AT_ONCE));
            self.take(inputs);
        }
        self.replica.state().height()
    }

    /// Until the next timer, and not for long: another node may say that it is over.
    fn pause(&self) -> Duration {
        let timer = self.timers.next().map(|at| at.saturating_duration_since(Instant::now()));
        timer.map_or(LOOK_AROUND, |it| it.min(LOOK_AROUND))
    }

    fn tick(&self) -> Input {
        let tick = self.replica.state().admit(Entry::Tick).expect("a tick");
        Input::Submit { from: None, entries: vec![tick] }
    }

    fn due(&mut self) -> Vec<Input> {
        let mut due = Vec::new();
        while let Some(timer) = self.timers.take(Instant::now()) {
            due.push(Input::Timer(timer));
        }
        due
    }

    /// What is recorded or committed is durable before anything of it is sent, in one transaction, as in the node.
    fn take(&mut self, inputs: Vec<Input>) {
        let (mut batch, mut sends) = (Batch::default(), Vec::new());
        for input in inputs {
            let height = self.replica.state().height() + 1;
            for output in self.replica.step(now(), input) {
                match output {
                    Output::Record(record) => self.record(height, &record, &mut batch),
                    Output::Committed(it) => batch.blocks.push(appended(&it)),
                    Output::Send { to, message } => sends.push((to, message)),
                    Output::Timer { timer, millis } => {
                        self.timers.set(timer, Instant::now() + Duration::from_millis(millis));
                    }
                    Output::Diverged { height, expected, found } => {
                        panic!("height {height}: computed {expected}, committed {found}")
                    }
                    // Nobody lies here, nobody lags, and nobody states a fact.
                    _ => {}
                }
            }
        }
        if !batch.is_empty() {
            self.handle.block_on(self.ledger.write(&batch)).expect("a durable transaction");
        }
        for (to, message) in sends {
            to.iter()
                .filter_map(|name| self.links.get(name))
                .for_each(|it| it.send(&self.me, message.clone()));
        }
        let under_way = self.replica.state().height() + 1;
        self.timers.keep_from(under_way);
    }

    fn record(&mut self, height: u64, record: &Record, batch: &mut Batch) {
        if let Record::Ballot(it) = record
            && it.node == self.me
            && it.step == Step::Precommit
            && let Some(header) = it.header
        {
            batch.votes.push(Vote { cluster: self.cluster, height, round: it.round, header, boot: 0 });
        }
        self.position += 1;
        batch.records.push(RecordRow { position: self.position, height, document: record.to_document() });
    }
}

fn appended(it: &Committed) -> Appended {
    Appended::new(&it.applied, it.commit.round, it.commit.votes.clone())
}

/// The least that a figure is made of.
const MIN_BLOCKS: u64 = 2;
const LOOK_AROUND: Duration = Duration::from_millis(20);
/// Inputs that share one transaction at most.
const MAX_AT_ONCE: usize = 64;
