//! Replicas on a network without faults: they agree, on any number of nodes, and catch up.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test panics to fail")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use keystead_base::{
    Canonical as _, HYBRID_SEED_BYTES, HybridSigner, Name, RequestNonce, Secret, Signed, Timestamp,
    signing_message,
};
use keystead_consensus::{
    Ballot, Claim, Committed, CommittedBlock, Input, Limits, Message, Output, Proposal, Purpose, Record,
    Replica, Setup, Standing, Step, Timers, Times,
};
use keystead_decision::{Entry, State, Strict, propose, verify_commit};
use keystead_fixture::{BIRTH, CHAIN, Desk, ETHER, FRIEND, Member, name};
use keystead_intent::{AccountRef, Action, Asset, GasTerms, Intent, RawEthereum, RequestBatch, Transfer};
use keystead_policy::PolicyVersion;

#[path = "agreement/away.rs"]
mod away;
#[path = "agreement/findings.rs"]
mod findings;
#[path = "agreement/prices.rs"]
mod prices;
#[path = "agreement/standing.rs"]
mod standing;

/// One node: its replica and what its disk holds.
struct Place {
    replica: Replica<Strict>,
    blocks: Vec<Committed>,
    records: Vec<Record>,
}

/// More than any of these tests sends at once.
const MUCH_MAIL: usize = 10_000;

/// A network that delivers everything, in order.
struct Net {
    desk: Desk,
    genesis: State,
    places: BTreeMap<Name, Place>,
    mail: VecDeque<(Name, Name, Message)>,
    now: Timestamp,
    asked: u8,
    limits: Limits,
    dropped: usize,
    /// Whether node-2 gives each vote of node-1 back to it in the names of the others.
    gives_back: bool,
    /// The codes of what nodes objected to.
    objections: Vec<String>,
    /// What every proposer lies into its block, in place of what was asked for.
    smuggled: Vec<Entry>,
    /// What each node waits for, by the order in which that was asked for.
    timers: BTreeMap<Name, Timers<u64>>,
    timers_asked: u64,
    /// Whether a message is lost on its way from one node to another.
    loses: fn(&Name, &Name, &Message) -> bool,
    /// The keys of nodes whose Ed25519 half is elsewhere.
    elsewhere: BTreeMap<usize, Arc<away::Elsewhere>>,
    /// Everything that was sent, delivered or not.
    said: Vec<(Name, Message)>,
}

impl Net {
    fn new(nodes: u8, quorum: u32) -> Self {
        Self::with_limits(nodes, quorum, Limits::default())
    }

    fn with_limits(nodes: u8, quorum: u32, limits: Limits) -> Self {
        Self::founded(nodes, quorum, limits, |_| {})
    }

    fn founded(nodes: u8, quorum: u32, limits: Limits, change: impl FnOnce(&mut PolicyVersion)) -> Self {
        let nodes = (1..=nodes).map(|it| Member::new(&format!("node-{it}"), it)).collect();
        let desk = Desk { nodes, ..Desk::default() };
        let mut policy = desk.policy();
        policy.roster.quorum = quorum;
        change(&mut policy);
        let genesis = State::genesis(&desk.genesis_with(policy).genesis).unwrap();
        let now = BIRTH.plus_seconds(60);
        let (places, mail) = (BTreeMap::new(), VecDeque::new());
        let (objections, smuggled, gives_back) = (Vec::new(), Vec::new(), false);
        let timers = BTreeMap::new();
        let mut net = Self {
            places,
            mail,
            now,
            asked: 0,
            genesis,
            desk,
            limits,
            dropped: 0,
            objections,
            smuggled,
            gives_back,
            timers,
            timers_asked: 0,
            loses: |_, _, _| false,
            elsewhere: BTreeMap::new(),
            said: Vec::new(),
        };
        for index in 0..net.desk.nodes.len() {
            net.start(index);
        }
        net
    }

    /// Starts a node from nothing but its genesis; whoever is there says hello.
    fn start(&mut self, index: usize) {
        let me = self.desk.nodes[index].name.clone();
        let replica = Replica::new(self.setup(index));
        self.places.insert(me.clone(), Place { replica, blocks: Vec::new(), records: Vec::new() });
        let others: Vec<Name> = self.places.keys().filter(|it| **it != me).cloned().collect();
        for other in others {
            self.step(&me, Input::Connected(other.clone()));
            self.step(&other, Input::Connected(me.clone()));
        }
        self.deliver();
    }

    fn setup(&self, index: usize) -> Setup<Strict> {
        let seed = Secret::new([u8::try_from(index + 1).unwrap(); HYBRID_SEED_BYTES]);
        let signer = match self.elsewhere.get(&index) {
            Some(half) => half.signer(&seed),
            None => HybridSigner::from_seed(&seed).unwrap(),
        };
        Setup {
            me: self.desk.nodes[index].name.clone(),
            signer: Arc::new(signer),
            state: self.genesis.clone(),
            last: None,
            records: Vec::new(),
            controls: Strict::default(),
            limits: self.limits,
            times: Times::default(),
        }
    }

    fn step(&mut self, at: &Name, input: Input) {
        let now = self.now;
        let Some(place) = self.places.get_mut(at) else { return };
        for output in place.replica.step(now, input) {
            match output {
                Output::Record(record) => place.records.push(record),
                Output::Committed(committed) => place.blocks.push(*committed),
                Output::Send { to, message } => {
                    self.said.push((at.clone(), message.clone()));
                    if let (true, Message::Ballot(ballot), "node-1") =
                        (self.gives_back, &message, at.as_str())
                    {
                        for other in ["node-3", "node-4"] {
                            let forged = Message::Ballot(Ballot { node: name(other), ..ballot.clone() });
                            self.mail.push_back((name("node-2"), at.clone(), forged));
                        }
                    }
                    self.mail.extend(to.into_iter().map(|to| (at.clone(), to, message.clone())));
                }
                Output::Serve { to, from } => {
                    let blocks = place.blocks.iter().filter(|it| it.commit.header.height >= from);
                    let sent = blocks.map(|it| CommittedBlock {
                        commit: it.commit.clone(),
                        entries: it.applied.block.entries.clone(),
                    });
                    let sent = sent.collect();
                    self.mail.push_back((at.clone(), to, Message::Blocks(sent)));
                }
                Output::Objected { node, objection } if node == *at => self.objections.push(objection.code),
                Output::Timer { timer, .. } => {
                    self.timers_asked += 1;
                    self.timers.entry(at.clone()).or_default().set(timer, self.timers_asked);
                }
                Output::Dropped(dropped) => self.dropped += dropped.len(),
                _ => {}
            }
        }
    }

    fn deliver(&mut self) {
        for sent in 0.. {
            assert!(sent < MUCH_MAIL, "they never have done talking");
            let Some((from, to, message)) = self.mail.pop_front() else { break };
            if (self.loses)(&from, &to, &message) {
                continue;
            }
            let Some(place) = self.places.get(&to) else { continue };
            let input = match message {
                Message::Entries(entries) => {
                    let state = place.replica.state();
                    let entries = entries.into_iter().map(|it| state.admit(it).unwrap()).collect();
                    Input::Submit { from: Some(from), entries }
                }
                Message::Proposal { proposal, block } if !self.smuggled.is_empty() => {
                    let message = Box::new(self.smuggle(&proposal, block.header.time));
                    Input::Received { from, message }
                }
                message => Input::Received { from, message: Box::new(message) },
            };
            self.step(&to, input);
        }
    }

    /// A proposal like another, of a block that holds what is smuggled.
    fn smuggle(&self, like: &Proposal, time: Timestamp) -> Message {
        let state = self.places[&like.node].replica.state();
        let admitted: Vec<_> = self.smuggled.iter().map(|it| state.admit(it.clone()).unwrap()).collect();
        let block = propose(state, time, &like.node, &admitted, &Strict::default()).block;
        let header = block.header.digest();
        let (cluster, height, round) = (state.cluster(), like.height, like.round);
        let claim = Claim { cluster, height, round, valid_round: None, header, boot: 0 };
        let liar = self.desk.nodes.iter().find(|it| it.name == like.node).unwrap();
        let signature = liar.signer.sign(&signing_message(&claim.digest())).unwrap();
        let proposal = Proposal { header, signature, ..like.clone() };
        Message::Proposal { proposal: Box::new(proposal), block: Box::new(block) }
    }

    /// An entry of so many KiB, signed by the desk.
    fn long_entry(&mut self, kibibytes: usize) -> Entry {
        self.asked += 1;
        let account = AccountRef { key: name("hot"), index: 0 };
        let raw = |preimage: Vec<u8>| {
            Action::RawEthereum(RawEthereum {
                account: account.clone(),
                chain: CHAIN,
                preimage: preimage.into(),
            })
        };
        let pieces = (0..kibibytes.div_ceil(128)).map(|_| vec![2; 128 * 1024]);
        let intents = pieces.zip(0..).map(|(preimage, at): (Vec<u8>, u8)| Intent {
            cluster: self.genesis.cluster(),
            requester: name("desk"),
            nonce: RequestNonce([at; 16].map(|it: u8| it.wrapping_add(16 * self.asked))),
            expires: self.now.plus_seconds(600),
            action: raw(preimage),
        });
        let batch = RequestBatch { intents: intents.collect() };
        Entry::Requests(Signed::new(batch, name("desk"), &self.desk.desk.signer).unwrap())
    }

    /// The desk asks something at a node, and everybody talks until nobody has more to say.
    fn ask(&mut self, at: usize) {
        let transfer = Action::Transfer(Transfer {
            account: AccountRef { key: name("hot"), index: 0 },
            chain: CHAIN,
            asset: Asset::Native,
            to: FRIEND,
            amount: ETHER.into(),
            gas: GasTerms {
                nonce: u64::from(self.asked + 1),
                gas_limit: 21_000,
                max_fee_per_gas: 1,
                max_priority_fee_per_gas: 1,
            },
        });
        self.ask_for(at, &transfer, 1);
    }

    /// The same with a batch of an action so many times.
    fn ask_for(&mut self, at: usize, action: &Action, times: u8) {
        self.asked += 1;
        let intent = |time| Intent {
            cluster: self.genesis.cluster(),
            requester: name("desk"),
            nonce: RequestNonce([self.asked + time; 16]),
            expires: self.now.plus_seconds(600),
            action: action.clone(),
        };
        let batch = RequestBatch { intents: (0..times).map(intent).collect() };
        let entry = Entry::Requests(Signed::new(batch, name("desk"), &self.desk.desk.signer).unwrap());
        let at = self.desk.nodes[at].name.clone();
        let admitted = self.places[&at].replica.state().admit(entry).unwrap();
        self.now = self.now.plus_seconds(1);
        self.step(&at, Input::Submit { from: None, entries: vec![admitted] });
        self.deliver();
    }

    /// Every time limit that was set so far runs out, one after the other.
    fn run_out(&mut self) {
        let so_far = self.timers_asked;
        while let Some((_, at)) = self.next_timer().filter(|(asked, _)| *asked <= so_far) {
            if let Some(timer) = self.timers.get_mut(&at).and_then(|it| it.take(so_far)) {
                self.step(&at, Input::Timer(timer));
                self.deliver();
            }
        }
    }

    fn next_timer(&self) -> Option<(u64, Name)> {
        self.timers.iter().filter_map(|(at, timers)| Some((timers.next()?, at.clone()))).min()
    }

    fn beat(&mut self) {
        let names: Vec<Name> = self.places.keys().cloned().collect();
        for name in names {
            self.step(&name, Input::Beat);
        }
        self.deliver();
    }

    fn heights(&self) -> Vec<u64> {
        self.places.values().map(|it| it.replica.state().height()).collect()
    }
}

#[test]
fn s03_clusters_of_one_three_four_and_seven_agree() {
    for (nodes, quorum) in [(1, 1), (3, 2), (4, 3), (7, 5)] {
        let mut net = Net::new(nodes, quorum);
        for asked in 0..5 {
            net.ask(asked % usize::from(nodes));
        }
        assert_eq!(net.heights(), vec![5; usize::from(nodes)], "{nodes} nodes");
        let first = net.places.values().next().unwrap();
        for place in net.places.values() {
            let headers =
                |it: &Place| it.blocks.iter().map(|it| it.commit.header.clone()).collect::<Vec<_>>();
            assert_eq!(headers(place), headers(first));
            assert_eq!(place.replica.state().digest(), first.replica.state().digest());
            for block in &place.blocks {
                verify_commit(net.genesis.cluster(), net.genesis.roster(), &block.commit).unwrap();
                assert!(block.commit.votes.len() >= quorum as usize);
            }
        }
    }
}

#[test]
fn a_node_that_starts_late_learns_the_log_and_votes_on() {
    let mut net = Net::new(4, 3);
    net.places.remove(&name("node-4"));
    for _ in 0..3 {
        net.ask(0);
    }
    net.start(3);
    net.beat();
    net.beat();
    assert_eq!(net.heights(), vec![3; 4]);
    // Without the log's votes in its own record it may have said anything: it stays silent.
    assert_eq!(*net.places[&name("node-4")].replica.standing(), Standing::Votes);
    net.places.remove(&name("node-2"));
    net.ask(0);
    assert_eq!(net.heights(), vec![4; 3]);
}

#[test]
fn a_cluster_without_a_quorum_decides_nothing() {
    let mut net = Net::new(4, 3);
    net.places.remove(&name("node-3"));
    net.places.remove(&name("node-4"));
    net.ask(0);
    assert_eq!(net.heights(), vec![0; 2]);
}

/// A vote's words do not name the voter: a node that took its own signature for good under any name would count
/// itself three times, and commit a block that nobody else voted for.
#[test]
fn s03_a_vote_given_back_under_another_name_is_not_that_node_s() {
    let mut net = Net::new(4, 3);
    net.places.remove(&name("node-3"));
    net.places.remove(&name("node-4"));
    net.gives_back = true;
    net.ask(0);
    assert_eq!(net.heights(), vec![0; 2]);
    assert!(net.places.values().all(|it| it.replica.round() == Some(0)), "it was proposed and voted on");
}

/// Anybody can say that it is far ahead, again and again, and give nothing: the others are asked in their turn.
#[test]
fn d03_a_node_that_boasts_keeps_nobody_from_catching_up() {
    let mut net = Net::new(4, 3);
    let (late, liar) = (name("node-4"), name("node-1"));
    net.places.remove(&late);
    net.ask(1);
    assert_eq!(net.heights(), vec![1; 3]);
    net.loses = |_, to, _| to.as_str() == "node-4";
    net.start(3);
    net.loses = |from, to, _| from.as_str() == "node-1" && to.as_str() == "node-4";
    for _ in 0..4 {
        let boast = Message::Head { height: u64::MAX, seen: None, purpose: Purpose::Tells };
        net.step(&late, Input::Received { from: liar.clone(), message: Box::new(boast) });
        net.beat();
    }
    assert_eq!(net.heights(), vec![1; 4]);
}

/// What its record holds without a commit, whole or cut short, it goes on from: a second vote would be another one.
#[test]
fn s03_a_node_that_is_alone_votes_as_its_record_says() {
    let mut net = Net::new(1, 1);
    net.ask(0);
    let Place { blocks, records, .. } = net.places.remove(&name("node-1")).unwrap();
    let (header, count, mut whole) = (&blocks[0].commit.header, records.len(), false);
    for kept in 1..=count {
        let records = records[..kept].to_vec();
        let voted = records.iter().any(|it| matches!(it, Record::Ballot(it) if it.step == Step::Precommit));
        let mut replica = Replica::new(Setup { records, ..net.setup(0) });
        let later = net.now.plus_seconds(5);
        let committed = replica.step(later, Input::Beat).into_iter().find_map(|output| match output {
            Output::Committed(committed) => Some(committed.commit),
            _ => None,
        });
        // Cut short before the verdict on its block, it waits for a time limit.
        let Some(commit) = committed else { continue };
        verify_commit(net.genesis.cluster(), net.genesis.roster(), &commit).unwrap();
        assert!(!voted || commit.header == *header, "{kept} records: it voted for another block before");
        whole |= kept == count;
    }
    assert!(whole, "the whole record leads to the block that it was about");
}

#[test]
fn d03_an_entry_longer_than_a_block_holds_nobody_up() {
    for (nodes, quorum) in [(4, 3), (1, 1)] {
        let mut net = Net::with_limits(nodes, quorum, Limits { block_bytes: 1, ..Limits::default() });
        for _ in 0..3 {
            net.ask(0);
        }
        let place = &net.places[&name("node-1")];
        let asked = |it: &Committed| matches!(it.applied.block.entries.as_slice(), [Entry::Requests(_)]);
        assert_eq!(place.blocks.len(), 3, "{nodes} nodes");
        assert!(place.blocks.iter().all(asked), "each block holds what was asked for, and nothing else");
    }
}

#[test]
fn d03_an_entry_that_fits_no_message_is_dropped_and_the_log_goes_on() {
    let mut net = Net::new(4, 3);
    let preimage = vec![2; 256 * 1024].into();
    let account = AccountRef { key: name("hot"), index: 0 };
    let raw = Action::RawEthereum(RawEthereum { account, chain: CHAIN, preimage });
    net.ask_for(0, &raw, 9);
    assert_eq!((net.dropped, net.heights()), (1, vec![0; 4]));
    net.asked += 9;
    net.ask(0);
    assert_eq!(net.heights(), vec![1; 4]);
}

/// Two entries that are each short enough make a block that no message could carry to a node that lacks it.
#[test]
fn d03_a_block_too_long_to_be_sent_on_is_not_voted_for() {
    for (entries, objected) in [(1, 0), (2, 3)] {
        let mut net = Net::new(4, 3);
        net.smuggled = (0..entries).map(|_| net.long_entry(1_280)).collect();
        net.ask(0);
        net.beat();
        let committed = net.heights().iter().all(|it| *it > 0);
        assert_eq!(committed, objected == 0, "{entries} long entries: {:?}", net.objections);
        let long = net.objections.iter().filter(|it| *it == "block.long").count();
        assert_eq!((long, net.objections.len()), (objected, objected), "{:?}", net.objections);
    }
}
