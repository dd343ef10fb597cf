//! Selectors, encodings and limits.

use alloy_primitives::{Bytes, U256, hex};
use alloy_sol_types::SolCall as _;
use keystead_intent::DangerClass;

use super::{check, n, pack, transfer};
use crate::call::*;
use crate::fixture::{ALICE, ITEM, MULTISEND, PUNK, US, USDC, effects_of};

#[test]
fn selectors_are_those_that_everybody_knows() {
    for (selector, expected) in [
        ("a9059cbb", "transfer(address,uint256)"),
        ("23b872dd", "transferFrom(address,address,uint256)"),
        ("095ea7b3", "approve(address,uint256)"),
        ("39509351", "increaseAllowance(address,uint256)"),
        ("a457c2d7", "decreaseAllowance(address,uint256)"),
        ("d505accf", "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"),
        ("9fd5a6cf", "permit(address,address,uint256,uint256,bytes)"),
        ("8fcbaf0c", "permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)"),
        ("42842e0e", "safeTransferFrom(address,address,uint256)"),
        ("b88d4fde", "safeTransferFrom(address,address,uint256,bytes)"),
        ("f242432a", "safeTransferFrom(address,address,uint256,uint256,bytes)"),
        ("2eb2c2d6", "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)"),
        ("a22cb465", "setApprovalForAll(address,bool)"),
        ("87517c45", "approve(address,address,uint160,uint48)"),
        ("2b67b570", "permit(address,((address,uint160,uint48,uint48),address,uint256),bytes)"),
        ("2a2d80d1", "permit(address,((address,uint160,uint48,uint48)[],address,uint256),bytes)"),
        ("36c78516", "transferFrom(address,address,uint160,address)"),
        ("0d58b1db", "transferFrom((address,address,uint160,address)[])"),
        ("cc53287f", "lockdown((address,address)[])"),
        ("65d9723c", "invalidateNonces(address,address,uint48)"),
        ("3ff9dcb1", "invalidateUnorderedNonces(uint256,uint256)"),
        ("252dba42", "aggregate((address,bytes)[])"),
        ("82ad56cb", "aggregate3((address,bool,bytes)[])"),
        ("174dea71", "aggregate3Value((address,bool,uint256,bytes)[])"),
        ("bce38bd7", "tryAggregate(bool,(address,bytes)[])"),
        ("ac9650d8", "multicall(bytes[])"),
        ("5ae401dc", "multicall(uint256,bytes[])"),
        ("8d80ff0a", "multiSend(bytes)"),
        ("468721a7", "execTransactionFromModule(address,uint256,bytes,uint8)"),
        ("d4d9bdcd", "approveHash(bytes32)"),
        ("0d582f13", "addOwnerWithThreshold(address,uint256)"),
        ("e318b52b", "swapOwner(address,address,address)"),
        ("e19a9dd9", "setGuard(address)"),
        ("3659cfe6", "upgradeTo(address)"),
        ("4f1ef286", "upgradeToAndCall(address,bytes)"),
        ("9623609d", "upgradeAndCall(address,address,bytes)"),
        ("f2fde38b", "transferOwnership(address)"),
        ("2f2ff15d", "grantRole(bytes32,address)"),
    ] {
        let bytes: [u8; 4] = hex::decode(selector).unwrap().try_into().unwrap();
        assert_eq!(signature(bytes), Some(expected), "{selector}");
    }
    let exec = tables::find(&[safe::TABLE], [0x6a, 0x76, 0x12, 0x02]).unwrap();
    assert!(exec.signature.starts_with("execTransaction("));
    let setup = tables::find(&[safe::TABLE], [0xb6, 0x3e, 0x80, 0x0d]).unwrap();
    assert!(setup.signature.starts_with("setup("));
    for bytes in [
        [0x30, 0xf2, 0x8b, 0x7a],
        [0xed, 0xd9, 0x44, 0x4b],
        [0x13, 0x7c, 0x29, 0xfe],
        [0xfe, 0x8e, 0xc1, 0xa7],
    ] {
        assert!(signature(bytes).unwrap().contains("TransferFrom("));
    }
    for bytes in [[0xe3, 0xee, 0x16, 0x0e], [0xef, 0x55, 0xbe, 0xc6], [0x5a, 0x04, 0x9a, 0x70]] {
        assert!(signature(bytes).unwrap().contains("Authorization("));
    }
}

#[test]
fn what_is_not_the_canonical_encoding_is_malformed() {
    let good = transfer(ALICE, 1);
    let mut dirty = good.clone();
    dirty[4] = 1;
    let longer = [good.as_slice(), &[0]].concat();
    let suffixed = [good.as_slice(), &[0; 32]].concat();
    for bad in [dirty, longer, suffixed, good[..67].to_vec(), good[..4].to_vec()] {
        check(USDC, &bad, &["/ opaque usdc malformed_arguments"]);
    }
    let all = nft::setApprovalForAllCall { operator: ALICE, approved: true }.abi_encode();
    let mut two = all;
    *two.last_mut().unwrap() = 2;
    check(PUNK, &two, &["/ opaque punk malformed_arguments"]);
}

/// `multicall(bytes[])` whose elements all point at one tail: small bytes, large meaning.
#[test]
fn shared_tails_are_malformed() {
    let inner = transfer(ALICE, 1);
    let mut data = multicall::multicall_0Call { data: vec![inner.clone().into(), inner.into()] }.abi_encode();
    let first: Vec<u8> = data[68..100].to_vec();
    data[100..132].copy_from_slice(&first);
    check(USDC, &data, &["/ opaque usdc malformed_arguments"]);
}

#[test]
fn nesting_and_numbers_have_named_limits() {
    let mut data = transfer(ALICE, 1);
    for _ in 0..=MAX_CALL_DEPTH {
        data = multicall::multicall_0Call { data: vec![data.into()] }.abi_encode();
    }
    let deep = effects_of(USDC, 0, &data);
    assert_eq!(deep.class(), DangerClass::Opaque);
    assert_eq!(deep.items.len(), 1);

    let many = vec![Bytes::from(transfer(ALICE, 1)); MAX_CALLS + 44];
    let wide = effects_of(USDC, 0, &multicall::multicall_0Call { data: many }.abi_encode());
    assert_eq!(wide.class(), DangerClass::Opaque);
    assert_eq!(wide.items.iter().filter(|it| it.class() == DangerClass::Transfer).count(), MAX_CALLS - 1);

    let mut nested = vec![(0, USDC, 0, transfer(ALICE, 1))];
    for _ in 0..200 {
        nested = vec![(1, MULTISEND, 0, pack(&nested))];
    }
    assert_eq!(effects_of(MULTISEND, 0, &pack(&nested)).class(), DangerClass::Opaque);

    let ids: Vec<U256> = (0..=MAX_EFFECTS as u64).map(n).collect();
    let batch =
        nft::safeBatchTransferFromCall { from: US, to: ALICE, amounts: ids.clone(), ids, data: Bytes::new() };
    let long = effects_of(ITEM, 0, &batch.abi_encode());
    assert_eq!((long.items.len(), long.class()), (MAX_EFFECTS + 1, DangerClass::Opaque));
}
