//! What our accounts have, against what they had, what went, and what came (L3).
//!
//! Balances are compared after every block whose number is a multiple of [`SPAN`], so that all nodes compare the same.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Amount;
use keystead_decision::{Discrepancy, FinalBlock, Finding};
use keystead_intent::Asset;
use keystead_transmit::{FlowFacts, ScannedBlock, Unknown};

use super::book::Book;
use super::suspects::{Evidence, Suspect};
use super::tolerance::Shortfall;
use super::{Held, Step};

/// What accounts had after a block, and what went and came since.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Balances {
    pub(crate) block: u64,
    held: Amounts,
    flows: BTreeMap<(Address, Asset), (Amount, Amount)>,
}

type Amounts = BTreeMap<(Address, Asset), Amount>;

/// What was read at the end of a span: nothing in its midst, and nothing where nobody has that state any more.
pub(crate) enum Read {
    Midst,
    Gone,
    Held(Amounts),
}

impl Balances {
    fn after(block: u64, held: Amounts) -> Self {
        Self { block, held, flows: BTreeMap::new() }
    }

    fn count(&mut self, flows: &BTreeMap<(Address, Option<Address>), FlowFacts>) {
        for ((account, token), flow) in flows {
            let asset = token.map_or(Asset::Native, Asset::Token);
            let (paid, received) = self.flows.entry((*account, asset)).or_default();
            *paid = paid.saturating_add(Amount(flow.paid));
            *received = received.saturating_add(Amount(flow.received));
        }
    }

    /// INVARIANT L3: what must be there at least. More may be: coins come without a transaction to the account.
    fn expected(&self, of: &(Address, Asset)) -> Option<Amount> {
        let before = self.held.get(of)?;
        let (paid, received) = self.flows.get(of).copied().unwrap_or_default();
        Some(Amount(before.0.saturating_add(received.0).saturating_sub(paid.0)))
    }

    fn shortfall(&self, of: &(Address, Asset), expected: Amount, found: Amount) -> Shortfall {
        let (paid, received) = self.flows.get(of).copied().unwrap_or_default();
        Shortfall {
            missing: expected.0.saturating_sub(found.0),
            moved: paid.0.saturating_add(received.0),
            held: self.held.get(of).copied().unwrap_or_default().0,
        }
    }

    /// Where less is there than must be.
    fn missing<'a>(
        &'a self,
        now: &'a Amounts,
    ) -> impl Iterator<Item = (Address, Asset, Amount, Amount)> + 'a {
        now.iter().filter_map(|(of, found)| {
            let expected = self.expected(of).filter(|expected| found < expected)?;
            Some((of.0, of.1, expected, *found))
        })
    }
}

impl Step<'_> {
    /// What the used accounts have after a block that ends a span. What endpoints disagree about holds the node up; what
    /// none of them has any more does not, nor what is so far back that they may not have it.
    pub(crate) async fn read_balances(&self, block: &ScannedBlock, final_height: u64) -> Result<Read, Held> {
        if !block.number.is_multiple_of(SPAN) {
            return Ok(Read::Midst);
        }
        let reach = final_height.saturating_sub(block.number) <= REACH_BLOCKS;
        match self.held_after(block.hash).await {
            Ok(held) => Ok(Read::Held(held)),
            Err(unknown) if reach && !unknown.is_had_by_nobody() => Err(unknown.into()),
            Err(_) => Ok(Read::Gone),
        }
    }

    async fn held_after(&self, block: B256) -> Result<Amounts, Unknown> {
        let accounts: Vec<Address> = self.ours.spending().collect();
        let held = self.view.holdings_at(&accounts, &self.ours.fungible, block).await?;
        let asset = |token: Option<Address>| token.map_or(Asset::Native, Asset::Token);
        Ok(held.into_iter().map(|((of, token), amount)| ((of, asset(token)), Amount(amount))).collect())
    }

    /// Compares at the end of a span, and begins the next.
    pub(crate) fn compare_balances(&self, book: &mut Book, block: &ScannedBlock, read: Read) {
        if let Some(balances) = &mut book.balances {
            balances.count(&block.flows);
        }
        let held = match read {
            Read::Midst => return,
            Read::Gone => {
                book.balances = None;
                return self.shared.suspects.see_balances(self.chain.0, None);
            }
            Read::Held(held) => held,
        };
        let whole = book.balances.as_ref().filter(|it| it.block.saturating_add(SPAN) == block.number);
        for (address, asset, expected, found) in whole.iter().flat_map(|it| it.missing(&held)) {
            let shortfall =
                whole.map(|it| it.shortfall(&(address, asset), expected, found)).unwrap_or_default();
            if !shortfall.is_tolerated(self.state, self.chain, asset) {
                let place = FinalBlock { number: block.number, hash: block.hash };
                let what = Discrepancy::Balance { block: place, asset, expected, found };
                self.suspect(address, what, Evidence::Missing { asset, shortfall });
            }
        }
        self.shared.suspects.see_balances(self.chain.0, Some(block.number));
        book.balances = Some(Balances::after(block.number, held));
    }

    fn suspect(&self, address: Address, what: Discrepancy, evidence: Evidence) {
        let Some(account) = self.ours.account(&address).cloned() else { return };
        let (cluster, chain) = (self.shared.cluster, self.chain);
        let finding = Finding { cluster, chain, account, address, what };
        self.shared.suspects.add(chain.0, Suspect::new(finding, evidence));
    }
}

/// How many blocks lie between two comparisons.
const SPAN: u64 = 32;
/// So far back endpoints that are no archives keep the state.
const REACH_BLOCKS: u64 = 96;

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;

    use super::*;

    #[test]
    fn l03_less_than_what_went_and_came_leave_is_missing() {
        let (account, coin) = (Address::repeat_byte(1), Asset::Native);
        for (before, paid, received, found, missing) in [
            (100_u64, 0_u64, 0_u64, 100_u64, None),
            (100, 0, 0, 99, Some(100)),
            (100, 30, 0, 70, None),
            (100, 30, 0, 69, Some(70)),
            (100, 30, 5, 75, None),
            (100, 30, 5, 74, Some(75)),
            // More is there than was seen to come: a reward, an inner call.
            (100, 30, 0, 1_000, None),
            // It came unseen and went seen.
            (10, 30, 0, 0, None),
        ] {
            let held = |amount: u64| Amounts::from([((account, coin), Amount::from(amount))]);
            let mut balances = Balances::after(32, held(before));
            let flow = FlowFacts { paid: U256::from(paid), received: U256::from(received) };
            balances.count(&BTreeMap::from([((account, None), flow)]));
            let now = held(found);
            let lost: Vec<_> = balances.missing(&now).map(|(_, _, expected, _)| expected).collect();
            let expected: Vec<_> = missing.map(|it: u64| Amount::from(it)).into_iter().collect();
            assert_eq!(lost, expected, "{before} - {paid} + {received}, {found}");
        }
    }

    #[test]
    fn l03_what_was_not_there_before_is_not_expected() {
        let account = Address::repeat_byte(1);
        let now = Amounts::from([((account, Asset::Token(account)), Amount::ZERO)]);
        assert_eq!(Balances::after(32, Amounts::new()).missing(&now).count(), 0);
    }
}
