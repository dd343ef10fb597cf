//! The node in one look.

use std::cmp::Reverse;

use keystead_base::Name;
use keystead_decision::{Key, Phase, State};
use keystead_wire::{
    ChainStatus, ChainWatch, FoundView, KeyPage, KeyView, MAX_SENT_KEYS, MAX_SHOWN_FOUND, MAX_SHOWN_KEYS,
    NodeStatus, ObjectionView, PeerView, ReconciledView, Refused, RequestView, SharingView, SpendOnly,
    Withstands,
};

use crate::convenings::convenings;
use crate::shared::Shared;
use crate::{clock, gauges};

/// A page of the keys, with addresses only where somebody may be paid.
pub(crate) fn keys(state: &State, after: Option<&Name>) -> KeyPage {
    let mut left = state.keys_after(after).map(|(name, key)| key_view(state, name, key)).peekable();
    let (mut keys, mut bytes) = (Vec::new(), 0_usize);
    while keys.len() < MAX_SENT_KEYS && bytes < MAX_KEYS_BYTES {
        let Some(key) = left.next() else { break };
        bytes = bytes.saturating_add(borsh::object_length(&key).unwrap_or(MAX_KEYS_BYTES));
        keys.push(key);
    }
    KeyPage { keys, more: left.peek().is_some() }
}

/// One key.
pub(crate) fn key(state: &State, name: &Name) -> Option<KeyView> {
    state.key(name).map(|key| key_view(state, name, key))
}

fn key_view(state: &State, name: &Name, key: &Key) -> KeyView {
    // A key whose home has not proved control for longer than its terms ask is one that nobody is paid at.
    let shown = key.is_shown_at(clock::now().max(state.time()));
    KeyView {
        name: name.clone(),
        kind: key.kind,
        epoch: key.epoch,
        home: key.home.clone(),
        state: key.state,
        frozen: state.frozen().holds(name),
        backup: key.backup,
        account: shown.then_some(key.account),
        address: key.address(0).filter(|_| shown),
        wallets: match shown {
            true => key.wallets.values().cloned().collect(),
            false => Vec::new(),
        },
        sharing: key.sharing.as_ref().map(|it| SharingView {
            threshold: it.threshold,
            holders: it.holders.clone(),
            lost: it.lost(),
        }),
        exits: key.exits.clone(),
        drilled: key.drilled,
        drilled_backup: key.drilled_backup,
        imported: key.imported,
        life: key.life.clone(),
        spend_only: (!shown && (key.state.receives() || key.state.sweeps()))
            .then(|| SpendOnly { account: key.account, wallets: key.wallets.values().cloned().collect() }),
    }
}

/// The requests that wait for people, oldest first.
pub(crate) fn open(shared: &Shared) -> Vec<RequestView> {
    let state = shared.state();
    let waits = state.requests().filter(|(_, request)| request.phase == Phase::Open);
    let mut waits: Vec<_> = waits.map(|(id, request)| (request.announced, *id)).collect();
    waits.sort();
    waits.iter().take(MAX_OPEN_SHOWN).filter_map(|(_, id)| shared.board.view(id)).collect()
}

/// Everything that `status` shows.
pub(crate) fn status(shared: &Shared) -> NodeStatus {
    let state = shared.state();
    let phases = |phase| state.requests().filter(|(_, it)| it.phase == phase).count() as u64;
    let policy = state.policy().engine.reference();
    let nodes = u32::try_from(state.roster().nodes.len()).unwrap_or(u32::MAX);
    let quorum = state.roster().quorum;
    let (signatures, refusals) = shared.board.counts();
    // What has left a window since the last block no longer counts against the next one.
    let now = clock::now().max(state.time());
    let (windows, counts) = gauges::windows(&state, now);
    let (runs, aborts) = shared.seen_runs();
    NodeStatus {
        cluster: shared.cluster,
        name: shared.genesis.genesis.name.clone(),
        node: shared.node.clone(),
        boot: shared.boot,
        height: state.height(),
        time: state.time(),
        policy: policy.number,
        policy_digest: policy.digest,
        rotate: state.to_rotate(),
        incident: state.incident().map(|it| it.why.clone()).unwrap_or_default(),
        frozen: state.frozen().clone(),
        keys: state.keys().take(MAX_SHOWN_KEYS).map(|(name, key)| key_view(&state, name, key)).collect(),
        open: phases(Phase::Open),
        unsettled: phases(Phase::Allowed),
        nodes,
        quorum,
        withstands: Withstands::of(nodes, quorum),
        standing: shared.view_of_cluster(|view| view.standing.to_owned()),
        round: shared.view_of_cluster(|view| view.round),
        peers: peers(shared, &state),
        protections: shared.protections(),
        signatures,
        refusals,
        chains: chains(shared, &state),
        windows,
        counts,
        waiting: gauges::waiting(shared, &state, now),
        found: found(&state),
        ceremonies: convenings(&state),
        key_count: state.key_count() as u64,
        sync_micros: shared.health.sync(),
        runs,
        aborts,
        kept_out: shared.kept_out(),
        tokens: shared.tokens(),
    }
}

/// The other nodes of the roster.
fn peers(shared: &Shared, state: &State) -> Vec<PeerView> {
    let reachable = shared.peers.reachable_names();
    let view = shared.view_of_cluster(|view| view.clone());
    let others = state.roster().nodes.iter().map(|node| &node.name).filter(|name| **name != shared.node);
    let peer = |name: &Name| {
        let (since, link) = shared.health.view(name);
        PeerView {
            name: name.clone(),
            reachable: reachable.contains(name),
            height: view.heads.get(name).copied().unwrap_or_default(),
            relay: shared.peers.relay_to(name),
            objection: view.objections.get(name).map(|it| ObjectionView {
                height: it.height,
                refused: Refused { code: it.code.clone(), text: it.text.clone() },
            }),
            since,
            link,
        }
    };
    others.map(peer).collect()
}

/// Why keys are frozen that no person froze, newest first.
fn found(state: &State) -> Vec<FoundView> {
    let frozen = state.findings().filter(|(_, it)| state.frozen().holds(&it.account.key));
    let mut found: Vec<_> = frozen.map(|(height, it)| FoundView { height, finding: it.clone() }).collect();
    found.sort_by_key(|it| Reverse(it.height));
    found.truncate(MAX_SHOWN_FOUND);
    found
}

/// Before the first look, and for chains that a newer policy added.
fn chains(shared: &Shared, state: &State) -> Vec<ChainStatus> {
    let known = shared.chains();
    let status = |chain: u64| match known.iter().find(|it| it.chain == chain) {
        Some(status) => status.clone(),
        None => {
            let watch = ChainWatch::Unknown { text: "not looked at yet".to_owned() };
            ChainStatus { chain, watch, reconciled: ReconciledView::default() }
        }
    };
    let chains = state.policy().engine.version().chains.iter().map(|chain| status(chain.0));
    chains.map(|it| ChainStatus { reconciled: shared.suspects.view(it.chain), ..it }).collect()
}

/// The keys of one answer have little more than that together: each has at most some wallets.
const MAX_KEYS_BYTES: usize = 2 * 1024 * 1024;
/// How many open requests one answer shows.
const MAX_OPEN_SHOWN: usize = 500;
