//! EIP-2612 and DAI-style permits, submitted in a transaction.

use alloy_primitives::{Address, U256};
use alloy_sol_types::sol;
use keystead_base::Amount;
use keystead_intent::{Allowance, EffectKind};

use super::{Frame, Function, Malformed, Walk, function};

sol! {
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s);
    function permit(address owner, address spender, uint256 value, uint256 deadline, bytes signature);
    function permit(address holder, address spender, uint256 nonce, uint256 expiry, bool allowed, uint8 v, bytes32 r, bytes32 s);
}

/// The permits that fungible tokens take: EIP-2612, the same for contract accounts, and DAI's.
pub(crate) const TABLE: &[Function] = &[
    function::<permit_0Call>(eip2612),
    function::<permit_1Call>(eip2612_bytes),
    function::<permit_2Call>(dai),
];

fn eip2612(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: permit_0Call = frame.decode()?;
    walk.push(frame, allowance(frame, call.owner, call.spender, call.value, call.deadline));
    Ok(())
}

fn eip2612_bytes(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: permit_1Call = frame.decode()?;
    walk.push(frame, allowance(frame, call.owner, call.spender, call.value, call.deadline));
    Ok(())
}

fn dai(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: permit_2Call = frame.decode()?;
    let amount = if call.allowed { U256::MAX } else { U256::ZERO };
    walk.push(frame, allowance(frame, call.holder, call.spender, amount, call.expiry));
    Ok(())
}

fn allowance(
    frame: &Frame<'_>,
    owner: Address,
    spender: Address,
    amount: U256,
    deadline: U256,
) -> EffectKind {
    EffectKind::Allowance(Allowance {
        token: frame.code,
        owner,
        spender,
        amount: Amount(amount),
        increase: false,
        deadline: Some(Amount(deadline)),
        by_signature: false,
    })
}
