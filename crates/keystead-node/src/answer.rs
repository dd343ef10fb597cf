//! Answers clients and peers over the wire.

use std::sync::Arc;
use std::time::Duration;

use keystead_base::{Canonical, RequestId};
use keystead_decision::KeyStep;
use keystead_wire::{
    DrillReport, Handler, MAX_SENT_BLOCKS, MAX_WAIT_MILLIS, NodeReply, NodeRequest, Peer, Refused,
    RequestStage, RequestView, SentBlock,
};
use tokio::time::timeout;

use crate::error::CallError;
use crate::log_token::Asker;
use crate::shared::Shared;
use crate::{status, views};

/// The handler of the node's server.
pub(crate) struct Front(pub(crate) Arc<Shared>);

impl Handler for Front {
    async fn handle(&self, peer: Arc<Peer>, request: Vec<u8>) -> Vec<u8> {
        let answered = match NodeRequest::from_document(&request) {
            Ok(request) => self.answer(&peer, request).await,
            Err(error) => Err(error.into()),
        };
        answered.unwrap_or_else(|error| NodeReply::Refused(Refused::of(&error))).to_document()
    }
}

impl Front {
    async fn answer(&self, peer: &Peer, request: NodeRequest) -> Result<NodeReply, CallError> {
        let shared = &self.0;
        Ok(match request {
            NodeRequest::Submit(entries) => NodeReply::Submitted(shared.submit(&peer.name, entries).await?),
            NodeRequest::SubmitTraced { entries, marks } => {
                shared.tell_of_traces(&marks)?;
                NodeReply::Submitted(shared.submit(&peer.name, entries).await?)
            }
            NodeRequest::Traces(marks) => {
                shared.heard_of_traces(&peer.name, &marks)?;
                NodeReply::Heard
            }
            NodeRequest::Request(id) => NodeReply::Request(views::detail(shared, &id).await?.map(Box::new)),
            NodeRequest::Wait { request, millis } => {
                NodeReply::Waited(self.wait(&request, millis).await?.map(Box::new))
            }
            NodeRequest::Open => NodeReply::Open(status::open(shared)),
            NodeRequest::Status => NodeReply::Status(Box::new(status::status(shared))),
            NodeRequest::Keys { after } => NodeReply::Keys(status::keys(&shared.state(), after.as_ref())),
            NodeRequest::Key(name) => NodeReply::Key(status::key(&shared.state(), &name).map(Box::new)),
            NodeRequest::Policy(number) => NodeReply::Policy(self.policy(number).await?),
            NodeRequest::Genesis => NodeReply::Genesis(Box::new(shared.genesis.clone())),
            NodeRequest::Blocks { from, limit } => NodeReply::Blocks(self.blocks(from, limit).await?),
            NodeRequest::Checkpoint => NodeReply::Checkpoint(shared.newest_checkpoint().await?),
            NodeRequest::CheckpointAt(size) => {
                let own = shared.own_checkpoint(size).await?;
                NodeReply::Checkpoint(own.map(|signed| signed.to_note()))
            }
            NodeRequest::Certificate(id) => {
                NodeReply::Certificate(views::certificate(shared, &id).await?.map(Box::new))
            }
            NodeRequest::Backup(digest) => NodeReply::Backup(shared.backup_for(peer, &digest).await?),
            NodeRequest::Drill(report) => self.drill(report).await?,
            NodeRequest::Restore { request, file } => {
                NodeReply::Restored(shared.restore(request, &file).await?)
            }
            NodeRequest::Import(report) => NodeReply::Imported(shared.import(*report).await?),
            NodeRequest::FreshHead(nonce) => {
                NodeReply::FreshHead(Box::new(shared.fresh_answer_for(peer, nonce).await?))
            }
            NodeRequest::Pulse => NodeReply::Pulse(shared.pulse_for(&peer.name)?),
            NodeRequest::Peer(documents) => {
                shared.heard_of(peer, documents).await?;
                NodeReply::Heard
            }
        })
    }

    async fn wait(&self, id: &RequestId, millis: u32) -> Result<Option<RequestView>, CallError> {
        let shared = &self.0;
        let limit = Duration::from_millis(millis.min(MAX_WAIT_MILLIS).into());
        if shared.board.view(id).is_none() && !views::restore(shared, id).await? {
            return Ok(None);
        }
        match timeout(limit, shared.board.wait(id, is_over)).await {
            Ok(Some(view)) => Ok(Some(shared.sightings.shown(view))),
            Ok(None) | Err(_) => Ok(views::view(shared, id).await?),
        }
    }

    async fn policy(&self, number: Option<u64>) -> Result<Option<Vec<u8>>, CallError> {
        let state = self.0.state();
        let current = state.policy().engine.version();
        match number {
            Some(number) if number != current.number => {
                let stored = self.0.ledger.policy(number).await?;
                Ok(stored.map(|(_, version)| version.to_document()))
            }
            _ => Ok(Some(current.to_document())),
        }
    }

    async fn blocks(&self, from: u64, limit: u64) -> Result<Vec<SentBlock>, CallError> {
        let mut sent = Vec::new();
        let mut bytes = 0;
        let stored = self.0.ledger.blocks(from, limit.min(MAX_SENT_BLOCKS)).await?;
        for block in stored {
            let block = SentBlock { commit: block.commit, entries: block.entries };
            bytes += borsh::object_length(&block).unwrap_or(usize::MAX / 2);
            if bytes > MAX_BLOCKS_BYTES && !sent.is_empty() {
                break;
            }
            sent.push(block);
        }
        Ok(sent)
    }

    async fn drill(&self, report: DrillReport) -> Result<NodeReply, CallError> {
        let step = KeyStep::Drilled { backup: report.backup, proof: report.proof };
        Ok(NodeReply::Drilled(self.0.report_key(Asker::Peer, report.key, step).await?))
    }
}

/// Signed, denied or carried out, or refused for good.
fn is_over(view: &RequestView) -> bool {
    let refused = view.stage == RequestStage::Allowed && view.refusal.is_some();
    view.stage.is_over() || refused
}

/// What the blocks of one answer have at most together, so that they fit a document.
const MAX_BLOCKS_BYTES: usize = 3 * 1024 * 1024;
