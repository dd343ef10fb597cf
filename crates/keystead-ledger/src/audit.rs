//! The audit: from the genesis to the end, every vote, every rule, every root, compared with what was seen before.

use std::collections::BTreeMap;

use keystead_base::{Blame, ClusterId, Coded, Digest, Timestamp, merkle};
use keystead_decision::{Applied, Controls, Decision, GenesisError, SignedGenesis, State};
use keystead_policy::{PolicyError, PolicyRef};
use serde::{Deserialize, Serialize};

use crate::{
    Checkpoint, LedgerError, LogError, LogKeys, Replay, ReplayError, SignedCheckpoint, StoredBlock, origin,
};

/// Takes the blocks of a log one by one. It needs no database, no network and no clock.
#[derive(Debug)]
pub struct Auditor<'c, C> {
    genesis: SignedGenesis,
    replay: Replay<'c, C>,
    /// What the log's root must be at some sizes, by size.
    remembered: BTreeMap<u64, Remembered>,
    counts: Counts,
}

#[derive(Debug)]
struct Remembered {
    root: Digest,
    /// Checkpoints of the log itself: their signatures are checked against the roster of their time.
    signed: Option<SignedCheckpoint>,
}

#[derive(Debug, Default)]
struct Counts {
    entries: u64,
    decisions: BTreeMap<String, u64>,
    checkpoints: u64,
    last_checkpoint: u64,
}

impl<'c, C: Controls> Auditor<'c, C> {
    /// Begins with a genesis, which must be the pinned one.
    ///
    /// # Errors
    ///
    /// [`AuditError::Genesis`] or [`AuditError::Cluster`].
    pub fn begin(signed: &SignedGenesis, pinned: ClusterId, controls: &'c C) -> Result<Self, AuditError> {
        let (genesis, found) = signed.verify()?;
        if found != pinned {
            return Err(AuditError::Cluster { expected: pinned, found });
        }
        let replay = Replay::from(State::genesis(genesis)?, controls);
        Ok(Self { genesis: signed.clone(), replay, remembered: BTreeMap::new(), counts: Counts::default() })
    }

    /// INVARIANT L2: the log must still begin with what this checkpoint, remembered from outside, was about.
    ///
    /// # Errors
    ///
    /// [`LogError::Origin`] for another log's, [`LogError::Forked`] when two checkpoints contradict
    /// each other.
    pub fn expect(&mut self, older: &Checkpoint) -> Result<(), AuditError> {
        self.remember(older, None)
    }

    /// As [`Auditor::expect`], and the checkpoint must be signed by the log's nodes of its time.
    ///
    /// # Errors
    ///
    /// As [`Auditor::expect`].
    pub fn expect_signed(&mut self, checkpoint: &SignedCheckpoint) -> Result<(), AuditError> {
        self.remember(checkpoint.body(), Some(checkpoint.clone()))
    }

    fn remember(&mut self, body: &Checkpoint, signed: Option<SignedCheckpoint>) -> Result<(), AuditError> {
        let genesis = &self.genesis.genesis;
        let expected = origin(&genesis.name, genesis.cluster());
        if body.origin != expected {
            return Err(LogError::Origin { expected, found: body.origin.clone() }.into());
        }
        let empty = merkle::root(&[]);
        if body.size == 0 && body.root != empty {
            return Err(LogError::Forked { size: 0, expected: body.root, found: empty }.into());
        }
        let earlier =
            self.remembered.entry(body.size).or_insert(Remembered { root: body.root, signed: None });
        if earlier.root != body.root {
            let (expected, found) = (earlier.root, body.root);
            return Err(LogError::Forked { size: body.size, expected, found }.into());
        }
        earlier.signed = signed.or_else(|| earlier.signed.take());
        Ok(())
    }

    /// Takes the next block: its votes, its validity, and the roots remembered for this size.
    ///
    /// # Errors
    ///
    /// [`AuditError`] names the first difference.
    pub fn block(&mut self, block: StoredBlock) -> Result<Vec<Decision>, AuditError> {
        self.apply(block).map(|applied| applied.decisions)
    }

    /// As [`Auditor::block`], and gives all that the block does.
    ///
    /// # Errors
    ///
    /// [`AuditError`] names the first difference.
    pub fn apply(&mut self, block: StoredBlock) -> Result<Applied, AuditError> {
        let entries = block.entries.len() as u64;
        let applied = self.replay.apply(block)?;
        self.counts.entries += entries;
        for decision in &applied.decisions {
            *self.counts.decisions.entry(decision.outcome.word().to_owned()).or_default() += 1;
        }
        self.compare()?;
        Ok(applied)
    }

    fn compare(&mut self) -> Result<(), AuditError> {
        let state = self.replay.state();
        let size = state.height();
        let Some(remembered) = self.remembered.get(&size) else { return Ok(()) };
        let (expected, found) = (remembered.root, state.history().root());
        if expected != found {
            return Err(LogError::Forked { size, expected, found }.into());
        }
        if let Some(signed) = &remembered.signed {
            signed.verify(&LogKeys::of(&self.genesis.genesis, state.roster()))?;
            self.counts.checkpoints += 1;
            self.counts.last_checkpoint = size;
        }
        Ok(())
    }

    /// The state so far.
    #[must_use]
    pub fn state(&self) -> &State {
        self.replay.state()
    }

    /// Ends the audit: every remembered size must have been reached.
    ///
    /// # Errors
    ///
    /// [`LogError::RolledBack`] when the log is shorter than it was seen to be.
    pub fn finish(self) -> Result<Report, AuditError> {
        let state = self.replay.into_state();
        let found = state.height();
        let longest = self.remembered.last_key_value().map_or(0, |(size, _)| *size);
        if longest > found {
            return Err(LogError::RolledBack { remembered: longest, found }.into());
        }
        Ok(Report {
            cluster: state.cluster(),
            blocks: found,
            time: state.time(),
            root: state.history().root(),
            state: state.digest(),
            policy: state.policy().engine.reference(),
            entries: self.counts.entries,
            decisions: self.counts.decisions,
            checkpoints: self.counts.checkpoints,
            last_checkpoint: self.counts.last_checkpoint,
        })
    }
}

/// What an audit found to be true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The cluster.
    pub cluster: ClusterId,
    /// How many blocks.
    pub blocks: u64,
    /// The time of the last one.
    pub time: Timestamp,
    /// The root of the tree over all headers.
    pub root: Digest,
    /// The digest of the state at the end.
    pub state: Digest,
    /// The policy in force at the end.
    pub policy: PolicyRef,
    /// How many entries.
    pub entries: u64,
    /// How many decisions of each kind.
    pub decisions: BTreeMap<String, u64>,
    /// How many signed checkpoints were verified.
    pub checkpoints: u64,
    /// The size of the last of them; blocks after it are covered by votes only.
    pub last_checkpoint: u64,
}

/// What an audit found to be wrong.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The genesis does not verify.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// Another cluster's genesis.
    #[error("expected cluster {expected}, found {found}")]
    Cluster {
        /// The pinned cluster.
        expected: ClusterId,
        /// The one found.
        found: ClusterId,
    },
    /// Policy version 0 does not compile.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A block is not committed or not valid.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The tree, a checkpoint, or what was remembered.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A row that says something else than the log.
    #[error("{table} {key}: `{column}` is not what the log says")]
    Row {
        /// The table.
        table: &'static str,
        /// Which row.
        key: String,
        /// Which column.
        column: &'static str,
    },
    /// Rows that should be there and are not, or the other way round.
    #[error("{table} {key}: expected {expected} rows, found {found}")]
    Rows {
        /// The table.
        table: &'static str,
        /// For what.
        key: String,
        /// How many the log says.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// A tile file that does not hold the tree's hashes.
    #[error("{path} does not hold the hashes of the log")]
    Tile {
        /// Which file.
        path: String,
    },
    /// The database under it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Coded for AuditError {
    fn code(&self) -> &'static str {
        match self {
            Self::Genesis(error) => error.code(),
            Self::Cluster { .. } => "audit.cluster",
            Self::Policy(error) => error.code(),
            Self::Replay(error) => error.code(),
            Self::Log(error) => error.code(),
            Self::Row { .. } => "audit.row",
            Self::Rows { .. } => "audit.rows",
            Self::Tile { .. } => "audit.tile",
            Self::Ledger(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Log(error) => error.blame(),
            Self::Ledger(error) => error.blame(),
            Self::Genesis(_)
            | Self::Cluster { .. }
            | Self::Policy(_)
            | Self::Replay(_)
            | Self::Row { .. }
            | Self::Rows { .. }
            | Self::Tile { .. } => Blame::Environment,
        }
    }
}
