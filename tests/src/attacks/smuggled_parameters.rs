//! One call that two programs read differently (S2).
//!
//! In front of the desk's wallet stands a proxy that lets partners draw one wei at a time, and nothing else. A partner
//! writes a call whose meaning depends on the reader: a key that occurs twice, a key in another case, a
//! number that does not fit. The proxy reads what it permits; the naive reader behind it signs something else.
//!
//! The product reads such a call in no way at all. What policy allows bounds the loss in any case: here the partner is in
//! the address book, and one ether is inside the limits.

use alloy_primitives::{Address, U256, hex};
use keystead_coordinator::outside::read_transaction;
use keystead_decision::Strict;
use keystead_intent::{AccountRef, Action, Asset, ChainId, GasTerms, Transfer};
use keystead_policy::AddressEntry;
use serde_json::Value;

use crate::Loot;
use crate::fixture::{BIRTH, CHAIN, ETHER, name};
use crate::theft::{THIEF, executed};
use crate::world::World;

/// From a transaction object to the action that it means.
pub type Reader = fn(&str, AccountRef, ChainId, GasTerms) -> Result<Action, String>;

/// How the second meaning is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trick {
    /// The same key, once more.
    TwoValues,
    /// The same key with a capital letter.
    OtherCase,
    /// A nonce that nobody could ever use, of whose bits only the lower ones are taken.
    HugeNonce,
}

/// The product's.
#[must_use]
pub fn strict() -> Reader {
    read_transaction
}

/// The naive reader: the last key counts, capitals do not, and numbers have 64 bits.
#[must_use]
pub fn lenient() -> Reader {
    |text, account, chain, gas| {
        let object: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let fields = object.as_object().into_iter().flatten();
        let (mut amount, mut nonce) = (U256::ZERO, gas.nonce);
        for (key, value) in fields {
            match key.to_ascii_lowercase().as_str() {
                "value" => amount = amount.max(number(value)),
                "nonce" => nonce = number(value).wrapping_to(),
                _ => {}
            }
        }
        let gas = GasTerms { nonce, ..gas };
        let (asset, amount) = (Asset::Native, keystead_base::Amount(amount));
        Ok(Action::Transfer(Transfer { account, chain, asset, to: THIEF, amount, gas }))
    }
}

/// Plays it.
pub fn attack(read: Reader, trick: Trick) -> Loot {
    let mut world = World::with_policy(Strict::default(), |policy| {
        let partner =
            AddressEntry { chain: CHAIN, address: THIEF, name: name("partner"), usable_from: BIRTH };
        policy.address_book.push(partner);
        policy.address_book.sort_by_key(|entry| (entry.chain, entry.address));
    });
    let call = trick.call(THIEF);
    assert!(proxy_permits(&call), "{call}");
    let Action::Transfer(like) = world.ether(THIEF, 1, 0) else { unreachable!("ether is transferred") };
    let action = match read(&call, like.account, CHAIN, like.gas) {
        Ok(action) => action,
        Err(_) => return Loot::refused("rpc.params"),
    };
    let (id, outcome) = world.ask("desk", action);
    match executed(&mut world, &id, &outcome) {
        Ok(_) => Loot::stolen(world.chain.balance(THIEF) - U256::from(1), "wei that the proxy did not see"),
        Err(refused) => refused,
    }
}

impl Trick {
    fn call(self, to: Address) -> String {
        let (one, much) = (r#""value":"0x1""#, format!("{ETHER:#x}"));
        let to = hex::encode_prefixed(to);
        match self {
            Self::TwoValues => format!(r#"{{"to":"{to}",{one},"value":"{much}"}}"#),
            Self::OtherCase => format!(r#"{{"to":"{to}",{one},"Value":"{much}"}}"#),
            Self::HugeNonce => format!(r#"{{"to":"{to}","value":"{much}","nonce":"0x10000000000000000"}}"#),
        }
    }
}

/// One wei, by the first `value`; or a nonce that no chain takes, which does no harm.
fn proxy_permits(call: &str) -> bool {
    let first = |key: &str| {
        let (_, rest) = call.split_once(&format!("\"{key}\":\"0x"))?;
        U256::from_str_radix(rest.split_once('"')?.0, 16).ok()
    };
    first("value") == Some(U256::from(1)) || first("nonce").is_some_and(|nonce| nonce > U256::from(u64::MAX))
}

fn number(value: &Value) -> U256 {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    digits.and_then(|digits| U256::from_str_radix(digits, 16).ok()).unwrap_or_default()
}
