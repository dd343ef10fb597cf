//! The settlement watcher: what became of signed transactions, as the node's own endpoints agree on it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256};
use keystead_base::{Digest, RequestId};
use keystead_decision::{Fate, Phase, State};
use keystead_intent::Slot;
use keystead_transmit::{ChainView, Finality, Verdict, Watched};
use keystead_wire::{ChainStatus, ChainWatch, ReconciledView};
use tokio::sync::watch;

use crate::shared::Shared;
use crate::{ChainConfig, NodeError, views};

/// The watcher of all chains.
pub(crate) struct Watcher {
    pub(crate) shared: Arc<Shared>,
    pub(crate) chains: Arc<HashMap<u64, ChainView>>,
    pub(crate) interval: Duration,
    /// How often each transaction whose nonce is past was looked at.
    pub(crate) looks: HashMap<RequestId, u32>,
}

/// The views that a configuration describes.
pub(crate) fn views_of(chains: &[ChainConfig]) -> Result<HashMap<u64, ChainView>, NodeError> {
    let view = |config: &ChainConfig| {
        let endpoints =
            config.endpoints.iter().map(crate::EndpointConfig::open).collect::<Result<Vec<_>, _>>()?;
        let finality = config.confirmations.map_or(Finality::Finalized, Finality::Confirmations);
        Ok((config.chain, ChainView::new(config.chain, endpoints, config.agree, finality)?))
    };
    chains.iter().map(view).collect()
}

impl Watcher {
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), NodeError> {
        loop {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                () = self.look() => {}
            }
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                () = tokio::time::sleep(self.interval) => {}
            }
        }
    }

    async fn look(&mut self) {
        let state = self.shared.state();
        self.shared.set_chains(self.statuses(&state).await);
        let reached = self.reached(&state).await;
        let unsettled = unsettled(&state, &reached);
        self.looks.retain(|id, _| unsettled.iter().any(|(open, _)| open == id));
        for (id, slot) in unsettled {
            if self.is_my_turn(&state, &id)
                && let Some(view) = self.chains.get(&slot.chain.0)
            {
                self.follow(view, id, slot).await;
            }
        }
    }

    /// The home of the key reports first: one report is enough, and each of them is an entry for ever. The
    /// others report where it does not.
    fn is_my_turn(&mut self, state: &State, id: &RequestId) -> bool {
        let account = state.request(id).and_then(|it| it.intent.action.account());
        let looks = self.looks.entry(*id).or_default();
        *looks = looks.saturating_add(1);
        *looks > LOOKS_OF_OTHERS || account.is_none_or(|it| self.shared.holds(state, &it.key))
    }

    /// The next nonce of each account, where enough endpoints agree on it. What has a later one is in no
    /// block, and nobody needs to be asked about it.
    async fn reached(&self, state: &State) -> HashMap<Place, u64> {
        let mut reached = HashMap::new();
        for (chain, account) in open_slots(state).map(|(_, slot)| place(&slot)).collect::<HashSet<_>>() {
            let Some(view) = self.chains.get(&chain) else { continue };
            if let Ok(next) = view.nonce(account).await {
                reached.insert((chain, account), next);
            }
        }
        reached
    }

    async fn follow(&self, chain: &ChainView, id: RequestId, slot: Slot) {
        let signed = match views::view(&self.shared, &id).await {
            Ok(view) => view.and_then(|it| it.signed),
            Err(error) => return self.shared.postponed("a look at a request", &error),
        };
        let Some(hash) = signed.and_then(|it| it.transaction) else { return };
        let watched = Watched { hash: B256::from(hash.0), account: slot.account, nonce: slot.nonce };
        let fate = match chain.watch(&watched).await {
            Verdict::Settled { .. } => Fate::Settled { transaction: hash },
            Verdict::Replaced { by } => Fate::Dead { by: by.map_or(Digest::ZERO, |by| Digest(by.0)) },
            // INVARIANT S10: what is not known goes on counting.
            Verdict::Pending { .. } | Verdict::Unknown(_) => return,
        };
        if let Err(error) = self.shared.settle(id, slot, fate).await {
            self.shared.postponed("a settlement", &error);
        }
    }

    async fn statuses(&self, state: &State) -> Vec<ChainStatus> {
        let mut statuses = Vec::new();
        for chain in &state.policy().engine.version().chains {
            let watch = match self.chains.get(&chain.0) {
                None => ChainWatch::NotConfigured,
                Some(view) => head(view).await,
            };
            statuses.push(ChainStatus { chain: chain.0, watch, reconciled: ReconciledView::default() });
        }
        statuses
    }
}

async fn head(view: &ChainView) -> ChainWatch {
    match (view.reported_chain_id().await, view.head().await) {
        (Ok(found), _) if found != view.chain_id() => ChainWatch::Unknown {
            text: format!("the endpoints serve chain {found}, expected {}", view.chain_id()),
        },
        (Ok(_), Ok(head)) => ChainWatch::Agreed { head },
        (Err(unknown), _) | (_, Err(unknown)) => ChainWatch::Unknown { text: unknown.to_string() },
    }
}

/// A chain and an account on it.
type Place = (u64, Address);

fn place(slot: &Slot) -> Place {
    (slot.chain.0, slot.account)
}

/// What is signed or may be signed, and takes a slot that nothing final has taken.
fn open_slots(state: &State) -> impl Iterator<Item = (RequestId, Slot)> {
    let slot = |(id, request): (&RequestId, &keystead_decision::Request)| {
        (request.phase == Phase::Allowed).then_some(())?;
        request.slot.map(|slot| (*id, slot))
    };
    state.requests().filter_map(slot)
}

/// The open slots that their account's nonce has passed, and those of accounts whose nonce is not known.
fn unsettled(state: &State, reached: &HashMap<Place, u64>) -> Vec<(RequestId, Slot)> {
    let passed = |slot: &Slot| reached.get(&place(slot)).is_none_or(|next| slot.nonce < *next);
    open_slots(state).filter(|(_, slot)| passed(slot)).take(MAX_WATCHED).collect()
}

/// How many transactions are looked at in one round.
const MAX_WATCHED: usize = 1024;
/// So often the other nodes look before they report what the key's home does not.
const LOOKS_OF_OTHERS: u32 = 8;
