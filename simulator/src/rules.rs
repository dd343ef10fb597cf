//! The cluster of a run: the fixture's desk under a policy whose windows slide within minutes.

use keystead_base::{Amount, Name, Timestamp};
use keystead_decision::SignedGenesis;
use keystead_fixture::{BIRTH, CHAIN, Desk, ETHER, Member, YOUNG, name};
use keystead_intent::{Asset, DangerClass};
use keystead_policy::{Measure, Need, PolicyVersion, QuorumRow, Threshold};

/// From this amount of wei on, the fee with it, two approvers are needed.
pub(crate) const LARGE: u128 = ETHER + ETHER / 100;
/// From this amount of wei on, the fee with it, [`HUGE_DELAY_SECONDS`] pass besides.
pub(crate) const HUGE: u128 = 2 * ETHER;
/// How long huge payments wait.
pub(crate) const HUGE_DELAY_SECONDS: u64 = 12;
/// So many approvers.
pub(crate) const APPROVERS_NEEDED: usize = 2;
/// Who may approve.
pub(crate) const APPROVERS: [&str; 3] = ["ana", "ben", "cleo"];
/// Who may approve, too, where all nodes will be lost.
pub(crate) const FOURTH: &str = "dora";
/// So many approve what could free a rebuilt cluster, and so many sign the rebuild.
pub(crate) const MORE_NEEDED: usize = 3;
/// The span of all windows.
pub(crate) const SPAN_SECONDS: u64 = 60;
/// How far clocks may be apart.
pub(crate) const SKEW_SECONDS: u64 = 5;
/// When the address `young` has cooled off, after the start of the run.
const YOUNG_SECONDS: u64 = 90;
/// The window of wei.
pub(crate) const WEI_WINDOW: &str = "ether-per-day";
/// The window of requests.
pub(crate) const COUNT_WINDOW: &str = "requests-per-day";
/// When runs begin, a minute after the genesis.
pub(crate) const START: Timestamp = Timestamp(BIRTH.0 + 60_000);

/// The desk with so many nodes.
pub(crate) fn desk(nodes: usize) -> Desk {
    let member = |it: u8| Member::new(&format!("node-{it}"), it);
    Desk { nodes: (1..=u8::try_from(nodes).unwrap_or(u8::MAX)).map(member).collect(), ..Desk::default() }
}

/// The votes that a block needs.
pub(crate) fn quorum(nodes: usize) -> u32 {
    keystead_policy::Roster::quorum_of(nodes)
}

/// How many lying nodes the cluster withstands.
pub(crate) fn lying_withstood(nodes: usize) -> usize {
    keystead_consensus::lying_withstood(u32::try_from(nodes).unwrap_or_default(), quorum(nodes)) as usize
}

/// The genesis, with this limit of wei. Where all nodes will be lost a fourth person approves: one more than two of
/// whoever did not ask.
pub(crate) fn genesis(desk: &Desk, wei_limit: Amount, lost: bool) -> SignedGenesis {
    let mut policy = desk.policy();
    for person in policy.roster.people.iter_mut().filter(|it| lost && it.name.as_str() == FOURTH) {
        person.roles.insert(0, name("approver"));
    }
    policy.roster.quorum = quorum(desk.nodes.len());
    for window in &mut policy.windows {
        window.span_seconds = SPAN_SECONDS;
    }
    set_limit(&mut policy, WEI_WINDOW, wei_limit);
    set_limit(&mut policy, COUNT_WINDOW, Amount::from(30_u64));
    for entry in policy.address_book.iter_mut().filter(|it| it.address == YOUNG) {
        entry.usable_from = START.plus_seconds(YOUNG_SECONDS);
    }
    for person in policy.roster.people.iter_mut().filter(|it| it.name.as_str() == "cleo") {
        person.roles.push(name("trader"));
    }
    policy.quorums.push(huge());
    policy.quorums.sort_by(|a, b| a.id.cmp(&b.id));
    policy.timing.certificate_seconds = 20;
    policy.timing.skew_seconds = SKEW_SECONDS;
    desk.genesis_with(policy)
}

fn huge() -> QuorumRow {
    let measure = Measure::Asset { chain: CHAIN, asset: Asset::Native };
    QuorumRow {
        id: name("huge-waits"),
        keys: Vec::new(),
        classes: vec![DangerClass::Transfer],
        changes: Vec::new(),
        from: Some(Threshold { measure, amount: Amount::from(HUGE) }),
        needs: vec![Need { role: name("approver"), count: 2, factors: Vec::new() }],
        delay_seconds: HUGE_DELAY_SECONDS,
        vetoers: vec![name("vetoer")],
    }
}

/// Sets the limit of a window.
pub(crate) fn set_limit(policy: &mut PolicyVersion, window: &str, limit: Amount) {
    for it in policy.windows.iter_mut().filter(|it| it.id.as_str() == window) {
        it.limit = limit;
    }
}

/// The limit of a window.
pub(crate) fn limit(policy: &PolicyVersion, window: &str) -> Amount {
    policy.windows.iter().find(|it| it.id.as_str() == window).map(|it| it.limit).unwrap_or_default()
}

/// The name of a node by its place.
pub(crate) fn node_name(index: usize) -> Name {
    name(&format!("node-{}", index + 1))
}
