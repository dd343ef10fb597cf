//! Seven keys, and one laptop has them all (S11).
//!
//! Humanity Protocol, June 2026: the keys of a multisig had gathered on one machine, and whoever took over the machine was
//! a quorum. Counting keys is not counting devices, and neither is counting people whose keys somebody keeps for them.
//!
//! Payments take seven people. `cleo` asks for seven keyholders to be enrolled, whose keys a helpful colleague made in one
//! afternoon, on one laptop: each of the seven proofs is genuine, and all show the same TPM. Without the control the roster comes into
//! force, and malware on that laptop is seven people.

use keystead_base::{Canonical as _, Digest, HybridSigner, Signed};
use keystead_decision::{Controls, Entry, Outcome};
use keystead_intent::{Action, Approval, AuthorityChange, DangerClass};
use keystead_policy::{
    Device, DeviceProof, Enrolment, Factor, Holder, Need, Person, PolicyError, PolicyVersion, QuorumRow,
    RequiredOf, Roster, RosterDevices,
};
use keystead_quorum::Strict;

use crate::Loot;
use crate::fixture::{Desk, ETHER, FRIEND, Member, name};
use crate::theft::{STRICT_CHECKS, executed};
use crate::world::{World, outcome_of};

/// Plays it with keys that are all on one laptop.
pub fn attack<C: Controls>(controls: C) -> Loot {
    play(controls, |_| tpm(99))
}

/// Plays it with seven keys that one token made, one for each keyholder: each of the seven signed for itself.
pub fn on_one_token<C: Controls>(controls: C) -> Loot {
    play(controls, |keyholder| token(17, keyholder))
}

/// Plays it with keys on seven laptops, which nobody took over at once: what the control does not refuse.
pub fn enrolled_apart<C: Controls>(controls: C) -> Loot {
    play(controls, |keyholder| tpm(100 + keyholder))
}

fn play<C: Controls>(controls: C, device_of: impl Fn(u8) -> DeviceProof) -> Loot {
    let desk = Desk::default();
    let ana = &desk.person("ana").signer;
    let mut world = World::with_policy(controls, |policy| everybody_shows_a_device(policy, &desk));
    let seven: Vec<Member> = (1..=7).map(|it| Member::new(&format!("keyholder-{it}"), 200 + it)).collect();

    let mut next = world.state.policy().engine.version().clone();
    next.previous = next.digest();
    next.number += 1;
    for (keyholder, index) in seven.iter().zip(1..) {
        next.roster.people.push(person(keyholder));
        let shown = seen(&next.roster, approver(keyholder), device_of(index), ("ana", ana));
        next.roster.devices.as_mut().expect("devices").records.push(shown);
    }
    next.quorums.push(seven_of_seven());
    let document = next.into_canonical().to_document().into();
    let (change, outcome) = world.ask("cleo", Action::Authority(AuthorityChange::Policy { document }));
    if !matches!(outcome, Outcome::Wait { .. }) {
        return Loot::decided(&outcome);
    }
    world.approve("ana", &change);
    world.approve("ben", &change);

    let (id, _) = world.ask("dora", world.ether(FRIEND, 9 * ETHER, 0));
    let words = seven.iter().map(|it| word(&world, it, &id)).collect();
    let outcome = outcome_of(&world.commit(words), &id);
    match executed(&mut world, &id, &outcome) {
        Ok(_) => Loot::stolen(world.chain.balance(FRIEND), "wei on the word of one laptop"),
        Err(refused) => refused,
    }
}

fn everybody_shows_a_device(policy: &mut PolicyVersion, desk: &Desk) {
    let roster = &policy.roster;
    let nodes = roster.nodes.iter().map(|it| Holder::Node(it.name.clone()));
    let people =
        roster.people.iter().map(|it| Holder::Approver { person: it.name.clone(), device: name("laptop") });
    let (ana, ben) = (("ana", &desk.person("ana").signer), ("ben", &desk.person("ben").signer));
    let of_ana = Holder::Approver { person: name("ana"), device: name("laptop") };
    let record = |(holder, device): (Holder, u8)| {
        let witness = if holder == of_ana { ben } else { ana };
        seen(roster, holder, tpm(device), witness)
    };
    let records = nodes.chain(people).zip(1..).map(record).collect();
    policy.roster.devices = Some(RosterDevices { required_of: RequiredOf::Everybody, records });
    policy
        .roster
        .devices
        .as_mut()
        .expect("devices")
        .records
        .sort_by(|a, b| a.body.holder.cmp(&b.body.holder));
}

/// What a witness signs who was shown this device.
fn seen(
    roster: &Roster,
    holder: Holder,
    proof: DeviceProof,
    (who, key): (&str, &HybridSigner),
) -> Signed<Enrolment> {
    let fingerprint = roster.holder_key(&holder).expect("somebody of the roster").fingerprint();
    Signed::new(Enrolment { holder, key: fingerprint, proof }, name(who), key).expect("a signature")
}

fn tpm(number: u8) -> DeviceProof {
    DeviceProof::Tpm { endorsement: Digest([number; 32]) }
}

fn token(number: u8, key: u8) -> DeviceProof {
    let (manufacturer, model) = ("maker".to_owned(), "model".to_owned());
    let (serial, key) = (number.to_string(), Digest([key; 32]));
    DeviceProof::TokenKey { manufacturer, model, serial, key, software: false }
}

fn approver(member: &Member) -> Holder {
    Holder::Approver { person: member.name.clone(), device: name("laptop") }
}

fn person(member: &Member) -> Person {
    let device = Device {
        name: name("laptop"),
        factor: Factor::Software,
        key: member.signer.public().clone(),
        transport: member.transport(),
    };
    Person {
        name: member.name.clone(),
        roles: vec![name("approver")],
        devices: vec![device],
        recipient: None,
    }
}

fn seven_of_seven() -> QuorumRow {
    QuorumRow {
        id: name("seven-of-seven"),
        keys: Vec::new(),
        classes: vec![DangerClass::Transfer],
        changes: Vec::new(),
        from: None,
        needs: vec![Need { role: name("approver"), count: 7, factors: Vec::new() }],
        delay_seconds: 0,
        vetoers: Vec::new(),
    }
}

fn word<C: Controls>(world: &World<C>, member: &Member, id: &keystead_base::RequestId) -> Entry {
    let approval = Approval { person: member.name.clone(), ..world.approval("ana", id) };
    Entry::Approval(Signed::new(approval, member.name.clone(), &member.signer).expect("a signature"))
}

/// Controls that count keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutDistinctDevices;

impl Controls for WithoutDistinctDevices {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn devices(&self, _: &PolicyVersion, _: &PolicyVersion) -> Result<(), PolicyError> {
        Ok(())
    }
}
