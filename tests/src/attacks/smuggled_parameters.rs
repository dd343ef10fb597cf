//! One call that two programs read differently (S2).
//!
//! In front of the desk's wallet stands a proxy that lets partners draw one wei at a time, and nothing else. A partner
//! writes a call whose meaning depends on the reader: a key that occurs twice, a key or a number in another case, a
//! number that does not fit, two payloads, another chain. The proxy reads what it permits; the naive reader behind it
//! signs something else.
//!
//! The product reads such a call in no way at all. What policy allows bounds the loss in any case: here the partner is in
//! the address book, and one ether is inside the limits.

use alloy_primitives::{Address, Bytes, U256, hex};
use alloy_sol_types::SolCall as _;
use keystead_coordinator::outside::read_transaction;
use keystead_decision::Strict;
use keystead_intent::{AccountRef, Action, Asset, ChainId, ContractCall, GasTerms, Transfer};
use keystead_policy::AddressEntry;
use serde_json::Value;

use crate::Loot;
use crate::contracts::{COINS, coins, stock, transferCall};
use crate::fixture::{BIRTH, CHAIN, ETHER, TOKEN, name};
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
    /// `data` and `input`, which mean the same and say something else.
    TwoPayloads,
    /// A chain on which nothing is worth anything.
    OtherChain,
    /// A number that not everybody takes for one.
    OtherForm,
}

impl Trick {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::TwoValues,
        Self::OtherCase,
        Self::HugeNonce,
        Self::TwoPayloads,
        Self::OtherChain,
        Self::OtherForm,
    ];
}

/// The product's.
#[must_use]
pub fn strict() -> Reader {
    read_transaction
}

/// The naive reader: the last key counts, capitals do not, numbers have 64 bits, `input` is newer than `data`, and the
/// chain is the one that is configured.
#[must_use]
pub fn lenient() -> Reader {
    |text, account, chain, gas| {
        let object: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let fields = object.as_object().into_iter().flatten();
        let (mut amount, mut nonce, mut to, mut payload) =
            (U256::ZERO, gas.nonce, Address::ZERO, Bytes::new());
        // In the order of the alphabet, so that `input` comes behind `data`.
        for (key, value) in fields {
            let text = value.as_str().unwrap_or_default();
            match key.to_ascii_lowercase().as_str() {
                "value" => amount = amount.max(number(value)),
                "nonce" => nonce = number(value).wrapping_to(),
                "to" => to = text.parse().map_err(|_| "no address".to_owned())?,
                "data" | "input" => payload = text.parse().map_err(|_| "no bytes".to_owned())?,
                _ => {}
            }
        }
        let gas = GasTerms { nonce, ..gas };
        let (asset, amount) = (Asset::Native, keystead_base::Amount(amount));
        Ok(match payload.is_empty() {
            true => Action::Transfer(Transfer { account, chain, asset, to, amount, gas }),
            false => {
                Action::ContractCall(ContractCall { account, chain, to, value: amount, data: payload, gas })
            }
        })
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
    stock(&mut world);
    let call = trick.call(THIEF);
    assert!(proxy_permits(&call), "{call}");
    let Action::Transfer(like) = world.ether(THIEF, 1, 0) else { unreachable!("ether is transferred") };
    let action = match read(&call, like.account, CHAIN, like.gas) {
        Ok(action) => action,
        // Refused for another reason, it would be no answer to the trick.
        Err(error) if error.starts_with(trick.refusal()) => return Loot::refused("rpc.params"),
        Err(error) => return Loot::refused(error),
    };
    let (id, outcome) = world.ask("desk", action);
    if let Err(refused) = executed(&mut world, &id, &outcome) {
        return refused;
    }
    let (wei, coins) = (world.chain.balance(THIEF), coins(&world.chain, THIEF));
    Loot::stolen(wei.max(coins) - U256::from(1), "wei or coins that the proxy did not see")
}

impl Trick {
    /// How the refusal of this very trick begins.
    fn refusal(self) -> &'static str {
        match self {
            Self::TwoValues => "duplicate field `value`",
            Self::OtherCase => "unknown field `Value`",
            Self::HugeNonce => "18446744073709551616 is not below 2^64",
            Self::TwoPayloads => "`data` and `input` differ",
            Self::OtherChain => "`chainId` is 11155111",
            Self::OtherForm => "a quantity is `0x` and 1 to 64 digits",
        }
    }

    fn call(self, to: Address) -> String {
        let (one, much) = (r#""value":"0x1""#, format!("{ETHER:#x}"));
        let token = hex::encode_prefixed(TOKEN);
        let (few, many) = (transfer(to, 1), transfer(to, COINS / 2));
        let to = hex::encode_prefixed(to);
        match self {
            Self::TwoValues => format!(r#"{{"to":"{to}",{one},"value":"{much}"}}"#),
            Self::OtherCase => format!(r#"{{"to":"{to}",{one},"Value":"{much}"}}"#),
            Self::HugeNonce => format!(r#"{{"to":"{to}","value":"{much}","nonce":"0x10000000000000000"}}"#),
            Self::TwoPayloads => format!(r#"{{"to":"{token}","data":"{few}","input":"{many}"}}"#),
            Self::OtherChain => format!(r#"{{"to":"{to}","value":"{much}","chainId":"0xaa36a7"}}"#),
            Self::OtherForm => format!(r#"{{"to":"{to}","value":"{}"}}"#, much.to_uppercase()),
        }
    }
}

/// One wei or one coin, by what comes first; or a nonce, a chain or an amount with which no harm is done: no chain takes
/// the nonce, nobody pays for what is on the other chain, and what is no number is nothing.
fn proxy_permits(call: &str) -> bool {
    let first = |key: &str| {
        let (_, rest) = call.split_once(&format!("\"{key}\":\"0x"))?;
        U256::from_str_radix(rest.split_once('"')?.0, 16).ok()
    };
    let elsewhere = first("chainId").is_some_and(|chain| chain != U256::from(CHAIN.0));
    let few = call.contains(&format!(r#""data":"{}""#, transfer(THIEF, 1)));
    let little = first("value").map_or(!call.contains(TRANSFER), |value| value == U256::from(1));
    little || few || elsewhere || first("nonce").is_some_and(|nonce| nonce > U256::from(u64::MAX))
}

/// The selector of `transfer(address,uint256)`.
const TRANSFER: &str = "a9059cbb";

fn transfer(to: Address, amount: u64) -> String {
    hex::encode_prefixed(transferCall { to, amount: U256::from(amount) }.abi_encode())
}

fn number(value: &Value) -> U256 {
    let text = value.as_str().map(str::to_ascii_lowercase);
    let digits = text.as_deref().and_then(|text| text.strip_prefix("0x"));
    digits.and_then(|digits| U256::from_str_radix(digits, 16).ok()).unwrap_or_default()
}
