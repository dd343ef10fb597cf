//! One account's signature: what policy reads of it, and what becomes of it.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use keystead_base::Coded as _;
use keystead_intent::{Asset, DangerClass, EffectKind, OpaqueReason};

use super::*;
use crate::fixture::*;
use crate::program::TOKEN;
use crate::{Draft, compile, describe, order};

fn read(instructions: Vec<crate::Instruction>) -> Unsigned {
    Unsigned::read(Cluster::Mainnet, US, &message(instructions).to_bytes()).unwrap()
}

#[test]
fn s02_policy_reads_who_gets_what_on_which_cluster() {
    let account = token_account(PAYEE, MINT, TOKEN);
    let unsigned = read(vec![
        order::advance_nonce(NONCE, US),
        order::transfer(US, PAYEE, 7),
        order::create_token_account(&account),
        order::transfer_tokens(&payment(1_500, Some(6)), TOKEN),
    ]);
    let effects = unsigned.effects();
    let id = |key: Pubkey| key.id(Cluster::Mainnet);
    let moves = |asset, amount: u64| EffectKind::Transfer {
        asset,
        from: id(US),
        to: id(PAYEE),
        amount: amount.into(),
    };
    let kinds: Vec<_> = effects.items.iter().map(|it| it.kind.clone()).collect();
    assert_eq!(
        kinds,
        [
            EffectKind::NoValue,
            moves(Asset::Native, 7),
            moves(Asset::Native, 2_039_280),
            moves(Asset::Token(id(MINT)), 1_500),
        ]
    );
    let places: Vec<_> = effects.items.iter().map(|it| (it.path.clone(), it.contract, it.selector)).collect();
    assert_eq!(places[1], (vec![1], None, None), "a plain transfer");
    assert_eq!(places[3], (vec![3], Some(id(TOKEN)), Some([12, 0, 0, 0])));
    assert_eq!(effects.fee.max, 5_000_u64.into());
    assert_eq!(effects.slot, unsigned.explain().nonce().map(|it| it.slot()));
    assert_eq!(effects.chain, keystead_intent::ChainId::SOLANA_MAINNET);
    assert_eq!(effects.class(), unsigned.explain().class());
    let elsewhere = Unsigned::read(Cluster::Devnet, US, &unsigned.message().to_bytes()).unwrap().effects();
    assert_ne!(elsewhere.items[1], effects.items[1], "another cluster, another payee");
    assert_ne!(elsewhere.slot, effects.slot);
}

#[test]
fn s02_what_is_not_understood_says_for_whom_and_why() {
    let unknown =
        crate::Instruction { program: UNKNOWN, accounts: vec![account(US, true, true)], data: vec![1; 9] };
    let effects = read(vec![unknown.clone()]).effects();
    let EffectKind::Opaque { to, data_hash, reason, .. } = &effects.items[0].kind else {
        panic!("understood")
    };
    assert_eq!((*to, *reason), (Some(UNKNOWN.id(Cluster::Mainnet)), OpaqueReason::UnknownSelector));
    assert_eq!(effects.items[0].selector, Some([1; 4]));
    let other = read(vec![crate::Instruction { data: vec![2; 9], ..unknown }]).effects();
    assert!(!matches!(&other.items[0].kind, EffectKind::Opaque { data_hash: it, .. } if it == data_hash));
}

#[test]
fn somebody_elses_fee_is_not_ours() {
    let draft = Draft { payer: OTHER, ..draft(vec![order::transfer(US, PAYEE, 7)]) };
    let bytes = compile(&draft).unwrap().to_bytes();
    let unsigned = Unsigned::read(Cluster::Mainnet, US, &bytes).unwrap();
    assert_eq!(unsigned.effects().fee.max, Amount::ZERO);
    assert_eq!((unsigned.explain().fee.total(), unsigned.explain().others), (10_000, vec![OTHER]));
    assert_eq!(Unsigned::read(Cluster::Mainnet, PAYEE, &bytes).unwrap_err().code(), "solana.not_a_signer");
}

fn pair(byte: u8) -> (Ed25519KeyPair, Pubkey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[byte; 32]).unwrap();
    let key = Pubkey(pair.public_key().as_ref().try_into().unwrap());
    (pair, key)
}

#[test]
fn s07_a_signature_is_verified_before_it_becomes_a_transaction() {
    let ((us, our_key), (other, other_key)) = (pair(1), pair(2));
    let orders = vec![order::transfer(our_key, PAYEE, 7), order::transfer(other_key, PAYEE, 8)];
    let draft = Draft { payer: our_key, ..draft(orders) };
    let bytes = compile(&draft).unwrap().to_bytes();
    let unsigned = Unsigned::read(Cluster::Localnet, our_key, &bytes).unwrap();
    let sign = |pair: &Ed25519KeyPair, bytes: &[u8]| <[u8; 64]>::try_from(pair.sign(bytes).as_ref()).unwrap();
    let (ours, theirs) = (sign(&us, &bytes), sign(&other, &bytes));
    let done = unsigned.assemble(&[(other_key, theirs), (our_key, ours)]).unwrap();
    assert_eq!(done.raw, [&[2], ours.as_slice(), &theirs, &bytes].concat());
    assert_eq!(done.id, ours);
    assert_eq!(unsigned.verify(&ours), Ok(()));
    let digest = sign(&us, unsigned.signing_digest().as_bytes());
    let mut high = ours;
    high[63] |= 0x80;
    for (signatures, code) in [
        (vec![(our_key, ours)], "solana.signature_missing"),
        (vec![], "solana.signature_missing"),
        (vec![(our_key, theirs), (other_key, theirs)], "solana.signature_invalid"),
        (vec![(our_key, digest), (other_key, theirs)], "solana.signature_invalid"),
        (vec![(our_key, high), (other_key, theirs)], "solana.signature_invalid"),
        (vec![(our_key, [0; 64]), (other_key, theirs)], "solana.signature_invalid"),
        (vec![(our_key, ours), (our_key, ours), (other_key, theirs)], "solana.signature_twice"),
        (vec![(our_key, ours), (other_key, theirs), (PAYEE, ours)], "solana.signature_foreign"),
    ] {
        assert_eq!(unsigned.assemble(&signatures).unwrap_err().code(), code);
    }
}

#[test]
fn words_say_the_worst_first_and_what_the_bytes_do_not() {
    let unknown = crate::Instruction { program: UNKNOWN, accounts: Vec::new(), data: vec![1] };
    let effects = read(vec![order::transfer(US, PAYEE, 1_500_000_001), unknown]).explain();
    let names = |key| (key == PAYEE).then(|| "payee".to_owned());
    let lines: Vec<String> = describe(&effects, &names).iter().map(ToString::to_string).collect();
    assert!(lines[0].starts_with("NOT UNDERSTOOD"), "{lines:?}");
    assert!(lines[1].contains("that nobody here understands (no known function is called)"), "{lines:?}");
    assert!(lines[2].starts_with("Sends 1.500000001 SOL from OURSELVES"), "{lines:?}");
    assert!(lines[2].ends_with(&format!("to payee ({PAYEE})")), "{lines:?}");
    assert!(
        lines[3].starts_with("Fee 0.000005000 SOL at most, we pay: 5000 lamports for 1 signatures"),
        "{lines:?}"
    );
    assert!(lines.last().unwrap().contains("the bytes say of no cluster"), "{lines:?}");
    let durable = read(vec![order::advance_nonce(NONCE, US), order::transfer(US, PAYEE, 1)]).explain();
    assert!(describe(&durable, &names).iter().any(|it| it.text.starts_with("GOOD AT ANY TIME")));
    assert_eq!(durable.class(), DangerClass::Transfer);
}
