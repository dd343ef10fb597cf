//! What proves that a backup works.

use keystead_base::{ClusterId, Digest, Name, Timestamp, tagged_hash};

/// What a restored key signs to prove control. Its domain keeps it apart from every transaction.
///
/// INVARIANT D2: `after` is when the log took the last drill of the key, so that nobody shows the proof of that one again, which stands in
/// the log for all to read. The first drill, and a restoration, which names a new epoch, come after none.
#[must_use]
pub fn drill_challenge(
    cluster: ClusterId,
    key: &Name,
    epoch: u32,
    backup: &Digest,
    after: Option<Timestamp>,
) -> Digest {
    let first = (cluster, key, epoch, backup);
    let (domain, body) = match after {
        None => ("keystead/drill/v1", borsh::to_vec(&first)),
        Some(at) => ("keystead/later-drill/v1", borsh::to_vec(&(first, at))),
    };
    tagged_hash(domain, &body.unwrap_or_default())
}
