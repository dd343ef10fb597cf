//! ERC-721 and ERC-1155: transfers and approvals of tokens with an id.

use alloy_primitives::{Address, U256};
use alloy_sol_types::sol;
use keystead_base::Amount;
use keystead_intent::EffectKind;

use super::{Frame, Function, Malformed, Walk, function};

sol! {
    function transferFrom(address from, address to, uint256 id);
    function safeTransferFrom(address from, address to, uint256 id);
    function safeTransferFrom(address from, address to, uint256 id, bytes data);
    function safeTransferFrom(address from, address to, uint256 id, uint256 amount, bytes data);
    function safeBatchTransferFrom(address from, address to, uint256[] ids, uint256[] amounts, bytes data);
    function approve(address spender, uint256 id);
    function setApprovalForAll(address operator, bool approved);
}

/// ERC-721.
pub(crate) const ERC721: &[Function] = &[
    function::<transferFromCall>(transfer_from),
    function::<safeTransferFrom_0Call>(safe_transfer_from),
    function::<safeTransferFrom_1Call>(safe_transfer_from_with_data),
    function::<approveCall>(approve),
    function::<setApprovalForAllCall>(set_approval_for_all),
];

/// ERC-1155.
pub(crate) const ERC1155: &[Function] = &[
    function::<safeTransferFrom_2Call>(multi_transfer),
    function::<safeBatchTransferFromCall>(multi_batch),
    function::<setApprovalForAllCall>(set_approval_for_all),
];

fn transfer_from(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: transferFromCall = frame.decode()?;
    nft(walk, frame, call.from, call.to, call.id);
    Ok(())
}

fn safe_transfer_from(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: safeTransferFrom_0Call = frame.decode()?;
    nft(walk, frame, call.from, call.to, call.id);
    Ok(())
}

fn safe_transfer_from_with_data(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: safeTransferFrom_1Call = frame.decode()?;
    nft(walk, frame, call.from, call.to, call.id);
    Ok(())
}

fn approve(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: approveCall = frame.decode()?;
    let (token, owner, id) = (frame.code, frame.caller, Amount(call.id));
    walk.push(frame, EffectKind::NftApproval { token, owner, spender: call.spender, id });
    Ok(())
}

fn set_approval_for_all(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: setApprovalForAllCall = frame.decode()?;
    let (token, owner, operator) = (frame.code, frame.caller, call.operator);
    walk.push(frame, EffectKind::OperatorApproval { token, owner, operator, approved: call.approved });
    Ok(())
}

fn multi_transfer(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: safeTransferFrom_2Call = frame.decode()?;
    multi(walk, frame, call.from, call.to, call.id, call.amount);
    Ok(())
}

/// Lists of different lengths revert; an empty batch moves nothing.
fn multi_batch(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: safeBatchTransferFromCall = frame.decode()?;
    if call.ids.len() != call.amounts.len() {
        return Err(Malformed);
    }
    if call.ids.is_empty() {
        walk.push(frame, EffectKind::NoValue);
    }
    for (id, amount) in call.ids.iter().zip(&call.amounts) {
        multi(walk, frame, call.from, call.to, *id, *amount);
    }
    Ok(())
}

fn nft(walk: &mut Walk<'_>, frame: &Frame<'_>, from: Address, to: Address, id: U256) {
    walk.push(frame, EffectKind::NftTransfer { token: frame.code, from, to, id: Amount(id) });
}

fn multi(walk: &mut Walk<'_>, frame: &Frame<'_>, from: Address, to: Address, id: U256, amount: U256) {
    let (id, amount) = (Amount(id), Amount(amount));
    walk.push(frame, EffectKind::MultiTokenTransfer { token: frame.code, from, to, id, amount });
}
