//! The sweep: asks for fresh certificates where a right could not be used in time.

use std::sync::Arc;
use std::time::Duration;

use keystead_base::{RequestId, Timestamp};
use keystead_decision::{Outcome, Phase, Request, State};
use tokio::sync::watch;

use crate::shared::Shared;
use crate::{Event, NodeError, clock, views};

/// Looks whenever the back end refused, and from time to time.
pub(crate) async fn run(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) -> Result<(), NodeError> {
    loop {
        sweep(&shared).await;
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            () = shared.sweep.notified() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

async fn sweep(shared: &Arc<Shared>) {
    let state = shared.state();
    let now = clock::now().max(state.time());
    for id in candidates(&state, now) {
        if !is_stuck(shared, &id, now).await {
            continue;
        }
        shared.event(Event::Renewing { request: id });
        if let Err(error) = shared.renew(id, now).await {
            return shared.postponed("a renewal", &error);
        }
    }
}

/// Requests that may still be signed. What is frozen is asked for after the thaw.
fn candidates(state: &State, now: Timestamp) -> Vec<RequestId> {
    let may_sign = |request: &Request| {
        request.phase == Phase::Allowed
            && request.intent.expires > now
            && request.intent.action.account().is_some_and(|it| !state.frozen().holds(&it.key))
    };
    state.requests().filter(|(_, request)| may_sign(request)).map(|(id, _)| *id).collect()
}

/// Whether a request is without a signature, and its certificate is worth nothing any more.
async fn is_stuck(shared: &Shared, id: &RequestId, now: Timestamp) -> bool {
    let view = match views::view(shared, id).await {
        Ok(Some(view)) => view,
        Ok(None) => return false,
        Err(error) => {
            shared.postponed("a look at a request", &error);
            return false;
        }
    };
    let Outcome::Allow(grant) = &view.decision.outcome else { return false };
    let worthless = grant.expires <= now || shared.board.needs_renewal(id);
    view.signed.is_none() && worthless
}

const INTERVAL: Duration = Duration::from_secs(5);
