//! Signatures and refreshes under loss, repeats, reordering, crashes and t − 1 malicious nodes, from seeds.
//!
//! After every run: no wrong signature, no signature of anything that the session does not name, no honest node named,
//! no nonce and no answer a second time. And once faults heal, t honest nodes sign.
//! `KEYSTEAD_SEED=n cargo test -p keystead-threshold --test simulation` runs one seed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test panics to fail")]

mod net;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use keystead_base::{Digest, Name, Secret, tagged_hash};
use keystead_threshold::{
    Begun, Culprit, Deal, Delivery, Ed25519, Fault, Generate, Journal, KeyShare, Kind, Machine, Protocol,
    Purpose, Record, Scheme, Session, SessionId, Sign, Signature,
};
use net::{Fate, Net, Seeded, copy, holders, honest, name, names, session};
use sha2::{Digest as _, Sha256};

const SEEDS: u64 = 250;
const OPERATIONS: usize = 5;
/// How many attempts a signature takes at most once faults heal: each names one of two malicious nodes up to three
/// times, or has a set without them.
const ATTEMPTS: usize = 12;

type Shares = BTreeMap<Name, KeyShare>;

fn again(share: &KeyShare) -> KeyShare {
    KeyShare::from_secret(&share.to_secret()).unwrap()
}

fn first_shares() -> Shares {
    static STORED: OnceLock<Vec<(Name, Secret<Vec<u8>>)>> = OnceLock::new();
    let stored = STORED.get_or_init(|| {
        let session = session(Scheme::Ed25519Frost, 1, holders(3, "a b c d e"), Purpose::Generate, 0);
        let shares = honest(0, &session, |_| Generate::<Ed25519>::new());
        shares.into_iter().map(|(name, share)| (name, share.to_secret())).collect()
    });
    stored.iter().map(|(name, bytes)| (name.clone(), KeyShare::from_secret(bytes).unwrap())).collect()
}

/// What a malicious node does in one run.
#[derive(Clone, Copy, Debug)]
enum Mischief {
    Nothing,
    Silent,
    Garbage,
    Flip,
    Equivocate,
    LyingEcho,
    OldSession,
    WrongRound,
    TwoThings,
    OldShare,
}

const MISCHIEFS: [Mischief; 10] = [
    Mischief::Nothing,
    Mischief::Silent,
    Mischief::Garbage,
    Mischief::Flip,
    Mischief::Equivocate,
    Mischief::LyingEcho,
    Mischief::OldSession,
    Mischief::WrongRound,
    Mischief::TwoThings,
    Mischief::OldShare,
];

struct World {
    rng: Seeded,
    shares: Shares,
    old: Option<Shares>,
    journals: BTreeMap<Name, Journal>,
    evil: BTreeSet<Name>,
    attempt: u64,
    nonces: BTreeMap<Vec<u8>, (SessionId, Name)>,
    answers: BTreeMap<(SessionId, Name), Vec<u8>>,
    faults: usize,
    signatures: usize,
    refreshes: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Seeded::new(seed);
        let all = names("a b c d e");
        let mut evil = BTreeSet::new();
        while evil.len() < 2 {
            evil.insert(all[rng.below(5)].clone());
        }
        Self {
            rng,
            shares: first_shares(),
            old: None,
            journals: all.into_iter().map(|name| (name, Journal::default())).collect(),
            evil,
            attempt: 1,
            nonces: BTreeMap::new(),
            answers: BTreeMap::new(),
            faults: 0,
            signatures: 0,
            refreshes: 0,
        }
    }

    fn session(&mut self, purpose: Purpose) -> Session {
        self.attempt += 1;
        let any = self.shares.values().next().unwrap();
        let (epoch, holders) = (any.epoch(), any.public().holders.clone());
        session(Scheme::Ed25519Frost, epoch, holders, purpose, self.attempt)
    }

    /// Begins at everybody; `None` where an honest node keeps somebody out.
    fn begin(&mut self, session: &Session) -> Option<BTreeMap<Name, Begun>> {
        let mut all = BTreeMap::new();
        for me in session.participants() {
            let mut journal =
                if self.evil.contains(&me) { Journal::default() } else { self.journals[&me].clone() };
            let begun = journal.begin(session.clone(), &me).ok()?.write(&mut journal, net::written).unwrap();
            self.journals.insert(me.clone(), journal);
            all.insert(me, begun);
        }
        Some(all)
    }

    /// One run; what honest nodes end with.
    fn run<P: Protocol>(
        &mut self,
        session: &Session,
        make: impl Fn(&Self, &Name, Mischief) -> P,
        stormy: bool,
    ) -> Option<BTreeMap<Name, net::Ending<P::Output>>> {
        let begun = self.begin(session)?;
        // Whoever is malicious behaves at times, or no refresh would ever end.
        let mut choose =
            |_: &Name| if self.rng.one_in(2) { Mischief::Nothing } else { MISCHIEFS[self.rng.below(10)] };
        let mischief: BTreeMap<Name, Mischief> =
            self.evil.iter().map(|name| (name.clone(), choose(name))).collect();
        let of = |name: &Name| mischief.get(name).copied().unwrap_or(Mischief::Nothing);
        let seed = self.attempt.wrapping_mul(1 + self.rng.below(1 << 30) as u64);
        let machines =
            begun.into_iter().map(|(me, begun)| (me.clone(), Machine::new(begun, make(self, &me, of(&me)))));
        let mut net = Net::new(seed, machines.collect());
        if stormy && self.rng.one_in(3) {
            let all: Vec<Name> = session.participants().into_iter().collect();
            let who = all[self.rng.below(all.len())].clone();
            net.crashes.insert(who, self.rng.below(6));
            self.faults += 1;
        }
        let old_session = Session { attempt: Digest::ZERO, ..session.clone() }.id();
        net.run(|to, delivery, rng| {
            self.watch(&delivery);
            if stormy && rng.one_in(25) {
                self.faults += 1;
                return Fate::Drop;
            }
            if rng.one_in(6) {
                let twin = copy(&delivery);
                return Fate::Twice(delivery, twin);
            }
            misbehave(of(&delivery.from), to, delivery, rng, old_session)
        });
        net.give_up();
        let mut endings = net.endings;
        endings.retain(|me, _| !self.evil.contains(me));
        for (me, ending) in &endings {
            self.judge(session, me, ending.as_ref().err());
        }
        Some(endings)
    }

    /// INVARIANT S5, seen from the network: no honest nonce twice, no two answers of one honest node in one run.
    fn watch(&mut self, delivery: &Delivery) {
        if self.evil.contains(&delivery.from) {
            return;
        }
        let (bytes, place) = (delivery.payload.expose().clone(), (delivery.session, delivery.from.clone()));
        match delivery.kind {
            Kind::NonceCommitment => {
                let before = self.nonces.entry(bytes).or_insert_with(|| place.clone());
                assert_eq!(*before, place, "a nonce serves two runs");
            }
            Kind::SignatureShare => {
                let before = self.answers.entry(place).or_insert_with(|| bytes.clone());
                assert_eq!(*before, bytes, "two answers in one run");
            }
            _ => {}
        }
    }

    /// K6: an honest node is never named for certain, but for its silence.
    fn judge(&mut self, session: &Session, me: &Name, abort: Option<&keystead_threshold::Abort>) {
        let Some(abort) = abort else { return };
        match &abort.culprit {
            Culprit::Node(node) => {
                assert!(self.evil.contains(node) || abort.fault == Fault::Silence, "{me} names {abort:?}");
            }
            Culprit::OneOf { sender, witness } => {
                assert!(self.evil.contains(sender) || self.evil.contains(witness), "{me} doubts {abort:?}");
            }
            Culprit::Unknown => assert_eq!(abort.fault, Fault::Silence, "{me}: {abort:?}"),
            Culprit::Ourselves => panic!("{me}: {abort:?}"),
        }
        let record = Record::Aborted { key: session.key.clone(), abort: abort.clone() };
        self.journals.get_mut(me).unwrap().apply(&record);
    }

    fn sign(&mut self, stormy: bool) -> bool {
        let mut all = names("a b c d e");
        let mut signers = Vec::new();
        while signers.len() < 3 {
            signers.push(all.remove(self.rng.below(all.len())));
        }
        let text = tagged_hash("keystead/test", &self.attempt.to_le_bytes()).as_bytes().to_vec();
        let digest = Digest(Sha256::digest(&text).into());
        let session = self.session(Purpose::Sign { signers, digest, path: vec![] });
        let make = |world: &Self, me: &Name, mischief: Mischief| {
            let old = world.old.as_ref().filter(|_| matches!(mischief, Mischief::OldShare));
            let share =
                old.map_or_else(|| again(&world.shares[me]), |old| forged(&world.shares[me], &old[me]));
            Sign::<Ed25519>::new(share, text.clone())
        };
        let Some(endings) = self.run(&session, make, stormy) else { return false };
        let key = first_shares()[&name("a")].public().key.clone();
        for (_, signature) in endings.values().flatten() {
            assert!(verifies(&key, &text, signature), "a wrong signature, or of something else");
            self.signatures += 1;
        }
        endings.values().any(Result::is_ok)
    }

    /// Old shares stay until every honest node has its new one: that is the runtime's rule, kept here by hand.
    fn refresh(&mut self, stormy: bool) {
        let session = self.session(Purpose::Refresh);
        let make = |world: &Self, me: &Name, _| Deal::<Ed25519>::refresh(again(&world.shares[me]));
        let Some(endings) = self.run(&session, make, stormy) else { return };
        let done: Vec<KeyShare> = endings.into_values().filter_map(|ending| ending.ok().flatten()).collect();
        assert!(done.iter().all(|share| share.public() == done[0].public()), "all know the same shares");
        if done.len() < 3 {
            return;
        }
        assert_eq!(done[0].public().key, self.shares[&name("a")].public().key, "the same key");
        let honest: Shares = done.into_iter().map(|share| (share.holder().clone(), share)).collect();
        // The malicious hold new shares, too, if they are needed: they go on with their old ones.
        let next = self.shares.iter().map(|(me, old)| match honest.get(me) {
            Some(share) => (me.clone(), again(share)),
            None => (me.clone(), relabeled(honest.values().next().unwrap(), old)),
        });
        let next: Shares = next.collect();
        self.old = Some(std::mem::replace(&mut self.shares, next));
        self.refreshes += 1;
    }
}

/// What the network carries of a malicious node.
fn misbehave(mischief: Mischief, to: &Name, mut it: Delivery, rng: &mut Seeded, old: SessionId) -> Fate {
    let even = to.as_str() < "c";
    match mischief {
        Mischief::Nothing | Mischief::OldShare => {}
        Mischief::Silent => return Fate::Drop,
        Mischief::Garbage => rng.fill(it.payload.expose_mut()),
        Mischief::Flip => flip(&mut it, rng),
        Mischief::Equivocate if even && it.to.is_none() && it.kind != Kind::Echo => flip(&mut it, rng),
        Mischief::LyingEcho if it.kind == Kind::Echo => flip(&mut it, rng),
        Mischief::OldSession if even => it.session = old,
        Mischief::WrongRound if even => it.round += 4,
        Mischief::TwoThings => {
            let mut other = copy(&it);
            flip(&mut other, rng);
            return Fate::Twice(it, other);
        }
        Mischief::Equivocate | Mischief::LyingEcho | Mischief::OldSession | Mischief::WrongRound => {}
    }
    Fate::Deliver(it)
}

fn flip(it: &mut Delivery, rng: &mut Seeded) {
    let bytes = it.payload.expose_mut();
    let at = rng.below(bytes.len());
    bytes[at] ^= 1 << rng.below(8);
}

const SCALAR: usize = 1 + "keystead/threshold-share/v1".len() + (4 + 3) + 1 + 4 + (4 + 1);

/// The scalar of `old` in the document of `new`.
fn forged(new: &KeyShare, old: &KeyShare) -> KeyShare {
    let (mut bytes, old) = (new.to_secret().expose().clone(), old.to_secret());
    bytes[SCALAR..SCALAR + 32].copy_from_slice(&old.expose()[SCALAR..SCALAR + 32]);
    KeyShare::from_secret(&Secret::new(bytes)).unwrap()
}

/// An old share that says that it is of the new epoch: all that a node has that did not get its new one.
fn relabeled(new: &KeyShare, old: &KeyShare) -> KeyShare {
    let mut bytes = forged(new, old).to_secret().expose().clone();
    bytes[SCALAR - 1] = old.holder().as_str().as_bytes()[0];
    KeyShare::from_secret(&Secret::new(bytes)).unwrap()
}

fn verifies(key: &[u8], text: &[u8], signature: &Signature) -> bool {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    UnparsedPublicKey::new(&ED25519, key).verify(text, &signature.0).is_ok()
}

/// Storms, then calm: in the calm t honest nodes sign within the attempts, whatever two malicious ones do.
fn live(seed: u64) -> (usize, usize, usize) {
    let mut world = World::new(seed);
    for _ in 0..OPERATIONS {
        match world.rng.one_in(3) {
            true => {
                let stormy = world.rng.one_in(2);
                world.refresh(stormy);
            }
            false => drop(world.sign(true)),
        }
    }
    let signed = (0..ATTEMPTS * 8).any(|_| world.sign(false));
    assert!(signed, "D3: nobody signs after the storm");
    (world.faults, world.signatures, world.refreshes)
}

#[test]
fn s05_k06_d03_simulated_runs_name_only_the_malicious_and_end() {
    let one = std::env::var("KEYSTEAD_SEED").ok().map(|seed| seed.parse().unwrap());
    let seeds = one.map_or(0..SEEDS, |seed: u64| seed..seed + 1);
    let (mut faults, mut signatures, mut refreshes) = (0, 0, 0);
    for seed in seeds {
        let found = std::panic::catch_unwind(|| live(seed));
        let Ok(found) = found else {
            panic!("replay: KEYSTEAD_SEED={seed} cargo test -p keystead-threshold --test simulation")
        };
        (faults, signatures, refreshes) = (faults + found.0, signatures + found.1, refreshes + found.2);
    }
    println!("{faults} faults, {signatures} signatures, {refreshes} refreshes");
    assert!(
        one.is_some() || (faults > 100 && signatures > 150 && refreshes > 10),
        "too quiet to show anything"
    );
}
