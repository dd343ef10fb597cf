//! A node starts the signer anew from before the freeze (S14).
//!
//! Rollback is what confinement alone never stopped: an enclave wakes up believing what its host shows it, and
//! the host shows yesterday. ROTE (USENIX Security 2017) made the point for SGX: only others can say how late it is.
//!
//! Four nodes; the signer lives on the machine of `node-4`, which is the attacker's, and with it one of the four
//! node keys. A transfer inside the limits was allowed and waits there, unsigned. `eve` freezes the key; the freeze
//! is committed. The attacker starts the signer again, shows it the log up to the right, and never the freeze.
//!
//! The product's signer draws a nonce and waits for a quorum's word on the newest head. The twin differs in the
//! nonce: it draws the same one at each start, so the answer of the day before does.

use keystead_base::{Digest, tagged_hash};
use keystead_decision::{Commit, FreshAnswer, Outcome, Strict};

use crate::Loot;
use crate::fixture::{Desk, ETHER, FRIEND, Member};
use crate::world::World;

/// What a signer draws at its start number so many.
pub type NonceOf = fn(u32) -> Digest;

/// The product's way: what nobody knew before. Here it comes from the number, so that a run can be repeated.
#[must_use]
pub fn drawn(start: u32) -> Digest {
    tagged_hash("a nonce of this start", &start.to_le_bytes())
}

/// The naive way.
#[must_use]
pub fn repeated(_: u32) -> Digest {
    tagged_hash("a nonce of this start", &[])
}

/// What the attacker answers to the nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What the nodes said at the start before.
    Recorded,
    /// Its own node's word on the head before the freeze, alone.
    Own,
    /// Its own node's word, beside those of the others, which name the head that it hides.
    Mixed,
    /// Everything as it is.
    Honest,
}

/// Plays it.
pub fn attack(nonce_of: NonceOf, answer: Answer) -> Loot {
    let nodes = (1..=4).map(|n| Member::new(&format!("node-{n}"), n)).collect();
    let mut world = World::of(Desk { nodes, ..Desk::default() }, Strict::default(), |_| {});
    let recorded = world.fresh_answer(nonce_of(1));
    let (id, outcome) = world.ask("desk", world.ether(FRIEND, ETHER, 0));
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
    let (right, before) = (world.certificate(&id).expect("a certificate"), world.head());
    world.freeze("eve", Some("hot"));

    let mut signer = world.boot();
    let nonce = nonce_of(2);
    signer.ask_fresh(nonce, world.now());
    let given = match answer {
        Answer::Recorded => recorded,
        Answer::Own => own_word(&world, nonce, before),
        Answer::Mixed => {
            let mixed = [own_word(&world, nonce, before.clone()), honest_words(&world, nonce)];
            FreshAnswer { head: before, ..FreshAnswer::gather(mixed.into()).expect("answers") }
        }
        Answer::Honest => world.fresh_answer(nonce),
    };
    let believed = signer.confirm_fresh(&given, world.now());
    let unsigned = world.unsigned(&id);
    let refused = |error| Loot::refused_for(&believed.clone().err().unwrap_or(error));
    world.light = signer;
    match world.sign(&right, &unsigned) {
        Ok(signed) => drop(world.chain.execute_raw(&signed.raw)),
        Err(error) => return refused(error),
    }
    Loot::stolen(world.chain.balance(FRIEND), "wei of a frozen key")
}

/// The attacker's node lies about its head.
fn own_word(world: &World<Strict>, nonce: Digest, head: Option<Commit>) -> FreshAnswer {
    let node = world.desk.nodes.last().expect("four nodes");
    world.fresh_word(node, nonce, head)
}

/// The others do not.
fn honest_words(world: &World<Strict>, nonce: Digest) -> FreshAnswer {
    let others = world.desk.nodes.iter().take(3);
    let answers = others.map(|node| world.fresh_word(node, nonce, world.head()));
    FreshAnswer::gather(answers.collect()).expect("three nodes")
}

/// A signer that was started and never told which head is the newest signs nothing, whatever it is shown.
pub fn unconfirmed() -> Loot {
    let mut world = World::new(Strict::default());
    let (id, _) = world.ask("desk", world.ether(FRIEND, ETHER, 0));
    let (right, unsigned) = (world.certificate(&id).expect("a certificate"), world.unsigned(&id));
    world.light = world.boot();
    match world.sign(&right, &unsigned) {
        Ok(_) => Loot::Stolen { what: "a signature under no confirmed head".to_owned() },
        Err(error) => Loot::refused_for(&error),
    }
}
