//! Any words of any nodes in any order, honest or not, against a second reading of the rules: nothing switches unless
//! every holder of one and the same attempt said the same and proved it.

use std::collections::{BTreeMap, BTreeSet};

use keystead_base::{Digest, RequestId};
use keystead_decision::{Decision, KeyStep, MAX_ATTEMPTS, Outcome, Strict, share_challenge};
use keystead_tests::circle::{Secp, birth, dealt, five, nodes, shares, treasury};
use keystead_tests::world::World;
use proptest::prelude::*;

/// What a node says; the numbers are chosen so that seats and shares often coincide.
#[derive(Clone, Copy, Debug)]
enum Word {
    Seat { node: u8, tag: u8 },
    Deal { node: u8, is_current: bool, tag: u8 },
    Prove { node: u8, is_current: bool, is_right: bool },
}

/// The rules of a birth by the first three nodes, written a second time.
#[derive(Default)]
struct Rules {
    seats: BTreeMap<u8, u8>,
    attempt: u32,
    has_begun: bool,
    dealt: BTreeMap<u8, u8>,
    proven: BTreeSet<u8>,
    is_born: bool,
}

const HOLDERS: [u8; 3] = [1, 2, 3];

impl Rules {
    /// Whether the word counts.
    fn hear(&mut self, word: Word) -> bool {
        match word {
            _ if self.is_born => false,
            Word::Seat { node, .. } | Word::Deal { node, .. } | Word::Prove { node, .. }
                if !HOLDERS.contains(&node) =>
            {
                false
            }
            Word::Seat { node, tag } => self.sit(node, tag),
            Word::Deal { is_current: false, .. } | Word::Prove { is_current: false, .. } => false,
            _ if !self.has_begun => false,
            Word::Deal { node, tag, .. } => *self.dealt.entry(node).or_insert(tag) == tag,
            Word::Prove { node, is_right, .. } => self.prove(node, is_right),
        }
    }

    fn sit(&mut self, node: u8, tag: u8) -> bool {
        if self.seats.iter().any(|(other, it)| *other != node && *it == tag) {
            return false;
        }
        if self.seats.get(&node) == Some(&tag) {
            return true;
        }
        if self.attempt == MAX_ATTEMPTS {
            return false;
        }
        self.seats.insert(node, tag);
        self.has_begun = false;
        self.dealt.clear();
        self.proven.clear();
        true
    }

    fn prove(&mut self, node: u8, is_right: bool) -> bool {
        let said: BTreeSet<u8> = self.dealt.values().copied().collect();
        if !is_right || self.dealt.len() < HOLDERS.len() || said.len() != 1 {
            return false;
        }
        self.proven.insert(node);
        self.is_born = self.proven.len() == HOLDERS.len();
        true
    }

    fn end_block(&mut self) {
        if !self.has_begun && self.seats.len() == HOLDERS.len() {
            self.has_begun = true;
            self.attempt += 1;
        }
    }
}

fn words() -> impl Strategy<Value = Vec<Vec<Word>>> {
    // Nobody encrypts to a seat of zeros.
    let seat = (1..5_u8, 1..7_u8).prop_map(|(node, tag)| Word::Seat { node, tag });
    let often = || prop::bool::weighted(0.9);
    let deal = (1..5_u8, often(), prop::bool::weighted(0.05))
        .prop_map(|(node, is_current, lies)| Word::Deal { node, is_current, tag: 7 + u8::from(lies) });
    let prove = (1..5_u8, often(), often()).prop_map(|(node, is_current, is_right)| Word::Prove {
        node,
        is_current,
        is_right,
    });
    let later = prop_oneof![1 => seat.clone(), 8 => deal, 8 => prove];
    let first = prop::collection::vec(prop::collection::vec(seat, 1..4), 2..5);
    let rest = prop::collection::vec(prop::collection::vec(later, 1..4), 10..30);
    (first, rest).prop_map(|(first, rest)| [first, rest].concat())
}

struct Stage {
    world: World<Strict>,
    request: RequestId,
    key: Secp,
}

impl Stage {
    fn step(&self, word: Word) -> (u8, KeyStep) {
        let convening = self.world.state.convening(&treasury());
        let now = convening.map_or(0, |it| it.attempt);
        let (request, at) = (self.request, |is_current| if is_current { now } else { now + 1 });
        match word {
            Word::Seat { node, tag } => (node, self.world.seated(node, request, tag)),
            Word::Deal { node, is_current, tag } => {
                (node, dealt(request, at(is_current), self.key.account(), shares(3, tag)))
            }
            Word::Prove { node, is_current, is_right } => {
                let convened = convening.and_then(|it| it.convened).unwrap_or(Digest::ZERO);
                let whose = if is_right { node } else { node + 1 };
                let (cluster, name) = (self.world.state.cluster(), &nodes(&[whose])[0]);
                let proof = self.key.sign(&share_challenge(cluster, &treasury(), 0, &convened, name));
                (node, KeyStep::Proven { request, attempt: at(is_current), proof })
            }
        }
    }
}

fn counts(decision: &Decision) -> bool {
    matches!(decision.outcome, Outcome::Key { .. })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn d01_no_order_of_words_switches_without_every_holder_of_one_attempt(blocks in words()) {
        let mut world = World::of(five(), Strict::default(), |_| {});
        let (request, _) = world.allow(birth());
        let (mut stage, mut rules) = (Stage { world, request, key: Secp::new(9) }, Rules::default());
        for block in blocks {
            let steps: Vec<_> = block.iter().map(|it| stage.step(*it)).collect();
            let entries = steps.into_iter().map(|(node, step)| stage.world.word(node, step)).collect();
            let decisions = stage.world.commit(entries);
            let expected: Vec<bool> = block.iter().map(|it| rules.hear(*it)).collect();
            rules.end_block();
            let found: Vec<bool> = decisions.iter().take(block.len()).map(counts).collect();
            prop_assert_eq!(&found, &expected, "{:?}: {:?}", &block, &decisions);
            prop_assert_eq!(stage.world.state.key(&treasury()).is_some(), rules.is_born);
            let under_way = stage.world.state.convening(&treasury());
            prop_assert_eq!(under_way.map(|it| it.attempt), (!rules.is_born).then_some(rules.attempt));
        }
    }
}
