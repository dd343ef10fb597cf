//! ERC-20: transfers and allowances of a fungible token.

use alloy_primitives::{Address, Bytes};
use alloy_sol_types::{SolCall as _, sol};
use keystead_base::Amount;
use keystead_intent::{Allowance, EffectKind};

use super::{Frame, Function, Malformed, Walk, function};

sol! {
    function transfer(address to, uint256 amount);
    function transferFrom(address from, address to, uint256 amount);
    function approve(address spender, uint256 amount);
    function increaseAllowance(address spender, uint256 amount);
    function decreaseAllowance(address spender, uint256 amount);
}

/// The functions of ERC-20, and the two that OpenZeppelin added to it.
pub(crate) const TABLE: &[Function] = &[
    function::<transferCall>(transfer),
    function::<transferFromCall>(transfer_from),
    function::<approveCall>(approve),
    function::<increaseAllowanceCall>(increase_allowance),
    function::<decreaseAllowanceCall>(decrease_allowance),
];

/// The calldata of a transfer.
pub(crate) fn encode_transfer(to: Address, amount: Amount) -> Bytes {
    transferCall { to, amount: amount.0 }.abi_encode().into()
}

fn transfer(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: transferCall = frame.decode()?;
    walk.token_transfer(frame, frame.code, frame.caller, call.to, call.amount);
    Ok(())
}

fn transfer_from(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: transferFromCall = frame.decode()?;
    walk.token_transfer(frame, frame.code, call.from, call.to, call.amount);
    Ok(())
}

fn approve(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: approveCall = frame.decode()?;
    walk.push(frame, allowance(frame, call.spender, Amount(call.amount), false));
    Ok(())
}

fn increase_allowance(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: increaseAllowanceCall = frame.decode()?;
    walk.push(frame, allowance(frame, call.spender, Amount(call.amount), true));
    Ok(())
}

fn decrease_allowance(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: decreaseAllowanceCall = frame.decode()?;
    let (token, owner, amount) = (frame.code, frame.caller, Amount(call.amount));
    walk.push(frame, EffectKind::AllowanceReduction { token, owner, spender: call.spender, amount });
    Ok(())
}

fn allowance(frame: &Frame<'_>, spender: Address, amount: Amount, increase: bool) -> EffectKind {
    EffectKind::Allowance(Allowance {
        token: frame.code,
        owner: frame.caller,
        spender,
        amount,
        increase,
        deadline: None,
        by_signature: false,
    })
}
