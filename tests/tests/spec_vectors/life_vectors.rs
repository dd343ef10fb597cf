//! What the vectors say of the life of keys.

use keystead_base::{
    ClusterId, Digest, HybridSigner, KeyScheme, Name, PublicAccount, RequestId, Secret, Signed,
};
use keystead_decision::{EntropyWitness, Entry, KeyStep, WitnessWord, control_challenge};
use keystead_intent::{AuthorityChange, KeyCeremony, KeyTerms, Suspect};
use keystead_policy::{AssuranceLevel, Feature};
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

/// A key that tokens made.
pub(crate) fn in_tokens(request: RequestId) -> KeyStep {
    KeyStep::InTokens {
        request,
        account: PublicAccount { parity: 0x42, x: Digest([7; 32]), chain_code: Digest::ZERO },
        assurance: AssuranceLevel::Process,
        protections: vec![Feature::Seccomp],
        proof: vec![1, 2, 3],
    }
}

/// Somebody signed the receipt of a seed.
pub(crate) fn witness() -> Entry {
    let body = EntropyWitness { receipt: Digest([5; 32]), noted: Some(Digest([6; 32])), at: BIRTH };
    let signer = HybridSigner::from_seed(&Secret::new([7; 64])).unwrap();
    let word = Signed::new(body, name("ana"), &signer).unwrap();
    Entry::Witness(WitnessWord { key: name("hot"), node: name("node-1"), word })
}
