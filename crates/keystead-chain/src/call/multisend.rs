//! Safe's MultiSend and MultiSendCallOnly: packed calls, made by whoever runs this code.

use alloy_primitives::{Address, U256};
use alloy_sol_types::sol;
use keystead_intent::EffectKind;

use super::{Frame, Function, Inner, MAX_CALLS, Malformed, Walk, function, run_inner};

sol! {
    function multiSend(bytes transactions);
}

/// The one function.
pub(crate) const TABLE: &[Function] = &[function::<multiSendCall>(multi_send)];

/// Bytes before the data of each packed call: operation, address, value, length.
const HEADER_BYTES: usize = 1 + 20 + 32 + 32;

/// The calls come from `address(this)`: the Safe when it runs this code by delegatecall, and the
/// MultiSend contract itself when it is merely called.
fn multi_send(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: multiSendCall = frame.decode()?;
    let calls = unpack(&call.transactions)?;
    if calls.is_empty() {
        walk.push(frame, EffectKind::NoValue);
    }
    for (index, inner) in calls.into_iter().enumerate().take(MAX_CALLS.saturating_add(1)) {
        run_one(walk, frame, inner, frame.below(index))?;
    }
    Ok(())
}

/// Version 1.5 reads address zero as the account itself; earlier ones burn the value there.
fn run_one(
    walk: &mut Walk<'_>,
    frame: &Frame<'_>,
    inner: Inner<'_>,
    path: Vec<u16>,
) -> Result<(), Malformed> {
    if !inner.to.is_zero() {
        return run_inner(walk, frame.caller, frame.this, inner, path);
    }
    if !inner.value.is_zero() {
        walk.coins(path.clone(), frame.this, Address::ZERO, inner.value);
    }
    run_inner(walk, frame.caller, frame.this, Inner { to: frame.this, ..inner }, path)
}

/// All of the calls or, if a byte is missing or left over or an operation unknown, none.
fn unpack(mut bytes: &[u8]) -> Result<Vec<Inner<'_>>, Malformed> {
    let mut calls = Vec::new();
    while !bytes.is_empty() {
        let (inner, rest) = unpack_one(bytes).ok_or(Malformed)?;
        if inner.operation > 1 {
            return Err(Malformed);
        }
        calls.push(inner);
        bytes = rest;
    }
    Ok(calls)
}

fn unpack_one(bytes: &[u8]) -> Option<(Inner<'_>, &[u8])> {
    let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
    let (operation, header) = header.split_first()?;
    let (to, header) = header.split_at_checked(20)?;
    let (value, length) = header.split_at_checked(32)?;
    let length = usize::try_from(U256::from_be_slice(length)).ok()?;
    let (data, rest) = rest.split_at_checked(length)?;
    let inner = Inner {
        to: Address::try_from(to).ok()?,
        value: U256::from_be_slice(value),
        data,
        operation: *operation,
    };
    Some((inner, rest))
}
