//! Looks after promised broadcasts until the log says that they are over.

use std::sync::Weak;
use std::time::Duration;

use alloy_primitives::Address;
use keystead_base::{Canonical as _, RequestId, Timestamp};
use keystead_intent::Intent;
use keystead_wire::RequestStage;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::coordinator::{Inner, Obtained};
use crate::journal::{Entry, Promise};
use crate::{RequestError, Stage, Step, clock};

/// Looks at everything promised, again and again, until the coordinator is gone.
pub(crate) async fn sweep(coordinator: Weak<Inner>) {
    let mut ticks = interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = coordinator.upgrade() else { return };
        let pending = inner.journal().pending();
        for (request, entry) in pending {
            if let Err(error) = look(&inner, request, &entry).await {
                report(request, &error);
            }
        }
    }
}

/// Looks at once at what is unsure before a nonce is picked: what was denied a moment ago holds none, and
/// neither does what an earlier run promised and never handed to a node. A nonce picked behind such a one
/// would be stuck.
pub(crate) async fn refresh(inner: &Inner, account: Address) {
    let ours = |entry: &Entry| entry.promise.place.is_some_and(|it| it.account == account);
    let left_behind = |entry: &Entry| entry.stage == Stage::Submitted && entry.promise.at < inner.started;
    let pending: Vec<_> = inner.journal().pending().into_iter().filter(|(_, entry)| ours(entry)).collect();
    if pending.iter().any(|(_, entry)| left_behind(entry)) {
        let settled = inner.started.plus_seconds(RESTART_GRACE_SECONDS);
        sleep(Duration::from_millis(settled.0.saturating_sub(clock::now().0))).await;
    }
    let unsure = |entry: &Entry| entry.stage == Stage::Waiting || entry.lost || left_behind(entry);
    let unsure = pending.into_iter().filter(|(_, entry)| unsure(entry)).collect();
    for (request, entry) in holding_first(unsure).into_iter().take(MAX_REFRESHED) {
        if let Err(error) = look(inner, request, &entry).await {
            report(request, &error);
        }
    }
}

/// What is lost holds no nonce, and there may be any number of it: it is looked at where there is room left.
fn holding_first(mut unsure: Vec<(RequestId, Entry)>) -> Vec<(RequestId, Entry)> {
    unsure.sort_by_key(|(_, entry)| entry.lost);
    unsure
}

/// The node has the truth; every step here can be taken twice without harm.
async fn look(inner: &Inner, request: RequestId, entry: &Entry) -> Result<(), RequestError> {
    let Some(detail) = inner.node.request(request).await? else {
        return unknown(inner, request, entry).await;
    };
    let stage = entry.stage;
    let view = detail.view;
    match (view.stage, view.signed) {
        (RequestStage::Denied, _) => inner.note(request, Step::Deny),
        (RequestStage::Waiting, _) => inner.note(request, Step::Wait),
        (RequestStage::Allowed, _) => {}
        // Sent with its bundle, or not at all.
        (RequestStage::Signed, Some(_)) if entry.promise.part.is_some() => inner.note(request, Step::Sign),
        (RequestStage::Signed, Some(signed)) if stage != Stage::Broadcast => {
            inner.send(&Obtained { request, signed }).await?;
        }
        (RequestStage::Signed, Some(signed)) => inner.send_again(request, &signed),
        // Pools forget what was in a block, and take it again when it is sent.
        (RequestStage::Reorged, Some(signed)) => inner.send_again(request, &signed),
        // Final either way: what there was to send was sent.
        (RequestStage::Settled | RequestStage::Failed, _) => {
            inner.looks.over(&request);
            inner.note(request, Step::Sign);
            inner.note(request, Step::Settle);
        }
        (RequestStage::Signed | RequestStage::Reorged, None)
        | (RequestStage::Applied | RequestStage::Dead, _) => {
            inner.looks.over(&request);
            inner.note(request, Step::Fail);
        }
    }
    match &entry.promise.part {
        Some(part) => inner.tend(&part.bundle).await,
        None => Ok(()),
    }
}

/// Promised, and the node does not know it. With a key, or as part of a bundle, the caller was told that asking again is the same
/// request: it is submitted again. Without one the caller was never told that it would be sent; but a cluster that
/// decides nothing for a while may still hold it, and allow it for as long as it lives.
async fn unknown(inner: &Inner, request: RequestId, entry: &Entry) -> Result<(), RequestError> {
    if inner.flights.holds(&request) || clock::now() < arrived_at(inner, entry.promise.at) {
        return Ok(());
    }
    match entry.promise.intent().and_then(|intent| Intent::from_document(intent).ok()) {
        Some(intent) if clock::now() < intent.expires => inner.submit(intent).await.map(drop),
        None if clock::now() < decided_by(inner, &entry.promise) => {
            inner.journal().lose(&request);
            Ok(())
        }
        Some(_) | None => {
            inner.note(request, Step::Fail);
            Ok(())
        }
    }
}

/// Until when a cluster may still decide about it.
fn decided_by(inner: &Inner, promise: &Promise) -> Timestamp {
    promise.until.unwrap_or_else(|| promise.at.plus_seconds(inner.settings.lifetime.as_secs()))
}

/// When a submission has arrived, or never will. That of an earlier run was in the node's hands when that run
/// was killed, or nowhere.
fn arrived_at(inner: &Inner, promised: Timestamp) -> Timestamp {
    let given = promised.plus_seconds(GRACE_SECONDS);
    match promised < inner.started {
        true => given.min(inner.started.plus_seconds(RESTART_GRACE_SECONDS)),
        false => given,
    }
}

/// Says on standard error what went wrong; the next sweep tries again.
#[expect(clippy::print_stderr, reason = "a service's log is its standard error")]
pub(crate) fn report(request: RequestId, error: &dyn std::error::Error) {
    eprintln!("coordinator: request {request}: {error}");
}

/// What was on its way when its caller hung up, or when this program was killed, has arrived by then.
const GRACE_SECONDS: u64 = 10;
/// What an earlier run of this program sent has arrived so long after this one began.
const RESTART_GRACE_SECONDS: u64 = 1;
/// The others are looked at by the next sweep.
const MAX_REFRESHED: usize = 32;
const SWEEP_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use keystead_base::Digest;

    use super::*;

    #[test]
    fn d03_what_is_lost_takes_no_place_of_what_holds_a_nonce() {
        let entry = |lost| Entry { stage: Stage::Waiting, promise: Promise::default(), lost };
        let mut unsure: Vec<_> = (0..64).map(|it| (RequestId(Digest([it; 32])), entry(true))).collect();
        let waiting = RequestId(Digest([255; 32]));
        unsure.push((waiting, entry(false)));
        assert_eq!(holding_first(unsure)[0].0, waiting);
    }
}
