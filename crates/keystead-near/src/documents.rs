//! Vectors of the canonical forms.

use keystead_base::{Canonical, Digest, tagged_hash};
use keystead_intent::{AccountRef, NearAccount, NearTransaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Network;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vector {
    name: String,
    domain: String,
    json: Value,
    document: String,
    digest: Digest,
}

fn of<T: Canonical + Serialize>(name: &str, value: &T) -> Vector {
    let document = value.to_document();
    assert_eq!(value.digest(), tagged_hash(T::DOMAIN, &document[1 + T::DOMAIN.len()..]));
    Vector {
        name: name.to_owned(),
        domain: T::DOMAIN.to_owned(),
        json: serde_json::to_value(value).unwrap(),
        document: const_hex::encode(&document),
        digest: value.digest(),
    }
}

fn vectors() -> Vec<Vector> {
    let accounts = Network::ALL.map(|it| NearAccount { chain: it.chain(), name: "bob.near".to_owned() });
    let asked = NearTransaction {
        account: AccountRef { key: "vera".parse().unwrap(), index: 0 },
        chain: Network::Testnet.chain(),
        transaction: vec![7, 0, 0, 0].into(),
    };
    let accounts = accounts.iter().map(|it| of("an account on a network", it));
    accounts.chain([of("what is asked for", &asked)]).collect()
}

/// `KEYSTEAD_BLESS=1` writes them anew: a change of wire form, which needs a new version in its domain.
#[test]
fn the_vectors_hold() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/near.json");
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        let mut text = serde_json::to_string_pretty(&vectors()).unwrap();
        text.push('\n');
        std::fs::write(path, text).unwrap();
    }
    let stored: Vec<Vector> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(stored, vectors());
}
