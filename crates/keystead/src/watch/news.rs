//! What changed between two looks.

use std::collections::{BTreeMap, BTreeSet};

use keystead_base::{Name, RequestId, Timestamp};
use serde_json::{Value, json};

use super::board::Board;
use super::nodes::{self, Presence};
use super::pane::Tone;
use super::words;

/// One change.
pub(crate) struct News {
    pub(crate) at: Timestamp,
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

impl News {
    /// For scripts.
    pub(crate) fn value(&self) -> Value {
        json!(self.text)
    }
}

/// What is compared.
pub(crate) struct Snapshot {
    presence: BTreeMap<Name, Presence>,
    objections: BTreeMap<Name, (u64, String)>,
    signing: Option<String>,
    policy: Option<u64>,
    keys: BTreeMap<Name, String>,
    waiting: BTreeSet<RequestId>,
    chains: BTreeMap<u64, String>,
    refusals: u64,
}

impl Snapshot {
    pub(crate) fn of(board: &Board) -> Self {
        let rows = nodes::rows(board);
        let status = board.furthest();
        let objections = rows.iter().filter_map(|row| {
            let it = row.objection.as_ref()?;
            Some((row.name.clone(), (it.height, words::objection(it))))
        });
        let keys = status.iter().flat_map(|it| &it.keys);
        let chains = status.iter().flat_map(|it| &it.chains);
        let answers = board.sightings().iter().filter_map(|it| it.answer());
        Self {
            presence: rows.iter().map(|row| (row.name.clone(), row.presence)).collect(),
            objections: objections.collect(),
            signing: status.map(|it| words::signing(&it.frozen)),
            policy: status.map(|it| it.policy),
            keys: keys.map(|key| (key.name.clone(), super::panes::key_state(key).0.to_owned())).collect(),
            waiting: status.iter().flat_map(|it| &it.waiting).map(|it| it.request).collect(),
            chains: chains.map(|it| (it.chain, super::panes::watch_kind(&it.watch).to_owned())).collect(),
            refusals: answers.map(|it| it.refusals).sum(),
        }
    }
}

type Found = Vec<(String, Tone)>;

/// The changes, in the order of their weight, lightest first.
pub(crate) fn between(before: &Snapshot, after: &Snapshot) -> Found {
    let mut found = Vec::new();
    found.extend(waiting(before, after));
    found.extend(keys(before, after));
    found.extend(chains(before, after));
    found.extend(cluster(before, after));
    found.extend(nodes_changed(before, after));
    found
}

fn waiting(before: &Snapshot, after: &Snapshot) -> Found {
    let short = |id: &RequestId| id.0.short();
    let come = after.waiting.difference(&before.waiting);
    let gone = before.waiting.difference(&after.waiting);
    let come = come.map(|id| (format!("request {} waits for people", short(id)), Tone::Warn));
    come.chain(gone.map(|id| (format!("request {} waits no more", short(id)), Tone::Plain))).collect()
}

fn keys(before: &Snapshot, after: &Snapshot) -> Found {
    let changed = after.keys.iter().filter(|(name, state)| before.keys.get(*name) != Some(*state));
    changed.map(|(name, state)| (format!("key `{name}` is {state}"), Tone::Plain)).collect()
}

fn chains(before: &Snapshot, after: &Snapshot) -> Found {
    let changed = after
        .chains
        .iter()
        .filter(|(chain, watch)| before.chains.get(*chain).is_some_and(|earlier| earlier != *watch));
    changed.map(|(chain, watch)| (format!("chain {chain}: {watch}"), Tone::Warn)).collect()
}

fn cluster(before: &Snapshot, after: &Snapshot) -> Found {
    let mut found = Vec::new();
    if let (Some(earlier), Some(later)) = (before.policy, after.policy)
        && earlier != later
    {
        found.push((format!("policy version {later} is in force"), Tone::Warn));
    }
    if let (Some(earlier), Some(later)) = (&before.signing, &after.signing)
        && earlier != later
    {
        found.push((format!("now {later}"), Tone::Bad));
    }
    if after.refusals > before.refusals {
        let more = after.refusals - before.refusals;
        found.push((format!("the enclave refused {more} times"), Tone::Bad));
    }
    found
}

fn nodes_changed(before: &Snapshot, after: &Snapshot) -> Found {
    let mut found = Vec::new();
    for (name, now) in &after.presence {
        match before.presence.get(name) {
            Some(earlier) if earlier == now => {}
            Some(_) => found.push((format!("{name} {}", now.words()), now.tone())),
            None => found.push((format!("{name} is new in the roster"), Tone::Plain)),
        }
    }
    for name in before.presence.keys().filter(|name| !after.presence.contains_key(*name)) {
        found.push((format!("{name} left the roster"), Tone::Warn));
    }
    for (name, (height, text)) in &after.objections {
        if before.objections.get(name).is_none_or(|(earlier, _)| earlier < height) {
            found.push((format!("{name} {text}"), Tone::Bad));
        }
    }
    found
}
