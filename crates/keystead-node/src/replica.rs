//! The replica's stage: feeds it what happens, and hands on what it wants done.
//!
//! It goes on with the next height while the last block is on its way to the disk. Nothing of a block is seen
//! outside before the writer has it durable (S1).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use keystead_base::{Digest, Name};
use keystead_consensus::{Committed, Input, Message, Objection, Output, Replica, Standing, Timers};
use keystead_decision::{Admitted, Controls, Entry};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::blocks::{Subject, Submission};
use crate::consensus::{Act, Built, Turn, Waiting, document};
use crate::shared::Shared;
use crate::{Event, NodeError, clock};

/// Something that another node said, or that was found out for the replica.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Entries that its clients submitted, their senders verified here.
    Entries(Name, Vec<Admitted>),
    /// A word of the consensus.
    Message(Name, Box<Message>),
    /// What this node's endpoints say of a block's facts.
    Checked(Digest, Result<(), Objection>),
    /// A connection was opened.
    Connected(Name),
}

/// The stage.
pub(crate) struct Deliberator<C> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) replica: Replica<C>,
    pub(crate) inbox: mpsc::Receiver<Submission>,
    pub(crate) heard: mpsc::Receiver<Heard>,
    pub(crate) out: mpsc::Sender<Turn>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) block_entries: usize,
    /// Who waits for which entry.
    pub(crate) waiting: HashMap<Digest, Waiting>,
    pub(crate) timers: Timers<Instant>,
    pub(crate) next_beat: Instant,
    /// Whether this node voted when it was last said.
    pub(crate) word: &'static str,
}

/// What woke the stage.
enum Woken {
    Submitted(Box<Submission>),
    Heard(Heard),
    Time,
    Stop,
}

impl<C: Controls> Deliberator<C> {
    pub(crate) async fn run(mut self) -> Result<(), NodeError> {
        let first = self.step(Input::Beat)?;
        self.hand_on(first).await;
        loop {
            // Room first: what arrives while the disk works goes into one turn, and into one block.
            let Ok(room) = self.out.clone().reserve_owned().await else { return Ok(()) };
            let turn = match self.wait().await {
                Woken::Stop => return Ok(()),
                Woken::Submitted(first) => self.submitted(*first)?,
                Woken::Heard(first) => self.hear(first)?,
                Woken::Time => self.time()?,
            };
            self.say_standing();
            if !turn.is_empty() {
                room.send(turn);
            }
        }
    }

    async fn hand_on(&mut self, turn: Turn) {
        if !turn.is_empty() {
            // A writer that ended is reported by its own stage.
            let _ = self.out.send(turn).await;
        }
    }

    async fn wait(&mut self) -> Woken {
        let wake = self.wake();
        tokio::select! {
            biased;
            _ = self.stop.wait_for(|stop| *stop) => Woken::Stop,
            Some(heard) = self.heard.recv() => Woken::Heard(heard),
            () = sleep_until(wake) => Woken::Time,
            submitted = self.inbox.recv() => submitted.map_or(Woken::Stop, |it| Woken::Submitted(Box::new(it))),
        }
    }

    /// The next timer, beat, or moment at which something is due.
    fn wake(&self) -> Instant {
        let idle = self.replica.round().is_none();
        let due = self.replica.state().next_due().filter(|_| idle);
        let due = due.map(|moment| Instant::now() + clock::until(moment));
        [self.timers.next(), due].into_iter().flatten().fold(self.next_beat, Instant::min)
    }

    /// All that waits becomes one submission.
    fn submitted(&mut self, first: Submission) -> Result<Turn, NodeError> {
        let mut entries = vec![self.take(first)];
        while entries.len() < self.block_entries {
            let Ok(next) = self.inbox.try_recv() else { break };
            entries.push(self.take(next));
        }
        self.step(Input::Submit { from: None, entries })
    }

    fn take(&mut self, submission: Submission) -> Admitted {
        let subject = Subject::of(submission.admitted.entry());
        let waiting = self.waiting.entry(submission.digest).or_default();
        waiting.push((subject, submission.placed));
        submission.admitted
    }

    fn hear(&mut self, first: Heard) -> Result<Turn, NodeError> {
        let mut turn = self.step(input(first))?;
        for _ in 1..MAX_HEARD_AT_ONCE {
            let Ok(next) = self.heard.try_recv() else { break };
            turn.0.extend(self.step(input(next))?.0);
        }
        Ok(turn)
    }

    fn time(&mut self) -> Result<Turn, NodeError> {
        let now = Instant::now();
        let mut turn = Turn::default();
        while let Some(timer) = self.timers.take(now) {
            turn.0.extend(self.step(Input::Timer(timer))?.0);
        }
        let is_due = self.replica.state().next_due().is_some_and(|due| due <= clock::now());
        if self.next_beat <= now || (is_due && self.replica.round().is_none()) {
            self.next_beat = now + BEAT;
            turn.0.extend(self.step(Input::Beat)?.0);
        }
        Ok(turn)
    }

    fn step(&mut self, input: Input) -> Result<Turn, NodeError> {
        let mut height = self.replica.state().height() + 1;
        let outputs = self.replica.step(clock::now(), input);
        let mut turn = Turn::default();
        for output in outputs {
            match output {
                Output::Record(record) => turn.0.push(Act::Record(height, record)),
                Output::Send { to, message } => turn.0.extend(self.send(to, message)),
                Output::Committed(committed) => {
                    height = committed.commit.header.height + 1;
                    turn.0.push(Act::Commit(Box::new(self.built(*committed))));
                }
                Output::Timer { timer, millis } => {
                    let at = Instant::now() + Duration::from_millis(millis);
                    self.timers.set(timer, at);
                }
                Output::Diverged { height, expected, found } => {
                    return Err(NodeError::Diverged { height, expected, found });
                }
                other => self.note(other),
            }
        }
        let under_way = self.replica.state().height() + 1;
        self.timers.keep_from(under_way);
        Ok(turn)
    }

    /// What clients signed rests on nothing of this node's, so it need not wait for the disk.
    fn send(&self, to: BTreeSet<Name>, message: Message) -> Option<Act> {
        let waits = message.rests_on_records();
        let document = document(message);
        if waits {
            return Some(Act::Send(to, document));
        }
        self.shared.peers.send(&to, &document);
        None
    }

    /// Outputs that are neither written nor sent by the writer.
    fn note(&mut self, output: Output) {
        match output {
            Output::Check { header, entries, from } => self.check(header, entries, from),
            Output::Serve { to, from } => self.shared.serve_blocks(to, from),
            Output::Objected { node, objection } => self.shared.objected(&node, objection),
            Output::Misbehaved(it) => {
                let (node, height, round) = (it.node, it.height, it.round);
                self.shared.event(Event::Misbehaved { node, height, round });
            }
            Output::Round { height, round, leader } if round > 0 => {
                self.shared.event(Event::Round { height, round, leader });
            }
            // Who waits for a dropped entry learns it by the end of its channel.
            Output::Dropped(digests) => digests.iter().for_each(|it| drop(self.waiting.remove(it))),
            // A first round is no news, and the others are seen to before.
            Output::Round { .. }
            | Output::Record(_)
            | Output::Send { .. }
            | Output::Committed(_)
            | Output::Timer { .. }
            | Output::Diverged { .. } => {}
        }
    }

    fn built(&mut self, committed: Committed) -> Built {
        let waiting = committed.entries.iter().filter_map(|it| self.waiting.remove(it)).flatten().collect();
        Built { committed, waiting }
    }

    fn check(&self, header: Digest, entries: Vec<Entry>, from: Option<Name>) {
        let (shared, height) = (Arc::clone(&self.shared), self.replica.state().height() + 1);
        tokio::spawn(async move {
            let verdict = shared.check_facts(height, header, &entries, from.as_ref()).await;
            if let (Some(peer), Err(objection)) = (&from, &verdict) {
                shared.disbelieved(peer, objection);
            }
            shared.hear(Heard::Checked(header, verdict)).await;
        });
    }

    fn say_standing(&mut self) {
        let word = self.shared.standing_word(self.replica.standing());
        if word != self.word {
            self.word = word;
            self.shared.event(Event::Standing { word });
        }
        self.shared.see(&self.replica);
    }
}

fn input(heard: Heard) -> Input {
    match heard {
        Heard::Entries(from, entries) => Input::Submit { from: Some(from), entries },
        Heard::Message(from, message) => Input::Received { from, message },
        Heard::Checked(header, verdict) => Input::Checked { header, verdict },
        Heard::Connected(node) => Input::Connected(node),
    }
}

/// A standing in words.
pub(crate) fn standing_word(standing: &Standing) -> &'static str {
    match standing {
        Standing::Votes => VOTES,
        Standing::Asks { .. } => "asks the others what it said before",
        Standing::RolledBack { .. } => "was rolled back and stays silent until it is readmitted",
        Standing::Outside => "is not in the roster, and follows",
        Standing::Diverged { .. } => "computes something else than the others, and stops",
    }
}

/// What a node that takes part is said to do.
pub(crate) const VOTES: &str = "votes";
/// What one does that might, and whose key is out of reach.
pub(crate) const AWAY: &str = "may vote and does not: the token with half of its key is away";
/// Messages that one turn takes in: they share one write to the disk.
const MAX_HEARD_AT_ONCE: usize = 64;
/// How often a node says how far it is.
const BEAT: Duration = Duration::from_millis(500);
