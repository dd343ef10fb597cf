//! Vectors of how a policy names a descriptor: read by the product here, and by the second implementation.
//!
//! `KEYSTEAD_BLESS=1 cargo test -p keystead-tests --test spec_vectors descriptor_vectors` writes them anew: a change of wire
//! form, which needs a new version in its domain.

use keystead_base::Digest;
use keystead_intent::{ContractEntry, ContractKind};
use keystead_policy::PolicyVersion;
use keystead_tests::fixture::{CHAIN, Desk, FRIEND, name};
use keystead_tests::root;
use keystead_tests::vectors::{Vector, check, vector};
use keystead_words::descriptor_digest;
use serde_json::json;

fn vectors() -> Vec<Vector> {
    let (domain, text) = ("keystead/descriptor/v1", "{\"display\": {\"formats\": {}}}\n");
    let digest = descriptor_digest(text.as_bytes());
    let length = u8::try_from(domain.len()).unwrap();
    let document = const_hex::encode([&[length], domain.as_bytes(), text.as_bytes()].concat());
    let descriptor = Vector {
        name: "a descriptor".to_owned(),
        domain: domain.to_owned(),
        json: json!(text),
        document,
        digest,
    };
    vec![descriptor, vector("a policy that names a descriptor", &with_a_descriptor())]
}

/// Without people, to be short.
fn with_a_descriptor() -> PolicyVersion {
    let mut policy = Desk::default().policy();
    policy.roster.people.clear();
    let kind = ContractKind::Described(Digest([6; 32]));
    policy.contracts.push(ContractEntry { chain: CHAIN, address: FRIEND, name: name("vault"), kind });
    policy
}

#[test]
fn the_product_reads_every_vector_both_ways() {
    let path = root().join("specs/vectors/descriptors.json");
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&vectors()).unwrap() + "\n").unwrap();
    }
    let stored: Vec<Vector> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(stored, vectors());
    assert_eq!(check::<PolicyVersion>(&stored), 1);
}
