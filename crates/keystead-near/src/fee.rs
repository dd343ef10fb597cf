//! What is counted for gas. The bytes say how much gas calls may burn, and no price: the network has one for all.

use crate::{Action, Effect, EffectKind, Transaction};

/// Gas that every transaction is counted with.
const BASE_GAS: u64 = 10_000_000_000_000;
/// Gas that each action is counted with, beside what a call may burn: a contract of 256 KiB costs about 19 Tgas to deploy, all else less.
const ACTION_GAS: u64 = 20_000_000_000_000;
/// yoctoNEAR for one gas, as it is counted: ten times the least that the protocol takes. A busy network takes more.
const GAS_PRICE: u128 = 1_000_000_000;

/// Gas that is counted for.
pub(crate) fn gas(transaction: &Transaction) -> u64 {
    let of = |action: &Action| match action {
        Action::FunctionCall { gas, .. } => ACTION_GAS.saturating_add(*gas),
        _ => ACTION_GAS,
    };
    transaction.actions().iter().map(of).fold(BASE_GAS, u64::saturating_add)
}

/// yoctoNEAR that are counted for gas, and the one that each transfer of tokens takes along.
pub(crate) fn ceiling(transaction: &Transaction, effects: &[Effect]) -> u128 {
    let tokens = effects.iter().filter(|it| matches!(it.kind, EffectKind::TokenTransfer { .. })).count();
    u128::from(gas(transaction)).saturating_mul(GAS_PRICE).saturating_add(tokens as u128)
}
