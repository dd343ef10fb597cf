//! Faults that strike a signature of a key in shares after its run verified it: none of them leaves (S7).

use bitcoin::bip32::{DerivationPath, Fingerprint};
use keystead_base::{Digest, Secret, Timestamp};
use keystead_bitcoin::{DerivedKey, Scheme, Sighash, SigningDigest, tap_tweak};
use keystead_decision::Grant;
use keystead_intent::{AccountRef, ChainId, DangerClass};
use keystead_solana::{Cluster, Draft, Pubkey, Unsigned, Version, compile, order};
use keystead_threshold::EcdsaSignature;
use secp256k1::{Message, PublicKey, Secp256k1, SecretKey};

use super::inputs::input_signed;
use super::messages::message_signed;
use super::sharing::signed_by;
use super::{Strict, Struck};
use crate::curve::Curve;
use crate::threshold::Made;

const DIGEST: Digest = Digest([3; 32]);

fn key() -> (SecretKey, PublicKey) {
    let secret = SecretKey::from_byte_array([0x11; 32]).unwrap();
    (secret, PublicKey::from_secret_key(&Secp256k1::new(), &secret))
}

fn ecdsa() -> Made {
    let (secret, public) = key();
    let signature = Secp256k1::new().sign_ecdsa_recoverable(Message::from_digest(DIGEST.0), &secret);
    let (id, rs) = signature.serialize_compact();
    let recovery_id = u8::try_from(i32::from(id)).unwrap();
    let [r, s] = [&rs[..32], &rs[32..]].map(|half| half.try_into().unwrap());
    Made::Ecdsa(EcdsaSignature { r, s, recovery_id, key: public.serialize() })
}

/// The same with one bit flipped at the seam.
fn flipped(made: &Made, at: Struck, bit: usize) -> Made {
    made.struck(&|it, bytes| {
        if it == at {
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    })
}

fn with_bit<const N: usize>(mut bytes: [u8; N], bit: usize) -> [u8; N] {
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

#[test]
fn s07_a_flipped_bit_lets_no_signature_of_shares_leave_for_ethereum() {
    let point: [u8; 64] = key().1.serialize_uncompressed()[1..].try_into().unwrap();
    let released = |made: &Made, digest: &Digest, point: &[u8; 64]| {
        let Made::Ecdsa(made) = made else { panic!("ECDSA") };
        signed_by(point, digest, made).is_some()
    };
    let made = ecdsa();
    assert!(released(&made, &DIGEST, &point), "without a fault it leaves");
    for (at, bits) in [(Struck::Signature, 512), (Struck::RecoveryId, 8)] {
        for bit in 0..bits {
            assert!(!released(&flipped(&made, at, bit), &DIGEST, &point), "{at:?}, bit {bit}");
        }
    }
    for bit in 0..256 {
        assert!(!released(&made, &Digest(with_bit(DIGEST.0, bit)), &point), "digest, bit {bit}");
    }
    for bit in 0..512 {
        assert!(!released(&made, &DIGEST, &with_bit(point, bit)), "point, bit {bit}");
    }
}

#[test]
fn s07_a_flipped_bit_lets_no_signature_of_shares_leave_for_bitcoin() {
    let (secret, public) = key();
    let derived = DerivedKey {
        public: bitcoin::secp256k1::PublicKey::from_slice(&public.serialize()).unwrap(),
        fingerprint: Fingerprint::default(),
        path: DerivationPath::master(),
    };
    let curve = Curve::new(&Secret::new([7; 32]), Strict);
    for (scheme, sighash) in
        [(Scheme::Ecdsa, Sighash::All), (Scheme::Schnorr, Sighash::Default), (Scheme::Schnorr, Sighash::All)]
    {
        let keys = vec![derived.clone()];
        let digest = SigningDigest { input: 0, digest: DIGEST, scheme, sighash, keys };
        let made = match scheme {
            Scheme::Ecdsa => ecdsa(),
            Scheme::Schnorr => {
                let tweak = tap_tweak(derived.x_only());
                let (bytes, _) = curve.schnorr(&secret, &digest, tweak, &Secret::new([5; 32])).unwrap();
                Made::Schnorr(bytes[..64].try_into().unwrap())
            }
        };
        assert!(input_signed(&digest, &made).is_some(), "{scheme:?}, {sighash:?}");
        for bit in 0..512 {
            let struck = flipped(&made, Struck::Signature, bit);
            assert!(input_signed(&digest, &struck).is_none(), "{scheme:?}, {sighash:?}, bit {bit}");
        }
        for bit in 0..256 {
            let struck = SigningDigest { digest: Digest(with_bit(DIGEST.0, bit)), ..digest.clone() };
            assert!(input_signed(&struck, &made).is_none(), "{scheme:?}, digest, bit {bit}");
        }
    }
}

#[test]
fn s07_a_flipped_bit_lets_no_signature_of_shares_leave_for_solana() {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    let pair = Ed25519KeyPair::from_seed_unchecked(&[0x11; 32]).unwrap();
    let payer = Pubkey(pair.public_key().as_ref().try_into().unwrap());
    let instructions = vec![order::transfer(payer, Pubkey([2; 32]), 5)];
    let draft = Draft { version: Version::Zero, payer, blockhash: [9; 32], instructions };
    let bytes = compile(&draft).unwrap().to_bytes();
    let message = Unsigned::read(Cluster::Devnet, payer, &bytes).unwrap();
    let made = Made::Schnorr(pair.sign(&bytes).as_ref().try_into().unwrap());
    let digest = message.signing_digest();
    let grant = Grant {
        account: AccountRef { key: "hot".parse().unwrap(), index: 0 },
        address: payer.id(Cluster::Devnet),
        epoch: 0,
        chain: ChainId::SOLANA_DEVNET,
        signing_digest: digest,
        slot: None,
        class: DangerClass::Transfer,
        expires: Timestamp(1),
    };
    let released = |made: &Made, digest| message_signed((&grant, digest), &message, made).is_some();
    assert!(released(&made, digest), "without a fault it leaves");
    for bit in 0..512 {
        assert!(!released(&flipped(&made, Struck::Signature, bit), digest), "bit {bit}");
    }
    for bit in 0..256 {
        assert!(!released(&made, Digest(with_bit(digest.0, bit))), "digest, bit {bit}");
    }
}
