//! The runs of this node, for whoever looks.

use std::collections::VecDeque;
use std::sync::PoisonError;

use keystead_base::{Coded as _, Name, RequestId, Timestamp};
use keystead_signing::{Abort, Culprit};
use keystead_wire::{AbortView, MAX_SHOWN_ABORTS, MAX_SHOWN_RUNS, RunPurpose, RunView};

use super::{Dealing, Turns};
use crate::clock;
use crate::shared::Shared;
use crate::signer::Signer;

/// What was seen last.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    runs: Vec<RunView>,
    aborts: VecDeque<AbortView>,
}

impl Shared {
    /// The runs that are wanted or under way, and those that came to nothing.
    pub(crate) fn seen_runs(&self) -> (Vec<RunView>, Vec<AbortView>) {
        let seen = self.seen_runs.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.runs.clone(), seen.aborts.iter().cloned().collect())
    }

    pub(super) fn saw_abort(&self, request: RequestId, abort: &Abort) {
        let culprit = match &abort.culprit {
            Culprit::Node(name) => Some(name.clone()),
            Culprit::OneOf { .. } | Culprit::Unknown | Culprit::Ourselves => None,
        };
        let view = AbortView { request, culprit, code: abort.code().to_owned(), time: clock::now() };
        let mut seen = self.seen_runs.lock().unwrap_or_else(PoisonError::into_inner);
        seen.aborts.push_front(view);
        seen.aborts.truncate(MAX_SHOWN_ABORTS);
    }
}

impl Signer {
    /// Shows the runs as they stand.
    pub(crate) fn show_runs(&self) {
        let of = |purpose| {
            move |(request, turns): (&RequestId, &Turns)| {
                view(request, purpose, turns.attempt, &turns.signers, turns.begun)
            }
        };
        let waiting = self.runs.waiting.iter().map(|(request, it)| (request, &it.turns));
        let signing = waiting.map(of(RunPurpose::Signature));
        let proving = self.runs.proving.iter().map(of(RunPurpose::Proof));
        let dealing = self.runs.dealing.iter().filter(|(_, it)| it.session.is_some());
        let dealing = dealing.map(|(request, it): (&RequestId, &Dealing)| {
            view(request, RunPurpose::Share, it.attempt, &[], it.begun)
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
    signers: &[Name],
    since: Timestamp,
) -> RunView {
    RunView { request: *request, purpose, attempts, signers: signers.to_vec(), since }
}
