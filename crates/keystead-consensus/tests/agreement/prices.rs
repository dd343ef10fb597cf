//! Prices that some nodes hold and others do not: what is voted for, and that the log goes on.

use keystead_base::{Name, Signed, Timestamp};
use keystead_consensus::{Input, Limits};
use keystead_decision::Entry;
use keystead_fixture::{CHAIN, Member, name};
use keystead_intent::Asset;
use keystead_policy::{Price, PriceRule, PriceSource};

use crate::Net;

impl Net {
    /// An older price reaches a node, which proposes it; everybody hears of it.
    fn propose_price(&mut self, at: &Name, dollars: u64, moment: Timestamp) {
        let entry = price(dollars, moment);
        let admitted = self.places[at].replica.state().admit(entry).unwrap();
        self.step(at, Input::Submit { from: None, entries: vec![admitted] });
        self.deliver();
    }

    /// A price of so many dollars reaches these nodes from their own clients, and nobody tells another.
    fn quote(&mut self, at: &[Name], dollars: u64, age_seconds: u64) {
        let entry = price(dollars, self.now.minus_seconds(age_seconds));
        for node in at {
            let admitted = self.places[node].replica.state().admit(entry.clone()).unwrap();
            self.step(node, Input::Submit { from: None, entries: vec![admitted] });
        }
        self.mail.clear();
    }
}

/// What the oracle said of one ether at a moment.
fn price(dollars: u64, at: Timestamp) -> Entry {
    let body = Price {
        chain: CHAIN,
        asset: Asset::Native,
        currency: "USD".to_owned(),
        micro_per_unit: dollars * 1_000_000,
        decimals: 18,
        at,
    };
    Entry::Price(Signed::new(body, name("oracle"), &oracle().signer).unwrap())
}

fn oracle() -> Member {
    Member::new("oracle", 70)
}

/// Four nodes whose limits count in money, and a price of 2,000 dollars in the log.
fn priced() -> (Net, Name, Vec<Name>) {
    let mut net = Net::founded(4, 3, Limits::default(), |policy| {
        policy.prices = Some(PriceRule {
            currency: "USD".to_owned(),
            sources: vec![PriceSource { name: name("oracle"), key: oracle().signer.public().clone() }],
            agree: 1,
            max_age_seconds: 60,
            max_spread_bps: 100,
            tolerance_bps: 200,
        });
    });
    let all: Vec<Name> = net.places.keys().cloned().collect();
    net.quote(&all, 2_000, 10);
    for _ in 0..20 {
        net.run_out();
    }
    assert_eq!(net.heights(), vec![1; 4]);
    let leader = net.places[&all[0]].blocks[0].commit.header.proposer.clone();
    let others = all.into_iter().filter(|it| *it != leader).collect();
    (net, leader, others)
}

/// A proposer that keeps the newest price back counts with an older one that has not expired, far from what all
/// others hold: nobody votes for its block, and the next one has both prices.
#[test]
fn s10_a_proposer_that_withholds_the_newest_price_is_outvoted() {
    for (held, seconds, objected) in
        [(3_000, 3, true), (1_000, 3, true), (2_040, 3, false), (3_000, 1, false)]
    {
        let (mut net, leader, others) = priced();
        net.quote(&others, held, 0);
        net.now = net.now.plus_seconds(seconds);
        net.objections.clear();
        let old = net.now.0 - seconds * 1_000;
        net.propose_price(&leader, 2_000, Timestamp(old).minus_seconds(5));
        let found = net.objections.iter().filter(|it| *it == "price.tolerance").count();
        assert_eq!(
            found,
            if objected { 3 } else { 0 },
            "{held} dollars for {seconds} s: {:?}",
            net.objections
        );
        assert_eq!(net.heights(), vec![if objected { 1 } else { 2 }; 4], "{held} dollars for {seconds} s");
        if !objected {
            continue;
        }
        for _ in 0..20 {
            net.run_out();
        }
        let newest = net.places[&leader].blocks.iter().flat_map(|it| &it.applied.block.entries);
        let counted: Vec<u64> = newest.filter_map(dollars).collect();
        assert!(counted.contains(&held), "the next proposer has it: {counted:?}");
    }
}

/// Whoever floods the nodes with prices that jump delays the log by one turn of everybody, and stops it never.
#[test]
fn d03_a_price_that_nobody_proposes_does_not_stop_the_log() {
    let (mut net, leader, others) = priced();
    net.quote(&others, 3_000, 0);
    net.now = net.now.plus_seconds(3);
    let old = net.now.minus_seconds(8);
    net.smuggled = vec![price(2_000, old)];
    net.propose_price(&leader, 2_000, old);
    assert_eq!(net.heights(), vec![1; 4], "{:?}", net.objections);
    for _ in 0..40 {
        net.now = net.now.plus_seconds(1);
        net.run_out();
    }
    let rounds: Vec<_> = net.places.values().filter_map(|it| Some(it.blocks.get(1)?.commit.round)).collect();
    assert!(rounds.len() >= 3 && rounds.iter().all(|round| *round >= 4), "{rounds:?} {:?}", net.objections);
}

fn dollars(entry: &Entry) -> Option<u64> {
    match entry {
        Entry::Price(signed) => Some(signed.body.micro_per_unit / 1_000_000),
        _ => None,
    }
}

/// Prices come first and hold nothing up, not even an entry that is longer than a block and goes alone.
#[test]
fn d03_prices_do_not_hold_up_an_entry_longer_than_a_block() {
    let (mut net, leader, _) = priced();
    let (long, all) = (net.long_entry(1_280), net.places.keys().cloned().collect::<Vec<_>>());
    net.quote(&all, 2_001, 0);
    for node in &all {
        let admitted = net.places[node].replica.state().admit(long.clone()).unwrap();
        net.step(node, Input::Submit { from: None, entries: vec![admitted] });
    }
    net.mail.clear();
    for _ in 0..20 {
        net.run_out();
        net.deliver();
    }
    // The very next block has it, however many prices wait.
    let next = &net.places[&leader].blocks[1].applied.block.entries;
    assert!(*next == [long], "{} entries: {:?}", next.len(), net.objections);
}
