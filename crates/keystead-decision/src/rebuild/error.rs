//! Why a rebuild is refused.

use keystead_base::{Blame, ClusterId, Coded, Digest, KeyError, Name, SignatureError, Timestamp};
use keystead_policy::{Need, PolicyError, Reason};

use crate::LightError;
use crate::ceremony::CeremonyError;

/// What is wrong, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RebuildError {
    /// Of another cluster.
    #[error("this cluster is {expected}, the rebuild is of {found}")]
    Cluster {
        /// This cluster.
        expected: ClusterId,
        /// The one named.
        found: ClusterId,
    },
    /// It continues another log than the one at hand, or not from its end.
    #[error(
        "the log ends with block {height}, header {expected}; the rebuild goes on from block {named}, header {found}"
    )]
    Place {
        /// The height of the log.
        height: u64,
        /// The digest of its last header.
        expected: Digest,
        /// The height that the rebuild names.
        named: u64,
        /// The digest that it names.
        found: Digest,
    },
    /// Another root over the same headers.
    #[error("the headers of the log have root {expected}, the rebuild names {found}")]
    Root {
        /// The root of the log.
        expected: Digest,
        /// The one named.
        found: Digest,
    },
    /// Somebody is said to remember less than the backup holds.
    #[error("a rebuild from block {height} on names what is remembered beyond it, found {found}")]
    Remembered {
        /// The height of the backup.
        height: u64,
        /// What is said to be remembered.
        found: u64,
    },
    /// Drafted before the last block.
    #[error("a rebuild is drafted after the last block ({after}), found {found}")]
    Time {
        /// The last block's time.
        after: Timestamp,
        /// The rebuild's.
        found: Timestamp,
    },
    /// The next version does not follow, or does not hold together.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The next version changes more than nodes.
    #[error("a rebuild changes the nodes and nothing else, found a change of `{found}`")]
    Section {
        /// What differs.
        found: &'static str,
    },
    /// A number of nodes, or a quorum, that has no place in the table.
    #[error("a cluster has 1, 3, 4 or 7 nodes with a quorum of 1, 2, 3 or 5, found {found} with {quorum}")]
    Nodes {
        /// How many nodes.
        found: usize,
        /// The quorum.
        quorum: u32,
    },
    /// A node with the name or a key of one that is lost.
    #[error("every node of a rebuilt cluster has a new name and new keys; `{node}` has not")]
    Reused {
        /// Which.
        node: Name,
    },
    /// A policy so long that no block would hold it with the signatures.
    #[error("a rebuild and the signatures of everybody take at most {limit} bytes, found {found}")]
    Long {
        /// What a block holds.
        limit: usize,
        /// What it would take.
        found: usize,
    },
    /// Policy does not say who may change the roster.
    #[error("no policy row says who could sign a rebuild: {reason}")]
    NoRow {
        /// What policy says instead.
        reason: Reason,
    },
    /// Signatures that do not stand by name, or one person twice.
    #[error("the signatures stand by their people's names, each once, and do not at `{person}`")]
    Order {
        /// Where.
        person: Name,
    },
    /// Nobody of the roster.
    #[error("`{person}` has no device `{device}` in the roster")]
    NotEnrolled {
        /// Who is said to have signed.
        person: Name,
        /// With which device.
        device: Name,
    },
    /// A signature that does not verify.
    #[error("the signature of `{person}`: {error}")]
    Signature {
        /// Whose.
        person: Name,
        /// Which half.
        error: SignatureError,
    },
    /// Too few people.
    #[error("a rebuild takes more people than a change of the roster; still missing: {}", words(missing))]
    Missing {
        /// Who.
        missing: Vec<Need>,
    },
    /// A signature on another rebuild.
    #[error("`{person}` signed the rebuild {found}, this one is {expected}")]
    Other {
        /// Who signed.
        person: Name,
        /// The rebuild at hand.
        expected: Digest,
        /// The one that was signed.
        found: Digest,
    },
    /// Another rebuild than the others read out.
    #[error("the others read out fingerprint {heard}, this rebuild has {computed}")]
    Fingerprint {
        /// What was heard.
        heard: Digest,
        /// What was computed.
        computed: Digest,
    },
    /// A roster that does not follow from the contributions of the new nodes.
    #[error("the nodes of the rebuild are not those that contributed")]
    Contributions,
    /// A contribution that does not verify.
    #[error(transparent)]
    Contribution(#[from] CeremonyError),
    /// The log that the draft shows does not lead to the policy in force.
    #[error(transparent)]
    Light(Box<LightError>),
    /// The library failed to sign.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl From<LightError> for RebuildError {
    fn from(error: LightError) -> Self {
        Self::Light(Box::new(error))
    }
}

fn words(missing: &[Need]) -> String {
    missing
        .iter()
        .map(|need| format!("{} of role `{}`", need.count, need.role))
        .collect::<Vec<_>>()
        .join(", ")
}

impl Coded for RebuildError {
    fn code(&self) -> &'static str {
        match self {
            Self::Cluster { .. } => "rebuild.cluster",
            Self::Place { .. } => "rebuild.place",
            Self::Root { .. } => "rebuild.root",
            Self::Remembered { .. } => "rebuild.remembered",
            Self::Time { .. } => "rebuild.time",
            Self::Policy(error) => error.code(),
            Self::Section { .. } => "rebuild.section",
            Self::Nodes { .. } => "rebuild.nodes",
            Self::Reused { .. } => "rebuild.reused",
            Self::Long { .. } => "rebuild.long",
            Self::NoRow { .. } => "rebuild.no_row",
            Self::Order { .. } => "rebuild.order",
            Self::NotEnrolled { .. } => "rebuild.not_enrolled",
            Self::Signature { .. } => "rebuild.signature",
            Self::Missing { .. } => "rebuild.missing",
            Self::Other { .. } => "rebuild.other",
            Self::Fingerprint { .. } => "rebuild.fingerprint",
            Self::Contributions => "rebuild.contributions",
            Self::Contribution(error) => error.code(),
            Self::Light(error) => error.code(),
            Self::Key(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Key(_) => Blame::Environment,
            _ => Blame::Caller,
        }
    }
}
