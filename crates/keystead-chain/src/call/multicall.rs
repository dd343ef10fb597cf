//! Calls in lists: of a contract to itself, and through Multicall3.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::sol;
use keystead_intent::EffectKind;

use super::{Frame, Function, MAX_CALLS, Walk, function};

sol! {
    struct Call { address target; bytes callData; }
    struct Call3 { address target; bool allowFailure; bytes callData; }
    struct Call3Value { address target; bool allowFailure; uint256 value; bytes callData; }

    function multicall(bytes[] data);
    function multicall(uint256 deadline, bytes[] data);
    function aggregate(Call[] calls);
    function tryAggregate(bool requireSuccess, Call[] calls);
    function blockAndAggregate(Call[] calls);
    function tryBlockAndAggregate(bool requireSuccess, Call[] calls);
    function aggregate3(Call3[] calls);
    function aggregate3Value(Call3Value[] calls);
}

/// `multicall` of a contract to itself: a delegatecall to its own code, so `msg.sender` stays.
pub(crate) const SELF: &[Function] = &[
    function::<multicall_0Call>(|walk, frame| {
        let call: multicall_0Call = frame.decode()?;
        to_itself(walk, frame, &call.data);
        Ok(())
    }),
    function::<multicall_1Call>(|walk, frame| {
        let call: multicall_1Call = frame.decode()?;
        to_itself(walk, frame, &call.data);
        Ok(())
    }),
];

/// Multicall3: the inner calls come from the Multicall contract.
pub(crate) const AGGREGATE: &[Function] = &[
    function::<aggregateCall>(|walk, frame| {
        let call: aggregateCall = frame.decode()?;
        outward(walk, frame, call.calls.iter().map(plain));
        Ok(())
    }),
    function::<tryAggregateCall>(|walk, frame| {
        let call: tryAggregateCall = frame.decode()?;
        outward(walk, frame, call.calls.iter().map(plain));
        Ok(())
    }),
    function::<blockAndAggregateCall>(|walk, frame| {
        let call: blockAndAggregateCall = frame.decode()?;
        outward(walk, frame, call.calls.iter().map(plain));
        Ok(())
    }),
    function::<tryBlockAndAggregateCall>(|walk, frame| {
        let call: tryBlockAndAggregateCall = frame.decode()?;
        outward(walk, frame, call.calls.iter().map(plain));
        Ok(())
    }),
    function::<aggregate3Call>(|walk, frame| {
        let call: aggregate3Call = frame.decode()?;
        outward(walk, frame, call.calls.iter().map(|it| (it.target, U256::ZERO, &it.callData)));
        Ok(())
    }),
    function::<aggregate3ValueCall>(|walk, frame| {
        let call: aggregate3ValueCall = frame.decode()?;
        outward(walk, frame, call.calls.iter().map(|it| (it.target, it.value, &it.callData)));
        Ok(())
    }),
];

/// The coins of the outer call are seen by each inner one and move once: the outer call lists them.
fn to_itself(walk: &mut Walk<'_>, frame: &Frame<'_>, list: &[Bytes]) {
    if list.is_empty() {
        walk.push(frame, EffectKind::NoValue);
    }
    for (index, data) in list.iter().enumerate().take(MAX_CALLS.saturating_add(1)) {
        walk.call(&Frame::delegate(frame.caller, frame.this, frame.code, data, frame.below(index)));
    }
}

fn plain(call: &Call) -> (Address, U256, &Bytes) {
    (call.target, U256::ZERO, &call.callData)
}

fn outward<'a>(
    walk: &mut Walk<'_>,
    frame: &Frame<'_>,
    calls: impl ExactSizeIterator<Item = (Address, U256, &'a Bytes)>,
) {
    if calls.len() == 0 {
        walk.push(frame, EffectKind::NoValue);
    }
    for (index, (target, value, data)) in calls.enumerate().take(MAX_CALLS.saturating_add(1)) {
        walk.call(&Frame::call(frame.this, target, value, data, frame.below(index)));
    }
}
