//! Runs of transactions on the state that this node's own endpoints agree on: to say what comes of them, and to check
//! what others say.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alloy_primitives::{Address, B256, U256};
use keystead_base::{Coded as _, RequestId, Signed};
use keystead_chain::Unsigned;
use keystead_decision::Simulation;
use keystead_intent::{Intent, Run, SimulatedBlock};
use keystead_rehearsal::{Head, ReadAccount, StateReader, Unread, rehearse};
use keystead_transmit::{ChainView, HeaderFacts, Unknown};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::errands::Errands;
use crate::error::FactError;
use crate::shared::Shared;

/// What was run, and the places in which the words of other nodes are checked.
#[derive(Debug, Default)]
pub(crate) struct Rehearsals {
    known: Mutex<VecDeque<Known>>,
    checks: Errands,
}

#[derive(Clone, Debug)]
struct Known {
    request: RequestId,
    block: B256,
    ours: BTreeSet<Address>,
    run: Run,
}

impl Rehearsals {
    fn get(&self, request: &RequestId, block: &B256, ours: &BTreeSet<Address>) -> Option<Run> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |it: &&Known| it.request == *request && it.block == *block && it.ours == *ours;
        known.iter().find(same).map(|it| it.run.clone())
    }

    fn keep(&self, it: Known) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.pop_front();
        }
        known.push_back(it);
    }
}

/// What is run, and for whom.
struct Part {
    unsigned: Unsigned,
    ours: BTreeSet<Address>,
    view: ChainView,
}

impl Shared {
    /// Runs a request after the newest block that this node's endpoints agree on.
    pub(crate) async fn simulate(self: &Arc<Self>, request: RequestId) -> Result<Simulation, FactError> {
        let part = self.part(&request).await?;
        let newest = async { part.view.header(part.view.head().await?).await };
        let header = newest.await.map_err(|unknown| unsimulated(request, &unknown))?;
        let block = block_of(&header);
        let run = self.run(request, part, header).await?;
        Ok(Simulation { cluster: self.cluster, request, block, run })
    }

    /// INVARIANT S2: what another node says of a run is believed only where this node comes to the same, on the
    /// state after the same block as its own endpoints agree on it. What is handed over outside of blocks has the
    /// places of its node only: one that floods the others has them look up nothing else.
    pub(crate) async fn check_simulation(
        self: &Arc<Self>,
        signed: &Signed<Simulation>,
        in_block: bool,
    ) -> Result<(), FactError> {
        let (said, request) = (&signed.body, signed.body.request);
        let place = self.rehearsals.checks.place(&signed.signer);
        if place.is_none() && !in_block {
            let reason = "too many runs of that node are being checked".to_owned();
            return Err(FactError::Unsimulated { request, reason });
        }
        let part = self.part(&request).await?;
        let header = part.view.header_of(said.block.hash).await;
        let header = header.map_err(|unknown| unsimulated(request, &unknown))?;
        let same_block = block_of(&header) == said.block;
        let run = self.run(request, part, header).await?;
        drop(place);
        match same_block && run == said.run {
            true => Ok(()),
            false => Err(FactError::SimulatesOtherwise { request }),
        }
    }

    /// The bytes of a request, built here, and who is watched.
    async fn part(&self, request: &RequestId) -> Result<Part, FactError> {
        let missing = |what: &str| FactError::Unsimulated { request: *request, reason: what.to_owned() };
        let intent =
            self.intent(request).await.ok_or_else(|| missing("it is not in the log of this node"))?;
        let state = self.state();
        let account = intent.action.account().ok_or_else(|| missing("there is nothing to sign"))?;
        let address = state.key(&account.key).and_then(|key| key.address(account.index));
        let address = address.ok_or_else(|| missing("its key has no address"))?;
        let unsigned = keystead_chain::build(&intent.action, address)
            .map_err(|error| missing(&format!("{error} ({})", error.code())))?;
        let view = self.views.get(&unsigned.chain().0).cloned();
        let view = view.ok_or_else(|| missing("this node has no endpoints of its chain"))?;
        Ok(Part { unsigned, ours: state.watched_accounts(address), view })
    }

    async fn intent(&self, request: &RequestId) -> Option<Intent> {
        match self.state().request(request) {
            Some(it) => Some(it.intent.clone()),
            None => self.ledger.request(request).await.ok()?.map(|it| it.intent),
        }
    }

    async fn run(
        self: &Arc<Self>,
        request: RequestId,
        part: Part,
        header: HeaderFacts,
    ) -> Result<Run, FactError> {
        let block = header.hash;
        if let Some(run) = self.rehearsals.get(&request, &block, &part.ours) {
            return Ok(run);
        }
        let busy = |reason: &str| FactError::Unsimulated { request, reason: reason.to_owned() };
        let run = tokio::task::spawn_blocking(move || {
            let Part { unsigned, ours, view } = part;
            let until = Instant::now() + RUN_TIME;
            let reader = Endpoints { view, block, handle: Handle::current(), until };
            rehearse(&reader, &head_of(&header), &unsigned, &ours).map(|run| (run, ours))
        });
        let ran = run.await.map_err(|_| busy("its run broke off"))?;
        let (run, ours) = ran.map_err(|error| busy(&format!("{error} ({})", error.code())))?;
        let run = run.ok_or_else(|| busy("it is no transaction"))?;
        self.rehearsals.keep(Known { request, block, ours, run: run.clone() });
        Ok(run)
    }
}

/// The state after one block, as this node's endpoints agree on it.
struct Endpoints {
    view: ChainView,
    block: B256,
    handle: Handle,
    until: Instant,
}

impl Endpoints {
    fn wait<T>(&self, asked: impl Future<Output = Result<T, Unknown>>) -> Result<T, Unread> {
        let late = || Unread::Unknown { reason: format!("it took longer than {RUN_TIME:?}") };
        let answered = self.handle.block_on(async { tokio::time::timeout_at(self.until, asked).await });
        let known = answered.map_err(|_| late())?;
        known.map_err(|unknown| Unread::Unknown { reason: unknown.to_string() })
    }
}

impl StateReader for Endpoints {
    fn account(&self, address: Address) -> Result<ReadAccount, Unread> {
        let read = self.wait(self.view.account_at(address, self.block))?;
        Ok(ReadAccount { balance: read.balance, nonce: read.nonce, code: read.code })
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, Unread> {
        self.wait(self.view.storage_at(address, slot, self.block))
    }

    fn block_hash(&self, number: u64) -> Result<B256, Unread> {
        self.wait(self.view.header(number)).map(|header| header.hash)
    }
}

fn block_of(header: &HeaderFacts) -> SimulatedBlock {
    SimulatedBlock { number: header.number, hash: header.hash, time_seconds: header.time_seconds }
}

fn head_of(header: &HeaderFacts) -> Head {
    Head {
        block: block_of(header),
        beneficiary: header.beneficiary,
        gas_limit: header.gas_limit,
        base_fee: header.base_fee,
        randomness: header.randomness,
    }
}

fn unsimulated(request: RequestId, unknown: &Unknown) -> FactError {
    FactError::Unsimulated { request, reason: unknown.to_string() }
}

/// Runs that are remembered: a block may be proposed again.
const MAX_KNOWN: usize = 256;
/// How long one run may take.
const RUN_TIME: Duration = Duration::from_secs(15);
