//! Nodes whose signing key comes and goes: a token that is pulled out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use keystead_base::{
    Canonical as _, ClassicalHalf, HYBRID_SEED_BYTES, HybridSigner, KeyError, Secret, signing_message,
};
use keystead_consensus::{
    Abstention, Ballot, Claim, Input, Message, Prevote, Proposal, Record, Replica, Setup, Standing, Step,
    Timers,
};
use keystead_decision::{Vote, verify_commit};
use keystead_fixture::name;

use crate::{Net, Place};

/// The Ed25519 half of a node's key, which signs so many times more.
pub(crate) struct Elsewhere {
    half: HybridSigner,
    left: AtomicU64,
    /// Whether it signs something else than what it is asked to.
    is_faulty: AtomicBool,
    /// Whether it is there whenever somebody looks, and gone whenever it is to sign.
    flickers: AtomicBool,
    /// How often it was asked to sign.
    asked: AtomicU64,
}

/// The trait's object; the test keeps hold of the half itself.
struct Held(Arc<Elsewhere>);

impl Elsewhere {
    fn of(index: usize) -> Arc<Self> {
        let seed = Secret::new([u8::try_from(index + 1).unwrap(); HYBRID_SEED_BYTES]);
        let half = HybridSigner::from_seed(&seed).unwrap();
        let [is_faulty, flickers] = [false; 2].map(AtomicBool::new);
        Arc::new(Self { half, left: AtomicU64::new(u64::MAX), is_faulty, flickers, asked: AtomicU64::new(0) })
    }

    /// Signs so many times more, and is away then.
    fn signs_only(&self, times: u64) {
        self.left.store(times, Ordering::Relaxed);
    }

    pub(crate) fn signer(self: &Arc<Self>, seed: &Secret<[u8; HYBRID_SEED_BYTES]>) -> HybridSigner {
        let quantum = Secret::new(*seed.expose().last_chunk().unwrap());
        HybridSigner::from_halves(Arc::new(Held(Arc::clone(self))), &quantum).unwrap()
    }
}

impl ClassicalHalf for Held {
    fn public(&self) -> [u8; 32] {
        *self.0.half.public().ed25519()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        let took = |left: u64| left.checked_sub(1);
        let order = Ordering::Relaxed;
        self.0.asked.fetch_add(1, order);
        if self.0.is_faulty.load(order) {
            return Ok(*self.0.half.sign(b"something else")?.ed25519());
        }
        if self.0.flickers.load(order) {
            return Err(KeyError::Away);
        }
        self.0.left.fetch_update(order, order, took).map_err(|_| KeyError::Away)?;
        Ok(*self.0.half.sign(message)?.ed25519())
    }

    fn is_there(&self) -> bool {
        self.0.left.load(Ordering::Relaxed) > 0
    }
}

impl Net {
    /// A cluster in which these nodes have a half of their key elsewhere.
    fn with_halves_elsewhere(nodes: u8, quorum: u32, elsewhere: &[usize]) -> Self {
        let mut net = Self::new(nodes, quorum);
        net.elsewhere = elsewhere.iter().map(|index| (*index, Elsewhere::of(*index))).collect();
        net.places.clear();
        (0..usize::from(nodes)).for_each(|index| net.start(index));
        net
    }

    fn key(&self, index: usize, times: u64) {
        self.elsewhere[&index].signs_only(times);
    }

    /// INVARIANT S3: everything that a node said or recorded has its signature, and it never said two things at one place.
    fn check_words(&self) {
        let mut words: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (from, message) in &self.said {
            let (place, header) = match message {
                Message::Ballot(ballot) if ballot.node == *from => {
                    assert!(self.is_signed(&Record::Ballot(ballot.clone())), "{from} sends a void vote");
                    ((ballot.node.clone(), ballot.height, ballot.round, Some(ballot.step)), ballot.header)
                }
                Message::Proposal { proposal, .. } => {
                    let record = Record::Proposal(proposal.clone());
                    assert!(self.is_signed(&record), "{from} sends a void proposal");
                    ((proposal.node.clone(), proposal.height, proposal.round, None), Some(proposal.header))
                }
                _ => continue,
            };
            words.entry(place).or_default().insert(header);
        }
        assert!(words.values().all(|it| it.len() == 1), "somebody says two things: {words:?}");
        for place in self.places.values() {
            assert!(place.records.iter().all(|it| self.is_signed(it)), "a void word is recorded");
            for block in &place.blocks {
                verify_commit(self.genesis.cluster(), self.genesis.roster(), &block.commit).unwrap();
            }
        }
    }

    /// Whether what this record line says is signed; a node that is alone spares what nobody else would hear.
    fn is_signed(&self, record: &Record) -> bool {
        let cluster = self.genesis.cluster();
        let (node, digest, signature) = match record {
            Record::Ballot(it) => {
                let Ballot { height, round, header, .. } = it.clone();
                let digest = match (it.step, header) {
                    (Step::Prevote, header) => Prevote { cluster, height, round, header, boot: 0 }.digest(),
                    (_, Some(header)) => Vote { cluster, height, round, header, boot: 0 }.digest(),
                    (_, None) => Abstention { cluster, height, round, boot: 0 }.digest(),
                };
                (&it.node, digest, &it.signature)
            }
            Record::Proposal(it) => {
                let Proposal { height, round, valid_round, header, .. } = *it.clone();
                let claim = Claim { cluster, height, round, valid_round, header, boot: 0 };
                (&it.node, claim.digest(), &it.signature)
            }
            _ => return true,
        };
        let spared = self.genesis.roster().nodes.len() == 1
            && !matches!(record, Record::Ballot(it) if it.step == Step::Precommit);
        let key = &self.genesis.roster().node(node).unwrap().key;
        spared || key.verify(&signing_message(&digest), signature).is_ok()
    }
}

/// More signatures than a node makes at a height without a fault.
const MANY: u64 = 6;

#[test]
fn d03_a_node_whose_key_is_away_says_nothing_and_the_others_go_on() {
    for times in 0..MANY {
        let mut net = Net::with_halves_elsewhere(4, 3, &[1]);
        net.key(1, times);
        for asked in 0..4 {
            net.ask(asked);
            (0..3).for_each(|_| net.run_out());
            net.beat();
        }
        assert_eq!(net.heights(), vec![4; 4], "away after {times} signatures");
        net.check_words();
        // Its vote is the third.
        net.key(1, u64::MAX);
        net.places.remove(&name("node-4"));
        net.ask(0);
        net.beat();
        (0..6).for_each(|_| net.run_out());
        assert_eq!(net.heights(), vec![5; 3], "back after {times} signatures");
        net.check_words();
    }
}

#[test]
fn d03_a_height_that_lacks_a_key_goes_on_as_soon_as_it_is_back() {
    for (nodes, quorum, elsewhere) in [(1, 1, vec![0]), (4, 3, vec![1]), (4, 3, vec![0, 1, 2])] {
        for times in 0..MANY {
            let mut net = Net::with_halves_elsewhere(nodes, quorum, &elsewhere);
            net.places.remove(&name("node-4"));
            elsewhere.iter().for_each(|index| net.key(*index, times));
            net.ask(0);
            (0..3).for_each(|_| net.run_out());
            net.beat();
            net.check_words();
            elsewhere.iter().for_each(|index| net.key(*index, u64::MAX));
            net.beat();
            (0..6).for_each(|_| net.run_out());
            let expected = vec![1; net.places.len()];
            assert_eq!(net.heights(), expected, "{nodes} nodes, away after {times} signatures");
            net.check_words();
        }
    }
}

/// A height that lacks two of four, one of them for want of its key; how often that was asked, after many beats and rounds.
fn asked_in_vain(faulty: bool) -> (Net, u64) {
    let mut net = Net::with_halves_elsewhere(4, 3, &[1]);
    net.places.remove(&name("node-4"));
    net.elsewhere[&1].is_faulty.store(faulty, Ordering::Relaxed);
    net.key(1, if faulty { u64::MAX } else { 0 });
    net.ask(0);
    for _ in 0..4 {
        (0..3).for_each(|_| net.run_out());
        net.beat();
    }
    assert_eq!(net.heights(), vec![0; 3]);
    net.check_words();
    let asked = net.elsewhere[&1].asked.load(Ordering::Relaxed);
    (net, asked)
}

/// A vote waits for a key that is away, and every peer waits with it.
#[test]
fn d03_a_key_that_is_away_is_asked_once_until_it_is_there() {
    let (_, asked) = asked_in_vain(false);
    assert_eq!(asked, 1);
    // Both votes of a height that the others end.
    let mut net = Net::with_halves_elsewhere(4, 3, &[1]);
    net.key(1, 0);
    net.ask(0);
    net.run_out();
    assert_eq!(net.heights(), vec![1; 4]);
    assert_eq!(net.elsewhere[&1].asked.load(Ordering::Relaxed), 1);
}

/// INVARIANT S7: whoever signed wrongly is not asked again at this height, though it is there and would sign rightly.
#[test]
fn s07_a_key_that_signs_wrongly_is_not_asked_again_at_this_height() {
    let (mut net, asked) = asked_in_vain(true);
    assert_eq!(asked, 1);
    net.elsewhere[&1].is_faulty.store(false, Ordering::Relaxed);
    net.beat();
    (0..6).for_each(|_| net.run_out());
    assert_eq!(net.heights(), vec![0; 3], "it says nothing");
    assert_eq!(net.elsewhere[&1].asked.load(Ordering::Relaxed), 1);
    net.check_words();
}

/// It is away, back, and away again, at every signature once: the record that grows meanwhile contradicts itself nowhere.
#[test]
fn s03_a_key_that_comes_and_goes_never_signs_two_things() {
    for times in 1..MANY {
        let mut net = Net::with_halves_elsewhere(4, 3, &[0, 1, 2]);
        net.places.remove(&name("node-4"));
        (0..3).for_each(|index| net.key(index, times));
        net.ask(0);
        for _ in 0..30 {
            net.run_out();
            (0..3).for_each(|index| net.key(index, times));
            net.beat();
        }
        net.check_words();
        (0..3).for_each(|index| net.key(index, u64::MAX));
        net.beat();
        (0..6).for_each(|_| net.run_out());
        assert_eq!(net.heights(), vec![1; 3], "{times} signatures at a time");
        net.check_words();
    }
}

/// After so many sittings at one height without a quorum: how many timers run, and how much is said until they ran out.
fn waits_after(sittings: usize) -> (usize, usize) {
    let mut net = Net::with_halves_elsewhere(4, 3, &[1]);
    net.places.remove(&name("node-4"));
    // Its first words stand in the record: each sitting has something to say again.
    net.key(1, 1);
    net.ask(0);
    net.run_out();
    net.key(1, u64::MAX);
    net.elsewhere[&1].flickers.store(true, Ordering::Relaxed);
    let before = net.elsewhere[&1].asked.load(Ordering::Relaxed);
    (0..sittings).for_each(|_| net.beat());
    let asked = net.elsewhere[&1].asked.load(Ordering::Relaxed) - before;
    assert_eq!(asked, u64::try_from(sittings).unwrap(), "each beat is a sitting");
    assert_eq!(net.heights(), vec![0; 3]);
    let (timers, said) = (net.timers.values().map(Timers::len).sum(), net.said.len());
    net.run_out();
    net.check_words();
    (timers, net.said.len() - said)
}

/// A token that comes and goes for hours at a height without a quorum costs what it costs once.
#[test]
fn d03_sittings_at_one_height_add_no_timers() {
    let (once, often) = (waits_after(1), waits_after(40));
    assert_eq!(once, often);
    assert!(once.0 > 0 && once.1 > 0, "{once:?}");
}

/// What the record holds when the key goes binds the node after a start, and nothing that it could not sign does.
#[test]
fn s03_a_node_that_starts_anew_without_its_key_goes_on_from_what_it_signed() {
    for times in 0..MANY {
        let mut net = Net::with_halves_elsewhere(4, 3, &[1]);
        let me = name("node-2");
        net.places.remove(&name("node-4"));
        net.key(1, times);
        net.ask(0);
        net.run_out();
        let Place { records, blocks, .. } = net.places.remove(&me).unwrap();
        if !blocks.is_empty() {
            continue;
        }
        let replica = Replica::new(Setup { records: records.clone(), ..net.setup(1) });
        net.places.insert(me.clone(), Place { replica, records, blocks });
        for other in ["node-1", "node-3"] {
            net.step(&me, Input::Connected(name(other)));
            net.step(&name(other), Input::Connected(me.clone()));
        }
        net.deliver();
        assert_eq!(*net.places[&me].replica.standing(), Standing::Votes, "it remembers all that it said");
        net.check_words();
        net.key(1, u64::MAX);
        net.beat();
        (0..8).for_each(|_| net.run_out());
        assert_eq!(net.heights(), vec![1; 3], "away after {times} signatures");
        net.check_words();
    }
}
