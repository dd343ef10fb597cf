//! Every field of every message of an ECDSA key's set-up and signatures, and of its ceremonies' messages each as a whole,
//! changed in each way that is worth a name: the sender is named or nobody is, no wrong signature comes out, nothing is
//! sent behind an abort, and the same shares sign afterwards.
//!
//! Of lists with many elements alike some are changed, chosen by a fixed seed; `KEYSTEAD_ALL=1` takes more of them. The
//! library draws its own randomness: the messages differ from run to run, their fields do not.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test panics to fail")]
#![allow(clippy::print_stdout, reason = "it tells how many of how many")]

mod fields;
mod net;

use std::collections::{BTreeMap, BTreeSet};

use dkls23_core::protocols::{dkg, signing};
use fields::changes::{Change, changes, chosen};
use fields::{Field, fields};
use k256::Secp256k1;
use keystead_base::{Digest, Name, Secret, tagged_hash};
use keystead_threshold::{
    Abort, Bip340, Ceremony, Culprit, Deal, Delivery, Dkls23, EcdsaEngine, EcdsaShare, EcdsaSignature, Fault,
    Journal, Kept, KeyShare, Kind, Machine, Protocol, Purpose, Record, Scheme, Session,
};
use net::{Fate, Seeded, copy, holders, honest, name, names, session};

const CHAIN: [u8; 32] = [5; 32];
/// A set-up takes each side some tenths of a second, so of its many changes so many are made.
const SET_UPS: usize = 60;

type Opening = (dkg::ProofCommitment<Secp256k1>, dkg::BroadcastDerivationPhase2to4, Option<[u8; 32]>);
type Transfers = (dkg::TransmitInitZeroSharePhase3to4, dkg::TransmitInitMulPhase3to4<Secp256k1>);
type Shares = BTreeMap<Name, EcdsaShare<Dkls23>>;
/// A message by its round, its kind, and whether it is for one.
type Place = (u8, Kind, bool);

fn read_as<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> Vec<Field> {
    fields(&postcard::from_bytes::<T>(bytes).unwrap(), bytes)
}

/// The fields of a message, by what the library reads in its place.
fn fields_of(it: &Delivery) -> Vec<Field> {
    let bytes = it.payload.expose();
    match (it.kind, it.round) {
        (Kind::SetupOpen, 0) => read_as::<Opening>(bytes),
        (Kind::SetupOpen, _) => read_as::<dkg::BroadcastDerivationPhase3to4>(bytes),
        (Kind::SetupDirect, 0) => read_as::<dkg::TransmitInitZeroSharePhase2to4>(bytes),
        (Kind::SetupDirect, _) => read_as::<Transfers>(bytes),
        (Kind::MultiplyOffer, _) => read_as::<signing::TransmitPhase1to2>(bytes),
        (Kind::MultiplyAnswer, _) => read_as::<signing::TransmitPhase2to3<Secp256k1>>(bytes),
        (Kind::SignatureShare, _) => read_as::<signing::Broadcast3to4<Secp256k1>>(bytes),
        (kind, round) => panic!("no message of {kind:?} in {round}"),
    }
}

/// What is done to the message as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Whole {
    Cut,
    Longer,
    Empty,
    OtherSession,
    OtherEpoch,
    OtherSigner,
    Stranger,
    Misaddressed,
    Early,
    OtherKind,
    Replay,
    OtherRun,
    Reflected,
    TwoThings,
}

const WHOLE: [Whole; 14] = [
    Whole::Cut,
    Whole::Longer,
    Whole::Empty,
    Whole::OtherSession,
    Whole::OtherEpoch,
    Whole::OtherSigner,
    Whole::Stranger,
    Whole::Misaddressed,
    Whole::Early,
    Whole::OtherKind,
    Whole::Replay,
    Whole::OtherRun,
    Whole::Reflected,
    Whole::TwoThings,
];

#[derive(Clone, Debug)]
enum Mutation {
    Field(usize, Change),
    Whole(Whole),
}

impl Mutation {
    /// What nobody is to be blamed for, or another than `b`; what comes behind the end of a run is not read.
    fn excuses(&self, at: Place) -> bool {
        use Whole::{OtherSigner, Replay, Stranger, TwoThings};
        match self {
            Self::Whole(TwoThings) => at.1 == Kind::SignatureShare,
            Self::Whole(whole) => matches!(whole, OtherSigner | Replay | Stranger),
            Self::Field(..) => false,
        }
    }
}

/// What is said in a place in another run by the same node, and by the victim in this one.
#[derive(Default)]
struct Beside {
    other: BTreeMap<Place, Vec<u8>>,
    mine: BTreeMap<Place, Vec<u8>>,
}

fn place(it: &Delivery) -> Place {
    (it.round, it.kind, it.to.is_some())
}

/// The copies that arrive instead of a message.
fn mutated(mutation: &Mutation, it: Delivery, session: &Session, beside: &Beside) -> Vec<Delivery> {
    let empty = Vec::new();
    let at = place(&it);
    let (other, mine) = (beside.other.get(&at).unwrap_or(&empty), beside.mine.get(&at).unwrap_or(&empty));
    let mut changed = copy(&it);
    let bytes = changed.payload.expose_mut();
    match mutation {
        Mutation::Field(index, change) => {
            let field = fields_of(&it).swap_remove(*index);
            if let Some(new) = change.apply(&field, it.payload.expose(), other, mine) {
                *bytes = new;
            }
        }
        Mutation::Whole(Whole::Cut) => drop(bytes.pop()),
        Mutation::Whole(Whole::Longer) => bytes.push(0),
        Mutation::Whole(Whole::Empty) => bytes.clear(),
        Mutation::Whole(Whole::OtherRun) => bytes.clone_from(other),
        Mutation::Whole(Whole::Reflected) => bytes.clone_from(mine),
        Mutation::Whole(Whole::OtherSession) => {
            let attempt = tagged_hash("keystead/test", b"other");
            changed.session = Session { attempt, ..session.clone() }.id();
        }
        Mutation::Whole(Whole::OtherEpoch) => {
            changed.session = Session { epoch: session.epoch + 1, ..session.clone() }.id();
        }
        Mutation::Whole(Whole::OtherSigner) => changed.from = name("c"),
        Mutation::Whole(Whole::Stranger) => changed.from = name("x"),
        Mutation::Whole(Whole::Misaddressed) => changed.to = Some(name("c")),
        Mutation::Whole(Whole::Early) => changed.round += 3,
        Mutation::Whole(Whole::OtherKind) => changed.kind = Kind::RepairSigma,
        Mutation::Whole(Whole::Replay) => return vec![it, changed],
        Mutation::Whole(Whole::TwoThings) => {
            *bytes.last_mut().unwrap() ^= 1;
            return vec![it, changed];
        }
    }
    vec![changed]
}

/// Whether a change left the message as it was: some fields hold the same in each run.
fn is_same(before: &Delivery, after: &[Delivery]) -> bool {
    matches!(after, [one] if place(one) == place(before)
        && (one.session, &one.from, &one.to) == (before.session, &before.from, &before.to)
        && one.payload.expose() == before.payload.expose())
}

/// The mutations of a message: all that are made, and how many there would be of every field.
fn mutations(it: &Delivery, rng: &mut Seeded) -> (Vec<Mutation>, usize) {
    let fields = fields_of(it);
    let possible: usize = fields.iter().map(|field| changes(field).len()).sum();
    let mut all: Vec<Mutation> = WHOLE.map(Mutation::Whole).to_vec();
    for index in chosen(&fields, |limit| rng.below(limit)) {
        all.extend(changes(&fields[index]).into_iter().map(|change| Mutation::Field(index, change)));
    }
    (all, possible + WHOLE.len())
}

/// How runs ended at honest nodes, by message and fault: `named`, or `nobody`.
#[derive(Default)]
struct Tally {
    runs: usize,
    possible: usize,
    ends: BTreeMap<String, usize>,
    journal: Journal,
}

impl Tally {
    /// K6: only `b` is named, and where nobody is, no wrong result came out.
    fn judge(&mut self, me: &str, abort: &Abort, mutation: &Mutation, what: &str) {
        let excused = matches!(mutation, Mutation::Whole(Whole::OtherSigner));
        let fair = match &abort.culprit {
            Culprit::Node(node) => *node == name("b") || excused,
            Culprit::OneOf { sender, witness } => [sender, witness].contains(&&name("b")) || excused,
            Culprit::Unknown => abort.fault == Fault::Result,
            Culprit::Ourselves => false,
        };
        assert!(fair, "{what}: {me} says {abort:?}");
        // An abort holds an id, a name and a fault; nothing that was received or kept (K1).
        assert!(format!("{abort:?} {abort}").len() < 300, "{what}");
        self.journal.apply(&Record::Aborted { key: name("hot"), abort: abort.clone() });
    }

    fn count(&mut self, at: Place, ending: Option<&Abort>) {
        let how = match ending {
            None => "goes on".to_owned(),
            Some(abort) if abort.culprit == Culprit::Unknown => format!("nobody named, {:?}", abort.fault),
            Some(abort) => format!("named, {:?}", abort.fault),
        };
        *self.ends.entry(format!("{:?} in {}: {how}", at.1, at.0)).or_default() += 1;
        self.runs += 1;
    }

    fn print(&self, what: &str) {
        println!("{what}: {} of {} changes", self.runs, self.possible);
        self.ends.iter().for_each(|(how, count)| println!("  {count:>5} {how}"));
    }
}

fn whole(bytes: &Secret<Vec<u8>>) -> EcdsaShare<Dkls23> {
    match EcdsaShare::from_secret(bytes).unwrap() {
        Kept::Whole(share) => share,
        Kept::Bare(..) => panic!("the same engine"),
    }
}

fn again(share: &EcdsaShare<Dkls23>) -> EcdsaShare<Dkls23> {
    whole(&share.to_secret().unwrap())
}

fn bare(share: &KeyShare) -> KeyShare {
    KeyShare::from_secret(&share.to_secret()).unwrap()
}

fn held<T>(shares: BTreeMap<Name, Option<T>>) -> BTreeMap<Name, T> {
    shares.into_iter().filter_map(|(name, share)| Some((name, share?))).collect()
}

fn digest() -> Digest {
    tagged_hash("keystead/test", b"message")
}

fn signing(shares: &Shares, signers: &str, attempt: u64) -> Session {
    let any = shares.values().next().unwrap().share();
    let purpose = Purpose::Sign { signers: names(signers), digest: digest(), path: vec![3] };
    session(Scheme::EcdsaDkls23, any.epoch(), any.public().holders.clone(), purpose, attempt)
}

/// RustCrypto's `k256`, which has no part in the check inside.
fn verifies(signature: &EcdsaSignature) -> bool {
    use k256::ecdsa::signature::hazmat::PrehashVerifier as _;
    let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(&signature.key).unwrap();
    let parsed = k256::ecdsa::Signature::from_slice(&[signature.r, signature.s].concat()).unwrap();
    key.verify_prehash(digest().as_bytes(), &parsed).is_ok()
}

fn assert_signs(shares: &Shares, signers: &str, attempt: u64) {
    let session = signing(shares, signers, attempt);
    let all = honest(attempt, &session, |me| Dkls23::sign(again(&shares[me])));
    assert!(all.values().all(|(_, signature)| verifies(signature)), "the same shares sign afterwards");
}

/// What each node says to `a`, or `a` to `b`, in an honest run.
fn sayings<P: Protocol>(
    seed: u64,
    session: &Session,
    make: impl Fn(&Name) -> P,
    from: &str,
) -> (BTreeMap<Place, Delivery>, BTreeMap<Name, P::Output>) {
    let mut said = BTreeMap::new();
    let mut net = net::net(seed, session, make);
    net.run(|_, delivery, _| {
        if delivery.from == name(from) {
            said.insert(place(&delivery), copy(&delivery));
        }
        Fate::Deliver(delivery)
    });
    (said, net.all())
}

fn payloads(said: &BTreeMap<Place, Delivery>) -> BTreeMap<Place, Vec<u8>> {
    said.iter().map(|(at, it)| (*at, it.payload.expose().clone())).collect()
}

#[test]
fn k06_each_field_of_each_ecdsa_signing_message_names_its_sender_or_nobody() {
    let purpose = Purpose::Import { dealer: name("z") };
    let birth = session(Scheme::EcdsaDkls23, 1, holders(2, "a b c"), purpose, 1);
    let shares = held(honest(1, &birth, |me| match *me == name("z") {
        true => Ceremony::<Dkls23>::import(Secret::new([7; 32]), CHAIN),
        false => Ceremony::accept(CHAIN),
    }));
    let make = |me: &Name| Dkls23::sign(again(&shares[me]));
    let session = signing(&shares, "a b", 1);
    let (other, _) = sayings(1, &signing(&shares, "a b", 2), make, "b");
    let (samples, _) = sayings(1, &session, make, "b");
    let (mut tally, mut rng) = (Tally::default(), Seeded::new(7));
    for (at, sample) in &samples {
        let (all, possible) = mutations(sample, &mut rng);
        tally.possible += possible;
        for mutation in all {
            let what = format!("{at:?} {mutation:?}");
            let mut beside = Beside { other: payloads(&other), ..Beside::default() };
            let mut net = net::net(1, &session, make);
            let (mut noticed, mut same) = (false, false);
            net.run_each(|_, delivery, _| {
                if delivery.from == name("a") {
                    beside.mine.insert(place(&delivery), delivery.payload.expose().clone());
                }
                if delivery.from != name("b") || place(&delivery) != *at {
                    return vec![delivery];
                }
                let before = copy(&delivery);
                let after = mutated(&mutation, delivery, &session, &beside);
                same = is_same(&before, &after);
                after
            });
            let ending = net.endings.get(&name("a"));
            match ending {
                Some(Ok((_, signature))) => assert!(verifies(signature), "{what}: a wrong signature"),
                Some(Err(abort)) => tally.judge("a", abort, &mutation, &what),
                // Nothing came that `a` waits for: it is refused, and silence is what is left.
                None => noticed = !net.refused.is_empty(),
            }
            let abort = ending.and_then(|ending| ending.as_ref().err());
            assert!(ending.is_some() || noticed || mutation.excuses(*at), "{what}: neither ends nor refuses");
            assert!(same || mutation.excuses(*at) || abort.is_some(), "{what}: goes unnoticed");
            if !same {
                tally.count(*at, abort);
            }
        }
    }
    tally.print("signing");
    assert!(tally.runs > 300, "found {} runs", tally.runs);
    let unnamed = tally.ends.keys().filter(|how| how.contains("nobody"));
    let kinds: BTreeSet<&str> = unnamed.map(|how| how.split(' ').next().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["SignatureShare"]), "only the last sum hides who was wrong");
    assert!(tally.journal.is_blocked(&name("hot"), &name("b")), "`b` stays out");
    assert_signs(&shares, "a c", 3);
    assert_signs(&shares, "a b", 4);
}

/// A share for each of `a` and `b`, without transfers.
fn dealt() -> BTreeMap<Name, KeyShare> {
    let import = session(Scheme::EcdsaDkls23, 1, holders(2, "a b"), Purpose::Import { dealer: name("a") }, 1);
    held(honest(1, &import, |me| match *me == name("a") {
        true => Deal::<Bip340>::import(Secret::new([7; 32])),
        false => Deal::generate(),
    }))
}

/// In a set-up nobody answers anybody: `b`'s messages are the same to every `a`, and only `a` is run again.
fn alone(
    session: &Session,
    share: KeyShare,
    said: &BTreeMap<Place, Delivery>,
    mut fate: impl FnMut(Delivery, &BTreeMap<Place, Vec<u8>>) -> Vec<Delivery>,
) -> Option<Result<EcdsaShare<Dkls23>, Abort>> {
    let mut machine = Machine::new(net::begin(session, &name("a")), Ceremony::<Dkls23>::set_up(share, CHAIN));
    let mut mine = BTreeMap::new();
    let mut fill = |bytes: &mut [u8]| bytes.fill(1);
    let mut step = machine.start(&mut fill);
    for delivery in said.values() {
        for parcel in &step.messages {
            let it = net::delivery(&name("a"), parcel);
            mine.insert(place(&it), it.payload.expose().clone());
        }
        for it in fate(copy(delivery), &mine) {
            step = machine.on_message(it, &mut fill);
            match step.end {
                None => {}
                Some(keystead_threshold::End::Done(share)) => return share.map(Ok),
                Some(keystead_threshold::End::Aborted(unwritten)) => {
                    assert!(step.messages.is_empty(), "nothing is sent behind an abort");
                    return Some(Err(unwritten.write(&mut Journal::default(), net::written).unwrap()));
                }
            }
        }
    }
    None
}

#[test]
fn k06_each_kind_of_field_of_an_ecdsa_set_up_names_its_sender() {
    let shares = dealt();
    let set_up = |attempt| session(Scheme::EcdsaDkls23, 1, holders(2, "a b"), Purpose::Refresh, attempt);
    let make = |me: &Name| Ceremony::<Dkls23>::set_up(bare(&shares[me]), CHAIN);
    let (other, _) = sayings(1, &set_up(2), make, "b");
    let (said, good) = sayings(1, &set_up(1), make, "b");
    let (mut tally, mut rng, mut all) = (Tally::default(), Seeded::new(7), Vec::new());
    for (at, sample) in &said {
        let (some, possible) = mutations(sample, &mut rng);
        tally.possible += possible;
        all.extend(some.into_iter().map(|mutation| (*at, mutation)));
    }
    for (at, mutation) in sampled(all, &said, &mut rng) {
        let (what, mut same) = (format!("{at:?} {mutation:?}"), false);
        let ending = alone(&set_up(1), bare(&shares[&name("a")]), &said, |it, mine| {
            let beside = Beside { other: payloads(&other), mine: mine.clone() };
            if place(&it) != at {
                return vec![it];
            }
            let before = copy(&it);
            let after = mutated(&mutation, it, &set_up(1), &beside);
            same = is_same(&before, &after);
            after
        });
        let abort = ending.as_ref().and_then(|ending| ending.as_ref().err());
        if let Some(abort) = abort {
            tally.judge("a", abort, &mutation, &what);
            assert!(matches!(abort.culprit, Culprit::Node(_)), "{what}: nobody is named");
        }
        assert!(same || mutation.excuses(at) || abort.is_some(), "{what}: goes unnoticed");
        if !same {
            tally.count(at, abort);
        }
    }
    tally.print("set-up");
    assert!(tally.runs > 80, "found {} runs", tally.runs);
    assert_signs(&held(good), "a b", 5);
}

/// Each name of a field once, and of all the rest so many, by the seed.
fn sampled(
    all: Vec<(Place, Mutation)>,
    said: &BTreeMap<Place, Delivery>,
    rng: &mut Seeded,
) -> Vec<(Place, Mutation)> {
    let (mut wanted, mut rest, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    let fields: BTreeMap<Place, Vec<String>> = said
        .iter()
        .map(|(at, it)| (*at, fields_of(it).into_iter().map(|field| field.name).collect()))
        .collect();
    for (at, mutation) in shuffled(all, rng) {
        let first = match &mutation {
            Mutation::Field(index, _) => seen.insert((at, fields[&at][*index].clone())),
            Mutation::Whole(_) => false,
        };
        if first { wanted.push((at, mutation)) } else { rest.push((at, mutation)) }
    }
    let more = if std::env::var_os("KEYSTEAD_ALL").is_some() { rest.len() } else { SET_UPS };
    wanted.extend(rest.into_iter().take(more));
    wanted
}

fn shuffled<T>(mut all: Vec<T>, rng: &mut Seeded) -> Vec<T> {
    let mut out = Vec::new();
    while !all.is_empty() {
        out.push(all.swap_remove(rng.below(all.len())));
    }
    out
}
