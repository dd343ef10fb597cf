//! What the chains say that the log does not: transactions of our accounts that nobody here remembers.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;
use keystead_base::Name;
use keystead_decision::State;
use keystead_intent::ChainId;
use keystead_transmit::ChainView;
use serde::Serialize;

use crate::failure::{Advise as _, Failure};

/// One account on one chain.
#[derive(Debug, Serialize)]
pub(crate) struct Account {
    pub(crate) chain: u64,
    pub(crate) account: Address,
    pub(crate) key: Option<Name>,
    /// How many transactions of it are final.
    pub(crate) executed: u64,
    /// How many of them the log knows nothing of.
    pub(crate) strangers: u64,
    /// The first of their nonces.
    pub(crate) unknown: Vec<u64>,
    /// Nonces that the log gave away, that are final, and whose settlement the nodes have not found yet.
    pub(crate) unsettled: Vec<u64>,
    /// Nonces that the log gave away and that are not final: they count in every limit until they are.
    pub(crate) outstanding: Vec<u64>,
}

/// The first `addresses` of every key that can be paid, and whatever account the log gave a slot of, compared with the
/// chain's own count.
pub(crate) async fn compare(
    state: &State,
    view: &ChainView,
    addresses: u32,
) -> Result<Vec<Account>, Failure> {
    let chain = ChainId(view.chain_id());
    let mut found = Vec::new();
    for (account, key) in accounts(state, chain, addresses) {
        let executed = view
            .final_nonce(account)
            .await
            .advise("check the endpoints: what the chain says must be known before anybody thaws")?;
        let slots: BTreeMap<u64, bool> = state
            .slots()
            .filter(|(slot, _)| (slot.chain, slot.account) == (chain, account))
            .map(|(slot, it)| (slot.nonce, it.settled))
            .collect();
        let open = |is_final: bool| {
            slots.iter().filter(move |(nonce, settled)| !**settled && (**nonce < executed) == is_final)
        };
        let known = slots.keys().filter(|nonce| **nonce < executed).count() as u64;
        found.push(Account {
            chain: chain.0,
            account,
            key,
            executed,
            strangers: executed.saturating_sub(known),
            unknown: (0..executed).filter(|nonce| !slots.contains_key(nonce)).take(MAX_SHOWN).collect(),
            unsettled: open(true).map(|(nonce, _)| *nonce).collect(),
            outstanding: open(false).map(|(nonce, _)| *nonce).collect(),
        });
    }
    Ok(found)
}

fn accounts(state: &State, chain: ChainId, addresses: u32) -> BTreeMap<Address, Option<Name>> {
    let used: BTreeSet<Address> =
        state.slots().filter(|(slot, _)| slot.chain == chain).map(|(slot, _)| slot.account).collect();
    let mut all: BTreeMap<Address, Option<Name>> = used.into_iter().map(|account| (account, None)).collect();
    for (name, key) in state.keys() {
        for index in 0..addresses {
            all.extend(key.account.address(index).map(|account| (account, Some(name.clone()))));
        }
    }
    all
}

/// So many unknown nonces are listed; one is too many already.
const MAX_SHOWN: usize = 1000;
