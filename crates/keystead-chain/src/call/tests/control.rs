//! Lists of calls, Safes, proxies and owners: who acts, and who commands.

use alloy_primitives::Bytes;
use alloy_sol_types::SolCall as _;
use keystead_intent::DangerClass;

use super::{approve, check, check_value, exec, n, pack, short, transfer};
use crate::call::*;
use crate::fixture::{ALICE, GOVERNED, MALLORY, MULTICALL, MULTISEND, SAFE, UNKNOWN, US, USDC, effects_of};

#[test]
fn multicall_to_itself_keeps_the_sender_and_aggregate_does_not() {
    let data = vec![transfer(ALICE, 1).into(), approve(MALLORY, n(2)).into()];
    let own = multicall::multicall_0Call { data: data.clone() }.abi_encode();
    let by_deadline = multicall::multicall_1Call { deadline: n(1), data }.abi_encode();
    let expected = ["0 usdc 1 us>alice", "1 allow usdc 2 us:mallory"];
    check(USDC, &own, &expected);
    check(USDC, &by_deadline, &expected);
    check_value(USDC, 3, &own, &["/ coins 3 us>usdc", expected[0], expected[1]]);

    let calls = vec![
        multicall::Call { target: USDC, callData: transfer(ALICE, 1).into() },
        multicall::Call { target: UNKNOWN, callData: transfer(ALICE, 1).into() },
    ];
    let outward = multicall::aggregateCall { calls }.abi_encode();
    check(MULTICALL, &outward, &["0 usdc 1 multicall>alice", "1 opaque unknown ambiguous_contract"]);
    let paid =
        multicall::Call3Value { target: ALICE, allowFailure: true, value: n(4), callData: Bytes::new() };
    let paid = multicall::aggregate3ValueCall { calls: vec![paid] }.abi_encode();
    check_value(MULTICALL, 4, &paid, &["/ coins 4 us>multicall", "0 coins 4 multicall>alice"]);
}

#[test]
fn s09_what_a_safe_executes_comes_from_the_safe() {
    check(SAFE, &exec(USDC, 2, &transfer(ALICE, 1), 0, 0), &["0 coins 2 safe>usdc", "0 usdc 1 safe>alice"]);
    check(SAFE, &exec(MALLORY, 0, &transfer(ALICE, 0), 1, 0), &["0 delegatecall safe:mallory"]);
    check(SAFE, &exec(ALICE, 2, &[], 2, 0), &["/ opaque safe malformed_arguments"]);
    check(SAFE, &exec(ALICE, 2, &[], 0, 1), &["0 coins 2 safe>alice", "/ opaque zero unstated_amount"]);
    let expected = ["/ opaque unknown ambiguous_contract", "0 delegatecall unknown:mallory"];
    check(UNKNOWN, &exec(MALLORY, 0, &transfer(ALICE, 0), 1, 0), &expected);
    assert_eq!(effects_of(SAFE, 0, &exec(MALLORY, 0, &[], 1, 0)).class(), DangerClass::DelegateCall);
    let module =
        safe::execTransactionFromModuleCall { to: ALICE, value: n(1), data: Bytes::new(), operation: 0 };
    check(SAFE, &module.abi_encode(), &["0 coins 1 safe>alice"]);
}

#[test]
fn s09_one_bad_call_among_eight_is_seen_with_its_index() {
    let mut calls: Vec<_> = (0..8).map(|_| (0, USDC, 0, transfer(ALICE, 1))).collect();
    calls[5] = (0, SAFE, 0, safe::enableModuleCall { module: MALLORY }.abi_encode());
    let effects = effects_of(SAFE, 0, &exec(MULTISEND, 0, &pack(&calls), 1, 0));
    let found: Vec<String> = effects.items.iter().map(short).collect();
    assert_eq!(found[0], "0 delegatecall safe:multisend");
    assert_eq!(found[1], "0/0 usdc 1 safe>alice");
    assert_eq!(found[6], "0/5 module safe mallory");
    assert_eq!(found.len(), 9);
}

#[test]
fn multisend_runs_as_whoever_runs_its_code() {
    let calls = [(0, USDC, 0, transfer(ALICE, 1)), (1, MALLORY, 0, vec![1]), (0, Address::ZERO, 6, vec![])];
    let packed = pack(&calls);
    check(
        SAFE,
        &exec(MULTISEND, 0, &packed, 1, 0),
        &[
            "0 delegatecall safe:multisend",
            "0/0 usdc 1 safe>alice",
            "0/1 delegatecall safe:mallory",
            "0/2 coins 6 safe>zero",
            "0/2 coins 6 safe>safe",
        ],
    );
    check(MULTISEND, &packed[..4], &["/ opaque multisend malformed_arguments"]);
    check(MULTISEND, &pack(&calls[..1]), &["0 usdc 1 multisend>alice"]);
    check(MULTISEND, &pack(&[]), &["/ nothing"]);
    let late = [(0, USDC, 0, transfer(ALICE, 1)), (2, ALICE, 1, vec![])];
    check(MULTISEND, &pack(&late), &["/ opaque multisend malformed_arguments"]);
    let ragged = multisend::multiSendCall { transactions: Bytes::from_static(&[0; 84]) };
    check(MULTISEND, &ragged.abi_encode(), &["/ opaque multisend malformed_arguments"]);
}

#[test]
fn s09_changes_of_a_safe_are_changes_of_control() {
    let owner = safe::addOwnerWithThresholdCall { owner: MALLORY, threshold: n(1) }.abi_encode();
    let swap = safe::swapOwnerCall { prevOwner: US, oldOwner: ALICE, newOwner: MALLORY }.abi_encode();
    check(SAFE, &exec(SAFE, 0, &owner, 0, 0), &["0 owner safe mallory"]);
    check(SAFE, &swap, &["/ owner safe alice", "/ owner safe mallory"]);
    check(SAFE, &safe::changeThresholdCall { threshold: n(1) }.abi_encode(), &["/ owner safe -"]);
    check(SAFE, &safe::setGuardCall { guard: Address::ZERO }.abi_encode(), &["/ guard safe zero"]);
    check(SAFE, &safe::approveHashCall { hash: B256::ZERO }.abi_encode(), &["/ blind"]);
    check(UNKNOWN, &owner, &["/ opaque unknown ambiguous_contract", "/ owner unknown mallory"]);
    let setup = safe::setupCall {
        owners: vec![ALICE],
        threshold: n(1),
        to: MALLORY,
        data: Bytes::new(),
        fallbackHandler: Address::ZERO,
        paymentToken: USDC,
        payment: n(5),
        paymentReceiver: MALLORY,
    };
    let expected =
        ["/ owner safe alice", "/ guard safe zero", "0 delegatecall safe:mallory", "/ usdc 5 safe>mallory"];
    check(SAFE, &setup.abi_encode(), &expected);
}

#[test]
fn s09_upgrades_owners_roles_and_switches_are_changes_of_control() {
    let with_call =
        proxy::upgradeToAndCallCall { implementation: MALLORY, data: Bytes::from_static(&[1, 2, 3, 4]) };
    let through = proxy::upgradeAndCallCall { proxy: USDC, implementation: MALLORY, data: Bytes::new() };
    for (data, expected) in [
        (proxy::upgradeToCall { implementation: MALLORY }.abi_encode(), vec!["/ upgrade vault mallory"]),
        (with_call.abi_encode(), vec!["/ upgrade vault mallory", "0 delegatecall vault:mallory"]),
        (through.abi_encode(), vec!["/ upgrade usdc mallory"]),
        (proxy::changeAdminCall { admin: MALLORY }.abi_encode(), vec!["/ owner vault mallory"]),
        (access::transferOwnershipCall { account: MALLORY }.abi_encode(), vec!["/ owner vault mallory"]),
        (access::renounceOwnershipCall {}.abi_encode(), vec!["/ owner vault us"]),
        (
            access::grantRoleCall { role: B256::ZERO, account: MALLORY }.abi_encode(),
            vec!["/ role vault mallory"],
        ),
        (
            access::configureMinterCall { account: MALLORY, allowance: n(1) }.abi_encode(),
            vec!["/ role vault mallory"],
        ),
        (access::pauseCall {}.abi_encode(), vec!["/ switch vault us"]),
    ] {
        check(GOVERNED, &data, &expected);
    }
    let paid =
        proxy::upgradeAndCallCall { proxy: USDC, implementation: MALLORY, data: Bytes::from_static(&[1]) };
    let expected = [
        "/ coins 5 us>vault",
        "/ upgrade usdc mallory",
        "0 coins 5 vault>usdc",
        "0 delegatecall usdc:mallory",
    ];
    check_value(GOVERNED, 5, &paid.abi_encode(), &expected);
}
