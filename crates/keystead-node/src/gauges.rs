//! How full each limit window is, and whom each request waits for, read from the state.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::U256;
use keystead_base::{Amount, Name, RequestId, Timestamp};
use keystead_decision::{Outcome, Phase, Request, State};
use keystead_intent::Verdict;
use keystead_policy::{Bucket, Candidate, Charge, Need, Requirement, Roster, Window, assign};
use keystead_wire::{
    MAX_SHOWN_PEOPLE, MAX_SHOWN_WAITING, MAX_SHOWN_WINDOWS, MissingView, WaitingView, WindowView,
};

use crate::shared::Shared;

/// The fullest counts of the windows of the policy in force at `now`, and how many counts there are. A window that
/// has counted nothing yet is shown once.
pub(crate) fn windows(state: &State, now: Timestamp) -> (Vec<WindowView>, u64) {
    let windows = &state.policy().engine.version().windows;
    let named: BTreeMap<&Name, &Window> = windows.iter().map(|window| (&window.id, window)).collect();
    let counted =
        || state.windows().counts().filter_map(|(id, bucket)| Some((*named.get(id)?, bucket.clone())));
    let begun: BTreeSet<&Name> = counted().map(|(window, _)| &window.id).collect();
    let idle: Vec<_> = windows.iter().filter(|window| !begun.contains(&window.id)).collect();
    let number = counted().count().saturating_add(idle.len()) as u64;
    let idle = idle.into_iter().map(|window| (window, Bucket::default()));
    let looked_at = counted().take(MAX_LOOKED_AT).chain(idle);
    let mut views: Vec<_> = looked_at.map(|(window, bucket)| view(state, window, bucket, now)).collect();
    views.sort_by_cached_key(|it| (Reverse(permille(it)), it.window.clone()));
    views.truncate(MAX_SHOWN_WINDOWS);
    (views, number)
}

fn view(state: &State, window: &Window, bucket: Bucket, now: Timestamp) -> WindowView {
    let version = state.policy().engine.version();
    let charge = Charge {
        window: window.id.clone(),
        bucket,
        amount: Amount::ZERO,
        limit: window.limit,
        span_seconds: window.span_seconds,
    };
    let used = state.windows().used(&charge, now, version.timing.skew_seconds);
    let (symbol, decimals) = version.unit(window.measure);
    WindowView {
        window: charge.window,
        key: charge.bucket.key,
        destination: charge.bucket.destination,
        chain: charge.bucket.chain.map(|chain| chain.0),
        symbol,
        decimals,
        limit: window.limit,
        used,
        span_seconds: window.span_seconds,
    }
}

/// How full a count is, in thousandths.
fn permille(view: &WindowView) -> Amount {
    let (used, limit) = (view.used.0, view.limit.0);
    let thousand = used.saturating_mul(U256::from(1000_u32));
    Amount(thousand.checked_div(limit).unwrap_or(U256::MAX))
}

/// The oldest requests that wait, with those who still have to say yes.
pub(crate) fn waiting(shared: &Shared, state: &State, now: Timestamp) -> Vec<WaitingView> {
    let open = state.requests().filter(|(_, request)| request.phase == Phase::Open);
    let mut open: Vec<_> = open.map(|(id, request)| (request.announced, *id, request)).collect();
    open.sort_by_key(|(announced, id, _)| (*announced, *id));
    let shown = open.into_iter().take(MAX_SHOWN_WAITING);
    shown.map(|(_, id, request)| waits(shared, state.roster(), &id, request, now)).collect()
}

fn waits(shared: &Shared, roster: &Roster, id: &RequestId, request: &Request, now: Timestamp) -> WaitingView {
    let (requirement, ready) = match shared.board.view(id).map(|view| view.decision.outcome) {
        Some(Outcome::Wait { requirement, ready, .. }) => (requirement, ready),
        _ => (Requirement::default(), request.announced),
    };
    let heard = request.approvals.iter().map(|signed| &signed.body);
    let yes: Vec<_> = heard.filter(|it| it.verdict == Verdict::Approve && it.expires >= now).collect();
    let candidates: Vec<_> = yes
        .iter()
        .filter_map(|it| {
            let factor = roster.device(&it.person, &it.device).map(|device| device.factor);
            Some(Candidate { person: roster.person(&it.person)?, factor })
        })
        .collect();
    let approved: Vec<Name> = yes.iter().map(|it| it.person.clone()).collect();
    let missing = assign(&requirement.needs, &candidates).missing;
    WaitingView {
        request: *id,
        requester: request.intent.requester.clone(),
        class: request.class,
        missing: missing.iter().map(|need| missing_view(roster, need, request, &approved)).collect(),
        approved,
        ready,
        expires: request.intent.expires,
    }
}

fn missing_view(roster: &Roster, need: &Need, request: &Request, approved: &[Name]) -> MissingView {
    let people = roster.people.iter().filter(|person| {
        let free = person.name != request.intent.requester && !approved.contains(&person.name);
        free && Candidate { person, factor: None }.fits(need)
    });
    let people = people.take(MAX_SHOWN_PEOPLE).map(|person| person.name.clone()).collect();
    MissingView { role: need.role.clone(), count: need.count, people }
}

/// How many counts are compared for one status: a window split by destination may have very many.
const MAX_LOOKED_AT: usize = 4096;
