//! What a restored key signs: after no drill, and after one.

use keystead_base::{ClusterId, Digest, Name, Timestamp};
use keystead_decision::drill_challenge;
use keystead_tests::vectors::Vector;
use serde_json::json;

use crate::canonical_vectors::hashed;

pub(crate) fn vectors(cluster: ClusterId, key: &Name, backup: &Digest) -> Vec<Vector> {
    let first = (cluster, key, 3_u32, backup);
    let json = json!({"cluster": cluster, "key": key, "epoch": 3, "backup": backup});
    let challenge = |after| drill_challenge(cluster, key, 3, backup, after);
    let later = json!({"first": json, "after": 8});
    vec![
        hashed("a drill's challenge", "drill", json, &borsh::to_vec(&first).unwrap(), challenge(None)),
        hashed(
            "the challenge of a later drill",
            "later-drill",
            later,
            &borsh::to_vec(&(first, 8_u64)).unwrap(),
            challenge(Some(Timestamp(8))),
        ),
    ]
}
