//! Why a contribution, a transcript or a signature of the founding ceremony is refused.

use keystead_base::{Blame, Coded, Digest, KeyError, Name, SignatureError};
use keystead_policy::PolicyError;

use crate::{GenesisError, UnfitWallet};

/// What is wrong, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CeremonyError {
    /// A contribution was altered, or its maker does not hold the key.
    #[error("the contribution of `{name}` is not signed by the key that it names: {error}")]
    Contribution {
        /// Whose contribution.
        name: Name,
        /// Which half.
        error: SignatureError,
    },
    /// A contribution in the name of somebody else.
    #[error("expected the contribution of `{name}` to be signed by `{name}`, found `{found}`")]
    Signer {
        /// Whose contribution.
        name: Name,
        /// Who signed.
        found: Name,
    },
    /// A field that people could misread, or that does not fit.
    #[error("the {what} in the contribution of `{name}` does not fit: found {found:?}")]
    Form {
        /// Whose contribution.
        name: Name,
        /// Which field.
        what: &'static str,
        /// What stands there.
        found: String,
    },
    /// A contribution to another ceremony.
    #[error("the contribution of `{name}` is for the cluster `{found}`, this ceremony founds `{expected}`")]
    OtherCeremony {
        /// Whose contribution.
        name: Name,
        /// The cluster that is founded here.
        expected: Name,
        /// The cluster that the contribution names.
        found: Name,
    },
    /// Two members with one name, key or address.
    #[error("`{first}` and `{second}` have the same {what}")]
    Shared {
        /// What they share.
        what: &'static str,
        /// One of them.
        first: Name,
        /// The other.
        second: Name,
    },
    /// Contributions or signatures that do not stand by name.
    #[error("contributions and signatures stand by their members' names, ascending, each once")]
    Order,
    /// More contributions than a ceremony takes.
    #[error("a ceremony takes at most {limit} contributions, found {found}")]
    TooMany {
        /// The limit.
        limit: usize,
        /// The number found.
        found: usize,
    },
    /// A number of nodes that has no place in the table.
    #[error("a cluster has 1, 3, 4 or 7 nodes, found {found}")]
    Nodes {
        /// The number found.
        found: usize,
    },
    /// Too few founders.
    #[error("a ceremony needs at least {least} founders, found {found}")]
    Founders {
        /// The least.
        least: usize,
        /// The number found.
        found: usize,
    },
    /// A genesis that does not follow from the contributions.
    #[error("the {part} of the genesis is not what the contributions make it")]
    Genesis {
        /// Which part.
        part: &'static str,
    },
    /// The first policy does not hold together.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The first policy registers a shared wallet that nobody could spend from.
    #[error(transparent)]
    Wallet(#[from] UnfitWallet),
    /// The member's own contribution is not in the transcript.
    #[error("expected the own contribution of `{name}` (key {own}), {}", standing(own, found))]
    NotMine {
        /// Whose contribution.
        name: Name,
        /// The fingerprint of the member's own key.
        own: Digest,
        /// The fingerprint of the key that stands under the name.
        found: Option<Digest>,
    },
    /// A key that is not the one contributed.
    #[error("`{name}` contributed key {expected}, the key here is {found}")]
    Key {
        /// Whose key.
        name: Name,
        /// The fingerprint of the contributed key.
        expected: Digest,
        /// The fingerprint of the key at hand.
        found: Digest,
    },
    /// Another transcript than the others read out.
    #[error("the others read out fingerprint {heard}, this transcript has {computed}")]
    Fingerprint {
        /// What was heard.
        heard: Digest,
        /// What was computed.
        computed: Digest,
    },
    /// A signature on another transcript.
    #[error("`{member}` signed the transcript {found}, this one is {expected}")]
    OtherTranscript {
        /// Who signed.
        member: Name,
        /// The transcript at hand.
        expected: Digest,
        /// The transcript that was signed.
        found: Digest,
    },
    /// A signature of nobody in the transcript.
    #[error("`{member}` signed, and is not in the transcript")]
    Stranger {
        /// Who signed.
        member: Name,
    },
    /// A signature that does not verify.
    #[error("the signature of `{member}`: {error}")]
    Assent {
        /// Who signed.
        member: Name,
        /// Which half.
        error: SignatureError,
    },
    /// A founder without, or somebody else with, a signature on the genesis.
    #[error("founders sign the genesis and nobody else does: found otherwise for `{member}`")]
    GenesisSignature {
        /// Who signed.
        member: Name,
    },
    /// Somebody has not signed.
    #[error("not signed yet by {}", listed(members))]
    Missing {
        /// Who.
        members: Vec<Name>,
    },
    /// The genesis itself.
    #[error(transparent)]
    SignedGenesis(#[from] GenesisError),
    /// The library failed to sign.
    #[error(transparent)]
    Library(#[from] KeyError),
}

impl Coded for CeremonyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Contribution { .. } => "ceremony.contribution",
            Self::Signer { .. } => "ceremony.signer",
            Self::Form { .. } => "ceremony.form",
            Self::OtherCeremony { .. } => "ceremony.other",
            Self::Shared { .. } => "ceremony.shared",
            Self::Order => "ceremony.order",
            Self::TooMany { .. } => "ceremony.too_many",
            Self::Nodes { .. } => "ceremony.nodes",
            Self::Founders { .. } => "ceremony.founders",
            Self::Genesis { .. } => "ceremony.genesis",
            Self::Policy(error) => error.code(),
            Self::Wallet(error) => error.code(),
            Self::NotMine { .. } => "ceremony.not_mine",
            Self::Key { .. } => "ceremony.key",
            Self::Fingerprint { .. } => "ceremony.fingerprint",
            Self::OtherTranscript { .. } => "ceremony.other_transcript",
            Self::Stranger { .. } => "ceremony.stranger",
            Self::Assent { .. } => "ceremony.signature",
            Self::GenesisSignature { .. } => "ceremony.genesis_signature",
            Self::Missing { .. } => "ceremony.missing",
            Self::SignedGenesis(error) => error.code(),
            Self::Library(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Library(error) => error.blame(),
            _ => Blame::Caller,
        }
    }
}

fn standing(own: &Digest, found: &Option<Digest>) -> String {
    match found {
        Some(found) if found == own => "found that key with other labels, address, roles or keys".to_owned(),
        Some(found) => format!("found another under that name (key {found})"),
        None => "found none under that name".to_owned(),
    }
}

fn listed(members: &[Name]) -> String {
    members.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
}
