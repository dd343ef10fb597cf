//! What the types of a policy version do not say: order, limits, and names that must exist.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};

use keystead_base::{Amount, Name};
use keystead_intent::{Asset, ChainId};

use crate::limits::{
    FIRST_RUN_SECONDS, MAX_ADDRESSES, MAX_CHAINS, MAX_INNER, MAX_SOURCES, MAX_SPAN_SECONDS, MAX_WINDOWS,
    MIN_RUN_WAIT_SECONDS, NEXT_RUN_SECONDS,
};
use crate::{
    AddressEntry, AssuranceCap, FeeCap, Measure, PolicyError, PolicyVersion, PriceRule, RequiredProtections,
    Simulate, SimulationRule, Timing, Tolerance, Window, approvers, check_devices, locks, membership,
};

/// Checks a version from top to bottom.
pub(crate) fn check(version: &PolicyVersion) -> Result<(), PolicyError> {
    membership::check(&version.roster)?;
    if version.number == 0 {
        // Those who found a cluster are the first witnesses; later ones are known to the version before.
        check_devices(None, version)?;
    }
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
    check_protections(&version.protections)?;
    ascending("fresh heads", version.fresh_heads.iter().map(|rule| rule.level))?;
    let nodes = version.roster.nodes.len() as u64;
    version.simulation.as_ref().map_or(Ok(()), |rule| check_simulation(rule, &known, nodes))?;
    check_timing(&version.timing)?;
    version.bitcoin.as_ref().map_or(Ok(()), |terms| locks::check(terms, &known))?;
    at_most("the list of fee caps", version.fee_caps.len(), MAX_INNER)?;
    ascending("fee caps", version.fee_caps.iter().map(|cap| &cap.id))?;
    version.fee_caps.iter().try_for_each(|cap| check_fee_cap(cap, &known))?;
    at_most("the list of tolerances", version.tolerances.len(), MAX_INNER)?;
    ascending("tolerances", version.tolerances.iter().map(|it| (it.chain, it.asset)))?;
    version.tolerances.iter().try_for_each(|it| check_tolerance(it, &known))
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
            Measure::Asset { chain, asset } => self.check_asset(by, chain, asset),
        }
    }

    fn check_asset(&self, by: impl Display, chain: ChainId, asset: Asset) -> Result<(), PolicyError> {
        self.check_chain(&by, chain)?;
        match asset {
            Asset::Native => Ok(()),
            Asset::Token(_) if self.assets.contains(&(chain, asset)) => Ok(()),
            Asset::Token(token) => Err(unknown(by, "asset", Place(chain, token))),
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

fn at_least(what: &'static str, found: u64, least: u64) -> Result<(), PolicyError> {
    if found < least { Err(PolicyError::TooSmall { what, least, found }) } else { Ok(()) }
}

/// INVARIANT S8: chain id 0 is no chain; it is what makes an authorization valid everywhere.
fn check_chains(chains: &[ChainId]) -> Result<(), PolicyError> {
    at_most("the list of chains", chains.len(), MAX_CHAINS)?;
    ascending("chains", chains)?;
    check_test_networks(chains)?;
    check_clusters(chains)?;
    chains.iter().try_for_each(|chain| {
        not_zero("the number", chain, chain.0)?;
        within("a chain id", chain.0, i64::MAX.unsigned_abs())
    })
}

/// INVARIANT S8: Bitcoin's test networks have one coin type (SLIP-44), so a key has the same scripts on all of them, and
/// what is signed for one is good on each where such a coin is. So there is one of them at a time.
fn check_test_networks(chains: &[ChainId]) -> Result<(), PolicyError> {
    let mut tests = chains.iter().filter(|it| it.bitcoin().is_some() && **it != ChainId::BITCOIN_MAINNET);
    match (tests.next(), tests.next()) {
        (Some(first), Some(second)) => Err(PolicyError::TestNetworks { first: *first, second: *second }),
        _ => Ok(()),
    }
}

/// INVARIANT S8: no message of Solana's names its cluster, and a key has the same address on all: there is one at a time. Nor does a
/// transaction of NEAR's name its network.
fn check_clusters(chains: &[ChainId]) -> Result<(), PolicyError> {
    one_of(chains, |it| it.solana().is_some())?;
    one_of(chains, |it| it.near().is_some())
}

fn one_of(chains: &[ChainId], kind: impl Fn(&ChainId) -> bool) -> Result<(), PolicyError> {
    let mut found = chains.iter().filter(|it| kind(it));
    match (found.next(), found.next()) {
        (Some(first), Some(second)) => Err(PolicyError::TestNetworks { first: *first, second: *second }),
        _ => Ok(()),
    }
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

/// A cap that caps nothing would seem to.
fn check_fee_cap(cap: &FeeCap, known: &Known) -> Result<(), PolicyError> {
    inner("a fee cap's keys", &cap.keys)?;
    inner("a fee cap's chains", &cap.chains)?;
    cap.chains.iter().try_for_each(|chain| known.check_chain(&cap.id, *chain))?;
    not_zero("the number of ceilings", &cap.id, cap.ceilings().count() as u64)?;
    match cap.fee_fiat {
        Some(_) => known.check_measure(&cap.id, Measure::Fiat),
        None => Ok(()),
    }
}

/// One that tolerates nothing is left out: one form says one thing.
fn check_tolerance(it: &Tolerance, known: &Known) -> Result<(), PolicyError> {
    known.check_asset("tolerances", it.chain, it.asset)?;
    not_zero("the tolerance", it.chain, it.flow_bps.max(it.hold_bps).into())?;
    within("a tolerance of what moves, in basis points,", it.flow_bps.into(), ALL_BPS)?;
    within("a tolerance of what is held, in basis points,", it.hold_bps.into(), ALL_BPS)
}

/// A level without a demand is left out: one form says one thing.
fn check_protections(required: &[RequiredProtections]) -> Result<(), PolicyError> {
    ascending("protections", required.iter().map(|it| it.level))?;
    required.iter().try_for_each(|it| {
        inner("a level's protections", &it.features)?;
        not_zero("the number of protections", it.level, if it.features.is_empty() { 0 } else { 1 })
    })
}

fn check_simulation(rule: &SimulationRule, known: &Known, nodes: u64) -> Result<(), PolicyError> {
    inner("the keys of the simulation", &rule.keys)?;
    inner("the classes of the simulation", &rule.classes)?;
    inner("the chains of the simulation", &rule.chains)?;
    rule.chains.iter().try_for_each(|chain| known.check_chain("simulation", *chain))?;
    not_zero("the greatest age", "simulation", rule.max_age_seconds)?;
    // Where the home of a key is down or lies, each other node has its turn, and once more.
    let turns = FIRST_RUN_SECONDS.saturating_add(nodes.saturating_mul(NEXT_RUN_SECONDS));
    let least = MIN_RUN_WAIT_SECONDS.max(turns.saturating_mul(2));
    at_least("the wait for a simulation in seconds", rule.wait_seconds, least)?;
    within("the age of a simulation in seconds", rule.max_age_seconds, MAX_SPAN_SECONDS)?;
    within("the wait for a simulation in seconds", rule.wait_seconds, MAX_SPAN_SECONDS)?;
    check_simulate(rule)
}

/// What nobody demands is waited for no longer than what somebody demands. A rule that speaks of none names none.
fn check_simulate(rule: &SimulationRule) -> Result<(), PolicyError> {
    let wait_seconds = match rule.simulate {
        Simulate::WhereAsked => return Ok(()),
        Simulate::Always { wait_seconds } => wait_seconds,
        Simulate::Shown { wait_seconds } => {
            let named = rule.keys.len().saturating_add(rule.classes.len()).saturating_add(rule.chains.len());
            within("what a simulation that is shown alone names", named as u64, 0)?;
            wait_seconds
        }
    };
    not_zero("the wait for a simulation that is shown alone", "simulation", wait_seconds)?;
    within("the wait for a simulation that is shown alone in seconds", wait_seconds, rule.wait_seconds)
}

fn check_timing(timing: &Timing) -> Result<(), PolicyError> {
    not_zero("the longest lifetime", "timing", timing.max_lifetime_seconds)?;
    not_zero("the certificate's span", "timing", timing.certificate_seconds)?;
    within("the longest lifetime in seconds", timing.max_lifetime_seconds, MAX_SPAN_SECONDS)?;
    within("the certificate's span in seconds", timing.certificate_seconds, timing.max_lifetime_seconds)?;
    within("the cool-off in seconds", timing.cool_off_seconds, MAX_SPAN_SECONDS)?;
    within("the clocks' skew in seconds", timing.skew_seconds, timing.max_lifetime_seconds)
}

/// All of it.
const ALL_BPS: u64 = 10_000;

#[cfg(test)]
mod tests;
