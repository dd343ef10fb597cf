//! What the ledger refuses, and what goes wrong under it.

use keystead_base::{Blame, CanonError, ClusterId, Coded, Digest, KeyError, Name, RequestId};
use keystead_decision::{GenesisError, RebuildError};
use keystead_policy::PolicyError;

use crate::{LogError, ReplayError};

/// Why the ledger did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database or the disk under it.
    #[error("the database failed to {during}: {source}")]
    Database {
        /// What was being done.
        during: &'static str,
        /// What the driver says.
        source: sqlx::Error,
    },
    /// A database of an unknown kind.
    #[error("a database URL starts with `sqlite:` or `postgres:`, found `{found}:`")]
    Url {
        /// The scheme; the rest may hold a password.
        found: String,
    },
    /// A newer program wrote this database.
    #[error("this program knows schema version {known}, the database has {found}")]
    SchemaNewer {
        /// The newest version known.
        known: u64,
        /// The database's.
        found: u64,
    },
    /// A migration that was applied is not the one this program knows by that number.
    #[error("schema version {version} was made by {found}, this program knows it as {expected}")]
    SchemaChanged {
        /// Which version.
        version: u64,
        /// The digest of the text known.
        expected: Digest,
        /// The digest of the text applied.
        found: Digest,
    },
    /// The database holds no genesis yet.
    #[error("the database holds no cluster yet")]
    Empty,
    /// The database belongs to another cluster.
    #[error("the database belongs to cluster {found}, expected {expected}")]
    Cluster {
        /// The cluster asked for.
        expected: ClusterId,
        /// The cluster found.
        found: ClusterId,
    },
    /// The genesis does not verify.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// Policy version 0 does not compile.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A block that is not the next one.
    #[error("the next block has height {expected}, found {found}")]
    Height {
        /// The next height.
        expected: u64,
        /// The height found.
        found: u64,
    },
    /// A block that follows another one than the last.
    #[error("block {height} follows {found}, the last block is {expected}")]
    Parent {
        /// The block.
        height: u64,
        /// The digest of the last header.
        expected: Digest,
        /// The parent it names.
        found: Digest,
    },
    /// A second, different vote.
    #[error("at height {height}, round {round}, this node voted for {expected}; {found} is refused")]
    VoteTaken {
        /// The height.
        height: u64,
        /// The round.
        round: u32,
        /// The header voted for.
        expected: Digest,
        /// The header refused.
        found: Digest,
    },
    /// A vote for a height that is decided, or for one too far ahead.
    #[error("votes are for height {expected}, found {found}")]
    VoteHeight {
        /// The next height.
        expected: u64,
        /// The height found.
        found: u64,
    },
    /// Another signature for a request that has one (S4).
    #[error("request {request} is signed with digest {expected}; {found} is refused")]
    SignatureTaken {
        /// The request.
        request: RequestId,
        /// The digest signed.
        expected: Digest,
        /// The digest refused.
        found: Digest,
    },
    /// An epoch of a key that is sealed already, with other bytes.
    #[error("epoch {epoch} of key {name} is sealed already; a seal is never replaced")]
    SealTaken {
        /// The key.
        name: Name,
        /// The epoch.
        epoch: u32,
    },
    /// A snapshot that is not the one its mark names.
    #[error("the snapshot at height {height} has digest {found}, its mark names {expected}")]
    Snapshot {
        /// The height.
        height: u64,
        /// The digest marked.
        expected: Digest,
        /// The digest found.
        found: Digest,
    },
    /// A snapshot's mark that this node did not sign.
    #[error("the snapshot at height {height} is not signed by this node")]
    SnapshotMark {
        /// The height.
        height: u64,
    },
    /// A row that does not parse.
    #[error("{table} {key}: {error}")]
    Row {
        /// The table.
        table: &'static str,
        /// Which row.
        key: String,
        /// What is wrong with it.
        error: CanonError,
    },
    /// A column of digests with something else in it.
    #[error("a digest has 32 bytes, a row has {found}")]
    DigestLength {
        /// The length found.
        found: usize,
    },
    /// A negative number where none can be.
    #[error("a row holds the number {found}, none is negative")]
    Negative {
        /// The number.
        found: i64,
    },
    /// A word of a closed set that is none of them.
    #[error("{table} holds the word `{found}`, which means nothing")]
    Word {
        /// The table.
        table: &'static str,
        /// The word.
        found: String,
    },
    /// The stored log does not lead to a state.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A rebuild that does not go on from this log, or that too few people signed.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// A database that holds blocks where a backup should be read into an empty one.
    #[error("a backup is read into an empty database, this one has {found} blocks")]
    NotEmpty {
        /// How many blocks there are.
        found: u64,
    },
    /// A second rebuild for the same place.
    #[error("this log goes on with the rebuild {expected}; {found} is refused")]
    RebuildTaken {
        /// The digest of the one that is kept.
        expected: Digest,
        /// The digest of the one refused.
        found: Digest,
    },
    /// The tree over the headers.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A signature could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Coded for LedgerError {
    fn code(&self) -> &'static str {
        match self {
            Self::Database { .. } => "ledger.database",
            Self::Url { .. } => "ledger.url",
            Self::SchemaNewer { .. } => "ledger.schema_newer",
            Self::SchemaChanged { .. } => "ledger.schema_changed",
            Self::Empty => "ledger.empty",
            Self::Cluster { .. } => "ledger.cluster",
            Self::Genesis(error) => error.code(),
            Self::Policy(error) => error.code(),
            Self::Height { .. } => "ledger.height",
            Self::Parent { .. } => "ledger.parent",
            Self::VoteTaken { .. } => "ledger.vote_taken",
            Self::VoteHeight { .. } => "ledger.vote_height",
            Self::SignatureTaken { .. } => "ledger.signature_taken",
            Self::SealTaken { .. } => "ledger.seal_taken",
            Self::Snapshot { .. } => "ledger.snapshot",
            Self::SnapshotMark { .. } => "ledger.snapshot_mark",
            Self::Row { .. } => "ledger.row",
            Self::DigestLength { .. } => "ledger.digest_length",
            Self::Negative { .. } => "ledger.negative",
            Self::Word { .. } => "ledger.word",
            Self::Replay(error) => error.code(),
            Self::Rebuild(error) => error.code(),
            Self::NotEmpty { .. } => "ledger.not_empty",
            Self::RebuildTaken { .. } => "ledger.rebuild_taken",
            Self::Log(error) => error.code(),
            Self::Key(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Height { .. }
            | Self::Parent { .. }
            | Self::VoteTaken { .. }
            | Self::VoteHeight { .. }
            | Self::SignatureTaken { .. }
            | Self::SealTaken { .. }
            | Self::NotEmpty { .. }
            | Self::RebuildTaken { .. } => Blame::Caller,
            Self::Rebuild(error) => error.blame(),
            Self::Replay(error) => error.blame(),
            Self::Log(error) => error.blame(),
            Self::Database { .. }
            | Self::Url { .. }
            | Self::SchemaNewer { .. }
            | Self::SchemaChanged { .. }
            | Self::Empty
            | Self::Cluster { .. }
            | Self::Genesis(_)
            | Self::Policy(_)
            | Self::Snapshot { .. }
            | Self::SnapshotMark { .. }
            | Self::Row { .. }
            | Self::DigestLength { .. }
            | Self::Negative { .. }
            | Self::Word { .. }
            | Self::Key(_) => Blame::Environment,
        }
    }
}
