//! A node comes back from a backup of its disk, and with it the rules and the people of that day (S11, S13, A6).
//!
//! Whoever restores a server from last month has last month's administrators. Directories have let dismissed people in again
//! so, and nobody had changed a thing.
//!
//! Four nodes; the signer lives on the machine of `node-4`, whose backups the thief has, and with them one of the four node keys.
//! `dora` was a trader, and a payment of hers was allowed and never signed. She is dismissed: the next policy version has neither her
//! name nor the rule. The thief puts the disk back and starts the signer, which reads the log up to that payment: genuine blocks with
//! genuine votes, under rules that were in force.
//!
//! The product's signer waits for a quorum's word on the newest head for a nonce of its own, and that head has another policy. The
//! twin's nonce comes from the disk, which was put back too, so that the answer of that day does.

use keystead_decision::{FreshAnswer, Outcome, Strict};

use super::stale_head::NonceOf;
pub use super::stale_head::repeated as put_back;
use crate::Loot;
use crate::fixture::{Desk, ETHER, FRIEND, Member, name};
use crate::world::World;

/// Plays it with what the nodes answered on the day of the backup, or with what they say now.
pub fn attack(nonce_of: NonceOf, asks_now: bool) -> Loot {
    let nodes = (1..=4).map(|n| Member::new(&format!("node-{n}"), n)).collect();
    let mut world = World::of(Desk { nodes, ..Desk::default() }, Strict::default(), |_| {});
    let recorded = world.fresh_answer(nonce_of(1));
    let (id, outcome) = world.ask("dora", world.ether(FRIEND, ETHER, 0));
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
    let right = world.certificate(&id).expect("a certificate");
    let mut signer = world.boot();
    world.adopt(|policy| {
        policy.roster.people.retain(|it| it.name != name("dora"));
        policy.rules.retain(|it| it.id != name("traders-move-hot"));
    });

    let nonce = nonce_of(2);
    signer.ask_fresh(nonce, world.now());
    let given: FreshAnswer = if asks_now { world.fresh_answer(nonce) } else { recorded };
    let believed = signer.confirm_fresh(&given, world.now());
    let unsigned = world.unsigned(&id);
    world.light = signer;
    match world.sign(&right, &unsigned) {
        Ok(signed) => drop(world.chain.execute_raw(&signed.raw)),
        Err(error) => return Loot::refused_for(&believed.err().unwrap_or(error)),
    }
    Loot::stolen(world.chain.balance(FRIEND), "wei by somebody who was dismissed")
}
