//! The sweep: asks for fresh certificates where a right could not be used in time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use keystead_base::{Canonical as _, Name, RequestId, Timestamp};
use keystead_decision::{Outcome, Phase, Request, State};
use keystead_wire::PeerMessage;
use tokio::sync::watch;

use crate::shared::Shared;
use crate::{Event, NodeError, clock, views};

/// Looks whenever the back end refused, and from time to time.
pub(crate) async fn run(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) -> Result<(), NodeError> {
    let mut seen = Seen::default();
    loop {
        sweep(&shared, &mut seen).await;
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            () = shared.sweep.notified() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

/// What earlier looks found.
#[derive(Default)]
struct Seen {
    signed: HashSet<RequestId>,
    /// Other holders of the key were asked for its signature.
    asked: HashSet<RequestId>,
}

async fn sweep(shared: &Arc<Shared>, seen: &mut Seen) {
    let state = shared.state();
    let now = clock::now().max(state.time());
    let candidates = candidates(&state, now);
    seen.signed.retain(|id| candidates.contains(id));
    seen.asked.retain(|id| candidates.contains(id));
    for id in candidates.difference(&seen.signed.clone()).copied() {
        match is_stuck(shared, &id, now).await {
            Look::Signed => drop(seen.signed.insert(id)),
            Look::Fine => {}
            // Others may have signed while this node was away: then there is nothing to renew.
            Look::Stuck if ask_holders(shared, &state, id) && seen.asked.insert(id) => {}
            Look::Stuck => renew(shared, id, now).await,
            Look::Elsewhere(home) => {
                let message = PeerMessage::WantSigned(id).to_document();
                shared.peers.send_one(&home, message);
            }
        }
    }
}

/// Asks the other holders of a key in shares for what they signed; whether it is one.
fn ask_holders(shared: &Shared, state: &State, id: RequestId) -> bool {
    let account = state.request(&id).and_then(|it| it.intent.action.account());
    let sharing = account.and_then(|it| state.key(&it.key)).and_then(|it| it.sharing.as_ref());
    for holder in sharing.iter().flat_map(|it| &it.holders).filter(|it| **it != shared.node) {
        shared.peers.send_one(holder, PeerMessage::WantSigned(id).to_document());
    }
    sharing.is_some()
}

async fn renew(shared: &Shared, id: RequestId, now: Timestamp) {
    shared.event(Event::Renewing { request: id });
    if let Err(error) = shared.renew(id, now).await {
        shared.postponed("a renewal", &error);
    }
}

/// Requests that may still be signed. What is frozen or suspended is asked for afterwards.
fn candidates(state: &State, now: Timestamp) -> HashSet<RequestId> {
    let may_sign = |request: &Request| {
        request.phase == Phase::Allowed
            && request.intent.expires > now
            && request.intent.action.account().is_some_and(|it| state.frozen().lets_sign(&it.key))
    };
    state.requests().filter(|(_, request)| may_sign(request)).map(|(id, _)| *id).collect()
}

/// How a request without a settlement looks.
enum Look {
    /// It has its signature.
    Signed,
    /// The back end is at it.
    Fine,
    /// It has none, and its certificate is worth nothing any more.
    Stuck,
    /// Another node signs it, and has not told this one.
    Elsewhere(Name),
}

async fn is_stuck(shared: &Shared, id: &RequestId, now: Timestamp) -> Look {
    let view = match views::view(shared, id).await {
        Ok(Some(view)) => view,
        Ok(None) => return Look::Fine,
        Err(error) => {
            shared.postponed("a look at a request", &error);
            return Look::Fine;
        }
    };
    match &view.decision.outcome {
        _ if view.signed.is_some() => Look::Signed,
        Outcome::Allow(grant) if !shared.holds(&shared.state(), &grant.account.key) => {
            let home = shared.state().key(&grant.account.key).map(|it| it.home.clone());
            home.map_or(Look::Fine, Look::Elsewhere)
        }
        Outcome::Allow(grant) if grant.expires <= now || shared.board.needs_renewal(id) => Look::Stuck,
        _ => Look::Fine,
    }
}

const INTERVAL: Duration = Duration::from_secs(5);
