//! Whose spends of coins are looked at in one round: each key's in its turn, and of a key those that were not looked at last.

use std::collections::{BTreeMap, VecDeque};

use keystead_base::{Name, RequestId};
use keystead_intent::ChainId;

/// A spend that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenSpend {
    pub(crate) request: RequestId,
    pub(crate) chain: ChainId,
    pub(crate) key: Name,
}

/// What was looked at last.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// By key.
    looked_at: BTreeMap<Name, RequestId>,
    /// Whose turn was the last of a round.
    last: Option<Name>,
}

impl Turns {
    /// The spends of the next round. Each key has one before any has two: what never ends of one key delays no other's, and of
    /// its own key each has its turn.
    pub(crate) fn next(&mut self, all: Vec<OpenSpend>) -> Vec<OpenSpend> {
        let mut queues = self.queues(all);
        self.looked_at.retain(|key, _| queues.iter().any(|(it, _)| it == key));
        let mut round = Vec::new();
        while round.len() < MAX_WATCHED && !queues.is_empty() {
            let room = MAX_WATCHED.saturating_sub(round.len());
            let turn: Vec<OpenSpend> =
                queues.iter_mut().take(room).filter_map(|(_, it)| it.pop_front()).collect();
            for it in &turn {
                self.looked_at.insert(it.key.clone(), it.request);
                self.last = Some(it.key.clone());
            }
            round.extend(turn);
            queues.retain(|(_, it)| !it.is_empty());
        }
        round
    }

    /// By key, those after the last one first, and within a key the same.
    fn queues(&self, all: Vec<OpenSpend>) -> Vec<(Name, VecDeque<OpenSpend>)> {
        let mut queues: BTreeMap<Name, VecDeque<OpenSpend>> = BTreeMap::new();
        for it in all {
            queues.entry(it.key.clone()).or_default().push_back(it);
        }
        for (key, queue) in &mut queues {
            let looked_at = self.looked_at.get(key);
            let seen = queue.iter().filter(|it| looked_at.is_some_and(|last| it.request <= *last)).count();
            queue.rotate_left(seen);
        }
        let is_later = |key: &Name| self.last.as_ref().is_none_or(|last| key > last);
        let (mut next, before): (Vec<_>, Vec<_>) = queues.into_iter().partition(|(key, _)| is_later(key));
        next.extend(before);
        next
    }
}

/// How many transactions are looked at in one round.
const MAX_WATCHED: usize = 256;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use keystead_base::Digest;

    use super::*;

    fn spend(key: &str, number: u16) -> OpenSpend {
        let mut digest = [0; 32];
        digest[..2].copy_from_slice(&number.to_be_bytes());
        OpenSpend { request: RequestId(Digest(digest)), chain: ChainId(1), key: key.parse().unwrap() }
    }

    #[test]
    fn d03_every_spend_has_its_turn_however_many_never_end() {
        let all: Vec<_> = (0..600).map(|it| spend("hot", it)).collect();
        let (mut turns, mut seen) = (Turns::default(), BTreeSet::new());
        for _ in 0..3 {
            let round = turns.next(all.clone());
            assert_eq!(round.len(), MAX_WATCHED);
            seen.extend(round.into_iter().map(|it| it.request));
        }
        assert_eq!(seen.len(), all.len());
        let mut two = Turns::default();
        two.next(vec![spend("hot", 0)]);
        assert_eq!(two.next(all[..2].to_vec()), [all[1].clone(), all[0].clone()]);
    }

    #[test]
    fn d03_what_never_ends_of_one_key_delays_no_other_key() {
        let mut all: Vec<_> = (0..10_000).map(|it| spend("stuck", it)).collect();
        all.extend(["alone-1", "alone-2", "zero"].map(|key| spend(key, 0)));
        let mut turns = Turns::default();
        for _ in 0..4 {
            let round = turns.next(all.clone());
            assert_eq!(round.len(), MAX_WATCHED);
            let others: BTreeSet<&Name> = round.iter().map(|it| &it.key).collect();
            assert_eq!(others.len(), 4, "each key in each round");
        }
        // More keys than a round has places: each has its turn in the next one.
        let many: Vec<_> = (0..500).map(|it| spend(&format!("key-{it:03}"), it)).collect();
        let mut turns = Turns::default();
        let seen: BTreeSet<Name> = (0..2).flat_map(|_| turns.next(many.clone())).map(|it| it.key).collect();
        assert_eq!(seen.len(), many.len());
        turns.next(Vec::new());
        assert!(turns.looked_at.is_empty(), "what has ended is forgotten");
    }
}
