//! EIP-2612: a signature that costs nothing gives everything away (S2, S9).
//!
//! September 2024: the owner of 12,083 spWETH, 32 million dollars, signed a permit that a thief had
//! prepared. There was no transaction to see, no gas to pay, and nothing in the history afterwards.
//!
//! The twin takes typed data for a text with more structure.

use alloy_primitives::{Address, B256, U256};
use keystead_decision::Controls;
use keystead_intent::{Action, TypedData};
use keystead_policy::PolicyVersion;
use serde_json::{Value, json};

use crate::Loot;
use crate::contracts::{COINS, permitCall, say, stock, take_coins};
use crate::fixture::{BIRTH, CHAIN, TOKEN};
use crate::theft::{THIEF, add_rule, signed};
use crate::world::{World, hot};

pub use crate::theft::TransactionsOnly as WithoutTypedData;

/// Plays it. The desk may sign in to sites with typed data.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::with_policy(controls, may_sign_in);
    stock(&mut world);
    let owner = world.account();
    let (id, outcome) = world.ask("desk", typed(&document(owner)));
    match signed(&mut world, &id, &outcome) {
        Ok(signed) => say(&mut world.chain, THIEF, TOKEN, &submission(owner, &signed.raw)),
        Err(refused) => return refused,
    };
    Loot::stolen(take_coins(&mut world.chain, owner), "units of the token")
}

/// A request to sign typed data.
pub(crate) fn typed(document: &Value) -> Action {
    Action::TypedData(TypedData { account: hot(), chain: CHAIN, json: document.to_string() })
}

/// Typed data without effects is a statement, and the desk may make some.
pub(crate) fn may_sign_in(policy: &mut PolicyVersion) {
    let rule = r#"permit(principal in Role::"desk", action == Action::"typed_data", resource == Key::"hot")
                  when { context.class == "statement" };"#;
    add_rule(policy, "sign-in", rule);
}

/// An hour after the desk's birth, in seconds.
pub(crate) fn deadline() -> u64 {
    BIRTH.plus_seconds(3600).seconds()
}

fn document(owner: Address) -> Value {
    let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
    json!({
        "types": {
            "EIP712Domain": [
                field("name", "string"), field("version", "string"),
                field("chainId", "uint256"), field("verifyingContract", "address"),
            ],
            "Permit": [
                field("owner", "address"), field("spender", "address"), field("value", "uint256"),
                field("nonce", "uint256"), field("deadline", "uint256"),
            ],
        },
        "primaryType": "Permit",
        "domain": { "name": "Coin", "version": "1", "chainId": CHAIN.0, "verifyingContract": TOKEN },
        "message": {
            "owner": owner, "spender": THIEF, "value": COINS.to_string(), "nonce": "0",
            "deadline": deadline().to_string(),
        },
    })
}

/// What the thief makes of 65 bytes r ‖ s ‖ v.
fn submission(owner: Address, signature: &[u8]) -> permitCall {
    permitCall {
        owner,
        spender: THIEF,
        value: U256::from(COINS),
        deadline: U256::from(deadline()),
        v: signature[64],
        r: B256::from_slice(&signature[..32]),
        s: B256::from_slice(&signature[32..64]),
    }
}
