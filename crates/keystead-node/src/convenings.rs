//! The ceremonies of shared keys in one look.

use keystead_base::Name;
use keystead_decision::{Convening, State};
use keystead_intent::AuthorityChange;
use keystead_wire::{ConveningView, PartView, SharingView};

/// The ceremonies that are under way, by key.
pub(crate) fn convenings(state: &State) -> Vec<ConveningView> {
    state.convenings().map(|(key, it)| view(key, it)).collect()
}

fn view(key: &Name, convening: &Convening) -> ConveningView {
    let part = |node: &Name| PartView {
        node: node.clone(),
        seated: convening.seats.contains_key(node),
        dealt: convening.dealt.contains_key(node),
        proven: convening.proven.contains(node),
    };
    ConveningView {
        key: key.clone(),
        request: convening.request,
        change: AuthorityChange::Key(convening.ceremony.clone()).kind(),
        epoch: convening.next_epoch(),
        next: SharingView {
            threshold: convening.threshold,
            holders: convening.holders.clone(),
            lost: Vec::new(),
        },
        attempt: convening.attempt,
        parts: convening.participants().into_iter().map(part).collect(),
        agreed: convening.agreed().is_some(),
        expires: convening.expires,
    }
}
