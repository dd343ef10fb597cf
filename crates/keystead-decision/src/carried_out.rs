//! Requests that back ends carried out, as every node reads it from a block.

use std::collections::BTreeSet;

use keystead_base::{Canonical as _, Name, RequestId};
use keystead_intent::{Action, AuthorityChange, KeyCeremony};

use crate::{Applied, Entry, KeyEvent, KeyStep, Outcome, Phase, State};

impl Applied {
    /// The requests that are carried out with this block. A key event that the log denied says nothing of any.
    #[must_use]
    pub fn carried_out(&self) -> BTreeSet<RequestId> {
        let counted = self.decisions.iter().filter(|it| matches!(it.outcome, Outcome::Key { .. }));
        let counted: BTreeSet<RequestId> = counted.map(|it| it.subject).collect();
        let events = self.block.entries.iter().filter_map(|entry| match entry {
            Entry::Key(signed) => Some(&signed.body),
            _ => None,
        });
        let counted = events.filter(|it| counted.contains(&RequestId(it.digest())));
        counted.flat_map(|it| ended(it, &self.state)).collect()
    }
}

fn ended(event: &KeyEvent, state: &State) -> Vec<RequestId> {
    match &event.step {
        KeyStep::Created { request, .. }
        | KeyStep::BackedUp { request, .. }
        | KeyStep::Restored { request, .. }
        | KeyStep::InTokens { request, .. }
        | KeyStep::Left { request, .. } => vec![*request],
        // Of a key in shares once every next holder's share has signed.
        KeyStep::Proven { request, .. } => {
            let is_settled = state.request(request).is_some_and(|it| it.phase == Phase::Settled);
            is_settled.then_some(*request).into_iter().collect()
        }
        // And once nothing is left at any of them.
        KeyStep::Wiped { .. } | KeyStep::Destroyed => state.destructions(&event.key),
        KeyStep::Seated { .. }
        | KeyStep::Dealt { .. }
        | KeyStep::Imported { .. }
        | KeyStep::Drilled { .. }
        | KeyStep::Protected { .. }
        | KeyStep::Lost { .. }
        | KeyStep::Wallet { .. }
        | KeyStep::Received { .. }
        | KeyStep::Controlled { .. } => Vec::new(),
    }
}

impl State {
    /// What was allowed to wipe a key that is wiped everywhere: people ask again where a node was away.
    fn destructions(&self, name: &Name) -> Vec<RequestId> {
        let Some(key) = self.key(name).filter(|it| it.state.is_wiped()) else { return Vec::new() };
        let wish = Action::Authority(AuthorityChange::Key(KeyCeremony::Destroy { key: name.clone() }));
        let asked = self.requests().filter(|(_, it)| it.phase == Phase::Applied && it.intent.action == wish);
        // The first may have expired meanwhile.
        asked.map(|(id, _)| *id).chain(key.life.wiping).collect()
    }
}
