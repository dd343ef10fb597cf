//! Tokens whose events do not say everything: wrapped coins, and one that keeps a fee.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::OnceLock;

use alloy_primitives::{Address, Bytes, U256, hex};
use alloy_sol_types::{SolCall as _, sol};
use keystead_intent::{Action, ContractCall, DangerClass};
use keystead_policy::{PolicyVersion, QuorumRow, Rule, Tolerance};
use serde_json::json;

use crate::chainside::{asked, calls, fund};
use crate::fixture::{CHAIN, ETHER, TOKEN, name};
use crate::world::{gas, hot};
use crate::{Contract, compile};

sol! {
    function mint(address to, uint256 value);
    function transfer(address to, uint256 value);
    function withdraw(uint256 wad);
}

/// Puts one of them at [`TOKEN`], with coins of its own, and gives `account` a thousand.
///
/// # Panics
///
/// When anvil does not take it.
pub async fn furnish_odd(anvil: SocketAddr, account: Address, contract: &str) {
    let code: Bytes = hex::decode(&ours()[contract].runtime_code).expect("hex").into();
    asked(anvil, "anvil_setCode", json!([TOKEN, code])).await;
    fund(anvil, TOKEN, ETHER).await;
    fund(anvil, MINTER, ETHER).await;
    say(anvil, mintCall { to: account, value: U256::from(HELD) }.abi_encode()).await;
}

/// The minter pays so many to an account.
pub async fn pays_odd(anvil: SocketAddr, to: Address, value: u64) {
    say(anvil, mintCall { to: MINTER, value: U256::from(value) }.abi_encode()).await;
    say(anvil, transferCall { to, value: U256::from(value) }.abi_encode()).await;
}

async fn say(anvil: SocketAddr, input: Vec<u8>) {
    calls(anvil, MINTER, json!({"to": TOKEN, "input": Bytes::from(input)})).await;
}

/// The first account of `hot` unwraps so many coins.
#[must_use]
pub fn unwraps(wad: u64, nonce: u64) -> Action {
    Action::ContractCall(ContractCall {
        account: hot(),
        chain: CHAIN,
        to: TOKEN,
        value: 0_u64.into(),
        data: withdrawCall { wad: U256::from(wad) }.abi_encode().into(),
        gas: gas(nonce),
    })
}

/// Policy lets the desk unwrap, although nobody reads what that does.
pub fn may_unwrap(policy: &mut PolicyVersion) {
    let call = format!("{TOKEN:#x}/{}", hex::encode_prefixed(withdrawCall::SELECTOR));
    let cedar = format!(
        "@opaque(\"{call}\") permit(principal in Role::\"desk\", action == Action::\"contract_call\", \
         resource == Key::\"hot\");"
    );
    policy.rules.push(Rule { id: name("unwraps"), cedar });
    let row = policy.quorums.iter().find(|row| row.id == name("anything-small")).expect("a row");
    let classes = vec![DangerClass::Opaque];
    policy.quorums.push(QuorumRow { id: name("unwraps"), classes, ..row.clone() });
}

/// Two in a hundred of what moves may be missing.
pub fn tolerant(policy: &mut PolicyVersion) {
    let asset = keystead_intent::Asset::Token(TOKEN);
    policy.tolerances = vec![Tolerance { chain: CHAIN, asset, flow_bps: 200, hold_bps: 0 }];
}

fn ours() -> &'static BTreeMap<String, Contract> {
    static COMPILED: OnceLock<BTreeMap<String, Contract>> = OnceLock::new();
    COMPILED.get_or_init(|| compile(SOURCE))
}

/// What an account is given.
const HELD: u64 = 1_000;
/// Who mints.
const MINTER: Address = Address::repeat_byte(0x3c);

const SOURCE: &str = r#"
// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

contract Held {
    mapping(address => uint256) public balanceOf;

    event Transfer(address indexed from, address indexed to, uint256 value);

    function mint(address to, uint256 value) external {
        balanceOf[to] += value;
        emit Transfer(address(0), to, value);
    }
}

// Burns by an event of its own, as WETH9 does.
contract Wrapped is Held {
    event Withdrawal(address indexed src, uint256 wad);

    function withdraw(uint256 wad) external {
        balanceOf[msg.sender] -= wad;
        payable(msg.sender).transfer(wad);
        emit Withdrawal(msg.sender, wad);
    }
}

// Keeps two in a hundred of whatever moves, and does not say so.
contract Taxed is Held {
    function transfer(address to, uint256 value) external returns (bool) {
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value - value / 50;
        emit Transfer(msg.sender, to, value);
        return true;
    }
}
"#;
