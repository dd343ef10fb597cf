//! `apply`: from a state and a block's entries to the next state and its decisions. Pure.
//!
//! The proposer, every voter, the simulator and `audit verify` run this same function.

use keystead_base::{Blame, Canonical, Coded, Digest, Name, Timestamp, merkle};

use crate::turn::Turn;
use crate::{
    AdmissionError, Admitted, Block, Controls, Decision, Entry, Header, MAX_BLOCK_ENTRIES, RebuildError,
    State,
};

/// What a block does.
#[derive(Debug)]
pub struct Applied {
    /// The block, with the header that commits to all of this.
    pub block: Block,
    /// The decisions, in the order of the decision tree.
    pub decisions: Vec<Decision>,
    /// The state after it.
    pub state: State,
}

/// Builds the block that these entries make at this time, as this node.
///
/// Entries admitted under an older roster are admitted again, and left out when that fails. Where a rebuild is
/// awaited it is the only entry, whatever was gathered.
///
/// # Panics
///
/// When the time does not advance or there are more than [`MAX_BLOCK_ENTRIES`]: the proposer keeps both.
#[must_use]
pub fn propose<'a, C: Controls>(
    state: &State,
    time: Timestamp,
    proposer: &Name,
    entries: impl IntoIterator<Item = &'a Admitted>,
    controls: &C,
) -> Applied {
    assert!(time > state.time(), "a block's time is later than its parent's");
    let entries = state.own_entries(entries);
    assert!(entries.len() <= MAX_BLOCK_ENTRIES, "a block has at most MAX_BLOCK_ENTRIES entries");
    apply(state, time, proposer, entries, controls)
}

/// The validity rule: recomputes everything that can be, and compares.
///
/// What cannot be recomputed (whether the time is near the node's own clock, whether a transaction is
/// final) the node checks against its own view before it votes.
///
/// # Errors
///
/// [`BlockError`] names the first difference.
pub fn validate<C: Controls>(state: &State, block: Block, controls: &C) -> Result<Applied, BlockError> {
    validate_unless(state, block, |_| false, controls)
}

/// As [`validate`], without verifying the senders of those entries that `admitted` knows.
///
/// # Errors
///
/// [`BlockError`] names the first difference.
pub fn validate_unless<C: Controls>(
    state: &State,
    block: Block,
    admitted: impl Fn(&Entry) -> bool,
    controls: &C,
) -> Result<Applied, BlockError> {
    let Block { header, entries } = block;
    if header.height != state.height() + 1 {
        return Err(BlockError::Height { expected: state.height() + 1, found: header.height });
    }
    if header.time <= state.time() {
        return Err(BlockError::Time { after: state.time(), found: header.time });
    }
    if entries.len() > MAX_BLOCK_ENTRIES {
        return Err(BlockError::Entries { limit: MAX_BLOCK_ENTRIES, found: entries.len() });
    }
    if state.roster().node(&header.proposer).is_none() {
        return Err(BlockError::Proposer { found: header.proposer });
    }
    state.check_rebuild(&entries)?;
    let unseen = entries.iter().enumerate().filter(|(_, entry)| !state.awaits_rebuild() && !admitted(entry));
    for (index, entry) in unseen {
        state.admit(entry.clone()).map_err(|error| BlockError::Entry { index, error })?;
    }
    let applied = apply(state, header.time, &header.proposer, entries, controls);
    if applied.block.header != header {
        return Err(BlockError::Header { expected: applied.block.header.digest(), found: header.digest() });
    }
    Ok(applied)
}

fn apply<C: Controls>(
    state: &State,
    time: Timestamp,
    proposer: &Name,
    entries: Vec<Entry>,
    controls: &C,
) -> Applied {
    let mut turn = Turn::over(state, time, controls);
    for entry in &entries {
        turn.enter(entry);
    }
    let (mut state, decisions) = turn.end();
    state.proposer = Some(proposer.clone());
    let header = seal(&state, proposer, &entries, &decisions);
    let document = header.to_document();
    state.parent = header.digest();
    state.note_block();
    state.history.push(merkle::leaf_hash(&document));
    Applied { block: Block { header, entries }, decisions, state }
}

/// The header over what happened. `state` has the new height and time, and still the old parent.
fn seal(state: &State, proposer: &Name, entries: &[Entry], decisions: &[Decision]) -> Header {
    Header {
        cluster: state.cluster,
        height: state.height,
        time: state.time,
        parent: state.parent,
        proposer: proposer.clone(),
        history: state.history.root(),
        entries: merkle::root(&leaves(entries)),
        decisions: merkle::root(&leaves(decisions)),
        policy: state.policy.engine.reference(),
        roster: state.policy.roster_digest,
        frozen: state.frozen.clone(),
    }
}

/// The Merkle leaves of a block's decisions or entries: the hashes of their documents.
#[must_use]
pub fn leaves<T: Canonical>(items: &[T]) -> Vec<Digest> {
    items.iter().map(|item| merkle::leaf_hash(&item.to_document())).collect()
}

/// Why a block is not voted for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Not the next height.
    #[error("expected a block of height {expected}, found {found}")]
    Height {
        /// The next height.
        expected: u64,
        /// The block's.
        found: u64,
    },
    /// Time stands still or runs back.
    #[error("a block's time is later than its parent's ({after}), found {found}")]
    Time {
        /// The parent's time.
        after: Timestamp,
        /// The block's.
        found: Timestamp,
    },
    /// Built by somebody who is no node of the roster.
    #[error("a block is built by a node of the roster, found {found}")]
    Proposer {
        /// Who built it.
        found: Name,
    },
    /// Too many entries.
    #[error("a block has at most {limit} entries, found {found}")]
    Entries {
        /// The limit.
        limit: usize,
        /// The number found.
        found: usize,
    },
    /// An entry whose sender cannot be verified.
    #[error("entry {index}: {error}")]
    Entry {
        /// Which entry.
        index: usize,
        /// What is wrong.
        error: AdmissionError,
    },
    /// A rebuild that does not go on from this log, or that too few people signed.
    #[error("the rebuild: {error}")]
    Rebuild {
        /// What is wrong.
        error: RebuildError,
    },
    /// Another block than the rebuild that is awaited.
    #[error("this log goes on with the rebuild {expected} and with nothing else")]
    NotRebuilt {
        /// The digest of the rebuild.
        expected: Digest,
    },
    /// The entries do not lead to this header.
    #[error("these entries lead to header {expected}, the block has {found}")]
    Header {
        /// The digest recomputed.
        expected: Digest,
        /// The digest of the block's header.
        found: Digest,
    },
}

impl Coded for BlockError {
    fn code(&self) -> &'static str {
        match self {
            Self::Height { .. } => "block.height",
            Self::Time { .. } => "block.time",
            Self::Proposer { .. } => "block.proposer",
            Self::Entries { .. } => "block.entries",
            Self::Entry { .. } => "block.entry",
            Self::Rebuild { error } => error.code(),
            Self::NotRebuilt { .. } => "block.not_rebuilt",
            Self::Header { .. } => "block.header",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Peer
    }
}
