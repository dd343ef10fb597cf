//! A transfer signed by two of three holders of an Ed25519 threshold key: read, decided on, signed, joined, and verified by
//! libraries that took no part in it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test panics to fail")]

#[path = "../../keystead-threshold/tests/net/mod.rs"]
mod net;

use std::collections::BTreeMap;

use keystead_base::{Coded as _, Name};
use keystead_solana::{Cluster, Draft, EffectKind, Pubkey, Unsigned, Version, compile, order};
use keystead_threshold::{Ed25519, Generate, KeyShare, Purpose, Scheme, Sign, Signature};
use net::{Fate, holders, honest, names, session};
use solana_transaction::versioned::VersionedTransaction;

type Shares = BTreeMap<Name, KeyShare>;

fn born(seed: u64) -> (Shares, Pubkey) {
    let session = session(Scheme::Ed25519Frost, 1, holders(2, "a b c"), Purpose::Generate, seed);
    let shares = honest(seed, &session, |_| Generate::<Ed25519>::new());
    let key = shares.values().next().unwrap().public().key.clone();
    (shares, Pubkey(key.try_into().unwrap()))
}

/// The session names the digest that people agree to and the log grants; the machine holds the message against it.
fn sign(shares: &Shares, unsigned: &Unsigned, message: &[u8], signers: &str) -> Option<Signature> {
    let any = shares.values().next().unwrap();
    let purpose = Purpose::Sign { signers: names(signers), digest: unsigned.signing_digest(), path: vec![] };
    let session = session(Scheme::Ed25519Frost, any.epoch(), any.public().holders.clone(), purpose, 1);
    let again = |me: &Name| KeyShare::from_secret(&shares[me].to_secret()).unwrap();
    let mut net = net::net(7, &session, |me| Sign::<Ed25519>::new(again(me), message.to_vec()));
    net.run(|_, delivery, _| Fate::Deliver(delivery));
    net.endings.into_values().map(|it| it.ok().map(|(_, signature)| signature)).next().flatten()
}

fn transfer(payer: Pubkey, version: Version, lamports: u64) -> Unsigned {
    let instructions = vec![order::transfer(payer, Pubkey([2; 32]), lamports)];
    let bytes = compile(&Draft { version, payer, blockhash: [9; 32], instructions }).unwrap().to_bytes();
    Unsigned::read(Cluster::Devnet, payer, &bytes).unwrap()
}

#[test]
fn s07_two_of_three_sign_a_transfer_that_other_libraries_take() {
    let (shares, key) = born(1);
    for (version, signers) in [(Version::Legacy, "a b"), (Version::Zero, "b c"), (Version::Zero, "a b c")] {
        let unsigned = transfer(key, version, 1_000_000);
        let moved = EffectKind::Coins { from: key, to: Pubkey([2; 32]), wallet: None, lamports: 1_000_000 };
        assert_eq!(unsigned.explain().items[0].kind, moved);
        let message = unsigned.message().to_bytes();
        let signature = sign(&shares, &unsigned, &message, signers).unwrap().0;
        let done = unsigned.assemble(&[(key, signature)]).unwrap();

        let theirs: VersionedTransaction = wincode::deserialize_exact(&done.raw).unwrap();
        theirs.sanitize().unwrap();
        assert_eq!(theirs.message.serialize(), message, "their message is what was signed");
        assert_eq!(theirs.signatures[0].as_ref(), signature);
        assert_eq!(wincode::serialize(&theirs).unwrap(), done.raw);
        // As validators verify: no small order, no other encoding.
        let verifier = ed25519_dalek::VerifyingKey::from_bytes(&key.0).unwrap();
        let parsed = ed25519_dalek::Signature::from_bytes(&signature);
        verifier.verify_strict(&theirs.message.serialize(), &parsed).unwrap();
    }
}

#[test]
fn s02_holders_sign_no_other_message_than_the_granted_one() {
    let (shares, key) = born(2);
    let (granted, other) = (transfer(key, Version::Zero, 1), transfer(key, Version::Zero, 2));
    assert_eq!(sign(&shares, &granted, &other.message().to_bytes(), "a b"), None);
    let signature = sign(&shares, &granted, &granted.message().to_bytes(), "a b").unwrap().0;
    assert_eq!(granted.verify(&signature), Ok(()));
    assert_eq!(other.assemble(&[(key, signature)]).unwrap_err().code(), "solana.signature_invalid");
}
