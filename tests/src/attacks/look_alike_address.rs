//! An address that begins and ends like a known one (S12).
//!
//! 3 May 2024: an address with the same first and last characters as a known one had put itself into
//! somebody's history with a payment of dust. It was copied from there and received 1,155 WBTC, then 68 million
//! dollars.
//!
//! The twin compares destinations as people do: the first and the last four bytes.

use alloy_primitives::{Address, address};
use keystead_decision::Controls;
use keystead_intent::{EffectKind, Effects};
use keystead_policy::{Engine, Question, Ruling, Subject};
use keystead_quorum::Strict;

use crate::Loot;
use crate::fixture::ETHER;
use crate::theft::{STRICT_CHECKS, executed};
use crate::world::World;

/// Plays it: the requester copied the wrong line.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::new(controls);
    let (id, outcome) = world.ask("desk", world.ether(LOOK_ALIKE, ETHER, 0));
    match executed(&mut world, &id, &outcome) {
        Ok(_) => Loot::stolen(world.chain.balance(LOOK_ALIKE), "wei at the address that looks alike"),
        Err(refused) => refused,
    }
}

/// Ground for its first and last bytes, which are those of the friend.
pub(super) const LOOK_ALIKE: Address = address!("00000000bad1e5b17e4a2c93d06f58e1000f41e7");

/// Controls that take an address for the entry of the book that looks like it.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutWholeAddresses;

impl Controls for WithoutWholeAddresses {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn rule(&self, engine: &Engine, question: &Question<'_>) -> Ruling {
        let Subject::Payload(effects) = question.subject else { return engine.decide(question) };
        let familiar = familiar(effects, engine);
        engine.decide(&Question { subject: Subject::Payload(&familiar), ..*question })
    }
}

fn familiar(effects: &Effects, engine: &Engine) -> Effects {
    let mut effects = effects.clone();
    for effect in &mut effects.items {
        if let EffectKind::Transfer { to, .. } = &mut effect.kind {
            let book = engine.version().address_book.iter().map(|entry| entry.address);
            let twin = book.into_iter().find(|known| known[..4] == to[..4] && known[16..] == to[16..]);
            *to = twin.unwrap_or(*to);
        }
    }
    effects
}
