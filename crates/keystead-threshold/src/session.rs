//! What one run of a protocol is about: its id binds key, epoch, holders, purpose and policy version.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Canonical, ClusterId, Coded, Digest, Name};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::holders::twice;
use crate::{Holders, MAX_MESSAGE_BYTES};

/// The longest derivation path, in steps.
pub const MAX_PATH_STEPS: usize = 10;
/// The first index that BIP-32 calls hardened.
const HARDENED: u32 = 1 << 31;

/// What kind of signature a key makes, and by which protocol.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// ECDSA on secp256k1 by `DKLs23`.
    EcdsaDkls23,
    /// BIP-340 on secp256k1 by FROST.
    Bip340Frost,
    /// Ed25519 (RFC 8032) by FROST (RFC 9591).
    Ed25519Frost,
}

impl Scheme {
    /// How a session names what is signed: the 32 bytes themselves, of Ed25519 the SHA-256 of the message. None where the
    /// scheme does not sign such a message.
    #[must_use]
    pub fn names(self, message: &[u8]) -> Option<Digest> {
        match self {
            Self::Ed25519Frost if message.len() <= MAX_MESSAGE_BYTES => {
                Some(Digest(Sha256::digest(message).into()))
            }
            Self::Ed25519Frost => None,
            Self::EcdsaDkls23 | Self::Bip340Frost => message.try_into().ok().map(Digest),
        }
    }
}

/// What a run is for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Purpose {
    /// A new key, in shares from its first moment on.
    Generate,
    /// One signature.
    Sign {
        /// Who signs.
        signers: Vec<Name>,
        /// What is signed: the 32 bytes themselves for ECDSA and BIP-340, the SHA-256 of the message for Ed25519.
        digest: Digest,
        /// BIP-32 steps from the root to the signing key, none hardened; empty for FROST.
        path: Vec<u32>,
    },
    /// New shares of the same key for the same holders.
    Refresh,
    /// New shares of the same key for others.
    Reshare {
        /// The holders who deal.
        dealers: Vec<Name>,
        /// Who holds from the next epoch on.
        next: Holders,
    },
    /// The share of one holder, computed again by others.
    Repair {
        /// Whose share is lost.
        lost: Name,
        /// Who helps.
        helpers: Vec<Name>,
    },
    /// A key that exists already, split by the one who has it.
    Import {
        /// Who has it.
        dealer: Name,
    },
    /// Holders begin with what was dealt to them at once by whoever had the whole key, who takes no part any more.
    Take {
        /// The digest of what was dealt: who got something else is in another run.
        dealing: Digest,
    },
}

/// One run of a protocol among named nodes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The cluster.
    pub cluster: ClusterId,
    /// The key.
    pub key: Name,
    /// Its scheme.
    pub scheme: Scheme,
    /// The epoch of the shares that are used; of those that are made, where there are none yet.
    pub epoch: u32,
    /// Who holds the key in that epoch.
    pub holders: Holders,
    /// The policy version under which the run was allowed.
    pub policy_version: u64,
    /// What it is for.
    pub purpose: Purpose,
    /// Different for each attempt; all take it from the same place, such as a block.
    pub attempt: Digest,
}

impl Canonical for Session {
    const DOMAIN: &'static str = "keystead/threshold-session/v1";
    const MAX_BYTES: usize = 16 * 1024;
}

/// The digest of a [`Session`].
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct SessionId(pub Digest);

impl Session {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        SessionId(self.digest())
    }

    /// Everyone who takes part.
    #[must_use]
    pub fn participants(&self) -> BTreeSet<Name> {
        let mut all = BTreeSet::new();
        match &self.purpose {
            Purpose::Generate | Purpose::Refresh | Purpose::Take { .. } => {
                all.extend(self.holders.members().iter().cloned());
            }
            Purpose::Sign { signers, .. } => all.extend(signers.iter().cloned()),
            Purpose::Reshare { dealers, next } => {
                all.extend(dealers.iter().chain(next.members()).cloned());
            }
            Purpose::Repair { lost, helpers } => {
                all.extend(helpers.iter().chain([lost]).cloned());
            }
            Purpose::Import { dealer } => {
                all.extend(self.holders.members().iter().chain([dealer]).cloned());
            }
        }
        all
    }

    /// Whether such a run can be.
    ///
    /// # Errors
    ///
    /// [`SessionError`] says what does not fit.
    pub fn check(&self) -> Result<(), SessionError> {
        match &self.purpose {
            Purpose::Generate | Purpose::Refresh | Purpose::Import { .. } | Purpose::Take { .. } => Ok(()),
            Purpose::Sign { signers, path, .. } => {
                self.check_quorum(signers)?;
                self.check_path(path)
            }
            Purpose::Reshare { dealers, .. } => self.check_quorum(dealers),
            Purpose::Repair { lost, helpers } => {
                self.check_quorum(helpers)?;
                if helpers.contains(lost) || !self.holders.holds(lost) {
                    return Err(SessionError::Lost { name: lost.clone() });
                }
                Ok(())
            }
        }
    }

    fn check_quorum(&self, names: &[Name]) -> Result<(), SessionError> {
        if let Some(name) = names.iter().find(|name| !self.holders.holds(name)).cloned() {
            return Err(SessionError::NoHolder { name });
        }
        if let Some(name) = twice(names) {
            return Err(SessionError::Twice { name });
        }
        let (needed, found) = (usize::from(self.holders.threshold()), names.len());
        // DKLs23 multiplies among exactly the threshold; the others take any number from it on.
        let signs = matches!(self.purpose, Purpose::Sign { .. });
        let exact = self.scheme == Scheme::EcdsaDkls23 && signs;
        if found < needed || (exact && found > needed) {
            return Err(SessionError::Quorum { needed, found });
        }
        Ok(())
    }

    fn check_path(&self, path: &[u32]) -> Result<(), SessionError> {
        if self.scheme == Scheme::Ed25519Frost && !path.is_empty() {
            return Err(SessionError::NoChildren);
        }
        if path.len() > MAX_PATH_STEPS {
            return Err(SessionError::Deep { found: path.len() });
        }
        match path.iter().find(|step| **step >= HARDENED) {
            Some(step) => Err(SessionError::Hardened { step: *step }),
            None => Ok(()),
        }
    }
}

/// Why no run can be as described.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Somebody without a share.
    #[error("`{name}` holds no share of the key")]
    NoHolder {
        /// The node.
        name: Name,
    },
    /// Somebody twice.
    #[error("`{name}` is named twice")]
    Twice {
        /// The node.
        name: Name,
    },
    /// Too few, or too many.
    #[error("the run takes {needed} holders, found {found}")]
    Quorum {
        /// The threshold.
        needed: usize,
        /// How many were named.
        found: usize,
    },
    /// Whoever lost a share cannot help, and must have held one.
    #[error("`{name}` cannot be repaired by these helpers")]
    Lost {
        /// The node.
        name: Name,
    },
    /// A hardened step needs the whole key.
    #[error("step {step} is hardened, which takes a whole key (BIP-32)")]
    Hardened {
        /// The step.
        step: u32,
    },
    /// A path for a scheme without children.
    #[error("keys of this scheme have no children")]
    NoChildren,
    /// A path that is too long.
    #[error("a path has at most {MAX_PATH_STEPS} steps, found {found}")]
    Deep {
        /// Its length.
        found: usize,
    },
}

impl Coded for SessionError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoHolder { .. } => "threshold_session.no_holder",
            Self::Twice { .. } => "threshold_session.twice",
            Self::Quorum { .. } => "threshold_session.quorum",
            Self::Lost { .. } => "threshold_session.lost",
            Self::Hardened { .. } => "threshold_session.hardened",
            Self::NoChildren => "threshold_session.no_children",
            Self::Deep { .. } => "threshold_session.deep",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}
