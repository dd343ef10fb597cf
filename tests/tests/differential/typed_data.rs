//! Typed data: here, in ethers 6 and in eth-account one digest, and what is wrong is signed by nobody here (S2).

use alloy_primitives::Address;
use keystead_chain::{Payload, Unsigned};
use keystead_intent::ChainId;
use serde_json::{Value, json};

use crate::books::{Books, Reason, Word};
use crate::dice::{Dice, SPOILED_TYPED_DATA, TYPED_DATA, cases};
use crate::other::both;
use crate::typed_cases::Document;

/// What ethers refuses and we take.
pub(crate) const ETHERS: &[Reason] = &[(
    "circular type reference",
    "a type that holds a list of itself, which EIP-712 has and ethers has not",
)];
/// What eth-account refuses and we take.
pub(crate) const ETH_ACCOUNT: &[Reason] = &[];

#[test]
fn s02_random_typed_data_has_the_digest_of_ethers_and_eth_account() {
    let mut dice = Dice::of("typed data");
    let drawn: Vec<(String, Word)> = (0..cases(TYPED_DATA)).map(|_| case(&mut dice, None)).collect();
    let asked: Vec<Value> = drawn.iter().map(|(json, _)| json!({ "json": json })).collect();
    let [ethers, eth_account] = both("typed_data", &asked);
    let mut with_ethers = Books::with("ethers 6", &[], ETHERS);
    let mut with_python = Books::with("eth-account", &[], ETH_ACCOUNT);
    for (((json, ours), ethers), python) in drawn.iter().zip(&ethers).zip(&eth_account) {
        with_ethers.compare(ours, &word(ethers), json);
        with_python.compare(ours, &word(python), json);
    }
    with_ethers.close(drawn.len() * 9 / 10, 0);
    with_python.close(drawn.len() * 9 / 10, 0);
}

/// No reader here has a second opinion on what is wrong: it is refused, whatever others make of it.
#[test]
fn s02_spoiled_typed_data_is_refused_whatever_others_make_of_it() {
    let mut dice = Dice::of("spoiled typed data");
    let mut spoils = Vec::new();
    let drawn: Vec<(String, Word)> =
        (0..cases(SPOILED_TYPED_DATA)).map(|_| case(&mut dice, Some(&mut spoils))).collect();
    let asked: Vec<Value> = drawn.iter().map(|(json, _)| json!({ "json": json })).collect();
    let answers = both("typed_data", &asked);
    let mut taken = std::collections::BTreeMap::<&str, [usize; 3]>::new();
    for (at, ((json, ours), what)) in drawn.iter().zip(&spoils).enumerate() {
        assert!(ours.is_err(), "{what} is taken: {json}");
        let row = taken.entry(what).or_default();
        row[0] += 1;
        row[1] += usize::from(word(&answers[0][at]).is_ok());
        row[2] += usize::from(word(&answers[1][at]).is_ok());
    }
    for (what, [all, ethers, eth_account]) in taken {
        keystead_tests::tell(&format!(
            "    {what}: {all} refused; ethers takes {ethers}, eth-account {eth_account}"
        ));
    }
}

fn case(dice: &mut Dice, spoils: Option<&mut Vec<&'static str>>) -> (String, Word) {
    let chain = 1 + dice.next() % (1 << 40);
    let mut document = Document::draw(dice, chain);
    if let Some(spoils) = spoils {
        spoils.push(document.spoil(dice));
    }
    let json = document.text();
    let read = Unsigned::parse(Address::ZERO, ChainId(chain), Payload::TypedData(json.clone()));
    let digest = read.map(|it| const_hex::encode_prefixed(it.signing_digest().0));
    (json, digest.map_err(|error| error.to_string()))
}

pub(crate) fn word(said: &Value) -> Word {
    match said["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(said["word"].as_str().expect("a digest").to_owned()),
    }
}
