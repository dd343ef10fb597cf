//! Coins in common, and the rules by which one transaction takes another's place.

use bitcoin::Sequence;
use keystead_base::Coded as _;

use super::*;
use crate::fixture::{Desk, TR, WPKH, desk, receive};

/// A draft of two coins with this much change.
fn paying(desk: &Desk, coins: &[u64], back: u64) -> View {
    let mut draft = desk.draft(WPKH);
    draft.inputs = coins.iter().map(|sat| desk.coin(receive(WPKH), *sat)).collect();
    draft.outputs[1].output.value = bitcoin::Amount::from_sat(back);
    desk.view(&draft)
}

#[test]
fn s04_two_transactions_with_a_coin_in_common_exclude_each_other() {
    let desk = desk();
    let spends = |coins: &[u64], back| Spends::of(&paying(&desk, coins, back));
    let (one, other) = (spends(&[900_010], 299_000), spends(&[900_020], 299_000));
    let both = spends(&[900_010, 900_020], 1_199_000);
    assert!(one.conflicts_with(&both) && both.conflicts_with(&one) && both.conflicts_with(&other));
    assert!(!one.conflicts_with(&other));
    assert!(one.conflicts_with(&one));
    let elsewhere = Spends { network: Network::Signet, ..one.clone() };
    assert!(!one.conflicts_with(&elsewhere), "another network's coins are others");
    assert_ne!(one.digest(), elsewhere.digest());
}

#[test]
fn s04_a_set_of_coins_has_one_digest() {
    let desk = desk();
    let forward = Spends::of(&paying(&desk, &[900_010, 900_020], 1_199_000));
    let backward = Spends::of(&paying(&desk, &[900_020, 900_010], 1_199_500));
    assert_eq!(forward.digest(), backward.digest());
    assert_eq!(Spends::from_document(&forward.to_document()).as_ref(), Ok(&forward));
    // The same coins in another order are no document.
    let mut document = forward.to_document();
    let coins = document.len() - 72;
    document[coins..].rotate_left(36);
    assert!(Spends::from_document(&document).is_err());
}

/// The vectors that the second implementation in `specs/` recomputes.
#[test]
fn s04_the_vectors_of_the_specification() {
    let text = include_str!("../../../../specs/vectors/bitcoin.json");
    let vectors: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let document = const_hex::decode(vector["document"].as_str().unwrap()).unwrap();
        let spends = Spends::from_document(&document).unwrap();
        assert_eq!(serde_json::to_value(&spends).unwrap(), vector["json"], "{}", vector["name"]);
        assert_eq!(spends.digest().to_string(), vector["digest"].as_str().unwrap());
        assert!(Spends::from_document(&document[..document.len() - 1]).is_err());
    }
}

#[test]
fn s04_rules_of_replacement() {
    let desk = desk();
    let original = paying(&desk, &[1_000_000], 399_000);
    let size = original.virtual_bytes();
    let replaced = |back| check_replacement(&original, &paying(&desk, &[1_000_000], back), 1_000);
    assert_eq!(replaced(399_000 - size), Ok(Replacement { added: Vec::new(), extra_fee_sat: size }));
    let little = NotReplacing::Bandwidth { expected: size, found: size - 1 };
    assert_eq!(replaced(399_000 - size + 1), Err(little));
    assert_eq!(replaced(399_001), Err(NotReplacing::LowerFee { expected: 1_000, found: 999 }));
    let apart = check_replacement(&original, &paying(&desk, &[1_000_001], 300_000), 1_000);
    assert_eq!(apart, Err(NotReplacing::NoConflict));

    let with = paying(&desk, &[1_000_000, 900_010], 1_290_000);
    let accepted = check_replacement(&original, &with, 1_000).unwrap();
    assert_eq!(accepted.extra_fee_sat, 9_010);
    assert_eq!(accepted.added, [coin_at(with.inputs()[1].outpoint)]);
    // More fee, and less for each byte.
    let larger = paying(&desk, &[1_000_000, 900_010, 900_020, 900_030], 3_098_560);
    assert!(larger.fee_sat() > original.fee_sat());
    assert_eq!(check_replacement(&original, &larger, 0), Err(NotReplacing::LowerRate));

    let mut draft = desk.draft(TR);
    draft.inputs[0].sequence = Sequence::ENABLE_LOCKTIME_NO_RBF;
    let settled = desk.view(&draft);
    assert!(!settled.is_replaceable());
    draft.outputs[1].output.value -= bitcoin::Amount::from_sat(10_000);
    let refused = check_replacement(&settled, &desk.view(&draft), 1_000).unwrap_err();
    assert_eq!(refused.code(), "replacement.not_signaled");
}
