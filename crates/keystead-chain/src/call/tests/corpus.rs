//! Good calls and preimages, as seeds for spoiling.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall as _;
use keystead_intent::PERMIT2;

use super::{approve, exec, n, pack, transfer};
use crate::call::*;
use crate::fixture::{ALICE, GOVERNED, ITEM, MALLORY, MULTICALL, MULTISEND, PUNK, SAFE, US, USDC};

/// Calls of every family, nested ones among them.
pub(crate) fn calls() -> Vec<(Address, Vec<u8>)> {
    let (owner, spender, r, s) = (US, MALLORY, B256::ZERO, B256::ZERO);
    let permit =
        permit::permit_0Call { owner, spender, value: n(5), deadline: n(9), v: 27, r, s }.abi_encode();
    let batch = nft::safeBatchTransferFromCall {
        from: US,
        to: ALICE,
        ids: vec![n(1), n(2)],
        amounts: vec![n(3), n(4)],
        data: Bytes::from_static(b"data"),
    };
    let lists =
        vec![Bytes::from(transfer(ALICE, 1)), approve(MALLORY, U256::MAX).into(), permit.clone().into()];
    let own = multicall::multicall_0Call { data: lists }.abi_encode();
    let outward = vec![
        multicall::Call3Value {
            target: USDC,
            allowFailure: false,
            value: n(0),
            callData: own.clone().into(),
        },
        multicall::Call3Value { target: ALICE, allowFailure: true, value: n(1), callData: Bytes::new() },
    ];
    let packed = pack(&[
        (0, USDC, 0, own.clone()),
        (1, MALLORY, 0, vec![1, 2, 3, 4]),
        (0, SAFE, 0, safe::enableModuleCall { module: MALLORY }.abi_encode()),
    ]);
    let upgrade = proxy::upgradeToAndCallCall { implementation: MALLORY, data: Bytes::from_static(&[1; 36]) };
    vec![
        (USDC, transfer(ALICE, 1)),
        (USDC, approve(MALLORY, U256::MAX)),
        (USDC, permit),
        (USDC, own),
        (PUNK, nft::setApprovalForAllCall { operator: MALLORY, approved: true }.abi_encode()),
        (ITEM, batch.abi_encode()),
        (PERMIT2, permit2_batch()),
        (MULTICALL, multicall::aggregate3ValueCall { calls: outward }.abi_encode()),
        (SAFE, exec(MULTISEND, 0, &packed, 1, 0)),
        (SAFE, exec(USDC, 1, &transfer(ALICE, 1), 0, 1)),
        (MULTISEND, packed),
        (GOVERNED, upgrade.abi_encode()),
        (GOVERNED, access::grantRoleCall { role: r, account: MALLORY }.abi_encode()),
    ]
}

/// The selector of every known function.
pub(crate) fn selectors() -> Vec<[u8; 4]> {
    tables::EVERY.iter().flat_map(|table| table.iter()).map(|function| function.selector).collect()
}

fn permit2_batch() -> Vec<u8> {
    let detail = permit2::PermitDetails {
        token: USDC,
        amount: Default::default(),
        expiration: Default::default(),
        nonce: Default::default(),
    };
    let permit =
        permit2::PermitBatch { details: vec![detail.clone(), detail], spender: MALLORY, sigDeadline: n(1) };
    permit2::permit_1Call { owner: US, permitBatch: permit, signature: Bytes::from_static(&[7; 65]) }
        .abi_encode()
}
