//! What comes from other nodes, and what is due by the clock.

use std::collections::BTreeMap;

use keystead_base::{Canonical as _, Name, RequestId};
use keystead_decision::RunAim;
use keystead_intent::MAX_HOLDERS;
use keystead_signing::{ClientError, MAX_ENVELOPE_BYTES, RunStart, SessionId, Tried};
use keystead_wire::{PeerMessage, Refused, RunCall};
use tokio::time::Instant;

use super::lead::{leader, order, signers};
use super::nearness::Nearness;
use super::{begun, others};
use crate::NodeError;
use crate::shared::Shared;
use crate::signer::Signer;

/// A word of another node for the signer.
#[derive(Debug)]
pub(crate) enum RunWord {
    /// A message of a run.
    Message(Vec<u8>),
    /// A run that this node leads.
    Call(Name, RunCall),
}

impl RunWord {
    /// Whether it may wait: of no more bytes than a message has, and from whoever leads what it calls to.
    fn fits(&self, from: &Name) -> bool {
        match self {
            Self::Message(message) => message.len() <= MAX_MESSAGE_BYTES,
            Self::Call(_, call) => call.signers.len() <= MAX_HOLDERS && leads(from, call),
        }
    }
}

impl Shared {
    /// Hands a word to the signer. One that finds the queue full is lost: runs begin again.
    pub(crate) fn heard_run(&self, from: &Name, word: RunWord) {
        if word.fits(from) {
            let _ = self.run_words.try_send(word);
        }
    }
}

impl Signer {
    /// Takes the words that wait, in one call where they are messages.
    pub(crate) async fn heard_words(&mut self, words: Vec<RunWord>) -> Result<(), NodeError> {
        let heard = self.take_words(words).await;
        let done = self.end_turn().await;
        // What cannot be written down ends the node; what the enclave refuses does not.
        done.and(heard)
    }

    async fn take_words(&mut self, words: Vec<RunWord>) -> Result<(), NodeError> {
        let mut messages = Vec::new();
        for word in words {
            match word {
                RunWord::Message(message) => messages.push(message),
                RunWord::Call(from, call) => self.called(Instant::now(), from, call)?,
            }
        }
        for part in parts(messages) {
            let moved = self.enclave.deliver(part)?;
            self.runs.turn.add(moved);
            // INVARIANT D3: nobody waits for an answer until all others are computed.
            self.end_turn().await?;
        }
        Ok(())
    }

    /// Another node leads a run. Where the enclave cannot join it yet, it may in a moment.
    fn called(&mut self, since: Instant, from: Name, call: RunCall) -> Result<(), NodeError> {
        if !call.signers.contains(&self.shared.node) || self.has_enough_runs(&from, &call) {
            return Ok(());
        }
        match self.begin(&from, &call) {
            Err(NodeError::Enclave(ClientError::Refused(refusal))) => {
                if may_pass(&refusal.code) && self.runs.calls.len() < MAX_CALLS {
                    self.runs.calls.push_back((since, from, call));
                }
                Ok(())
            }
            other => other,
        }
    }

    /// INVARIANT D3: whoever calls again and again gets no more of this enclave than a few runs at once, and takes no
    /// place that another leader needs.
    fn has_enough_runs(&self, from: &Name, call: &RunCall) -> bool {
        runs_of(&self.runs.callers, from, call.aim.request()) >= MAX_RUNS_OF_ONE
    }

    /// Calls that came before their certificate or share did.
    pub(crate) async fn called_before(&mut self) -> Result<(), NodeError> {
        let mut calls = std::mem::take(&mut self.runs.calls);
        calls.retain(|(since, ..)| since.elapsed() < CALL_LIFE);
        let done = calls.into_iter().try_for_each(|(since, from, call)| self.called(since, from, call));
        self.end_turn().await.and(done)
    }

    /// Has the enclave begin a run.
    fn begin(&mut self, from: &Name, call: &RunCall) -> Result<(), NodeError> {
        let progress = self.enclave.join(start(call))?;
        let request = call.aim.request();
        if let Some(session) = begun(&progress) {
            self.runs.callers.insert(session, (from.clone(), request));
            self.note(call, request, session);
        }
        self.runs.turn.add(progress);
        Ok(())
    }

    /// Which tries an own run belongs to.
    fn note(&mut self, call: &RunCall, request: RequestId, session: SessionId) {
        let turns = match &call.aim {
            RunAim::Request { .. } | RunAim::Input { .. } => {
                self.runs.waiting.get_mut(&request).map(|it| &mut it.turns)
            }
            RunAim::Proof { prover, .. } if *prover == self.shared.node => {
                self.runs.proving.get_mut(&request)
            }
            RunAim::Proof { .. } => None,
        };
        if let Some(turns) = turns {
            turns.joined(session, call.attempt, &call.signers);
        }
    }

    /// Begins a run, and calls the others to it: none that this enclave refuses, or they would wait for it and name this node.
    fn lead(&mut self, call: RunCall) -> Result<(), NodeError> {
        self.begin(&self.shared.node.clone(), &call)?;
        let joins = PeerMessage::Joins(call.clone()).to_document();
        for name in others(&call.signers, &self.shared.node) {
            self.shared.peers.send_one(name, joins.clone());
        }
        Ok(())
    }

    /// Leads a run of those who are chosen, or of the next where this enclave keeps one of them out.
    fn lead_those_free(
        &mut self,
        key: &Name,
        (order, threshold): (&[Name], usize),
        (aim, attempt): (RunAim, u32),
        now: Instant,
    ) -> Result<(), NodeError> {
        let near = self.nearness(now);
        let (me, mut reachable) = (self.shared.node.clone(), self.shared.peers.reachable_names());
        // INVARIANT D3, K6: whoever is kept out keeps nobody else from signing.
        reachable.retain(|it| !self.shared.keeps_out(key, it));
        for _ in 0..MAX_SETS_AT_ONCE {
            let (_, tried) = self.runs.tried.entry(key.clone()).or_insert_with(|| (now, Tried::default()));
            let chosen = signers(&me, (order, threshold), &reachable, (&near, tried));
            let Some(signers) = chosen else { return Ok(()) };
            match self.lead(RunCall { aim: aim.clone(), attempt, signers: signers.clone() }) {
                // Caught a moment ago.
                Err(NodeError::Enclave(ClientError::Refused(refusal))) if refusal.code == BLOCKED => {
                    if let Some((_, tried)) = self.runs.tried.get_mut(key) {
                        tried.passed_over(&signers);
                    }
                }
                other => return other,
            }
        }
        Ok(())
    }

    /// The next moment at which something is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let waiting = self.runs.waiting.values().map(|it| it.turns.due);
        let proving = self.runs.proving.values().map(|it| it.due);
        let dealing = self.runs.dealing.values().filter(|it| it.session.is_some()).map(|it| it.until);
        let over = self.runs.epochs.over.values().map(|(until, _)| *until);
        waiting.chain(proving).chain(dealing).chain(over).min()
    }

    /// Begins what is due.
    pub(crate) async fn run_due(&mut self) -> Result<(), NodeError> {
        let now = Instant::now();
        self.give_up_ceremonies(now).await?;
        self.retire(now).await?;
        let led = self.lead_due(now).await;
        self.end_turn().await.and(led)
    }

    async fn lead_due(&mut self, now: Instant) -> Result<(), NodeError> {
        let due = self.runs.proving.iter().filter(|(_, it)| it.due <= now).map(|(request, _)| *request);
        for request in due.collect::<Vec<_>>() {
            self.lead_proof(request, now)?;
        }
        let shared = std::sync::Arc::clone(&self.shared);
        self.runs.waiting.retain(|request, _| !shared.board.has_signature(request));
        let due = self.runs.waiting.iter().filter(|(_, it)| it.turns.due <= now).map(|(request, _)| *request);
        for (led, request) in due.collect::<Vec<_>>().into_iter().enumerate() {
            self.lead_request(request, now).await?;
            // INVARIANT D3: whoever is called waits for the leader's first word.
            if led % LED_AT_ONCE == LED_AT_ONCE - 1 {
                self.end_turn().await?;
            }
        }
        Ok(())
    }

    async fn lead_request(&mut self, request: RequestId, now: Instant) -> Result<(), NodeError> {
        self.silence(request).await?;
        let near = self.nearness(now);
        let others = self.runs.waiting.len().saturating_sub(1);
        let Some(waiting) = self.runs.waiting.get_mut(&request) else { return Ok(()) };
        let (sharing, height, aim) = (&waiting.sharing, waiting.height, waiting.aim(request));
        let attempt = waiting.turns.next(now, sharing.holders.len(), others);
        let (me, reachable) = (&self.shared.node, self.shared.peers.reachable_names());
        // Whoever lost its share leads nothing, and nobody waits for it.
        let able: Vec<Name> = sharing.holders.iter().filter(|it| sharing.has_home(it)).cloned().collect();
        let order = order(&able, (&request, height), attempt);
        let threshold = usize::from(sharing.threshold);
        if leader(&order, me, &reachable, (&near, threshold, attempt)) != Some(me) {
            return Ok(());
        }
        let key = waiting.work.key.clone();
        match self.lead_those_free(&key, (&order, threshold), (aim, attempt), now) {
            Err(NodeError::Enclave(ClientError::Refused(refusal))) if !is_of_runs(&refusal.code) => {
                self.runs.over(&request);
                self.refused(&request, Refused { code: refusal.code, text: refusal.text });
                Ok(())
            }
            // Another try, with others: whoever was caught is kept out, or the run was begun already.
            Err(NodeError::Enclave(ClientError::Refused(_))) => Ok(()),
            other => other,
        }
    }

    /// How the holders are, as far as this node knows.
    fn nearness(&mut self, now: Instant) -> Nearness {
        self.runs.named.retain(|_, at| now < *at + AILING_TIME);
        self.runs.tried.retain(|_, (last, tried)| now < *last + AILING_TIME && !tried.is_empty());
        let ailing = self.runs.named.keys().cloned().collect();
        Nearness { table: self.shared.health.table(&self.shared.node), ailing }
    }

    /// The runs of the tries before are given up: whoever was not heard is named.
    async fn silence(&mut self, request: RequestId) -> Result<(), NodeError> {
        let Some(waiting) = self.runs.waiting.get(&request) else { return Ok(()) };
        for session in waiting.turns.over() {
            let moved = self.enclave.give_up(session)?;
            // At once: whom the next try takes follows from it.
            self.moved(moved).await?;
        }
        Ok(())
    }

    /// A holder leads the proof of its own share.
    fn lead_proof(&mut self, request: RequestId, now: Instant) -> Result<(), NodeError> {
        let Some(turns) = self.runs.proving.get_mut(&request) else { return Ok(()) };
        let state = self.shared.state();
        let Some((key, convening)) = state.convenings().find(|(_, it)| it.request == request) else {
            self.runs.proving.remove(&request);
            return Ok(());
        };
        // It leads each of its tries itself.
        let (attempt, me) = (turns.next(now, 1, 0), self.shared.node.clone());
        let order = order(&convening.holders, (&request, 0), attempt);
        let (key, threshold) = (key.clone(), usize::from(convening.threshold));
        let aim = RunAim::Proof { request, prover: me };
        match self.lead_those_free(&key, (&order, threshold), (aim, attempt), now) {
            Err(NodeError::Enclave(ClientError::Refused(_))) => Ok(()),
            other => other,
        }
    }
}

/// How many runs for a request are under way that this node called to.
fn runs_of(callers: &BTreeMap<SessionId, (Name, RequestId)>, from: &Name, request: RequestId) -> usize {
    callers.values().filter(|(caller, of)| caller == from && *of == request).count()
}

/// Whether a node calls to a run that is its to lead: one that it takes part in, and a proof of its own share.
fn leads(from: &Name, call: &RunCall) -> bool {
    let own = match &call.aim {
        RunAim::Request { .. } | RunAim::Input { .. } => true,
        RunAim::Proof { prover, .. } => prover == from,
    };
    own && call.signers.contains(from)
}

fn start(call: &RunCall) -> RunStart {
    RunStart { aim: call.aim.clone(), attempt: call.attempt, signers: call.signers.clone() }
}

/// What a later certificate, or the end of a ceremony here, may change.
fn may_pass(code: &str) -> bool {
    ["threshold.not_admitted", "threshold.no_share"].contains(&code)
}

/// The run is refused, and not the right.
fn is_of_runs(code: &str) -> bool {
    code.starts_with("threshold")
}

/// Messages as they fit frames to the enclave.
fn parts(messages: Vec<Vec<u8>>) -> Vec<Vec<Vec<u8>>> {
    let mut parts: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut bytes = usize::MAX;
    for message in messages {
        bytes = bytes.saturating_add(message.len());
        match parts.last_mut() {
            Some(part) if bytes <= MAX_PART_BYTES => part.push(message),
            _ => {
                bytes = message.len();
                parts.push(vec![message]);
            }
        }
    }
    parts
}

/// What an enclave says of a run with a node that it keeps out.
const BLOCKED: &str = "threshold_begin.blocked";
/// So many sets are asked for in one turn, where a node was caught meanwhile.
const MAX_SETS_AT_ONCE: usize = 4;
/// Runs that begin before one write makes their records durable and their first words leave.
const LED_AT_ONCE: usize = 16;
/// For how long whoever was named in a run is taken last, and sets that came to nothing are remembered.
const AILING_TIME: std::time::Duration = std::time::Duration::from_secs(60);
/// Words that wait for the signer.
pub(crate) const MAX_RUN_WORDS: usize = 512;
/// Calls that wait for a certificate.
const MAX_CALLS: usize = 1024;
/// Runs of one caller for one request at once.
const MAX_RUNS_OF_ONE: usize = 2;
/// An envelope with its signature, or a letter with its channel.
const MAX_MESSAGE_BYTES: usize = MAX_ENVELOPE_BYTES + 4096;
/// How long a call waits for one.
const CALL_LIFE: std::time::Duration = std::time::Duration::from_secs(10);
/// Of messages in one frame to the enclave, which answers them in one.
const MAX_PART_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use keystead_base::Digest;

    use super::*;

    fn named(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn call(aim: RunAim, signers: &[&str]) -> RunWord {
        let signers = signers.iter().map(|it| named(it)).collect();
        RunWord::Call(named("c"), RunCall { aim, attempt: 0, signers })
    }

    fn request() -> RequestId {
        RequestId(Digest([7; 32]))
    }

    #[test]
    fn a03_nobody_calls_to_a_run_that_is_another_one_s_to_lead() {
        let signing = || RunAim::Request { request: request(), height: 1 };
        let proof = |prover: &str| RunAim::Proof { request: request(), prover: named(prover) };
        for (word, fits) in [
            (call(signing(), &["a", "c"]), true),
            (call(signing(), &["a", "b"]), false),
            (call(proof("c"), &["a", "c"]), true),
            (call(proof("a"), &["a", "c"]), false),
            (call(signing(), &["c"; MAX_HOLDERS + 1]), false),
            (RunWord::Message(vec![0; MAX_MESSAGE_BYTES]), true),
            (RunWord::Message(vec![0; MAX_MESSAGE_BYTES + 1]), false),
        ] {
            assert_eq!(word.fits(&named("c")), fits, "{word:?}");
        }
    }

    #[test]
    fn d03_whoever_calls_often_takes_no_place_of_another_leader() {
        let id = |byte| SessionId(Digest([byte; 32]));
        let theirs = |byte, who: &str| (id(byte), (named(who), request()));
        let callers = BTreeMap::from([theirs(1, "c"), theirs(2, "c"), theirs(3, "a")]);
        assert_eq!(runs_of(&callers, &named("c"), request()), MAX_RUNS_OF_ONE);
        assert_eq!(runs_of(&callers, &named("a"), request()), 1);
        assert_eq!(runs_of(&callers, &named("c"), RequestId(Digest([8; 32]))), 0);
    }
}
