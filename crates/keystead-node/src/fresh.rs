//! Which head is the newest: what this node says of its own, and how its enclave learns it.

use std::collections::BTreeMap;
use std::time::Duration;

use keystead_base::{Canonical as _, Digest, HybridSigner};
use keystead_decision::{FreshAnswer, Outcome};
use keystead_ledger::SignError;
use keystead_policy::{AssuranceLevel, FreshHeadDemand};
use keystead_signing::ClientError;
use keystead_wire::{NodeReply, NodeRequest, Peer, Refused};
use tokio::task::JoinSet;

use crate::blocks::Durable;
use crate::error::CallError;
use crate::log_token::Asker;
use crate::shared::Shared;
use crate::signer::Signer;
use crate::{Event, NodeError};

impl Shared {
    /// INVARIANT S14: this node's word for a nonce is on its last durable head, never on an older one.
    ///
    /// # Errors
    ///
    /// [`CallError`] when the head cannot be read or the word not be signed.
    pub(crate) async fn fresh_answer(&self, asker: Asker, nonce: Digest) -> Result<FreshAnswer, CallError> {
        let height = self.state().height();
        let head = self.ledger.block(height).await?.map(|it| it.commit);
        if head.as_ref().map_or(0, |it| it.header.height) != height {
            return Err(CallError::NoHead { height });
        }
        let (cluster, node) = (self.cluster, self.node.clone());
        let sign = move |key: &HybridSigner| FreshAnswer::by_node(cluster, nonce, head, node, key);
        Ok(self.key.sign(asker, sign).await.map_err(SignError::Key)?)
    }

    /// This node's word, and those of as many others as a quorum needs, or as answer in time. INVARIANT D3: a word
    /// that does not hold is left out, so that one lying node keeps no back end from an answer.
    async fn gather_fresh(&self, own: FreshAnswer) -> FreshAnswer {
        let state = self.state();
        let (roster, needed) = (state.roster(), state.roster().quorum as usize);
        let request = NodeRequest::FreshHead(own.nonce).to_document();
        let mut answers = BTreeMap::from([(self.node.clone(), own.clone())]);
        let mut calls = JoinSet::new();
        for client in self.peers.reachable_of(roster).into_iter().filter(|_| needed > 1) {
            let request = request.clone();
            calls.spawn(async move { client.call_within(request, ANSWER_TIME).await });
        }
        while answers.len() < needed {
            let Some(called) = calls.join_next().await else { break };
            if let Ok(Ok(reply)) = called
                && let Ok(NodeReply::FreshHead(answer)) = NodeReply::from_document(&reply)
                && answer.stands_beside(&own, self.cluster, roster)
            {
                let node = answer.words.first().map(|word| word.node.clone());
                answers.extend(node.map(|node| (node, *answer)));
            }
        }
        FreshAnswer::gather(answers.into_values().collect()).unwrap_or(own)
    }

    /// The same for another node, on behalf of its back end. Nobody else has one.
    ///
    /// # Errors
    ///
    /// [`CallError::NotANode`], and as [`Self::fresh_answer`].
    pub(crate) async fn fresh_answer_for(
        &self,
        peer: &Peer,
        nonce: Digest,
    ) -> Result<FreshAnswer, CallError> {
        match self.state().roster().node(&peer.name) {
            Some(node) => self.fresh_answer(Asker::Head(node.name.clone()), nonce).await,
            None => Err(CallError::NotANode { name: peer.name.clone() }),
        }
    }
}

impl Signer {
    /// Before rights of a block are used: the enclave has the newest head confirmed as often as policy asks.
    /// Where it does not believe the answer, it refuses the rights one by one, and they are renewed.
    pub(crate) async fn confirm(&mut self, block: &Durable) -> Result<(), NodeError> {
        let right = |outcome: &Outcome| {
            matches!(outcome, Outcome::Allow(_) | Outcome::Ceremony { .. } | Outcome::Convened(_))
        };
        let version = block.state.policy().engine.version();
        let each = version.fresh_head(AssuranceLevel::Process) == FreshHeadDemand::PerSignature;
        if !block.decisions.iter().any(|it| right(&it.outcome)) || (self.confirmed && !each) {
            return Ok(());
        }
        let nonce = self.enclave.ask_fresh()?;
        let own = match self.shared.fresh_answer(Asker::Node, nonce).await {
            Ok(answer) => answer,
            Err(error) => {
                self.shared.postponed("the newest head", &error);
                return Ok(());
            }
        };
        let answer = self.shared.gather_fresh(own).await;
        match self.enclave.confirm_fresh(answer) {
            Ok(_) => self.confirmed = true,
            Err(ClientError::Refused(refusal)) => {
                let refused = Refused { code: refusal.code, text: refusal.text };
                self.shared.event(Event::Postponed { what: "the newest head", refused });
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// How long another node may take to say which head is its newest.
const ANSWER_TIME: Duration = Duration::from_secs(3);
