//! Which head is the newest: what this node says of its own, and how its enclave learns it.

use keystead_base::Digest;
use keystead_decision::{FreshAnswer, Outcome};
use keystead_policy::{AssuranceLevel, FreshHeadDemand};
use keystead_signing::ClientError;
use keystead_wire::{Peer, Refused};

use crate::blocks::Durable;
use crate::error::CallError;
use crate::shared::Shared;
use crate::signer::Signer;
use crate::{Event, NodeError};

impl Shared {
    /// INVARIANT S14: this node's word for a nonce is on its last durable head, never on an older one.
    ///
    /// # Errors
    ///
    /// [`CallError`] when the head cannot be read or the word not be signed.
    pub(crate) async fn fresh_answer(&self, nonce: Digest) -> Result<FreshAnswer, CallError> {
        let height = self.state().height();
        let head = self.ledger.block(height).await?.map(|it| it.commit);
        if head.as_ref().map_or(0, |it| it.header.height) != height {
            return Err(CallError::NoHead { height });
        }
        FreshAnswer::by_node(self.cluster, nonce, head, self.node.clone(), &self.key)
            .map_err(|error| CallError::Sign { reason: error.to_string() })
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
            Some(_) => self.fresh_answer(nonce).await,
            None => Err(CallError::NotANode),
        }
    }
}

impl Signer {
    /// Before rights of a block are used: the enclave has the newest head confirmed as often as policy asks.
    /// Where it does not believe the answer, it refuses the rights one by one, and they are renewed.
    pub(crate) async fn confirm(&mut self, block: &Durable) -> Result<(), NodeError> {
        let right = |outcome: &Outcome| matches!(outcome, Outcome::Allow(_) | Outcome::Ceremony { .. });
        let version = block.state.policy().engine.version();
        let each = version.fresh_head(AssuranceLevel::Process) == FreshHeadDemand::PerSignature;
        if !block.decisions.iter().any(|it| right(&it.outcome)) || (self.confirmed && !each) {
            return Ok(());
        }
        let nonce = self.enclave.ask_fresh()?;
        let own = match self.shared.fresh_answer(nonce).await {
            Ok(answer) => answer,
            Err(error) => {
                self.shared.postponed("the newest head", &error);
                return Ok(());
            }
        };
        // A quorum of one; with more nodes their answers are gathered here.
        match self.enclave.confirm_fresh(own) {
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
