//! The digests of BIP-143's and BIP-341's own examples.

use bitcoin::consensus::deserialize;
use bitcoin::secp256k1::{Message, PublicKey, XOnlyPublicKey, schnorr};
use bitcoin::{Amount, CompressedPublicKey, ScriptBuf, Transaction};
use serde::Deserialize;

use super::*;
use crate::derive::CURVE;
use crate::finalize::InputSignature;
use crate::fixture::{ALL_FORMS, TR, WPKH, desk, receive, stranger};
use crate::{Derived, FinalizeError, Network};

/// A view of a transaction whose inputs are said to be ours, each with its key and form.
pub(crate) fn view_of(
    transaction: Transaction,
    spent: Vec<TxOut>,
    ours: &[(usize, &str, Form, Sighash)],
) -> View {
    let key = |hex: &str| PublicKey::from_slice(&const_hex::decode(hex).unwrap()).unwrap();
    let inputs = spent.into_iter().zip(&transaction.input).enumerate().map(|(at, (spent, txin))| {
        let found = ours.iter().find(|it| it.0 == at);
        let owner = match found {
            None => Owner::Foreign(Box::default()),
            Some((_, hex, form, _)) => Owner::Ours(Box::new(of_key(&spent, key(hex), *form))),
        };
        let sighash = found.map_or(Sighash::All, |it| it.3);
        ViewInput { outpoint: txin.previous_output, spent, sequence: txin.sequence, sighash, owner }
    });
    let inputs = inputs.collect();
    View {
        network: Network::Mainnet,
        inputs,
        outputs: Vec::new(),
        fee_sat: 0,
        weight: 0,
        kept: Vec::new(),
        transaction,
    }
}

fn of_key(spent: &TxOut, public: PublicKey, form: Form) -> Ours {
    let redeem = ScriptBuf::new_p2wpkh(&CompressedPublicKey(public).wpubkey_hash());
    let derived = Derived {
        script_pubkey: spent.script_pubkey.clone(),
        redeem_script: (form == Form::ShWpkh).then_some(redeem),
        witness_script: None,
        keys: vec![DerivedKey { public, fingerprint: [0; 4].into(), path: Vec::new().into() }],
    };
    Ours { owned: receive(0), name: "vector".into(), form, threshold: 1, derived, signatures: Vec::new() }
}

fn transaction(hex: &str) -> Transaction {
    let bytes = const_hex::decode(hex).unwrap();
    deserialize(&bytes).unwrap()
}

/// BIP-143, "Native P2WPKH" and "P2SH-P2WPKH".
#[test]
fn s02_the_vectors_of_bip_143() {
    let native = transaction(
        "0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffffff\
         ef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206\
         000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42db\
         ee7e4dbe6a21b2d50ce2f0167faa815988ac11000000",
    );
    let nested = transaction(
        "0100000001db6b1b20aa0fd7b23880be2ecbd4a98130974cf4748fb66092ac4d3ceb1a54770100000000feffffff\
         02b8b4eb0b000000001976a914a457b684d7f0d539a46a45bbc043f35b59d0d96388ac0008af2f000000001976a9\
         14fd270b1ee6abcaea97fea7ad0402e8bd8ad6d77c88ac92040000",
    );
    let first = "025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee6357";
    let second = "03ad1d8e89212f0b92c74d23bb710c00662ad1470198ac48c43f7d6f93a2a26873";
    let program = |hex: &str| {
        let key = CompressedPublicKey::from_slice(&const_hex::decode(hex).unwrap()).unwrap();
        ScriptBuf::new_p2wpkh(&key.wpubkey_hash())
    };
    let output = |sat, script_pubkey| TxOut { value: Amount::from_sat(sat), script_pubkey };
    let spent = vec![output(625_000_000, stranger()), output(600_000_000, program(first))];
    let view = view_of(native, spent, &[(1, first, Form::Wpkh, Sighash::All)]);
    let digest = view.digests()[0].digest;
    assert_eq!(digest.to_string(), "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670");
    let bytes = "304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c4518\
                 331561406f90300e8f3358f51928d43c212a8caed02de67eebee01";
    let signature = InputSignature {
        input: 1,
        key: PublicKey::from_slice(&const_hex::decode(first).unwrap()).unwrap(),
        bytes: const_hex::decode(bytes).unwrap(),
    };
    // The signature of the example verifies; what is missing is the other input, which is not ours.
    assert_eq!(view.finalize(&[signature]), Err(FinalizeError::Unfinished { input: 0 }));

    let spent = vec![output(1_000_000_000, ScriptBuf::new_p2sh(&program(second).script_hash()))];
    let view = view_of(nested, spent, &[(0, second, Form::ShWpkh, Sighash::All)]);
    let digest = view.digests()[0].digest;
    assert_eq!(digest.to_string(), "64f3b0f4dd2bb3aa1ce8566d220cc74dda9df97d8490cc81d89d735c92e59fb6");
}

/// BIP-143, "P2SH-P2WSH": six keys of six, of which the first signs with `ALL`.
#[test]
fn s02_the_multisig_vector_of_bip_143() {
    let unsigned = transaction(
        "010000000136641869ca081e70f394c6948e8af409e18b619df2ed74aa106c1ca29787b96e0100000000ffffffff\
         0200e9a435000000001976a914389ffce9cd9ae88dcc0631e88a821ffdbe9bfe2688acc0832f05000000001976a9\
         147480a33f950689af511e6e84c138dbbd3c3ee41588ac00000000",
    );
    let first = "0307b8ae49ac90a048e9b53357a2354b3334e9c8bee813ecb98e99a7e07e8c3ba3";
    let others = [
        "03b28f0c28bfab54554ae8c658ac5c3e0ce6e79ad336331f78c428dd43eea8449b",
        "034b8113d703413d57761b8b9781957b8c0ac1dfe69f492580ca4195f50376ba4a",
        "033400f6afecb833092a9a21cfdf1ed1376e58c5d1f47de74683123987e967a8f4",
        "03a6d48b1131e94ba04d9737d61acdaa1322008af9602b3b14862c07a1789aac16",
        "02d8b661b0b3302ee2f162b09e07a55ad5dfbe673a9f01d9f0c19617681024306b",
    ];
    let keys = others.iter().fold(format!("21{first}"), |keys, key| keys + "21" + key);
    let witness = ScriptBuf::from_hex(&format!("56{keys}56ae")).unwrap();
    let program = ScriptBuf::new_p2wsh(&witness.wscript_hash());
    let script_pubkey = ScriptBuf::new_p2sh(&program.script_hash());
    assert_eq!(script_pubkey.to_hex_string(), "a9149993a429037b5d912407a71c252019287b8d27a587");
    let spent = vec![TxOut { value: Amount::from_sat(987_654_321), script_pubkey }];
    let mut view =
        view_of(unsigned, spent, &[(0, first, Form::WshSortedMulti { threshold: 6 }, Sighash::All)]);
    let Owner::Ours(ours) = &mut view.inputs[0].owner else { panic!("ours") };
    ours.derived.witness_script = Some(witness);
    let digest = view.digests()[0].digest;
    assert_eq!(digest.to_string(), "185c0be5263dce5b4bb50a047973c1b6272bfbd0103a89444597dc40b248ee7c");
}

#[derive(Deserialize)]
struct Wallet341 {
    unsigned: String,
    signed: String,
    spent: Vec<Spent341>,
    inputs: Vec<Input341>,
}

#[derive(Deserialize)]
struct Spent341 {
    script: String,
    sat: u64,
}

#[derive(Deserialize)]
struct Input341 {
    input: usize,
    sighash_type: u8,
    digest: String,
}

/// BIP-341, `keyPathSpending`: nine inputs, of which two are signed as we sign taproot, and two with ECDSA.
#[test]
fn s02_the_wallet_vectors_of_bip_341() {
    let vector: Wallet341 = serde_json::from_str(include_str!("../../vectors/bip341.json")).unwrap();
    let spent = vector.spent.iter().map(|it| TxOut {
        value: Amount::from_sat(it.sat),
        script_pubkey: ScriptBuf::from_hex(&it.script).unwrap(),
    });
    let any = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let witness_key = "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9";
    let ours = [
        (2, any, Form::Pkh, Sighash::All),
        (3, any, Form::Tr, Sighash::All),
        (4, any, Form::Tr, Sighash::Default),
        (5, witness_key, Form::Wpkh, Sighash::All),
    ];
    let view = view_of(transaction(&vector.unsigned), spent.collect(), &ours);
    let digests = view.digests();
    for expected in &vector.inputs {
        let found = digests.iter().find(|it| it.input == expected.input).unwrap();
        assert_eq!(found.digest.to_string(), expected.digest, "input {}", expected.input);
        let byte = if found.sighash == Sighash::All { 1 } else { 0 };
        assert_eq!(byte, expected.sighash_type);
    }
    assert_eq!(vector.inputs.len(), 2);
    let signed = transaction(&vector.signed);
    // The two Schnorr signatures verify under the output keys (BIP-340).
    for expected in &vector.inputs {
        let at = expected.input;
        let key = XOnlyPublicKey::from_slice(&view.inputs()[at].spent.script_pubkey.as_bytes()[2..]).unwrap();
        let signature = schnorr::Signature::from_slice(&signed.input[at].witness[0][..64]).unwrap();
        let digest = digests.iter().find(|it| it.input == at).unwrap().digest;
        assert!(CURVE.verify_schnorr(&signature, &Message::from_digest(digest.0), &key).is_ok());
    }
    // The two ECDSA signatures verify over our digests.
    let script_sig = signed.input[2].script_sig.as_bytes();
    let legacy = &script_sig[1..1 + usize::from(script_sig[0])];
    for (input, key, bytes) in [(2, any, legacy), (5, witness_key, &signed.input[5].witness[0])] {
        let key = PublicKey::from_slice(&const_hex::decode(key).unwrap()).unwrap();
        let digest = digests.iter().find(|it| it.input == input).unwrap();
        assert_eq!(crate::finalize::verify(digest, &key, bytes), Ok(()), "input {input}");
    }
}

/// Why amounts are proven: a lie about one input does not show in the other one's digest, unless it is taproot.
#[test]
fn s02_only_taproot_covers_the_amounts_of_all_inputs() {
    let desk = desk();
    for form in ALL_FORMS {
        let mut draft = desk.draft(form);
        draft.inputs.push(desk.coin(receive(WPKH), 20_000));
        let view = desk.view(&draft);
        let mut lie = desk.view(&draft);
        lie.inputs[1].spent.value += Amount::from_sat(500_000);
        let (true_digests, false_digests) = (view.digests(), lie.digests());
        let same = true_digests[0].digest == false_digests[0].digest;
        assert_eq!(same, form != TR, "form {form}");
        assert_ne!(true_digests[1].digest, false_digests[1].digest, "each input covers its own");
    }
}
