//! ECDSA keys: born, used with children, refreshed, handed on, repaired, imported and moved to another engine.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test panics to fail")]

mod net;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use keystead_base::{Coded, Digest, Name, Secret, tagged_hash};
use keystead_threshold::{
    BeginError, Bip340, Ceremony, Culprit, Deal, Delivery, Dkls23, EcdsaEngine, EcdsaShare, EcdsaSignature,
    Fault, Holders, Journal, Kept, KeyShare, Kind, Machine, Protocol, Purpose, Repair, Scheme, Session,
};
use net::{Fate, Net, holders, honest, name, names, session, written};

type Shares = BTreeMap<Name, EcdsaShare<Dkls23>>;

const CHAIN: [u8; 32] = [5; 32];

fn again(share: &EcdsaShare<Dkls23>) -> EcdsaShare<Dkls23> {
    match EcdsaShare::from_secret(&share.to_secret().unwrap()).unwrap() {
        Kept::Whole(share) => share,
        Kept::Bare(..) => panic!("the same engine"),
    }
}

fn bare(share: &EcdsaShare<Dkls23>) -> KeyShare {
    again(share).into_parts().0
}

fn held(shares: BTreeMap<Name, Option<EcdsaShare<Dkls23>>>) -> Shares {
    shares.into_iter().filter_map(|(name, share)| Some((name, share?))).collect()
}

fn born(seed: u64, holders: Holders) -> Shares {
    let session = session(Scheme::EcdsaDkls23, 1, holders, Purpose::Generate, seed);
    held(honest(seed, &session, |_| Ceremony::generate()))
}

/// Dealt once for all tests, because a set-up takes a second of each holder.
fn imported() -> Shares {
    static STORED: OnceLock<BTreeMap<Name, Secret<Vec<u8>>>> = OnceLock::new();
    let stored = STORED.get_or_init(|| {
        import().into_iter().map(|(name, share)| (name, share.to_secret().unwrap())).collect()
    });
    let read = |bytes| match EcdsaShare::from_secret(bytes).unwrap() {
        Kept::Whole(share) => share,
        Kept::Bare(..) => panic!("the same engine"),
    };
    stored.iter().map(|(name, bytes)| (name.clone(), read(bytes))).collect()
}

fn import() -> Shares {
    let purpose = Purpose::Import { dealer: name("z") };
    let session = session(Scheme::EcdsaDkls23, 1, holders(2, "a b c"), purpose, 1);
    held(honest(1, &session, |me| match *me == name("z") {
        true => Ceremony::import(Secret::new([7; 32]), CHAIN),
        false => Ceremony::accept(CHAIN),
    }))
}

fn digest(text: &str) -> Digest {
    tagged_hash("keystead/test", text.as_bytes())
}

fn signing(shares: &Shares, signers: &str, path: &[u32], attempt: u64) -> Session {
    let any = shares.values().next().unwrap().share();
    let purpose = Purpose::Sign { signers: names(signers), digest: digest("message"), path: path.to_vec() };
    session(Scheme::EcdsaDkls23, any.epoch(), any.public().holders.clone(), purpose, attempt)
}

type Signing = <Dkls23 as EcdsaEngine>::Sign;

fn sign_net(seed: u64, shares: &Shares, signers: &str, path: &[u32]) -> Net<Signing> {
    net::net(seed, &signing(shares, signers, path, seed), |me| Dkls23::sign(again(&shares[me])))
}

fn sign(seed: u64, shares: &Shares, signers: &str, path: &[u32]) -> EcdsaSignature {
    let mut net = sign_net(seed, shares, signers, path);
    net.run(|_, delivery, _| Fate::Deliver(delivery));
    let all: Vec<EcdsaSignature> = net.all().into_values().map(|(_, signature)| signature).collect();
    assert!(all.iter().all(|signature| *signature == all[0]), "all end with the same");
    all[0]
}

fn key_of(shares: &Shares) -> Vec<u8> {
    let keys: Vec<Vec<u8>> = shares.values().map(|share| share.share().public().key.clone()).collect();
    assert!(keys.iter().all(|key| *key == keys[0]));
    keys[0].clone()
}

/// RustCrypto's `k256`, beside libsecp256k1, which verifies in the product.
fn verifies(signature: &EcdsaSignature, key: &[u8]) -> bool {
    use k256::ecdsa::signature::hazmat::PrehashVerifier as _;
    let verifier = k256::ecdsa::VerifyingKey::from_sec1_bytes(key).unwrap();
    let bytes = [signature.r, signature.s].concat();
    let parsed = k256::ecdsa::Signature::from_slice(&bytes).unwrap();
    let low = parsed.normalize_s() == parsed;
    low && signature.key[..] == *key && verifier.verify_prehash(digest("message").as_bytes(), &parsed).is_ok()
}

fn child_key(key: &[u8], chain_code: &[u8; 32], path: &[u32]) -> Vec<u8> {
    use bip32::{ChildNumber, ExtendedKeyAttrs, ExtendedPublicKey};
    let key = secp256k1::PublicKey::from_slice(key).unwrap();
    let attrs = ExtendedKeyAttrs {
        depth: 0,
        parent_fingerprint: [0; 4],
        child_number: ChildNumber(0),
        chain_code: *chain_code,
    };
    let mut node = ExtendedPublicKey::new(Point(key), attrs);
    for step in path {
        node = node.derive_child(ChildNumber(*step)).unwrap();
    }
    node.public_key().0.serialize().to_vec()
}

/// A point as `bip32` computes with it, on libsecp256k1.
struct Point(secp256k1::PublicKey);

impl bip32::PublicKey for Point {
    fn from_bytes(bytes: bip32::PublicKeyBytes) -> bip32::Result<Self> {
        secp256k1::PublicKey::from_slice(&bytes).map(Self).map_err(|_| bip32::Error::Crypto)
    }

    fn to_bytes(&self) -> bip32::PublicKeyBytes {
        self.0.serialize()
    }

    fn derive_child(&self, other: bip32::PrivateKeyBytes) -> bip32::Result<Self> {
        let tweak = secp256k1::Scalar::from_be_bytes(other).map_err(|_| bip32::Error::Crypto)?;
        let context = secp256k1::Secp256k1::verification_only();
        self.0.add_exp_tweak(&context, &tweak).map(Self).map_err(|_| bip32::Error::Crypto)
    }
}

#[test]
fn d01_an_ecdsa_key_outlives_its_holders() {
    let first = born(1, holders(2, "a b c"));
    let (key, chain) = (key_of(&first), *first[&name("a")].chain_code());
    assert!(verifies(&sign(1, &first, "a b", &[]), &key));

    let purpose = Purpose::Reshare { dealers: names("a c"), next: holders(3, "c d e") };
    let session = session(Scheme::EcdsaDkls23, 1, holders(2, "a b c"), purpose, 2);
    let public = first[&name("a")].share().public().clone();
    let second = held(honest(2, &session, |me| match names("a c").contains(me) {
        true => Ceremony::reshare(bare(&first[me]), chain),
        false => Ceremony::receive(public.clone(), chain),
    }));
    assert_eq!(second.len(), 3, "who leaves has none");
    assert_eq!((key_of(&second), *second[&name("d")].chain_code()), (key.clone(), chain));
    assert!(verifies(&sign(3, &second, "c d e", &[]), &key));
    assert!(verifies(&sign(4, &second, "e d c", &[0, 3]), &child_key(&key, &chain, &[0, 3])));
}

#[test]
fn k04_an_imported_key_keeps_its_key_and_its_children() {
    let shares = imported();
    let key = secp256k1::SecretKey::from_byte_array([7; 32]).unwrap();
    let key = key.public_key(&secp256k1::Secp256k1::new()).serialize();
    assert_eq!(key_of(&shares), key);
    for (seed, path) in [vec![], vec![0], vec![0, 7], vec![44, 60, 0, 0, 7]].into_iter().enumerate() {
        let signature = sign(seed as u64, &shares, "a c", &path);
        assert!(verifies(&signature, &child_key(&key, &CHAIN, &path)), "{path:?}");
    }
}

fn refreshed(seed: u64, shares: &Shares, scalar: impl Fn(&Name) -> KeyShare) -> Shares {
    let any = shares.values().next().unwrap().share();
    let holders = any.public().holders.clone();
    let session = session(Scheme::EcdsaDkls23, any.epoch(), holders, Purpose::Refresh, seed);
    held(honest(seed, &session, |me| Ceremony::refresh(scalar(me), CHAIN)))
}

/// A repair gives the share; the refresh that follows gives it transfers with everybody again.
#[test]
fn d01_a_lost_ecdsa_share_signs_again() {
    let shares = imported();
    let public = shares[&name("a")].share().public().clone();
    let purpose = Purpose::Repair { lost: name("b"), helpers: names("a c") };
    let session = session(Scheme::EcdsaDkls23, 1, public.holders.clone(), purpose, 1);
    let mut out = honest(3, &session, |me| match *me == name("b") {
        true => Repair::<Bip340>::recover(public.clone()),
        false => Repair::help(bare(&shares[me])),
    });
    let back = out.remove(&name("b")).unwrap().unwrap();
    let next = refreshed(4, &shares, |me| match *me == name("b") {
        true => KeyShare::from_secret(&back.to_secret()).unwrap(),
        false => bare(&shares[me]),
    });
    assert_eq!(key_of(&next), key_of(&shares));
    assert!(verifies(&sign(5, &next, "b c", &[]), &key_of(&shares)));

    // INVARIANT K3: an old share with new ones starts nothing, and its message is of no session that they know.
    let session = signing(&next, "a b", &[], 9);
    let share = |me: &Name| again(if *me == name("a") { &shares[me] } else { &next[me] });
    let mut mixed = net::net(1, &session, |me| Dkls23::sign(share(me)));
    mixed.run(|_, delivery, _| Fate::Deliver(delivery));
    assert_eq!(mixed.endings[&name("a")].as_ref().map(drop).unwrap_err().culprit, Culprit::Ourselves);
    assert!(!mixed.endings.values().any(Result::is_ok));
}

/// What another engine kept gives the share; a set-up from it gives a share that signs, with the same key.
#[test]
fn another_engine_takes_over_the_same_shares() {
    let shares = imported();
    let session = session(Scheme::EcdsaDkls23, 1, holders(2, "a b c"), Purpose::Refresh, 77);
    let moved = held(honest(6, &session, |me| {
        let mut bytes = shares[me].to_secret().unwrap().expose().clone();
        let share = shares[me].share().to_secret().expose().len();
        let tag = 1 + "keystead/threshold-ecdsa/v1".len() + 4 + share + 32;
        assert_eq!(bytes[tag..tag + 2], Dkls23::TAG.to_le_bytes());
        bytes[tag] = 9;
        match EcdsaShare::<Dkls23>::from_secret(&Secret::new(bytes)).unwrap() {
            Kept::Bare(share, chain_code) => Ceremony::set_up(share, chain_code),
            Kept::Whole(_) => panic!("another engine's state is not read"),
        }
    }));
    assert_eq!(moved[&name("a")].share().epoch(), 1);
    assert!(verifies(&sign(7, &moved, "a b", &[3]), &child_key(&key_of(&shares), &CHAIN, &[3])));
}

/// Every byte of each message of signing, one after the other over the seeds: never a wrong signature, never an
/// honest node's name.
#[test]
fn k06_a_signer_that_changes_its_messages_is_named_or_nobody_is() {
    let shares = imported();
    let mut banned = 0;
    for seed in 0..60 {
        let mut net = sign_net(seed, &shares, "a b", &[]);
        let kind = [Kind::MultiplyOffer, Kind::MultiplyAnswer, Kind::SignatureShare][seed as usize % 3];
        net.run(|to, mut delivery, rng| {
            if *to == name("a") && delivery.kind == kind {
                let at = rng.below(delivery.payload.expose().len());
                delivery.payload.expose_mut()[at] ^= 1 << rng.below(8);
            }
            Fate::Deliver(delivery)
        });
        match net.endings.get(&name("a")) {
            Some(Ok((_, signature))) => assert!(verifies(signature, &key_of(&shares))),
            Some(Err(abort)) => {
                assert!(
                    [Culprit::Node(name("b")), Culprit::Unknown].contains(&abort.culprit),
                    "{seed}: {abort:?}"
                );
                banned += usize::from(abort.fault == Fault::Multiplication);
            }
            None => panic!("seed {seed}: it ends"),
        }
    }
    assert!(banned > 5, "found {banned} bans");
    assert!(verifies(&sign(1, &shares, "a b", &[]), &key_of(&shares)), "and signs afterwards");
}

/// The ban is on disk before anybody hears of it, and holds from then on.
#[test]
fn k06_a_failed_multiplication_bans_the_pair() {
    let shares = imported();
    for seed in 0..40 {
        let mut net = sign_net(seed, &shares, "a b", &[]);
        net.run(|to, mut delivery, rng| {
            if *to == name("a") && delivery.kind == Kind::MultiplyOffer {
                let at = 200 + rng.below(delivery.payload.expose().len() - 200);
                delivery.payload.expose_mut()[at] ^= 1;
            }
            Fate::Deliver(delivery)
        });
        let abort = net.endings.remove(&name("a")).unwrap().map(drop).unwrap_err();
        if abort.fault != Fault::Multiplication {
            continue;
        }
        assert_eq!(abort.code(), "threshold.multiplication");
        let mut journal = Journal::default();
        journal.apply(&keystead_threshold::Record::Aborted { key: name("hot"), abort });
        let next = signing(&shares, "a b", &[], 1_000);
        let refused = journal.begin(next, &name("a")).map(drop).unwrap_err();
        assert_eq!(refused, BeginError::Blocked { node: name("b") });
        let others = signing(&shares, "a c", &[], 1_000);
        let begun = journal.begin(others, &name("a")).unwrap().write(&mut journal, written).unwrap();
        assert!(
            !Machine::new(begun, Dkls23::sign(again(&shares[&name("a")]))).is_over(),
            "with another it goes on"
        );
        return;
    }
    panic!("no seed ends in a ban");
}

/// Losses, repeats and a crash: runs end in silence that accuses nobody who spoke, and the next one signs. What is lost
/// and when comes from the seed; the library's own randomness does not.
#[test]
fn d03_an_ecdsa_signature_comes_after_a_storm() {
    let (shares, mut ended) = (imported(), 0);
    for seed in 0..12 {
        let mut net = sign_net(seed, &shares, "a c", &[1]);
        if seed % 3 == 0 {
            net.crashes.insert(name("c"), 1);
        }
        net.run(|_, delivery, rng| match (rng.one_in(5), rng.one_in(3)) {
            (true, _) => Fate::Drop,
            (false, true) => Fate::Twice(net::copy(&delivery), delivery),
            (false, false) => Fate::Deliver(delivery),
        });
        net.give_up();
        for abort in net.endings.values().filter_map(|ending| ending.as_ref().err()) {
            assert_eq!(abort.fault, Fault::Silence, "seed {seed}: {abort:?}");
            ended += 1;
        }
        let key = child_key(&key_of(&shares), &CHAIN, &[1]);
        assert!(verifies(&sign(100 + seed, &shares, "a c", &[1]), &key), "seed {seed}");
    }
    assert!(ended > 5, "too quiet: {ended}");
}

type Offer = dkls23_core::protocols::signing::TransmitPhase1to2;
type Answer = dkls23_core::protocols::signing::TransmitPhase2to3<k256::Secp256k1>;
type Opening = (
    dkls23_core::protocols::dkg::ProofCommitment<k256::Secp256k1>,
    dkls23_core::protocols::dkg::BroadcastDerivationPhase2to4,
    Option<[u8; 32]>,
);
type Transfers = (
    dkls23_core::protocols::dkg::TransmitInitZeroSharePhase3to4,
    dkls23_core::protocols::dkg::TransmitInitMulPhase3to4<k256::Secp256k1>,
);

/// What is changed, in which messages, and how.
type Rewritten = (&'static str, Kind, fn(&mut Delivery));

/// Reads a message as the library does, changes it, and writes it again.
fn rewrite<T: serde::Serialize + serde::de::DeserializeOwned>(it: &mut Delivery, change: impl Fn(&mut T)) {
    let mut message: T = postcard::from_bytes(it.payload.expose()).unwrap();
    change(&mut message);
    *it.payload.expose_mut() = postcard::to_allocvec(&message).unwrap();
}

#[track_caller]
fn assert_names_b<P: Protocol>(net: &Net<P>, what: &str) {
    let abort = net.endings[&name("a")].as_ref().map(drop).unwrap_err();
    assert_eq!(abort.culprit, Culprit::Node(name("b")), "{what}: {abort:?}");
}

/// Lists that are shorter or longer than the library expects: it panics at none of them.
#[test]
fn k06_lists_of_another_length_in_signing_name_their_sender() {
    let shares = imported();
    let changes: [Rewritten; 10] = [
        ("u", Kind::MultiplyOffer, |it| rewrite::<Offer>(it, |m| m.mul_transmit.u.truncate(3))),
        ("no u", Kind::MultiplyOffer, |it| rewrite::<Offer>(it, |m| m.mul_transmit.u.clear())),
        ("t", Kind::MultiplyOffer, |it| rewrite::<Offer>(it, |m| m.mul_transmit.verify_t.truncate(3))),
        ("to whom", Kind::MultiplyOffer, |it| rewrite::<Offer>(it, |m| m.parties = m.parties.reverse())),
        ("tau", Kind::MultiplyAnswer, |it| {
            rewrite::<Answer>(it, |m| m.mul_transmit.vector_of_tau.truncate(3))
        }),
        ("inner tau", Kind::MultiplyAnswer, |it| {
            rewrite::<Answer>(it, |m| m.mul_transmit.vector_of_tau[0].clear());
        }),
        ("verify_u", Kind::MultiplyAnswer, |it| {
            rewrite::<Answer>(it, |m| m.mul_transmit.verify_u.truncate(1))
        }),
        ("gamma", Kind::MultiplyAnswer, |it| rewrite::<Answer>(it, |m| m.mul_transmit.gamma_sender.clear())),
        ("salt", Kind::MultiplyAnswer, |it| rewrite::<Answer>(it, |m| m.salt.clear())),
        ("identity", Kind::MultiplyAnswer, |it| {
            rewrite::<Answer>(it, |m| m.instance_point = k256::AffinePoint::IDENTITY);
        }),
    ];
    for (what, kind, change) in changes {
        let mut net = sign_net(1, &shares, "a b", &[]);
        net.run(|to, mut delivery, _| {
            if *to == name("a") && delivery.kind == kind {
                change(&mut delivery);
            }
            Fate::Deliver(delivery)
        });
        assert_names_b(&net, what);
    }
}

#[test]
fn k06_lists_of_another_length_in_a_set_up_name_their_sender() {
    let share = |me: &Name| {
        let scalars = honest(
            1,
            &session(Scheme::EcdsaDkls23, 1, holders(2, "a b"), Purpose::Import { dealer: name("a") }, 1),
            |me| match *me == name("a") {
                true => Deal::<Bip340>::import(Secret::new([7; 32])),
                false => Deal::generate(),
            },
        );
        KeyShare::from_secret(&scalars[me].as_ref().unwrap().to_secret()).unwrap()
    };
    let changes: [Rewritten; 6] = [
        ("proofs", Kind::SetupOpen, |it| rewrite::<Opening>(it, |m| m.0.proof.proofs.truncate(3))),
        ("commitments", Kind::SetupOpen, |it| rewrite::<Opening>(it, |m| m.0.proof.rand_commitments.clear())),
        ("challenge", Kind::SetupOpen, |it| {
            rewrite::<Opening>(it, |m| m.0.proof.proofs[0].challenge.push(1))
        }),
        ("enc_proofs", Kind::SetupDirect, |it| rewrite::<Transfers>(it, |m| m.1.enc_proofs.truncate(3))),
        ("no enc_proofs", Kind::SetupDirect, |it| rewrite::<Transfers>(it, |m| m.1.enc_proofs.clear())),
        ("salt", Kind::SetupDirect, |it| rewrite::<Transfers>(it, |m| m.0.salt.clear())),
    ];
    let refresh = session(Scheme::EcdsaDkls23, 1, holders(2, "a b"), Purpose::Refresh, 1);
    for (what, kind, change) in changes {
        let mut net = net::net(1, &refresh, |me| Ceremony::<Dkls23>::set_up(share(me), CHAIN));
        let round = if kind == Kind::SetupOpen { 0 } else { 2 };
        net.run(|to, mut delivery, _| {
            if *to == name("a") && delivery.kind == kind && delivery.round == round {
                change(&mut delivery);
            }
            Fate::Deliver(delivery)
        });
        assert_names_b(&net, what);
    }
}
