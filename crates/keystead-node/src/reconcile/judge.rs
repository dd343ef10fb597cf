//! What of a block no request made.

use alloy_primitives::{Address, B256, U256};
use keystead_base::{Amount, Digest, RequestId};
use keystead_chain::{Payload, assemble, build};
use keystead_decision::{Discrepancy, FinalBlock, Finding, State};
use keystead_intent::{Asset, ChainId, Intent, Slot};
use keystead_ledger::LedgerError;
use keystead_transmit::{MovedFacts, ScannedBlock, SentFacts};

use super::accounts::Ours;
use super::suspects::{Evidence, Suspect};
use super::tolerance::Shortfall;
use crate::shared::Shared;

/// One chain's judge.
pub(crate) struct Strays<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) state: &'a State,
    pub(crate) chain: ChainId,
    pub(crate) ours: &'a Ours,
}

impl Strays<'_> {
    /// What a block holds that no request made.
    pub(crate) async fn of_block(&self, block: &ScannedBlock) -> Result<Vec<Suspect>, LedgerError> {
        let place = FinalBlock { number: block.number, hash: block.hash };
        let mut suspects = Vec::new();
        for sent in &block.sent {
            if !made_by_a_request(self.shared, self.state, self.chain, sent).await? {
                let (hash, nonce) = (Digest(sent.hash.0), sent.nonce);
                let what = Discrepancy::Transaction { block: place, hash, nonce };
                suspects.extend(self.suspect(sent.from, what, Evidence::Sent(sent.clone())));
            }
        }
        // What our own transactions move is judged with them.
        let foreign = |it: &&MovedFacts| !block.sent.iter().any(|sent| sent.hash == it.transaction);
        for moved in block.moved.iter().filter(foreign) {
            let share = share_taken(block, moved);
            let tolerated = share.is_tolerated(self.state, self.chain, Asset::Token(moved.token));
            if !tolerated && !self.state.gave_right(self.chain, moved.from, moved.token) {
                let (transaction, token) = (Digest(moved.transaction.0), moved.token);
                let what =
                    Discrepancy::Tokens { block: place, transaction, token, amount: Amount(moved.amount) };
                suspects.extend(self.suspect(moved.from, what, Evidence::Moved { token, share }));
            }
        }
        Ok(suspects)
    }

    /// A nonce that is gone, where nothing in the log took it.
    pub(crate) async fn of_nonce(
        &self,
        address: Address,
        nonce: u64,
        before_first_look: bool,
    ) -> Result<Option<Suspect>, LedgerError> {
        let slot = Slot { chain: self.chain, account: address, nonce };
        if takes_a_nonce(self.shared, self.state, &slot, before_first_look).await? {
            return Ok(None);
        }
        let evidence = Evidence::Nonce { nonce, before_first_look };
        Ok(self.suspect(address, Discrepancy::Nonce { nonce }, evidence))
    }

    fn suspect(&self, address: Address, what: Discrepancy, evidence: Evidence) -> Option<Suspect> {
        let account = self.ours.account(&address)?.clone();
        let (cluster, chain) = (self.shared.cluster, self.chain);
        Some(Suspect::new(Finding { cluster, chain, account, address, what }, evidence))
    }
}

/// What went of a token, as a part of what came of it to the same account in the same transaction: a token with a fee may take it from
/// whoever receives.
fn share_taken(block: &ScannedBlock, moved: &MovedFacts) -> Shortfall {
    let same = |it: &&MovedFacts| it.transaction == moved.transaction && it.token == moved.token;
    let left = block.moved.iter().filter(same).filter(|it| it.from == moved.from);
    let came = block.came.iter().filter(same).filter(|it| it.to == moved.from);
    let sum = |sum: U256, it: &MovedFacts| sum.saturating_add(it.amount);
    Shortfall { missing: left.fold(U256::ZERO, sum), moved: came.fold(U256::ZERO, sum), held: U256::ZERO }
}

/// INVARIANT L4: whether a request that the log allowed makes this very transaction: its bytes, built here from the
/// request, with the signature that the chain shows, have the hash that the chain shows.
pub(crate) async fn made_by_a_request(
    shared: &Shared,
    state: &State,
    chain: ChainId,
    sent: &SentFacts,
) -> Result<bool, LedgerError> {
    let slot = Slot { chain, account: sent.from, nonce: sent.nonce };
    for request in state.allowed_at(&slot) {
        let Some(intent) = shared.intent_of(state, request).await? else { continue };
        let Ok(unsigned) = build(&intent.action, sent.from) else { continue };
        let (r, s) = (B256::from(sent.r), B256::from(sent.s));
        if assemble(&unsigned, r, s, sent.odd_y).is_ok_and(|it| it.hash == Some(sent.hash)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether something that the log allowed takes this nonce. A transaction is looked at by itself, where it stands;
/// before the first look there was nobody to look, and that the log gave the nonce away is all that is asked.
pub(crate) async fn takes_a_nonce(
    shared: &Shared,
    state: &State,
    slot: &Slot,
    before_first_look: bool,
) -> Result<bool, LedgerError> {
    let requests = state.allowed_at(slot);
    if before_first_look {
        return Ok(!requests.is_empty());
    }
    for request in requests {
        let Some(intent) = shared.intent_of(state, request).await? else { continue };
        let unsigned = build(&intent.action, slot.account);
        if unsigned.is_ok_and(|it| matches!(it.payload(), Payload::Authorization(_))) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Shared {
    /// What was asked, however long ago.
    pub(crate) async fn intent_of(
        &self,
        state: &State,
        request: &RequestId,
    ) -> Result<Option<Intent>, LedgerError> {
        match state.request(request).filter(|it| it.is_whole()) {
            Some(it) => Ok(Some(it.intent.clone())),
            None => Ok(self.ledger.request(request).await?.map(|it| it.intent)),
        }
    }
}
