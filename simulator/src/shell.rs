//! What a node's shell does around its replica: the order of writes, syncs and sends, and crashes in between.

use std::collections::BTreeSet;
use std::sync::Arc;

use keystead_base::{Canonical as _, Name};
use keystead_consensus::{
    Committed, CommittedBlock, Input, Limits, Message, Objection, Output, Replica, Setup, Standing, Times,
};
use keystead_decision::{Admitted, Entry, Snapshot};

use crate::Bug;
use crate::back_end::BackEnd;
use crate::disk::{Stored, Write};
use crate::rules::{lying_withstood, quorum};
use crate::simulation::{Event, Simulation};

/// The node where the key `hot` is at home. It never lies: its back end signs for itself.
pub(crate) const HOME: usize = 0;
/// How long a round waits; with the bug `RoundsTooLong` a good deal longer.
fn times(bug: Option<Bug>) -> Times {
    let Times { propose_millis, prevote_millis, precommit_millis, rebroadcast_millis } = Times::default();
    match bug {
        Some(Bug::RoundsTooLong) => Times {
            propose_millis: propose_millis * TOO_LONG,
            prevote_millis: prevote_millis * TOO_LONG,
            precommit_millis: precommit_millis * TOO_LONG,
            rebroadcast_millis,
        },
        _ => Times::default(),
    }
}

/// So many times.
const TOO_LONG: u64 = 40;
/// The most blocks of one answer.
const BLOCKS_SERVED: usize = 16;

impl Simulation {
    pub(crate) fn index_of(&self, name: &Name) -> Option<usize> {
        self.places.iter().position(|it| it.name == *name)
    }

    /// Starts a node from its disk.
    pub(crate) fn start(&mut self, node: usize) {
        let place = &mut self.places[node];
        if place.replica.is_some() {
            return;
        }
        // As from a snapshot file: what is read is what was written.
        let document = Snapshot(place.disk.state().clone()).to_document();
        let Snapshot(state) = Snapshot::from_document(&document).expect("a snapshot that was just written");
        place.replica = Some(Replica::new(Setup {
            me: place.name.clone(),
            signer: Arc::clone(&place.voter),
            state: place.disk.awaiting(state),
            last: place.disk.blocks().last().map(|it| it.commit.clone()),
            records: place.disk.records().to_vec(),
            controls: place.controls.clone(),
            limits: Limits::default(),
            times: times(self.plan.bug),
        }));
        place.life += 1;
        place.heard.clear();
        place.reported.clear();
        let life = place.life;
        self.note_witnesses(node);
        if node == HOME && self.is_home() {
            match BackEnd::start(&self.genesis, &self.places[node].disk) {
                Ok(back_end) => self.places[node].back_end = Some(back_end),
                Err(error) => self.oracle.object("S3", format!("the back end does not start: {error}")),
            }
        }
        self.shares_start(node);
        let beat = self.dice.between(1, 400);
        self.after(beat, Event::Beat { node, life });
        self.after(1_000, Event::Watch { node, life });
        self.connect(node);
    }

    /// Who remembers more of this node than its disk; a node that starts anew remembers less of the others.
    /// What was said of heights that the disk holds contradicts nothing any more.
    fn note_witnesses(&mut self, node: usize) {
        let height = self.places[node].disk.height();
        let forgotten = self.places[node].rolled_back.map(|it| it.0).unwrap_or_default();
        let knows = |it: &crate::place::Place| {
            let heard = it.heard.get(&node).copied().unwrap_or_default();
            !it.lies && it.replica.is_some() && heard > height && heard <= forgotten
        };
        let witnesses = (0..self.places.len()).filter(|it| knows(&self.places[*it])).collect();
        for place in &mut self.places {
            place.witnesses.remove(&node);
        }
        self.places[node].witnesses = witnesses;
    }

    /// Opens the connections of a node to all that it reaches.
    pub(crate) fn connect(&mut self, node: usize) {
        for other in 0..self.places.len() {
            if other != node && self.places[other].replica.is_some() && self.network.reaches(node, other) {
                let (mine, others) = (self.places[node].name.clone(), self.places[other].name.clone());
                self.feed(node, Input::Connected(others));
                self.feed(other, Input::Connected(mine));
            }
        }
    }

    /// A crash: what was not synced is lost, or a part of it.
    pub(crate) fn crash(&mut self, node: usize) {
        self.report.count("crash");
        let bug = self.plan.bug;
        let place = &mut self.places[node];
        place.replica = None;
        place.back_end = None;
        place.holder = None;
        place.fuse = None;
        place.disk.crash(&mut self.dice);
        if bug == Some(Bug::BlocksNotSynced) {
            place.disk.lose_newest_block();
            place.disk.lose_records();
        }
        if bug == Some(Bug::RecordsLost) {
            place.disk.lose_records();
        }
        let pause = self.dice.between(200, 12_000);
        self.after(pause, Event::Restart { node });
    }

    /// Whether the crash that hangs over a node strikes now.
    pub(crate) fn burns(&mut self, node: usize) -> bool {
        match self.places[node].fuse {
            Some(0) => {
                self.crash(node);
                true
            }
            Some(left) => {
                self.places[node].fuse = Some(left - 1);
                false
            }
            None => false,
        }
    }

    /// Hands one input to a node and does what comes out, in its order.
    pub(crate) fn feed(&mut self, node: usize, input: Input) {
        if self.forgets(node, &input) {
            return;
        }
        let mut now = self.clock(node);
        if self.plan.bug == Some(Bug::ClockUnchecked)
            && let Input::Received { message, .. } = &input
            && let Message::Proposal { block, .. } = message.as_ref()
        {
            now = block.header.time;
        }
        let lax = self.places[node].lies
            && !matches!(input, Input::Received { .. } | Input::Checked { .. })
            && self.dice.chance(300);
        let place = &mut self.places[node];
        let Some(replica) = &mut place.replica else { return };
        place.controls.set_lax(lax);
        let outputs = replica.step(now, input);
        place.controls.set_lax(false);
        let height = replica.state().height();
        let trace = [self.now, node as u64, outputs.len() as u64, height];
        self.report.trace(&trace.map(u64::to_be_bytes).concat());
        self.check_standing(node);
        for output in outputs {
            if self.burns(node) {
                return;
            }
            self.perform(node, output);
            if self.places[node].replica.is_none() {
                return;
            }
        }
        // As in the node, a record waits until something rests on it: a crash before that loses it.
    }

    /// Whether a node with the bug `DueForgotten` lets an input pass: a beat or another node's head, at a time at which
    /// something is due and nobody asks for anything.
    fn forgets(&self, node: usize, input: &Input) -> bool {
        let place = &self.places[node];
        let Some(replica) = place.replica.as_ref().filter(|_| self.plan.bug == Some(Bug::DueForgotten))
        else {
            return false;
        };
        let is_due = replica.state().next_due().is_some_and(|at| at <= self.clock(node));
        let idle = match input {
            Input::Beat => true,
            Input::Received { message, .. } => matches!(message.as_ref(), Message::Head { .. }),
            _ => false,
        };
        is_due && idle && replica.round().is_none()
    }

    /// INVARIANT D4: a node whose disk is whole never believes that it was rolled back, and none diverges.
    fn check_standing(&mut self, node: usize) {
        let place = &self.places[node];
        let Some(replica) = place.replica.as_ref().filter(|_| !place.lies) else { return };
        let text = format!("{} is {:?}", place.name, replica.standing());
        match replica.standing() {
            Standing::RolledBack { .. } if place.rolled_back.is_none() => self.oracle.object("D4", text),
            Standing::Diverged { .. } => self.oracle.object("S3", text),
            _ => {}
        }
    }

    fn perform(&mut self, node: usize, output: Output) {
        match output {
            Output::Record(record) => self.places[node].disk.write(Write::Record(record)),
            Output::Send { to, message } => self.send(node, &to, message),
            Output::Committed(committed) => self.commit(node, &committed),
            Output::Timer { timer, millis } => {
                let life = self.places[node].life;
                self.after(millis, Event::Timer { node, life, timer });
            }
            Output::Check { header, entries, from: _ } => {
                let (life, height) = (self.places[node].life, self.places[node].state().height() + 1);
                let verdict = self.look_up(node, height, header, &entries);
                let pause = self.dice.between(2, 200);
                self.after(pause, Event::Checked { node, life, header, verdict });
            }
            Output::Serve { to, from } => self.serve(node, &to, from),
            Output::Misbehaved(it) => self.accused(node, &it.node),
            Output::Objected { objection, .. } => {
                *self.report.decisions.entry("objections").or_default() += 1;
                self.report.trace(objection.code.as_bytes());
            }
            Output::Dropped(_) | Output::Round { .. } | Output::Diverged { .. } => {}
        }
    }

    /// INVARIANT S1: write, sync, then send.
    fn send(&mut self, node: usize, to: &BTreeSet<Name>, message: Message) {
        if message.rests_on_records() && self.plan.bug != Some(Bug::SendsBeforeWrite) {
            self.places[node].disk.sync();
        }
        if self.burns(node) {
            return;
        }
        if self.places[node].lies {
            return self.lie(node, to, message);
        }
        self.check_words(node, &message);
        self.post_all(node, to, &message);
        self.burns(node);
    }

    fn check_words(&mut self, node: usize, message: &Message) {
        let place = &self.places[node];
        let forgot = place.rolled_back.is_some();
        let boot = place.state().roster().node(&place.name).map(|it| it.boot).unwrap_or_default();
        match message {
            Message::Ballot(ballot) if ballot.node == place.name => {
                self.oracle.voted(ballot, boot, &place.disk, forgot);
                self.check_memory(node, boot);
            }
            Message::Proposal { proposal, .. } => self.oracle.proposed(proposal, boot, &place.disk, forgot),
            _ => {}
        }
    }

    /// INVARIANT S3: a node on an older disk stays silent if so many others remember its votes that whomever it
    /// asks one of them answers.
    fn check_memory(&mut self, node: usize, boot: u64) {
        let Some((_, then)) = self.places[node].rolled_back else { return };
        let witnesses = self.places[node].witnesses.len();
        let nodes = self.places.len();
        if boot == then && witnesses + quorum(nodes) as usize > nodes {
            let text = format!("node-{} votes on an older disk; {witnesses} others hold its votes", node + 1);
            self.oracle.object("S3", text);
        }
    }

    pub(crate) fn post_all(&mut self, from: usize, to: &BTreeSet<Name>, message: &Message) {
        for index in to.iter().filter_map(|it| self.index_of(it)).collect::<Vec<_>>() {
            self.post(from, index, message.clone());
        }
    }

    pub(crate) fn post(&mut self, from: usize, to: usize, mut message: Message) {
        if self.plan.bug == Some(Bug::RollbackUntold)
            && let Message::Head { seen, .. } = &mut message
        {
            *seen = None;
        }
        for pause in self.network.deliveries(&mut self.dice, from, to) {
            let (life, message) = (self.places[to].life, Box::new(message.clone()));
            self.after(pause, Event::Deliver { from, to, life, message });
        }
    }

    pub(crate) fn deliver(&mut self, from: usize, to: usize, message: Message) {
        let sender = self.places[from].name.clone();
        let place = &mut self.places[to];
        let Some(replica) = &place.replica else { return };
        if let Message::Ballot(ballot) = &message
            && ballot.node == sender
            && replica.round().is_some()
            && ballot.height == replica.state().height() + 1
        {
            place.heard.insert(from, ballot.height);
        }
        let input = match message {
            Message::Entries(entries) => {
                let admitted: Vec<Admitted> =
                    entries.into_iter().filter_map(|it| replica.state().admit(it).ok()).collect();
                Input::Submit { from: Some(sender), entries: admitted }
            }
            message => Input::Received { from: sender, message: Box::new(message) },
        };
        self.feed(to, input);
    }

    /// A client of this node hands in an entry.
    pub(crate) fn submitted(&mut self, node: usize, entry: Entry) {
        let Some(replica) = &self.places[node].replica else { return };
        if let Ok(admitted) = replica.state().admit(entry) {
            self.taken(node, admitted.entry());
            self.feed(node, Input::Submit { from: None, entries: vec![admitted] });
        }
    }

    /// A block is committed: durable first, then whatever rests on it.
    fn commit(&mut self, node: usize, committed: &Committed) {
        let stored = Stored {
            commit: committed.commit.clone(),
            entries: committed.applied.block.entries.clone(),
            decisions: committed.applied.decisions.clone(),
            state: committed.applied.state.clone(),
        };
        self.places[node].disk.write(Write::Block(Box::new(stored)));
        if self.plan.bug != Some(Bug::SignsBeforeDurable) {
            self.places[node].disk.sync();
        }
        if self.places[node].lies {
            return self.shares_commit(node, committed);
        }
        let is_new = committed.commit.header.height > self.oracle.height();
        if is_new {
            self.check_times(committed);
        }
        self.oracle.committed(self.now, &self.asked, &self.chain, committed);
        if is_new {
            for decision in &committed.applied.decisions {
                let word = decision.outcome.word();
                *self.report.decisions.entry(word).or_default() += 1;
                // The outcome, since what a seat signs is named by a digest over its signature, which chance blinds.
                self.report.trace(format!("{:?}", decision.outcome).as_bytes());
            }
        }
        if is_new {
            self.check_shares();
        }
        if self.burns(node) {
            return;
        }
        if node == HOME {
            self.received(committed);
            self.sign_allowed(committed);
        }
        self.shares_commit(node, committed);
    }

    fn look_up(
        &self,
        node: usize,
        height: u64,
        header: keystead_base::Digest,
        entries: &[Entry],
    ) -> Result<(), Objection> {
        let believes = self.plan.bug == Some(Bug::FactsUnchecked) || self.places[node].lies;
        let by_another = self.plan.bug == Some(Bug::SettledByAnother);
        let is_true = |it: &Entry| match it {
            Entry::Settlement(signed) => signed.body.slot.is_some_and(|slot| {
                let claimed = signed.body.fate;
                self.chain.fate(&signed.body.request, slot.nonce) == Some(claimed)
                    || (by_another && self.chain.settled_by(slot.nonce) == Some(claimed))
            }),
            // Nothing on this chain happens beside the log.
            Entry::Finding(_) => false,
            _ => true,
        };
        if believes || entries.iter().all(is_true) {
            return Ok(());
        }
        let (code, text) = ("settlement.unseen".to_owned(), "the chain does not say so".to_owned());
        Err(Objection { height, header, code, text })
    }

    fn serve(&mut self, node: usize, to: &Name, from: u64) {
        let stored = self.places[node].disk.blocks().iter().filter(|it| it.commit.header.height >= from);
        let blocks: Vec<_> = stored
            .take(BLOCKS_SERVED)
            .map(|it| CommittedBlock { commit: it.commit.clone(), entries: it.entries.clone() })
            .collect();
        if blocks.is_empty() {
            return;
        }
        self.send(node, &BTreeSet::from([to.clone()]), Message::Blocks(blocks));
    }

    /// Only who lies, or runs on an older disk, may be accused.
    fn accused(&mut self, node: usize, culprit: &Name) {
        self.report.count("seen to say two things");
        let known = self.index_of(culprit).map(|it| &self.places[it]);
        let guilty = known.is_some_and(|it| it.lies || it.rolled_back.is_some());
        if !guilty && lying_withstood(self.places.len()) > 0 {
            self.oracle.object("S3", format!("node-{} accuses {culprit}, which is honest", node + 1));
        }
    }
}
