//! One device, one share, at the state machine: who is named as a holder, and a roster that the log refuses.

use keystead_base::{Canonical as _, Digest, Signed};
use keystead_decision::{Outcome, Strict};
use keystead_intent::{Action, AuthorityChange, KeyCeremony, KeyKind};
use keystead_policy::{DeviceProof, Enrolment, Holder, Reason, RequiredOf, Roster, RosterDevices};
use keystead_tests::circle::{five, nodes, treasury};
use keystead_tests::fixture::{Desk, name};
use keystead_tests::world::{World, reasons};

/// What `ana` saw of these nodes: each on the TPM with its number.
fn shown(desk: &Desk, roster: &Roster, required_of: RequiredOf, tpms: &[(&str, u8)]) -> RosterDevices {
    let record = |(node, tpm): &(&str, u8)| {
        let holder = Holder::Node(name(node));
        let key = roster.holder_key(&holder).unwrap().fingerprint();
        let proof = DeviceProof::Tpm { endorsement: Digest([*tpm; 32]) };
        Signed::new(Enrolment { holder, key, proof }, name("ana"), &desk.person("ana").signer).unwrap()
    };
    RosterDevices { required_of, records: tpms.iter().map(record).collect() }
}

fn code(outcome: &Outcome) -> Option<String> {
    match reasons(outcome).first() {
        Some(Reason::DevicesRefused { code, .. } | Reason::PolicyRefused { code, .. }) => Some(code.clone()),
        _ => None,
    }
}

#[test]
fn s11_who_has_shown_no_device_holds_no_share() {
    let desk = five();
    let mut world = World::of(five(), Strict::default(), |policy| {
        let tpms = [("node-1", 1), ("node-2", 2)];
        policy.roster.devices = Some(shown(&desk, &policy.roster, RequiredOf::Holders, &tpms));
    });
    let wish = |holders| KeyCeremony::Generate {
        key: treasury(),
        kind: KeyKind::ThresholdSecp256k1,
        threshold: 2,
        holders: nodes(holders),
    };
    let (_, outcome) = world.allow(wish(&[1, 2, 3]));
    assert_eq!(code(&outcome).as_deref(), Some("enrolment.missing"), "{outcome:?}");
    let (_, outcome) = world.allow(wish(&[1, 2]));
    assert!(matches!(outcome, Outcome::Ceremony { .. }), "{outcome:?}");
}

#[test]
fn s11_the_log_takes_no_roster_in_which_two_seats_are_on_one_device() {
    let desk = five();
    let mut world = World::of(five(), Strict::default(), |_| {});
    let mut propose = |tpms: &[(&str, u8)]| {
        let mut next = world.state.policy().engine.version().clone();
        (next.number, next.previous) = (next.number + 1, next.digest());
        next.roster.devices = Some(shown(&desk, &next.roster, RequiredOf::Nobody, tpms));
        let document = next.to_document().into();
        world.ask("cleo", Action::Authority(AuthorityChange::Roster { document })).1
    };
    let outcome = propose(&[("node-1", 1), ("node-2", 1)]);
    assert_eq!(code(&outcome).as_deref(), Some("enrolment.same_device"), "{outcome:?}");
    let outcome = propose(&[("node-1", 1), ("node-2", 2)]);
    assert!(matches!(outcome, Outcome::Wait { .. }), "{outcome:?}");
}
