//! Known structs: a document each, and exactly what a signature over it gives away.

use alloy_primitives::Address;
use alloy_sol_types::SolCall as _;
use keystead_base::{Amount, Coded as _};
use keystead_intent::{
    Action, Allowance, Asset, DangerClass, Effect, EffectKind, OpaqueReason, PERMIT2, TypedData,
};
use serde_json::{Value as Any, json};

use crate::fixture::{ALICE, CHAIN, MALLORY, SAFE, UNKNOWN, US, USDC, account, registry};
use crate::{BuildError, build, explain};

/// A document for one contract; `types` is the text of `encodeType`, because that is how people
/// and contracts write it.
fn document(contract: Address, types: &str, message: Any) -> Any {
    let mut structs = serde_json::Map::new();
    for one in types.split_inclusive(')') {
        let (name, fields) = one.trim_end_matches(')').split_once('(').unwrap();
        let fields = fields.split(',').filter(|field| !field.is_empty()).map(|field| {
            let (kind, name) = field.split_once(' ').unwrap();
            json!({"name": name, "type": kind})
        });
        structs.insert(name.to_owned(), Any::Array(fields.collect()));
    }
    let primary = types.split_once('(').unwrap().0;
    json!({
        "types": structs, "primaryType": primary,
        "domain": {"chainId": CHAIN.0, "verifyingContract": contract}, "message": message
    })
}

fn action(document: &Any) -> Action {
    Action::TypedData(TypedData { account: account(), chain: CHAIN, json: document.to_string() })
}

fn items(document: &Any) -> Vec<Effect> {
    explain(&build(&action(document), US).unwrap(), &registry()).items
}

fn kinds(document: &Any) -> Vec<EffectKind> {
    items(document).into_iter().map(|effect| effect.kind).collect()
}

fn allowance(owner: Address, amount: Amount, deadline: u64) -> EffectKind {
    EffectKind::Allowance(Allowance {
        token: USDC,
        owner,
        spender: MALLORY,
        amount,
        increase: false,
        deadline: Some(deadline.into()),
        by_signature: true,
    })
}

fn reason(kind: &EffectKind) -> Option<OpaqueReason> {
    match kind {
        EffectKind::Opaque { reason, .. } => Some(*reason),
        _ => None,
    }
}

const EIP2612: &str = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)";
const DAI: &str = "Permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed)";
const SINGLE: &str = "PermitSingle(PermitDetails details,address spender,uint256 sigDeadline)\
    PermitDetails(address token,uint160 amount,uint48 expiration,uint48 nonce)";
const SAFE_TX: &str = "SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,\
    uint256 baseGas,uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)";

fn eip2612(contract: Address) -> Any {
    let message = json!({"owner": US, "spender": MALLORY, "value": "5", "nonce": 0, "deadline": 9});
    document(contract, EIP2612, message)
}

fn safe_tx(contract: Address, to: Address, data: &str, operation: u8, gas_price: u8) -> Any {
    let message = json!({
        "to": to, "value": 0, "data": data, "operation": operation, "safeTxGas": 0, "baseGas": 0,
        "gasPrice": gas_price, "gasToken": Address::ZERO, "refundReceiver": Address::ZERO, "nonce": 0
    });
    document(contract, SAFE_TX, message)
}

#[test]
fn permits_by_signature_allow() {
    let dai = json!({"holder": US, "spender": MALLORY, "nonce": 0, "expiry": 9, "allowed": true});
    let single = json!({
        "details": {"token": USDC, "amount": "5", "expiration": 9, "nonce": 0},
        "spender": MALLORY, "sigDeadline": 1
    });
    assert_eq!(kinds(&eip2612(USDC)), [allowance(US, Amount::from(5_u64), 9)]);
    assert_eq!(kinds(&document(USDC, DAI, dai)), [allowance(US, Amount::MAX, 9)]);
    assert_eq!(kinds(&document(PERMIT2, SINGLE, single)), [allowance(US, Amount::from(5_u64), 9)]);
    assert_eq!(items(&eip2612(USDC))[0].contract, Some(USDC));
    assert_eq!(items(&eip2612(USDC))[0].selector, None);
}

#[test]
fn permit2_transfers_allow_with_and_without_a_witness() {
    let tail = "TokenPermissions(address token,uint256 amount)";
    let one = json!({"token": USDC, "amount": "5"});
    let message =
        |permitted: Any| json!({"permitted": permitted, "spender": MALLORY, "nonce": 0, "deadline": 9});
    let with_witness = |permitted: Any| {
        let mut message = message(permitted);
        message["witness"] = json!({"id": 1});
        message
    };
    let fields = "permitted,address spender,uint256 nonce,uint256 deadline";
    let expected = [allowance(US, Amount::from(5_u64), 9)];
    let twice = [expected[0].clone(), expected[0].clone()];
    let plain = format!("PermitTransferFrom(TokenPermissions {fields}){tail}");
    let batch = format!("PermitBatchTransferFrom(TokenPermissions[] {fields}){tail}");
    let witness =
        format!("PermitWitnessTransferFrom(TokenPermissions {fields},Order witness)Order(uint256 id){tail}");
    let batch_witness = format!(
        "PermitBatchWitnessTransferFrom(TokenPermissions[] {fields},Order witness)Order(uint256 id){tail}"
    );
    assert_eq!(kinds(&document(PERMIT2, &plain, message(one.clone()))), expected);
    let two = json!([one, one]);
    assert_eq!(kinds(&document(PERMIT2, &batch, message(two))), twice);
    assert_eq!(kinds(&document(PERMIT2, &batch, message(json!([])))), [EffectKind::NoValue]);
    assert_eq!(kinds(&document(PERMIT2, &witness, with_witness(one.clone()))), expected);
    assert_eq!(kinds(&document(PERMIT2, &batch_witness, with_witness(json!([one])))), expected);
}

#[test]
fn eip3009_by_signature_moves_and_cancels() {
    let fields = "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce";
    let nonce = format!("0x{}", "00".repeat(32));
    let message =
        json!({"from": US, "to": MALLORY, "value": 5, "validAfter": 0, "validBefore": 9, "nonce": nonce});
    let expected = [EffectKind::Transfer {
        asset: Asset::Token(USDC),
        from: US,
        to: MALLORY,
        amount: Amount::from(5_u64),
    }];
    for name in ["TransferWithAuthorization", "ReceiveWithAuthorization"] {
        assert_eq!(kinds(&document(USDC, &format!("{name}({fields})"), message.clone())), expected);
    }
    let cancel = json!({"authorizer": US, "nonce": nonce});
    let cancel = document(USDC, "CancelAuthorization(address authorizer,bytes32 nonce)", cancel);
    assert_eq!(kinds(&cancel), [EffectKind::Cancel { account: US }]);
}

#[test]
fn s09_a_safe_transaction_is_followed_and_a_delegatecall_is_its_own_class() {
    let transfer = crate::call::erc20::transferCall { to: ALICE, amount: alloy_primitives::U256::from(3) };
    let data = const_hex::encode_prefixed(transfer.abi_encode());
    let inner = EffectKind::Transfer {
        asset: Asset::Token(USDC),
        from: SAFE,
        to: ALICE,
        amount: Amount::from(3_u64),
    };
    let plain = items(&safe_tx(SAFE, USDC, &data, 0, 0));
    assert_eq!((plain.len(), &plain[0].kind, plain[0].path.as_slice()), (1, &inner, [0].as_slice()));

    let delegated = kinds(&safe_tx(SAFE, MALLORY, &data, 1, 0));
    assert_eq!(delegated, [EffectKind::DelegateCall { caller: SAFE, target: MALLORY }]);
    let refund = kinds(&safe_tx(SAFE, USDC, &data, 0, 1));
    assert_eq!(refund.iter().filter_map(reason).collect::<Vec<_>>(), [OpaqueReason::UnstatedAmount]);
    let unregistered = kinds(&safe_tx(UNKNOWN, MALLORY, &data, 1, 0));
    assert_eq!(reason(&unregistered[0]), Some(OpaqueReason::AmbiguousContract));
    assert_eq!(unregistered[1], EffectKind::DelegateCall { caller: UNKNOWN, target: MALLORY });
    let neither = kinds(&safe_tx(SAFE, USDC, &data, 2, 0));
    assert_eq!(neither.iter().filter_map(reason).collect::<Vec<_>>(), [OpaqueReason::UnknownTypedData]);
}

#[test]
fn look_alike_structs_and_contracts_are_opaque() {
    let extra = EIP2612.replace("uint256 deadline", "uint256 deadline,uint256 extra");
    let message =
        json!({"owner": US, "spender": MALLORY, "value": "5", "nonce": 0, "deadline": 9, "extra": 1});
    let swapped = EIP2612.replace("address owner,address spender", "address spender,address owner");
    let same = json!({"owner": US, "spender": MALLORY, "value": "5", "nonce": 0, "deadline": 9});
    let narrow = EIP2612.replace("uint256 value", "uint128 value");
    let fields = "permitted,address spender,uint256 nonce,uint256 deadline";
    let decoy = format!(
        "PermitWitnessTransferFrom(TokenPermissions {fields},XTokenPermissions witness)\
         TokenPermissions(uint256 amount,address token)XTokenPermissions(address token,uint256 amount)"
    );
    let two_words = format!(
        "PermitWitnessTransferFrom(TokenPermissions {fields},uint256 witness,uint256 more)\
         TokenPermissions(address token,uint256 amount)"
    );
    let one = json!({"token": USDC, "amount": "5"});
    let worded =
        json!({"permitted": one, "spender": MALLORY, "nonce": 0, "deadline": 9, "witness": 1, "more": 1});
    let decoyed = json!({"permitted": one, "spender": MALLORY, "nonce": 0, "deadline": 9, "witness": one});
    for (document, expected) in [
        (document(USDC, &extra, message), OpaqueReason::UnknownTypedData),
        (document(USDC, &swapped, same.clone()), OpaqueReason::UnknownTypedData),
        (document(USDC, &narrow, same), OpaqueReason::UnknownTypedData),
        (document(PERMIT2, &decoy, decoyed), OpaqueReason::UnknownTypedData),
        (document(PERMIT2, &two_words, worded), OpaqueReason::UnknownTypedData),
        (eip2612(UNKNOWN), OpaqueReason::AmbiguousContract),
        (eip2612(PERMIT2), OpaqueReason::AmbiguousContract),
        (document(USDC, "Vote(uint256 id)", json!({"id": 1})), OpaqueReason::UnknownTypedData),
    ] {
        let found = kinds(&document);
        assert_eq!(found.iter().map(reason).collect::<Vec<_>>(), [Some(expected)], "{document}");
    }
}

#[test]
fn a_known_struct_without_its_contract_is_opaque() {
    let mut document = eip2612(USDC);
    document["domain"] = json!({"chainId": CHAIN.0});
    assert_eq!(
        kinds(&document).iter().map(reason).collect::<Vec<_>>(),
        [Some(OpaqueReason::UnknownTypedData)]
    );
}

#[test]
fn s08_typed_data_names_the_configured_chain() {
    for (domain, code) in [
        (json!({"verifyingContract": USDC}), "build.no_chain_id"),
        (json!({"chainId": 2, "verifyingContract": USDC}), "build.wrong_chain"),
        (json!({"chainId": 0, "verifyingContract": USDC}), "build.wrong_chain"),
    ] {
        let mut document = eip2612(USDC);
        document["domain"] = domain;
        let found: Result<_, BuildError> = build(&action(&document), US);
        assert_eq!(found.unwrap_err().code(), code);
    }
}

#[test]
fn an_unlimited_permit_has_that_class() {
    let mut document = eip2612(USDC);
    document["message"]["value"] = json!(Amount::MAX.to_string());
    let effects = explain(&build(&action(&document), US).unwrap(), &registry());
    assert_eq!((effects.class(), effects.slot), (DangerClass::UnlimitedAllowance, None));
}
