//! What the vectors say of the life of keys.

use keystead_base::{ClusterId, Digest, KeyScheme, Name, PublicAccount};
use keystead_decision::control_challenge;
use keystead_intent::{AuthorityChange, KeyCeremony, KeyTerms, Suspect};
use keystead_tests::fixture::{BIRTH, CHAIN, name};
use keystead_tests::vectors::Vector;
use serde_json::json;

use crate::canonical_vectors::hashed;

/// A proof of control.
pub(crate) fn control(cluster: ClusterId, key: &Name, block: &Digest) -> Vector {
    hashed(
        "a proof of control",
        "control-proof",
        json!({"cluster": cluster, "key": key, "epoch": 3, "height": 9, "block": block}),
        &borsh::to_vec(&(cluster, key, 3_u32, 9_u64, block)).unwrap(),
        control_challenge(cluster, key, 3, 9, block),
    )
}

pub(crate) const WIPED: PublicAccount =
    PublicAccount { parity: 2, x: Digest([5; 32]), chain_code: Digest([6; 32]) };

/// What people approve of it.
pub(crate) fn changes() -> [(&'static str, AuthorityChange); 4] {
    let (key, why) = (name("hot"), "it is over".to_owned());
    let step = AuthorityChange::Key;
    [
        ("deactivate", step(KeyCeremony::Deactivate { key: key.clone(), why })),
        ("limit", step(KeyCeremony::Limit { key: key.clone(), terms: terms() })),
        ("succeed", step(KeyCeremony::Succeed { key, successor: name("warm") })),
        ("compromise", compromise()),
    ]
}

fn terms() -> KeyTerms {
    KeyTerms {
        until: Some(BIRTH),
        most_signatures: Some(9),
        chains: vec![CHAIN],
        schemes: vec![KeyScheme::Ecdsa],
        no_blind: true,
        no_export: false,
        proof_seconds: Some(86_400),
    }
}

fn compromise() -> AuthorityChange {
    let suspects = vec![
        Suspect::Key { key: name("hot") },
        Suspect::Node { node: name("node-1") },
        Suspect::Device { person: name("ana"), device: name("laptop") },
        Suspect::Service { service: name("desk") },
    ];
    AuthorityChange::Compromise { suspects, why: "found in a paste".to_owned() }
}
