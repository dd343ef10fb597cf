//! The runs of this node, for whoever looks.

use std::collections::VecDeque;
use std::sync::PoisonError;

use keystead_base::{Coded as _, Name, RequestId, Timestamp};
use keystead_signing::{Abort, Culprit, Journal, Record, Standing};
use keystead_wire::{
    AbortView, KeptOut, MAX_KEPT_OUT, MAX_SHOWN_ABORTS, MAX_SHOWN_RUNS, RoundView, RunPurpose, RunView,
};

use super::{Dealing, Turns};
use crate::clock;
use crate::shared::Shared;
use crate::signer::Signer;

/// What was seen last.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    runs: Vec<RunView>,
    aborts: VecDeque<AbortView>,
    /// Whom this node's enclave keeps out, as the records say that it was given.
    journal: Journal,
}

impl Shared {
    /// The runs that are wanted or under way, and those that came to nothing.
    pub(crate) fn seen_runs(&self) -> (Vec<RunView>, Vec<AbortView>) {
        let seen = self.seen_runs.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.runs.clone(), seen.aborts.iter().cloned().collect())
    }

    pub(super) fn saw_abort(&self, request: RequestId, abort: &Abort) {
        let culprits = match &abort.culprit {
            Culprit::Node(name) => vec![name.clone()],
            Culprit::OneOf { sender, witness } => vec![sender.clone(), witness.clone()],
            Culprit::Unknown | Culprit::Ourselves => Vec::new(),
        };
        let view = AbortView { request, culprits, code: abort.code().to_owned(), time: clock::now() };
        let mut seen = self.seen_runs.lock().unwrap_or_else(PoisonError::into_inner);
        seen.aborts.push_front(view);
        seen.aborts.truncate(MAX_SHOWN_ABORTS);
    }
}

impl Shared {
    /// Whom this node's enclave keeps out of which key's runs, until an operator lets it in.
    pub(crate) fn kept_out(&self) -> Vec<KeptOut> {
        let seen = self.seen_runs.lock().unwrap_or_else(PoisonError::into_inner);
        let kept_out =
            seen.journal.kept_out().map(|(key, node)| KeptOut { key: key.clone(), node: node.clone() });
        kept_out.take(MAX_KEPT_OUT).collect()
    }

    /// Whether this node's enclave keeps a node out of a key's runs.
    pub(super) fn keeps_out(&self, key: &Name, node: &Name) -> bool {
        let seen = self.seen_runs.lock().unwrap_or_else(PoisonError::into_inner);
        seen.journal.is_blocked(key, node)
    }

    /// An enclave begins with these records.
    pub(crate) fn recall(&self, records: &[Record]) {
        self.seen_runs.lock().unwrap_or_else(PoisonError::into_inner).journal = Journal::default();
        self.remember(records);
    }

    pub(super) fn remember(&self, records: &[Record]) {
        let mut seen = self.seen_runs.lock().unwrap_or_else(PoisonError::into_inner);
        let blames = records.iter().filter(|it| !matches!(it, Record::Begun { .. }));
        blames.for_each(|record| seen.journal.apply(record));
    }
}

impl Signer {
    /// Shows the runs as they stand.
    pub(crate) fn show_runs(&self) {
        let stands = &self.runs.stands;
        let of = |purpose| {
            move |(request, turns): (&RequestId, &Turns)| {
                let stands = stands.get(request);
                view(request, purpose, turns.attempt, (&turns.signers, stands), turns.begun)
            }
        };
        let waiting = self.runs.waiting.iter().map(|(request, it)| (request, &it.turns));
        let signing = waiting.map(of(RunPurpose::Signature));
        let proving = self.runs.proving.iter().map(of(RunPurpose::Proof));
        let dealing = self.runs.dealing.iter().filter(|(_, it)| it.session.is_some());
        let dealing = dealing.map(|(request, it): (&RequestId, &Dealing)| {
            view(request, RunPurpose::Share, it.attempt, (&[], stands.get(request)), it.begun)
        });
        let mut runs: Vec<RunView> = signing.chain(proving).chain(dealing).collect();
        runs.sort_by_key(|it| it.since);
        runs.truncate(MAX_SHOWN_RUNS);
        self.shared.seen_runs.lock().unwrap_or_else(PoisonError::into_inner).runs = runs;
    }
}

fn view(
    request: &RequestId,
    purpose: RunPurpose,
    attempts: u32,
    (signers, stands): (&[Name], Option<&Standing>),
    since: Timestamp,
) -> RunView {
    let round =
        stands.map(|it| RoundView { round: it.round, rounds: it.rounds, missing: it.missing.clone() });
    RunView { request: *request, purpose, attempts, signers: signers.to_vec(), since, round }
}
