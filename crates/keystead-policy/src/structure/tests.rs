//! Each thing that a policy version must keep, broken once.

use keystead_base::{Coded as _, Timestamp};
use keystead_intent::{ChangeKind, ContractEntry, ContractKind, DangerClass};

use super::*;
use crate::fixture::{
    CHAIN, FRIEND, STRANGER, UNLISTED, fee_cap, name, native, node, person, row, rule, simulation_rule,
    version, window,
};
use crate::{AssuranceLevel, Engine, Feature, FeeCap, Need, Person, Threshold};

type Change = fn(&mut PolicyVersion);

fn code(change: Change) -> String {
    let mut version = version();
    change(&mut version);
    Engine::compile(version).map_or_else(|error| format!("{} | {error}", error.code()), |_| "fine".to_owned())
}

fn check_all(cases: &[(Change, &str)]) {
    for (place, (change, expected)) in cases.iter().enumerate() {
        let found = code(*change);
        assert!(found.starts_with(expected), "case {place}: expected {expected}, found {found}");
    }
}

#[test]
fn lists_have_one_order_and_nothing_twice() {
    check_all(&[
        (|_| {}, "fine"),
        (|it| it.rules.swap(0, 1), "policy.order"),
        (|it| it.rules[1] = it.rules[0].clone(), "policy.order"),
        (|it| it.windows.swap(0, 1), "policy.order"),
        (|it| it.quorums.swap(0, 1), "policy.order"),
        (|it| it.address_book.swap(0, 1), "policy.order"),
        (|it| it.assets.swap(0, 1), "policy.order"),
        (|it| it.chains.swap(0, 1), "policy.order"),
        (|it| it.caps.push(it.caps[0].clone()), "policy.order"),
        (|it| it.fresh_heads.push(it.fresh_heads[0]), "policy.order"),
        (|it| it.fee_caps = vec![fee_cap("b"), fee_cap("a")], "policy.order"),
        (|it| it.fee_caps = vec![FeeCap { chains: vec![ChainId(9)], ..fee_cap("a") }], "policy.unknown"),
        (
            |it| {
                let none = FeeCap { max_fee_per_gas: None, max_priority_fee_per_gas: None, ..fee_cap("a") };
                it.fee_caps = vec![none];
            },
            "policy.empty",
        ),
        (
            |it| {
                it.prices = None;
                it.windows.clear();
                it.fee_caps = vec![FeeCap { fee_fiat: Some(Amount::MAX), ..fee_cap("a") }];
            },
            "policy.unknown",
        ),
        (|it| it.roster.people.swap(0, 1), "policy.order"),
        (|it| it.roster.people[0].roles.swap(0, 1), "policy.order"),
        (|it| it.quorums[0].classes.reverse(), "policy.order"),
        (|it| it.windows[0].keys = vec![name("b"), name("a")], "policy.order"),
        (|it| it.prices.as_mut().unwrap().sources.swap(0, 1), "policy.order"),
        (|it| it.quorums[1].needs = vec![it.quorums[1].needs[0].clone(); 2], "policy.order"),
    ]);
}

/// INVARIANT S8: no two networks on which one signature would be good.
#[test]
fn s08_one_test_network_of_bitcoin_at_a_time() {
    let with = |networks: &[ChainId]| {
        let mut version = version();
        version.chains.extend(networks);
        Engine::compile(version).map(|_| ()).map_err(|error| error.code())
    };
    let (main, test, regtest) =
        (ChainId::BITCOIN_MAINNET, ChainId::BITCOIN_TESTNET4, ChainId::BITCOIN_REGTEST);
    for networks in [&[main][..], &[main, test], &[main, ChainId::BITCOIN_SIGNET], &[regtest]] {
        assert_eq!(with(networks), Ok(()), "{networks:?}");
    }
    for networks in [&[main, test, regtest][..], &[test, ChainId::BITCOIN_SIGNET]] {
        assert_eq!(with(networks), Err("policy.test_networks"), "{networks:?}");
    }
}

/// INVARIANT S8: a message of Solana's is good on every cluster, so policy has one.
#[test]
fn s08_one_cluster_of_solana_at_a_time() {
    let with = |clusters: &[ChainId]| {
        let mut version = version();
        version.chains.extend(clusters);
        Engine::compile(version).map(|_| ()).map_err(|error| error.code())
    };
    let [main, dev] = [ChainId::SOLANA_MAINNET, ChainId::SOLANA_DEVNET];
    for clusters in [&[main][..], &[dev], &[ChainId::BITCOIN_MAINNET, ChainId::BITCOIN_REGTEST, dev]] {
        assert_eq!(with(clusters), Ok(()), "{clusters:?}");
    }
    for clusters in [&[main, dev][..], &[dev, ChainId::SOLANA_LOCALNET]] {
        assert_eq!(with(clusters), Err("policy.test_networks"), "{clusters:?}");
    }
}

/// INVARIANT S8: nor does a transaction of NEAR's name its network.
#[test]
fn s08_one_network_of_near_at_a_time() {
    let with = |networks: &[ChainId]| {
        let mut version = version();
        version.chains.extend(networks);
        Engine::compile(version).map(|_| ()).map_err(|error| error.code())
    };
    let (main, test) = (ChainId::NEAR_MAINNET, ChainId::NEAR_TESTNET);
    assert_eq!((with(&[main]), with(&[ChainId::SOLANA_DEVNET, test])), (Ok(()), Ok(())));
    assert_eq!(with(&[main, test]), Err("policy.test_networks"));
}

#[test]
fn what_is_referred_to_exists() {
    check_all(&[
        (|it| it.windows[0].chains = vec![ChainId(5)], "policy.unknown"),
        (|it| it.address_book[0].chain = ChainId(0), "policy.unknown"),
        (|it| it.assets[2].chain = ChainId(11), "policy.unknown"),
        (|it| it.contracts.push(contract(ChainId(2))), "policy.unknown"),
        (|it| it.contracts.push(contract(CHAIN)), "fine"),
        (|it| it.prices = None, "policy.unknown"),
        (
            |it| it.windows[0].measure = Measure::Asset { chain: CHAIN, asset: Asset::Token(UNLISTED) },
            "policy.unknown",
        ),
        (|it| it.quorums[1].vetoers = vec![name("nobody")], "policy.unknown"),
        (
            |it| it.rules.push(rule("z", "forbid(principal == Member::\"mallory\", action, resource);")),
            "policy.unknown",
        ),
        (|it| it.prices.as_mut().unwrap().currency = "usd".to_owned(), "policy.unknown"),
    ]);
}

/// A row for a change of authority, changed once.
fn wiping(change: fn(&mut crate::QuorumRow)) -> crate::QuorumRow {
    let mut row = row("wipe", &[], &[DangerClass::Authority], None, &[("founder", 2)], 60);
    row.changes = vec![ChangeKind::DestroyKey];
    change(&mut row);
    row
}

fn leaving(delay_seconds: u64) -> crate::QuorumRow {
    crate::QuorumRow { changes: vec![ChangeKind::ExitKey], delay_seconds, ..wiping(|_| {}) }
}

#[test]
fn s09_what_cannot_be_undone_needs_people_a_delay_and_a_veto() {
    check_all(&[
        (|it| it.quorums.push(wiping(|_| {})), "fine"),
        (|it| it.quorums.push(wiping(|row| row.delay_seconds = 0)), "policy.destruction"),
        (|it| it.quorums.push(wiping(|row| row.vetoers.clear())), "policy.destruction"),
        (|it| it.quorums.push(wiping(|row| row.needs.clear())), "policy.destruction"),
        (|it| it.quorums.push(leaving(60)), "fine"),
        (|it| it.quorums.push(leaving(0)), "policy.destruction"),
        (|it| it.quorums.push(wiping(|row| row.classes.insert(0, DangerClass::Transfer))), "policy.changes"),
        (|it| it.quorums.push(wiping(|row| row.changes.insert(0, ChangeKind::DestroyKey))), "policy.order"),
        // A row for one change is no row for all: thawing must take two people.
        (|it| it.quorums[1].changes = vec![ChangeKind::Thaw], "policy.authority"),
    ]);
}

#[test]
fn a_demand_for_protections_is_ordered_and_says_something() {
    fn demand(it: &mut PolicyVersion, features: Vec<Feature>) {
        it.protections.push(RequiredProtections { level: AssuranceLevel::Process, features });
    }
    check_all(&[
        (|it| demand(it, vec![Feature::SecretMemory, Feature::Seccomp]), "fine"),
        (|it| demand(it, vec![Feature::Seccomp, Feature::SecretMemory]), "policy.order"),
        (|it| demand(it, vec![]), "policy.empty"),
        (
            |it| {
                demand(it, vec![Feature::Seccomp]);
                demand(it, vec![Feature::Landlock]);
            },
            "policy.order",
        ),
        (|it| it.timing.cool_off_seconds = u64::MAX, "policy.too_large"),
    ]);
}

fn contract(chain: ChainId) -> ContractEntry {
    ContractEntry { chain, address: STRANGER, name: name("safe"), kind: ContractKind::Safe }
}

fn wait_for_runs(version: &mut PolicyVersion, wait_seconds: u64) {
    version.simulation = Some(SimulationRule { wait_seconds, ..simulation_rule() });
}

/// A home that is down or lies must not be able to have every request of its keys denied.
#[test]
fn d03_every_node_has_its_turn_twice_before_a_run_is_unknown() {
    for (nodes, least) in [(1, 30), (11, 30), (12, 32), (64, 136)] {
        for wait in [least - 1, least] {
            let mut version = version();
            wait_for_runs(&mut version, wait);
            let rule = version.simulation.as_ref().unwrap();
            let checked = check_simulation(rule, &Known::of(&version), nodes).map_err(|error| error.code());
            let expected = if wait < least { Err("policy.too_small") } else { Ok(()) };
            assert_eq!(checked, expected, "{nodes} nodes, {wait} s");
        }
    }
}

#[test]
fn what_is_run_unasked_is_waited_for_no_longer_than_what_is_asked() {
    fn simulate(version: &mut PolicyVersion, simulate: Simulate) {
        version.simulation = Some(SimulationRule { simulate, ..simulation_rule() });
    }
    check_all(&[
        (|it| simulate(it, Simulate::Always { wait_seconds: 30 }), "fine"),
        (|it| simulate(it, Simulate::Shown { wait_seconds: 1 }), "fine"),
        (|it| simulate(it, Simulate::Always { wait_seconds: 31 }), "policy.too_large"),
        (|it| simulate(it, Simulate::Shown { wait_seconds: 0 }), "policy.empty"),
        (
            |it| {
                simulate(it, Simulate::Shown { wait_seconds: 1 });
                it.simulation.iter_mut().for_each(|rule| rule.classes = vec![DangerClass::Opaque]);
            },
            "policy.too_large",
        ),
    ]);
}

#[test]
fn numbers_are_within_their_limits() {
    check_all(&[
        (|it| it.windows[0].limit = Amount::ZERO, "policy.empty"),
        (|it| it.windows[0].span_seconds = 0, "policy.empty"),
        (|it| it.windows[0].span_seconds = u64::MAX, "policy.too_large"),
        (|it| it.quorums[0].classes.clear(), "policy.empty"),
        (|it| it.quorums[0].delay_seconds = u64::MAX, "policy.too_large"),
        (|it| it.quorums[1].needs[0].count = 0, "policy.empty"),
        (|it| it.quorums[1].needs[0].count = 65, "policy.too_many"),
        (|it| it.quorums[1].needs[0].count = 4, "policy.unsatisfiable"),
        (
            |it| it.quorums[4].from = Some(Threshold { measure: Measure::Count, amount: Amount::MAX }),
            "policy.measure",
        ),
        (|it| it.caps[0].measure = Measure::Count, "policy.measure"),
        (|it| it.timing.max_lifetime_seconds = 0, "policy.empty"),
        (|it| it.timing.certificate_seconds = 0, "policy.empty"),
        (|it| it.timing.skew_seconds = 86_401, "policy.too_large"),
        (|it| wait_for_runs(it, 0), "policy.too_small"),
        (|it| wait_for_runs(it, 29), "policy.too_small"),
        (|it| wait_for_runs(it, 30), "fine"),
        (|it| it.prices.as_mut().unwrap().agree = 0, "policy.agree"),
        (|it| it.prices.as_mut().unwrap().agree = 4, "policy.agree"),
        (|it| it.chains.insert(0, ChainId(0)), "policy.empty"),
        (|it| it.chains.push(ChainId(u64::MAX)), "policy.too_large"),
        (|it| it.assets[1].symbol = String::new(), "policy.registry"),
        (
            |it| {
                it.windows = (0..1025)
                    .map(|n| window(&format!("w{n:04}"), vec![], native(), &[], Amount::MAX))
                    .collect()
            },
            "policy.too_many",
        ),
    ]);
}

#[test]
fn s11_names_and_keys_belong_to_one_member_each() {
    check_all(&[
        (|it| it.roster.services[0].name = name("ana"), "policy.shared"),
        (|it| it.roster.nodes[0].name = name("ana"), "policy.shared"),
        (
            |it| it.roster.people[1].devices[0].key = it.roster.people[0].devices[0].key.clone(),
            "policy.shared",
        ),
        (|it| it.roster.people[1].devices[0].transport = it.roster.nodes[0].transport, "policy.shared"),
        (|it| it.address_book[1].name = name("friend"), "policy.shared"),
        (|it| it.roster.people[0].recipient = Some(vec![0; 3]), "policy.too_many"),
        (
            |it| {
                it.prices.as_mut().unwrap().sources[1].key =
                    it.prices.as_ref().unwrap().sources[0].key.clone()
            },
            "policy.shared",
        ),
    ]);
}

#[test]
fn a_quorum_is_a_majority_and_no_more_than_all() {
    for (nodes, quorum, fine) in [
        (1, 1, true),
        (1, 0, false),
        (1, 2, false),
        (3, 1, false),
        (3, 2, true),
        (4, 2, false),
        (4, 3, true),
        (4, 4, true),
        (4, 5, false),
    ] {
        let mut version = version();
        version.roster.quorum = quorum;
        version.roster.nodes = (0..nodes).map(|n| node(&format!("node-{n}"), 60 + n)).collect();
        let found = Engine::compile(version).map(|_| ()).map_err(|error| error.code());
        assert_eq!(found, if fine { Ok(()) } else { Err("policy.quorum") }, "{quorum} of {nodes}");
    }
}

#[test]
fn s14_authority_takes_more_people_than_a_freeze() {
    let authority =
        |it: &mut PolicyVersion| it.quorums.iter().position(|row| row.id.as_str() == "authority").unwrap();
    let people = |count: usize| -> Vec<Person> {
        ["ana", "ben", "cleo", "dan"]
            .iter()
            .zip(70..)
            .take(count)
            .map(|(who, byte)| person(who, byte, &["approver", "vetoer"]))
            .collect()
    };
    for (members, needed, expected) in [
        (4, 2, Ok(())),
        (4, 1, Err("policy.authority")),
        (3, 1, Err("policy.authority")),
        (2, 1, Ok(())),
        (2, 2, Ok(())),
        (1, 1, Ok(())),
        (0, 1, Err("policy.unknown")),
    ] {
        let mut version = version();
        version.roster.people = people(members);
        version.quorums.iter_mut().for_each(|row| row.needs.truncate(0));
        let place = authority(&mut version);
        version.quorums[place].needs =
            vec![Need { role: name("approver"), count: needed, factors: Vec::new() }];
        let found = Engine::compile(version).map(|_| ()).map_err(|error| error.code());
        assert_eq!(found, expected, "{needed} of {members}");
    }
    check_all(&[
        (|it| it.quorums.retain(|row| row.id.as_str() != "authority"), "policy.authority"),
        (|it| it.quorums[1].keys = vec![name("hot")], "policy.authority"),
        (
            |it| it.quorums[1].from = Some(Threshold { measure: native(), amount: Amount::MAX }),
            "policy.authority",
        ),
        // Each row alone could be satisfied; both together never.
        (
            |it| {
                it.quorums.push(row("zeal", &[], &[DangerClass::Authority], None, &[("founder", 2)], 0));
            },
            "policy.unsatisfiable",
        ),
    ]);
}

#[test]
fn sorting_makes_what_people_wrote_acceptable() {
    let mut shuffled = version();
    shuffled.rules.reverse();
    shuffled.quorums.reverse();
    shuffled.chains.reverse();
    shuffled.roster.people.reverse();
    shuffled.roster.people[0].roles.reverse();
    shuffled.quorums[0].classes.reverse();
    assert_eq!(shuffled.into_canonical(), version());
    assert!(version().address_book.iter().any(|it| it.address == FRIEND && it.usable_from == Timestamp(0)));
}
