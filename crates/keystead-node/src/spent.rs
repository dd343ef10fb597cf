//! What became of transactions of Bitcoin's, as this node's own sources agree on it, and who broadcasts them.

use std::collections::{BTreeSet, HashMap};

use bitcoin::consensus::deserialize;
use bitcoin::hashes::Hash as _;
use bitcoin::{ScriptBuf, Transaction, Txid};
use keystead_base::{Digest, RequestId};
use keystead_bitcoin::{Psbt, same_payment};
use keystead_decision::{Fate, Phase, Request, Settlement, State};
use keystead_intent::ChainId;
use keystead_policy::PolicyVersion;
use keystead_transmit::Unknown;
use keystead_transmit::coins::{CoinView, Mined};
use keystead_wire::ChainWatch;

use crate::error::FactError;
use crate::settle::Watcher;
use crate::shared::Shared;
use crate::sightings::Place;
use crate::turns::OpenSpend;
use crate::{BitcoinConfig, NodeError, views};

/// One network, and the least that makes a block of it final.
#[derive(Clone, Debug)]
pub(crate) struct CoinWatch {
    view: CoinView,
    confirmations: u32,
    broadcast: bool,
}

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// In no block of the chain.
    Nowhere,
    /// In a block that may still go away.
    Mined(Mined),
    /// In a final block.
    Final,
    /// Another transaction is final that spends one of its coins: it can never be mined.
    Replaced {
        /// The other one.
        by: Txid,
    },
}

/// The networks that a configuration describes, by the numbers that policies name them by.
pub(crate) fn watches_of(configs: &[BitcoinConfig]) -> Result<HashMap<u64, CoinWatch>, NodeError> {
    let watch = |config: &BitcoinConfig| {
        let BitcoinConfig { coins, confirmations, broadcast } = config;
        let (confirmations, broadcast) = (confirmations.unwrap_or_default(), *broadcast);
        Ok((coins.network.chain().0, CoinWatch { view: coins.open()?, confirmations, broadcast }))
    };
    configs.iter().map(watch).collect()
}

impl CoinWatch {
    /// The same as the policy in force has it.
    fn under(&self, policy: &PolicyVersion, chain: ChainId) -> Self {
        let confirmations = least(self.confirmations, policy.confirmations(chain));
        Self { confirmations, ..self.clone() }
    }

    pub(crate) async fn standing(&self, own: &Transaction) -> Result<Standing, Unknown> {
        let tip = self.view.tip().await?;
        // Before the chain is as long nothing on it is final.
        let last = tip.height.checked_sub(self.confirmations.saturating_sub(1));
        match (self.view.mined(own.compute_txid()).await?, last) {
            (Some(mined), _) if self.view.block_hash(mined.height).await? != Some(mined.block) => {
                Ok(Standing::Nowhere)
            }
            (Some(mined), Some(last)) if mined.height <= last => Ok(Standing::Final),
            (Some(mined), _) => Ok(Standing::Mined(mined)),
            (None, Some(last)) => self.replaced(own, last).await,
            (None, None) => Ok(Standing::Nowhere),
        }
    }

    /// The height of the newest final block, as enough sources have reached what makes it final; none on a chain that is
    /// not as long.
    pub(crate) async fn final_height(&self) -> Result<Option<u32>, Unknown> {
        Ok(self.view.height().await?.checked_sub(self.confirmations.saturating_sub(1)))
    }

    /// What the sources show.
    pub(crate) fn view(&self) -> &CoinView {
        &self.view
    }

    /// For status.
    pub(crate) async fn head(&self) -> ChainWatch {
        match self.view.height().await {
            Ok(head) => ChainWatch::Agreed { head: head.into() },
            Err(unknown) => ChainWatch::Unknown { text: unknown.to_string() },
        }
    }

    /// What spent one of its coins in a final block. The coins' own transactions say under which scripts to look, and from
    /// which block on.
    async fn replaced(&self, own: &Transaction, last: u32) -> Result<Standing, Unknown> {
        let (mut scripts, mut from) = (BTreeSet::new(), last);
        for coin in own.input.iter().map(|it| it.previous_output) {
            let Some(mined) = self.view.mined(coin.txid).await? else { continue };
            let funding = self.view.transaction(coin.txid, Some(mined.block)).await?;
            let output = usize::try_from(coin.vout).ok().and_then(|vout| funding.output.get(vout));
            let script: Option<ScriptBuf> = output.map(|it| it.script_pubkey.clone());
            scripts.extend(script);
            from = from.min(mined.height);
        }
        let Some(block) = self.view.block_hash(last).await?.filter(|_| !scripts.is_empty()) else {
            return Ok(Standing::Nowhere);
        };
        let history = self.view.history(scripts, Mined { height: last, block }, from).await?;
        let mut takers = own.input.iter().filter_map(|it| history.spent.get(&it.previous_output));
        let Some(taker) = takers.find(|it| it.by != own.compute_txid()) else { return Ok(Standing::Nowhere) };
        let other = self.view.transaction(taker.by, Some(taker.mined.block)).await?;
        Ok(taken_by(own, &other))
    }
}

/// INVARIANT S10: where the coins of one transaction went with another one. Whoever mines can write a signature of an old script
/// otherwise, and so give what it signs another id: that paid what was allowed, and goes on counting.
fn taken_by(own: &Transaction, other: &Transaction) -> Standing {
    match same_payment(own, other) {
        true => Standing::Nowhere,
        false => Standing::Replaced { by: other.compute_txid() },
    }
}

/// INVARIANT S10: what is final people say in the signed policy; a node's own configuration only waits longer.
fn least(own: u32, listed: u32) -> u32 {
    own.max(listed)
}

/// What is signed or may be signed and spends coins.
pub(crate) fn open_coins(state: &State) -> Vec<OpenSpend> {
    let coins = |(id, request): (&RequestId, &Request)| {
        let open = request.phase == Phase::Allowed && !request.coins.is_empty();
        let action = &request.intent.action;
        let (chain, key) = (action.chain().filter(|_| open)?, action.account()?.key.clone());
        Some(OpenSpend { request: *id, chain, key })
    };
    state.requests().filter_map(coins).collect()
}

impl Watcher {
    /// Every node looks; whose turn it is reports, and the home of the key broadcasts.
    pub(crate) async fn follow_coins(&mut self, state: &State, id: RequestId, chain: ChainId) {
        let mine = self.is_my_turn(state, &id);
        let looks = self.looks.get(&id).copied().unwrap_or_default();
        let Some(watch) = self.shared.coin_watch(state, chain) else { return };
        let Some(Signed { own, transaction, is_whole }) = self.shared.signed_coins(&id).await else { return };
        let fate = match watch.standing(&own).await {
            Ok(Standing::Final) => Fate::Settled { transaction },
            Ok(Standing::Replaced { by }) => Fate::Dead { by: digest_of(by) },
            Ok(Standing::Mined(mined)) => return self.saw(id, chain.0, Some(Place::of(mined))),
            Ok(Standing::Nowhere) => {
                self.saw(id, chain.0, None);
                if is_whole && looks % LOOKS_BETWEEN == 1 {
                    self.shared.broadcast(state, &watch, &id, &own).await;
                }
                return;
            }
            // INVARIANT S10: what is not known goes on counting.
            Err(_) => return,
        };
        if mine && let Err(error) = self.shared.settle(id, None, fate).await {
            self.shared.postponed("a settlement", &error);
        }
    }
}

/// A transaction that was signed, and its id as the log names it. What others have to finish, and send, comes onto the chain
/// under the same id.
struct Signed {
    own: Transaction,
    transaction: Digest,
    is_whole: bool,
}

impl Shared {
    /// A network as this node's own sources show it, under the policy in force.
    pub(crate) fn coin_watch(&self, state: &State, chain: ChainId) -> Option<CoinWatch> {
        Some(self.coins.get(&chain.0)?.under(state.policy().engine.version(), chain))
    }

    /// What a request's signatures make, or a part of.
    async fn signed_coins(&self, id: &RequestId) -> Option<Signed> {
        let signed = views::view(self, id).await.ok()??.signed?;
        let (own, is_whole) = match deserialize::<Transaction>(&signed.raw) {
            Ok(own) => (own, true),
            Err(_) => (Psbt::parse(&signed.raw).ok()?.transaction().clone(), false),
        };
        let transaction = signed.transaction.filter(|it| *it == digest_of(own.compute_txid()))?;
        Some(Signed { own, transaction, is_whole })
    }

    /// INVARIANT S14: what is frozen is not sent. One source that takes it is enough; whether it is mined shows later.
    async fn broadcast(&self, state: &State, watch: &CoinWatch, id: &RequestId, own: &Transaction) {
        let account = state.request(id).and_then(|it| it.intent.action.account());
        let Some(key) = account.map(|it| &it.key).filter(|key| self.is_home(state, key)) else { return };
        if !watch.broadcast || !state.frozen().lets_sign(key) {
            return;
        }
        if let Err(error) = watch.view.send(own).await {
            self.postponed("a broadcast", &error);
        }
    }

    /// INVARIANT S10: whether this node's own sources bear out what another node says of a spend.
    pub(crate) async fn check_spend(&self, settlement: &Settlement) -> Result<(), FactError> {
        let request = settlement.request;
        let unknown = || FactError::Unknown { request };
        let state = self.state();
        let chain = state.request(&request).and_then(|it| it.intent.action.chain()).ok_or_else(unknown)?;
        let watch = self.coin_watch(&state, chain).ok_or_else(unknown)?;
        let Signed { own, transaction, .. } = self.signed_coins(&request).await.ok_or_else(unknown)?;
        let standing = watch.standing(&own).await.map_err(|_| unknown())?;
        match bears_out(settlement.fate, transaction, standing) {
            Some(true) => Ok(()),
            Some(false) => Err(FactError::Differs { request }),
            None => Err(unknown()),
        }
    }
}

/// Whether what was seen is the fate that is claimed; none where nothing is final.
fn bears_out(claimed: Fate, own: Digest, seen: Standing) -> Option<bool> {
    match (seen, claimed) {
        (Standing::Nowhere | Standing::Mined(_), _) => None,
        (Standing::Final, Fate::Settled { transaction }) => Some(transaction == own),
        (Standing::Replaced { .. }, Fate::Dead { .. }) => Some(true),
        // A transaction of Bitcoin's in a block has spent what it spends.
        (Standing::Final, Fate::Dead { .. } | Fate::Reverted { .. })
        | (Standing::Replaced { .. }, Fate::Settled { .. } | Fate::Reverted { .. }) => Some(false),
    }
}

/// As `transaction_digest` names it.
fn digest_of(txid: Txid) -> Digest {
    Digest(txid.to_byte_array())
}

/// How many looks lie between two broadcasts.
const LOOKS_BETWEEN: u32 = 8;

#[cfg(test)]
mod tests {
    use bitcoin::absolute::LockTime;
    use bitcoin::transaction::Version;
    use bitcoin::{BlockHash, TxIn, TxOut};

    use super::*;

    #[test]
    fn s10_a_node_waits_no_less_than_policy_says_and_may_wait_longer() {
        for (own, listed, expected) in [(0, 10, 10), (3, 10, 10), (12, 10, 12), (0, 1, 1)] {
            assert_eq!(least(own, listed), expected, "{own} {listed}");
        }
    }

    #[test]
    fn s10_the_same_payment_under_another_id_is_not_dead() {
        let input = TxIn { script_sig: ScriptBuf::from_bytes(vec![1, 2]), ..TxIn::default() };
        let output = TxOut { value: bitcoin::Amount::from_sat(9), script_pubkey: ScriptBuf::new() };
        let (version, lock_time) = (Version::TWO, LockTime::ZERO);
        let own = Transaction { version, lock_time, input: vec![input], output: vec![output] };
        let (mut same, mut other) = (own.clone(), own.clone());
        same.input[0].script_sig = ScriptBuf::from_bytes(vec![1, 3]);
        other.output[0].value = bitcoin::Amount::from_sat(8);
        assert_ne!(same.compute_txid(), own.compute_txid());
        assert_eq!(taken_by(&own, &same), Standing::Nowhere);
        assert_eq!(taken_by(&own, &other), Standing::Replaced { by: other.compute_txid() });
    }

    #[test]
    fn s10_a_spend_ends_only_as_its_own_transaction_did() {
        let (own, other) = (Digest([1; 32]), Digest([2; 32]));
        let settled = |transaction| Fate::Settled { transaction };
        let dead = Fate::Dead { by: other };
        let replaced = Standing::Replaced { by: Txid::all_zeros() };
        assert_eq!(bears_out(settled(own), own, Standing::Final), Some(true));
        assert_eq!(bears_out(settled(other), own, Standing::Final), Some(false));
        assert_eq!(bears_out(dead, own, Standing::Final), Some(false), "its coins are spent by itself");
        assert_eq!(bears_out(dead, own, replaced), Some(true));
        assert_eq!(bears_out(settled(own), own, replaced), Some(false));
        let mined = Standing::Mined(Mined { height: 1, block: BlockHash::all_zeros() });
        for (claimed, seen) in [(settled(own), mined), (dead, mined), (dead, Standing::Nowhere)] {
            assert_eq!(bears_out(claimed, own, seen), None, "not final");
        }
    }
}
