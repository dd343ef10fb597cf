//! Which places of a wallet were used: searched branch by branch, until so many in a row were never paid to (BIP-44, "Address
//! gap limit"). Pure; whoever knows the chain says which scripts were used.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{Script, ScriptBuf};

use crate::{Branch, Owned, Place, Wallet};

/// How many places without a payment end a search, unless somebody says otherwise (BIP-44).
pub const GAP_LIMIT: u16 = 20;
/// The longest gap: all branches of a wallet of one account fit into one question.
pub const MAX_GAP: u16 = 100;
/// Beyond this index no change is taken for ours, and nothing is searched for.
pub const MAX_SEARCHED_INDEX: u32 = 100_000;

/// A search that goes on until every branch ends in a gap. It borrows its wallet, or shares it with whoever keeps both.
#[derive(Clone, Debug)]
pub struct Search<W> {
    wallet: W,
    gap: u32,
    branches: BTreeMap<(usize, Branch), Frontier>,
    scripts: BTreeMap<ScriptBuf, Owned>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Frontier {
    /// The first index that was never used, as far as is known: after the last one that was.
    unused: u32,
    /// The first index that was not asked for.
    unasked: u32,
}

impl<W: Borrow<Wallet>> Search<W> {
    /// A search of every branch of a wallet; the gap is at least one and at most [`MAX_GAP`].
    #[must_use]
    pub fn new(wallet: W, gap: u16) -> Self {
        let descriptors = 0..wallet.borrow().descriptors().len();
        let both = descriptors.flat_map(|it| [Branch::Receive, Branch::Change].map(|branch| (it, branch)));
        let branches = both.map(|it| (it, Frontier::default())).collect();
        Self { wallet, gap: gap.clamp(1, MAX_GAP).into(), branches, scripts: BTreeMap::new() }
    }

    /// A search that knows how far an earlier one of the same wallet came ([`Self::reached`]).
    #[must_use]
    pub fn resumed(wallet: W, gap: u16, reached: &[u32]) -> Self {
        let mut search = Self::new(wallet, gap);
        for (frontier, unused) in search.branches.values_mut().zip(reached) {
            frontier.unused = *unused;
        }
        search
    }

    /// The first place of each branch after the last one that was used, in the order of the branches.
    #[must_use]
    pub fn reached(&self) -> Vec<u32> {
        self.branches.values().map(|it| it.unused).collect()
    }

    /// The scripts to be asked for next; none when the search is over.
    pub fn ask(&mut self) -> BTreeSet<ScriptBuf> {
        let mut asked = BTreeSet::new();
        for ((descriptor, branch), frontier) in &mut self.branches {
            let end = frontier.unused.saturating_add(self.gap).min(MAX_SEARCHED_INDEX);
            for index in frontier.unasked..end {
                let owned = Owned { descriptor: *descriptor, place: Place { branch: *branch, index } };
                let Some(derived) = self.wallet.borrow().derive(owned) else { continue };
                asked.insert(derived.script_pubkey.clone());
                self.scripts.insert(derived.script_pubkey, owned);
            }
            frontier.unasked = frontier.unasked.max(end);
        }
        asked
    }

    /// Takes down which of them were ever paid to.
    pub fn found<'s>(&mut self, used: impl IntoIterator<Item = &'s ScriptBuf>) {
        for owned in used.into_iter().filter_map(|it| self.scripts.get(it)) {
            let branch = self.branches.get_mut(&(owned.descriptor, owned.place.branch));
            if let Some(frontier) = branch {
                frontier.unused = frontier.unused.max(owned.place.index.saturating_add(1));
            }
        }
    }

    /// Where a script is that was asked for.
    #[must_use]
    pub fn place(&self, script: &Script) -> Option<Owned> {
        self.scripts.get(script).copied()
    }

    /// The first place of a branch after the last one that was used.
    #[must_use]
    pub fn unused(&self, descriptor: usize, branch: Branch) -> Owned {
        let index = self.branches.get(&(descriptor, branch)).map_or(0, |it| it.unused);
        Owned { descriptor, place: Place { branch, index } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{TR, WPKH, desk};

    fn script(wallet: &Wallet, descriptor: usize, branch: Branch, index: u32) -> ScriptBuf {
        wallet.derive(Owned { descriptor, place: Place { branch, index } }).unwrap().script_pubkey
    }

    /// Plays a search against a set of used scripts; gives how often it asked, and for how many.
    fn play(search: &mut Search<&Wallet>, used: &BTreeSet<ScriptBuf>) -> (usize, usize) {
        let (mut rounds, mut asked) = (0, 0);
        loop {
            let scripts = search.ask();
            if scripts.is_empty() {
                return (rounds, asked);
            }
            (rounds, asked) = (rounds + 1, asked + scripts.len());
            search.found(scripts.intersection(used));
        }
    }

    #[test]
    fn a_search_ends_where_so_many_in_a_row_were_never_used() {
        let wallet = desk().wallet;
        let branches = wallet.descriptors().len() * 2;
        for (indexes, first_unused) in [
            (vec![], 0),
            (vec![0], 1),
            (vec![3, 22, 41], 42),
            (vec![20], 0),
            (vec![19], 20),
            (vec![0, 21], 1),
        ] {
            let used = indexes.iter().map(|it| script(&wallet, WPKH, Branch::Receive, *it)).collect();
            let mut search = Search::new(&wallet, GAP_LIMIT);
            let (_, asked) = play(&mut search, &used);
            let found = search.unused(WPKH, Branch::Receive);
            assert_eq!(found.place.index, first_unused, "{indexes:?}");
            assert_eq!(
                asked,
                branches * 20 + usize::try_from(first_unused).unwrap(),
                "each once: {indexes:?}"
            );
            assert_eq!(search.unused(WPKH, Branch::Change).place.index, 0);
        }
        let far: BTreeSet<ScriptBuf> = [script(&wallet, TR, Branch::Change, 30)].into();
        let mut search = Search::new(&wallet, 31);
        play(&mut search, &far);
        assert_eq!(search.unused(TR, Branch::Change).place.index, 31);
        let mut resumed = Search::resumed(&wallet, 31, &search.reached());
        play(&mut resumed, &BTreeSet::new());
        assert_eq!(resumed.unused(TR, Branch::Change).place.index, 31);
        assert_eq!(resumed.scripts, search.scripts);
        assert_eq!(search.place(far.first().unwrap()).unwrap().place.index, 30);
    }
}
