//! A key comes back from an old backup, and with it what it had spent (S4, D2, A6).
//!
//! Whoever restores yesterday's wallet has yesterday's counters. Wallets that count nonces beside their keys have signed one
//! nonce twice after a restore, and a payment that somebody waits for was replaced.
//!
//! The backup was made while nonce 0 was free. It pays a merchant, who is shown the signed payment; then the key is restored from
//! that backup at a home, by people's order, and another payment is asked for at nonce 0. The product's counters are the log's, and
//! no backup of a key has any: the slot is taken, before the restore and after it. The twin has no slots, as a wallet that
//! counts for itself.

use alloy_primitives::U256;
use keystead_base::{Coded as _, Digest, RequestId, Signed};
use keystead_decision::{Controls, Entry, KeyEvent, KeyStep, Outcome, drill_challenge};
use keystead_intent::{Action, AuthorityChange, KeyCeremony};
use keystead_policy::{AssuranceLevel, Feature};

pub use super::two_digests_at_one_nonce::WithoutSlots as WithoutCounters;
use crate::Loot;
use crate::fixture::{ETHER, FRIEND, name};
use crate::theft::{executed, signed};
use crate::world::World;

/// Plays it. The friend is the merchant.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::new(controls);
    let (first, outcome) = world.ask("dora", world.ether(FRIEND, ETHER, 0));
    let payment = match signed(&mut world, &first, &outcome) {
        Ok(signed) => signed.raw,
        Err(refused) => return refused,
    };
    restored(&mut world);
    let own = world.account();
    let (second, outcome) = world.ask("dora", world.ether(own, ETHER, 0));
    if let Err(refused) = executed(&mut world, &second, &outcome) {
        return refused;
    }
    let late = world.chain.execute_raw(&payment).expect_err("the nonce is used");
    assert_eq!((late.code(), world.chain.balance(FRIEND)), ("devnet.nonce", U256::ZERO));
    Loot::stolen(U256::from(ETHER), "wei of goods, delivered and not paid")
}

/// People order it, and the home proves that it has the key again.
fn restored<C: Controls>(world: &mut World<C>) {
    let (hot, home) = (name("hot"), name("node-1"));
    let ceremony = KeyCeremony::Restore { key: hot.clone(), home: home.clone() };
    let (request, _) = world.ask("cleo", Action::Authority(AuthorityChange::Key(ceremony)));
    world.approve("ana", &request);
    world.approve("ben", &request);
    let step = proven(world, request);
    let body = KeyEvent { cluster: world.state.cluster(), key: hot.clone(), step };
    let node = &world.desk.nodes[0];
    let entry = Entry::Key(Signed::new(body, node.name.clone(), &node.signer).expect("a signature"));
    let decisions = world.commit(vec![entry]);
    assert!(matches!(decisions[0].outcome, Outcome::Key { .. }), "{decisions:?}");
    assert_eq!(world.state.key(&hot).expect("a key").epoch, 1, "in its next epoch");
}

fn proven<C: Controls>(world: &World<C>, request: RequestId) -> KeyStep {
    let recipient = Digest([7; 32]);
    let challenge = drill_challenge(world.state.cluster(), &name("hot"), 1, &recipient, None);
    let (assurance, protections) = (AssuranceLevel::Process, Feature::ALL.to_vec());
    KeyStep::Restored { request, recipient, assurance, protections, proof: world.proof(&challenge) }
}
