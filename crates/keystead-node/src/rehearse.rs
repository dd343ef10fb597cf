//! Runs of transactions on the state that this node's own endpoints agree on: to say what comes of them, and to check
//! what others say.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alloy_primitives::{Address, B256, U256};
use keystead_base::{Name, RequestId, Signed};
use keystead_chain::Unsigned;
use keystead_decision::{Simulation, State};
use keystead_intent::{Action, Intent, Run, SimulatedBlock};
use keystead_rehearsal::{Head, Piece, Read, ReadAccount, StateReader, Unread, Watched, rehearse};
use keystead_transmit::{AccountFacts, ChainView, HeaderFacts, Unknown};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::errands::Errands;
use crate::error::{FactError, RunError};
use crate::shared::Shared;

/// What was run, and the places in which the words of other nodes are checked.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    known: Mutex<VecDeque<Known>>,
    checks: Errands,
}

#[derive(Clone, Debug)]
struct Known {
    request: RequestId,
    block: B256,
    watched: Watched,
    run: Run,
}

impl Runs {
    fn get(&self, request: &RequestId, block: &B256, watched: &Watched) -> Option<Run> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |it: &&Known| it.request == *request && it.block == *block && it.watched == *watched;
        known.iter().find(same).map(|it| it.run.clone())
    }

    /// A place of the node that hands a run over, where the run would count.
    fn take_in(
        &self,
        state: &State,
        said: &Simulation,
        node: &Name,
    ) -> Result<OwnedSemaphorePermit, RunError> {
        state.awaits(said)?;
        self.checks.place(node).ok_or_else(|| RunError::Crowded { node: node.clone() })
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
    watched: Watched,
    view: ChainView,
}

impl Shared {
    /// Runs a request after the newest block that this node's endpoints agree on.
    pub(crate) async fn simulate(self: &Arc<Self>, request: RequestId) -> Result<Simulation, FactError> {
        let part = self.part(&request).await?;
        let newest = async { part.view.header(part.view.head().await?).await };
        let header = newest.await.map_err(|unknown| RunError::Block(unknown).of(request))?;
        let block = block_of(&header);
        let run = self.run(request, part, header).await?;
        Ok(Simulation { cluster: self.cluster, request, block, run })
    }

    /// INVARIANT S2: what another node says of a run is believed only where this node comes to the same, on the
    /// state after the same block as its own endpoints agree on it. What is handed over outside of blocks has the
    /// places of the node that does so, whoever signed it, and is looked up only where it would count: one that floods
    /// the others, with its own words or with theirs, has them look up nothing else.
    pub(crate) async fn check_simulation(
        self: &Arc<Self>,
        signed: &Signed<Simulation>,
        from: Option<&Name>,
    ) -> Result<(), FactError> {
        let (said, request) = (&signed.body, signed.body.request);
        let place = from.map(|node| self.runs.take_in(&self.state(), said, node)).transpose();
        let place = place.map_err(|error| error.of(request))?;
        let part = self.part(&request).await?;
        let header = part.view.header_of(said.block.hash).await;
        let header = header.map_err(|unknown| RunError::Block(unknown).of(request))?;
        let block = block_of(&header);
        let run = self.run(request, part, header).await?;
        drop(place);
        let found = Simulation { cluster: self.cluster, request, block, run };
        if found == *said { Ok(()) } else { Err(FactError::SimulatesOtherwise { request }) }
    }

    /// The bytes of a request, built here, and who is watched.
    async fn part(&self, request: &RequestId) -> Result<Part, FactError> {
        let intent = self.intent(request).await.ok_or_else(|| RunError::NoRequest.of(*request))?;
        self.part_of(&intent.action).map_err(|error| error.of(*request))
    }

    fn part_of(&self, action: &Action) -> Result<Part, RunError> {
        let state = self.state();
        let account = action.account().ok_or(RunError::NothingToSign)?;
        let address = state.key(&account.key).and_then(|key| key.address(account.index));
        let address = address.ok_or(RunError::NoAddress)?;
        let unsigned = keystead_chain::build(action, address)?;
        let chain = unsigned.chain();
        let view = self.views.get(&chain.0).cloned().ok_or(RunError::NoEndpoints { chain })?;
        let tokens = keystead_chain::explain(&unsigned, state.policy().engine.registry()).tokens();
        let watched =
            Watched { accounts: state.watched_accounts(address), others: state.accounts().clone(), tokens };
        Ok(Part { unsigned, watched, view })
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
        if let Some(run) = self.runs.get(&request, &block, &part.watched) {
            return Ok(run);
        }
        let run = tokio::task::spawn_blocking(move || {
            let Part { unsigned, watched, view } = part;
            let until = Instant::now() + RUN_TIME;
            let reader = Endpoints { view, block, handle: Handle::current(), until };
            rehearse(&reader, &head_of(&header), &unsigned, &watched).map(|run| (run, watched))
        });
        let ran = run.await.map_err(|_| RunError::BrokeOff.of(request))?;
        let (run, watched) = ran.map_err(|error| RunError::Rehearsal(error).of(request))?;
        let run = run.ok_or_else(|| RunError::NoTransaction.of(request))?;
        self.runs.keep(Known { request, block, watched, run: run.clone() });
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
        self.wait(self.view.account_at(address, self.block)).map(read_account)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, Unread> {
        self.wait(self.view.storage_at(address, slot, self.block))
    }

    fn block_hash(&self, number: u64) -> Result<B256, Unread> {
        self.wait(self.view.header(number)).map(|header| header.hash)
    }

    fn read_ahead(&self, pieces: &[Piece]) -> Vec<(Piece, Read)> {
        let mut read = Vec::new();
        for some in pieces.chunks(READS_AT_ONCE) {
            let reads: JoinSet<_> =
                some.iter().map(|piece| read_piece(self.view.clone(), self.block, *piece)).collect();
            let Ok(answers) = self.wait(async { Ok(reads.join_all().await) }) else { break };
            read.extend(answers.into_iter().flatten());
        }
        read
    }
}

/// One piece of the state after a block; none where the endpoints do not agree.
async fn read_piece(view: ChainView, block: B256, piece: Piece) -> Option<(Piece, Read)> {
    let read = match piece {
        Piece::Account(address) => {
            view.account_at(address, block).await.map(|it| Read::Account(read_account(it)))
        }
        Piece::Slot(address, slot) => view.storage_at(address, slot, block).await.map(Read::Slot),
        Piece::BlockHash(number) => view.header(number).await.map(|it| Read::BlockHash(it.hash)),
    };
    read.ok().map(|read| (piece, read))
}

fn read_account(read: AccountFacts) -> ReadAccount {
    ReadAccount { balance: read.balance, nonce: read.nonce, code: read.code }
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

/// Runs that are remembered: a block may be proposed again.
const MAX_KNOWN: usize = 256;
/// Pieces of the state that are asked for side by side.
const READS_AT_ONCE: usize = 32;
/// How long one run may take.
const RUN_TIME: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use keystead_base::Digest;
    use keystead_intent::Ending;

    use super::*;

    #[test]
    fn s02_a_run_is_remembered_for_its_request_its_block_and_what_it_was_watched_for_alone() {
        let runs = Runs::default();
        let (request, block) = (RequestId(Digest([1; 32])), B256::repeat_byte(2));
        let one = BTreeSet::from([Address::ZERO]);
        let watched = Watched { accounts: one.clone(), others: one.iter().copied().collect(), tokens: one };
        let run = Run::without_changes(Ending::Succeeded, 7, 0);
        runs.keep(Known { request, block, watched: watched.clone(), run: run.clone() });
        assert_eq!(runs.get(&request, &block, &watched), Some(run));
        assert_eq!(runs.get(&RequestId(Digest([3; 32])), &block, &watched), None);
        assert_eq!(runs.get(&request, &B256::ZERO, &watched), None);
        for other in [
            Watched { accounts: BTreeSet::new(), ..watched.clone() },
            Watched { others: Default::default(), ..watched.clone() },
            Watched { tokens: BTreeSet::new(), ..watched },
        ] {
            assert_eq!(runs.get(&request, &block, &other), None);
        }
    }
}
