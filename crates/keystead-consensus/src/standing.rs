//! Whether this node may vote: not before it heard what it said in its earlier life.

use std::collections::BTreeSet;

use keystead_base::Name;
use serde::{Deserialize, Serialize};

/// A node's right to vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Standing {
    /// It votes.
    Votes,
    /// It has started, and first asks the others for the latest vote of its own that they know.
    Asks {
        /// Who has answered.
        heard: BTreeSet<Name>,
        /// How many have to.
        needed: usize,
    },
    /// Somebody holds a vote of this node's that it has no record of: it runs on an older disk, or twice. It
    /// stays silent until a committed roster gives it a later boot number.
    RolledBack {
        /// The height of that vote.
        height: u64,
        /// Its round.
        round: u32,
        /// The boot number that it had.
        boot: u64,
    },
    /// It is not a node of the roster.
    Outside,
    /// The quorum committed what this node finds invalid.
    Diverged {
        /// The height.
        height: u64,
    },
}

impl Standing {
    /// The standing of a node that starts in a cluster with this quorum.
    pub(crate) fn at_start(is_member: bool, quorum: u32) -> Self {
        let needed = quorum.saturating_sub(1) as usize;
        match (is_member, needed) {
            (false, _) => Self::Outside,
            (true, 0) => Self::Votes,
            (true, needed) => Self::Asks { heard: BTreeSet::new(), needed },
        }
    }

    /// Whether it votes.
    #[must_use]
    pub fn votes(&self) -> bool {
        *self == Self::Votes
    }

    /// Somebody told what it knows, and nothing in it was news.
    pub(crate) fn heard(&mut self, node: &Name) {
        if let Self::Asks { heard, needed } = self {
            heard.insert(node.clone());
            if heard.len() >= *needed {
                *self = Self::Votes;
            }
        }
    }
}
