//! Every field of every message, changed in each way that is worth a name: the sender is named, nobody honest ever
//! is, no wrong result comes out, and the same shares sign afterwards.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test panics to fail")]

mod net;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use keystead_base::{Name, Secret, tagged_hash};
use keystead_threshold::{
    Abort, Bip340, Culprit, Deal, Delivery, Ed25519, Fault, Generate, KeyShare, Kind, Protocol, Purpose,
    Repair, Scheme, Session, Sign, Suite,
};
use net::{Fate, Net, copy, holders, honest, name, names, session};
use sha2::{Digest as _, Sha256};

/// Points of order 2 and 8 on the curve of Ed25519, and the identity of each curve.
const POINTS: [&str; 4] = [
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "000000000000000000000000000000000000000000000000000000000000000000",
];
/// The orders of both curves' groups, in each one's form: the least scalars that are none.
const ORDERS: [&str; 2] = [
    "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010",
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
];

/// One way to change a message.
#[derive(Clone, Debug)]
enum Change {
    Fill(Range<usize>, u8),
    Put(Range<usize>, Vec<u8>),
    Flip(usize),
    Cut,
    Longer,
    Empty,
    OtherSession,
    OtherEpoch,
    OtherSigner,
    Stranger,
    Early,
    OtherKind,
    Replay,
}

impl Change {
    fn apply(&self, it: &mut Delivery, epochs: &Session) {
        let bytes = it.payload.expose_mut();
        match self {
            Self::Fill(range, value) => bytes[range.clone()].fill(*value),
            Self::Put(range, value) => bytes[range.clone()].copy_from_slice(value),
            Self::Flip(at) => bytes[*at] ^= 1,
            Self::Cut => drop(bytes.pop()),
            Self::Longer => bytes.push(0),
            Self::Empty => bytes.clear(),
            Self::OtherSession => {
                it.session =
                    Session { attempt: tagged_hash("keystead/test", b"other"), ..epochs.clone() }.id();
            }
            Self::OtherEpoch => it.session = Session { epoch: epochs.epoch + 1, ..epochs.clone() }.id(),
            Self::OtherSigner => it.from = name(if it.from == name("b") { "c" } else { "b" }),
            Self::Stranger => it.from = name("x"),
            Self::Early => it.round += 3,
            Self::OtherKind => it.kind = if it.kind == Kind::Echo { Kind::DealHash } else { Kind::Echo },
            Self::Replay => {}
        }
    }

    /// What the network does; nothing that the sender can be blamed for, or another than it.
    fn excuses(&self) -> bool {
        matches!(self, Self::OtherSigner | Self::Stranger | Self::Replay)
    }
}

/// The fields of a payload: where each begins and ends.
fn fields<C: Suite>(it: &Delivery) -> Vec<Range<usize>> {
    let (length, point) = (it.payload.expose().len(), if C::SCHEME == Bip340::SCHEME { 33 } else { 32 });
    let lengths: Vec<usize> = match it.kind {
        // The library's header of version and suite, the number of commitments, the commitments, and the proof.
        Kind::DealCommitment if it.payload.expose()[1..5] != [0; 4] || length % 2 == 1 => {
            vec![1, 4, 1, point, point]
        }
        // The library's header and two points.
        Kind::NonceCommitment => vec![1, 4, point, point],
        // Ours: a count, and each coefficient with its length.
        Kind::DealCommitment => vec![4, 4, point],
        // A count, then names of one byte and digests.
        Kind::Echo => vec![4, 4, 1, 32, 4, 1, 32, 4, 1, 32],
        _ => vec![32],
    };
    let mut at = 0;
    let mut ranges = Vec::new();
    for length_of in lengths {
        ranges.push(at..(at + length_of).min(length));
        at += length_of;
    }
    while at < length {
        ranges.push(at..(at + 32).min(length));
        at += 32;
    }
    ranges.into_iter().filter(|range| !range.is_empty()).collect()
}

fn changes<C: Suite>(it: &Delivery) -> Vec<Change> {
    use Change::{
        Cut, Early, Empty, Fill, Flip, Longer, OtherEpoch, OtherKind, OtherSession, OtherSigner, Put, Replay,
    };
    let mut all = vec![
        Cut,
        Longer,
        Empty,
        OtherSession,
        OtherEpoch,
        OtherSigner,
        Change::Stranger,
        Early,
        OtherKind,
        Replay,
    ];
    for range in fields::<C>(it) {
        all.extend([
            Fill(range.clone(), 0),
            Fill(range.clone(), 0xff),
            Flip(range.start),
            Flip(range.end - 1),
        ]);
        let special = POINTS.iter().chain(&ORDERS).map(|text| const_hex::decode(text).unwrap());
        all.extend(special.filter(|value| value.len() == range.len()).map(|value| Put(range.clone(), value)));
    }
    all
}

type Place = (u8, Kind, bool);

fn place(it: &Delivery) -> Place {
    (it.round, it.kind, it.to.is_some())
}

/// Changes each message of `b` in each way, for `a` alone and for everybody, and returns how many runs there were.
fn sweep<C: Suite, P: Protocol>(
    session: &Session,
    make: impl Fn(&Name) -> P,
    good: impl Fn(&P::Output) -> bool,
) -> usize {
    let mut places: BTreeMap<Place, Delivery> = BTreeMap::new();
    let mut first = net::net(1, session, &make);
    first.run(|_, delivery, _| {
        if delivery.from == name("b") {
            places.insert(place(&delivery), copy(&delivery));
        }
        Fate::Deliver(delivery)
    });
    let mut runs = 0;
    for (at, sample) in places {
        for change in changes::<C>(&sample) {
            for everybody in [false, true] {
                let mut net = net::net(1, session, &make);
                let mut changed = false;
                net.run(|to, delivery, _| {
                    let is_it = delivery.from == name("b") && place(&delivery) == at;
                    if !is_it || !(everybody || victim(session) == *to) {
                        return Fate::Deliver(delivery);
                    }
                    let mut other = copy(&delivery);
                    change.apply(&mut other, session);
                    changed |= other.payload.expose() != delivery.payload.expose();
                    if matches!(change, Change::Replay) {
                        Fate::Twice(delivery, other)
                    } else {
                        Fate::Deliver(other)
                    }
                });
                judge(&net, &change, changed, &good, &format!("{at:?} {change:?} everybody={everybody}"));
                runs += 1;
            }
        }
    }
    runs
}

/// An honest node that `b` writes to.
fn victim(session: &Session) -> Name {
    match &session.purpose {
        Purpose::Reshare { next, .. } => next.members()[0].clone(),
        _ => name("a"),
    }
}

fn judge<P: Protocol>(
    net: &Net<P>,
    change: &Change,
    changed: bool,
    good: &impl Fn(&P::Output) -> bool,
    what: &str,
) {
    let others = || net.endings.iter().filter(|(me, _)| **me != name("b"));
    for (me, ending) in others() {
        match ending {
            Ok(output) => assert!(good(output), "{what}: {me} ends with something wrong"),
            Err(abort) => assert!(is_fair(abort, change), "{what}: {me} says {abort:?}"),
        }
    }
    let noticed = others().any(|(_, ending)| ending.is_err()) || !net.refused.is_empty();
    if changed && !change.excuses() {
        let finished = others().all(|(_, ending)| ending.is_ok()) && others().next().is_some();
        assert!(noticed || finished, "{what}: nobody notices");
    }
    if matches!(change, Change::Replay) {
        assert!(!noticed, "{what}: a copy changes nothing");
    }
}

/// `b` is named, or stands in doubt with a witness; where only the network did it, whoever it names is not accused
/// of more than what came in its name.
fn is_fair(abort: &Abort, change: &Change) -> bool {
    match &abort.culprit {
        Culprit::Node(node) => *node == name("b") || matches!(change, Change::OtherSigner),
        Culprit::OneOf { sender, witness } => {
            [sender, witness].contains(&&name("b")) || matches!(change, Change::OtherSigner)
        }
        // A repair cannot tell which helper was wrong.
        Culprit::Unknown => abort.fault == Fault::Result,
        Culprit::Ourselves => false,
    }
}

type Shares = BTreeMap<Name, KeyShare>;

fn again(share: &KeyShare) -> KeyShare {
    KeyShare::from_secret(&share.to_secret()).unwrap()
}

fn born<C: Suite>() -> Shares {
    let session = session(C::SCHEME, 1, holders(2, "a b c"), Purpose::Generate, 1);
    honest(1, &session, |_| Generate::<C>::new())
}

fn message() -> Vec<u8> {
    tagged_hash("keystead/test", b"message").as_bytes().to_vec()
}

fn signing<C: Suite>(signers: &str) -> Session {
    let digest = match C::SCHEME == Ed25519::SCHEME {
        true => Sha256::digest(message()).into(),
        false => message().try_into().unwrap(),
    };
    let purpose =
        Purpose::Sign { signers: names(signers), digest: keystead_base::Digest(digest), path: vec![] };
    session(C::SCHEME, 1, holders(2, "a b c"), purpose, 2)
}

/// The scalar's public side is what everybody holds the share for.
fn lies_where_it_says<C: Suite>(share: &KeyShare) -> bool {
    let bytes = share.to_secret();
    let at = 1 + "keystead/threshold-share/v1".len() + (4 + 3) + 1 + 4 + (4 + 1);
    let scalar = frost_core::keys::SigningShare::<C>::deserialize(&bytes.expose()[at..at + 32]).unwrap();
    let public = frost_core::keys::VerifyingShare::from(scalar).serialize().unwrap();
    let index = share.public().holders.index_of(share.holder()).unwrap();
    share.public().shares[usize::from(index) - 1] == public
}

fn everything<C: Suite>() -> usize {
    let shares = born::<C>();
    let public = shares[&name("a")].public().clone();
    let same_key = |share: &Option<KeyShare>| {
        share.as_ref().is_none_or(|share| share.public().key == public.key && lies_where_it_says::<C>(share))
    };
    let with = |purpose| session(C::SCHEME, 1, holders(2, "a b c"), purpose, 3);
    // Every share that comes out of a birth lies on the polynomial that it is published with.
    let mut runs = sweep::<C, _>(&with(Purpose::Generate), |_| Generate::<C>::new(), lies_where_it_says::<C>);
    runs += sweep::<C, _>(&with(Purpose::Refresh), |me| Deal::<C>::refresh(again(&shares[me])), same_key);
    let reshare = with(Purpose::Reshare { dealers: names("a b"), next: holders(2, "c d") });
    runs += sweep::<C, _>(
        &reshare,
        |me| match names("a b").contains(me) {
            true => Deal::<C>::reshare(again(&shares[me])),
            false => Deal::<C>::receive(public.clone()),
        },
        same_key,
    );
    let repair = with(Purpose::Repair { lost: name("c"), helpers: names("a b") });
    let lost = shares[&name("c")].to_secret();
    runs += sweep::<C, _>(
        &repair,
        |me| match *me == name("c") {
            true => Repair::<C>::recover(public.clone()),
            false => Repair::<C>::help(again(&shares[me])),
        },
        |share| share.as_ref().is_none_or(|share| share.to_secret().expose() == lost.expose()),
    );
    let key = frost_core::VerifyingKey::<C>::deserialize(&public.key).unwrap();
    let verifies = |signature: &keystead_threshold::Signature| {
        let signature = frost_core::Signature::<C>::deserialize(&signature.0).unwrap();
        key.verify(&message(), &signature).is_ok()
    };
    for signers in ["a b", "a b c"] {
        let make = |me: &Name| Sign::<C>::new(again(&shares[me]), message());
        runs += sweep::<C, _>(&signing::<C>(signers), make, |(_, signature)| verifies(signature));
    }
    let after = honest(9, &signing::<C>("a c"), |me| Sign::<C>::new(again(&shares[me]), message()));
    assert!(after.values().all(|(_, signature)| verifies(signature)), "the same shares sign afterwards");
    runs
}

#[test]
fn k06_each_field_of_each_bip340_message_names_its_sender() {
    let runs = everything::<Bip340>();
    assert!(runs > 1_000, "found {runs} runs");
}

#[test]
fn k06_each_field_of_each_ed25519_message_names_its_sender() {
    let runs = everything::<Ed25519>();
    assert!(runs > 1_000, "found {runs} runs");
}

/// What an ECDSA key's shares are dealt by: its set-up and its signatures have a file of their own.
#[test]
fn k06_each_field_of_each_dealing_of_an_ecdsa_key_names_its_sender() {
    let with = |purpose| session(Scheme::EcdsaDkls23, 1, holders(2, "a b c"), purpose, 3);
    let dealt = honest(1, &with(Purpose::Generate), |_| Deal::<Bip340>::generate());
    let shares: Shares = dealt.into_iter().map(|(name, share)| (name, share.unwrap())).collect();
    let public = shares[&name("a")].public().clone();
    let lies = |share: &Option<KeyShare>| share.as_ref().is_none_or(lies_where_it_says::<Bip340>);
    let same = |share: &Option<KeyShare>| {
        lies(share) && share.as_ref().is_none_or(|share| share.public().key == public.key)
    };
    let mut runs = sweep::<Bip340, _>(&with(Purpose::Generate), |_| Deal::<Bip340>::generate(), lies);
    let refresh = |me: &Name| Deal::<Bip340>::refresh(again(&shares[me]));
    runs += sweep::<Bip340, _>(&with(Purpose::Refresh), refresh, same);
    let reshare = with(Purpose::Reshare { dealers: names("a b"), next: holders(2, "c d") });
    let deal = |me: &Name| match names("a b").contains(me) {
        true => Deal::<Bip340>::reshare(again(&shares[me])),
        false => Deal::<Bip340>::receive(public.clone()),
    };
    runs += sweep::<Bip340, _>(&reshare, deal, same);
    let import = with(Purpose::Import { dealer: name("b") });
    let deal = |me: &Name| match *me == name("b") {
        true => Deal::<Bip340>::import(Secret::new([7; 32])),
        false => Deal::generate(),
    };
    // Whose key was meant, the holders' callers see: a dealer may import another.
    runs += sweep::<Bip340, _>(&import, deal, lies);
    assert!(runs > 600, "found {runs} runs");
    let after = honest(9, &with(Purpose::Refresh), refresh);
    assert!(after.values().all(same), "the same shares are dealt anew afterwards");
}

/// INVARIANT K1: what a log could print of a message, an abort or a step has none of its content.
#[test]
fn k01_nothing_of_a_payload_is_printed() {
    let secret = "5ec2e75ec2e75ec2e75ec2e7";
    let payload = Secret::new(secret.as_bytes().to_vec());
    let delivery = Delivery {
        session: signing::<Bip340>("a b").id(),
        round: 0,
        kind: Kind::DealShare,
        from: name("b"),
        to: Some(name("a")),
        payload,
    };
    let mut printed = BTreeSet::from([format!("{delivery:?}")]);
    let shares = born::<Bip340>();
    let mut net =
        net::net(1, &signing::<Bip340>("a b"), |me| Sign::<Bip340>::new(again(&shares[me]), message()));
    net.inject(&name("a"), delivery);
    net.run(|_, delivery, _| Fate::Deliver(delivery));
    printed.extend(
        net.endings
            .values()
            .filter_map(|ending| ending.as_ref().err())
            .map(|abort| format!("{abort:?} {abort}")),
    );
    assert!(printed.len() > 1, "somebody aborts");
    let bytes = format!("{:?}", secret.as_bytes());
    for line in printed {
        assert!(!line.contains(secret) && !line.contains(&bytes[1..20]), "{line}");
    }
}
