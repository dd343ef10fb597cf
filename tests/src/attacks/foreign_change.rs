//! Change that goes to somebody else (S2, S12).
//!
//! A wallet's server prepares a small payment with a large change, and gives the change a script of its own. A signer that takes the
//! last output for change, or whatever the PSBT calls so, shows and counts the payment alone.
//!
//! The twin takes every output but the first for change. A PSBT that claims a key of ours for that output does not get this far: no
//! such claim is believed by anybody.

use alloy_primitives::U256;
use bitcoin::ScriptBuf;
use keystead_bitcoin::Spend;
use keystead_decision::{Controls, Outcome};
use keystead_intent::{Action, EffectKind, Effects, PsbtSpend};
use keystead_quorum::Strict;

use crate::Loot;
use crate::purse::{Purse, REGTEST, Secrets, WPKH, consensus_takes, lists_payee, pay, payee};
use crate::theft::STRICT_CHECKS;
use crate::world::{World, hot};

/// Plays it.
///
/// # Panics
///
/// When the network would not take what was signed.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::with_policy(controls, lists_payee);
    let (purse, secrets) = (Purse::of_seed(7), Secrets::of_seed(7));
    world.record_wallet(&purse.recorded);
    let coin = purse.coin(WPKH, 100_000_000, 1);
    let spent = [coin.previous.output[0].clone()];
    let outputs = vec![pay(10_000, payee()), pay(TAKEN, ScriptBuf::from_hex(THIEF).expect("a script"))];
    let psbt = purse.psbt(vec![coin], outputs);
    let asked =
        PsbtSpend { account: hot(), chain: REGTEST, psbt: psbt.clone().into(), replaces: None, shared: None };
    let (_, outcome) = world.ask("desk", Action::Psbt(asked));
    let Outcome::Allow(_) = &outcome else { return Loot::decided(&outcome) };
    let spend = Spend::read(&purse.recorded, &psbt).expect("a PSBT that was allowed");
    let signatures = secrets.sign(&spend);
    let done = spend.finalize(&signatures).expect("signatures of ours");
    assert!(consensus_takes(done.transaction(), &spent), "the network takes it");
    Loot::stolen(U256::from(TAKEN), "sat of change")
}

/// Controls that take every output but the first for change.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutDerivedChange;

impl Controls for WithoutDerivedChange {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn explain_psbt(&self, spend: &Spend) -> Effects {
        let mut effects = spend.effects();
        for item in effects.items.iter_mut().skip(1) {
            if let EffectKind::Transfer { to, .. } = &mut item.kind {
                *to = spend.wallet();
            }
        }
        effects
    }
}

const TAKEN: u64 = 99_989_000;
/// A witness program of a key hash that is nobody's of ours.
const THIEF: &str = "0014000000000000000000000000000000000000dead";
