//! What a replica starts from.

use std::fmt;
use std::sync::Arc;

use keystead_base::{HybridSigner, Name};
use keystead_decision::{Commit, State};
use serde::{Deserialize, Serialize};

use crate::{Record, Times};

/// Sizes of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The most entries of one block.
    pub block_entries: usize,
    /// The most bytes of the entries of one block.
    pub block_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { block_entries: 512, block_bytes: 1024 * 1024 }
    }
}

/// What a replica starts from: all of it read from its own disk.
pub struct Setup<C> {
    /// The node's name.
    pub me: Name,
    /// The node's voting key.
    pub signer: Arc<HybridSigner>,
    /// The state after the last committed block.
    pub state: State,
    /// The commit of that block; none before the first.
    pub last: Option<Commit>,
    /// The records of the height under way, in their order.
    pub records: Vec<Record>,
    /// The controls of the state machine.
    pub controls: C,
    /// Sizes of blocks.
    pub limits: Limits,
    /// How long rounds wait.
    pub times: Times,
}

impl<C> fmt::Debug for Setup<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("me", &self.me).finish_non_exhaustive()
    }
}
