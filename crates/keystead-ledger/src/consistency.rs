//! Shows that one tree is a beginning of another (RFC 6962, section 2.1.2).

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Digest, merkle};
use serde::{Deserialize, Serialize};
use tlog_tiles::{Hash, check_tree};

use crate::LogError;

/// The most hashes of one proof: a tree of 2^63 leaves needs no more.
pub const MAX_PROOF_HASHES: usize = 64;

/// The hashes that lead from an older root to a newer one.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// The older tree's number of leaves.
    pub older: u64,
    /// The newer tree's number of leaves.
    pub newer: u64,
    /// The hashes, as RFC 6962 orders them; none where `older` is zero or equal to `newer`.
    pub path: Vec<Digest>,
}

impl Consistency {
    /// The proof between two sizes of one list of leaf hashes, or `None` when there are too few.
    #[must_use]
    pub fn prove(leaves: &[Digest], older: usize, newer: usize) -> Option<Self> {
        let leaves = leaves.get(..newer)?;
        if older > newer {
            return None;
        }
        let path = if older == 0 || older == newer { Vec::new() } else { subproof(leaves, older, true) };
        Some(Self { older: older as u64, newer: newer as u64, path })
    }

    /// Checks that both roots follow from the path.
    ///
    /// # Errors
    ///
    /// [`LogError::RolledBack`] when the newer tree is the smaller one, [`LogError::Forked`] when two
    /// trees of one size differ, [`LogError::Inconsistent`] when the path does not lead there.
    pub fn verify(&self, older: &Digest, newer: &Digest) -> Result<(), LogError> {
        let inconsistent = LogError::Inconsistent { older: self.older, newer: self.newer };
        if self.older > self.newer {
            return Err(LogError::RolledBack { remembered: self.older, found: self.newer });
        }
        if self.path.len() > MAX_PROOF_HASHES {
            return Err(LogError::ProofLength { limit: MAX_PROOF_HASHES, found: self.path.len() });
        }
        if self.older == self.newer && older != newer {
            return Err(LogError::Forked { size: self.older, expected: *older, found: *newer });
        }
        if self.older == 0 {
            let empty = self.path.is_empty() && *older == merkle::root(&[]);
            return if empty { Ok(()) } else { Err(inconsistent) };
        }
        let path: Vec<Hash> = self.path.iter().map(|digest| Hash(digest.0)).collect();
        check_tree(&path, self.newer, Hash(newer.0), self.older, Hash(older.0)).map_err(|_| inconsistent)
    }
}

/// `SUBPROOF(m, D[n], whole)` of RFC 6962.
fn subproof(leaves: &[Digest], older: usize, whole: bool) -> Vec<Digest> {
    if older == leaves.len() {
        return if whole { Vec::new() } else { vec![merkle::root(leaves)] };
    }
    let split = 1 << (leaves.len() - 1).ilog2();
    let (left, right) = leaves.split_at(split);
    let (mut path, sibling) = if older <= split {
        (subproof(left, older, whole), merkle::root(right))
    } else {
        (subproof(right, older - split, false), merkle::root(left))
    };
    path.push(sibling);
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaves(count: usize) -> Vec<Digest> {
        (0..count).map(|n| merkle::leaf_hash(&n.to_be_bytes())).collect()
    }

    #[test]
    fn l2_every_beginning_of_every_small_tree_is_proven() {
        let all = leaves(40);
        for newer in 0..=all.len() {
            for older in 0..=newer {
                let proof = Consistency::prove(&all, older, newer).unwrap();
                let (was, is) = (merkle::root(&all[..older]), merkle::root(&all[..newer]));
                proof.verify(&was, &is).unwrap();
            }
        }
    }

    proptest! {
        #[test]
        fn l2_a_changed_leaf_has_no_proof(newer in 2_usize..300, older in any::<prop::sample::Index>(), at in any::<prop::sample::Index>()) {
            let all = leaves(newer);
            let older = 1 + older.index(newer);
            let mut other = all.clone();
            other[at.index(older)] = Digest::ZERO;
            let proof = Consistency::prove(&all, older, newer).unwrap();
            let (was, is) = (merkle::root(&all[..older]), merkle::root(&all));
            proof.verify(&was, &is).unwrap();
            let forged = Consistency::prove(&other, older, newer).unwrap();
            prop_assert!(forged.verify(&was, &merkle::root(&other)).is_err());
            prop_assert!(proof.verify(&was, &merkle::root(&other)).is_err());
            prop_assert!(proof.verify(&merkle::root(&other[..older]), &is).is_err());
        }

        #[test]
        fn l2_a_changed_proof_is_none(newer in 2_usize..300, older in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let all = leaves(newer);
            let older = 1 + older.index(newer - 1);
            let (was, is) = (merkle::root(&all[..older]), merkle::root(&all));
            let proof = Consistency::prove(&all, older, newer).unwrap();
            let mut changed = proof.clone();
            let at = at.index(changed.path.len());
            changed.path[at].0[usize::from(bit)] ^= 1 << bit;
            prop_assert!(changed.verify(&was, &is).is_err());
            let mut shorter = proof.clone();
            shorter.path.pop();
            prop_assert!(shorter.verify(&was, &is).is_err());
            let mut longer = proof;
            longer.path.push(Digest::ZERO);
            prop_assert!(longer.verify(&was, &is).is_err());
        }

        #[test]
        fn any_sizes_and_any_path_are_answered(older in any::<u64>(), newer in any::<u64>(), path in prop::collection::vec(any::<[u8; 32]>(), 0..70)) {
            let path: Vec<_> = path.into_iter().map(Digest).collect();
            let _ = Consistency { older, newer, path }.verify(&Digest::ZERO, &Digest([1; 32]));
        }
    }
}
