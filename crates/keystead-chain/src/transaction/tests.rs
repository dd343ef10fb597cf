//! Every signable form: the examples of the standards, and what is refused.

use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{B256, Bytes, TxKind, address, b256, hex};
use keystead_base::Coded as _;
use keystead_intent::{Action, DangerClass, EffectKind, RawEthereum, Replacement, Slot};
use secp256k1::SecretKey;

use super::*;
use crate::fixture::{ALICE, CHAIN, MALLORY, US, account, registry};
use crate::{assemble, assemble_released, build, explain};

fn raw(preimage: Vec<u8>) -> RawEthereum {
    RawEthereum { account: account(), chain: CHAIN, preimage: preimage.into() }
}

fn code(preimage: Vec<u8>) -> &'static str {
    build(&Action::RawEthereum(raw(preimage)), US).map_or_else(|error| error.code(), |_| "ok")
}

fn signature(secret: [u8; 32], digest: [u8; 32]) -> (Address, B256, B256, bool) {
    let secret = SecretKey::from_byte_array(secret).unwrap();
    let signed = Secp256k1::signing_only().sign_ecdsa_recoverable(Message::from_digest(digest), &secret);
    let (id, bytes) = signed.serialize_compact();
    let (r, s) = (B256::from_slice(&bytes[..32]), B256::from_slice(&bytes[32..]));
    let odd = id == ecdsa::RecoveryId::One;
    let signer = recover(digest, U256::from_be_bytes(r.0), U256::from_be_bytes(s.0), odd).unwrap();
    (signer, r, s, odd)
}

fn legacy() -> TxLegacy {
    TxLegacy {
        chain_id: Some(1),
        nonce: 9,
        gas_price: 20_000_000_000,
        gas_limit: 21_000,
        to: TxKind::Call(Address::repeat_byte(0x35)),
        value: U256::from(1_000_000_000_000_000_000_u64),
        input: Bytes::new(),
    }
}

fn access_list() -> AccessList {
    AccessList(vec![AccessListItem { address: ALICE, storage_keys: vec![B256::repeat_byte(1)] }])
}

fn eip2930() -> TxEip2930 {
    TxEip2930 {
        chain_id: 1,
        nonce: 1,
        gas_price: 5,
        gas_limit: 30_000,
        to: TxKind::Call(ALICE),
        value: U256::from(3),
        access_list: access_list(),
        input: Bytes::new(),
    }
}

fn eip1559() -> TxEip1559 {
    TxEip1559 {
        chain_id: 1,
        nonce: 2,
        gas_limit: 30_000,
        max_fee_per_gas: 10,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(ALICE),
        value: U256::from(3),
        access_list: access_list(),
        input: Bytes::new(),
    }
}

fn eip4844() -> TxEip4844 {
    let mut hash = B256::repeat_byte(9);
    hash[0] = 1;
    TxEip4844 {
        chain_id: 1,
        nonce: 3,
        gas_limit: 30_000,
        max_fee_per_gas: 10,
        max_priority_fee_per_gas: 1,
        to: ALICE,
        value: U256::ZERO,
        access_list: AccessList::default(),
        blob_versioned_hashes: vec![hash, hash],
        max_fee_per_blob_gas: 7,
        input: Bytes::new(),
    }
}

fn eip7702(chain_id: u64) -> TxEip7702 {
    let tuple = eip7702::Authorization { chain_id: U256::from(chain_id), address: MALLORY, nonce: 4 };
    let (_, r, s, odd) = signature([7; 32], tuple.signature_hash().0);
    let (r, s) = (U256::from_be_bytes(r.0), U256::from_be_bytes(s.0));
    let signed = tuple.into_signed(alloy_primitives::Signature::new(r, s, odd));
    TxEip7702 {
        chain_id: 1,
        nonce: 5,
        gas_limit: 60_000,
        max_fee_per_gas: 10,
        max_priority_fee_per_gas: 1,
        to: ALICE,
        value: U256::ZERO,
        access_list: AccessList::default(),
        authorization_list: vec![signed],
        input: Bytes::new(),
    }
}

fn authorization(chain: u64) -> Vec<u8> {
    let tuple = Authorization { chain: ChainId(chain), delegate: MALLORY, nonce: 4 }.to_alloy();
    let mut bytes = vec![AUTHORIZATION_MAGIC];
    tuple.encode(&mut bytes);
    bytes
}

/// One preimage of every form.
pub(crate) fn preimages() -> Vec<Vec<u8>> {
    vec![
        legacy().encoded_for_signing(),
        eip2930().encoded_for_signing(),
        eip1559().encoded_for_signing(),
        eip4844().encoded_for_signing(),
        eip7702(1).encoded_for_signing(),
        authorization(1),
    ]
}

/// The example of EIP-155: preimage, hash and signed transaction.
#[test]
fn the_transaction_of_eip_155() {
    let preimage =
        hex!("ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080");
    assert_eq!(legacy().encoded_for_signing(), preimage);
    let signer = address!("9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F");
    let unsigned = build(&Action::RawEthereum(raw(preimage.to_vec())), signer).unwrap();
    let digest = b256!("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
    assert_eq!(unsigned.signing_digest().0, digest.0);
    let (_, r, s, odd) = signature([0x46; 32], digest.0);
    let assembled = assemble(&unsigned, r, s, odd).unwrap();
    assert_eq!(
        assembled.raw.as_ref(),
        hex!(
            "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080"
            "25a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
            "a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
        )
    );
    assert_eq!(assembled.hash, Some(keccak256(&assembled.raw)));
}

#[test]
fn every_form_builds_and_signs_and_only_from_its_canonical_bytes() {
    for preimage in preimages() {
        let (signer, r, s, odd) = signature([3; 32], keccak256(&preimage).0);
        let unsigned = build(&Action::RawEthereum(raw(preimage.clone())), signer).unwrap();
        assert_eq!(unsigned.signing_preimage(), preimage);
        let assembled = assemble(&unsigned, r, s, odd).unwrap();
        assert!(!assembled.raw.is_empty());
        assert_eq!(assemble_released(&unsigned, r, s, odd), Ok(assembled));
        assert_ne!(code([preimage.as_slice(), &[0]].concat()), "ok");
        assert_ne!(code(preimage[..preimage.len() - 1].to_vec()), "ok");
    }
}

#[test]
fn s08_a_chain_id_is_present_and_is_the_configured_one() {
    for (preimage, expected) in [
        (TxLegacy { chain_id: None, ..legacy() }.encoded_for_signing(), "build.no_chain_id"),
        (TxLegacy { chain_id: Some(2), ..legacy() }.encoded_for_signing(), "build.wrong_chain"),
        (TxEip2930 { chain_id: 0, ..eip2930() }.encoded_for_signing(), "build.wrong_chain"),
        (TxEip1559 { chain_id: 2, ..eip1559() }.encoded_for_signing(), "build.wrong_chain"),
        (TxEip4844 { chain_id: 2, ..eip4844() }.encoded_for_signing(), "build.wrong_chain"),
        (TxEip7702 { chain_id: 2, ..eip7702(1) }.encoded_for_signing(), "build.wrong_chain"),
        (eip7702(0).encoded_for_signing(), "build.wrong_chain"),
        (eip7702(2).encoded_for_signing(), "build.wrong_chain"),
        (authorization(0), "build.wrong_chain"),
        (authorization(2), "build.wrong_chain"),
    ] {
        assert_eq!(code(preimage), expected);
    }
    let zero = Action::RawEthereum(RawEthereum { chain: ChainId(0), ..raw(authorization(0)) });
    assert_eq!(build(&zero, US).unwrap_err().code(), "build.chain_zero");
}

#[test]
fn what_no_chain_takes_is_refused() {
    let mut future = eip4844();
    future.blob_versioned_hashes[0][0] = 2;
    let none = vec![];
    for (preimage, expected) in [
        (TxLegacy { nonce: u64::MAX, ..legacy() }.encoded_for_signing(), "build.nonce"),
        (TxEip1559 { max_priority_fee_per_gas: 11, ..eip1559() }.encoded_for_signing(), "build.tip"),
        (TxEip4844 { blob_versioned_hashes: vec![], ..eip4844() }.encoded_for_signing(), "build.blobs"),
        (future.encoded_for_signing(), "build.blobs"),
        (
            TxEip7702 { authorization_list: none, ..eip7702(1) }.encoded_for_signing(),
            "build.no_authorizations",
        ),
        (vec![], "build.unknown_form"),
        (vec![0x00, 0xc0], "build.unknown_form"),
        (vec![0x19, 0x01], "build.unknown_form"),
        (vec![0x02, 0xc0], "build.rlp"),
        (vec![0x05, 0xc0], "build.rlp"),
    ] {
        assert_eq!(code(preimage), expected);
    }
}

/// One integer with a leading zero, lists where strings belong, a signed transaction: each decodes
/// somewhere and is no preimage.
#[test]
fn s02_no_second_encoding_is_accepted() {
    let preimage = legacy().encoded_for_signing();
    let mut zero = preimage.clone();
    zero[1] = 0x00;
    let mut long = vec![0xf8, preimage[0] - 0xc0];
    long.extend_from_slice(&preimage[1..]);
    let mut tail = preimage.clone();
    *tail.last_mut().unwrap() = 0x01;
    for bad in [zero, long, tail] {
        assert_ne!(code(bad), "ok");
    }
}

#[test]
fn s04_effects_name_the_slot_and_the_most_that_the_network_takes() {
    for (preimage, nonce, fee) in [
        (legacy().encoded_for_signing(), 9, 21_000 * 20_000_000_000_u128),
        (eip2930().encoded_for_signing(), 1, 150_000),
        (eip1559().encoded_for_signing(), 2, 300_000),
        (eip4844().encoded_for_signing(), 3, 300_000 + 2 * 131_072 * 7),
        (eip7702(1).encoded_for_signing(), 5, 600_000),
        (authorization(1), 4, 0),
    ] {
        let effects = explain(&build(&Action::RawEthereum(raw(preimage)), US).unwrap(), &registry());
        assert_eq!(effects.slot, Some(Slot { chain: CHAIN, account: US, nonce }));
        assert_eq!(effects.fee.max, Amount::from(fee));
    }
}

#[test]
fn s10_a_form_with_one_price_may_tip_all_of_it() {
    for (preimage, per_gas, tip) in [
        (legacy().encoded_for_signing(), 20_000_000_000_u64, 20_000_000_000_u64),
        (eip2930().encoded_for_signing(), 5, 5),
        (eip1559().encoded_for_signing(), 10, 1),
        (eip4844().encoded_for_signing(), 10, 1),
        (eip7702(1).encoded_for_signing(), 10, 1),
        (authorization(1), 0, 0),
    ] {
        let effects = explain(&build(&Action::RawEthereum(raw(preimage)), US).unwrap(), &registry());
        assert_eq!(effects.fee.per_gas, Amount::from(per_gas));
        assert_eq!(effects.fee.tip_per_gas, Amount::from(tip));
    }
}

#[test]
fn s09_delegations_and_creations_are_changes_of_control() {
    let effects = |preimage| explain(&build(&Action::RawEthereum(raw(preimage)), US).unwrap(), &registry());
    let (authority, ..) = signature([7; 32], [1; 32]);
    let listed = effects(eip7702(1).encoded_for_signing());
    let expected =
        EffectKind::Delegation { authority: Some(authority), delegate: MALLORY, chain: CHAIN, nonce: 4 };
    assert_eq!((&listed.items[0].kind, &listed.items[1].kind), (&expected, &EffectKind::NoValue));
    assert_eq!(listed.class(), DangerClass::Authority);

    let own = effects(authorization(1));
    let expected = EffectKind::Delegation { authority: Some(US), delegate: MALLORY, chain: CHAIN, nonce: 4 };
    assert_eq!(own.items[0].kind, expected);

    let created = effects(TxEip1559 { to: TxKind::Create, ..eip1559() }.encoded_for_signing());
    assert_eq!(created.class(), DangerClass::Authority);
    assert!(matches!(created.items[0].kind, EffectKind::Transfer { to, .. } if to == US.create(2)));
    assert_eq!(created.items[1].kind, EffectKind::Creation { init_code_hash: keccak256([]) });
}

#[test]
fn a_replacement_is_a_transaction() {
    let replaces = keystead_base::RequestId(keystead_base::Digest([1; 32]));
    let replace = |preimage| Action::Replacement(Replacement { replaces, transaction: raw(preimage) });
    assert!(build(&replace(eip1559().encoded_for_signing()), US).is_ok());
    let refused = build(&replace(authorization(1)), US).unwrap_err();
    assert_eq!(refused.code(), "build.not_a_transaction");
}

#[test]
fn s07_only_the_low_signature_of_the_account_is_put_together() {
    let preimage = eip1559().encoded_for_signing();
    let (signer, r, s, odd) = signature([3; 32], keccak256(&preimage).0);
    let action = Action::RawEthereum(raw(preimage));
    let ours = build(&action, signer).unwrap();
    let theirs = build(&action, US).unwrap();
    let order =
        U256::from_str_radix("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16).unwrap();
    let high = B256::from(order - U256::from_be_bytes(s.0));
    for (unsigned, r, s, odd, code) in [
        (&theirs, r, s, odd, "assemble.signer"),
        (&ours, r, s, !odd, "assemble.signer"),
        (&ours, r, high, !odd, "assemble.high_s"),
        (&ours, B256::ZERO, s, odd, "assemble.range"),
        (&ours, r, B256::ZERO, odd, "assemble.range"),
        (&ours, B256::from(order), s, odd, "assemble.range"),
    ] {
        assert_eq!(assemble(unsigned, r, s, odd).unwrap_err().code(), code);
    }
    assert_eq!(assemble_released(&ours, r, high, !odd).unwrap_err().code(), "assemble.high_s");
    assert!(assemble(&ours, r, s, odd).is_ok());
}
