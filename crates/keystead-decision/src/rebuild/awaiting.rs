//! The state between the last block of a backup and the first block of the new nodes.

use std::sync::Arc;

use keystead_base::{Canonical as _, Name, RequestId, Timestamp};

use super::{Rebuild, RebuildError, SignedRebuild};
use crate::state::ActivePolicy;
use crate::turn::Turn;
use crate::{Admitted, BlockError, Controls, Entry, Outcome, State};

/// What the next block is to be, and the state that it is applied to.
#[derive(Debug)]
pub(crate) struct Pending {
    signed: SignedRebuild,
    base: State,
}

impl State {
    /// The state that the nodes of a rebuilt cluster start from: the new roster votes, everything is frozen, and the
    /// next block is the rebuild. Requests, slots, windows, nonces and prices are those of the log, to the unit.
    ///
    /// # Errors
    ///
    /// [`RebuildError`] when it does not go on from the end of this very log, or too few people signed it.
    pub fn awaiting(&self, signed: &SignedRebuild) -> Result<Self, RebuildError> {
        if let Some(pending) = &self.pending {
            return pending.base.awaiting(signed);
        }
        let rebuild = signed.verify(self.cluster, self.policy.engine.version())?;
        self.goes_on(rebuild)?;
        let pending = Pending { signed: signed.clone(), base: self.clone() };
        let mut state = self.clone();
        state.policy = Arc::new(ActivePolicy::compile(rebuild.policy.clone())?);
        state.frozen.everything = true;
        state.rebuilt = true;
        state.pending = Some(Arc::new(pending));
        Ok(state)
    }

    /// INVARIANT L2: whether it goes on from the last block of this log, and from no other: an older rebuild never
    /// shortens a longer log.
    ///
    /// # Errors
    ///
    /// [`RebuildError`] says what differs.
    pub fn goes_on(&self, rebuild: &Rebuild) -> Result<(), RebuildError> {
        if (rebuild.height, rebuild.last) != (self.height, self.parent) {
            let (height, expected) = (self.height, self.parent);
            return Err(RebuildError::Place { height, expected, named: rebuild.height, found: rebuild.last });
        }
        let root = self.history.root();
        if rebuild.root != root {
            return Err(RebuildError::Root { expected: root, found: rebuild.root });
        }
        if rebuild.at <= self.time {
            return Err(RebuildError::Time { after: self.time, found: rebuild.at });
        }
        let homes = |name: &Name| self.keys.iter().any(|(_, key)| key.is_held_by(name));
        match rebuild.policy.roster.nodes.iter().find(|node| homes(&node.name)) {
            Some(node) => Err(RebuildError::Reused { node: node.name.clone() }),
            None => Ok(()),
        }
    }

    /// For a block of the log that holds a rebuild: the state in which it is checked. This one for every other block.
    ///
    /// # Errors
    ///
    /// As [`State::awaiting`].
    pub fn before(&self, entries: &[Entry]) -> Result<Self, RebuildError> {
        match entries {
            [Entry::Rebuild(signed)] => self.awaiting(signed),
            _ => Ok(self.clone()),
        }
    }

    /// Whether the next block is the rebuild.
    #[must_use]
    pub fn awaits_rebuild(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether the cluster was rebuilt and not thawed since: what lets it sign again takes a larger quorum.
    #[must_use]
    pub fn is_rebuilt(&self) -> bool {
        self.rebuilt
    }

    /// INVARIANT S13: who asks for a rebuild block without a rebuild that this node was told to await, or for any
    /// other block while it waits for one, is not voted for.
    pub(crate) fn check_rebuild(&self, entries: &[Entry]) -> Result<(), BlockError> {
        let Some(pending) = &self.pending else { return Ok(()) };
        match entries {
            // Other signatures of enough people on the same document are as good.
            [Entry::Rebuild(signed)] if signed.rebuild == pending.signed.rebuild => {
                pending.base.awaiting(signed).map(drop).map_err(|error| BlockError::Rebuild { error })
            }
            _ => Err(BlockError::NotRebuilt { expected: pending.signed.rebuild.digest() }),
        }
    }

    /// The entries of a block that this node builds: what it gathered, or the rebuild alone.
    pub(crate) fn own_entries<'a>(&self, admitted: impl IntoIterator<Item = &'a Admitted>) -> Vec<Entry> {
        if let Some(pending) = &self.pending {
            return vec![Entry::Rebuild(Box::new(pending.signed.clone()))];
        }
        let still = |it: &&Admitted| it.is_for(self) || self.admit(it.entry().clone()).is_ok();
        admitted.into_iter().filter(still).map(|it| it.entry().clone()).collect()
    }
}

impl<'a, C: Controls> Turn<'a, C> {
    /// A block's turn over a state. What was due when the log was lost is due in the block after the rebuild, under
    /// its freeze, and not before it.
    pub(crate) fn over(state: &State, time: Timestamp, controls: &'a C) -> Self {
        match &state.pending {
            Some(pending) => Self::quietly(&pending.base, time, controls),
            None => Self::begin(state, time, controls),
        }
    }

    /// INVARIANT S14: nothing is allowed before the freeze, and what was approved before the loss is asked again.
    pub(crate) fn rebuild(&mut self, rebuild: &Rebuild) {
        // Compiled before, by whoever awaited it; what does not compile changes nothing, and no header fits.
        let Ok(next) = ActivePolicy::compile(rebuild.policy.clone()) else { return };
        self.state.frozen.everything = true;
        self.state.rebuilt = true;
        self.state.convened.clear(); // Their nodes are lost.
        let policy = next.engine.reference();
        self.successor = Some(Arc::new(next));
        self.decide(RequestId(rebuild.digest()), Vec::new(), Outcome::Activated { policy });
    }
}
