//! Tables per family: the calldata, and exactly the effects that it has.

mod control;
pub(crate) mod corpus;
mod strictness;
mod tokens;

use alloy_primitives::{Bytes, U256, hex};
use alloy_sol_types::SolCall as _;
use keystead_intent::PERMIT2;

use super::*;
use crate::fixture::{
    ALICE, GOVERNED, ITEM, MALLORY, MULTICALL, MULTISEND, PUNK, SAFE, UNKNOWN, US, USDC, effects_of,
};

/// A call, and what stands in its effects: `path kind`, shortened by [`short`].
fn check(to: Address, data: &[u8], expected: &[&str]) {
    check_value(to, 0, data, expected);
}

fn check_value(to: Address, value: u64, data: &[u8], expected: &[&str]) {
    let found: Vec<String> = effects_of(to, value, data).items.iter().map(short).collect();
    assert_eq!(found, expected, "calldata {}", hex::encode(data));
}

fn short(effect: &Effect) -> String {
    let path: Vec<String> = effect.path.iter().map(u16::to_string).collect();
    let path = if path.is_empty() { "/".to_owned() } else { path.join("/") };
    format!("{path} {}", short_kind(&effect.kind))
}

fn short_kind(kind: &EffectKind) -> String {
    match kind {
        EffectKind::Transfer { asset: Asset::Native, from, to, amount } => {
            format!("coins {amount} {}>{}", who(*from), who(*to))
        }
        EffectKind::Transfer { asset: Asset::Token(token), from, to, amount } => {
            format!("{} {amount} {}>{}", who(*token), who(*from), who(*to))
        }
        EffectKind::NftTransfer { token, from, to, id } => {
            format!("{} #{id} {}>{}", who(*token), who(*from), who(*to))
        }
        EffectKind::MultiTokenTransfer { token, from, to, id, amount } => {
            format!("{} #{id} {amount} {}>{}", who(*token), who(*from), who(*to))
        }
        EffectKind::Allowance(it) => {
            let amount = if it.unlimited() { "ALL".to_owned() } else { it.amount.to_string() };
            let plus = if it.increase { "+" } else { "" };
            format!("allow {} {plus}{amount} {}:{}", who(it.token), who(it.owner), who(it.spender))
        }
        EffectKind::AllowanceReduction { token, owner, spender, amount } => {
            let amount = if *amount == Amount::MAX { "ALL".to_owned() } else { amount.to_string() };
            format!("reduce {} {amount} {}:{}", who(*token), who(*owner), who(*spender))
        }
        EffectKind::NftApproval { token, owner, spender, id } => {
            format!("allow {} #{id} {}:{}", who(*token), who(*owner), who(*spender))
        }
        EffectKind::OperatorApproval { token, owner, operator, approved } => {
            format!("operator {} {approved} {}:{}", who(*token), who(*owner), who(*operator))
        }
        EffectKind::Authority { change, target, subject } => {
            format!("{} {} {}", change.as_str(), who(*target), subject.map_or("-", who))
        }
        EffectKind::DelegateCall { caller, target } => {
            format!("delegatecall {}:{}", who(*caller), who(*target))
        }
        EffectKind::Cancel { account } => format!("cancel {}", who(*account)),
        EffectKind::NoValue => "nothing".to_owned(),
        EffectKind::Opaque { to, reason, .. } => {
            format!("opaque {} {}", to.map_or("-", who), reason.as_str())
        }
        EffectKind::BlindDigest { .. } => "blind".to_owned(),
        other => format!("{other:?}"),
    }
}

fn who(address: Address) -> &'static str {
    let names = [
        (US, "us"),
        (ALICE, "alice"),
        (MALLORY, "mallory"),
        (UNKNOWN, "unknown"),
        (USDC, "usdc"),
        (PUNK, "punk"),
        (ITEM, "item"),
        (SAFE, "safe"),
        (MULTISEND, "multisend"),
        (MULTICALL, "multicall"),
        (GOVERNED, "vault"),
        (PERMIT2, "permit2"),
        (Address::ZERO, "zero"),
    ];
    names.iter().find(|(known, _)| *known == address).map_or("?", |(_, name)| name)
}

fn n(number: u64) -> U256 {
    U256::from(number)
}

fn transfer(to: Address, amount: u64) -> Vec<u8> {
    erc20::transferCall { to, amount: n(amount) }.abi_encode()
}

fn approve(spender: Address, amount: U256) -> Vec<u8> {
    erc20::approveCall { spender, amount }.abi_encode()
}

fn exec(to: Address, value: u64, data: &[u8], operation: u8, gas_price: u64) -> Vec<u8> {
    safe::execTransactionCall {
        to,
        value: n(value),
        data: Bytes::copy_from_slice(data),
        operation,
        safeTxGas: n(0),
        baseGas: n(0),
        gasPrice: n(gas_price),
        gasToken: Address::ZERO,
        refundReceiver: Address::ZERO,
        signatures: Bytes::from_static(&[1; 65]),
    }
    .abi_encode()
}

fn pack(calls: &[(u8, Address, u64, Vec<u8>)]) -> Vec<u8> {
    let mut packed = Vec::new();
    for (operation, to, value, data) in calls {
        packed.push(*operation);
        packed.extend_from_slice(to.as_slice());
        packed.extend_from_slice(&n(*value).to_be_bytes::<32>());
        packed.extend_from_slice(&U256::from(data.len()).to_be_bytes::<32>());
        packed.extend_from_slice(data);
    }
    multisend::multiSendCall { transactions: packed.into() }.abi_encode()
}
