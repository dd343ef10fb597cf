//! BIP-340 and Ed25519 keys: born, used, refreshed, handed on, repaired and imported, and verified by other libraries.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test panics to fail")]

mod net;

use std::collections::BTreeMap;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use keystead_base::{Digest, Name, PublicAccount, Secret, tagged_hash};
use keystead_threshold::{
    Bip340, Culprit, Deal, Delivery, Ed25519, Fault, Generate, Holders, KeyShare, Kind, Purpose, Repair,
    Scheme, Session, Sign, Signature, Suite, ed25519_scalar,
};
use net::{Fate, Net, holders, honest, name, names, session};
use secp256k1::{Scalar, XOnlyPublicKey, schnorr};
use sha2::{Digest as _, Sha256};

type Shares = BTreeMap<Name, KeyShare>;

fn again(share: &KeyShare) -> KeyShare {
    KeyShare::from_secret(&share.to_secret()).unwrap()
}

fn born<C: Suite>(seed: u64, holders: Holders) -> Shares {
    honest(seed, &session(C::SCHEME, 1, holders, Purpose::Generate, seed), |_| Generate::<C>::new())
}

fn held(shares: BTreeMap<Name, Option<KeyShare>>) -> Shares {
    shares.into_iter().filter_map(|(name, share)| Some((name, share?))).collect()
}

fn digest_of<C: Suite>(message: &[u8]) -> Digest {
    match C::SCHEME {
        Scheme::Ed25519Frost => Digest(Sha256::digest(message).into()),
        _ => Digest(message.try_into().unwrap()),
    }
}

fn message() -> Vec<u8> {
    tagged_hash("keystead/test", b"message").as_bytes().to_vec()
}

fn signing<C: Suite>(shares: &Shares, signers: &str, attempt: u64) -> Session {
    let any = shares.values().next().unwrap();
    let purpose = Purpose::Sign { signers: names(signers), digest: digest_of::<C>(&message()), path: vec![] };
    session(C::SCHEME, any.epoch(), any.public().holders.clone(), purpose, attempt)
}

fn sign_net<C: Suite>(seed: u64, shares: &Shares, signers: &str) -> Net<Sign<C>> {
    let session = signing::<C>(shares, signers, seed);
    net::net(seed, &session, |me| Sign::<C>::new(again(&shares[me]), message()))
}

fn sign<C: Suite>(seed: u64, shares: &Shares, signers: &str) -> Signature {
    let mut net = sign_net::<C>(seed, shares, signers);
    net.run(|_, delivery, _| Fate::Deliver(delivery));
    let all: Vec<Signature> = net.all().into_values().map(|(_, signature)| signature).collect();
    assert!(all.iter().all(|signature| *signature == all[0]), "all end with the same");
    all[0]
}

/// Libraries that have nothing in common with those that signed.
fn verifies<C: Suite>(key: &[u8], signature: &Signature) -> bool {
    if C::SCHEME == Scheme::Ed25519Frost {
        return UnparsedPublicKey::new(&ED25519, key).verify(&message(), &signature.0).is_ok();
    }
    let key = XOnlyPublicKey::from_byte_array(key[1..].try_into().unwrap()).unwrap();
    let signature = schnorr::Signature::from_byte_array(signature.0);
    secp256k1::Secp256k1::verification_only().verify_schnorr(&signature, &message(), &key).is_ok()
}

fn key_of(shares: &Shares) -> Vec<u8> {
    let keys: Vec<Vec<u8>> = shares.values().map(|share| share.public().key.clone()).collect();
    assert!(keys.iter().all(|key| *key == keys[0]));
    keys[0].clone()
}

fn assert_signs<C: Suite>(shares: &Shares, key: &[u8], signers: &[&str]) {
    for (seed, signers) in signers.iter().enumerate() {
        assert!(verifies::<C>(key, &sign::<C>(seed as u64, shares, signers)), "{signers}");
    }
}

fn reshare<C: Suite>(seed: u64, shares: &Shares, dealers: &str, next: &Holders) -> Shares {
    let any = shares.values().next().unwrap();
    let purpose = Purpose::Reshare { dealers: names(dealers), next: next.clone() };
    let session = session(C::SCHEME, any.epoch(), any.public().holders.clone(), purpose, seed);
    held(honest(seed, &session, |me| match names(dealers).contains(me) {
        true => Deal::<C>::reshare(again(&shares[me])),
        false => Deal::<C>::receive(any.public().clone()),
    }))
}

fn refresh_session<C: Suite>(seed: u64, shares: &Shares) -> Session {
    let any = shares.values().next().unwrap();
    session(C::SCHEME, any.epoch(), any.public().holders.clone(), Purpose::Refresh, seed)
}

fn life<C: Suite>() {
    for seed in 0..4 {
        let first = born::<C>(seed, holders(2, "a b c"));
        let key = key_of(&first);
        assert_signs::<C>(&first, &key, &["a b", "a c", "b c", "a b c"]);

        let second = held(honest(seed, &refresh_session::<C>(seed, &first), |me| {
            Deal::<C>::refresh(again(&first[me]))
        }));
        assert_eq!(key_of(&second), key, "the same key");
        assert_eq!(second[&name("a")].epoch(), 2);
        assert_ne!(second[&name("a")].public().shares, first[&name("a")].public().shares);
        assert_signs::<C>(&second, &key, &["a b", "b c"]);

        let third = reshare::<C>(seed, &second, "a c", &holders(3, "c d e f g"));
        assert_eq!(third.len(), 5, "who leaves has none");
        assert_eq!(key_of(&third), key);
        assert_signs::<C>(&third, &key, &["c d e", "d e f", "e f g", "c d e f g"]);

        let fourth = reshare::<C>(seed, &third, "d f g", &holders(2, "b a"));
        assert_signs::<C>(&fourth, &key, &["a b"]);
    }
}

#[test]
fn d01_a_bip340_key_outlives_its_holders() {
    life::<Bip340>();
}

#[test]
fn d01_an_ed25519_key_outlives_its_holders() {
    life::<Ed25519>();
}

fn repaired<C: Suite>() {
    let shares = born::<C>(5, holders(2, "a b c"));
    let public = shares[&name("a")].public().clone();
    let purpose = Purpose::Repair { lost: name("b"), helpers: names("a c") };
    let session = session(C::SCHEME, 1, public.holders.clone(), purpose, 1);
    let mut out = honest(6, &session, |me| match *me == name("b") {
        true => Repair::<C>::recover(public.clone()),
        false => Repair::<C>::help(again(&shares[me])),
    });
    let back = out.remove(&name("b")).unwrap().unwrap();
    assert_eq!(back.to_secret().expose(), shares[&name("b")].to_secret().expose(), "to the byte");
    assert!(out.into_values().all(|share| share.is_none()), "helpers learn nothing");
}

#[test]
fn d01_a_lost_share_is_computed_again() {
    repaired::<Bip340>();
    repaired::<Ed25519>();
}

fn imported<C: Suite>(secret: [u8; 32]) -> Shares {
    let session = session(C::SCHEME, 1, holders(2, "a b c"), Purpose::Import { dealer: name("z") }, 1);
    held(honest(7, &session, |me| match *me == name("z") {
        true => Deal::<C>::import(Secret::new(secret)),
        false => Deal::<C>::generate(),
    }))
}

#[test]
fn k04_an_imported_key_keeps_its_public_key() {
    let secp = imported::<Bip340>([7; 32]);
    let pair = secp256k1::SecretKey::from_byte_array([7; 32]).unwrap();
    let key = pair.public_key(&secp256k1::Secp256k1::new()).serialize().to_vec();
    assert_eq!(key_of(&secp), key);
    assert_signs::<Bip340>(&secp, &key, &["a b", "b c"]);

    let seed = [9; 32];
    let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let scalar = ed25519_scalar(&Secret::new(seed)).unwrap();
    let ed = imported::<Ed25519>(*scalar.expose());
    let key = aws_lc_rs::signature::KeyPair::public_key(&pair).as_ref().to_vec();
    assert_eq!(key_of(&ed), key);
    assert_signs::<Ed25519>(&ed, &key, &["a c"]);
}

/// Old and new shares, of the library's own type: a run among them starts, and ends with no signature.
#[test]
fn k03_shares_of_two_epochs_do_not_combine() {
    let old = born::<Ed25519>(8, holders(2, "a b c"));
    let new =
        held(honest(8, &refresh_session::<Ed25519>(8, &old), |me| Deal::<Ed25519>::refresh(again(&old[me]))));
    // An honest node does not start with a share of another epoch.
    let session = signing::<Ed25519>(&new, "a b", 1);
    let share = |me: &Name| again(if *me == name("a") { &old[me] } else { &new[me] });
    let mut mixed = net::net(1, &session, |me| Sign::<Ed25519>::new(share(me), message()));
    mixed.run(|_, delivery, _| Fate::Deliver(delivery));
    assert_eq!(mixed.endings[&name("a")].as_ref().map(drop).unwrap_err().culprit, Culprit::Ourselves);

    // A malicious one does, with an old scalar in a share that says that it is new: the others name it.
    let forged = forged(&new[&name("a")], &old[&name("a")]);
    let share = |me: &Name| if *me == name("a") { again(&forged) } else { again(&new[me]) };
    let mut mixed = net::net(1, &session, |me| Sign::<Ed25519>::new(share(me), message()));
    mixed.run(|_, delivery, _| Fate::Deliver(delivery));
    let abort = mixed.endings[&name("b")].as_ref().map(drop).unwrap_err();
    assert_eq!((abort.culprit.clone(), abort.fault), (Culprit::Node(name("a")), Fault::SignatureShare));
}

/// The scalar of `old` in the document of `new`.
fn forged(new: &KeyShare, old: &KeyShare) -> KeyShare {
    let (mut bytes, old) = (new.to_secret().expose().clone(), old.to_secret());
    let at = 1 + "keystead/threshold-share/v1".len() + (4 + 3) + 1 + 4 + (4 + 1);
    bytes[at..at + 32].copy_from_slice(&old.expose()[at..at + 32]);
    KeyShare::from_secret(&Secret::new(bytes)).unwrap()
}

#[test]
fn s02_a_message_that_the_session_does_not_name_is_not_signed() {
    let shares = born::<Bip340>(9, holders(2, "a b c"));
    let session = signing::<Bip340>(&shares, "a b", 1);
    let mut net = net::net(1, &session, |me| Sign::<Bip340>::new(again(&shares[me]), vec![1; 32]));
    net.run(|_, delivery, _| Fate::Deliver(delivery));
    assert!(net.endings.values().all(|ending| ending.as_ref().is_err_and(|abort| abort.fault == Fault::Own)));
}

/// What `b` says in the round of `kind` is changed for everybody in the same way.
fn lied<P: keystead_threshold::Protocol>(mut net: Net<P>, kind: Kind, lie: fn(&mut Delivery)) -> Net<P> {
    net.run(|_, mut delivery, _| {
        if delivery.from == name("b") && delivery.kind == kind {
            lie(&mut delivery);
        }
        Fate::Deliver(delivery)
    });
    net
}

#[track_caller]
fn assert_blames<P: keystead_threshold::Protocol>(net: &Net<P>, victim: &str, fault: Fault) {
    let abort = net.endings[&name(victim)].as_ref().map(drop).unwrap_err();
    assert_eq!((&abort.culprit, abort.fault), (&Culprit::Node(name("b")), fault));
}

fn flip_last(delivery: &mut Delivery) {
    let bytes = delivery.payload.expose_mut();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
}

#[test]
fn k06_who_deals_wrong_shares_is_named() {
    let keygen = session(Scheme::Bip340Frost, 1, holders(2, "a b c"), Purpose::Generate, 1);
    let net = || net::net(1, &keygen, |_| Generate::<Bip340>::new());
    assert_blames(&lied(net(), Kind::DealShare, flip_last), "a", Fault::Share);
    let two = session(Scheme::Bip340Frost, 1, holders(2, "a b"), Purpose::Generate, 1);
    let pair = net::net(1, &two, |_| Generate::<Bip340>::new());
    assert_blames(&lied(pair, Kind::DealCommitment, flip_last), "a", Fault::Proof);

    let shares = born::<Ed25519>(2, holders(2, "a b c"));
    let refresh = refresh_session::<Ed25519>(3, &shares);
    let net = || net::net(1, &refresh, |me| Deal::<Ed25519>::refresh(again(&shares[me])));
    assert_blames(&lied(net(), Kind::DealShare, flip_last), "a", Fault::Share);

    let purpose = Purpose::Reshare { dealers: names("a b"), next: holders(2, "c d") };
    let reshare = session(Scheme::Ed25519Frost, 1, holders(2, "a b c"), purpose, 1);
    let public = shares[&name("a")].public().clone();
    let net = || {
        net::net(1, &reshare, |me| match names("a b").contains(me) {
            true => Deal::<Ed25519>::reshare(again(&shares[me])),
            false => Deal::<Ed25519>::receive(public.clone()),
        })
    };
    assert_blames(&lied(net(), Kind::DealShare, flip_last), "d", Fault::Share);
}

/// Among two there is no echo: what arrives is what is judged.
#[test]
fn k06_a_dealer_that_proves_nothing_or_opens_something_else_is_named() {
    let purpose = Purpose::Import { dealer: name("b") };
    let import = session(Scheme::Ed25519Frost, 1, holders(2, "a b"), purpose, 1);
    let net = net::net(1, &import, |me| match *me == name("b") {
        true => Deal::<Ed25519>::import(Secret::new([5; 32])),
        false => Deal::<Ed25519>::generate(),
    });
    assert_blames(&lied(net, Kind::DealCommitment, flip_last), "a", Fault::Proof);

    let birth = session(Scheme::EcdsaDkls23, 1, holders(2, "a b"), Purpose::Generate, 1);
    let net = net::net(1, &birth, |_| Deal::<Bip340>::generate());
    assert_blames(&lied(net, Kind::DealCommitment, flip_last), "a", Fault::Opening);
}

/// `b` hands on another secret than its share, with everything else in order.
#[test]
fn k03_a_dealer_that_deals_another_secret_is_named() {
    let shares = born::<Ed25519>(2, holders(2, "a b c"));
    let other = born::<Ed25519>(3, holders(2, "a b c"));
    let public = shares[&name("a")].public().clone();
    let purpose = Purpose::Reshare { dealers: names("a b"), next: holders(2, "c d") };
    let session = session(Scheme::Ed25519Frost, 1, holders(2, "a b c"), purpose, 1);
    let mut net = net::net(1, &session, |me| match me.as_str() {
        "a" => Deal::<Ed25519>::reshare(again(&shares[me])),
        "b" => Deal::<Ed25519>::reshare(forged(&shares[me], &other[me])),
        _ => Deal::<Ed25519>::receive(public.clone()),
    });
    net.run(|_, delivery, _| Fate::Deliver(delivery));
    assert_blames(&net, "c", Fault::Share);
    assert_blames(&net, "d", Fault::Share);
    assert!(net.endings.values().all(|ending| !matches!(ending, Ok(Some(_)))), "nobody holds what it dealt");
}

#[test]
fn k06_who_signs_wrong_is_named_and_the_others_sign_without_it() {
    let shares = born::<Bip340>(4, holders(2, "a b c"));
    assert_blames(
        &lied(sign_net::<Bip340>(1, &shares, "a b c"), Kind::SignatureShare, flip_last),
        "a",
        Fault::SignatureShare,
    );
    assert!(verifies::<Bip340>(&key_of(&shares), &sign::<Bip340>(2, &shares, "a c")));
}

/// INVARIANT S5: the same machine never answers twice, whatever comes later.
#[test]
fn s05_a_signer_answers_one_set_of_commitments() {
    let shares = born::<Ed25519>(4, holders(2, "a b c"));
    let mut seen: Vec<Vec<u8>> = Vec::new();
    let mut net = sign_net::<Ed25519>(1, &shares, "a b");
    net.run(|to, delivery, _| {
        if delivery.kind == Kind::SignatureShare && *to == name("b") {
            seen.push(delivery.payload.expose().clone());
        }
        if delivery.kind == Kind::NonceCommitment && *to == name("a") {
            let mut other = net::copy(&delivery);
            flip_last(&mut other);
            return Fate::Twice(delivery, other);
        }
        Fate::Deliver(delivery)
    });
    assert!(seen.len() <= 1, "one share at most");
    assert_blames(&net, "a", Fault::TwoThings);
}

/// RFC 9591, appendix E.1: the nonces' randomness goes in, the RFC's signature comes out.
#[test]
fn rfc9591_vectors_hold() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("data/rfc9591-ed25519.json")).unwrap();
    let hex = |value: &serde_json::Value| const_hex::decode(value.as_str().unwrap()).unwrap();
    let inputs = &vectors["inputs"];
    let shares = rfc_shares(inputs, &hex(&inputs["verifying_key_key"]));
    let text = hex(&inputs["message"]);
    let purpose =
        Purpose::Sign { signers: names("p1 p3"), digest: digest_of::<Ed25519>(&text), path: vec![] };
    let session = session(Scheme::Ed25519Frost, 1, holders(2, "p1 p2 p3"), purpose, 1);
    let machine = |me: &Name| {
        keystead_threshold::Machine::new(
            net::begin(&session, me),
            Sign::<Ed25519>::new(again(&shares[me]), text.clone()),
        )
    };
    let mut machines: Vec<_> = names("p1 p3").iter().map(|me| (me.clone(), machine(me))).collect();
    let rounds = [&vectors["round_one_outputs"]["outputs"], &vectors["round_two_outputs"]["outputs"]];
    let mut first = Vec::new();
    for (at, (me, machine)) in machines.iter_mut().enumerate() {
        let random = &rounds[0][at];
        let random =
            [hex(&random["hiding_nonce_randomness"]), hex(&random["binding_nonce_randomness"])].concat();
        let mut random = random.into_iter();
        let step =
            machine.start(&mut |bytes| bytes.iter_mut().for_each(|byte| *byte = random.next().unwrap()));
        first.push(net::delivery(me, &step.messages[0]));
    }
    let mut second = Vec::new();
    for (at, (me, machine)) in machines.iter_mut().enumerate() {
        let step = machine.on_message(first.pop().unwrap(), &mut |_| panic!("no more randomness"));
        assert_eq!(step.messages[0].payload.expose(), &hex(&rounds[1][at]["sig_share"]), "the RFC's share");
        second.push(net::delivery(me, &step.messages[0]));
    }
    let step = machines[0].1.on_message(second.pop().unwrap(), &mut |_| panic!("no more randomness"));
    let Some(keystead_threshold::End::Done((_, signature))) = step.end else { panic!("a signature") };
    assert_eq!(signature.0.to_vec(), hex(&vectors["final_output"]["sig"]));
}

fn rfc_shares(inputs: &serde_json::Value, key: &[u8]) -> Shares {
    let holders = holders(2, "p1 p2 p3");
    let scalars: Vec<[u8; 32]> = (0..3)
        .map(|at| inputs["participant_shares"][at]["participant_share"].as_str().unwrap())
        .map(|text| const_hex::decode(text).unwrap().try_into().unwrap())
        .collect();
    let public: Vec<Vec<u8>> = scalars.iter().map(base_times).collect();
    let share = |(me, scalar): (&Name, &[u8; 32])| {
        let domain = "keystead/threshold-share/v1";
        let fields = (name("hot"), Scheme::Ed25519Frost, 1u32, me.clone(), *scalar);
        let public = (holders.clone(), key.to_vec(), public.clone());
        let body = [borsh::to_vec(&fields).unwrap(), borsh::to_vec(&public).unwrap()].concat();
        let document = [&[u8::try_from(domain.len()).unwrap()], domain.as_bytes(), &body].concat();
        (me.clone(), KeyShare::from_secret(&Secret::new(document)).unwrap())
    };
    holders.members().iter().zip(&scalars).map(share).collect()
}

fn base_times(scalar: &[u8; 32]) -> Vec<u8> {
    let share = frost_ed25519::keys::SigningShare::deserialize(scalar).unwrap();
    frost_ed25519::keys::VerifyingShare::from(share).serialize().unwrap()
}

/// BIP-340's own list, on the function that checks a signature before it is released.
#[test]
fn bip340_vectors_hold() {
    let mut count = 0;
    for line in include_str!("data/bip340.txt").lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(" | ").collect();
        let hex = |at: usize| const_hex::decode(fields[at]).unwrap();
        let key = frost_secp256k1_tr::VerifyingKey::deserialize(&[vec![2], hex(1)].concat());
        let signature = frost_secp256k1_tr::Signature::deserialize(&hex(3));
        let valid =
            key.is_ok_and(|key| signature.is_ok_and(|signature| key.verify(&hex(2), &signature).is_ok()));
        assert_eq!(valid.to_string(), fields[4], "vector {}", fields[0]);
        count += 1;
    }
    assert_eq!(count, 19, "the list has as many");
}

#[test]
fn a_share_reads_back_from_what_was_sealed() {
    let share = &born::<Ed25519>(1, holders(2, "a b"))[&name("a")];
    let bytes = share.to_secret();
    assert_eq!(again(share).to_secret().expose(), bytes.expose());
    assert!(KeyShare::from_secret(&Secret::new(bytes.expose()[1..].to_vec())).is_none());
}

/// The output key of the child at a path without scripts (BIP-32, BIP-341), by libsecp256k1.
fn output_key(key: &[u8], path: &[u32]) -> Vec<u8> {
    let context = secp256k1::Secp256k1::verification_only();
    let tweaks = PublicAccount::bip340(key.try_into().unwrap()).tweaks(path).unwrap();
    let child = tweaks.into_iter().fold(secp256k1::PublicKey::from_slice(key).unwrap(), |key, tweak| {
        key.add_exp_tweak(&context, &Scalar::from_be_bytes(tweak).unwrap()).unwrap()
    });
    let internal = child.x_only_public_key().0;
    let tag = Sha256::digest(b"TapTweak");
    let hash = Sha256::new().chain_update(tag).chain_update(tag).chain_update(internal.serialize());
    let tweak = Scalar::from_be_bytes(hash.finalize().into()).unwrap();
    let (output, _) = internal.add_tweak(&context, &tweak).unwrap();
    [&[2][..], &output.serialize()].concat()
}

/// Both parities of a child and of its output key come about in a few births and paths.
#[test]
fn s07_a_child_of_a_bip340_key_signs_for_its_taproot_output_and_no_other_key_does() {
    for seed in 0..3 {
        let shares = born::<Bip340>(seed, holders(2, "a b c"));
        let key = key_of(&shares);
        for index in 0..4 {
            let path = [86, 1, 0, 1, index];
            let Session { mut purpose, attempt, .. } = signing::<Bip340>(&shares, "a c", u64::from(index));
            if let Purpose::Sign { path: of, .. } = &mut purpose {
                *of = path.to_vec();
            }
            let session = Session { purpose, attempt, ..signing::<Bip340>(&shares, "a c", u64::from(index)) };
            let ends = honest(seed, &session, |me| Sign::<Bip340>::new(again(&shares[me]), message()));
            let signature = ends.into_values().next().unwrap().1;
            assert!(verifies::<Bip340>(&output_key(&key, &path), &signature), "{seed} {index}");
            assert!(!verifies::<Bip340>(&output_key(&key, &[86, 1, 0, 0, index]), &signature));
            assert!(!verifies::<Bip340>(&key, &signature));
        }
    }
}
