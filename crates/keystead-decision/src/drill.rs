//! What proves that a backup works.

use keystead_base::{ClusterId, Digest, Name, tagged_hash};

/// What a restored key signs to prove control. Its domain keeps it apart from every transaction.
#[must_use]
pub fn drill_challenge(cluster: ClusterId, key: &Name, epoch: u32, backup: &Digest) -> Digest {
    let body = borsh::to_vec(&(cluster, key, epoch, backup)).unwrap_or_default();
    tagged_hash("keystead/drill/v1", &body)
}
