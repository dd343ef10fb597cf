//! Wallets that others share: one signature is ours, theirs make the rest of it, and no other wallet passes for this one.

use super::tests::recorded;
use super::*;
use crate::finalize::tests::{core_accepts, spent_by};
use crate::fixture::{Desk, MULTI, WPKH, change, desk, pay, receive, stranger, with_checksum};
use crate::{Draft, PsbtVersion, shared_wallet};

/// The desk's vault, two of three, of which the first key is ours.
fn vault(desk: &Desk) -> BitcoinWallet {
    shared_wallet(&recorded(desk), &descriptor(desk)).unwrap()
}

fn descriptor(desk: &Desk) -> String {
    desk.wallet.descriptors()[MULTI].1.to_string()
}

fn read(desk: &Desk, psbt: &Psbt) -> Result<Spend, SpendError> {
    Spend::read(&vault(desk), &psbt.to_bytes(PsbtVersion::Zero))
}

/// The signature that one of the three gives for the only input.
fn signature_of(desk: &Desk, spend: &Spend, which: usize) -> SpendSignatures {
    let key = spend.view().digests()[0].keys[which].public;
    let it = desk.sign(spend.view()).into_iter().find(|it| it.key == key).unwrap();
    let signature = SpendSignature { input: 0, key: it.key.serialize(), bytes: it.bytes };
    SpendSignatures { signatures: vec![signature] }
}

fn signed_by(desk: &Desk, psbt: &Psbt, which: usize) -> Psbt {
    let spend = Spend { own: which, ..read(desk, psbt).unwrap() };
    let signatures = signature_of(desk, &spend, which);
    spend.sign_into(&signatures).unwrap()
}

#[test]
fn s07_our_signature_is_a_part_and_one_of_another_makes_the_transaction() {
    let desk = desk();
    let psbt = desk.psbt(&desk.draft(MULTI));
    let spend = read(&desk, &psbt).unwrap();
    let (ours, spent) = (signature_of(&desk, &spend, 0), spent_by(spend.view()));
    let own = spend.own_key(&spend.view().digests()[0]).unwrap().fingerprint;
    assert!(recorded(&desk).cosigner.starts_with(&format!("[{own}/48h/1h/0h/2h]")));
    let Completed::Partly(partly) = spend.complete(&ours).unwrap() else { panic!("a part of it") };
    assert_eq!(partly.inputs()[0].partial_signatures().len(), 1);
    // Whichever of the two others signs then, Bitcoin Core's own rules take it.
    for other in [1, 2] {
        let both = signed_by_stranger(&desk, &partly, other);
        let view = View::read(&both, &desk.wallet, &Terms::default()).unwrap();
        let done = view.finalize(&[]).unwrap();
        assert!(core_accepts(done.transaction(), &spent, 0), "{other}");
    }
    // A co-signer may be first: then ours ends it.
    for other in [1, 2] {
        let first = signed_by(&desk, &psbt, other);
        let spend = read(&desk, &first).unwrap();
        let ours = signature_of(&desk, &spend, 0);
        let Completed::Transaction(done) = spend.complete(&ours).unwrap() else { panic!("all of it") };
        assert!(core_accepts(done.transaction(), &spent, 0), "{other}");
    }
    // One of three is not enough for those rules.
    let alone = partly.transaction().clone();
    assert!(!core_accepts(&alone, &spent, 0));
}

/// What a co-signer's own program does with a PSBT that has ours.
fn signed_by_stranger(desk: &Desk, psbt: &Psbt, which: usize) -> Psbt {
    let view = View::read(psbt, &desk.wallet, &Terms::default()).unwrap();
    let key = view.digests()[0].keys[which].public;
    let theirs: Vec<_> = desk.sign(&view).into_iter().filter(|it| it.key == key).collect();
    view.sign_into(psbt, &theirs).unwrap()
}

#[test]
fn s07_only_one_signature_of_our_key_for_each_input_completes() {
    let desk = desk();
    let psbt = desk.psbt(&desk.draft(MULTI));
    let code = |signatures: &SpendSignatures| {
        let spend = read(&desk, &psbt).unwrap();
        spend.complete(signatures).map(drop).map_err(|error| error.code())
    };
    let spend = read(&desk, &psbt).unwrap();
    let (ours, theirs) = (signature_of(&desk, &spend, 0), signature_of(&desk, &spend, 1));
    assert_eq!(code(&ours), Ok(()));
    assert_eq!(code(&theirs), Err("finalize.foreign_key"));
    assert_eq!(code(&SpendSignatures { signatures: Vec::new() }), Err("finalize.missing"));
    let both = SpendSignatures { signatures: [ours.signatures.clone(), theirs.signatures].concat() };
    assert_eq!(code(&both), Err("finalize.foreign_key"));
    let mut spoiled = ours.clone();
    spoiled.signatures[0].bytes[10] ^= 1;
    assert!(code(&spoiled).is_err());
    // What came along is of others, and good.
    let own = signed_by(&desk, &psbt, 0);
    assert_eq!(read(&desk, &own).unwrap_err().code(), "bitcoin.signed");
    let mut bad = theirs_in(&desk, &psbt);
    bad.signatures[0].bytes = signature_of(&desk, &other_spend(&desk), 1).signatures[0].bytes.clone();
    let key = PublicKey::from_slice(&bad.signatures[0].key).unwrap();
    let wrong = InputSignature { input: 0, key, bytes: bad.signatures[0].bytes.clone() };
    let brought = psbt.with_signature(&wrong, Scheme::Ecdsa).unwrap();
    assert_eq!(read(&desk, &brought).unwrap_err().code(), "finalize.invalid");
}

fn theirs_in(desk: &Desk, psbt: &Psbt) -> SpendSignatures {
    signature_of(desk, &read(desk, psbt).unwrap(), 1)
}

fn other_spend(desk: &Desk) -> Spend {
    let mut draft = desk.draft(MULTI);
    draft.outputs[0].output.value -= bitcoin::Amount::from_sat(1);
    read(desk, &desk.psbt(&draft)).unwrap()
}

/// INVARIANT S2: change is the script of all keys, and the wallet is the text that people registered.
#[test]
fn s02_no_other_wallet_passes_for_the_shared_one() {
    let desk = desk();
    let (own, text) = (recorded(&desk), descriptor(&desk));
    let code = |text: &str| shared_wallet(&own, text).map(drop).map_err(|error| error.code());
    assert_eq!(code(&text), Ok(()));
    let body = text.rsplit_once('#').unwrap().0;
    let keys: Vec<&str> = body["wsh(sortedmulti(2,".len()..body.len() - 2].split(',').collect();
    let with = |threshold: u8, keys: &[&str]| {
        with_checksum(&format!("wsh(sortedmulti({threshold},{}))", keys.join(",")))
    };
    // Without our key; with it in another's place of origin; of our key alone; of another form.
    assert_eq!(code(&with(2, &keys[1..])), Err("account.not_ours"));
    let claimed = keys[1].replace(keys[1].split_once('/').unwrap().0, keys[0].split_once('/').unwrap().0);
    assert_eq!(code(&with(2, &[&claimed, keys[2]])), Err("account.not_ours"));
    assert_eq!(code(&with(1, &keys[..1])), Err("account.not_shared"));
    assert_eq!(code(&own.descriptors[WPKH]), Err("account.not_shared"));
    let marked = with_checksum(&body.replace("48h", "48'"));
    assert_eq!(code(&marked), Err("account.not_shared"), "another spelling");
    let multi = with_checksum(&body.replace("sortedmulti", "multi"));
    assert_eq!(code(&multi), Err("descriptor.form"), "keys that are not sorted");
    // Another order of the same keys has the same coins, and is another wallet to whoever grants.
    let turned = shared_wallet(&own, &with(2, &[keys[1], keys[0], keys[2]])).unwrap();
    let psbt = desk.psbt(&desk.draft(MULTI)).to_bytes(PsbtVersion::Zero);
    let (one, other) = (Spend::read(&vault(&desk), &psbt).unwrap(), Spend::read(&turned, &psbt).unwrap());
    assert_ne!(one.wallet(), other.wallet());
    assert_ne!(one.signing_digest(), other.signing_digest());
    // Another threshold has other scripts.
    let one_of_three = shared_wallet(&own, &with(1, &keys)).unwrap();
    assert_eq!(Spend::read(&one_of_three, &psbt).unwrap_err().code(), "bitcoin.false_input");
    let two_of_two = shared_wallet(&own, &with(2, &keys[..2])).unwrap();
    assert_eq!(Spend::read(&two_of_two, &psbt).unwrap_err().code(), "bitcoin.false_input");
}

#[test]
fn s02_change_to_a_wallet_with_one_key_swapped_is_no_change() {
    let desk = desk();
    // The same place in a wallet whose third key is a stranger's: claimed as ours, and simply paid to.
    let other = crate::fixture::desk_with(9);
    let theirs = other.script(change(MULTI));
    let mut draft = desk.draft(MULTI);
    draft.outputs[1].output.script_pubkey = theirs.clone();
    draft.outputs[1].owned = None;
    let spend = read(&desk, &desk.psbt(&draft)).unwrap();
    let returns =
        |it: &keystead_intent::Effect| matches!(it.kind, Kind::Transfer { to, .. } if to == spend.wallet());
    assert!(!spend.effects().items.iter().any(returns), "a payment like any other");
    let honest = desk.wallet.derive(change(MULTI)).unwrap();
    let claimed =
        desk.psbt(&draft).with_derived_output(1, &honest, crate::Form::WshSortedMulti { threshold: 2 });
    let refused = read(&desk, &claimed.unwrap()).unwrap_err();
    assert_eq!(refused.code(), "bitcoin.foreign_change");
}

#[test]
fn s02_coins_of_the_key_alone_are_none_of_the_shared_wallet() {
    let desk = desk();
    let draft = Draft {
        lock_time: 0,
        inputs: vec![desk.coin(receive(WPKH), 1_000_000)],
        outputs: vec![pay(999_000, stranger())],
    };
    assert_eq!(read(&desk, &desk.psbt(&draft)).unwrap_err().code(), "bitcoin.nothing_of_ours");
}
