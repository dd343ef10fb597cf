//! Runs that ended because two nodes were told different things: what the sender in doubt signed is shown, and shown again.

use std::collections::{BTreeMap, VecDeque};

use keystead_base::Name;
use keystead_threshold::{Abort, Address, Dispute, Message, Post, Said, SessionId, Shown};

use super::Moved;
use super::run::{Aim, TurnEnd};
use crate::MAX_FRAME_BYTES;

/// The oldest give way.
#[derive(Default)]
pub(super) struct Disputes(VecDeque<Kept>);

/// What is known of one sender in one run.
struct Kept {
    key: Name,
    session: SessionId,
    sender: Name,
    /// What it signed, as it came.
    messages: Vec<Vec<u8>>,
    /// How often each other was shown it again.
    again: BTreeMap<Name, u8>,
    /// None once both broadcasts are here.
    open: Option<Open>,
}

struct Open {
    aim: Aim,
    /// The keys of the sender in doubt: no key of this enclave outlives its run here.
    keys: Address,
    dispute: Dispute,
}

impl Disputes {
    /// Hands on what this node was told, as it came, and waits for what the others were told.
    pub(super) fn open(
        &mut self,
        (key, abort): (&Name, &Abort),
        (aim, post): (&Aim, &Post),
        shown: Shown<Vec<u8>>,
        moved: &mut Moved,
    ) {
        let Shown { sender, mut messages, others, dispute } = shown;
        // A letter shows nobody else anything.
        messages.retain(|it| matches!(Message::read(it), Ok(Message::Broadcast(_))));
        if dispute.is_none() {
            let rounds: Vec<_> = messages.iter().map(|it| round(it)).collect();
            messages.retain(|it| rounds.iter().filter(|of| **of == round(it)).count() > 1);
        }
        for to in others {
            // Whom it does not fit is shown it later.
            let _fits = show(&messages, &to, moved);
        }
        let open = match (dispute, post.keys_of(&sender).cloned()) {
            (Some(dispute), Some(keys)) => Some(Open { aim: aim.clone(), keys, dispute }),
            (Some(_), None) => return,
            (None, _) if messages.len() < 2 => return,
            (None, _) => None,
        };
        let (key, session, again) = (key.clone(), abort.session, BTreeMap::new());
        self.keep(Kept { key, session, sender, messages, again, open });
    }

    /// One proof of a node is enough: the first. What only somebody says gives way before what is proven, because a liar opens
    /// as many disputes about the honest as it likes.
    fn keep(&mut self, kept: Kept) {
        let is_proven = |it: &Kept| it.open.is_none() && it.key == kept.key && it.sender == kept.sender;
        if kept.open.is_none() && self.0.iter().any(is_proven) {
            return;
        }
        if self.0.len() >= MAX_DISPUTES {
            self.0.remove(first_to_go(self.0.iter().map(|it| it.open.is_some())));
        }
        self.0.push_back(kept);
    }

    /// Somebody takes part in a run of a key: it is shown what it may have missed, before anything else is said to it.
    pub(super) fn show_again(&mut self, key: &Name, to: &Name, moved: &mut Moved) {
        for it in self.0.iter_mut().filter(|it| it.key == *key && it.sender != *to) {
            let times = it.again.entry(to.clone()).or_default();
            if *times < MAX_AGAIN && show(&it.messages, to, moved) {
                *times += 1;
            }
        }
    }

    /// INVARIANT K6: people let it in, and what it signed before is shown to nobody any more, nor settles anything.
    pub(super) fn forget(&mut self, key: &Name, sender: &Name) {
        self.0.retain(|it| it.key != *key || it.sender != *sender);
    }

    /// Whether one about a run is open.
    pub(super) fn has(&self, session: SessionId) -> bool {
        self.0.iter().any(|it| it.session == session && it.open.is_some())
    }

    /// INVARIANT K6: what the sender signed for another ends the dispute where it is not what it signed for this node. Both are shown
    /// from then on.
    pub(super) fn settle(&mut self, session: SessionId, message: &[u8]) -> Option<(SessionId, Aim, TurnEnd)> {
        let place = self.0.iter().position(|it| it.session == session && it.open.is_some())?;
        let Open { aim, keys, dispute } = self.0.get(place)?.open.as_ref()?;
        let theirs = Said::signed(message, dispute.sender(), keys)?;
        let (abort, aim) = (dispute.settle(&theirs)?, aim.clone());
        let mut kept = self.0.remove(place)?;
        kept.messages.retain(|it| round(it) == round(message));
        kept.messages.push(message.to_vec());
        // It is news again.
        self.keep(Kept { open: None, again: BTreeMap::new(), ..kept });
        Some((session, aim, TurnEnd::Aborted(abort)))
    }
}

/// The oldest that is open, or the oldest.
fn first_to_go(mut are_open: impl Iterator<Item = bool>) -> usize {
    are_open.position(|it| it).unwrap_or(0)
}

fn round(message: &[u8]) -> Option<u8> {
    Message::read(message).ok().map(|it| it.round())
}

/// False where a turn has so much to say already: all of it leaves in one frame, and a liar can make what it signs long.
fn show(messages: &[Vec<u8>], to: &Name, moved: &mut Moved) -> bool {
    let said: usize = moved.messages.iter().map(|(_, it)| it.len()).sum();
    let fits = said.saturating_add(messages.iter().map(Vec::len).sum()) <= MAX_SHOWN_BYTES;
    if fits {
        moved.messages.extend(messages.iter().map(|message| (to.clone(), message.clone())));
    }
    fits
}

/// Each holds the few broadcasts of one node in two rounds.
pub(super) const MAX_DISPUTES: usize = 16;
/// In so many of its next runs with this node each other is shown it again.
pub(super) const MAX_AGAIN: u8 = 4;
/// Of a turn's messages, where something is shown: two fifths of a frame, beside what the set-up of a key in many shares says at once.
/// The longest three envelopes fit.
const MAX_SHOWN_BYTES: usize = MAX_FRAME_BYTES / 5 * 2;

#[cfg(test)]
mod tests {
    use keystead_base::Digest;
    use keystead_threshold::MAX_ENVELOPE_BYTES;

    use super::*;

    fn named(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn proof(of: &str, bytes: usize) -> Kept {
        let messages = vec![vec![0; bytes]; 2];
        let (session, again) = (SessionId(Digest([1; 32])), BTreeMap::new());
        Kept { key: named("hot"), session, sender: named(of), messages, again, open: None }
    }

    fn shown(disputes: &mut Disputes) -> usize {
        let mut moved = Moved::default();
        disputes.show_again(&named("hot"), &named("c"), &mut moved);
        assert!(moved.messages.iter().map(|(_, it)| it.len()).sum::<usize>() <= MAX_SHOWN_BYTES);
        moved.messages.len()
    }

    #[test]
    fn k06_what_is_shown_fits_a_frame_and_the_rest_comes_later() {
        let mut disputes = Disputes::default();
        ["l1", "l2", "l3"].iter().for_each(|it| disputes.keep(proof(it, MAX_ENVELOPE_BYTES)));
        let turns: Vec<usize> = (0..3 * MAX_AGAIN + 1).map(|_| shown(&mut disputes)).collect();
        assert_eq!(turns.iter().sum::<usize>(), 3 * 2 * usize::from(MAX_AGAIN), "{turns:?}");
        let said = Moved { messages: vec![(named("a"), vec![0; MAX_SHOWN_BYTES])], ..Moved::default() };
        let mut moved = said;
        disputes.keep(proof("l4", 1));
        disputes.show_again(&named("hot"), &named("c"), &mut moved);
        assert_eq!(moved.messages.len(), 1, "the turn has said enough");
        assert_eq!(shown(&mut disputes), 2, "it was not counted");
    }

    #[test]
    fn k06_what_a_liar_says_of_others_gives_way_before_what_is_proven() {
        assert_eq!(first_to_go([false, true, true].into_iter()), 1);
        assert_eq!(first_to_go([false, false].into_iter()), 0);
    }

    #[test]
    fn k06_one_proof_of_a_liar_is_kept_and_a_few_in_all() {
        let mut disputes = Disputes::default();
        (1..4).for_each(|bytes| disputes.keep(proof("b", bytes)));
        let kept: Vec<usize> = disputes.0.iter().map(|it| it.messages[0].len()).collect();
        assert_eq!(kept, [1], "the first");
        (0..MAX_DISPUTES).for_each(|it| disputes.keep(proof(&format!("l{it}"), 1)));
        assert_eq!(disputes.0.len(), MAX_DISPUTES);
        assert!(disputes.0.iter().all(|it| it.sender != named("b")), "the oldest gave way");
    }
}
