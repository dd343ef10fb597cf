//! Safe multisig accounts: what they execute, and changes of who commands them.

use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolCall, sol};
use keystead_intent::{Asset, AuthorityKind, EffectKind, OpaqueReason};

use super::{Frame, Function, Malformed, Walk, function, opaque};

sol! {
    function execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures);
    function execTransactionFromModule(address to, uint256 value, bytes data, uint8 operation);
    function execTransactionFromModuleReturnData(address to, uint256 value, bytes data, uint8 operation);
    function approveHash(bytes32 hash);
    function addOwnerWithThreshold(address owner, uint256 threshold);
    function removeOwner(address prevOwner, address owner, uint256 threshold);
    function swapOwner(address prevOwner, address oldOwner, address newOwner);
    function changeThreshold(uint256 threshold);
    function enableModule(address module);
    function disableModule(address prevModule, address module);
    function setGuard(address guard);
    function setModuleGuard(address guard);
    function setFallbackHandler(address handler);
    function setup(address[] owners, uint256 threshold, address to, bytes data, address fallbackHandler, address paymentToken, uint256 payment, address paymentReceiver);
}

/// The functions of a Safe, versions 1.3 to 1.5.
pub(crate) const TABLE: &[Function] = &[
    function::<execTransactionCall>(exec_transaction),
    function::<execTransactionFromModuleCall>(|walk, frame| {
        let it: execTransactionFromModuleCall = frame.decode()?;
        run(walk, frame, Inner { to: it.to, value: it.value, data: &it.data, operation: it.operation })
    }),
    function::<execTransactionFromModuleReturnDataCall>(|walk, frame| {
        let it: execTransactionFromModuleReturnDataCall = frame.decode()?;
        run(walk, frame, Inner { to: it.to, value: it.value, data: &it.data, operation: it.operation })
    }),
    function::<approveHashCall>(approve_hash),
    function::<addOwnerWithThresholdCall>(|walk, frame| {
        change::<addOwnerWithThresholdCall>(walk, frame, AuthorityKind::Owner, |it| vec![Some(it.owner)])
    }),
    function::<removeOwnerCall>(|walk, frame| {
        change::<removeOwnerCall>(walk, frame, AuthorityKind::Owner, |it| vec![Some(it.owner)])
    }),
    function::<swapOwnerCall>(|walk, frame| {
        let both = |it: &swapOwnerCall| vec![Some(it.oldOwner), Some(it.newOwner)];
        change::<swapOwnerCall>(walk, frame, AuthorityKind::Owner, both)
    }),
    function::<changeThresholdCall>(|walk, frame| {
        change::<changeThresholdCall>(walk, frame, AuthorityKind::Owner, |_| vec![None])
    }),
    function::<enableModuleCall>(|walk, frame| {
        change::<enableModuleCall>(walk, frame, AuthorityKind::Module, |it| vec![Some(it.module)])
    }),
    function::<disableModuleCall>(|walk, frame| {
        change::<disableModuleCall>(walk, frame, AuthorityKind::Module, |it| vec![Some(it.module)])
    }),
    function::<setGuardCall>(|walk, frame| {
        change::<setGuardCall>(walk, frame, AuthorityKind::Guard, |it| vec![Some(it.guard)])
    }),
    function::<setModuleGuardCall>(|walk, frame| {
        change::<setModuleGuardCall>(walk, frame, AuthorityKind::Guard, |it| vec![Some(it.guard)])
    }),
    function::<setFallbackHandlerCall>(|walk, frame| {
        change::<setFallbackHandlerCall>(walk, frame, AuthorityKind::Guard, |it| vec![Some(it.handler)])
    }),
    function::<setupCall>(setup),
];

/// The call that a Safe is told to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inner<'a> {
    pub(crate) to: Address,
    pub(crate) value: U256,
    pub(crate) data: &'a [u8],
    /// 0 for a call, 1 for a delegatecall; nothing else exists.
    pub(crate) operation: u8,
}

/// Follows what a Safe executes; `path` is the place of the inner call.
pub(crate) fn run_inner(
    walk: &mut Walk<'_>,
    caller: Address,
    safe: Address,
    inner: Inner<'_>,
    path: Vec<u16>,
) -> Result<(), Malformed> {
    match inner.operation {
        0 => walk.call(&Frame::call(safe, inner.to, inner.value, inner.data, path)),
        // The value of a delegatecall moves nothing.
        1 => {
            walk.delegate_call(&Frame::delegate(caller, safe, inner.to, inner.data, path));
        }
        _ => return Err(Malformed),
    }
    Ok(())
}

/// A Safe that pays for gas pays an amount that is not in the bytes.
pub(crate) fn refund_is_unstated(walk: &mut Walk<'_>, frame: &Frame<'_>, gas_price: U256, token: Address) {
    if !gas_price.is_zero() {
        walk.push(frame, opaque(Some(token), U256::ZERO, frame.data_hash(), OpaqueReason::UnstatedAmount));
    }
}

fn exec_transaction(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let it: execTransactionCall = frame.decode()?;
    run(walk, frame, Inner { to: it.to, value: it.value, data: &it.data, operation: it.operation })?;
    refund_is_unstated(walk, frame, it.gasPrice, it.gasToken);
    Ok(())
}

fn run(walk: &mut Walk<'_>, frame: &Frame<'_>, inner: Inner<'_>) -> Result<(), Malformed> {
    run_inner(walk, frame.caller, frame.this, inner, frame.below(0))
}

/// The hash stands for a transaction of the Safe that nobody sees here.
fn approve_hash(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let call: approveHashCall = frame.decode()?;
    walk.push(frame, EffectKind::BlindDigest { digest: call.hash });
    Ok(())
}

fn change<C: SolCall>(
    walk: &mut Walk<'_>,
    frame: &Frame<'_>,
    change: AuthorityKind,
    subjects: fn(&C) -> Vec<Option<Address>>,
) -> Result<(), Malformed> {
    let call: C = frame.decode()?;
    for subject in subjects(&call) {
        walk.push(frame, EffectKind::Authority { change, target: frame.this, subject });
    }
    Ok(())
}

/// Names the owners, runs foreign code as the Safe, and pays whoever deployed it.
fn setup(walk: &mut Walk<'_>, frame: &Frame<'_>) -> Result<(), Malformed> {
    let it: setupCall = frame.decode()?;
    let target = frame.this;
    for owner in &it.owners {
        walk.push(
            frame,
            EffectKind::Authority { change: AuthorityKind::Owner, target, subject: Some(*owner) },
        );
    }
    let (change, subject) = (AuthorityKind::Guard, Some(it.fallbackHandler));
    walk.push(frame, EffectKind::Authority { change, target, subject });
    if !it.to.is_zero() {
        walk.delegate_call(&Frame::delegate(frame.caller, target, it.to, &it.data, frame.below(0)));
    }
    payment(walk, frame, &it);
    Ok(())
}

/// Without a receiver the payment goes to whoever sends the transaction: the bytes do not say who.
fn payment(walk: &mut Walk<'_>, frame: &Frame<'_>, it: &setupCall) {
    if it.payment.is_zero() {
        return;
    }
    let (safe, to, amount) = (frame.this, it.paymentReceiver, it.payment);
    if to.is_zero() {
        walk.push(frame, opaque(Some(safe), U256::ZERO, frame.data_hash(), OpaqueReason::UnstatedAmount));
    } else if it.paymentToken.is_zero() {
        let kind = EffectKind::Transfer { asset: Asset::Native, from: safe, to, amount: amount.into() };
        walk.push(frame, kind);
    } else {
        walk.token_transfer(frame, it.paymentToken, safe, to, amount);
    }
}
