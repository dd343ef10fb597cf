//! Whose signatures are in a transaction that takes coins of a shared wallet.

use bitcoin::Witness;

use super::*;
use crate::fixture::{Desk, MULTI, WPKH, desk, receive};
use crate::spend::tests::recorded;
use crate::{InputSignature, PsbtVersion, shared_wallet};

/// The transaction that two of the three make; the first key is ours.
fn signed(desk: &Desk, who: [usize; 2]) -> Transaction {
    let view = desk.view(&desk.draft(MULTI));
    let keys = view.digests()[0].keys.clone();
    let by = |it: &InputSignature| who.iter().any(|at| keys[*at].public == it.key);
    let signatures: Vec<_> = desk.sign(&view).into_iter().filter(by).collect();
    view.finalize(&signatures).unwrap().transaction().clone()
}

#[test]
fn l04_others_are_those_whose_signatures_are_proven_to_be_theirs() {
    let desk = desk();
    let vault = shared_wallet(&recorded(&desk), &desk.wallet.descriptors()[MULTI].1.to_string()).unwrap();
    let owned = Owned { descriptor: 0, ..receive(MULTI) };
    let by_others = |transaction: &Transaction, sat| is_signed_by_others(&vault, owned, sat, transaction, 0);
    for (who, theirs) in [([1, 2], true), ([0, 1], false), ([0, 2], false)] {
        assert_eq!(by_others(&signed(&desk, who), 1_000_000), theirs, "{who:?}");
    }
    let theirs = signed(&desk, [1, 2]);
    assert!(!by_others(&theirs, 999_999), "another amount is another digest");
    // What is not understood counts as ours: another type of signature, another script, none.
    let witness: Vec<Vec<u8>> = theirs.input[0].witness.to_vec();
    let spoiled = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let (mut other, mut elements) = (theirs.clone(), witness.clone());
        change(&mut elements);
        other.input[0].witness = Witness::from_slice(&elements);
        by_others(&other, 1_000_000)
    };
    assert!(spoiled(&|_| {}));
    assert!(!spoiled(&|it| *it[1].last_mut().unwrap() = 0x04));
    assert!(!spoiled(&|it| it[3][0] ^= 1));
    assert!(!spoiled(&|it| drop(it.drain(1..3))));
    assert!(!spoiled(&|it| it.clear()));
    // The wallet of the key alone has no others.
    let alone = recorded(&desk);
    assert!(!is_signed_by_others(&alone, receive(WPKH), 1_000_000, &theirs, 0));
}

#[test]
fn l04_a_transaction_is_that_of_its_psbt_however_it_is_signed() {
    let desk = desk();
    let bytes = desk.psbt(&desk.draft(MULTI)).to_bytes(PsbtVersion::Zero);
    let one = signed(&desk, [1, 2]);
    assert!(is_of_psbt(&one, &bytes) && is_of_psbt(&signed(&desk, [0, 1]), &bytes));
    let mut other = one.clone();
    other.output[0].value += Amount::from_sat(1);
    assert!(!is_of_psbt(&other, &bytes));
    assert!(!is_of_psbt(&one, b"no psbt"));
}
