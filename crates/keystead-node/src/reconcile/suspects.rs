//! What was found and is not in the log yet, and how far each chain was compared: for the log, other nodes, and status.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alloy_primitives::Address;
use bitcoin::Transaction;
use keystead_base::{Canonical as _, Digest};
use keystead_decision::Finding;
use keystead_intent::{Asset, Coin};
use keystead_transmit::SentFacts;
use keystead_wire::ReconciledView;
use tokio::time::Instant;

use super::tolerance::Shortfall;

/// Something that the log seems not to have allowed.
#[derive(Clone, Debug)]
pub(crate) struct Suspect {
    pub(crate) finding: Finding,
    pub(crate) digest: Digest,
    pub(crate) evidence: Evidence,
    since: Instant,
    stated: Option<Instant>,
    statements: u32,
}

/// What it rests on: it is judged again before it is stated, as the log may know by then what it did not know.
#[derive(Clone, Debug)]
pub(crate) enum Evidence {
    Sent(SentFacts),
    Nonce {
        nonce: u64,
        before_first_look: bool,
    },
    /// Tokens that went, and what share of what came in the same transaction they are.
    Moved {
        token: Address,
        share: Shortfall,
    },
    Missing {
        asset: Asset,
        shortfall: Shortfall,
    },
    /// A transaction of Bitcoin's that took this coin.
    Spent {
        transaction: Transaction,
        coin: Coin,
    },
}

impl Suspect {
    pub(crate) fn new(finding: Finding, evidence: Evidence) -> Self {
        let digest = finding.digest();
        Self { finding, digest, evidence, since: Instant::now(), stated: None, statements: 0 }
    }

    fn is_due(&self, turn: Duration, again: Duration, statements: u32) -> bool {
        let stated = self.stated.is_some_and(|it| it.elapsed() < again);
        !stated && self.since.elapsed() >= turn && self.statements < statements
    }

    /// Whether it is known for so long.
    pub(crate) fn is_over(&self, lasts: Duration) -> bool {
        self.since.elapsed() >= lasts
    }
}

/// All chains.
#[derive(Debug, Default)]
pub(crate) struct Suspects(Mutex<BTreeMap<u64, Compared>>);

/// One chain.
#[derive(Debug, Default)]
struct Compared {
    upto: Option<u64>,
    final_height: Option<u64>,
    held_up: Option<String>,
    balances_at: Option<u64>,
    reorganized: u64,
    suspects: BTreeMap<Digest, Suspect>,
}

impl Suspects {
    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Compared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn see(&self, chain: u64, upto: Option<u64>, held_up: Option<String>) {
        let mut all = self.all();
        let compared = all.entry(chain).or_default();
        compared.upto = upto;
        compared.held_up = held_up;
    }

    pub(crate) fn see_balances(&self, chain: u64, block: Option<u64>) {
        self.all().entry(chain).or_default().balances_at = block;
    }

    pub(crate) fn see_final(&self, chain: u64, height: u64) {
        self.all().entry(chain).or_default().final_height = Some(height);
    }

    pub(crate) fn reorganized(&self, chain: u64) {
        let mut all = self.all();
        let compared = all.entry(chain).or_default();
        compared.reorganized = compared.reorganized.saturating_add(1);
    }

    pub(crate) fn add(&self, chain: u64, suspect: Suspect) {
        self.all().entry(chain).or_default().suspects.entry(suspect.digest).or_insert(suspect);
    }

    pub(crate) fn drop(&self, chain: u64, digest: &Digest) {
        if let Some(compared) = self.all().get_mut(&chain) {
            compared.suspects.remove(digest);
        }
    }

    pub(crate) fn of(&self, chain: u64) -> Vec<Suspect> {
        self.all().get(&chain).map(|it| it.suspects.values().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn get(&self, finding: &Finding) -> Option<Suspect> {
        self.all().get(&finding.chain.0)?.suspects.get(&finding.digest()).cloned()
    }

    /// Those whose turn it is to be stated, at most so many, and each of them so often; they count as stated now.
    pub(crate) fn due(&self, turn: Duration, again: Duration, statements: u32, room: usize) -> Vec<Suspect> {
        let mut all = self.all();
        let suspects = all.values_mut().flat_map(|it| it.suspects.values_mut());
        let due = suspects.filter(|it| it.is_due(turn, again, statements)).take(room);
        due.map(|it| {
            it.stated = Some(Instant::now());
            it.statements = it.statements.saturating_add(1);
            it.clone()
        })
        .collect()
    }

    /// For status.
    pub(crate) fn view(&self, chain: u64) -> ReconciledView {
        let all = self.all();
        let Some(compared) = all.get(&chain) else { return ReconciledView::default() };
        ReconciledView {
            upto: compared.upto,
            final_height: compared.final_height,
            held_up: compared.held_up.clone(),
            balances_at: compared.balances_at,
            reorganized: compared.reorganized,
            suspects: compared.suspects.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use keystead_base::ClusterId;
    use keystead_decision::Discrepancy;
    use keystead_intent::{AccountRef, ChainId};

    use super::*;

    #[test]
    fn d03_what_nobody_shares_is_stated_so_often_and_no_more() {
        let finding = Finding {
            cluster: ClusterId(Digest::ZERO),
            chain: ChainId(1),
            account: AccountRef { key: "hot".parse().unwrap(), index: 0 },
            address: Address::ZERO,
            what: Discrepancy::Nonce { nonce: 7 },
        };
        let suspects = Suspects::default();
        suspects
            .add(1, Suspect::new(finding.clone(), Evidence::Nonce { nonce: 7, before_first_look: false }));
        let now = Duration::ZERO;
        let stated: usize = (0..20).map(|_| suspects.due(now, now, 5, 8).len()).sum();
        assert_eq!(stated, 5);
        assert!(suspects.get(&finding).is_some(), "this node still votes for it");
        let known = &suspects.of(1)[0];
        assert!(known.is_over(now) && !known.is_over(Duration::from_secs(3_600)));
    }
}
