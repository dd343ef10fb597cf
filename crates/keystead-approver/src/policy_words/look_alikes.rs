//! Addresses that a change brings in and that only look like one that is listed.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use keystead_intent::Asset;
use keystead_policy::PolicyVersion;
use keystead_speech::look_alike;

/// INVARIANT S12: one line for each address of the next version that no entry had before and that begins and ends
/// like another one: whoever compares only the ends would take it into the address book.
#[must_use]
pub fn look_alikes(current: &PolicyVersion, next: &PolicyVersion) -> Vec<String> {
    let (had, has) = (addresses(current), addresses(next));
    let come = has.iter().filter(|(address, _)| !had.contains_key(*address));
    let twins = |address: &Address| {
        let known = had.iter().chain(&has).find(|(known, _)| look_alike(&known.0.0, &address.0.0));
        known.map(|(known, name)| (*known, *name))
    };
    come.filter_map(|(address, name)| {
        let (known, other) = twins(address)?;
        Some(format!("WARNING: `{name}` ({address}) LOOKS LIKE `{other}` ({known}) AND IS ANOTHER"))
    })
    .collect()
}

/// Whatever a policy names, on any chain.
fn addresses(policy: &PolicyVersion) -> BTreeMap<Address, &str> {
    let tokens = policy.assets.iter().filter_map(|it| match it.asset {
        Asset::Token(address) => Some((address, it.symbol.as_str())),
        Asset::Native => None,
    });
    let contracts = policy.contracts.iter().map(|it| (it.address, it.name.as_str()));
    let destinations = policy.address_book.iter().map(|it| (it.address, it.name.as_str()));
    tokens.chain(contracts).chain(destinations).collect()
}
