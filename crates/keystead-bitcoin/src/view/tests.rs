//! Each refusal, with the smallest change that brings it about; without its check the change is signed.

use std::collections::BTreeSet;

use bitcoin::consensus::serialize;
use bitcoin::transaction::Version;
use bitcoin::{Amount, ScriptBuf, Sequence};
use keystead_base::Coded as _;

use super::*;
use crate::fixture::{
    ALL_FORMS, Desk, MULTI, PKH, SH_WPKH, TR, WPKH, at, change, desk, pay, receive, stranger,
};
use crate::psbt::Scope;
use crate::{Branch, Draft};

fn read(desk: &Desk, psbt: &Psbt, terms: &Terms) -> Result<View, Refusal> {
    View::read(psbt, &desk.wallet, terms)
}

/// The refusal of an ordinary draft of a form after a change of the PSBT.
fn refused(form: usize, change: impl Fn(&Desk, Psbt) -> Psbt) -> Refusal {
    let desk = desk();
    let psbt = desk.psbt(&desk.draft(form));
    read(&desk, &psbt, &Terms::default()).unwrap();
    read(&desk, &change(&desk, psbt), &Terms::default()).unwrap_err()
}

/// The refusal of a draft after a change of it.
fn refused_draft(form: usize, change: impl Fn(&Desk, &mut Draft)) -> Refusal {
    let desk = desk();
    let mut draft = desk.draft(form);
    change(&desk, &mut draft);
    read(&desk, &desk.psbt(&draft), &Terms::default()).unwrap_err()
}

const INPUT: Scope = Scope::Input(0);
const NON_WITNESS_UTXO: &[u8] = &[0x00];
const WITNESS_UTXO: &[u8] = &[0x01];

#[test]
fn s02_an_ordinary_payment_of_each_form_is_read() {
    let desk = desk();
    for form in ALL_FORMS {
        let view = desk.view(&desk.draft(form));
        assert_eq!(view.fee_sat(), 1_000);
        assert!(view.is_replaceable());
        let Owner::Ours(ours) = &view.inputs()[0].owner else { panic!("ours") };
        assert_eq!(ours.owned, receive(form));
        assert_eq!(view.outputs()[0].ours, None);
        assert_eq!(view.outputs()[1].ours.as_ref().map(|it| it.2), Some(change(form)));
    }
}

#[test]
fn s02_a_view_is_the_same_from_both_versions() {
    let desk = desk();
    for form in ALL_FORMS {
        let psbt = desk.psbt(&desk.draft(form));
        let view = read(&desk, &psbt, &Terms::default()).unwrap();
        for version in [crate::PsbtVersion::Zero, crate::PsbtVersion::Two] {
            let again = Psbt::parse(&psbt.to_bytes(version)).unwrap();
            assert_eq!(read(&desk, &again, &Terms::default()).as_ref(), Ok(&view));
        }
    }
}

#[test]
fn s02_shapes_that_are_not_understood_are_refused() {
    let empty = refused_draft(WPKH, |_, draft| draft.outputs.clear());
    assert_eq!(empty, Refusal::Empty);
    assert_eq!(refused_draft(WPKH, |_, draft| draft.inputs.clear()), Refusal::Empty);
    let version = |number| {
        refused(WPKH, move |_, it| it.with_transaction(|it| it.version = Version::non_standard(number)))
    };
    assert_eq!(version(3), Refusal::TransactionVersion { found: 3 });
    assert_eq!(version(0), Refusal::TransactionVersion { found: 0 });
    assert_eq!(version(-1), Refusal::TransactionVersion { found: -1 });
    let twice = refused_draft(WPKH, |_, draft| draft.inputs.push(draft.inputs[0].clone()));
    assert_eq!(twice.code(), "bitcoin.duplicate_input");
}

#[test]
fn s02_amounts_that_are_not_proven_are_refused() {
    let missing =
        refused(TR, |_, it| it.edited(INPUT, NON_WITNESS_UTXO, None).edited(INPUT, WITNESS_UTXO, None));
    assert_eq!(missing, Refusal::MissingUtxo { input: 0 });
    let other = refused(WPKH, |desk, it| {
        it.edited(INPUT, NON_WITNESS_UTXO, Some(&serialize(&desk.funding(receive(WPKH), 1_000_001))))
    });
    assert_eq!(other.code(), "bitcoin.previous_transaction");
    let beyond = refused(WPKH, |_, it| it.with_transaction(|it| it.input[0].previous_output.vout = 2));
    assert_eq!(beyond, Refusal::PreviousOutput { input: 0, expected: 2, found: 2 });
    for form in [SH_WPKH, WPKH, TR, MULTI] {
        for (sat, script) in [(999_999, desk().script(receive(form))), (1_000_000, stranger())] {
            let utxo = serialize(&TxOut { value: Amount::from_sat(sat), script_pubkey: script });
            let refusal = refused(form, |_, it| it.edited(INPUT, WITNESS_UTXO, Some(&utxo)));
            let expected = Refusal::ContradictingUtxo { input: 0, expected_sat: 1_000_000, found_sat: sat };
            assert_eq!(refusal, expected);
        }
    }
}

/// The fee attack on BIP-143: two requests, each with a lie about the other input's amount.
#[test]
fn s02_without_the_transaction_before_only_taproot_alone_is_signed() {
    for form in [SH_WPKH, WPKH, MULTI] {
        let refusal = refused(form, |_, it| it.edited(INPUT, NON_WITNESS_UTXO, None));
        assert_eq!(refusal, Refusal::UnprovenAmount { input: 0 });
    }
    let desk = desk();
    let mut draft = desk.draft(TR);
    let bare = |draft: &Draft| desk.psbt(draft).edited(INPUT, NON_WITNESS_UTXO, None);
    let view = read(&desk, &bare(&draft), &Terms::default()).unwrap();
    assert_eq!(view.fee_sat(), 1_000);
    draft.inputs.push(desk.coin(receive(WPKH), 10_000));
    let refusal = read(&desk, &bare(&draft), &Terms::default()).unwrap_err();
    assert_eq!(refusal, Refusal::UnprovenAmount { input: 0 });
}

#[test]
fn s02_inputs_of_others_need_a_permission() {
    let desk = desk();
    let mut draft = desk.draft(WPKH);
    draft.inputs.push(desk.coin(receive(TR), 50_000));
    let full = desk.psbt(&draft);
    // Without its derivation nothing says that the second input is ours.
    let claims = full.inputs()[1].map().kept(Scope::Input(1));
    assert_eq!(claims, []);
    let key = desk.wallet.derive(receive(TR)).unwrap().keys[0].x_only().serialize();
    let psbt = full.edited(Scope::Input(1), &[&[0x16][..], &key].concat(), None);
    let refusal = read(&desk, &psbt, &Terms { max_fee_sat: 60_000, ..Terms::default() }).unwrap_err();
    assert_eq!(refusal, Refusal::ForeignInput { input: 1 });
    let terms = Terms { foreign_inputs: true, max_fee_sat: 60_000, ..Terms::default() };
    let view = read(&desk, &psbt, &terms).unwrap();
    assert!(matches!(view.inputs()[1].owner, Owner::Foreign(_)));
    // A search finds it without a claim.
    let searched = read(&desk, &psbt, &Terms { foreign_inputs: false, search: 4, ..terms }).unwrap();
    assert!(matches!(searched.inputs()[1].owner, Owner::Ours(_)));
    assert_eq!(read(&desk, &psbt, &Terms { foreign_inputs: false, search: 3, ..terms }), Err(refusal));
}

#[test]
fn s02_what_is_not_ours_is_not_signed() {
    let (ours, other) = (desk(), desk());
    let only_tap = vec![other.wallet.descriptors()[TR].clone()];
    let wallet = Wallet::new(Network::Regtest, only_tap).unwrap();
    let psbt = ours.psbt(&ours.draft(WPKH));
    assert_eq!(View::read(&psbt, &wallet, &Terms::default()), Err(Refusal::NothingOfOurs));
}

/// The claim of a key of ours over a script that somebody else spends from: for inputs and for change.
#[test]
fn s02_change_that_claims_to_be_ours_and_is_not_is_refused() {
    for form in ALL_FORMS {
        let name = desk().wallet.descriptors()[form].0.to_string();
        let refusal =
            refused(form, |_, it| it.with_transaction(|it| it.output[1].script_pubkey = stranger()));
        assert_eq!(refusal, Refusal::ForeignChange { output: 1, name });
    }
    // Another index of ours, and a branch that there is not.
    let elsewhere = |desk: &Desk| desk.script(at(WPKH, Branch::Change, 8));
    let refusal =
        refused(WPKH, |desk, it| it.with_transaction(|it| it.output[1].script_pubkey = elsewhere(desk)));
    assert_eq!(refusal.code(), "bitcoin.foreign_change");
}

/// One key of three is another one: whoever compares fingerprints and paths alone sees two of ours.
#[test]
fn s02_change_of_a_multisig_with_one_key_swapped_is_refused() {
    let refusal = refused(MULTI, |desk, it| {
        let text = desk.wallet.descriptors()[MULTI].1.to_string();
        let key = |at: usize| desk.wallet.descriptors()[at].1.keys()[0].to_string();
        let ours = desk.wallet.descriptors()[MULTI].1.keys()[2].to_string();
        let (body, _) = text.rsplit_once('#').unwrap();
        let swapped = crate::fixture::with_checksum(&body.replace(&ours, &key(WPKH)));
        let swapped = crate::Descriptor::parse(&swapped, Network::Regtest).unwrap();
        let script = swapped.derive(change(MULTI).place).unwrap().script_pubkey;
        it.with_transaction(|it| it.output[1].script_pubkey = script)
    });
    assert_eq!(refusal, Refusal::ForeignChange { output: 1, name: "vault".into() });
}

#[test]
fn s02_an_input_that_claims_to_be_ours_and_is_not_is_refused() {
    let desk = desk();
    let draft = desk.draft(WPKH);
    let psbt = desk.psbt(&draft);
    let mut previous = draft.inputs[0].previous.clone();
    previous.output[1].script_pubkey = stranger();
    let psbt = psbt
        .with_transaction(|it| it.input[0].previous_output.txid = previous.compute_txid())
        .edited(INPUT, NON_WITNESS_UTXO, Some(&serialize(&previous)))
        .edited(INPUT, WITNESS_UTXO, None);
    let refusal = read(&desk, &psbt, &Terms::default()).unwrap_err();
    assert_eq!(refusal, Refusal::FalseInput { input: 0, name: "hot".into() });
}

#[test]
fn s02_change_that_no_wallet_would_find_is_refused() {
    let far = |index| {
        refused_draft(WPKH, move |desk, draft| {
            draft.outputs[1] = desk.back(399_000, at(WPKH, Branch::Change, index))
        })
    };
    assert_eq!(far(100_001), Refusal::FarChange { output: 1, limit: 100_000, found: 100_001 });
    let desk = desk();
    let mut draft = desk.draft(WPKH);
    draft.outputs[1] = desk.back(399_000, at(WPKH, Branch::Change, 100_000));
    assert!(read(&desk, &desk.psbt(&draft), &Terms::default()).is_ok());
}

#[test]
fn s02_a_script_that_is_not_the_one_behind_the_hash_is_refused() {
    for (form, number, field) in [
        (SH_WPKH, 0x04, "REDEEM_SCRIPT"),
        (WPKH, 0x04, "REDEEM_SCRIPT"),
        (MULTI, 0x05, "WITNESS_SCRIPT"),
        (TR, 0x05, "WITNESS_SCRIPT"),
    ] {
        let refusal = refused(form, |_, it| it.edited(INPUT, &[number], Some(stranger().as_bytes())));
        assert_eq!(refusal, Refusal::ContradictingScript { input: 0, field });
    }
}

/// The x coordinate of the curve's generator is a key, and none of ours (SEC 2, section 2.4.1).
#[test]
fn s02_an_internal_key_that_is_not_ours_is_refused() {
    let generator =
        const_hex::decode("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798").unwrap();
    for form in [WPKH, TR] {
        let refusal = refused(form, |_, it| it.edited(INPUT, &[0x17], Some(&generator)));
        assert_eq!(refusal, Refusal::ContradictingScript { input: 0, field: "TAP_INTERNAL_KEY" });
    }
}

#[test]
fn s02_a_sighash_that_leaves_something_open_is_refused() {
    for form in ALL_FORMS {
        for found in [0x02_u32, 0x03, 0x81, 0x82, 0x83, 0x04, 0x101, u32::MAX] {
            let refusal = refused(form, |_, it| it.edited(INPUT, &[0x03], Some(&found.to_le_bytes())));
            assert_eq!(refusal, Refusal::Sighash { input: 0, found });
        }
        let desk = desk();
        let psbt = desk.psbt(&desk.draft(form));
        let with = |kind: u32| psbt.edited(INPUT, &[0x03], Some(&kind.to_le_bytes()));
        let all = read(&desk, &with(1), &Terms::default()).unwrap();
        assert_eq!(all.inputs()[0].sighash, Sighash::All);
        let zero = read(&desk, &with(0), &Terms::default());
        match form {
            TR => assert_eq!(zero.unwrap().inputs()[0].sighash, Sighash::Default),
            _ => assert_eq!(zero, Err(Refusal::Sighash { input: 0, found: 0 })),
        }
    }
}

#[test]
fn s02_a_taproot_script_path_is_refused() {
    let leaf = [&[0x15_u8][..], &[0xc0], &[2; 32]].concat();
    let signature = [&[0x14_u8][..], &[2; 64]].concat();
    for (key, value) in [(&[0x18_u8][..], vec![7; 32]), (&leaf, vec![0x51, 0xc0]), (&signature, vec![7; 64])]
    {
        let refusal = refused(TR, |_, it| it.edited(INPUT, key, Some(&value)));
        assert_eq!(refusal, Refusal::ScriptPath { input: 0 });
    }
    // A key of ours in a leaf.
    let key = [&[0x16_u8][..], &[2; 32]].concat();
    let value = [&[1_u8][..], &[7; 32], &[0; 4]].concat();
    let refusal = refused(TR, |_, it| it.edited(INPUT, &key, Some(&value)));
    assert_eq!(refusal, Refusal::ScriptPath { input: 0 });
}

#[test]
fn s02_what_is_final_or_signed_by_strangers_is_refused() {
    for form in ALL_FORMS {
        let refusal = refused(form, |_, it| it.edited(INPUT, &[0x07], Some(&[0x51])));
        assert_eq!(refusal, Refusal::AlreadyFinal { input: 0 });
        let refusal = refused(form, |_, it| it.edited(INPUT, &[0x08], Some(&[1, 1, 0x51])));
        assert_eq!(refusal, Refusal::AlreadyFinal { input: 0 });
        let stranger =
            [&[0x02_u8][..], &desk().wallet.derive(change(form)).unwrap().keys[0].public.serialize()]
                .concat();
        let refusal = refused(form, |_, it| it.edited(INPUT, &stranger, Some(&[1; 71])));
        assert_eq!(refusal, Refusal::ForeignSignature { input: 0 });
    }
    for form in [PKH, SH_WPKH, WPKH, MULTI] {
        let refusal = refused(form, |_, it| it.edited(INPUT, &[0x13], Some(&[1; 64])));
        assert_eq!(refusal, Refusal::ForeignSignature { input: 0 });
    }
}

#[test]
fn s02_sums_that_cannot_be_are_refused() {
    let more = refused_draft(WPKH, |_, draft| draft.outputs.push(pay(1_001, stranger())));
    assert_eq!(more, Refusal::NegativeFee { inputs_sat: 1_000_000, outputs_sat: 1_000_001 });
    let all_coins = 21_000_000 * 100_000_000;
    let too_much = |sat| refused_draft(WPKH, move |_, draft| draft.outputs.push(pay(sat, stranger())));
    assert_eq!(too_much(all_coins + 1), Refusal::Overflow);
    assert_eq!(too_much(all_coins), Refusal::Overflow);
    assert_eq!(too_much(u64::MAX), Refusal::Overflow);
    let rich = refused_draft(WPKH, |desk, draft| draft.inputs.push(desk.coin(receive(TR), all_coins)));
    assert_eq!(rich, Refusal::Overflow);
}

#[test]
fn s02_an_absurd_fee_or_rate_is_refused() {
    let desk = desk();
    let mut draft = desk.draft(WPKH);
    let view = desk.view(&draft);
    let fee = |draft: &Draft, terms: &Terms| read(&desk, &desk.psbt(draft), terms);
    let exact = Terms { max_fee_sat: 1_000, ..Terms::default() };
    assert!(fee(&draft, &exact).is_ok());
    let less = Terms { max_fee_sat: 999, ..Terms::default() };
    assert_eq!(fee(&draft, &less), Err(Refusal::AbsurdFee { limit: 999, found: 1_000 }));
    let vbytes = view.virtual_bytes();
    draft.outputs[1].output.value = Amount::from_sat(400_000 - 2 * vbytes);
    let two = Terms { max_rate_sat_per_vbyte: 2, ..Terms::default() };
    assert!(fee(&draft, &two).is_ok());
    draft.outputs[1].output.value -= Amount::from_sat(1);
    let refusal = Refusal::AbsurdRate { limit: 2, found: 2 * vbytes + 1, vbytes };
    assert_eq!(fee(&draft, &two), Err(refusal));
    let forgotten = refused_draft(WPKH, |_, draft| drop(draft.outputs.pop()));
    assert_eq!(forgotten.code(), "bitcoin.absurd_rate");
    let rich = refused_draft(WPKH, |desk, draft| draft.inputs.push(desk.coin(receive(TR), 1_000_001)));
    assert_eq!(rich, Refusal::AbsurdFee { limit: 1_000_000, found: 1_001_001 });
}

/// Bitcoin Core's thresholds at 3 sat/vB, as its functional tests have them.
#[test]
fn s02_dust_is_refused_by_the_kind_of_script() {
    let desk = desk();
    for (form, limit) in [(PKH, 546), (SH_WPKH, 540), (WPKH, 294), (TR, 330), (MULTI, 330)] {
        let script = desk.script(at(form, Branch::Receive, 0));
        let dust = refused_draft(WPKH, |_, draft| draft.outputs[0] = pay(limit - 1, script.clone()));
        assert_eq!(dust, Refusal::Dust { output: 0, limit, found: limit - 1 });
        let mut draft = desk.draft(WPKH);
        draft.outputs.push(pay(limit, script));
        assert!(read(&desk, &desk.psbt(&draft), &Terms::default()).is_ok());
    }
    let data = ScriptBuf::new_op_return([7; 20]);
    let burn = refused_draft(WPKH, |_, draft| draft.outputs.push(pay(1, data.clone())));
    assert_eq!(burn, Refusal::Burn { output: 2, found: 1 });
    let mut draft = desk.draft(WPKH);
    draft.outputs.push(pay(0, data));
    assert!(read(&desk, &desk.psbt(&draft), &Terms::default()).is_ok());
}

#[test]
fn s02_what_is_good_only_later_is_refused() {
    let locked = |found| refused_draft(WPKH, move |_, draft| draft.lock_time = found);
    assert_eq!(locked(1), Refusal::LockTime { limit: 0, found: 1 });
    assert_eq!(locked(499_999_999), Refusal::LockTime { limit: 0, found: 499_999_999 });
    assert_eq!(locked(500_000_000), Refusal::LockTime { limit: 0, found: 500_000_000 });
    let desk = desk();
    let at_height = |height| Terms { lock_time_height: height, ..Terms::default() };
    let mut draft = desk.draft(WPKH);
    draft.lock_time = 800_000;
    assert!(read(&desk, &desk.psbt(&draft), &at_height(800_000)).is_ok());
    let refusal = Refusal::LockTime { limit: 799_999, found: 800_000 };
    assert_eq!(read(&desk, &desk.psbt(&draft), &at_height(799_999)), Err(refusal));
    // Where every sequence is final, the lock time says nothing (BIP-65, "Motivation").
    draft.inputs[0].sequence = Sequence::MAX;
    assert!(read(&desk, &desk.psbt(&draft), &Terms::default()).is_ok());
    let time = Terms { lock_time_seconds: 1_700_000_000, ..Terms::default() };
    draft.inputs[0].sequence = Sequence::ENABLE_LOCKTIME_NO_RBF;
    draft.lock_time = 1_700_000_000;
    assert!(read(&desk, &desk.psbt(&draft), &time).is_ok());
}

#[test]
fn s02_a_relative_lock_needs_a_permission() {
    for found in [0_u32, 1, 144, 0x0040_0001, 0x7fff_ffff] {
        let refusal = refused_draft(WPKH, |_, draft| draft.inputs[0].sequence = Sequence(found));
        assert_eq!(refusal, Refusal::RelativeLock { input: 0, found });
        let desk = desk();
        let mut draft = desk.draft(WPKH);
        draft.inputs[0].sequence = Sequence(found);
        let psbt = desk.psbt(&draft);
        assert!(read(&desk, &psbt, &Terms { relative_locks: true, ..Terms::default() }).is_ok());
        // Before version 2 a sequence locks nothing (BIP-68).
        let old = psbt.with_transaction(|it| it.version = Version::ONE);
        assert!(read(&desk, &old, &Terms::default()).is_ok());
    }
}

#[test]
fn s02_a_transaction_that_no_node_relays_is_refused() {
    let heavy = refused_draft(WPKH, |_, draft| {
        let many =
            (0..2_400).map(|_| pay(330, ScriptBuf::from_bytes([&[0x51, 0x20][..], &[2; 32]].concat())));
        draft.outputs = many.collect();
    });
    assert_eq!(heavy.code(), "bitcoin.weight");
}

/// Everything that a refusal says has a code of its own.
#[test]
fn s02_codes_are_distinct() {
    let text = include_str!("../refusal.rs");
    let codes: Vec<&str> = text.split('"').filter(|it| it.starts_with("bitcoin.")).collect();
    assert_eq!(codes.len(), 27);
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
}
