//! Signatures of all forms make transactions that Bitcoin Core's own rules accept; every twin is refused by them.

use bitcoin::transaction::Version;
use bitcoin::{Amount, Sequence, TxIn, TxOut, absolute};
use bitcoinconsensus::Utxo;
use keystead_base::Coded as _;

use super::*;
use crate::fixture::{ALL_FORMS, Desk, MULTI, PKH, TR, WPKH, change, desk, pay, receive, stranger};
use crate::{Draft, PsbtVersion, Terms};

/// All forms in one transaction, and one of each alone.
fn drafts(desk: &Desk) -> Vec<Draft> {
    let alone = ALL_FORMS.iter().map(|form| desk.draft(*form));
    let inputs = ALL_FORMS.iter().map(|form| desk.coin(receive(*form), 1_000_000)).collect();
    let outputs = vec![pay(4_000_000, stranger()), desk.back(995_000, change(MULTI))];
    alone.chain([Draft { lock_time: 0, inputs, outputs }]).collect()
}

#[test]
fn s07_every_form_is_signed_and_finalized() {
    let desk = desk();
    for draft in drafts(&desk) {
        let view = desk.view(&draft);
        let (most, unsigned) = (view.weight(), view.transaction().clone());
        // Each ECDSA signature is at most two bytes shorter than the most, in a legacy input four times that.
        let slack = u64::try_from(view.inputs().len()).unwrap() * 16;
        let signatures = desk.sign(&view);
        let done = view.finalize(&signatures).unwrap();
        let weight = done.transaction().weight().to_wu();
        assert!(weight <= most && most - weight <= slack, "{weight} {most}");
        let mut bare = done.transaction().clone();
        bare.input.iter_mut().for_each(|it| (it.script_sig, it.witness) = Default::default());
        assert_eq!(bare, unsigned, "nothing but signatures is added");
    }
}

/// What Bitcoin Core's consensus code says about an input.
pub(crate) fn core_accepts(transaction: &Transaction, spent: &[TxOut], input: usize) -> bool {
    let utxos: Vec<Utxo> = spent.iter().map(utxo).collect();
    let bytes = bitcoin::consensus::serialize(transaction);
    let (script, sat) = (spent[input].script_pubkey.as_bytes(), spent[input].value.to_sat());
    bitcoinconsensus::verify(script, sat, &bytes, Some(&utxos), input).is_ok()
}

/// The outputs that a view spends.
pub(crate) fn spent_by(view: &View) -> Vec<TxOut> {
    view.inputs().iter().map(|it| it.spent.clone()).collect()
}

fn utxo(output: &TxOut) -> Utxo {
    let script = output.script_pubkey.as_bytes();
    Utxo {
        script_pubkey: script.as_ptr(),
        script_pubkey_len: u32::try_from(script.len()).unwrap(),
        value: i64::try_from(output.value.to_sat()).unwrap(),
    }
}

#[test]
fn s07_bitcoin_cores_own_rules_accept_what_is_signed_and_refuse_its_twins() {
    let desk = desk();
    for draft in drafts(&desk) {
        let view = desk.view(&draft);
        let done = desk.view(&draft).finalize(&desk.sign(&view)).unwrap().transaction().clone();
        let spent: Vec<TxOut> = view.inputs().iter().map(|it| it.spent.clone()).collect();
        let changed = |change: &dyn Fn(&mut Transaction)| {
            let mut twin = done.clone();
            change(&mut twin);
            twin
        };
        for (input, it) in view.inputs().iter().enumerate() {
            let Owner::Ours(ours) = &it.owner else { panic!("ours") };
            assert!(core_accepts(&done, &spent, input), "{:?}", ours.form);
            let twins = [
                changed(&|it| it.output[0].value += Amount::from_sat(1)),
                changed(&|it| it.output[0].script_pubkey = desk.script(change(PKH))),
                changed(&|it| drop(it.output.pop())),
                changed(&|it| it.input[input].sequence = Sequence::MAX),
                changed(&|it| it.lock_time = absolute::LockTime::from_consensus(1)),
                changed(&|it| it.version = Version::ONE),
                changed(&|it| spoil(&mut it.input[input])),
            ];
            for twin in twins {
                assert!(!core_accepts(&twin, &spent, input), "{:?}", ours.form);
            }
            let mut more = spent.clone();
            more[input].value += Amount::from_sat(1);
            // What every signature from before BIP-143 leaves open, and why the transaction before is asked for.
            assert_eq!(core_accepts(&done, &more, input), ours.form == Form::Pkh);
        }
    }
}

/// Flips a bit of the first signature.
fn spoil(txin: &mut TxIn) {
    if txin.witness.is_empty() {
        let mut bytes = txin.script_sig.to_bytes();
        bytes[20] ^= 1;
        txin.script_sig = ScriptBuf::from_bytes(bytes);
        return;
    }
    let mut elements = txin.witness.to_vec();
    let signature = elements.iter_mut().find(|it| !it.is_empty()).unwrap();
    signature[20] ^= 1;
    txin.witness = Witness::from_slice(&elements);
}

#[test]
fn s07_co_signers_add_theirs_one_after_the_other() {
    let desk = desk();
    let psbt = desk.psbt(&desk.draft(MULTI));
    let read = |psbt: &Psbt| View::read(psbt, &desk.wallet, &Terms::default()).unwrap();
    let view = read(&psbt);
    let all = desk.sign(&view);
    assert_eq!(all.len(), 3);
    let missing = FinalizeError::Missing { input: 0, expected: 2, found: 1 };
    assert_eq!(read(&psbt).finalize(&all[..1]), Err(missing.clone()));
    assert_eq!(read(&psbt).finalize(&[all[0].clone(), all[0].clone()]), Err(missing));
    for pair in [[0, 1], [1, 0], [1, 2], [2, 1], [2, 0], [0, 2]] {
        let first = view.sign_into(&psbt, &all[pair[0]..=pair[0]]).unwrap();
        for version in [PsbtVersion::Zero, PsbtVersion::Two] {
            let received = Psbt::parse(&first.to_bytes(version)).unwrap();
            let done = read(&received).finalize(&all[pair[1]..=pair[1]]).unwrap();
            let spent = [view.inputs()[0].spent.clone()];
            assert!(core_accepts(done.transaction(), &spent, 0), "whoever signs first");
            assert_eq!(done, read(&psbt).finalize(&[all[pair[0]].clone(), all[pair[1]].clone()]).unwrap());
        }
    }
    for form in ALL_FORMS {
        let psbt = desk.psbt(&desk.draft(form));
        let view = read(&psbt);
        let signed = view.sign_into(&psbt, &desk.sign(&view)).unwrap();
        assert!(read(&signed).finalize(&[]).is_ok());
    }
}

/// Each signature is held against key and digest before anything is made of it.
#[test]
fn s07_a_signature_that_is_not_what_it_says_is_refused() {
    let desk = desk();
    for form in ALL_FORMS {
        let view = desk.view(&desk.draft(form));
        let good = desk.sign(&view)[0].clone();
        let refused = |change: &dyn Fn(&mut InputSignature)| {
            let mut signature = good.clone();
            change(&mut signature);
            let error = desk.view(&desk.draft(form)).finalize(&[signature.clone()]).unwrap_err();
            let psbt = desk.psbt(&desk.draft(form));
            assert_eq!(view.sign_into(&psbt, &[signature]), Err(error.clone()));
            error.code()
        };
        assert_eq!(refused(&|it| it.input = 1), "finalize.unknown_input");
        let other = desk.wallet.derive(change(form)).unwrap().keys[0].public;
        assert_eq!(refused(&|it| it.key = other), "finalize.foreign_key");
        assert_eq!(refused(&|it| it.bytes[20] ^= 1), "finalize.invalid");
        assert_eq!(refused(&|it| it.bytes.clear()), "finalize.malformed");
        assert_eq!(refused(&|it| it.bytes.insert(0, 0x30)), "finalize.malformed");
        if form != TR {
            for byte in [0x00, 0x02, 0x03, 0x81, 0x41] {
                assert_eq!(refused(&|it| *it.bytes.last_mut().unwrap() = byte), "finalize.sighash");
            }
            assert_eq!(refused(&|it| high_s(&mut it.bytes)), "finalize.high_s");
        }
    }
    // Where DEFAULT is asked for, a byte behind the signature is none of it, even ALL.
    let view = desk.view(&desk.draft(TR));
    let mut signature = desk.sign(&view)[0].clone();
    signature.bytes.push(0x01);
    assert_eq!(view.finalize(&[signature]).unwrap_err().code(), "finalize.malformed");
}

/// The other solution of the same equation, which verifies just as well.
fn high_s(bytes: &mut Vec<u8>) {
    let signature = ecdsa::Signature::from_der(&bytes[..bytes.len() - 1]).unwrap();
    let mut compact = signature.serialize_compact();
    let s = bitcoin::secp256k1::SecretKey::from_slice(&compact[32..]).unwrap().negate();
    compact[32..].copy_from_slice(&s.secret_bytes());
    let high = ecdsa::Signature::from_compact(&compact).unwrap();
    *bytes = [high.serialize_der().as_ref(), &[0x01]].concat();
}

#[test]
fn s07_a_signature_for_one_transaction_is_none_for_another() {
    let desk = desk();
    for form in ALL_FORMS {
        let view = desk.view(&desk.draft(form));
        let signatures = desk.sign(&view);
        let changes: [fn(&mut Draft); 4] = [
            |it| it.outputs[0].output.value += Amount::from_sat(1),
            |it| it.outputs.swap(0, 1),
            |it| it.inputs[0].sequence = Sequence::MAX,
            |it| it.outputs[0].output.script_pubkey = ScriptBuf::new_p2sh(&stranger().script_hash()),
        ];
        for change in changes {
            let mut draft = desk.draft(form);
            change(&mut draft);
            assert_eq!(desk.view(&draft).finalize(&signatures), Err(FinalizeError::Invalid { input: 0 }));
            let psbt = desk.psbt(&draft);
            assert_eq!(view.sign_into(&psbt, &signatures), Err(FinalizeError::OtherTransaction));
        }
    }
    let _ = (PKH, WPKH);
}

#[derive(serde::Deserialize)]
struct Vectors340 {
    vectors: Vec<Vector340>,
}

/// A key that is none has neither message nor signature.
#[derive(serde::Deserialize)]
struct Vector340 {
    name: String,
    key: String,
    message: Option<String>,
    signature: Option<String>,
    valid: bool,
}

/// BIP-340, `test-vectors.csv`: five that verify, eight that do not, and two keys that are none.
#[test]
fn s07_the_vectors_of_bip_340() {
    let text = include_str!("../../vectors/bip340.json");
    let Vectors340 { vectors } = serde_json::from_str(text).unwrap();
    let mut counts = [0; 3];
    for vector in vectors {
        let key = XOnlyPublicKey::from_slice(&const_hex::decode(&vector.key).unwrap());
        let Some((message, signature)) = vector.message.zip(vector.signature) else {
            assert!(key.is_err() && !vector.valid, "{}", vector.name);
            counts[2] += 1;
            continue;
        };
        let digest = Digest(const_hex::decode_to_array(message).unwrap());
        let signature = schnorr::Signature::from_slice(&const_hex::decode(signature).unwrap()).unwrap();
        assert_eq!(is_by(&key.unwrap(), digest, &signature), vector.valid, "{}", vector.name);
        counts[usize::from(!vector.valid)] += 1;
    }
    assert_eq!(counts, [5, 8, 2]);
}
