//! How far a chain may be compared: no further than the log here covers it.
//!
//! A transaction is in the log before it is in a block. A node whose log is behind takes others' work for strays; so a block is
//! looked at only once this node's log is as far as a quorum's was when the block was final already.

use std::collections::BTreeMap;

use keystead_base::Name;

use crate::shared::Shared;

/// One chain's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cover {
    upto: Option<u64>,
    /// A final height, and the height of the log that covers it.
    waits: Option<(u64, u64)>,
}

impl Cover {
    /// A final height, where a quorum's log is, if that is known, and where this node's is.
    pub(crate) fn see(&mut self, final_height: u64, quorum: Option<u64>, own: u64) {
        // Nothing new is waited for before the old has come: under load a node always is a little behind.
        self.waits = self.waits.or_else(|| quorum.map(|log| (final_height, log)));
        if let Some((covered, _)) = self.waits.filter(|(_, log)| *log <= own) {
            self.upto = Some(covered);
            self.waits = None;
        }
    }

    /// The highest block that may be looked at.
    pub(crate) fn upto(&self) -> Option<u64> {
        self.upto
    }
}

impl Shared {
    /// The height that the logs of a quorum have reached, as far as the nodes say so that can be reached now; none where too
    /// few do. Fewer liars than a quorum raise it no higher than an honest node's.
    pub(crate) fn quorum_height(&self) -> Option<u64> {
        let state = self.state();
        let reachable = self.peers.reachable_names();
        let heads = self.view_of_cluster(|view| view.heads.clone());
        let others: BTreeMap<Name, u64> =
            heads.into_iter().filter(|(name, _)| reachable.contains(name) && *name != self.node).collect();
        reached(state.roster().quorum as usize, state.height(), others.into_values())
    }
}

/// The height that so many of them have reached.
fn reached(quorum: usize, own: u64, others: impl Iterator<Item = u64>) -> Option<u64> {
    let mut heights: Vec<u64> = others.chain([own]).collect();
    heights.sort_unstable_by(|a, b| b.cmp(a));
    heights.get(quorum.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l04_no_block_is_looked_at_before_the_log_covers_it() {
        let mut cover = Cover::default();
        cover.see(100, None, 7);
        assert_eq!(cover.upto(), None, "nobody says how far the log is");
        cover.see(100, Some(9), 7);
        cover.see(105, Some(12), 8);
        assert_eq!(cover.upto(), None, "the log is at 8, and was at 9 elsewhere");
        cover.see(106, Some(13), 9);
        assert_eq!(cover.upto(), Some(100), "what was final when the log was at 9");
        cover.see(107, Some(9), 9);
        assert_eq!(cover.upto(), Some(107));
    }

    #[test]
    fn l04_a_quorum_of_logs_is_what_so_many_have_reached() {
        for (quorum, own, others, found) in [
            (1, 5, vec![], Some(5)),
            (3, 5, vec![9, 9], Some(5)),
            (3, 5, vec![9, 9, 9], Some(9)),
            (3, 5, vec![u64::MAX, 6, 6], Some(6)),
            (3, 5, vec![9], None),
            (3, 9, vec![5, 5, 5], Some(5)),
        ] {
            assert_eq!(reached(quorum, own, others.into_iter()), found);
        }
    }
}
