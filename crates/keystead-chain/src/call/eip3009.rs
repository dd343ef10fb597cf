//! EIP-3009: transfers by a signature of the owner, submitted in a transaction.

use alloy_sol_types::sol;
use keystead_intent::EffectKind;

use super::{Frame, Function, Malformed, Walk, function};

sol! {
    function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, uint8 v, bytes32 r, bytes32 s);
    function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature);
    function receiveWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, uint8 v, bytes32 r, bytes32 s);
    function receiveWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature);
    function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s);
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes signature);
}

macro_rules! moves {
    ($call:ty) => {
        |walk: &mut Walk<'_>, frame: &Frame<'_>| -> Result<(), Malformed> {
            let call: $call = frame.decode()?;
            walk.token_transfer(frame, frame.code, call.from, call.to, call.value);
            Ok(())
        }
    };
}

macro_rules! cancels {
    ($call:ty) => {
        |walk: &mut Walk<'_>, frame: &Frame<'_>| -> Result<(), Malformed> {
            let call: $call = frame.decode()?;
            walk.push(frame, EffectKind::Cancel { account: call.authorizer });
            Ok(())
        }
    };
}

/// The functions of EIP-3009, each with a split and a whole signature.
pub(crate) const TABLE: &[Function] = &[
    function::<transferWithAuthorization_0Call>(moves!(transferWithAuthorization_0Call)),
    function::<transferWithAuthorization_1Call>(moves!(transferWithAuthorization_1Call)),
    function::<receiveWithAuthorization_0Call>(moves!(receiveWithAuthorization_0Call)),
    function::<receiveWithAuthorization_1Call>(moves!(receiveWithAuthorization_1Call)),
    function::<cancelAuthorization_0Call>(cancels!(cancelAuthorization_0Call)),
    function::<cancelAuthorization_1Call>(cancels!(cancelAuthorization_1Call)),
];
