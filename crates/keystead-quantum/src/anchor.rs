//! An anchor: keys that are kept offline, k of n, and sign a rebuild of a cluster beside its people.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Canonical, ClusterId, Coded, Digest};
use serde::{Deserialize, Serialize};

use crate::{QuantumKey, QuantumQuorum, QuantumQuorumSignature, QuantumSeat, QuorumError};

/// What an anchor signs: this cluster goes on with this rebuild.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorStatement {
    /// The cluster.
    pub cluster: ClusterId,
    /// The digest of the rebuild: the fingerprint that people compare.
    pub rebuild: Digest,
}

impl Canonical for AnchorStatement {
    const DOMAIN: &'static str = "keystead/anchor-statement/v1";
}

impl AnchorStatement {
    /// One key's part in the anchor's word.
    ///
    /// # Errors
    ///
    /// [`AnchorError`] for a key that is none of the anchor's, and what signing can fail with.
    pub fn part(self, anchor: &QuantumQuorum, key: &QuantumKey) -> Result<AnchorPart, AnchorError> {
        let seat = anchor.sign(key, &self.to_document())?;
        Ok(AnchorPart { anchor: anchor.digest(), statement: self, seat })
    }
}

/// What one machine without a network hands over: a file.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorPart {
    /// The digest of the anchor.
    pub anchor: Digest,
    /// What was signed.
    pub statement: AnchorStatement,
    /// One of the anchor's keys, and its signature.
    pub seat: QuantumSeat,
}

impl Canonical for AnchorPart {
    const DOMAIN: &'static str = "keystead/anchor-part/v1";
}

/// An anchor's word: the statement, signed by as many of its keys as it asks for. Whoever pinned the anchor's digest needs nothing else.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorWord {
    /// The anchor.
    pub anchor: QuantumQuorum,
    /// What it signed.
    pub statement: AnchorStatement,
    /// By its keys.
    pub signature: QuantumQuorumSignature,
}

impl Canonical for AnchorWord {
    const DOMAIN: &'static str = "keystead/anchor-word/v1";
    const MAX_BYTES: usize = 256 * 1024;
}

impl AnchorWord {
    /// Puts the parts of an anchor's keys together.
    ///
    /// # Errors
    ///
    /// [`AnchorError`] where parts are of another anchor or over different rebuilds, too few, or do not verify.
    pub fn of(anchor: QuantumQuorum, parts: Vec<AnchorPart>) -> Result<Self, AnchorError> {
        let statement = parts.first().map(|it| it.statement).ok_or(AnchorError::Nothing)?;
        let (expected, mut seats) = (anchor.digest(), Vec::new());
        for part in parts {
            if part.anchor != expected {
                return Err(AnchorError::Other { expected, found: part.anchor });
            }
            if part.statement != statement {
                return Err(AnchorError::Statement { expected: statement, found: part.statement });
            }
            seats.push(part.seat);
        }
        let signature = anchor.combine(&statement.to_document(), seats)?;
        Ok(Self { anchor, statement, signature })
    }

    /// INVARIANT S13: who pinned an anchor follows a rebuild that this anchor signed, and no other.
    ///
    /// # Errors
    ///
    /// [`AnchorError`] says why this word counts for nothing.
    pub fn verify(&self, pinned: Digest, expected: AnchorStatement) -> Result<(), AnchorError> {
        let found = self.anchor.digest();
        if found != pinned {
            return Err(AnchorError::Other { expected: pinned, found });
        }
        if self.statement != expected {
            return Err(AnchorError::Statement { expected, found: self.statement });
        }
        Ok(self.anchor.verify(&self.statement.to_document(), &self.signature)?)
    }
}

/// Why an anchor's word counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// No part.
    #[error("no key of the anchor signed")]
    Nothing,
    /// Another anchor.
    #[error("expected the word of the anchor {expected}, found one of {found}")]
    Other {
        /// The pinned one.
        expected: Digest,
        /// The word's.
        found: Digest,
    },
    /// Another cluster or rebuild.
    #[error(
        "expected a word on the rebuild {} of the cluster {}, found one on {} of {}",
        .expected.rebuild, .expected.cluster, .found.rebuild, .found.cluster
    )]
    Statement {
        /// What is to be followed.
        expected: AnchorStatement,
        /// What was signed.
        found: AnchorStatement,
    },
    /// The anchor's keys did not sign it, or too few did.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
}

impl Coded for AnchorError {
    fn code(&self) -> &'static str {
        match self {
            Self::Nothing => "anchor.nothing",
            Self::Other { .. } => "anchor.other",
            Self::Statement { .. } => "anchor.statement",
            Self::Quorum(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Nothing | Self::Other { .. } | Self::Statement { .. } => Blame::Caller,
            Self::Quorum(error) => error.blame(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scheme;

    fn key(scheme: Scheme, byte: u8) -> QuantumKey {
        QuantumKey::from_seed(scheme, &vec![byte; scheme.seed_bytes()]).unwrap()
    }

    fn anchor(threshold: u8, keys: &[QuantumKey]) -> QuantumQuorum {
        QuantumQuorum::new(threshold, keys.iter().map(|it| it.public().clone()).collect()).unwrap()
    }

    fn statement(byte: u8) -> AnchorStatement {
        AnchorStatement { cluster: ClusterId(Digest([1; 32])), rebuild: Digest([byte; 32]) }
    }

    /// One key on hashes alone; or two of three people's keys on lattices, or on both.
    #[test]
    fn s13_an_anchor_s_word_counts_for_its_rebuild_by_as_many_keys_as_it_asks_for() {
        use Scheme::{MlDsa65, SlhDsaSha2128s};
        for (threshold, schemes) in
            [(1, vec![SlhDsaSha2128s]), (2, vec![MlDsa65; 3]), (2, vec![SlhDsaSha2128s, MlDsa65])]
        {
            let keys: Vec<_> = schemes.into_iter().zip(1..).map(|(scheme, byte)| key(scheme, byte)).collect();
            let anchor = anchor(threshold, &keys);
            let signed = |keys: &[QuantumKey], of: u8| -> Vec<AnchorPart> {
                keys.iter().map(|key| statement(of).part(&anchor, key).unwrap()).collect()
            };
            let few = usize::from(threshold) - 1;
            let word = AnchorWord::of(anchor.clone(), signed(&keys, 7)).unwrap();
            assert_eq!(word.verify(anchor.digest(), statement(7)), Ok(()));
            assert_eq!(AnchorWord::from_document(&word.to_document()), Ok(word.clone()));

            let code =
                |word: &AnchorWord, pinned, of: u8| word.verify(pinned, statement(of)).unwrap_err().code();
            assert_eq!(code(&word, anchor.digest(), 8), "anchor.statement", "another rebuild");
            assert_eq!(code(&word, Digest([9; 32]), 7), "anchor.other", "another anchor");
            let lied = AnchorWord { statement: statement(8), ..word.clone() };
            assert_eq!(code(&lied, anchor.digest(), 8), "quantum_quorum.signature", "nobody signed that");
            let mut short = word.clone();
            short.signature.seats.truncate(few);
            assert_eq!(code(&short, anchor.digest(), 7), "quantum_quorum.count");
            let missing = AnchorWord::of(anchor.clone(), signed(&keys[..few], 7)).unwrap_err().code();
            assert_eq!(missing, if few == 0 { "anchor.nothing" } else { "quantum_quorum.count" });
        }
    }

    #[test]
    fn s13_parts_are_of_one_anchor_and_over_one_rebuild() {
        let keys = [key(Scheme::MlDsa44, 1), key(Scheme::MlDsa44, 2)];
        let (ours, other) = (anchor(2, &keys), anchor(1, &keys));
        let part =
            |anchor: &QuantumQuorum, key: usize, of: u8| statement(of).part(anchor, &keys[key]).unwrap();
        let code = |parts| AnchorWord::of(ours.clone(), parts).unwrap_err().code();
        assert_eq!(code(vec![part(&ours, 0, 7), part(&ours, 1, 8)]), "anchor.statement");
        assert_eq!(code(vec![part(&ours, 0, 7), part(&other, 1, 7)]), "anchor.other");
        assert_eq!(code(vec![part(&ours, 0, 7), part(&ours, 0, 7)]), "quantum_quorum.count", "one key twice");
        let stranger = key(Scheme::MlDsa44, 3);
        assert_eq!(statement(7).part(&ours, &stranger).unwrap_err().code(), "quantum_quorum.stranger");
    }
}
