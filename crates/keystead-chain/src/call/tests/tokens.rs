//! Coins and tokens: what moves, and who may move it later.

use alloy_primitives::{Bytes, U256, aliases::U160};
use alloy_sol_types::SolCall as _;
use keystead_intent::PERMIT2;

use super::{approve, check, check_value, n, transfer};
use crate::call::*;
use crate::fixture::{ALICE, ITEM, MALLORY, MULTISEND, PUNK, SAFE, UNKNOWN, US, USDC};

#[test]
fn coins_move_with_or_without_calldata() {
    check_value(ALICE, 5, &[], &["/ coins 5 us>alice"]);
    check(ALICE, &[], &["/ nothing"]);
    check_value(USDC, 5, &transfer(ALICE, 9), &["/ coins 5 us>usdc", "/ usdc 9 us>alice"]);
    check(ALICE, &[1, 2, 3], &["/ opaque alice unknown_selector"]);
    check(USDC, &[1, 2, 3, 4], &["/ opaque usdc unknown_selector"]);
}

#[test]
fn erc20_moves_and_allows() {
    let from = erc20::transferFromCall { from: ALICE, to: MALLORY, amount: n(3) };
    let more = erc20::increaseAllowanceCall { spender: MALLORY, amount: n(3) };
    let fewer = erc20::decreaseAllowanceCall { spender: MALLORY, amount: n(3) };
    check(USDC, &transfer(ALICE, 9), &["/ usdc 9 us>alice"]);
    check(USDC, &from.abi_encode(), &["/ usdc 3 alice>mallory"]);
    check(USDC, &approve(MALLORY, n(4)), &["/ allow usdc 4 us:mallory"]);
    check(USDC, &approve(MALLORY, U256::MAX), &["/ allow usdc ALL us:mallory"]);
    check(USDC, &more.abi_encode(), &["/ allow usdc +3 us:mallory"]);
    check(USDC, &fewer.abi_encode(), &["/ reduce usdc 3 us:mallory"]);
}

#[test]
fn permits_in_transactions_allow() {
    let (owner, spender, r, s) = (ALICE, MALLORY, B256::ZERO, B256::ZERO);
    let eip2612 = permit::permit_0Call { owner, spender, value: n(5), deadline: n(9), v: 27, r, s };
    let bytes = permit::permit_1Call { owner, spender, value: n(5), deadline: n(9), signature: Bytes::new() };
    let dai = |allowed| {
        permit::permit_2Call { holder: owner, spender, nonce: n(0), expiry: n(9), allowed, v: 27, r, s }
            .abi_encode()
    };
    check(USDC, &eip2612.abi_encode(), &["/ allow usdc 5 alice:mallory"]);
    check(USDC, &bytes.abi_encode(), &["/ allow usdc 5 alice:mallory"]);
    check(USDC, &dai(true), &["/ allow usdc ALL alice:mallory"]);
    check(USDC, &dai(false), &["/ allow usdc 0 alice:mallory"]);
}

#[test]
fn eip3009_moves_and_cancels() {
    let moves = eip3009::transferWithAuthorization_1Call {
        from: ALICE,
        to: MALLORY,
        value: n(2),
        validAfter: n(0),
        validBefore: n(9),
        nonce: B256::ZERO,
        signature: Bytes::new(),
    };
    let cancels =
        eip3009::cancelAuthorization_1Call { authorizer: ALICE, nonce: B256::ZERO, signature: Bytes::new() };
    check(USDC, &moves.abi_encode(), &["/ usdc 2 alice>mallory"]);
    check(USDC, &cancels.abi_encode(), &["/ cancel alice"]);
}

#[test]
fn tokens_with_ids_move_and_are_allowed() {
    let (from, to, data) = (US, ALICE, Bytes::from_static(b"x"));
    let all = nft::setApprovalForAllCall { operator: MALLORY, approved: true }.abi_encode();
    let plain = nft::safeTransferFrom_0Call { from, to, id: n(8) };
    let with_data = nft::safeTransferFrom_1Call { from, to, id: n(8), data: data.clone() };
    let multi = nft::safeTransferFrom_2Call { from, to, id: n(8), amount: n(2), data: data.clone() };
    let batch = |ids: &[u64], amounts: &[u64]| {
        let list = |numbers: &[u64]| numbers.iter().copied().map(n).collect();
        let (ids, amounts, data) = (list(ids), list(amounts), data.clone());
        nft::safeBatchTransferFromCall { from, to, ids, amounts, data }.abi_encode()
    };
    check(PUNK, &plain.abi_encode(), &["/ punk #8 us>alice"]);
    check(PUNK, &with_data.abi_encode(), &["/ punk #8 us>alice"]);
    check(PUNK, &nft::transferFromCall { from, to, id: n(8) }.abi_encode(), &["/ punk #8 us>alice"]);
    check(PUNK, &approve(MALLORY, n(8)), &["/ allow punk #8 us:mallory"]);
    check(PUNK, &all, &["/ operator punk true us:mallory"]);
    check(ITEM, &all, &["/ operator item true us:mallory"]);
    check(ITEM, &multi.abi_encode(), &["/ item #8 2 us>alice"]);
    check(ITEM, &batch(&[1, 2], &[3, 4]), &["/ item #1 3 us>alice", "/ item #2 4 us>alice"]);
    check(ITEM, &batch(&[], &[]), &["/ nothing"]);
    check(ITEM, &batch(&[1], &[]), &["/ opaque item malformed_arguments"]);
}

#[test]
fn the_same_bytes_on_an_unknown_or_other_contract_are_opaque() {
    let all = nft::setApprovalForAllCall { operator: MALLORY, approved: true }.abi_encode();
    for (to, data, expected) in [
        (UNKNOWN, transfer(ALICE, 1), "/ opaque unknown ambiguous_contract"),
        (UNKNOWN, approve(ALICE, n(1)), "/ opaque unknown ambiguous_contract"),
        (UNKNOWN, all.clone(), "/ opaque unknown ambiguous_contract"),
        (UNKNOWN, vec![0xde, 0xad, 0xbe, 0xef], "/ opaque unknown unknown_selector"),
        (USDC, all, "/ opaque usdc ambiguous_contract"),
        (PUNK, transfer(ALICE, 1), "/ opaque punk ambiguous_contract"),
        (SAFE, transfer(ALICE, 1), "/ opaque safe ambiguous_contract"),
        (MULTISEND, transfer(ALICE, 1), "/ opaque multisend ambiguous_contract"),
    ] {
        check(to, &data, &[expected]);
    }
}

#[test]
fn permit2_allows_and_moves_registered_tokens() {
    let (owner, spender, signature) = (ALICE, MALLORY, Bytes::new());
    let details = |token| permit2::PermitDetails {
        token,
        amount: U160::MAX,
        expiration: Default::default(),
        nonce: Default::default(),
    };
    let single = permit2::permit_0Call {
        owner,
        permitSingle: permit2::PermitSingle { details: details(USDC), spender, sigDeadline: n(1) },
        signature: signature.clone(),
    };
    let batch = permit2::permit_1Call {
        owner,
        permitBatch: permit2::PermitBatch {
            details: vec![details(USDC), details(UNKNOWN)],
            spender,
            sigDeadline: n(1),
        },
        signature: signature.clone(),
    };
    let approve =
        permit2::approveCall { token: USDC, spender, amount: U160::from(7), expiration: Default::default() };
    let lock = permit2::lockdownCall { approvals: vec![permit2::TokenSpenderPair { token: USDC, spender }] };
    let moves = permit2::transferFrom_0Call { from: ALICE, to: MALLORY, amount: U160::from(3), token: USDC };
    let spend = permit2::permitTransferFrom_0Call {
        permit: permit2::PermitTransferFrom {
            permitted: permit2::TokenPermissions { token: USDC, amount: n(9) },
            nonce: n(0),
            deadline: n(0),
        },
        transferDetails: permit2::SignatureTransferDetails { to: MALLORY, requestedAmount: n(8) },
        owner,
        signature,
    };
    let uneven = permit2::permitTransferFrom_1Call {
        permit: permit2::PermitBatchTransferFrom {
            permitted: vec![permit2::TokenPermissions { token: USDC, amount: n(9) }],
            nonce: n(0),
            deadline: n(0),
        },
        transferDetails: vec![],
        owner,
        signature: Bytes::new(),
    };
    check(PERMIT2, &uneven.abi_encode(), &["/ opaque permit2 malformed_arguments"]);
    let void = permit2::invalidateUnorderedNoncesCall { wordPos: n(0), mask: n(1) };
    check(PERMIT2, &single.abi_encode(), &["/ allow usdc ALL alice:mallory"]);
    check(
        PERMIT2,
        &batch.abi_encode(),
        &[
            "/ allow usdc ALL alice:mallory",
            "/ allow unknown ALL alice:mallory",
            "/ opaque unknown ambiguous_contract",
        ],
    );
    check(PERMIT2, &approve.abi_encode(), &["/ allow usdc 7 us:mallory"]);
    check(PERMIT2, &lock.abi_encode(), &["/ reduce usdc ALL us:mallory"]);
    check(PERMIT2, &moves.abi_encode(), &["/ usdc 3 alice>mallory"]);
    check(PERMIT2, &spend.abi_encode(), &["/ usdc 8 alice>mallory"]);
    check(PERMIT2, &void.abi_encode(), &["/ cancel us"]);
    check(UNKNOWN, &spend.abi_encode(), &["/ opaque unknown ambiguous_contract"]);
}
