//! RFC 6962 / RFC 9162 Merkle trees over SHA-256: roots, inclusion and consistency proofs.
//!
//! The same tree shape serves the log (leaves are block headers) and a block's decisions.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Digest;

/// The hash of a leaf: `SHA-256(0x00 || bytes)`.
#[must_use]
pub fn leaf_hash(bytes: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(bytes);
    Digest(hash.finalize().into())
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut hash = Sha256::new();
    hash.update([1]);
    hash.update(left.0);
    hash.update(right.0);
    Digest(hash.finalize().into())
}

/// The root over leaf hashes; of no leaf, `SHA-256("")`.
#[must_use]
pub fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest(Sha256::digest([]).into()),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// Shows that one leaf stands in a tree.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// The leaf's index.
    pub index: u64,
    /// The tree's number of leaves.
    pub size: u64,
    /// Sibling hashes from the leaf upward.
    pub path: Vec<Digest>,
}

impl Inclusion {
    /// The proof for `index`, or `None` when there is no such leaf.
    #[must_use]
    pub fn prove(leaves: &[Digest], index: usize) -> Option<Self> {
        (index < leaves.len()).then(|| Self {
            index: index as u64,
            size: leaves.len() as u64,
            path: path(leaves, index),
        })
    }

    /// The proofs of all leaves, each inner node hashed once.
    #[must_use]
    pub fn prove_all(leaves: &[Digest]) -> Vec<Self> {
        let mut paths = vec![Vec::new(); leaves.len()];
        grow_paths(leaves, &mut paths);
        let size = leaves.len() as u64;
        (0..).zip(paths).map(|(index, path)| Self { index, size, path }).collect()
    }

    /// The root that this proof and `leaf` give, or `None` when the path's length does not fit.
    ///
    /// RFC 9162, section 2.1.3.2.
    #[must_use]
    pub fn root(&self, leaf: &Digest) -> Option<Digest> {
        if self.index >= self.size {
            return None;
        }
        let (mut node, mut last) = (self.index, self.size - 1);
        let mut hash = *leaf;
        for sibling in &self.path {
            if last == 0 {
                return None;
            }
            if node & 1 == 1 || node == last {
                hash = node_hash(sibling, &hash);
                while node & 1 == 0 && node != 0 {
                    node >>= 1;
                    last >>= 1;
                }
            } else {
                hash = node_hash(&hash, sibling);
            }
            node >>= 1;
            last >>= 1;
        }
        (last == 0).then_some(hash)
    }
}

fn path(leaves: &[Digest], index: usize) -> Vec<Digest> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut proof, sibling) = match index.checked_sub(at) {
        None => (path(left, index), root(right)),
        Some(index) => (path(right, index), root(left)),
    };
    proof.push(sibling);
    proof
}

/// Appends to the path of each leaf what lies beside it in this tree; gives the tree's root.
fn grow_paths(leaves: &[Digest], paths: &mut [Vec<Digest>]) -> Digest {
    if leaves.len() < 2 {
        return root(leaves);
    }
    let at = split(leaves.len());
    let ((left, right), (left_paths, right_paths)) = (leaves.split_at(at), paths.split_at_mut(at));
    let (left_root, right_root) = (grow_paths(left, left_paths), grow_paths(right, right_paths));
    left_paths.iter_mut().for_each(|path| path.push(right_root));
    right_paths.iter_mut().for_each(|path| path.push(left_root));
    node_hash(&left_root, &right_root)
}

/// The largest power of two below `length`.
fn split(length: usize) -> usize {
    1 << (length - 1).ilog2()
}

/// The right edge of a growing tree: enough to append leaves and to know the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Frontier {
    size: u64,
    /// Roots of the full subtrees, largest first: one for each bit set in `size`.
    peaks: Vec<Digest>,
}

impl Frontier {
    /// Appends a leaf hash.
    pub fn push(&mut self, leaf: Digest) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// How many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves so far.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => root(&[]),
            Some(last) => peaks.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u8) -> Vec<Digest> {
        (0..count).map(|n| leaf_hash(&[n])).collect()
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proven_and_no_other() {
        for count in 1..40 {
            let leaves = leaves(count);
            let expected = root(&leaves);
            let proofs = Inclusion::prove_all(&leaves);
            assert_eq!(proofs.len(), leaves.len());
            for (index, leaf) in leaves.iter().enumerate() {
                let proof = Inclusion::prove(&leaves, index).unwrap();
                assert_eq!(proof.root(leaf), Some(expected));
                assert_eq!(proofs.get(index), Some(&proof));
                assert_ne!(proof.root(&leaf_hash(b"other")), Some(expected));
                let mut longer = proof.clone();
                longer.path.push(Digest::ZERO);
                assert_eq!(longer.root(leaf), None);
                let elsewhere = Inclusion { index: (proof.index + 1) % proof.size, ..proof };
                assert!(count == 1 || elsewhere.root(leaf) != Some(expected));
            }
        }
    }

    #[test]
    fn a_frontier_has_the_tree_s_root() {
        let mut frontier = Frontier::default();
        for count in 0..70 {
            assert_eq!(frontier.root(), root(&leaves(count)));
            frontier.push(leaf_hash(&[count]));
        }
    }
}
