//! Bundles of calls (EIP-5792): requests of their own, decided one by one and sent together or not at all.

use keystead_base::{Canonical as _, Digest, RequestId};
use keystead_intent::Intent;
use keystead_wire::{RequestStage, RequestView};

use crate::coordinator::{Inner, Obtained};
use crate::journal::{Entry, Part, Place, Promise};
use crate::{RequestError, Stage, Step, clock, follow};

/// How a bundle stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    /// Something is still to be decided or signed.
    NotYet,
    /// Every part is signed, or was sent already.
    Signed,
    /// A part was denied, ended without a signature, or was never written down.
    Broken,
}

impl Inner {
    /// Promises the parts; durable when this returns. False when the bundle's id was used before.
    pub(crate) fn promise_bundle(
        &self,
        bundle: Digest,
        parts: &[(Intent, Place)],
        owner: &str,
    ) -> Result<bool, RequestError> {
        let promise = |(index, (intent, place)): (usize, &(Intent, Place))| {
            let part = Part { bundle, index, of: parts.len(), intent: intent.to_document().into() };
            let (until, owner) = (Some(intent.expires), owner.to_owned());
            let place = Some(*place);
            let promise = Promise { at: clock::now(), until, owner, place, keyed: None, part: Some(part) };
            (intent.id(), promise)
        };
        let promises = parts.iter().enumerate().map(promise).collect();
        self.journal().promise_all(promises).map_err(|error| RequestError::unkept(&error))
    }

    /// Submits the parts in their order, up to the first that is denied: the rest never reaches the log. What a
    /// node does not answer is asked again later, as it stands in the journal.
    pub(crate) async fn submit_bundle(
        &self,
        bundle: Digest,
        parts: Vec<(Intent, Place)>,
    ) -> Result<(), RequestError> {
        let (mut ended, mut request) = (Ok(()), RequestId(bundle));
        for (intent, _) in parts {
            request = intent.id();
            match self.submit(intent).await {
                Err(error @ RequestError::Node(_)) => follow::report(request, &error),
                Err(error) => ended = self.end(request, Step::Fail, error),
                Ok(view) => ended = self.decided(view).await,
            }
            if ended.is_err() {
                break;
            }
        }
        if let Err(error) = self.tend(&bundle).await {
            follow::report(request, &error);
        }
        ended
    }

    async fn decided(&self, view: RequestView) -> Result<(), RequestError> {
        let request = view.request;
        match view.stage {
            RequestStage::Denied => {
                if let Err(error) = self.signature(view).await {
                    return self.end(request, Step::Deny, error);
                }
            }
            RequestStage::Waiting => self.note(request, Step::Wait),
            RequestStage::Signed | RequestStage::Reorged => self.note(request, Step::Sign),
            _ => {}
        }
        Ok(())
    }

    fn end(&self, request: RequestId, step: Step, error: RequestError) -> Result<(), RequestError> {
        self.note(request, step);
        Err(error)
    }

    /// Sends a bundle whose parts are all signed, in their order; gives up what is left of a broken one.
    pub(crate) async fn tend(&self, bundle: &Digest) -> Result<(), RequestError> {
        let parts = self.journal().bundle(bundle);
        match whole(&parts) {
            Whole::NotYet => Ok(()),
            Whole::Signed => self.send_parts(&parts).await,
            Whole::Broken => {
                let unsent = parts.iter().filter(|(_, entry)| !was_sent(entry.stage));
                unsent.for_each(|(request, _)| self.note(*request, Step::Fail));
                Ok(())
            }
        }
    }

    async fn send_parts(&self, parts: &[(RequestId, Entry)]) -> Result<(), RequestError> {
        for (request, _) in parts.iter().filter(|(_, entry)| entry.stage == Stage::Signed) {
            let detail = self.node.request(*request).await?;
            let signed = detail.and_then(|it| it.view.signed);
            let signed = signed.ok_or(RequestError::Ended { request: *request, stage: None })?;
            self.send(&Obtained { request: *request, signed }).await?;
        }
        Ok(())
    }
}

fn whole(parts: &[(RequestId, Entry)]) -> Whole {
    let is_whole =
        |(_, entry): &(_, Entry)| entry.promise.part.as_ref().is_some_and(|it| it.of == parts.len());
    let is_over = |(_, entry): &(_, Entry)| matches!(entry.stage, Stage::Denied | Stage::Failed);
    let is_signed = |(_, entry): &(_, Entry)| entry.stage == Stage::Signed || was_sent(entry.stage);
    match () {
        () if !parts.iter().all(is_whole) || parts.iter().any(is_over) => Whole::Broken,
        () if parts.iter().all(is_signed) => Whole::Signed,
        () => Whole::NotYet,
    }
}

/// Whether an endpoint has it.
pub(crate) fn was_sent(stage: Stage) -> bool {
    matches!(stage, Stage::Broadcast | Stage::Settled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(stages: &[Stage], of: usize) -> Vec<(RequestId, Entry)> {
        let entry = |(index, stage): (usize, &Stage)| {
            let part = Part { bundle: Digest([9; 32]), index, of, intent: Default::default() };
            let promise = Promise { part: Some(part), ..Promise::default() };
            (RequestId(Digest([1; 32])), Entry { stage: *stage, promise, lost: false })
        };
        stages.iter().enumerate().map(entry).collect()
    }

    #[test]
    fn s02_no_call_of_a_bundle_is_sent_before_all_are_signed() {
        use Stage::{Broadcast, Denied, Failed, Settled, Signed, Submitted, Waiting};
        for (stages, found) in [
            ([Signed, Signed], Whole::Signed),
            ([Broadcast, Signed], Whole::Signed),
            ([Settled, Broadcast], Whole::Signed),
            ([Signed, Waiting], Whole::NotYet),
            ([Submitted, Signed], Whole::NotYet),
            ([Signed, Denied], Whole::Broken),
            ([Failed, Waiting], Whole::Broken),
        ] {
            assert_eq!(whole(&bundle(&stages, 2)), found, "{stages:?}");
            assert_eq!(
                whole(&bundle(&stages, 3)),
                Whole::Broken,
                "{stages:?}, and one that was never promised"
            );
        }
    }
}
