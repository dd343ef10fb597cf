//! The reservation rules, exhaustively: every interleaving of a few payments, their ends and the passing of time.
//!
//! The transitions are the product's own `propose`; what is checked is counted beside it. Two slots, one window.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use keystead_base::{Amount, RequestId, Timestamp};
use keystead_decision::{Admitted, Entry, Fate, Phase, State, propose};
use keystead_fixture::{CHAIN, ETHER, name};
use keystead_intent::Slot;

use crate::controls::Planted;
use crate::rules::{SKEW_SECONDS, SPAN_SECONDS};
use crate::simulation::Simulation;
use crate::{Bug, Plan};

/// A payment of the model.
#[derive(Clone, Copy, Debug)]
struct Row {
    nonce: u64,
    /// In thirds of the window's limit.
    thirds: u128,
    /// The row that it replaces.
    replaces: Option<usize>,
}

const fn row(nonce: u64, thirds: u128, replaces: Option<usize>) -> Row {
    Row { nonce, thirds, replaces }
}

/// Two that contend for a slot, a replacement and one of the replacement, and two at another slot.
const ROWS: [Row; 6] = [
    row(0, 1, None),
    row(0, 2, None),
    row(0, 2, Some(0)),
    row(0, 1, Some(2)),
    row(1, 2, None),
    row(1, 1, Some(4)),
];

/// A third of the window's limit, in wei.
const THIRD: u128 = ETHER / 4;

/// Half of the time after which what is settled counts no more, and a little.
const HALF_SECONDS: u64 = (SPAN_SECONDS + SKEW_SECONDS) / 2 + 1;

/// What tells two situations apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    phases: Vec<Option<Phase>>,
    /// The rows allowed at each slot, in order.
    slots: BTreeMap<u64, Vec<usize>>,
    /// The row that is final on the chain at each slot.
    winners: BTreeMap<u64, usize>,
    /// How many halves ago a row was settled: 0, 1, or over.
    ages: Vec<Option<u64>>,
}

/// How far the exploration came.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// Situations reached.
    pub states: usize,
    /// Blocks applied.
    pub transitions: usize,
    /// What must not happen, if it does.
    pub violations: Vec<String>,
}

struct Model {
    ids: Vec<RequestId>,
    asks: Vec<Admitted>,
    /// A settlement for each row, and a death for each.
    ends: Vec<[Admitted; 2]>,
    tick: Admitted,
    start: State,
    controls: Planted,
}

/// Explores everything that can be reached, with a bug or without.
#[must_use]
pub fn explore(bug: Option<Bug>) -> Explored {
    let model = Model::new(bug);
    let mut explored = Explored::default();
    let first = Key { phases: vec![None; ROWS.len()], ages: vec![None; ROWS.len()], ..Key::default() };
    let mut seen = BTreeSet::from([first.clone()]);
    let mut queue = VecDeque::from([(first, model.start.clone())]);
    while let Some((key, state)) = queue.pop_front() {
        explored.states += 1;
        for (next, after) in model.steps(&key, &state) {
            explored.transitions += 1;
            explored.violations.extend(Model::wrong(&key, &next));
            if seen.insert(next.clone()) {
                queue.push_back((next, after));
            }
        }
    }
    explored
}

impl Model {
    fn new(bug: Option<Bug>) -> Self {
        let plan = Plan { seed: 0, nodes: Some(1), bug: None, lost: false, shares: false, tokens: false };
        let mut world = Simulation::under(plan, Amount::from(3 * THIRD));
        world.prelude();
        let start = world.state_after.clone();
        let (mut ids, mut asks, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let admit = |entry: Entry| start.admit(entry).expect("an entry of the fixture");
        for it in ROWS {
            let replaces = it.replaces.map(|row| ids[row]);
            let (id, entry) = world.model_payment(it.nonce, it.thirds * THIRD, replaces);
            let address = world.address;
            let slot = Slot { chain: CHAIN, account: address, nonce: it.nonce };
            let fates = [Fate::Settled { transaction: id.0 }, Fate::Dead { by: start.parent() }];
            ends.push(fates.map(|fate| admit(world.settlement(0, id, slot, fate))));
            asks.push(admit(entry));
            ids.push(id);
        }
        let tick = admit(Entry::Tick);
        Self { ids, asks, ends, tick, start, controls: Planted::new(bug) }
    }

    fn steps(&self, key: &Key, state: &State) -> Vec<(Key, State)> {
        let mut steps = vec![self.wait(key, state)];
        for index in 0..ROWS.len() {
            if key.phases[index].is_none() {
                steps.push(self.enter(key, state, &self.asks[index]));
            }
            if key.phases[index] == Some(Phase::Allowed) {
                steps.extend(self.end(key, state, index));
            }
        }
        steps
    }

    fn wait(&self, key: &Key, state: &State) -> (Key, State) {
        let mut key = key.clone();
        key.ages.iter_mut().flatten().for_each(|age| *age = (*age + 1).min(2));
        let after = self.apply(state, state.time().plus_seconds(HALF_SECONDS), &self.tick);
        (self.look(&key, &after), after)
    }

    fn enter(&self, key: &Key, state: &State, entry: &Admitted) -> (Key, State) {
        let after = self.apply(state, Timestamp(state.time().0 + 1), entry);
        (self.look(key, &after), after)
    }

    /// The chain makes the row final, or has made another of its slot final.
    fn end(&self, key: &Key, state: &State, index: usize) -> Option<(Key, State)> {
        let nonce = ROWS[index].nonce;
        let mut key = key.clone();
        let winner = *key.winners.entry(nonce).or_insert(index);
        let entry = if winner == index { &self.ends[index][0] } else { &self.ends[index][1] };
        Some(self.enter(&key, state, entry))
    }

    fn apply(&self, state: &State, time: Timestamp, entry: &Admitted) -> State {
        propose(state, time, &name("node-1"), [entry], &self.controls).state
    }

    /// The situation that a state is.
    fn look(&self, before: &Key, state: &State) -> Key {
        let mut key = before.clone();
        for (index, id) in self.ids.iter().enumerate() {
            let was = key.phases[index];
            key.phases[index] = state.request(id).map(|it| it.phase).or(was);
            let is = key.phases[index];
            if is == Some(Phase::Allowed) && was != is {
                key.slots.entry(ROWS[index].nonce).or_default().push(index);
            }
            if is == Some(Phase::Settled) && was != is {
                key.ages[index] = Some(0);
            }
        }
        key
    }

    /// INVARIANT S4, S10.
    fn wrong(before: &Key, after: &Key) -> Option<String> {
        let allowed = |it: &usize| after.phases[*it] == Some(Phase::Allowed);
        let counts = |it: &usize| allowed(it) || after.ages[*it].is_some_and(|age| age < 2);
        let sum: u128 = (0..ROWS.len()).filter(counts).map(|it| ROWS[it].thirds * THIRD).sum();
        if sum > 3 * THIRD {
            return Some(format!("S10: {sum} wei after {before:?}: {after:?}"));
        }
        let new = (0..ROWS.len()).find(|it| allowed(it) && before.phases[*it].is_none())?;
        let slot = before.slots.get(&ROWS[new].nonce);
        let over = slot
            .into_iter()
            .flatten()
            .any(|it| matches!(before.phases[*it], Some(Phase::Settled | Phase::Dead)));
        let fits = ROWS[new].replaces == slot.and_then(|it| it.last().copied()) && !over;
        (!fits).then(|| format!("S4: row {new} after {before:?}"))
    }
}
