//! The log played again: votes first, then the validity rule, block by block.

use keystead_base::{Blame, Coded, Digest};
use keystead_decision::{
    Applied, Block, BlockError, Commit, Controls, Decision, Entry, LightError, RebuildError, State, validate,
    verify_commit,
};

/// A committed block, complete: header, votes, entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlock {
    /// The header with its votes.
    pub commit: Commit,
    /// What happened.
    pub entries: Vec<Entry>,
}

/// A state that moves on only by blocks that a quorum voted for and that are valid.
#[derive(Debug)]
pub struct Replay<'c, C> {
    state: State,
    controls: &'c C,
}

impl<'c, C: Controls> Replay<'c, C> {
    /// Starts from a state that the caller trusts: the genesis', or a snapshot of its own.
    #[must_use]
    pub fn from(state: State, controls: &'c C) -> Self {
        Self { state, controls }
    }

    /// Checks a block and takes it over; gives its decisions, recomputed.
    ///
    /// # Errors
    ///
    /// [`ReplayError`]; the state is unchanged then.
    pub fn step(&mut self, block: StoredBlock) -> Result<Vec<Decision>, ReplayError> {
        self.apply(block).map(|applied| applied.decisions)
    }

    /// As [`Self::step`], and gives all that the block does.
    ///
    /// # Errors
    ///
    /// [`ReplayError`]; the state is unchanged then.
    pub fn apply(&mut self, block: StoredBlock) -> Result<Applied, ReplayError> {
        let StoredBlock { commit, entries } = block;
        let height = self.state.height() + 1;
        let failed = |cause| ReplayError { height, cause };
        if commit.header.height != height {
            let cause = BlockError::Height { expected: height, found: commit.header.height };
            return Err(failed(ReplayCause::Block(cause)));
        }
        self.check_history(&commit).map_err(failed)?;
        // Where all nodes were lost, people named those that vote from here on.
        let state = self.state.before(&entries).map_err(|error| failed(ReplayCause::Rebuild(error)))?;
        verify_commit(state.cluster(), state.roster(), &commit)
            .map_err(|error| failed(ReplayCause::Votes(error)))?;
        let block = Block { header: commit.header, entries };
        let applied =
            validate(&state, block, self.controls).map_err(|error| failed(ReplayCause::Block(error)))?;
        self.state = applied.state.clone();
        Ok(applied)
    }

    /// The state so far.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state at the end.
    #[must_use]
    pub fn into_state(self) -> State {
        self.state
    }

    /// Says so in plain words when a block belongs to another history.
    fn check_history(&self, commit: &Commit) -> Result<(), ReplayCause> {
        let (expected, found) = (self.state.history().root(), commit.header.history);
        if expected == found { Ok(()) } else { Err(ReplayCause::History { expected, found }) }
    }
}

/// Which block cannot be played, and why.
#[derive(Debug, thiserror::Error)]
#[error("block {height}: {cause}")]
pub struct ReplayError {
    /// The block.
    pub height: u64,
    /// What is wrong with it.
    pub cause: ReplayCause,
}

/// What can be wrong with a stored block.
#[derive(Debug, thiserror::Error)]
pub enum ReplayCause {
    /// It continues another history than the one before it.
    #[error("it continues a history with root {found}, the blocks before it have {expected}")]
    History {
        /// The root over the headers before.
        expected: Digest,
        /// The root that it names.
        found: Digest,
    },
    /// Its votes do not commit it.
    #[error(transparent)]
    Votes(LightError),
    /// It holds a rebuild that does not go on from here, or that too few people signed.
    #[error(transparent)]
    Rebuild(RebuildError),
    /// It breaks the validity rule.
    #[error(transparent)]
    Block(BlockError),
}

impl Coded for ReplayError {
    fn code(&self) -> &'static str {
        match &self.cause {
            ReplayCause::History { .. } => "replay.history",
            ReplayCause::Votes(error) => error.code(),
            ReplayCause::Rebuild(error) => error.code(),
            ReplayCause::Block(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        Blame::Environment
    }
}
