//! Looks after promised broadcasts until the log says that they are over.

use std::sync::{Arc, Weak};
use std::time::Duration;

use keystead_base::RequestId;
use tokio::time::{MissedTickBehavior, interval};

use crate::coordinator::{Inner, Obtained};
use crate::{RequestError, Stage, Step};
use keystead_wire::RequestStage;

/// Looks at everything promised, again and again, until the coordinator is gone.
pub(crate) async fn sweep(coordinator: Weak<Inner>) {
    let mut ticks = interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = coordinator.upgrade() else { return };
        let pending = inner.journal().pending();
        for (request, stage) in pending {
            if let Err(error) = look(&inner, request, stage).await {
                report(request, &error);
            }
        }
    }
}

/// The node has the truth; every step here can be taken twice without harm.
async fn look(inner: &Arc<Inner>, request: RequestId, stage: Stage) -> Result<(), RequestError> {
    let Some(detail) = inner.node.request(request).await? else {
        // Promised and never submitted: the caller was never told that it would be sent.
        inner.note(request, Step::Fail);
        return Ok(());
    };
    let view = detail.view;
    match (view.stage, view.signed) {
        (RequestStage::Denied, _) => inner.note(request, Step::Deny),
        (RequestStage::Waiting, _) => inner.note(request, Step::Wait),
        (RequestStage::Allowed, _) => {}
        (RequestStage::Signed, Some(signed)) if stage != Stage::Broadcast => {
            inner.send(&Obtained { request, signed }).await?;
        }
        (RequestStage::Signed, Some(_)) => {}
        (RequestStage::Settled, _) => {
            inner.note(request, Step::Sign);
            inner.note(request, Step::Settle);
        }
        (RequestStage::Signed, None) | (RequestStage::Applied | RequestStage::Dead, _) => {
            inner.note(request, Step::Fail);
        }
    }
    Ok(())
}

/// Says on standard error what went wrong; the next sweep tries again.
#[allow(clippy::print_stderr)]
pub(crate) fn report(request: RequestId, error: &dyn std::error::Error) {
    eprintln!("coordinator: request {request}: {error}");
}

const SWEEP_EVERY: Duration = Duration::from_secs(1);
