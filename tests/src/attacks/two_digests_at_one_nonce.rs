//! Two signatures for one nonce: paid, and not paid (S4).
//!
//! The oldest theft on chains: a merchant is shown a signed payment and hands over the goods; another
//! transaction with the same nonce, which pays the payer, is mined instead. In September
//! 2018, bitcoin teller machines in seven Canadian cities paid out 195,000 Canadian dollars like that, in ten days.
//!
//! The control lets one digest into a slot, unless a replacement names it. The twin has no slots.

use alloy_primitives::U256;
use keystead_base::{Coded as _, RequestId};
use keystead_decision::{Controls, State};
use keystead_intent::Slot;
use keystead_policy::Reason;
use keystead_quorum::Strict;

use crate::Loot;
use crate::fixture::{ETHER, FRIEND};
use crate::theft::{STRICT_CHECKS, executed, signed};
use crate::world::World;

/// Plays it. The friend is the merchant.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::new(controls);
    let (first, outcome) = world.ask("dora", world.ether(FRIEND, ETHER, 0));
    let payment = match signed(&mut world, &first, &outcome) {
        Ok(signed) => signed.raw,
        Err(refused) => return refused,
    };
    let own = world.account();
    let (second, outcome) = world.ask("dora", world.ether(own, ETHER, 0));
    if let Err(refused) = executed(&mut world, &second, &outcome) {
        return refused;
    }
    let late = world.chain.execute_raw(&payment).expect_err("the nonce is used");
    assert_eq!((late.code(), world.chain.balance(FRIEND)), ("devnet.nonce", U256::ZERO));
    Loot::stolen(U256::from(ETHER), "wei of goods, delivered and not paid")
}

/// Controls without slots.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutSlots;

impl Controls for WithoutSlots {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn slot(&self, _: &State, _: &Slot, _: &RequestId, _: Option<&RequestId>) -> Result<(), Reason> {
        Ok(())
    }
}
