//! A whole key dealt at once by somebody who takes no part: read by each holder, and signed with by any of them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test panics to fail")]

mod net;

use std::collections::BTreeMap;

use keystead_base::{Coded, Digest, Name, PublicAccount, Secret, tagged_hash};
use keystead_keys::RecipientKey;
use keystead_threshold::{
    Bip340, Ceremony, Deal, Dkls23, EcdsaEngine as _, EcdsaShare, Ed25519, KeyShare, Purpose, Scheme,
    Session, Sign, Split, SplitError, ed25519_public, ed25519_scalar,
};
use net::{Seeded, holders, honest, name, names, session};
use sha2::{Digest as _, Sha256};

const SECRET: [u8; 32] = [7; 32];
const CHAIN: [u8; 32] = [0; 32];
const ACCOUNT_CHAIN: [u8; 32] = [5; 32];

fn imports(attempt: u64) -> Session {
    let purpose = Purpose::Import { dealer: name("z") };
    session(Scheme::EcdsaDkls23, 1, holders(2, "a b c"), purpose, attempt)
}

/// The secret side of each holder's seat.
fn seats() -> BTreeMap<Name, RecipientKey> {
    let seat = |(who, byte): (Name, u8)| (who, RecipientKey::from_seed(&Secret::new([byte; 32])).unwrap());
    names("a b c").into_iter().zip(1..).map(seat).collect()
}

fn dealt(session: &Session, secret: [u8; 32]) -> Result<Split, SplitError> {
    let to: Vec<_> = seats().values().map(RecipientKey::public).collect();
    let mut rng = Seeded::new(5);
    Split::deal::<Bip340>(session, &Secret::new(secret), &to, &mut |bytes| rng.fill(bytes))
}

fn key() -> Vec<u8> {
    let secret = secp256k1::SecretKey::from_byte_array(SECRET).unwrap();
    secret.public_key(&secp256k1::Secp256k1::new()).serialize().to_vec()
}

fn share(split: &Split, session: &Session, me: &str) -> Result<KeyShare, SplitError> {
    split.share::<Bip340>(session, &name(me), &seats()[&name(me)], &key())
}

fn digest() -> Digest {
    tagged_hash("keystead/test", b"message")
}

/// One story, because a set-up takes seconds.
#[test]
fn k04_a_key_that_is_dealt_at_once_is_set_up_among_its_holders_and_signs_as_it_did() {
    let session = imports(1);
    let split = dealt(&session, SECRET).unwrap();
    assert_eq!(split.coefficients[0], key());
    let run = Session { purpose: Purpose::Take { dealing: digest() }, ..session.clone() };
    assert_eq!(run.participants(), names("a b c").into_iter().collect(), "whoever dealt takes no part");
    let shares = honest(1, &run, |me| {
        Ceremony::<Dkls23>::set_up(share(&split, &session, me.as_str()).unwrap(), CHAIN)
    });
    let shares: BTreeMap<Name, EcdsaShare<Dkls23>> =
        shares.into_iter().map(|(who, share)| (who, share.unwrap())).collect();
    let purpose = Purpose::Sign { signers: names("a c"), digest: digest(), path: Vec::new() };
    let signing = Session { purpose, ..session };
    let mut left = shares;
    let made = honest(2, &signing, |me| Dkls23::sign(left.remove(me).unwrap()));
    assert!(made.values().all(|(_, signature)| signature.key.to_vec() == key()), "the key itself");
}

/// FROST sets nothing up: what each holder has read is its share.
#[test]
fn k04_a_key_of_ed25519_that_is_dealt_at_once_signs_with_what_each_holder_read() {
    let session = Session { scheme: Scheme::Ed25519Frost, ..imports(1) };
    let scalar = ed25519_scalar(&Secret::new(SECRET)).unwrap();
    let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&SECRET).unwrap();
    let key = ed25519_public(&scalar).unwrap().to_vec();
    assert_eq!(key, aws_lc_rs::signature::KeyPair::public_key(&pair).as_ref());
    let to: Vec<_> = seats().values().map(RecipientKey::public).collect();
    let mut rng = Seeded::new(5);
    let split = Split::deal::<Ed25519>(&session, &scalar, &to, &mut |bytes| rng.fill(bytes)).unwrap();
    let other = split.share::<Ed25519>(&session, &name("a"), &seats()[&name("a")], &[7; 32]);
    assert_eq!(other.err().map(|it| it.code()), Some("threshold_split.other_key"));
    let crossed = split.share::<Bip340>(&session, &name("a"), &seats()[&name("a")], &key);
    assert_eq!(crossed.err().map(|it| it.code()), Some("threshold_split.malformed"));
    let crossed = Split::deal::<Bip340>(&session, &scalar, &to, &mut |bytes| rng.fill(bytes));
    assert_eq!(crossed.err().map(|it| it.code()), Some("threshold_split.malformed"), "on another curve");
    let run = Session { purpose: Purpose::Take { dealing: digest() }, ..session.clone() };
    let read = |me: &Name| split.share::<Ed25519>(&session, me, &seats()[me], &key).unwrap();
    let mut shares = honest(1, &run, |me| Deal::<Ed25519>::take(read(me)));
    let message = b"a message of Solana's".to_vec();
    let digest = Scheme::Ed25519Frost.names(&message).unwrap();
    let purpose = Purpose::Sign { signers: names("a c"), digest, path: Vec::new() };
    let signing = Session { purpose, ..session.clone() };
    let made =
        honest(2, &signing, |me| Sign::<Ed25519>::new(shares.remove(me).unwrap().unwrap(), message.clone()));
    let verifier = aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, &key);
    assert!(made.values().all(|(_, made)| verifier.verify(&message, &made.0).is_ok()));
}

/// The output key of an account's address without scripts, as a wallet has it (BIP-32, BIP-86): by libsecp256k1, of the whole key.
fn address_of(secret: [u8; 32], path: &[u32]) -> secp256k1::XOnlyPublicKey {
    let curve = secp256k1::Secp256k1::new();
    let root = secp256k1::SecretKey::from_byte_array(secret).unwrap();
    let account = PublicAccount::new(root.public_key(&curve).serialize(), ACCOUNT_CHAIN);
    let tweaks =
        account.tweaks(path).unwrap().into_iter().map(|it| secp256k1::Scalar::from_be_bytes(it).unwrap());
    let child = tweaks.fold(root, |key, tweak| key.add_tweak(&tweak).unwrap());
    let internal = child.x_only_public_key(&curve).0;
    let tag = Sha256::digest(b"TapTweak");
    let hash =
        Sha256::new().chain_update(tag).chain_update(tag).chain_update(internal.serialize()).finalize();
    internal.add_tweak(&curve, &secp256k1::Scalar::from_be_bytes(hash.into()).unwrap()).unwrap().0
}

/// Keys, children and outputs of both parities come about: a point counts with its even y, whatever the secret's own is.
#[test]
fn k04_s07_a_taproot_account_that_is_dealt_at_once_signs_for_the_addresses_that_it_had() {
    let session = Session { scheme: Scheme::Bip340Frost, ..imports(1) };
    let mut parities = std::collections::BTreeSet::new();
    for byte in 1..=4 {
        let secret = secp256k1::SecretKey::from_byte_array([byte; 32]).unwrap();
        let key = secret.public_key(&secp256k1::Secp256k1::new()).serialize().to_vec();
        parities.insert(key[0]);
        let split = dealt(&session, [byte; 32]).unwrap();
        let read = |me: &Name| split.share::<Bip340>(&session, me, &seats()[me], &key).unwrap();
        let run = Session { purpose: Purpose::Take { dealing: digest() }, ..session.clone() };
        let shares = honest(1, &run, |me| Deal::<Bip340>::take(read(me)));
        let shares: BTreeMap<Name, KeyShare> = shares.into_iter().map(|(me, it)| (me, it.unwrap())).collect();
        let message = digest().as_bytes().to_vec();
        for path in [&[0, 0][..], &[0, 1], &[1, 7], &[]] {
            let purpose = Purpose::Sign { signers: names("a c"), digest: digest(), path: path.to_vec() };
            let signing = Session { purpose, ..session.clone() };
            let again = |me: &Name| KeyShare::from_secret(&shares[me].to_secret()).unwrap();
            let made = honest(2, &signing, |me| {
                Sign::<Bip340>::of_account(again(me), ACCOUNT_CHAIN, message.clone())
            });
            let output = match path.is_empty() {
                // The key itself proves a share.
                true => secret.x_only_public_key(&secp256k1::Secp256k1::new()).0,
                false => address_of([byte; 32], path),
            };
            let good = |made: [u8; 64]| {
                let made = secp256k1::schnorr::Signature::from_byte_array(made);
                secp256k1::Secp256k1::new().verify_schnorr(&made, &message, &output).is_ok()
            };
            assert!(made.values().all(|(_, made)| good(made.0)), "{byte} {path:?}");
            // With the chain code of a key that is born in shares it is another one, but for the key itself.
            let born = honest(3, &signing, |me| Sign::<Bip340>::new(again(me), message.clone()));
            assert_eq!(born.values().any(|(_, made)| good(made.0)), path.is_empty());
        }
    }
    assert_eq!(parities.len(), 2, "keys of both parities");
}

#[test]
fn k03_k06_what_does_not_fit_what_was_approved_is_taken_by_nobody() {
    let session = imports(1);
    let split = dealt(&session, SECRET).unwrap();
    let code = |split: &Split, session: &Session, me: &str| match share(split, session, me) {
        Ok(_) => "taken",
        Err(error) => error.code(),
    };
    assert!(names("a b c").iter().all(|me| code(&split, &session, me.as_str()) == "taken"));
    let changed = |change: &dyn Fn(&mut Split)| {
        let mut it = split.clone();
        change(&mut it);
        code(&it, &session, "a")
    };
    let other = dealt(&session, [8; 32]).unwrap();
    assert_eq!(code(&other, &session, "a"), "threshold_split.other_key");
    let again = dealt(&imports(2), SECRET).unwrap();
    assert_eq!(code(&again, &session, "a"), "threshold_split.proof", "dealt for another attempt");
    assert_eq!(changed(&|it| it.coefficients[1] = key()), "threshold_split.proof", "another polynomial");
    assert_eq!(changed(&|it| it.coefficients[0] = vec![4; 33]), "threshold_split.malformed");
    assert_eq!(changed(&|it| it.coefficients.push(key())), "threshold_split.malformed");
    assert_eq!(changed(&|it| drop(it.points.pop())), "threshold_split.malformed");
    assert_eq!(changed(&|it| it.points.swap(0, 1)), "threshold_split.unreadable", "another holder's");
    assert_eq!(changed(&|it| it.points[0].1[3] ^= 1), "threshold_split.unreadable");
    // Each holder's point of another polynomial of the same key: readable, and beside what everybody was shown.
    let twin = {
        let to: Vec<_> = seats().values().map(RecipientKey::public).collect();
        let mut rng = Seeded::new(6);
        Split::deal::<Bip340>(&session, &Secret::new(SECRET), &to, &mut |bytes| rng.fill(bytes)).unwrap()
    };
    assert_eq!(changed(&|it| it.points[0] = twin.points[0].clone()), "threshold_split.share");
    assert_eq!(
        code(&split, &Session { purpose: Purpose::Generate, ..session.clone() }, "a"),
        "threshold_split.malformed"
    );
}

#[test]
fn k04_no_number_that_is_no_key_is_dealt() {
    assert_eq!(dealt(&imports(1), [0; 32]).unwrap_err().code(), "threshold_split.secret");
    assert_eq!(dealt(&imports(1), [0xff; 32]).unwrap_err().code(), "threshold_split.secret");
    // Nor to fewer seats than there are holders.
    let to: Vec<_> = seats().values().map(RecipientKey::public).take(2).collect();
    let mut rng = Seeded::new(5);
    let few = Split::deal::<Bip340>(&imports(1), &Secret::new(SECRET), &to, &mut |bytes| rng.fill(bytes));
    assert_eq!(few.unwrap_err().code(), "threshold_split.malformed");
}
