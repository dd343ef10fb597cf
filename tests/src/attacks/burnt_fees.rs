//! Everything for the fee: paid to a known address, a wei of it (S10).
//!
//! On 10 and 11 June 2020 two transactions of one exchange each paid 10,668 ether for gas that was worth cents. As researchers
//! read it, the thieves could pay to known addresses only, and burnt fees to be paid for not burning more. Who makes the
//! block gets the tip, and it can be the thief.
//!
//! `dora` asks for one wei to a friend, in a form with one price, where nothing but the price bounds the tip. Quorum rows
//! let an ether go without anybody's word, fees and all; a fee cap lets a hundredth go, and three gwei for each gas to whoever makes the block.
//! The twin has no caps.

use alloy_consensus::{SignableTransaction as _, TxLegacy};
use alloy_primitives::{TxKind, U256};
use keystead_base::Amount;
use keystead_decision::Controls;
use keystead_policy::{Engine, FeeCap, PolicyVersion, Question, Ruling};
use keystead_quorum::Strict;

use crate::Loot;
use crate::fixture::{CHAIN, ETHER, FRIEND, name};
use crate::theft::{STRICT_CHECKS, executed};
use crate::world::World;

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::with_policy(controls, |policy| policy.fee_caps = vec![cap()]);
    let before = world.chain.balance(world.account());
    let transaction = TxLegacy {
        chain_id: Some(CHAIN.0),
        nonce: 0,
        gas_price: ETHER / u128::from(GAS),
        gas_limit: GAS,
        to: TxKind::Call(FRIEND),
        value: U256::ONE,
        input: Default::default(),
    };
    let action = world.raw(transaction.encoded_for_signing());
    let (id, outcome) = world.ask("dora", action);
    if let Err(refused) = executed(&mut world, &id, &outcome) {
        return refused;
    }
    let gone = before - world.chain.balance(world.account()) - U256::ONE;
    Loot::stolen(gone, "wei for gas")
}

fn cap() -> FeeCap {
    FeeCap {
        id: name("gas"),
        keys: Vec::new(),
        chains: vec![CHAIN],
        max_fee_per_gas: None,
        max_priority_fee_per_gas: Some(Amount::from(3_000_000_000_u64)),
        fee: Some(Amount::from(ETHER / 100)),
        fee_fiat: None,
    }
}

/// Controls whose policy has no fee caps.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutFeeCaps;

impl Controls for WithoutFeeCaps {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn rule(&self, engine: &Engine, question: &Question<'_>) -> Ruling {
        let bare = PolicyVersion { fee_caps: Vec::new(), ..engine.version().clone() };
        Engine::compile(bare).expect("a policy that compiles").decide(question)
    }
}

const GAS: u64 = 21_000;
