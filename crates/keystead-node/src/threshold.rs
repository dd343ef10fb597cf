//! Keys in shares at this node: ceremonies as the log convenes them, and runs that sign.
//!
//! The node only carries: its enclave asks the log itself, builds each session itself, and reads what is sent to it
//! alone. What it says comes in a fixed order, and is worked off in it: records become durable first.

mod ceremonies;
mod inputs;
mod lead;
mod nearness;
mod retire;
mod seen;
mod words;

use std::collections::{BTreeMap, VecDeque};

use keystead_base::{Canonical as _, Coded as _, Name, RequestId, Timestamp};
use keystead_bitcoin::SpendSignature;
use keystead_decision::{Certificate, ProvenSeat, Sharing, State};
use keystead_ledger::ThresholdRow;
use keystead_signing::{
    Abort, Culprit, Ended, Fault, ItemResult, Progress, Record, RunEnd, SessionId, Standing, Tried,
};
use keystead_wire::{PeerMessage, RunCall};
use tokio::time::Instant;

use crate::signer::{Signer, Work, over};
use crate::{Event, NodeError};

pub(crate) use self::lead::Turns;
pub(crate) use self::seen::Seen;
pub(crate) use self::words::{MAX_RUN_WORDS, RunWord};

/// What this node knows of runs and ceremonies. All of it ends with the enclave that it is about.
#[derive(Default)]
pub(crate) struct Runs {
    /// The seats that the enclave has drawn, by the ceremony's request.
    seats: BTreeMap<RequestId, OwnSeat>,
    /// Ceremonies that the enclave takes part in.
    dealing: BTreeMap<RequestId, Dealing>,
    /// Ceremonies under way in which this node is to hold: the key, and the epoch of the share that is made.
    open: BTreeMap<RequestId, (Name, u32)>,
    /// Proofs of this node's new shares.
    proving: BTreeMap<RequestId, Turns>,
    /// What the log allows and nobody has signed yet.
    waiting: BTreeMap<RequestId, Waiting>,
    /// What is signed of PSBTs under rights that ended.
    parts: inputs::Parts,
    epochs: retire::Epochs,
    /// Calls to runs that this enclave cannot join yet, and who called.
    calls: VecDeque<(Instant, Name, RunCall)>,
    /// Who called to a run under way, and for which request.
    callers: BTreeMap<SessionId, (Name, RequestId)>,
    /// Who was named in a run, and when last.
    named: BTreeMap<Name, Instant>,
    /// Of each key, which sets of signers came to nothing, and when the last one did.
    tried: BTreeMap<Name, (Instant, Tried)>,
    /// Where the last run of each request stands in this enclave, for whoever looks.
    stands: BTreeMap<RequestId, Standing>,
    /// What the calls of a turn brought about: it is worked off at the turn's end, so that one write makes all of it durable.
    turn: Progress,
}

/// A seat, and when the log was told of it.
struct OwnSeat {
    seat: ProvenSeat,
    told: u64,
}

/// A ceremony whose machine runs, or has run, in this enclave.
struct Dealing {
    begun: Timestamp,
    attempt: u32,
    session: Option<SessionId>,
    /// Whether the enclave was handed what was dealt, in an import.
    taken: bool,
    /// When it is given up, if it still runs.
    until: Instant,
}

/// A right whose key is held in shares.
pub(crate) struct Waiting {
    work: Work,
    height: u64,
    turns: Turns,
    /// Who holds the key in the epoch that the right names.
    sharing: Sharing,
    /// Of a PSBT: what is signed so far, by input.
    signatures: BTreeMap<u32, SpendSignature>,
}

impl Runs {
    /// Who holds a key in the epoch that a right names, at the block that it stands in: a block may name rights of the
    /// epoch that it ends.
    pub(crate) fn sharing<'a>(&'a self, state: &'a State, key: &Name, epoch: u32) -> Option<&'a Sharing> {
        let in_force = state.key(key).and_then(|it| Some((it.epoch, it.sharing.as_ref()?)));
        self.epochs.sharing(key, in_force, epoch)
    }
}

impl Runs {
    /// The key that a right, or a ceremony under way, is about.
    fn key_of(&self, request: &RequestId) -> Option<Name> {
        let waiting = self.waiting.get(request).map(|it| &it.work.key);
        waiting.or_else(|| self.open.get(request).map(|(key, _)| key)).cloned()
    }

    /// The tries that a run may belong to.
    fn turns_of(&mut self, request: &RequestId) -> impl Iterator<Item = &mut Turns> {
        let signing = self.waiting.get_mut(request).map(|it| &mut it.turns);
        signing.into_iter().chain(self.proving.get_mut(request))
    }

    /// A run of this node's tries did what it was for.
    fn came_out(&mut self, request: &RequestId, session: SessionId) {
        let Some(key) = self.key_of(request) else { return };
        let signers = self.turns_of(request).find_map(|it| it.signers_of(session).map(<[Name]>::to_vec));
        if let (Some(signers), Some((_, tried))) = (signers, self.tried.get_mut(&key)) {
            tried.signed(&signers);
        }
    }

    /// A run ended without a result. INVARIANT D3: these signers are not called together again before others were, whoever was named.
    fn came_to_nothing(&mut self, me: &Name, request: &RequestId, abort: &Abort) {
        let now = Instant::now();
        let ended: Vec<_> = self.turns_of(request).filter_map(|it| it.aborted(abort.session, now)).collect();
        let Some(signers) = ended.first() else { return };
        if let Some(key) = self.key_of(request) {
            let (last, tried) = self.tried.entry(key).or_insert_with(|| (now, Tried::default()));
            *last = now;
            tried.failed(me, signers, &abort.culprit);
        }
        // A run that is left over, of what others signed long ago, says nothing of who is there now.
        if let Culprit::Node(name) = &abort.culprit {
            self.named.insert(name.clone(), now);
        }
    }

    /// A right that is led no more. What was signed under it waits for the next one.
    fn over(&mut self, request: &RequestId) {
        if let Some(Waiting { work, signatures, .. }) = self.waiting.remove(request) {
            self.parts.keep(*request, work.digest(), signatures);
        }
    }
}

impl Signer {
    /// The enclave admitted it: from now on the holders lead runs for it, one after the other.
    pub(crate) fn admitted(&mut self, state: &State, height: u64, work: Work) {
        let (request, turns) = (work.request, Turns::new(Instant::now()));
        match self.runs.sharing(state, &work.key, work.epoch).cloned() {
            Some(sharing) => {
                self.runs.over(&request);
                let signatures = self.runs.parts.take(request, work.digest());
                let waiting = Waiting { work, height, turns, sharing, signatures };
                self.runs.waiting.insert(request, waiting);
            }
            // Who held then is not known here any more: the right is renewed, for the epoch in force.
            None => self.refused(&request, over()),
        }
    }

    /// The turn is over. Of an enclave that ended in it, too, nothing that it began before is left out.
    pub(crate) async fn end_turn(&mut self) -> Result<(), NodeError> {
        let turn = std::mem::take(&mut self.runs.turn);
        self.moved(turn).await
    }

    /// INVARIANT S5, K6: what the enclave began, and whom it caught, is durable before anybody hears a word of it.
    pub(crate) async fn moved(&mut self, progress: Progress) -> Result<(), NodeError> {
        let Progress { records, messages, ended, stands } = progress;
        if !records.is_empty() {
            let rows: Vec<ThresholdRow> = records.iter().map(row).collect();
            self.shared.ledger.save_threshold_records(&rows).await?;
            self.shared.remember(&records);
        }
        self.runs.stands.extend(stands.into_iter().map(|it| (it.request, it)));
        for ended in ended {
            self.ended(ended).await?;
        }
        for it in messages {
            self.shared.peers.send_one(&it.to, PeerMessage::Threshold(it.message).to_document());
        }
        Ok(())
    }

    /// INVARIANT K6: people let a node in again, and the log knows who. The enclave reads the certificate first: what it refuses
    /// becomes no record that a later start would believe.
    pub(crate) async fn lift(
        &mut self,
        key: &Name,
        node: &Name,
        certificate: Certificate,
    ) -> Result<(), NodeError> {
        self.enclave.lift(certificate)?;
        let record = Record::Lifted { key: key.clone(), node: node.clone() };
        self.shared.ledger.save_threshold_records(&[row(&record)]).await?;
        self.shared.remember(&[record]);
        Ok(())
    }

    async fn ended(&mut self, ended: Ended) -> Result<(), NodeError> {
        let Ended { session, request, end } = ended;
        self.runs.callers.remove(&session);
        if self.runs.stands.get(&request).is_some_and(|it| it.session == session) {
            self.runs.stands.remove(&request);
        }
        self.shared.meters.ran(word(&end));
        if !matches!(end, RunEnd::Aborted(_)) {
            self.runs.came_out(&request, session);
        }
        match end {
            RunEnd::Signed { height, released } => {
                self.run_signed(&request, height, ItemResult::Signed(released))
            }
            RunEnd::SignedMessage { height, released } => {
                self.run_signed(&request, height, ItemResult::SignedMessage(released))
            }
            RunEnd::Dealt(share) => self.share_dealt(request, *share).await?,
            RunEnd::Dismissed => drop(self.runs.dealing.remove(&request)),
            RunEnd::Proved { prover, proof } => self.share_proved(request, &prover, proof),
            RunEnd::Aborted(abort) => self.run_aborted(session, request, &abort),
            RunEnd::SignedInput { height, signature } => {
                self.input_signed(request, (session, height), signature)
            }
        }
        Ok(())
    }

    fn run_signed(&mut self, request: &RequestId, height: u64, result: ItemResult) {
        // Runs may be two at once: they sign the same bytes, and the first one counts.
        if let Some(waiting) = self.runs.waiting.remove(request) {
            if waiting.height == height {
                self.signed(height, waiting.work, result);
            } else {
                self.runs.waiting.insert(*request, waiting);
            }
        }
    }

    fn run_aborted(&mut self, session: SessionId, request: RequestId, abort: &Abort) {
        self.shared.event(Event::RunAborted { request, abort: abort.clone() });
        self.shared.saw_abort(request, abort);
        self.runs.came_to_nothing(&self.shared.node, &request, abort);
        if self.runs.dealing.get(&request).is_some_and(|it| it.session == Some(session)) {
            self.begin_anew(request);
        }
    }

    /// The enclave is another one: what it knew of runs went with it, but for what it signed.
    pub(crate) fn forget_runs(&mut self) -> Vec<RequestId> {
        let waited: Vec<RequestId> = self.runs.waiting.keys().copied().collect();
        waited.iter().for_each(|request| self.runs.over(request));
        let parts = std::mem::take(&mut self.runs.parts);
        self.runs = Runs { parts, ..Runs::default() };
        waited
    }
}

fn row(record: &Record) -> ThresholdRow {
    // What keeps nobody out stays nowhere, so that nobody can fill a disk with it.
    let stays = match record {
        Record::Begun { .. } => false,
        Record::Aborted { abort, .. } => {
            matches!(abort.culprit, Culprit::Node(_)) && abort.fault != Fault::Silence
        }
        Record::Lifted { .. } => true,
    };
    ThresholdRow { stays, document: record.to_document() }
}

/// How a run came out, for those who count.
fn word(end: &RunEnd) -> &'static str {
    match end {
        RunEnd::Signed { .. } | RunEnd::SignedInput { .. } | RunEnd::SignedMessage { .. } => "signed",
        RunEnd::Dealt(_) => "dealt",
        RunEnd::Dismissed => "dismissed",
        RunEnd::Proved { .. } => "proved",
        RunEnd::Aborted(abort) => abort.code(),
    }
}

/// The run that a call of the enclave began.
fn begun(progress: &Progress) -> Option<SessionId> {
    progress.records.iter().find_map(|record| match record {
        Record::Begun { session, .. } => Some(*session),
        Record::Aborted { .. } | Record::Lifted { .. } => None,
    })
}

/// The names of all others.
fn others<'a>(names: &'a [Name], me: &'a Name) -> impl Iterator<Item = &'a Name> {
    names.iter().filter(move |name| *name != me)
}

#[cfg(test)]
mod tests {
    use keystead_base::Digest;

    use super::*;

    #[test]
    fn k06_whoever_was_caught_is_remembered_and_what_names_nobody_fills_no_journal() {
        let (key, session): (Name, _) = ("hot".parse().unwrap(), SessionId(Digest([1; 32])));
        let by =
            |culprit, fault| Record::Aborted { key: key.clone(), abort: Abort { session, culprit, fault } };
        let aborted = |fault| by(Culprit::Node("b".parse().unwrap()), fault);
        let one_of = Culprit::OneOf { sender: "b".parse().unwrap(), witness: "c".parse().unwrap() };
        let lifted = Record::Lifted { key: key.clone(), node: "b".parse().unwrap() };
        for (record, stays) in [
            (Record::Begun { key: key.clone(), session }, false),
            (aborted(Fault::Silence), false),
            (aborted(Fault::Multiplication), true),
            (aborted(Fault::Malformed), true),
            (aborted(Fault::TwoThings), true),
            (by(Culprit::Unknown, Fault::Result), false),
            (by(Culprit::Ourselves, Fault::Own), false),
            (by(one_of, Fault::Equivocation), false),
            (lifted, true),
        ] {
            assert_eq!(row(&record).stays, stays, "{record:?}");
        }
    }
}
