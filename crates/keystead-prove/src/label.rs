//! In which direction a version changes what may be signed: proven for rules and rows, read off for the rest.

use std::collections::BTreeMap;

use keystead_base::Name;
use keystead_policy::{FeeCap, Measure, PolicyVersion, Roster, Sections, Timing, Window};
use serde::Serialize;

use crate::Comparison;

/// In which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// Nothing changes.
    Same,
    /// Everything that passes afterwards passes today.
    Tightens,
    /// Everything that passes today passes afterwards.
    Loosens,
    /// Neither, or it cannot be told.
    Neither,
}

impl Label {
    /// Of two parts together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Same, it) | (it, Self::Same) => it,
            (Self::Tightens, Self::Tightens) => Self::Tightens,
            (Self::Loosens, Self::Loosens) => Self::Loosens,
            _ => Self::Neither,
        }
    }

    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Tightens => "tightens",
            Self::Loosens => "loosens",
            Self::Neither => "neither",
        }
    }

    fn of(narrower: bool, wider: bool) -> Self {
        match (narrower, wider) {
            (true, true) => Self::Same,
            (true, false) => Self::Tightens,
            (false, true) => Self::Loosens,
            (false, false) => Self::Neither,
        }
    }
}

impl Comparison {
    /// The direction of rules and rows.
    #[must_use]
    pub fn label(&self) -> Label {
        if self.rules_may_fail {
            return Label::Neither;
        }
        Label::of(self.newly_passes.is_none(), self.no_longer_passes.is_none())
    }
}

/// One part of a version with its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PartLabel {
    /// The part.
    pub part: Part,
    /// Its direction.
    pub label: Label,
}

/// What a version is made of, as far as the direction is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Rules, quorum rows and chains: proven.
    RulesAndRows,
    /// Limits over time.
    Windows,
    /// What each kind of key home may guard.
    Caps,
    /// Who is who.
    Roster,
    /// Destinations with names.
    AddressBook,
    /// Spans and ages.
    Timing,
    /// The most that may be offered for fees.
    FeeCaps,
    /// Everything else that differs.
    Others,
}

impl Part {
    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RulesAndRows => "rules, quorum rows and chains",
            Self::Windows => "windows",
            Self::Caps => "caps",
            Self::Roster => "roster",
            Self::AddressBook => "address book",
            Self::Timing => "timing",
            Self::FeeCaps => "fee caps",
            Self::Others => {
                "assets, contracts, prices, protections, fresh heads, simulation, bitcoin or tolerances"
            }
        }
    }
}

/// Every part that differs. Where a change has no direction, or nobody can tell, it is [`Label::Neither`].
#[must_use]
pub fn parts(current: &PolicyVersion, next: &PolicyVersion, proven: &Comparison) -> Vec<PartLabel> {
    let differ = Sections::between(current, next);
    let other = differ.assets
        || differ.contracts
        || differ.prices
        || differ.protections
        || differ.fresh_heads
        || differ.simulation
        || differ.bitcoin
        || differ.tolerances;
    let windows = Label::of(covers(&next.windows, &current.windows), covers(&current.windows, &next.windows));
    [
        (Part::RulesAndRows, proven.label()),
        (Part::Windows, if differ.windows { windows } else { Label::Same }),
        (Part::Caps, caps(current, next)),
        (Part::Roster, if differ.roster { roster(current, next) } else { Label::Same }),
        (Part::AddressBook, if differ.address_book { address_book(current, next) } else { Label::Same }),
        (Part::Timing, timing(&current.timing, &next.timing)),
        (
            Part::FeeCaps,
            if differ.fee_caps { fee_caps(&current.fee_caps, &next.fee_caps) } else { Label::Same },
        ),
        (Part::Others, if other { Label::Neither } else { Label::Same }),
    ]
    .into_iter()
    .filter(|(_, label)| *label != Label::Same)
    .map(|(part, label)| PartLabel { part, label })
    .collect()
}

/// Whether each window of `these` is at least as strict in one of `those`.
fn covers(those: &[Window], these: &[Window]) -> bool {
    these.iter().all(|it| those.iter().any(|other| is_as_strict(other, it)))
}

/// A window that counts the same, over at least as long a span, up to at most as much. Under another name it would begin
/// to count anew.
fn is_as_strict(window: &Window, than: &Window) -> bool {
    let counts = |it: &Window| (it.keys.clone(), it.chains.clone(), it.destinations.clone(), it.per.clone());
    let same = window.id == than.id && window.measure == than.measure && counts(window) == counts(than);
    same && window.limit <= than.limit && window.span_seconds >= than.span_seconds
}

fn caps(current: &PolicyVersion, next: &PolicyVersion) -> Label {
    let by_place = |version: &PolicyVersion| -> BTreeMap<_, _> {
        let caps = version.caps.iter();
        caps.map(|cap| ((cap.level, cap.measure), cap.amount)).collect()
    };
    let (before, after) = (by_place(current), by_place(next));
    let covered = |those: &BTreeMap<(_, Measure), keystead_base::Amount>,
                   these: &BTreeMap<(_, Measure), _>| {
        these.iter().all(|(place, amount)| those.get(place).is_some_and(|it| it <= amount))
    };
    Label::of(covered(&after, &before), covered(&before, &after))
}

/// A cap that concerns no less is as strict where each ceiling of the other is one of its own, and no lower.
fn fee_caps(current: &[FeeCap], next: &[FeeCap]) -> Label {
    let wide = |own: bool, than: bool| own || !than;
    let concerns = |it: &FeeCap, than: &FeeCap| {
        let keys = it.keys.is_empty() || than.keys.iter().all(|key| it.keys.contains(key));
        let chains = it.chains.is_empty() || than.chains.iter().all(|chain| it.chains.contains(chain));
        let all = wide(it.keys.is_empty(), than.keys.is_empty());
        keys && chains && all && wide(it.chains.is_empty(), than.chains.is_empty())
    };
    let as_strict = |it: &FeeCap, than: &FeeCap| {
        let own: BTreeMap<_, _> = it.ceilings().collect();
        let lower = |(part, limit)| own.get(&part).is_some_and(|own| *own <= limit);
        concerns(it, than) && than.ceilings().all(lower)
    };
    let covers =
        |those: &[FeeCap], these: &[FeeCap]| these.iter().all(|it| those.iter().any(|by| as_strict(by, it)));
    Label::of(covers(next, current), covers(current, next))
}

/// People who come may ask and approve; those who go can no longer. A change of roles or keys has no direction, and
/// neither has somebody who comes or goes and can stop others.
fn roster(current: &PolicyVersion, next: &PolicyVersion) -> Label {
    let (before, after) = (&current.roster, &next.roster);
    let rows: Vec<_> = current.quorums.iter().chain(&next.quorums).collect();
    let stops = |role: &Name| role.as_str() == FREEZER || rows.iter().any(|row| row.vetoers.contains(role));
    let moved = |these: &Roster, those: &Roster| {
        let people = these.people.iter().filter(|it| !those.people.contains(it));
        people.flat_map(|it| &it.roles).any(stops)
    };
    let same_nodes = (before.quorum, &before.nodes) == (after.quorum, &after.nodes);
    if !same_nodes || moved(before, after) || moved(after, before) {
        return Label::Neither;
    }
    let within = |these: &Roster, those: &Roster| {
        let people = these.people.iter().all(|it| those.people.contains(it));
        people && these.services.iter().all(|it| those.services.contains(it))
    };
    Label::of(within(after, before), within(before, after))
}

/// What is taken out can no longer be paid, unless a rule speaks of destinations itself.
fn address_book(current: &PolicyVersion, next: &PolicyVersion) -> Label {
    let speaks = |version: &PolicyVersion| version.rules.iter().any(|it| it.cedar.contains("destination_"));
    if speaks(current) || speaks(next) {
        return Label::Neither;
    }
    let within = |these: &PolicyVersion, those: &PolicyVersion| {
        these.address_book.iter().all(|it| those.address_book.contains(it))
    };
    Label::of(within(next, current), within(current, next))
}

fn timing(current: &Timing, next: &Timing) -> Label {
    let strict = |it: &Timing, than: &Timing| {
        it.max_lifetime_seconds <= than.max_lifetime_seconds
            && it.certificate_seconds <= than.certificate_seconds
            && it.cool_off_seconds >= than.cool_off_seconds
    };
    // A wider skew counts more into windows and believes clocks for longer.
    if current.skew_seconds != next.skew_seconds {
        return Label::Neither;
    }
    Label::of(strict(next, current), strict(current, next))
}

/// Whoever may freeze, by role.
const FREEZER: &str = "freezer";
