//! Signed checkpoints: each node signs what its own ledger holds, and gathers the others' signatures.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keystead_base::{Canonical as _, HybridSigner};
use keystead_ledger::{Checkpoint, LogKeys, SignError, SignedCheckpoint, origin};
use keystead_wire::{Client, NodeReply, NodeRequest};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::error::CallError;
use crate::log_token::{Asker, OwnKey};
use crate::shared::Shared;

impl Shared {
    /// A checkpoint of the newest block, with the signatures of a quorum if one can be reached.
    pub(crate) async fn newest_checkpoint(&self) -> Result<Option<String>, CallError> {
        let state = self.state();
        let size = state.history().size();
        if size == 0 {
            return Ok(None);
        }
        let keys = LogKeys::of(&self.genesis.genesis, state.roster());
        if let Some(kept) = self.ledger.checkpoint(size).await?
            && kept.verify(&keys).is_ok()
        {
            return Ok(Some(kept.to_note()));
        }
        let Some(own) = self.own_checkpoint(size).await? else { return Ok(None) };
        let signed = self.gather_signatures(own, &keys).await;
        self.ledger.save_checkpoint(&signed).await?;
        Ok(Some(signed.to_note()))
    }

    /// This node's own signature on the log's first `size` blocks; none before it has them.
    ///
    /// INVARIANT L2: what is signed is the history that the blocks themselves commit to, so no two roots of one
    /// size are ever signed.
    pub(crate) async fn own_checkpoint(&self, size: u64) -> Result<Option<SignedCheckpoint>, CallError> {
        let mut published = self.state.clone();
        let reached = timeout(PATIENCE, published.wait_for(|state| state.history().size() >= size)).await;
        let Ok(Ok(state)) = reached.map(|state| state.map(|state| state.clone())) else { return Ok(None) };
        let root = match state.history().size() == size {
            true => Some(state.history().root()),
            false => self.ledger.block(size + 1).await?.map(|block| block.commit.header.history),
        };
        let Some(root) = root else { return Ok(None) };
        let origin = origin(&self.genesis.genesis.name, self.cluster);
        Ok(Some(self.own_checkpoints.signed(Checkpoint { origin, size, root }, &self.key).await?))
    }

    /// Each of the others is asked for its own; what does not verify is left out.
    async fn gather_signatures(&self, mut signed: SignedCheckpoint, keys: &LogKeys) -> SignedCheckpoint {
        let any_one = LogKeys { quorum: 1, ..keys.clone() };
        let mut asked = JoinSet::new();
        for client in self.peers.reachable() {
            asked.spawn(ask(client, signed.body().size));
        }
        while signed.verify(keys).is_err() {
            let Some(answer) = asked.join_next().await else { break };
            let Ok(Some(theirs)) = answer else { continue };
            if theirs.body() == signed.body() && theirs.is_of_one() && theirs.verify(&any_one).is_ok() {
                signed = signed.with_signatures_of(&theirs);
            }
        }
        signed
    }
}

/// The checkpoints that this node signed last: a token signs none of them twice, whoever asks how often.
#[derive(Debug, Default)]
pub(crate) struct OwnCheckpoints(Mutex<VecDeque<SignedCheckpoint>>);

impl OwnCheckpoints {
    /// One that was signed before needs no place at the token.
    pub(crate) async fn signed(
        self: &Arc<Self>,
        body: Checkpoint,
        key: &OwnKey,
    ) -> Result<SignedCheckpoint, SignError> {
        if let Some(signed) = self.find(&body) {
            return Ok(signed);
        }
        let own = Arc::clone(self);
        key.sign(Asker::Peer, move |key| own.sign(body, key)).await
    }

    fn find(&self, body: &Checkpoint) -> Option<SignedCheckpoint> {
        let signed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        signed.iter().find(|it| it.body() == body).cloned()
    }

    /// Whoever asked for the same waited for its turn meanwhile.
    fn sign(&self, body: Checkpoint, key: &HybridSigner) -> Result<SignedCheckpoint, SignError> {
        if let Some(signed) = self.find(&body) {
            return Ok(signed);
        }
        let signed = SignedCheckpoint::sign(body, key)?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.pop_front();
        }
        kept.push_back(signed.clone());
        Ok(signed)
    }
}

async fn ask(client: Client, size: u64) -> Option<SignedCheckpoint> {
    let question = NodeRequest::CheckpointAt(size).to_document();
    let reply = client.call_within(question, PATIENCE * 2).await.ok()?;
    match NodeReply::from_document(&reply).ok()? {
        NodeReply::Checkpoint(Some(note)) => SignedCheckpoint::parse(&note).ok(),
        _ => None,
    }
}

/// How long a node that is a block behind may take to reach the size that is asked for.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many of this node's own checkpoints are remembered.
const MAX_KEPT: usize = 64;
