//! Permit2: one contract that keeps allowances over every token, and moves them by signature.

use alloy_primitives::{Address, U256};
use alloy_sol_types::sol;
use keystead_base::Amount;
use keystead_intent::{Allowance, EffectKind};

use super::{Frame, Function, Malformed, Walk, function};

sol! {
    struct PermitDetails { address token; uint160 amount; uint48 expiration; uint48 nonce; }
    struct PermitSingle { PermitDetails details; address spender; uint256 sigDeadline; }
    struct PermitBatch { PermitDetails[] details; address spender; uint256 sigDeadline; }
    struct TokenPermissions { address token; uint256 amount; }
    struct PermitTransferFrom { TokenPermissions permitted; uint256 nonce; uint256 deadline; }
    struct PermitBatchTransferFrom { TokenPermissions[] permitted; uint256 nonce; uint256 deadline; }
    struct SignatureTransferDetails { address to; uint256 requestedAmount; }
    struct AllowanceTransferDetails { address from; address to; uint160 amount; address token; }
    struct TokenSpenderPair { address token; address spender; }

    function approve(address token, address spender, uint160 amount, uint48 expiration);
    function permit(address owner, PermitSingle permitSingle, bytes signature);
    function permit(address owner, PermitBatch permitBatch, bytes signature);
    function transferFrom(address from, address to, uint160 amount, address token);
    function transferFrom(AllowanceTransferDetails[] transferDetails);
    function lockdown(TokenSpenderPair[] approvals);
    function invalidateNonces(address token, address spender, uint48 newNonce);
    function invalidateUnorderedNonces(uint256 wordPos, uint256 mask);
    function permitTransferFrom(PermitTransferFrom permit, SignatureTransferDetails transferDetails, address owner, bytes signature);
    function permitTransferFrom(PermitBatchTransferFrom permit, SignatureTransferDetails[] transferDetails, address owner, bytes signature);
    function permitWitnessTransferFrom(PermitTransferFrom permit, SignatureTransferDetails transferDetails, address owner, bytes32 witness, string witnessTypeString, bytes signature);
    function permitWitnessTransferFrom(PermitBatchTransferFrom permit, SignatureTransferDetails[] transferDetails, address owner, bytes32 witness, string witnessTypeString, bytes signature);
}

/// All that Permit2 does beyond answering questions.
pub(crate) const TABLE: &[Function] = &[
    function::<approveCall>(approve),
    function::<permit_0Call>(permit_single),
    function::<permit_1Call>(permit_batch),
    function::<transferFrom_0Call>(transfer_from),
    function::<transferFrom_1Call>(transfer_from_batch),
    function::<lockdownCall>(lockdown),
    function::<invalidateNoncesCall>(cancel::<invalidateNoncesCall>),
    function::<invalidateUnorderedNoncesCall>(cancel::<invalidateUnorderedNoncesCall>),
    function::<permitTransferFrom_0Call>(|walk, frame| {
        let call: permitTransferFrom_0Call = frame.decode()?;
        spend(walk, frame, call.owner, &[call.permit.permitted], &[call.transferDetails])
    }),
    function::<permitTransferFrom_1Call>(|walk, frame| {
        let call: permitTransferFrom_1Call = frame.decode()?;
        spend(walk, frame, call.owner, &call.permit.permitted, &call.transferDetails)
    }),
    function::<permitWitnessTransferFrom_0Call>(|walk, frame| {
        let call: permitWitnessTransferFrom_0Call = frame.decode()?;
        spend(walk, frame, call.owner, &[call.permit.permitted], &[call.transferDetails])
    }),
    function::<permitWitnessTransferFrom_1Call>(|walk, frame| {
        let call: permitWitnessTransferFrom_1Call = frame.decode()?;
        spend(walk, frame, call.owner, &call.permit.permitted, &call.transferDetails)
    }),
];

fn approve(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: approveCall = frame.decode()?;
    let expiration = U256::from(call.expiration);
    walk.token_allowance(
        frame,
        allowance(call.token, frame.caller, call.spender, U256::from(call.amount), expiration),
    );
    Ok(())
}

fn permit_single(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: permit_0Call = frame.decode()?;
    grant(walk, frame, call.owner, call.permitSingle.spender, &call.permitSingle.details);
    Ok(())
}

fn permit_batch(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: permit_1Call = frame.decode()?;
    nothing_if(walk, frame, call.permitBatch.details.is_empty());
    for details in &call.permitBatch.details {
        grant(walk, frame, call.owner, call.permitBatch.spender, details);
    }
    Ok(())
}

fn transfer_from(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: transferFrom_0Call = frame.decode()?;
    walk.token_transfer(frame, call.token, call.from, call.to, U256::from(call.amount));
    Ok(())
}

fn transfer_from_batch(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: transferFrom_1Call = frame.decode()?;
    nothing_if(walk, frame, call.transferDetails.is_empty());
    for it in &call.transferDetails {
        walk.token_transfer(frame, it.token, it.from, it.to, U256::from(it.amount));
    }
    Ok(())
}

fn lockdown(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: lockdownCall = frame.decode()?;
    nothing_if(walk, frame, call.approvals.is_empty());
    for pair in &call.approvals {
        let (token, owner, spender) = (pair.token, frame.caller, pair.spender);
        walk.push(frame, EffectKind::AllowanceReduction { token, owner, spender, amount: Amount::MAX });
    }
    Ok(())
}

fn cancel<C: alloy_sol_types::SolCall>(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let _: C = frame.decode()?;
    walk.push(frame, EffectKind::Cancel { account: frame.caller });
    Ok(())
}

/// Lists of different lengths revert.
fn spend(
    walk: &mut Walk<'_>,
    frame: &Frame<'_>,
    owner: Address,
    permitted: &[TokenPermissions],
    details: &[SignatureTransferDetails],
) -> Result<(), Malformed> {
    if permitted.len() != details.len() {
        return Err(Malformed);
    }
    nothing_if(walk, frame, permitted.is_empty());
    for (permission, detail) in permitted.iter().zip(details) {
        walk.token_transfer(frame, permission.token, owner, detail.to, detail.requestedAmount);
    }
    Ok(())
}

fn grant(walk: &mut Walk<'_>, frame: &Frame<'_>, owner: Address, spender: Address, details: &PermitDetails) {
    let (amount, expiration) = (U256::from(details.amount), U256::from(details.expiration));
    walk.token_allowance(frame, allowance(details.token, owner, spender, amount, expiration));
}

fn allowance(token: Address, owner: Address, spender: Address, amount: U256, expiration: U256) -> Allowance {
    let (amount, deadline) = (Amount(amount), Some(Amount(expiration)));
    Allowance { token, owner, spender, amount, increase: false, deadline, by_signature: false }
}

fn nothing_if(walk: &mut Walk<'_>, frame: &Frame<'_>, empty: bool) {
    if empty {
        walk.push(frame, EffectKind::NoValue);
    }
}
