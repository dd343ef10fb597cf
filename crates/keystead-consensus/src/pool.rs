//! Entries that wait for a block.

use std::collections::BTreeMap;

use keystead_base::{Canonical, Digest, Name, Signed, Timestamp};
pub use keystead_decision::MAX_BLOCK_BYTES;
use keystead_decision::{Admitted, Entry, State};
use keystead_policy::Price;

use crate::candidate::states_a_fact;

/// The most entries that wait.
pub const MAX_POOL_ENTRIES: usize = 16_384;
/// The most of them that one other node handed over: a lying one cannot fill the pool.
pub const MAX_POOL_ENTRIES_PER_NODE: usize = 4_096;
/// The longest entry: a block may be of one alone.
pub const MAX_ENTRY_BYTES: usize = MAX_BLOCK_BYTES;

/// How long a finding of this node's own waits to be shared, in seconds.
const FINDING_SECONDS: u64 = 40;

/// What waits, in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    entries: BTreeMap<Digest, Waiting>,
    order: BTreeMap<u64, Digest>,
    arrivals: u64,
    handed_over: BTreeMap<Name, usize>,
}

#[derive(Debug)]
struct Waiting {
    admitted: Admitted,
    arrival: u64,
    bytes: usize,
    since: Timestamp,
    from: Option<Name>,
    /// Whether this node answers for what it says: as its own, or looked up. What states no fact needs none.
    vouched: bool,
}

impl Pool {
    /// Takes an entry; gives its digest when it is new, and `Err` when there is no room or it is too long.
    pub(crate) fn insert(
        &mut self,
        admitted: Admitted,
        from: Option<&Name>,
        now: Timestamp,
    ) -> Result<Option<Digest>, Digest> {
        let digest = admitted.entry().digest();
        if self.entries.contains_key(&digest) {
            return Ok(None);
        }
        let bytes = borsh::object_length(admitted.entry()).unwrap_or(usize::MAX);
        if bytes > MAX_ENTRY_BYTES || !self.has_room(from) {
            return Err(digest);
        }
        if let Some(node) = from {
            *self.handed_over.entry(node.clone()).or_default() += 1;
        }
        self.arrivals += 1;
        self.order.insert(self.arrivals, digest);
        let vouched = from.is_none() || !states_a_fact(admitted.entry());
        self.entries.insert(
            digest,
            Waiting { admitted, arrival: self.arrivals, bytes, since: now, from: from.cloned(), vouched },
        );
        Ok(Some(digest))
    }

    fn has_room(&self, from: Option<&Name>) -> bool {
        let handed_over = from.and_then(|node| self.handed_over.get(node)).copied().unwrap_or_default();
        self.entries.len() < MAX_POOL_ENTRIES && handed_over < MAX_POOL_ENTRIES_PER_NODE
    }

    /// Whether nothing waits that this node could propose.
    pub(crate) fn is_empty(&self) -> bool {
        !self.entries.values().any(|it| it.vouched)
    }

    /// Whether this node answers for what an entry says of the world outside.
    pub(crate) fn vouches_for(&self, entry: &Entry) -> bool {
        self.entries.get(&entry.digest()).is_some_and(|it| it.vouched)
    }

    /// An entry of another node's was looked up: it counts as this node's own from now on, or goes. Gives
    /// whether it was waited for.
    pub(crate) fn checked(&mut self, digest: &Digest, holds: bool) -> bool {
        let Some(waiting) = self.entries.get_mut(digest).filter(|it| !it.vouched) else { return false };
        waiting.vouched = holds;
        if !holds {
            self.remove(digest);
        }
        true
    }

    /// Takes back what this node found on a chain and stated long ago: a finding that the others share is in the log by
    /// now, and a block with one that they do not share is nobody's. What still stands is stated again. Gives what went.
    pub(crate) fn take_back_findings(&mut self, now: Timestamp) -> Vec<Digest> {
        let is_own = |it: &&Waiting| it.from.is_none() && matches!(it.admitted.entry(), Entry::Finding(_));
        let is_old = |it: &&Waiting| it.since.plus_seconds(FINDING_SECONDS) <= now;
        let old = self.entries.values().filter(is_own).filter(is_old);
        let old: Vec<Digest> = old.filter_map(|it| self.order.get(&it.arrival).copied()).collect();
        old.iter().for_each(|digest| self.remove(digest));
        old
    }

    /// Whether this very entry was verified here under the roster of this state.
    pub(crate) fn knows(&self, entry: &Entry, state: &State) -> bool {
        self.entries.get(&entry.digest()).is_some_and(|it| it.admitted.is_for(state))
    }

    /// The prices that wait here since `since` or longer.
    pub(crate) fn prices_since(&self, since: Timestamp) -> impl Iterator<Item = &Signed<Price>> {
        let waiting = self.entries.values().filter(move |it| it.since <= since);
        waiting.filter_map(|it| match it.admitted.entry() {
            Entry::Price(signed) => Some(signed),
            _ => None,
        })
    }

    /// The oldest entries that fit a block. Prices come first, as a block without them may be refused, and have half
    /// of it. An entry that is longer than what they leave goes alone: left where it is it would hold up all that
    /// came after it, for ever.
    pub(crate) fn oldest(&self, entries: usize, bytes: usize) -> Vec<&Admitted> {
        let mut left = bytes / 2;
        let prices = self.vouched().filter(|it| it.is_price()).take(entries.div_ceil(2));
        let mut fits: Vec<&Waiting> = prices.take_while(|it| take(&mut left, it.bytes)).collect();
        let mut left = bytes.saturating_sub(fits.iter().map(|it| it.bytes).sum());
        let mut others = self.vouched().filter(|it| !it.is_price()).peekable();
        if let Some(first) = others.next_if(|it| it.bytes > left) {
            fits = vec![first];
        } else {
            fits.extend(others.take_while(|it| take(&mut left, it.bytes)));
        }
        if fits.is_empty() {
            fits.extend(self.vouched().next());
        }
        fits.into_iter().take(entries).map(|it| &it.admitted).collect()
    }

    /// What this node may propose, in the order of arrival.
    fn vouched(&self) -> impl Iterator<Item = &Waiting> {
        self.order.values().filter_map(|digest| self.entries.get(digest)).filter(|it| it.vouched)
    }

    /// Forgets what a block holds, and what nobody admits any more; gives the latter.
    pub(crate) fn committed(
        &mut self,
        included: &[Digest],
        state: &State,
        roster_changed: bool,
    ) -> Vec<Digest> {
        for digest in included {
            self.remove(digest);
        }
        let mut dropped = Vec::new();
        if roster_changed {
            let fits = |it: &Waiting| state.admit(it.admitted.entry().clone()).is_ok();
            let unfit = self.entries.iter().filter(|(_, it)| !fits(it)).map(|(digest, _)| *digest);
            dropped = unfit.collect();
            dropped.iter().for_each(|digest| self.remove(digest));
        }
        dropped
    }

    fn remove(&mut self, digest: &Digest) {
        let Some(gone) = self.entries.remove(digest) else { return };
        self.order.remove(&gone.arrival);
        if let Some(count) = gone.from.and_then(|node| self.handed_over.get_mut(&node)) {
            *count = count.saturating_sub(1);
        }
    }
}

/// Takes so many bytes of those that are left, if they are.
fn take(left: &mut usize, bytes: usize) -> bool {
    let rest = left.checked_sub(bytes);
    *left = rest.unwrap_or(0);
    rest.is_some()
}

impl Waiting {
    fn is_price(&self) -> bool {
        matches!(self.admitted.entry(), Entry::Price(_))
    }
}

#[cfg(test)]
mod tests {
    use keystead_decision::{Discrepancy, Finding};
    use keystead_fixture::{BIRTH, CHAIN, Desk, name};
    use keystead_intent::AccountRef;

    use super::*;

    fn finding(desk: &Desk, state: &State, nonce: u64) -> Admitted {
        let body = Finding {
            cluster: state.cluster(),
            chain: CHAIN,
            account: AccountRef { key: name("hot"), index: 0 },
            address: [1; 20].into(),
            what: Discrepancy::Nonce { nonce },
        };
        let node = &desk.nodes[0];
        state.admit(Entry::Finding(Signed::new(body, node.name.clone(), &node.signer).unwrap())).unwrap()
    }

    #[test]
    fn d03_a_finding_that_nobody_shares_spoils_no_block_for_ever() {
        let desk = Desk::default();
        let state = State::genesis(&desk.genesis().genesis).unwrap();
        let mut pool = Pool::default();
        pool.insert(finding(&desk, &state, 5), None, BIRTH).unwrap();
        pool.insert(state.admit(Entry::Tick).unwrap(), None, BIRTH).unwrap();
        pool.insert(finding(&desk, &state, 6), Some(&name("node-2")), BIRTH).unwrap();
        pool.insert(finding(&desk, &state, 7), None, BIRTH.plus_seconds(1)).unwrap();
        assert_eq!(pool.take_back_findings(BIRTH.plus_seconds(FINDING_SECONDS - 1)), []);
        assert_eq!(pool.take_back_findings(BIRTH.plus_seconds(FINDING_SECONDS)).len(), 1);
        let left: Vec<_> = pool.entries.values().map(|it| (it.since, it.from.is_some())).collect();
        assert_eq!(left.len(), 3, "what others stated, what is new, and what is no finding stay: {left:?}");
        assert_eq!(pool.order.len(), 3);
    }
}
