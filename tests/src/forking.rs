//! One future told to some nodes and another to the others, around a cut network.
//!
//! The liars hold the keys of the first nodes, and with `node-1` the home of the key `hot`. One of them leads.
//! They cut the network between the honest nodes, propose a block to each side, and vote for both. Each block
//! spends the whole limit of a day, by other nonces. Then they mend the network, and show each future to a signing
//! enclave of its own, started over the same folder.

use alloy_primitives::U256;
use keystead_base::{Canonical as _, merkle::Inclusion};
use keystead_consensus::{Message, Step};
use keystead_decision::{
    Applied, Certificate, Commit, Decision, Entry, FreshAnswer, Outcome, State, Strict, VoteSignature,
    leaves, propose,
};
use keystead_devnet::Devnet;
use keystead_intent::Intent;
use keystead_node::NodeError;

use crate::Loot;
use crate::captive::Captive;
use crate::cluster::{NodeHome, Station, ether, fee};
use crate::fixture::{BIRTH, CHAIN, ETHER, FRIEND};
use crate::liar::{Liar, as_node, state_of};
use crate::lines::Lines;
use crate::nodes::{head_of, header_at, keys_of, level, reaches, start_all};

/// The fixture's limit of a day, in ether.
const LIMIT: usize = 10;

/// Less than the skew that the fixture's policy permits.
const AHEAD_SECONDS: u64 = 3;

/// Plays it in a cluster of so many nodes, of which so many lie: what left beyond the limit, or who refused.
pub(crate) async fn played(nodes: u8, liars: u8) -> Loot {
    // A majority: of four it withstands one liar, of three none.
    let quorum = usize::from(nodes) / 2 + 1;
    let roster_quorum = u32::from(nodes) / 2 + 1;
    let mut homes = NodeHome::several(nodes, |policy| policy.roster.quorum = roster_quorum);
    for home in &mut homes {
        // Nobody takes the turn from `node-1` because the machine is busy.
        home.config.times.propose_millis = 20_000;
    }
    let lines = Lines::between(&mut homes).await;
    let mut stations = start_all(homes).await;
    stations[0].make_hot_key().await;
    level(&stations).await;
    let mut honest = stations.split_off(liars.into());
    let mut taken = Vec::new();
    for station in stations {
        taken.push(station.stop().await);
    }
    let (one, other) = honest.split_at(quorum - taken.len());
    let indices: Vec<usize> = (usize::from(liars)..usize::from(nodes)).collect();
    let (left, right) = indices.split_at(one.len());
    lines.cut(left, right);

    let mut gang = Gang::of(taken, &honest).await;
    let futures = gang.futures(&honest[0]).await;
    gang.tell(one, &futures[0], &futures[1]).await;
    gang.tell(other, &futures[1], &futures[0]).await;
    let height = futures[0].applied.block.header.height;
    let splits = other.len() + gang.liars.len() >= quorum;
    for station in if splits { &honest } else { one } {
        reaches(station, height).await;
    }
    lines.mend(left, right);
    reaches(&other[0], height).await;
    let forked = header_at(&one[0], height).await != header_at(&other[0], height).await;
    assert_eq!(forked, splits, "a log forks where both sides have the votes, and only there");
    named(&one[0], &gang);
    let loot = gang.cash(&honest, [&one[0], &other[0]], &futures).await;
    if splits {
        gang.go_on(&one[0], &futures[0].applied.state).await;
        let ended = honest.pop().expect("the other side").node.ended().await;
        assert!(matches!(ended, Err(NodeError::Diverged { .. })), "{ended:?}");
    }
    loot
}

/// Whoever heard both of its words names it.
fn named(station: &Station, gang: &Gang) {
    let words = format!("{} said two things", gang.liars[0].name());
    assert!(station.events().iter().any(|it| it.contains(&words)), "{:?}", station.events());
}

/// What may happen next.
struct Future {
    intents: Vec<Intent>,
    applied: Applied,
}

/// The liars, the home of the key among them.
struct Gang {
    homes: Vec<NodeHome>,
    liars: Vec<Liar>,
    /// Who of them proposes, and in which round.
    leads: (usize, u32),
}

impl Gang {
    async fn of(homes: Vec<NodeHome>, honest: &[Station]) -> Self {
        let others: Vec<&Station> = honest.iter().collect();
        let mut liars = Vec::new();
        for (home, number) in homes.iter().zip(1..) {
            liars.push(Liar::in_place_of(home, keys_of(number), &others).await);
        }
        Self { homes, liars, leads: (0, 0) }
    }

    /// Two blocks at the next height, each of which takes the day's limit to the last wei.
    async fn futures(&mut self, witness: &Station) -> [Future; 2] {
        let state = state_of(witness).await;
        self.leads = self.turn(&state);
        // Ahead of the clock, as far as honest nodes let it be: a busy machine takes its time to tell.
        let time = witness.now().await.plus_seconds(AHEAD_SECONDS);
        let future = async |first: u64| {
            let transfer = |nonce| ether(FRIEND, ETHER - fee(), first + nonce);
            let limit = LIMIT as u64;
            let actions = (0..limit).map(transfer).chain([ether(FRIEND, 1, first + limit)]);
            let intents: Vec<Intent> = actions.map(|it| witness.intent("desk", it, time)).collect();
            let entry = state.admit(witness.entry(intents.clone())).expect("the desk's own");
            let leader = self.liars[self.leads.0].name();
            let applied = propose(&state, time, leader, &[entry], &Strict::default());
            let allowed = applied.decisions.iter().filter(|it| matches!(it.outcome, Outcome::Allow(_)));
            assert_eq!(allowed.count(), LIMIT, "and not one wei more");
            Future { intents, applied }
        };
        [future(0).await, future(LIMIT as u64).await]
    }

    /// The first round of the next height that a liar leads.
    fn turn(&self, state: &State) -> (usize, u32) {
        let nodes = &state.roster().nodes;
        let last = state.proposer().and_then(|name| nodes.iter().position(|it| it.name == *name));
        let leader = |round: u32| (last.unwrap_or_default() + round as usize) % nodes.len();
        let round = (0..).find(|round| leader(*round) < self.liars.len()).expect("a turn of each");
        (leader(round), round)
    }

    /// Tells one side its future, with all their votes; its first node hears of the other one, too.
    async fn tell(&self, side: &[Station], future: &Future, other: &Future) {
        let ((leader, round), block) = (self.leads, &future.applied.block);
        let (height, header) = (block.header.height, block.header.digest());
        let elsewhere = other.applied.block.header.digest();
        for (index, station) in side.iter().enumerate() {
            for earlier in 0..round {
                self.vote(station, Step::Prevote, (height, earlier), None).await;
                self.vote(station, Step::Precommit, (height, earlier), None).await;
            }
            self.liars[leader].say(station, self.liars[leader].proposal(round, block)).await;
            self.vote(station, Step::Prevote, (height, round), Some(header)).await;
            if index == 0 {
                self.vote(station, Step::Prevote, (height, round), Some(elsewhere)).await;
            }
            self.vote(station, Step::Precommit, (height, round), Some(header)).await;
        }
    }

    /// One side's log goes on; the other side hears of it from that side's honest node, and its past is another.
    async fn go_on(&self, side: &Station, state: &State) {
        let tick = state.admit(Entry::Tick).expect("a tick");
        let leader = &self.liars[self.leads.0];
        // The last block is ahead of the clock already: this one as little more as can be.
        let time = state.time().plus_seconds(1);
        let block = propose(state, time, leader.name(), &[tick], &Strict::default()).block;
        let (place, header) = ((block.header.height, 0), block.header.digest());
        leader.say(side, leader.proposal(0, &block)).await;
        self.vote(side, Step::Prevote, place, Some(header)).await;
        self.vote(side, Step::Precommit, place, Some(header)).await;
    }

    async fn vote(&self, to: &Station, step: Step, place: (u64, u32), header: Option<keystead_base::Digest>) {
        for liar in &self.liars {
            liar.say(to, Message::Ballot(liar.ballot(step, place, header))).await;
        }
    }

    /// Has an enclave sign each future, and the chain execute what they signed.
    async fn cash(&self, honest: &[Station], sides: [&Station; 2], futures: &[Future; 2]) -> Loot {
        let mut chain = Devnet::new(CHAIN.0, BIRTH.seconds());
        chain.fund(sides[0].account().await, U256::from(1_000 * ETHER));
        let (mut signed, mut refused) = (0_u128, None);
        for (side, future) in sides.into_iter().zip(futures) {
            let mut enclave = self.enclave(side, honest).await;
            for (intent, decision) in future.intents.iter().zip(&future.applied.decisions).take(LIMIT) {
                let certificate = self.certificate(side, intent, decision, future).await;
                match enclave.sign(&certificate, &intent.action) {
                    Ok(transaction) => {
                        chain.execute_raw(&transaction.raw).expect("a transaction that the chain takes");
                        signed += 1;
                    }
                    Err(code) => refused = Some(code),
                }
            }
        }
        let left = chain.balance(FRIEND) + U256::from(signed * fee());
        match (left.checked_sub(U256::from(LIMIT as u128 * ETHER)), refused) {
            (Some(beyond), Some(code)) if beyond.is_zero() => Loot::refused(code),
            (beyond, _) => Loot::stolen(beyond.unwrap_or_default(), "wei beyond the limit of the day"),
        }
    }

    /// An enclave that follows one side's log, and hears from those on that side that nothing is newer.
    async fn enclave(&self, side: &Station, honest: &[Station]) -> Captive {
        let mut enclave = Captive::of(&self.homes[0]).await;
        let head = head_of(side).await;
        let answer = async |nonce| {
            let mut words: Vec<_> = self.liars.iter().map(|it| it.fresh_word(nonce, head.clone())).collect();
            for station in honest {
                if header_at(station, head.header.height).await == head.header.digest() {
                    let asked = as_node(station, &keys_of(1)).fresh_head(nonce).await;
                    words.push(asked.expect("an honest word"));
                }
            }
            FreshAnswer::gather(words).expect("words")
        };
        enclave.confirm(answer).await.expect("a quorum's word");
        enclave
    }

    /// What the side's log says of a request; where it says nothing, what the liars' own votes make of it.
    async fn certificate(
        &self,
        station: &Station,
        intent: &Intent,
        decision: &Decision,
        future: &Future,
    ) -> Certificate {
        let committed = station.client("eve").await.certificate(intent.id()).await.expect("an answer");
        committed.unwrap_or_else(|| {
            let Applied { block, decisions, .. } = &future.applied;
            let index = decisions.iter().position(|it| it == decision).expect("one of them");
            let proof = Inclusion::prove(&leaves(decisions), index).expect("a place");
            let place = (block.header.height, self.leads.1);
            let vote = |liar: &Liar| {
                let ballot = liar.ballot(Step::Precommit, place, Some(block.header.digest()));
                VoteSignature { node: ballot.node, signature: ballot.signature }
            };
            let votes = self.liars.iter().map(vote).collect();
            let commit = Commit { header: block.header.clone(), round: self.leads.1, votes };
            Certificate { commit, decision: decision.clone(), proof }
        })
    }
}
