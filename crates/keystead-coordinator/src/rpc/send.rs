//! `eth_sendTransaction`: signed, sent, and never paid twice for one call that came twice.

use keystead_base::{Canonical as _, RequestId};
use keystead_intent::Intent;
use keystead_policy::Reason;
use keystead_wire::{RequestStage, RequestView};
use serde_json::{Value, json};

use super::RpcError;
use super::method::{Reply, one};
use crate::coordinator::{Inner, Obtained};
use crate::journal::{Keyed, Promise, Promised};
use crate::once::Once;
use crate::transaction::TransactionRequest;
use crate::{RequestError, Step, clock, follow};

impl Inner {
    pub(super) async fn eth_send_transaction(&self, params: Value, once: Option<Once>, owner: &str) -> Reply {
        let request: TransactionRequest = one(params, "a transaction object")?;
        self.chain()?;
        let earlier = once.as_ref().and_then(|once| self.journal().keyed(&once.key));
        let view = match (earlier, &once) {
            (Some((id, keyed)), Some(once)) => self.again(id, &keyed, once).await?,
            _ => self.begin(&request, once, owner).await?,
        };
        let obtained = match self.signature(view).await {
            Ok(obtained) => obtained,
            Err(error) => self.first_of(&request, error).await?,
        };
        Ok(json!(self.send(&obtained).await?))
    }

    /// Nonces are picked one at a time per account, so that two callers never get the same one. The promise
    /// is durable before the request leaves: from then on the key names this request.
    async fn begin(
        &self,
        request: &TransactionRequest,
        once: Option<Once>,
        owner: &str,
    ) -> Result<RequestView, RpcError> {
        let from = request.from()?;
        // Before a place for its nonces is kept.
        self.ours(from).await?;
        let own = self.shares.of(owner).own_fill().await?;
        let _turn = self.nonces.turn(from).await;
        follow::refresh(self, from).await;
        let fills = own.begin().await?;
        let held = self.journal().held(from);
        let (action, place) = self.complete(request, &held).await?;
        drop(fills);
        let intent = self.intent(action)?;
        let id = intent.id();
        let keyed = once.clone().map(|once| Keyed {
            key: once.key,
            asked: once.asked,
            intent: intent.to_document().into(),
        });
        let (until, owner) = (Some(intent.expires), owner.to_owned());
        let promise = Promise { at: clock::now(), until, owner, place: Some(place), keyed, part: None };
        let _flight = self.flights.begin(id);
        if let (Promised::Earlier(id, keyed), Some(once)) = (self.promise(id, promise)?, once) {
            return Ok(self.again(id, &keyed, &once).await?);
        }
        Ok(self.submit_promised(intent).await?)
    }

    /// Submits what is promised already, and notes how it stands.
    pub(crate) async fn submit_promised(&self, intent: Intent) -> Result<RequestView, RequestError> {
        let view = self.submit(intent).await?;
        match view.stage {
            RequestStage::Denied => self.note(view.request, Step::Deny),
            RequestStage::Waiting => self.note(view.request, Step::Wait),
            _ => {}
        }
        Ok(view)
    }

    /// The request that a key names, as it stands now. If the node never heard of it, it hears the very same
    /// request now: the log holds it once.
    async fn again(
        &self,
        request: RequestId,
        keyed: &Keyed,
        once: &Once,
    ) -> Result<RequestView, RequestError> {
        if keyed.asked != once.asked {
            return Err(RequestError::KeyReused { request });
        }
        if let Some(detail) = self.node.request(request).await? {
            return Ok(detail.view);
        }
        let intent = Intent::from_document(&keyed.intent)
            .map_err(|error| RequestError::Environment(format!("the journal is damaged: {error}")))?;
        self.submit(intent).await
    }

    /// With a nonce of the caller's own, the same transaction asked for again finds its place taken by
    /// itself: then the first one's signature is the answer.
    async fn first_of(
        &self,
        request: &TransactionRequest,
        error: RequestError,
    ) -> Result<Obtained, RequestError> {
        let RequestError::Denied { reasons, .. } = &error else { return Err(error) };
        let taken = reasons.iter().find_map(|reason| match reason {
            Reason::SlotTaken { by, .. } => Some(*by),
            _ => None,
        });
        // A part of a bundle goes with the others or not at all.
        let Some(by) = taken.filter(|by| !self.journal().is_part(by)) else { return Err(error) };
        match self.node.request(by).await? {
            Some(detail) if request.is(&detail.intent.action) => self.signature(detail.view).await,
            Some(_) | None => Err(error),
        }
    }
}
