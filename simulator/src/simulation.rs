//! A run: the queue of what is going to happen, and what happens.

use std::collections::{BTreeMap, BTreeSet};

use keystead_base::{RequestId, Timestamp};
use keystead_consensus::{Input, Message, Objection, Standing, Timer};
use keystead_decision::{Entry, SignedGenesis, State};
use keystead_fixture::Desk;

use crate::asked::Asked;
use crate::chain::{Broadcast, Chain};
use crate::clients::Act;
use crate::faults::Fault;
use crate::network::Network;
use crate::oracle::Oracle;
use crate::place::Place;
use crate::rules::{self, START};
use crate::shares::{Mail, SharesReport};
use crate::{Bug, Dice, Report};

/// Everything that was asked for, by request.
pub(crate) type Requests = BTreeMap<RequestId, Asked>;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The seed: the same one is the same run.
    pub seed: u64,
    /// How many nodes; drawn from the seed where none are given.
    pub nodes: Option<usize>,
    /// The bug of all honest nodes.
    pub bug: Option<Bug>,
    /// Whether all nodes are lost for ever once, and others go on from their log.
    pub lost: bool,
    /// Whether the nodes hold a key in shares, too.
    pub shares: bool,
    /// Whether half of each node's key is in a token that comes and goes.
    pub tokens: bool,
}

/// Something that is going to happen.
#[derive(Debug)]
pub(crate) enum Event {
    Deliver {
        from: usize,
        to: usize,
        life: u32,
        message: Box<Message>,
    },
    Timer {
        node: usize,
        life: u32,
        timer: Timer,
    },
    Beat {
        node: usize,
        life: u32,
    },
    Watch {
        node: usize,
        life: u32,
    },
    Submit {
        node: usize,
        entry: Box<Entry>,
    },
    Checked {
        node: usize,
        life: u32,
        header: keystead_base::Digest,
        verdict: Result<(), Objection>,
    },
    Act(Act),
    Clients,
    Fault(Fault),
    Restart {
        node: usize,
    },
    Include(Broadcast),
    /// Only with the bug `StaleHead`.
    SignLate {
        height: u64,
        index: usize,
    },
    Heal,
    Readmit,
    /// Between the enclaves of two nodes; only with a key in shares, as what follows.
    ShareMail {
        to: usize,
        life: u32,
        mail: Box<Mail>,
    },
    SharesTimer {
        node: usize,
        life: u32,
    },
    SharesWake {
        node: usize,
        life: u32,
    },
    SharesClients,
}

/// A run.
pub(crate) struct Simulation {
    pub(crate) plan: Plan,
    pub(crate) dice: Dice,
    pub(crate) now: u64,
    queue: BTreeMap<(u64, u64), Event>,
    arrivals: u64,
    pub(crate) desk: Desk,
    pub(crate) genesis: SignedGenesis,
    pub(crate) places: Vec<Place>,
    pub(crate) network: Network,
    pub(crate) chain: Chain,
    pub(crate) oracle: Oracle,
    pub(crate) asked: Requests,
    pub(crate) history: Vec<Entry>,
    pub(crate) address: alloy_primitives::Address,
    pub(crate) next_nonce: u64,
    pub(crate) intents: u64,
    pub(crate) healed: bool,
    /// When everything was healed, and the time that is stated since.
    pub(crate) stated: Option<(u64, u64)>,
    pub(crate) report: Report,
    pub(crate) state_after: State,
    /// Everything about keys in shares is drawn from these, so that other seeds stay the runs that they were.
    pub(crate) share_dice: Dice,
    pub(crate) shares: SharesReport,
    /// Likewise everything about tokens.
    pub(crate) token_dice: Dice,
}

impl Simulation {
    pub(crate) fn new(plan: Plan) -> Self {
        Self::under(plan, (6 * keystead_fixture::ETHER).into())
    }

    /// A run that begins with this limit of wei.
    pub(crate) fn under(plan: Plan, wei_limit: keystead_base::Amount) -> Self {
        let mut dice = Dice::new(plan.seed);
        let nodes = plan.nodes.unwrap_or_else(|| *dice.pick(&SIZES));
        let desk = rules::desk(nodes);
        let genesis = rules::genesis(&desk, wei_limit, plan.lost);
        let state = State::genesis(&genesis.genesis).expect("a policy that compiles");
        let liars = if dice.chance(700) { rules::lying_withstood(nodes) } else { 0 };
        let place = |index| Place::new(index, state.clone(), plan.bug, index + liars >= nodes);
        Self {
            places: (0..nodes).map(place).collect(),
            network: Network::new(nodes),
            oracle: Oracle::new(genesis.clone()),
            address: crate::prelude::address(),
            plan,
            dice,
            now: START.0,
            queue: BTreeMap::new(),
            arrivals: 0,
            desk,
            genesis,
            chain: Chain::default(),
            asked: Requests::new(),
            history: Vec::new(),
            next_nonce: 0,
            intents: 0,
            healed: false,
            stated: None,
            report: Report { seeds: 1, ..Report::default() },
            state_after: state,
            share_dice: Dice::new(plan.seed ^ SHARES),
            shares: SharesReport::default(),
            token_dice: Dice::new(plan.seed ^ TOKENS),
        }
    }

    /// Runs to the end, or to the first violation.
    pub(crate) fn run(mut self) -> Report {
        self.prelude();
        self.schedule_faults();
        self.schedule_tokens();
        (0..self.places.len()).for_each(|node| self.start(node));
        self.after(500, Event::Clients);
        if self.plan.shares {
            self.after(800, Event::SharesClients);
        }
        self.at(START.0 + FAULTS_MILLIS, Event::Heal);
        while let Some(((at, _), event)) = self.queue.pop_first() {
            if at > START.0 + FAULTS_MILLIS + CALM_MILLIS || !self.oracle.violations.is_empty() {
                break;
            }
            self.now = at;
            self.report.steps += 1;
            self.happen(event);
        }
        if self.oracle.violations.is_empty() {
            self.check_end();
        }
        self.finish()
    }

    pub(crate) fn after(&mut self, millis: u64, event: Event) {
        self.at(self.now + millis, event);
    }

    pub(crate) fn at(&mut self, time: u64, event: Event) {
        self.arrivals += 1;
        self.queue.insert((time, self.arrivals), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            // A connection ends with the process at its other end, and with it what was under way.
            Event::Deliver { from, to, life, message } if self.lives(to, life) => {
                self.deliver(from, to, *message);
            }
            Event::Timer { node, life, timer } if self.lives(node, life) => {
                self.feed(node, Input::Timer(timer));
            }
            Event::Checked { node, life, header, verdict } if self.lives(node, life) => {
                self.feed(node, Input::Checked { header, verdict });
            }
            Event::Beat { node, life } if self.lives(node, life) => {
                self.after(BEAT_MILLIS, Event::Beat { node, life });
                self.feed(node, Input::Beat);
            }
            Event::Watch { node, life } if self.lives(node, life) => {
                let pause = self.dice.between(2_000, 6_000);
                self.after(pause, Event::Watch { node, life });
                self.watch(node);
            }
            Event::Submit { node, entry } => self.submitted(node, *entry),
            Event::Act(act) => self.act(act),
            Event::Clients => self.clients(),
            Event::Fault(fault) => self.strike(fault),
            Event::Restart { node } => self.start(node),
            Event::Include(it) => self.include(it),
            Event::SignLate { height, index } => self.sign_late(height, index),
            Event::Heal => self.heal(),
            Event::Readmit => self.readmit(),
            Event::ShareMail { to, life, mail } if self.lives(to, life) => self.on_share_mail(to, *mail),
            Event::SharesTimer { node, life } if self.lives(node, life) => self.shares_timer(node, life),
            Event::SharesWake { node, life } if self.lives(node, life) => self.shares_wake(node),
            Event::SharesClients => self.shares_clients(),
            Event::Deliver { .. }
            | Event::Timer { .. }
            | Event::Checked { .. }
            | Event::Beat { .. }
            | Event::Watch { .. }
            | Event::ShareMail { .. }
            | Event::SharesTimer { .. }
            | Event::SharesWake { .. } => {}
        }
    }

    fn lives(&self, node: usize, life: u32) -> bool {
        self.places[node].life == life && self.places[node].replica.is_some()
    }

    /// A transaction reaches the chain.
    fn include(&mut self, it: Broadcast) {
        if self.chain.include(self.now, it) {
            self.oracle.left(self.now, &self.chain);
        }
    }

    /// A node's clock.
    pub(crate) fn clock(&self, node: usize) -> Timestamp {
        Timestamp(self.now.saturating_add_signed(self.places[node].offset))
    }

    /// INVARIANT D3, D4: after everything is healed all honest nodes are at one height, but for what was decided in the
    /// last moment, have the right to vote, and nothing valid that was submitted is undecided.
    fn check_end(&mut self) {
        let honest = || self.places.iter().filter(|it| !it.lies);
        let heights: BTreeSet<u64> = honest().map(|it| it.state().height()).collect();
        let silent: Vec<String> = honest()
            .filter(|it| it.replica.as_ref().is_none_or(|it| *it.standing() != Standing::Votes))
            .map(|it| format!("{} {:?}", it.name, it.replica.as_ref().map(|it| it.standing().clone())))
            .collect();
        let now = Timestamp(self.now);
        let undecided =
            self.asked.iter().filter(|(id, it)| self.oracle.stand(id).is_none() && it.expires > now);
        let undecided = undecided.count();
        if heights.first() < self.spread().as_ref() {
            self.oracle.object("D3", format!("the honest nodes stand at heights {heights:?}"));
        }
        if !silent.is_empty() {
            self.oracle.object("D4", format!("nodes that do not vote at the end: {}", silent.join(", ")));
        }
        if undecided > 0 {
            self.oracle.object("D3", format!("{undecided} requests are undecided"));
        }
        self.check_overdue();
        self.check_shares_end();
        self.check_replay();
    }

    /// The height that has had the time to reach everybody: a block of the last moment is on its way to some.
    fn spread(&self) -> Option<u64> {
        let earlier = self.now - SPREAD_MILLIS;
        let honest = self.places.iter().filter(|it| !it.lies);
        let blocks = honest.flat_map(|it| it.disk.blocks());
        blocks.map(|it| &it.commit.header).filter(|it| it.time.0 <= earlier).map(|it| it.height).max()
    }

    /// INVARIANT D4: each node's state is the one that the log up to its height leads to.
    fn check_replay(&mut self) {
        let honest = || self.places.iter().filter(|it| !it.lies);
        let Some(place) = honest().max_by_key(|it| it.state().height()) else { return };
        let mut state = State::genesis(&self.genesis.genesis).expect("a policy that compiles");
        let mut states = BTreeMap::from([(state.height(), state.digest())]);
        for stored in place.disk.blocks() {
            let block = keystead_decision::Block {
                header: stored.commit.header.clone(),
                entries: stored.entries.clone(),
            };
            let before = state.before(&block.entries).expect("a rebuild that was committed");
            match keystead_decision::validate_unless(&before, block, |_| true, &place.controls) {
                Ok(applied) => state = applied.state,
                Err(error) => return self.oracle.object("D4", format!("the log does not replay: {error}")),
            }
            states.insert(state.height(), state.digest());
        }
        let differs = |it: &&Place| states.get(&it.state().height()) != Some(&it.state().digest());
        if let Some(other) = honest().find(differs).map(|it| it.name.clone()) {
            self.oracle.object("D4", format!("{other} is in another state than the replayed log"));
        }
    }

    fn finish(mut self) -> Report {
        self.report.millis = self.now - START.0;
        self.report.blocks = self.oracle.height();
        self.report.signatures = self.oracle.signatures;
        self.report.violations = self.oracle.violations.drain(..).map(|it| (self.plan.seed, it)).collect();
        self.report
    }
}

/// The sizes that seeds choose from: the default cluster most often.
const SIZES: [usize; 8] = [4, 4, 4, 4, 3, 3, 1, 7];
/// Tells the dice of keys in shares from the others'.
const SHARES: u64 = 0x5348_4152_4553;
/// Tells those of tokens.
const TOKENS: u64 = 0x544f_4b45_4e53;
/// How long faults and clients go on.
const FAULTS_MILLIS: u64 = 150_000;
/// How long everything has to come to rest afterwards.
const CALM_MILLIS: u64 = 70_000;
/// How long a block takes at most to reach every honest node once all is healed: a few beats, as liars among those
/// who have it may be asked first.
pub(crate) const SPREAD_MILLIS: u64 = 4_000;
/// The time between two beats of a node.
const BEAT_MILLIS: u64 = 500;
