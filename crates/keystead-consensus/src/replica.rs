//! The replica: one node's memory of the log, and what it does with each input.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use keystead_base::{Canonical as _, Digest, HybridSigner, Name, Timestamp};
use keystead_decision::{Applied, Block, Commit, Controls, Entry, State, propose, validate_unless};

use crate::ahead::Ahead;
use crate::candidate::{Candidate, Candidates, states_a_fact};
use crate::engine::{Act, Decided, Deliberation, Seat};
use crate::pool::Pool;
use crate::{
    Ballot, Committed, Input, Limits, MAX_BLOCK_BYTES, Message, Output, Proposal, Record, Setup, Standing,
    Step, Timer, Times,
};

/// One node's part in the log.
pub struct Replica<C> {
    pub(crate) me: Name,
    pub(crate) signer: Arc<HybridSigner>,
    pub(crate) controls: C,
    limits: Limits,
    times: Times,
    pub(crate) state: State,
    pub(crate) standing: Standing,
    /// The deliberation on the next height, once there is something to decide.
    pub(crate) table: Option<Deliberation>,
    pub(crate) candidates: Candidates,
    /// The candidates of which the deliberation under way has this node's verdict.
    pub(crate) judged: BTreeSet<Digest>,
    pub(crate) pool: Pool,
    pub(crate) ahead: Ahead,
    /// The record of the height under way, as far as it was read from the disk or written by a voter; the blocks of this
    /// life are among the candidates.
    records: Vec<Record>,
    /// This node's votes at the height under way.
    pub(crate) own: Vec<Ballot>,
    /// The height that was committed when this node started: it may have voted up to the next one.
    pub(crate) since: u64,
    /// The latest vote of each other node.
    pub(crate) heard: BTreeMap<Name, Ballot>,
    /// How far the others say they are.
    pub(crate) heads: BTreeMap<Name, u64>,
    /// Whom this node told since the last beat how far it is.
    pub(crate) told: BTreeSet<Name>,
    /// Whether blocks were asked for since the last beat.
    pub(crate) wants: bool,
    /// Who was asked for them and has given none since.
    pub(crate) asked: BTreeSet<Name>,
    pub(crate) now: Timestamp,
    pub(crate) out: Vec<Output>,
}

impl<C: Controls> Replica<C> {
    /// A replica as its disk left it.
    #[must_use]
    pub fn new(setup: Setup<C>) -> Self {
        let roster = setup.state.roster();
        let key = setup.signer.public();
        let is_member = roster.node(&setup.me).is_some_and(|node| node.key == *key);
        let standing = Standing::at_start(is_member, roster.quorum);
        let mut replica = Self {
            since: setup.state.height(),
            now: setup.state.time(),
            standing,
            me: setup.me,
            signer: setup.signer,
            controls: setup.controls,
            limits: setup.limits,
            times: setup.times,
            state: setup.state,
            table: None,
            candidates: Candidates::default(),
            judged: BTreeSet::new(),
            pool: Pool::default(),
            ahead: Ahead::default(),
            records: Vec::new(),
            own: Vec::new(),
            heard: BTreeMap::new(),
            heads: BTreeMap::new(),
            told: BTreeSet::new(),
            wants: false,
            asked: BTreeSet::new(),
            out: Vec::new(),
        };
        replica.remember(setup.records, setup.last);
        replica
    }

    /// The state after the last committed block.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether this node votes.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The round under way, while there is something to decide.
    #[must_use]
    pub fn round(&self) -> Option<u32> {
        self.table.as_ref().map(Deliberation::round)
    }

    /// How far the other nodes said they are.
    pub fn heads(&self) -> impl Iterator<Item = (&Name, u64)> {
        self.heads.iter().map(|(name, height)| (name, *height))
    }

    /// Takes one input in, at this moment of the node's clock.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Output> {
        self.now = now;
        match input {
            Input::Submit { from, entries } => self.submit(from.as_ref(), entries),
            Input::Received { from, message } => self.received(from, *message),
            Input::Timer(timer) => self.timer(timer),
            Input::Checked { header, verdict } => self.checked(header, verdict),
            Input::Connected(node) => self.greet(&node),
            Input::Beat => self.beat(),
        }
        self.go_on();
        std::mem::take(&mut self.out)
    }

    fn submit(&mut self, from: Option<&Name>, entries: Vec<keystead_decision::Admitted>) {
        let (mut fresh, mut dropped) = (Vec::new(), Vec::new());
        for admitted in entries {
            let entry = admitted.entry().clone();
            match (self.pool.insert(admitted, from, self.now), from) {
                (Ok(Some(_)), None) => fresh.push(entry),
                (Ok(Some(digest)), Some(from)) if states_a_fact(&entry) => self.look_up(digest, entry, from),
                (Ok(Some(_)), Some(_)) => {}
                (Ok(None), _) => {}
                (Err(digest), _) => dropped.push(digest),
            }
        }
        if !fresh.is_empty() {
            self.send_all(Message::Entries(fresh));
        }
        if !dropped.is_empty() {
            self.out.push(Output::Dropped(dropped));
        }
    }

    /// INVARIANT S10: what another node says of a chain waits until this node's own endpoints say the same: it is
    /// neither proposed before nor believed in a block.
    fn look_up(&mut self, digest: Digest, entry: Entry, from: &Name) {
        let from = Some(from.clone());
        self.out.push(Output::Check { header: digest, entries: vec![entry], from });
    }

    fn received(&mut self, from: Name, message: Message) {
        if self.state.roster().node(&from).is_none() || from == self.me {
            return;
        }
        match message {
            // Their senders are verified before, and they come as submissions.
            Message::Entries(_) => {}
            Message::Head { height, seen, purpose } => self.head(&from, height, seen.map(|it| *it), purpose),
            Message::Want(first) => self.out.push(Output::Serve { to: from, from: first }),
            Message::Blocks(blocks) => self.learn(&from, blocks),
            Message::Objection(objection) if objection.is_short() => {
                self.out.push(Output::Objected { node: from, objection });
            }
            Message::Objection(_) => {}
            message => self.deliberate(from, message),
        }
    }

    /// A word of the deliberation: of this height, of a later one, or of one that is over.
    fn deliberate(&mut self, from: Name, message: Message) {
        let Some(height) = height_of(&message) else { return };
        let next = self.state.height() + 1;
        if height < next {
            return self.is_behind(&from, height);
        }
        if height > next {
            self.is_ahead(&from, height);
            if height <= next + MAX_HEIGHTS_AHEAD {
                self.ahead.keep(from, height, message);
            }
            return;
        }
        if self.table.is_none() {
            return self.ahead.keep(from, height, message);
        }
        self.hear(from, message);
    }

    fn hear(&mut self, from: Name, message: Message) {
        let Some(table) = &mut self.table else { return };
        let acts = match message {
            Message::Proposal { proposal, block } => return self.hear_proposal(&from, *proposal, *block),
            Message::Ballot(ballot) => {
                let acts = table.ballot(ballot.clone());
                if ballot.node == from {
                    self.note_heard(ballot);
                }
                acts
            }
            Message::Polka(polka) => table.polka(polka),
            Message::Round(proof) => table.round_proof(proof),
            Message::Entries(_)
            | Message::Head { .. }
            | Message::Want(_)
            | Message::Blocks(_)
            | Message::Objection(_) => return,
        };
        self.perform(acts);
    }

    fn hear_proposal(&mut self, from: &Name, proposal: Proposal, block: Block) {
        let Some(table) = &self.table else { return };
        let expected = proposal.node == *from
            && table.leader(proposal.round) == Some(from)
            && proposal.round <= table.round().saturating_add(MAX_ROUNDS_AHEAD)
            && block.header.digest() == proposal.header;
        if !expected {
            return;
        }
        let rounds = (proposal.round, proposal.valid_round);
        // What a quorum found valid meanwhile is looked at again: this node's clock or endpoints may have been off.
        let again = rounds.1.is_some() && self.candidates.refused(&proposal.header);
        let is_new = !self.candidates.knows(&proposal.header) && self.candidates.has_room(proposal.round);
        if again || is_new {
            self.look_at(rounds, from, proposal.header, block);
        } else if !self.judged.contains(&proposal.header) && self.found_valid(&proposal) {
            // Found while this node only listened, by a table that is gone: without the verdict this one would
            // vote against it for ever, where the others are bound to it.
            self.tell_verdict(rounds, from, proposal.header, true);
        }
        if let Some(table) = &mut self.table {
            let acts = table.proposal(proposal);
            self.perform(acts);
        }
    }

    /// Whether this node found the block valid, and this is its builder's proposal or one that a quorum found timely.
    fn found_valid(&self, proposal: &Proposal) -> bool {
        let builder = self.candidates.builder(&proposal.header);
        builder.is_some_and(|it| *it == proposal.node || proposal.valid_round.is_some())
    }

    fn timer(&mut self, timer: Timer) {
        if let Some(table) = &mut self.table {
            let acts = table.timer(timer);
            self.perform(acts);
        }
    }

    /// Sits down to the next height as long as there is something to decide.
    fn go_on(&mut self) {
        while self.table.is_none() && self.has_work() {
            self.sit_down();
        }
    }

    fn has_work(&self) -> bool {
        let is_due = self.state.next_due().is_some_and(|due| due <= self.now);
        let wants = self.standing.votes() && (is_due || !self.pool.is_empty() || self.state.awaits_rebuild());
        let listens = !matches!(self.standing, Standing::Diverged { .. });
        listens && (wants || !self.records.is_empty() || self.ahead.has(self.state.height() + 1))
    }

    fn sit_down(&mut self) {
        let height = self.state.height() + 1;
        let table = Deliberation::new(Seat {
            cluster: self.state.cluster(),
            height,
            roster: self.state.roster(),
            last: self.state.proposer(),
            me: &self.me,
            signer: Arc::clone(&self.signer),
            votes: self.standing.votes(),
        });
        // A node that only listens keeps its record for the day it votes again; one that votes, for the day it finds its key
        // again.
        let records = if self.standing.votes() { self.records.clone() } else { Vec::new() };
        self.judged = records.iter().filter_map(verdict_on).collect();
        let acts = self.table.insert(table).start(records);
        self.perform(acts);
        for (from, message) in self.ahead.take(height) {
            if self.state.height() + 1 == height {
                self.hear(from, message);
            }
        }
    }

    pub(crate) fn perform(&mut self, acts: Vec<Act>) {
        let height = self.state.height() + 1;
        for act in acts {
            match act {
                Act::Record(record) => {
                    if let Record::Ballot(ballot) = &record {
                        self.note_own(ballot);
                    }
                    self.records.extend(self.standing.votes().then(|| record.clone()));
                    self.out.push(Output::Record(record));
                }
                Act::Propose(proposal) => self.send_proposal(proposal),
                Act::Say(message) => self.send_all(message),
                Act::Timer(step, round) => {
                    let timer = Timer { height, round, step };
                    self.out.push(Output::Timer { timer, millis: self.times.millis(step, round) });
                }
                Act::WantsBlock(round) => self.build(round),
                Act::Round(round, leader) => self.out.push(Output::Round { height, round, leader }),
                Act::Decided(decided) => self.decided(decided),
                Act::Misbehaved(it) => self.out.push(Output::Misbehaved(it)),
            }
        }
    }

    pub(crate) fn note_own(&mut self, ballot: &Ballot) {
        if ballot.node == self.me {
            self.own.push(ballot.clone());
        }
    }

    /// INVARIANT S3: of what another node says the latest is kept, in whatever order it arrives: it is what that node
    /// is told when it has lost its disk.
    fn note_heard(&mut self, ballot: Ballot) {
        let known = self.heard.get(&ballot.node);
        if known.is_none_or(|known| (known.place(), known.step) <= (ballot.place(), ballot.step)) {
            self.heard.insert(ballot.node.clone(), ballot);
        }
    }

    fn send_proposal(&mut self, proposal: Proposal) {
        if let Some(block) = self.candidates.block(&proposal.header) {
            let block = Box::new(block.clone());
            let message = Message::Proposal { proposal: Box::new(proposal), block };
            self.send_all(message);
        }
    }

    /// Builds a block of what waits, or of the passing of time.
    fn build(&mut self, round: u32) {
        if !self.table.as_ref().is_some_and(|table| table.awaits_block(round)) {
            return;
        }
        let time = self.now.max(Timestamp(self.state.time().0.saturating_add(1)));
        let tick = self.state.admit(Entry::Tick).ok();
        let bytes = self.limits.block_bytes.min(MAX_BLOCK_BYTES);
        let unshared = self.pool.take_back_findings(self.now);
        if !unshared.is_empty() {
            self.out.push(Output::Dropped(unshared));
        }
        let mut entries = self.pool.oldest(self.limits.block_entries, bytes);
        if entries.is_empty() {
            entries.extend(&tick);
        }
        let applied = propose(&self.state, time, &self.me, entries, &self.controls);
        let header = applied.block.header.digest();
        self.out.push(Output::Record(Record::Block(Box::new(applied.block.clone()))));
        self.candidates.insert(header, Candidate::Valid(Box::new(applied)));
        if let Some(table) = &mut self.table {
            let acts = table.propose(round, header);
            self.perform(acts);
        }
    }

    fn decided(&mut self, decided: Decided) {
        // Without the block, or against this node's verdict, the log is caught up with from the others.
        if let Some(Candidate::Valid(applied)) = self.candidates.remove(&decided.header) {
            let header = applied.block.header.clone();
            let commit = Commit { header, round: decided.round, votes: decided.votes };
            self.commit(*applied, commit, false);
        }
    }

    /// The next block is committed: this height is over.
    pub(crate) fn commit(&mut self, applied: Applied, commit: Commit, learned: bool) {
        let entries: Vec<Digest> = applied.block.entries.iter().map(|it| it.digest()).collect();
        let roster = self.state.policy().roster_digest;
        self.state = applied.state.clone();
        let roster_changed = self.state.policy().roster_digest != roster;
        let dropped = self.pool.committed(&entries, &self.state, roster_changed);
        self.table = None;
        self.candidates = Candidates::default();
        self.records.clear();
        // A node that is still asking what it said needs all that it remembers, also of heights that it learned
        // meanwhile.
        if self.standing.votes() {
            self.own.clear();
        }
        self.out.push(Output::Committed(Box::new(Committed { applied, commit, entries, learned })));
        if !dropped.is_empty() {
            self.out.push(Output::Dropped(dropped));
        }
        if roster_changed {
            self.roster_changed();
        }
    }

    /// Takes up what the disk holds of the height under way.
    fn remember(&mut self, records: Vec<Record>, last: Option<Commit>) {
        for record in &records {
            match record {
                Record::Block(block) => self.restore(block),
                Record::Ballot(ballot) if ballot.node == self.me => self.own.push(ballot.clone()),
                Record::Ballot(ballot) => self.note_heard(ballot.clone()),
                Record::Judged { .. } | Record::Proposal(_) | Record::Polka(_) | Record::Timeout { .. } => {}
            }
        }
        if let Some(commit) = last {
            for vote in commit.votes {
                let ballot = Ballot {
                    step: Step::Precommit,
                    height: commit.header.height,
                    round: commit.round,
                    header: Some(commit.header.digest()),
                    node: vote.node.clone(),
                    signature: vote.signature,
                };
                self.note_heard(ballot);
            }
        }
        self.records = records;
    }

    /// A block that this node found valid before a crash is computed again.
    fn restore(&mut self, block: &Block) {
        let header = block.header.digest();
        if let Ok(applied) = validate_unless(&self.state, block.clone(), |_| false, &self.controls) {
            self.candidates.insert(header, Candidate::Valid(Box::new(applied)));
        }
    }

    pub(crate) fn others(&self) -> BTreeSet<Name> {
        let nodes = self.state.roster().nodes.iter().map(|node| &node.name);
        nodes.filter(|name| **name != self.me).cloned().collect()
    }

    pub(crate) fn send_all(&mut self, message: Message) {
        let to = self.others();
        if !to.is_empty() {
            self.out.push(Output::Send { to, message });
        }
    }

    pub(crate) fn send(&mut self, to: &Name, message: Message) {
        self.out.push(Output::Send { to: BTreeSet::from([to.clone()]), message });
    }

    /// Sits down anew when the right to vote begins or ends in the middle of a height, or the key is back.
    pub(crate) fn sit_anew(&mut self) {
        self.table = None;
    }
}

impl<C> fmt::Debug for Replica<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("me", &self.me)
            .field("height", &self.state.height())
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

/// What the record says that this node had a verdict on.
fn verdict_on(record: &Record) -> Option<Digest> {
    match record {
        Record::Judged { header, .. } => Some(*header),
        _ => None,
    }
}

fn height_of(message: &Message) -> Option<u64> {
    match message {
        Message::Proposal { proposal, .. } => Some(proposal.height),
        Message::Ballot(ballot) => Some(ballot.height),
        Message::Polka(polka) => Some(polka.height),
        Message::Round(proof) => Some(proof.height),
        Message::Entries(_)
        | Message::Head { .. }
        | Message::Want(_)
        | Message::Blocks(_)
        | Message::Objection(_) => None,
    }
}

/// Messages for later heights than this are not kept: the log is caught up with first.
const MAX_HEIGHTS_AHEAD: u64 = 4;
/// Proposals for later rounds than this are not looked at.
const MAX_ROUNDS_AHEAD: u32 = 10;
