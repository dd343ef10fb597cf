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
use crate::sightings::Place;
use crate::spent::open_coins;
use crate::turns::Turns;
use crate::{ChainConfig, Event, NodeError, views};

/// The watcher of all chains.
pub(crate) struct Watcher {
    pub(crate) shared: Arc<Shared>,
    pub(crate) chains: Arc<HashMap<u64, ChainView>>,
    pub(crate) interval: Duration,
    /// How often each transaction whose nonce is past was looked at.
    pub(crate) looks: HashMap<RequestId, u32>,
    /// Whose spends of coins were looked at last.
    pub(crate) turns: Turns,
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
        let seen = |id: &RequestId| self.shared.sightings.has(id);
        let unsettled = unsettled(&state, &reached, seen);
        let spending = open_coins(&state);
        let slots = unsettled.iter().map(|(id, _)| *id);
        let open: HashSet<RequestId> = slots.chain(spending.iter().map(|it| it.request)).collect();
        self.looks.retain(|id, _| open.contains(id));
        self.shared.sightings.keep(|id| open.contains(id));
        for it in self.turns.next(spending) {
            self.follow_coins(&state, it.request, it.chain).await;
        }
        for (id, slot) in unsettled {
            let mine = self.is_my_turn(&state, &id);
            if let Some(view) = self.chains.get(&slot.chain.0) {
                self.follow(view, id, slot, mine).await;
            }
        }
    }

    /// The home of the key reports first: one report is enough, and each of them is an entry for ever. The
    /// others report where it does not.
    pub(crate) fn is_my_turn(&mut self, state: &State, id: &RequestId) -> bool {
        let account = state.request(id).and_then(|it| it.intent.action.account());
        let looks = self.looks.entry(*id).or_default();
        *looks = looks.saturating_add(1);
        *looks > LOOKS_OF_OTHERS || account.is_none_or(|it| self.shared.is_home(state, &it.key))
    }

    /// The next nonce of each account, where enough endpoints agree on it. What has a later one is in no
    /// block, and nobody needs to be asked about it.
    async fn reached(&self, state: &State) -> HashMap<Account, u64> {
        let mut reached = HashMap::new();
        for (chain, account) in open_slots(state).map(|(_, slot)| place(&slot)).collect::<HashSet<_>>() {
            let Some(view) = self.chains.get(&chain) else { continue };
            if let Ok(next) = view.nonce(account).await {
                reached.insert((chain, account), next);
            }
        }
        reached
    }

    /// Every node looks; whose turn it is reports.
    async fn follow(&self, chain: &ChainView, id: RequestId, slot: Slot, mine: bool) {
        let signed = match views::view(&self.shared, &id).await {
            Ok(view) => view.and_then(|it| it.signed),
            Err(error) => return self.shared.postponed("a look at a request", &error),
        };
        let Some(hash) = signed.and_then(|it| it.transaction) else { return };
        let watched = Watched { hash: B256::from(hash.0), account: slot.account, nonce: slot.nonce };
        let fate = match chain.watch(&watched).await {
            Verdict::Settled { receipt, .. } if receipt.succeeded => Fate::Settled { transaction: hash },
            Verdict::Settled { .. } => Fate::Reverted { transaction: hash },
            Verdict::Replaced { by } => Fate::Dead { by: by.map_or(Digest::ZERO, |by| Digest(by.0)) },
            // INVARIANT S10: what is not known, or not final, goes on counting.
            Verdict::Pending { seen } => {
                return self.saw(id, slot.chain.0, seen.as_ref().map(Place::of_receipt));
            }
            Verdict::Unknown(_) => return,
        };
        if !mine {
            return;
        }
        if let Err(error) = self.shared.settle(id, Some(slot), fate).await {
            self.shared.postponed("a settlement", &error);
        }
    }

    /// Where it stands while it is not final.
    pub(crate) fn saw(&self, request: RequestId, chain: u64, seen: Option<Place>) {
        let Some(gone) = self.shared.sightings.see(request, seen) else { return };
        self.shared.meters.reorged(chain);
        let (block, hash) = (gone.block, gone.hash);
        self.shared.event(Event::TransactionReorged { request, chain, block, hash });
    }

    async fn statuses(&self, state: &State) -> Vec<ChainStatus> {
        let mut statuses = Vec::new();
        for chain in &state.policy().engine.version().chains {
            let watch = match (self.chains.get(&chain.0), self.shared.coins.get(&chain.0)) {
                (Some(view), _) => head(view).await,
                (None, Some(watch)) => watch.head().await,
                (None, None) => ChainWatch::NotConfigured,
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
type Account = (u64, Address);

fn place(slot: &Slot) -> Account {
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

/// The open slots that their account's nonce has passed, those of accounts whose nonce is not known, and those whose
/// transaction was seen in a block already: a chain that gives a block up takes nonces back.
fn unsettled(
    state: &State,
    reached: &HashMap<Account, u64>,
    seen: impl Fn(&RequestId) -> bool,
) -> Vec<(RequestId, Slot)> {
    let passed = |slot: &Slot| reached.get(&place(slot)).is_none_or(|next| slot.nonce < *next);
    let open = open_slots(state).filter(|(id, slot)| passed(slot) || seen(id));
    open.take(MAX_WATCHED).collect()
}

/// How many transactions are looked at in one round.
const MAX_WATCHED: usize = 1024;
/// So often the other nodes look before they report what the key's home does not.
const LOOKS_OF_OTHERS: u32 = 8;
