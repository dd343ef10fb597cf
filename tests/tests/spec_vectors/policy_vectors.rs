//! A roster, policies and a genesis.

use keystead_decision::Strict;
use keystead_policy::{PolicyVersion, PriceRule, PriceSource};
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

pub(crate) fn policies(world: &World<Strict>) -> Vec<Vector> {
    vec![
        vector("the fixture's roster", world.state.roster()),
        vector("the fixture's policy", &Desk::default().policy()),
        vector("a policy with prices", &with_prices(Desk::default())),
        vector("the fixture's genesis", &world.genesis.genesis),
        vector("the fixture's signed genesis", &world.genesis),
    ]
}
