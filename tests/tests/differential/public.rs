//! Typed data that others test themselves with: the digest of ethers and eth-account, or a reason that is listed.

use alloy_primitives::Address;
use keystead_chain::{Payload, Unsigned};
use keystead_intent::ChainId;
use serde_json::{Map, Value, json};

use crate::books::{Books, Reason, Word};
use crate::other::both;
use crate::typed_data::{ETH_ACCOUNT, ETHERS, word};

/// The tests' own documents of eth-account 0.14.0 and of the npm package eip-712 1.0.0, both MIT.
const DOCUMENTS: &str = include_str!("public/typed-data.json");

/// What others take and we refuse.
const OURS: &[Reason] = &[
    (
        "is not an identifier (EIP-712)",
        "names with a space in them, or none at all: `encodeType` says nothing for certain",
    ),
    ("is not a string", "a number in the place of a string: whoever reads it sees another value"),
    ("is not bytes in hex", "an empty text in the place of bytes: it lacks the 0x that tells hex from text"),
    ("is not an object", "null in the place of a struct: readers disagree what that hashes to"),
    (
        "lacks the field",
        "a struct, or the name of the type that is signed, left out: readers disagree here, too",
    ),
];

#[test]
fn s02_public_typed_data_has_the_digest_of_others() {
    let cases = documents("valid");
    let asked: Vec<Value> = cases.iter().map(|(_, json)| json!({ "json": json })).collect();
    let [ethers, eth_account] = both("typed_data", &asked);
    let mut with_ethers = Books::with("ethers 6", OURS, ETHERS);
    let mut with_python = Books::with("eth-account", OURS, ETH_ACCOUNT);
    for (((name, json), ethers), python) in cases.iter().zip(&ethers).zip(&eth_account) {
        with_ethers.compare(&ours(json), &word(ethers), name);
        with_python.compare(&ours(json), &word(python), name);
    }
    with_ethers.close(10, 0);
    with_python.close(10, 0);
}

#[test]
fn s02_public_typed_data_that_is_wrong_is_refused() {
    let taken: Vec<String> = documents("invalid")
        .into_iter()
        .filter(|(_, json)| ours(json).is_ok())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(taken, [""; 0]);
}

fn documents(kind: &str) -> Vec<(String, String)> {
    let all: Value = serde_json::from_str(DOCUMENTS).expect("JSON");
    let of_kind: &Map<String, Value> = all[kind].as_object().expect("documents by name");
    assert!(of_kind.len() > 20, "{}", of_kind.len());
    of_kind.iter().map(|(name, document)| (name.clone(), document.to_string())).collect()
}

/// The chain is the document's own; of one that names none nothing is signed here (S8).
fn ours(json: &str) -> Word {
    let document: Value = serde_json::from_str(json).expect("JSON");
    let chain = document["domain"]["chainId"].as_u64().unwrap_or(1);
    let read = Unsigned::parse(Address::ZERO, ChainId(chain), Payload::TypedData(json.to_owned()));
    read.map(|it| const_hex::encode_prefixed(it.signing_digest().0)).map_err(|error| error.to_string())
}
