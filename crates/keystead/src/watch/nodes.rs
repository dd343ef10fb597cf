//! One row for each node of the roster, put together from what it says itself and what the others say of it.

use std::collections::{BTreeMap, BTreeSet};

use keystead_base::Name;
use keystead_wire::{NodeStatus, ObjectionView};

use super::board::Board;
use super::look::Sighting;
use super::pane::Tone;

/// A node.
pub(crate) struct NodeRow {
    pub(crate) name: Name,
    pub(crate) address: Option<String>,
    pub(crate) height: u64,
    /// How many blocks it is behind the furthest.
    pub(crate) lag: u64,
    pub(crate) presence: Presence,
    /// What it says of itself, where it does not simply vote.
    pub(crate) standing: Option<String>,
    pub(crate) objection: Option<ObjectionView>,
}

/// Whether a node is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It answered us.
    Answers,
    /// It did not answer us, and another node is connected to it.
    PeersOnly,
    /// We did not ask it, and another node is connected to it.
    Connected,
    /// It was asked for the first time and has not answered yet.
    Asked,
    /// Nobody who answers is connected to it.
    Down,
}

impl Presence {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::PeersOnly => "does not answer us; others reach it",
            Self::Connected => "others reach it",
            Self::Asked => "asked",
            Self::Down => "DOWN",
        }
    }

    pub(crate) fn tone(self) -> Tone {
        match self {
            Self::Answers | Self::Connected => Tone::Good,
            Self::PeersOnly => Tone::Warn,
            Self::Asked => Tone::Faint,
            Self::Down => Tone::Bad,
        }
    }
}

/// The rows, by name ascending.
pub(crate) fn rows(board: &Board) -> Vec<NodeRow> {
    let asked = board.sightings().iter().filter_map(|it| Some((it.node()?, it)));
    let asked: BTreeMap<&Name, &Sighting> = asked.collect();
    let answers: Vec<&NodeStatus> = board.sightings().iter().filter_map(Sighting::answer).collect();
    let mut rows: Vec<_> = names(board, &answers)
        .into_iter()
        .map(|name| row(name, asked.get(name).copied(), &answers))
        .collect();
    let furthest = rows.iter().map(|row| row.height).max().unwrap_or_default();
    rows.iter_mut().for_each(|row| row.lag = furthest.saturating_sub(row.height));
    rows
}

/// Of the answers that there are; of the last ones when there are none, so that nobody disappears.
fn names<'a>(board: &'a Board, answers: &[&'a NodeStatus]) -> BTreeSet<&'a Name> {
    let told = |it: &'a NodeStatus| std::iter::once(&it.node).chain(it.peers.iter().map(|peer| &peer.name));
    let last = board.sightings().iter().filter_map(|it| it.status.as_deref());
    let mut names: BTreeSet<_> = match answers.is_empty() {
        false => answers.iter().copied().flat_map(told).collect(),
        true => last.flat_map(told).collect(),
    };
    if names.is_empty() {
        names.extend(board.sightings().iter().filter_map(Sighting::node));
    }
    names
}

fn row(name: &Name, asked: Option<&Sighting>, answers: &[&NodeStatus]) -> NodeRow {
    let own = asked.and_then(Sighting::answer);
    let told = answers.iter().flat_map(|it| &it.peers).filter(|peer| peer.name == *name);
    let reached = told.clone().any(|peer| peer.reachable);
    let told_height = told.clone().map(|peer| peer.height).max();
    let last = asked.and_then(|it| it.status.as_deref()).map(|it| it.height);
    let presence = match (own, asked, reached) {
        (None, Some(it), _) if !it.asked => Presence::Asked,
        (Some(_), ..) => Presence::Answers,
        (None, Some(_), true) => Presence::PeersOnly,
        (None, None, true) => Presence::Connected,
        (None, _, false) => Presence::Down,
    };
    NodeRow {
        name: name.clone(),
        address: asked.map(|it| it.address.clone()),
        height: own.map(|it| it.height).or(told_height.max(last)).unwrap_or_default(),
        lag: 0,
        presence,
        standing: own.map(|it| it.standing.clone()).filter(|it| it != VOTES),
        objection: told.filter_map(|peer| peer.objection.clone()).max_by_key(|it| it.height),
    }
}

/// What a node says of itself when all is well.
const VOTES: &str = "votes";
