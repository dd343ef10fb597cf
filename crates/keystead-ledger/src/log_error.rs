//! What can be wrong with a log, its checkpoints and its proofs.

use keystead_base::{Blame, CanonError, Coded, Digest, Name, SignatureError};
use keystead_decision::LightError;

/// Why a log, a checkpoint or a proof is not believed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log is shorter than asked for.
    #[error("expected a log of {expected} blocks, found {found}")]
    Size {
        /// The size asked for.
        expected: u64,
        /// The size found.
        found: u64,
    },
    /// Hashes of the stored tree are missing.
    #[error("the stored tree has {found} hashes at level {level}, expected {expected}")]
    Missing {
        /// The tile level.
        level: u64,
        /// How many there should be at least.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// The tree library refuses.
    #[error("the tree does not hold together: {0}")]
    Tree(#[from] tlog_tiles::Error),
    /// The newer checkpoint is the smaller one.
    #[error("{remembered} blocks were seen before, now there are only {found}: the log was truncated")]
    RolledBack {
        /// The size remembered.
        remembered: u64,
        /// The size found.
        found: u64,
    },
    /// Two histories of one length.
    #[error(
        "the first {size} blocks had root {expected}, now they have {found}: the log was rewritten or forked"
    )]
    Forked {
        /// How many blocks.
        size: u64,
        /// The root remembered.
        expected: Digest,
        /// The root found.
        found: Digest,
    },
    /// A consistency proof that does not lead from the older root to the newer.
    #[error(
        "{newer} blocks are not shown to begin with the {older} seen before: the log was rewritten or forked"
    )]
    Inconsistent {
        /// The older size.
        older: u64,
        /// The newer size.
        newer: u64,
    },
    /// A proof between other sizes than asked for.
    #[error("expected a proof from {expected} blocks on, found one from {found}")]
    ProofStart {
        /// The size remembered.
        expected: u64,
        /// The size that the proof starts from.
        found: u64,
    },
    /// Too many hashes.
    #[error("a proof has at most {limit} hashes, found {found}")]
    ProofLength {
        /// The limit.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// The decision or header is not where the proof says.
    #[error("the proof does not show that the {what} stands in the log")]
    NotIncluded {
        /// Decision or header.
        what: &'static str,
    },
    /// A text that is no checkpoint.
    #[error("this is not a checkpoint: {reason}")]
    Malformed {
        /// Which line is wrong.
        reason: &'static str,
    },
    /// Another log's checkpoint.
    #[error("expected a checkpoint of `{expected}`, found one of `{found}`")]
    Origin {
        /// The origin expected.
        expected: String,
        /// The origin found.
        found: String,
    },
    /// A signature of a known key that fails.
    #[error("the signature of {node}: {error}")]
    Signature {
        /// Whose.
        node: String,
        /// Which half.
        error: SignatureError,
    },
    /// Only one of a key's two lines.
    #[error("{node} signed with one half of its key only; both are needed")]
    Half {
        /// Whose.
        node: String,
    },
    /// Too few signatures.
    #[error("a checkpoint needs the signatures of {expected} nodes, found {found}")]
    Quorum {
        /// How many are needed.
        expected: u32,
        /// How many there are.
        found: u32,
    },
    /// The witness has not signed.
    #[error("{witness} has not cosigned this checkpoint")]
    NotCosigned {
        /// The witness.
        witness: Name,
    },
    /// A leaf too long for an entry bundle.
    #[error("a log entry has at most {limit} bytes, block {height} has {found}")]
    EntryLength {
        /// The block.
        height: u64,
        /// The limit.
        limit: usize,
        /// The length found.
        found: usize,
    },
    /// A commit or transition that does not verify.
    #[error(transparent)]
    Light(#[from] LightError),
    /// A document that does not parse.
    #[error(transparent)]
    Canon(#[from] CanonError),
    /// A file of an exported log.
    #[error("{path}: {reason}")]
    File {
        /// Which file.
        path: String,
        /// What the system or the parser says.
        reason: String,
    },
}

impl Coded for LogError {
    fn code(&self) -> &'static str {
        match self {
            Self::Size { .. } => "log.size",
            Self::Missing { .. } => "log.missing",
            Self::Tree(_) => "log.tree",
            Self::RolledBack { .. } => "log.rolled_back",
            Self::Forked { .. } => "log.forked",
            Self::Inconsistent { .. } => "log.inconsistent",
            Self::ProofStart { .. } => "log.proof_start",
            Self::ProofLength { .. } => "log.proof_length",
            Self::NotIncluded { .. } => "log.not_included",
            Self::Malformed { .. } => "log.malformed",
            Self::Origin { .. } => "log.origin",
            Self::Signature { .. } => "log.signature",
            Self::Half { .. } => "log.half",
            Self::Quorum { .. } => "log.quorum",
            Self::NotCosigned { .. } => "log.not_cosigned",
            Self::EntryLength { .. } => "log.entry_length",
            Self::Light(error) => error.code(),
            Self::Canon(error) => error.code(),
            Self::File { .. } => "log.file",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Size { .. } | Self::Malformed { .. } | Self::Canon(_) => Blame::Caller,
            Self::Missing { .. } | Self::Tree(_) | Self::EntryLength { .. } | Self::File { .. } => {
                Blame::Environment
            }
            Self::RolledBack { .. }
            | Self::Forked { .. }
            | Self::Inconsistent { .. }
            | Self::ProofStart { .. }
            | Self::ProofLength { .. }
            | Self::NotIncluded { .. }
            | Self::Origin { .. }
            | Self::Signature { .. }
            | Self::Half { .. }
            | Self::Quorum { .. }
            | Self::NotCosigned { .. }
            | Self::Light(_) => Blame::Peer,
        }
    }
}
