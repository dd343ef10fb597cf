//! Vectors of the canonical forms.

use keystead_base::{Canonical, Digest, tagged_hash};
use keystead_intent::{AccountRef, SolanaAddress, SolanaMessage, SolanaNonce};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fixture::{MINT, NONCE, UNKNOWN, US, account};
use crate::{Cluster, Instruction, SolanaInstruction};

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
    let addresses = Cluster::ALL.map(|it| SolanaAddress { chain: it.chain(), key: Digest(MINT.0) });
    let nonce =
        SolanaNonce { chain: Cluster::Mainnet.chain(), account: Digest(NONCE.0), value: Digest([9; 32]) };
    let accounts = vec![account(US, true, true), account(MINT, false, false)];
    let order = Instruction { program: UNKNOWN, accounts, data: vec![1, 2, 3] };
    let addresses = addresses.iter().map(|it| of("an address on a cluster", it));
    let asked = SolanaMessage {
        account: AccountRef { key: "vault".parse().unwrap(), index: 0 },
        chain: Cluster::Devnet.chain(),
        message: vec![0x80, 1, 0, 0].into(),
    };
    let others = [
        of("a place", &nonce),
        of("an instruction", &SolanaInstruction::of(&order)),
        of("what is asked for", &asked),
    ];
    addresses.chain(others).collect()
}

/// `KEYSTEAD_BLESS=1` writes them anew: a change of wire form, which needs a new version in its domain.
#[test]
fn the_vectors_hold() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/solana.json");
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        let mut text = serde_json::to_string_pretty(&vectors()).unwrap();
        text.push('\n');
        std::fs::write(path, text).unwrap();
    }
    let stored: Vec<Vector> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(stored, vectors());
}

#[test]
fn documents_read_back_and_nothing_shorter_does() {
    fn check<T: Canonical + PartialEq + std::fmt::Debug>(document: &[u8]) {
        let value = T::from_document(document).unwrap();
        assert_eq!(value.to_document(), document);
        assert!((0..document.len()).all(|cut| T::from_document(&document[..cut]).is_err()));
    }
    for vector in vectors() {
        let document = const_hex::decode(&vector.document).unwrap();
        match vector.domain.as_str() {
            SolanaAddress::DOMAIN => check::<SolanaAddress>(&document),
            SolanaNonce::DOMAIN => check::<SolanaNonce>(&document),
            SolanaMessage::DOMAIN => check::<SolanaMessage>(&document),
            _ => check::<SolanaInstruction>(&document),
        }
    }
}
