//! One order more behind a payment (S2).
//!
//! The form of Solana's wallet drainers: a transaction shows a small payment, and carries an order for a program that the
//! screen does not know. Whoever signs lends its key to every order in it.
//!
//! The desk asks for a payment of one lamport to somebody in the address book; the second order gives the account, writable and
//! signing, to the thief's program. The twin reads the orders that it knows and takes them for the whole.

use alloy_primitives::U256;
use keystead_decision::{Controls, Outcome};
use keystead_intent::{EffectKind, Effects};
use keystead_quorum::Strict;
use keystead_solana::{AccountMeta, Instruction, Pubkey, Unsigned, order};

use crate::Loot;
use crate::circle::{Secp, five};
use crate::solana::{CLUSTER, PAYEE, SOL, asks, lists_solana, message, moves_sol};
use crate::theft::STRICT_CHECKS;
use crate::world::World;

/// The thief's.
const PROGRAM: Pubkey = Pubkey([0xba; 32]);

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::of(five(), controls, |policy| {
        lists_solana(policy, SOL);
        moves_sol(policy, "desk", "treasury");
    });
    let key = Secp::new(9);
    world.birth_of_ed25519(&key);
    let us = key.solana();
    let lent = AccountMeta { key: us, signer: true, writable: true };
    let drain = Instruction { program: PROGRAM, accounts: vec![lent], data: vec![1] };
    let bytes = message(us, 1, vec![order::transfer(us, PAYEE, 1), drain]);
    let (_, outcome) = world.ask("desk", asks("treasury", bytes.clone()));
    let Outcome::Allow(grant) = &outcome else { return Loot::decided(&outcome) };
    let unsigned = Unsigned::read(CLUSTER, us, &bytes).expect("a message");
    assert_eq!(grant.signing_digest, unsigned.signing_digest());
    let signature = key.sign_ed25519(&bytes).try_into().expect("64 bytes");
    let done = unsigned.assemble(&[(us, signature)]).expect("a transaction");
    let lent = unsigned.message().instructions().iter().filter(|it| it.program == PROGRAM).count();
    assert!(done.raw.ends_with(&bytes));
    Loot::stolen(U256::from(lent), "order of the thief's program that the key signed")
}

/// Controls whose decoder leaves out what it does not know.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutUnknownOrders;

impl Controls for WithoutUnknownOrders {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn explain_message(&self, unsigned: &Unsigned) -> Effects {
        let mut effects = unsigned.effects();
        effects.items.retain(|effect| !matches!(effect.kind, EffectKind::Opaque { .. }));
        effects
    }
}
