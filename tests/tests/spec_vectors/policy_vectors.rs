//! A roster, policies and a genesis.

use keystead_base::{Digest, Signed};
use keystead_decision::Strict;
use keystead_policy::{
    DeviceProof, Enrolment, Holder, PolicyVersion, PriceRule, PriceSource, RequiredOf, Roster, RosterDevices,
};
use keystead_tests::fixture::{Desk, name};
use keystead_tests::vectors::{Vector, vector};
use keystead_tests::world::World;

fn with_prices(desk: Desk) -> PolicyVersion {
    let mut policy = desk.policy();
    let key = desk.desk.signer.public().clone();
    policy.prices = Some(PriceRule {
        currency: "USD".to_owned(),
        sources: vec![PriceSource { name: name("oracle"), key }],
        agree: 1,
        max_age_seconds: 60,
        max_spread_bps: 100,
        tolerance_bps: 200,
    });
    policy
}

fn with_devices(desk: Desk) -> Roster {
    let mut roster = desk.roster();
    let holder = Holder::Node(roster.nodes[0].name.clone());
    let key = roster.holder_key(&holder).expect("a node").fingerprint();
    let proof = DeviceProof::Tpm { endorsement: Digest([9; 32]) };
    let record = Signed::new(Enrolment { holder, key, proof }, name("ana"), &desk.person("ana").signer);
    let records = vec![record.expect("a signature")];
    roster.devices = Some(RosterDevices { required_of: RequiredOf::Holders, records });
    roster
}

pub(crate) fn policies(world: &World<Strict>) -> Vec<Vector> {
    vec![
        vector("the fixture's roster", world.state.roster()),
        vector("a roster whose members showed devices", &with_devices(Desk::default())),
        vector("the fixture's policy", &Desk::default().policy()),
        vector("a policy with prices", &with_prices(Desk::default())),
        vector("the fixture's genesis", &world.genesis.genesis),
        vector("the fixture's signed genesis", &world.genesis),
    ]
}
