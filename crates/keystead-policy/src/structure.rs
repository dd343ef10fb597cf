//! What the types of a policy version do not say: order, limits, and names that must exist.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};

use keystead_base::{Amount, Name};
use keystead_intent::{Asset, ChainId};

use crate::limits::{MAX_ADDRESSES, MAX_CHAINS, MAX_INNER, MAX_SOURCES, MAX_SPAN_SECONDS, MAX_WINDOWS};
use crate::{
    AddressEntry, AssuranceCap, Measure, PolicyError, PolicyVersion, PriceRule, Timing, Window, approvers,
    membership,
};

/// Checks a version from top to bottom.
pub(crate) fn check(version: &PolicyVersion) -> Result<(), PolicyError> {
    membership::check(&version.roster)?;
    ascending("rules", version.rules.iter().map(|rule| &rule.id))?;
    check_chains(&version.chains)?;
    let known = Known::of(version);
    check_registry(version, &known)?;
    check_book(&version.address_book, &known)?;
    version.prices.as_ref().map_or(Ok(()), check_prices)?;
    at_most("the list of windows", version.windows.len(), MAX_WINDOWS)?;
    ascending("windows", version.windows.iter().map(|window| &window.id))?;
    version.windows.iter().try_for_each(|window| check_window(window, &known))?;
    approvers::check(version, &known)?;
    check_caps(&version.caps, &known)?;
    check_timing(&version.timing)
}

/// What other parts may refer to.
pub(crate) struct Known {
    chains: BTreeSet<ChainId>,
    assets: BTreeSet<(ChainId, Asset)>,
    has_prices: bool,
}

impl Known {
    fn of(version: &PolicyVersion) -> Self {
        Self {
            chains: version.chains.iter().copied().collect(),
            assets: version.assets.iter().map(|it| (it.chain, it.asset)).collect(),
            has_prices: version.prices.is_some(),
        }
    }

    pub(crate) fn check_chain(&self, by: impl Display, chain: ChainId) -> Result<(), PolicyError> {
        let missing = || unknown(by, "chain", chain);
        if self.chains.contains(&chain) { Ok(()) } else { Err(missing()) }
    }

    pub(crate) fn check_measure(&self, by: &Name, measure: Measure) -> Result<(), PolicyError> {
        match measure {
            Measure::Count => Ok(()),
            Measure::Fiat if self.has_prices => Ok(()),
            Measure::Fiat => Err(unknown(by, "price rule for", "fiat")),
            Measure::Asset { chain, asset: Asset::Native } => self.check_chain(by, chain),
            Measure::Asset { chain, asset: Asset::Token(token) } => {
                self.check_chain(by, chain)?;
                let is_listed = self.assets.contains(&(chain, Asset::Token(token)));
                if is_listed { Ok(()) } else { Err(unknown(by, "asset", Place(chain, token))) }
            }
        }
    }
}

/// A chain and an address, shown as CAIP-10 writes an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(ChainId, alloy_primitives::Address);

impl Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.0, self.1)
    }
}

/// A list that ascends strictly has one order, and nothing twice.
pub(crate) fn ascending<T: Ord + Debug>(
    list: &'static str,
    items: impl IntoIterator<Item = T>,
) -> Result<(), PolicyError> {
    let items: Vec<T> = items.into_iter().collect();
    for (first, second) in items.iter().zip(items.iter().skip(1)) {
        if first >= second {
            let (first, second) = (format!("{first:?}"), format!("{second:?}"));
            return Err(PolicyError::Order { list, first, second });
        }
    }
    Ok(())
}

/// A short list inside an element.
pub(crate) fn inner<T: Ord + Debug>(list: &'static str, items: &[T]) -> Result<(), PolicyError> {
    at_most(list, items.len(), MAX_INNER)?;
    ascending(list, items)
}

pub(crate) fn at_most(what: &'static str, found: usize, limit: usize) -> Result<(), PolicyError> {
    if found > limit { Err(PolicyError::TooMany { what, limit, found }) } else { Ok(()) }
}

pub(crate) fn unknown(by: impl Display, kind: &'static str, found: impl Display) -> PolicyError {
    PolicyError::Unknown { by: by.to_string(), kind, found: found.to_string() }
}

pub(crate) fn not_zero(what: &'static str, name: impl Display, value: u64) -> Result<(), PolicyError> {
    let zero = || PolicyError::Empty { what, name: name.to_string(), found: "zero" };
    if value == 0 { Err(zero()) } else { Ok(()) }
}

pub(crate) fn within(what: &'static str, found: u64, limit: u64) -> Result<(), PolicyError> {
    let too_large = || PolicyError::TooLarge { what, limit: Amount::from(limit), found: Amount::from(found) };
    if found > limit { Err(too_large()) } else { Ok(()) }
}

/// INVARIANT S8: chain id 0 is no chain; it is what makes an authorization valid everywhere.
fn check_chains(chains: &[ChainId]) -> Result<(), PolicyError> {
    at_most("the list of chains", chains.len(), MAX_CHAINS)?;
    ascending("chains", chains)?;
    chains.iter().try_for_each(|chain| {
        not_zero("the number", chain, chain.0)?;
        within("a chain id", chain.0, i64::MAX.unsigned_abs())
    })
}

/// That each means one thing is the registry's own check; here: in order, on chains that exist.
fn check_registry(version: &PolicyVersion, known: &Known) -> Result<(), PolicyError> {
    ascending("assets", version.assets.iter().map(|it| (it.chain, it.asset)))?;
    ascending("contracts", version.contracts.iter().map(|it| Place(it.chain, it.address)))?;
    let assets = version.assets.iter().map(|it| Place(it.chain, it.address()));
    let contracts = version.contracts.iter().map(|it| Place(it.chain, it.address));
    assets.chain(contracts).try_for_each(|place| known.check_chain(place, place.0))
}

/// One name on one chain is one address: two could be taken for each other.
fn check_book(book: &[AddressEntry], known: &Known) -> Result<(), PolicyError> {
    at_most("the address book", book.len(), MAX_ADDRESSES)?;
    ascending("the address book", book.iter().map(|it| Place(it.chain, it.address)))?;
    let mut names = BTreeSet::new();
    for entry in book {
        known.check_chain(&entry.name, entry.chain)?;
        if !names.insert((entry.chain, &entry.name)) {
            let (first, second) = (entry.name.to_string(), Place(entry.chain, entry.address).to_string());
            return Err(PolicyError::Shared { what: "name in the address book", first, second });
        }
    }
    Ok(())
}

fn check_prices(rule: &PriceRule) -> Result<(), PolicyError> {
    at_most("the list of price sources", rule.sources.len(), MAX_SOURCES)?;
    ascending("price sources", rule.sources.iter().map(|source| &source.name))?;
    let mut keys = std::collections::BTreeMap::new();
    for source in &rule.sources {
        if let Some(first) = keys.insert(&source.key, &source.name) {
            let (first, second) = (first.to_string(), source.name.to_string());
            return Err(PolicyError::Shared { what: "signing key", first, second });
        }
    }
    let sources = rule.sources.len();
    if rule.agree == 0 || usize::try_from(rule.agree).unwrap_or(usize::MAX) > sources {
        return Err(PolicyError::Agree { sources, found: rule.agree });
    }
    not_zero("the greatest age", "prices", rule.max_age_seconds)?;
    let is_currency = rule.currency.len() == 3 && rule.currency.bytes().all(|it| it.is_ascii_uppercase());
    if is_currency { Ok(()) } else { Err(unknown("prices", "currency (ISO 4217)", &rule.currency)) }
}

fn check_window(window: &Window, known: &Known) -> Result<(), PolicyError> {
    inner("a window's keys", &window.keys)?;
    inner("a window's chains", &window.chains)?;
    inner("a window's destinations", &window.destinations)?;
    window.chains.iter().try_for_each(|chain| known.check_chain(&window.id, *chain))?;
    inner("a window's dimensions", &window.per)?;
    known.check_measure(&window.id, window.measure)?;
    not_zero("the limit", &window.id, if window.limit == Amount::ZERO { 0 } else { 1 })?;
    not_zero("the span", &window.id, window.span_seconds)?;
    within("a window's span in seconds", window.span_seconds, MAX_SPAN_SECONDS)
}

fn check_caps(caps: &[AssuranceCap], known: &Known) -> Result<(), PolicyError> {
    at_most("the list of caps", caps.len(), MAX_INNER)?;
    ascending("caps", caps.iter().map(|cap| (cap.level, cap.measure)))?;
    caps.iter().try_for_each(|cap| match cap.measure {
        Measure::Count => Err(PolicyError::Measure { what: "the cap", name: cap.level.to_string() }),
        Measure::Fiat if !known.has_prices => Err(unknown("caps", "price rule for", "fiat")),
        Measure::Asset { chain, .. } => known.check_chain("caps", chain),
        Measure::Fiat => Ok(()),
    })
}

fn check_timing(timing: &Timing) -> Result<(), PolicyError> {
    not_zero("the longest lifetime", "timing", timing.max_lifetime_seconds)?;
    not_zero("the certificate's span", "timing", timing.certificate_seconds)?;
    within("the longest lifetime in seconds", timing.max_lifetime_seconds, MAX_SPAN_SECONDS)?;
    within("the certificate's span in seconds", timing.certificate_seconds, timing.max_lifetime_seconds)?;
    within("the clocks' skew in seconds", timing.skew_seconds, timing.max_lifetime_seconds)
}

#[cfg(test)]
mod tests {
    use keystead_base::{Coded as _, Timestamp};
    use keystead_intent::{ContractEntry, ContractKind, DangerClass};

    use super::*;
    use crate::fixture::{
        CHAIN, FRIEND, STRANGER, UNLISTED, name, native, node, person, row, rule, version, window,
    };
    use crate::{Engine, Need, Person, Threshold};

    type Change = fn(&mut PolicyVersion);

    fn code(change: Change) -> String {
        let mut version = version();
        change(&mut version);
        Engine::compile(version)
            .map_or_else(|error| format!("{} | {error}", error.code()), |_| "fine".to_owned())
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
            (|it| it.roster.people.swap(0, 1), "policy.order"),
            (|it| it.roster.people[0].roles.swap(0, 1), "policy.order"),
            (|it| it.quorums[0].classes.reverse(), "policy.order"),
            (|it| it.windows[0].keys = vec![name("b"), name("a")], "policy.order"),
            (|it| it.prices.as_mut().unwrap().sources.swap(0, 1), "policy.order"),
            (|it| it.quorums[1].needs = vec![it.quorums[1].needs[0].clone(); 2], "policy.order"),
        ]);
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

    fn contract(chain: ChainId) -> ContractEntry {
        ContractEntry { chain, address: STRANGER, name: name("safe"), kind: ContractKind::Safe }
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
        let authority = |it: &mut PolicyVersion| {
            it.quorums.iter().position(|row| row.id.as_str() == "authority").unwrap()
        };
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
        assert!(
            version().address_book.iter().any(|it| it.address == FRIEND && it.usable_from == Timestamp(0))
        );
    }
}
