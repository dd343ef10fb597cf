//! Permit2: one old allowance makes every later signature a transfer (S2, S9).
//!
//! Since 2023 the kits that drainers sell look for wallets that once approved Permit2, as every user of
//! a large exchange front end has, and ask for one of its signatures: it moves the tokens by itself.
//!
//! The treasury approved Permit2 long ago. The thief's document permits all of it, once, to the thief.
//! The twin takes typed data for a text with more structure.

use alloy_primitives::{Address, Bytes, U256};
use keystead_decision::Controls;
use keystead_intent::PERMIT2;
use serde_json::{Value, json};

use super::permit::{deadline, may_sign_in, typed};
use crate::Loot;
use crate::contracts::{
    COINS, PermitTransferFrom, SignatureTransferDetails, TokenPermissions, approveCall, coins,
    permitTransferFromCall, place_permit2, say, stock,
};
use crate::fixture::{CHAIN, TOKEN};
use crate::theft::{THIEF, signed};
use crate::world::World;

pub use crate::theft::TransactionsOnly as WithoutTypedData;

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::with_policy(controls, may_sign_in);
    stock(&mut world);
    place_permit2(&mut world.chain);
    let owner = world.account();
    say(&mut world.chain, owner, TOKEN, &approveCall { spender: PERMIT2, amount: U256::MAX });
    let (id, outcome) = world.ask("desk", typed(&document()));
    match signed(&mut world, &id, &outcome) {
        Ok(signed) => say(&mut world.chain, THIEF, PERMIT2, &submission(owner, signed.raw)),
        Err(refused) => return refused,
    };
    Loot::stolen(coins(&world.chain, THIEF), "units of the token")
}

fn document() -> Value {
    let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
    json!({
        "types": {
            "EIP712Domain": [
                field("name", "string"), field("chainId", "uint256"), field("verifyingContract", "address"),
            ],
            "PermitTransferFrom": [
                field("permitted", "TokenPermissions"), field("spender", "address"),
                field("nonce", "uint256"), field("deadline", "uint256"),
            ],
            "TokenPermissions": [field("token", "address"), field("amount", "uint256")],
        },
        "primaryType": "PermitTransferFrom",
        "domain": { "name": "Permit2", "chainId": CHAIN.0, "verifyingContract": PERMIT2 },
        "message": {
            "permitted": { "token": TOKEN, "amount": COINS.to_string() },
            "spender": THIEF, "nonce": "0", "deadline": deadline().to_string(),
        },
    })
}

fn submission(owner: Address, signature: Bytes) -> permitTransferFromCall {
    let amount = U256::from(COINS);
    let permitted = TokenPermissions { token: TOKEN, amount };
    permitTransferFromCall {
        permit: PermitTransferFrom { permitted, nonce: U256::ZERO, deadline: U256::from(deadline()) },
        transferDetails: SignatureTransferDetails { to: THIEF, requestedAmount: amount },
        owner,
        signature,
    }
}
