//! Transactions of NEAR's under rules, limits and the address book that were made for other chains.

use keystead_intent::AssetEntry;
use keystead_near::{AccountId, Action, Draft, Network, Subject, Unsigned};
use keystead_quantum::{QuantumKey, Scheme};

use super::*;
use crate::fixture::{Ask, name, rule, verdict, version, window};
use crate::{AddressEntry, Engine, Measure, PolicyVersion};

const NETWORK: Network = Network::Testnet;
const NEAR: u128 = 1_000_000_000_000_000_000_000_000;
/// What is counted for the gas of a transaction with one action that calls nothing.
const FEE: u128 = 30_000_000_000_000 * 1_000_000_000;

fn account(text: &str) -> AccountId {
    text.parse().unwrap()
}

fn engine() -> Engine {
    Engine::compile(listing().into_canonical()).unwrap()
}

/// A NEAR and a hundred base units of a token a day, to one payee.
fn listing() -> PolicyVersion {
    let mut version = version();
    let (chain, token) = (NETWORK.chain(), Asset::Token(account("usdc.testnet").id(NETWORK)));
    version.chains.push(chain);
    let (address, usable_from) = (account("payee.testnet").id(NETWORK), Default::default());
    version.address_book.push(AddressEntry { chain, address, name: name("payee"), usable_from });
    for (asset, symbol, decimals) in [(Asset::Native, "NEAR", 24), (token, "USDC", 6)] {
        let kind = keystead_intent::AssetKind::Fungible;
        version.assets.push(AssetEntry { chain, asset, symbol: symbol.to_owned(), decimals, kind });
    }
    for (id, asset, limit) in [("near", Asset::Native, NEAR), ("tokens-there", token, 100)] {
        let measure = Measure::Asset { chain, asset };
        version.windows.push(window(id, vec![name("hot")], measure, &[], limit.into()));
    }
    version
}

fn said(engine: &Engine, receiver: &str, actions: Vec<Action>) -> String {
    let key = QuantumKey::from_seed(Scheme::MlDsa65, &[7; 32]).unwrap().public().clone();
    let (signer, receiver) = (account("us.testnet"), account(receiver));
    let draft = Draft { signer, key, nonce: 1, receiver, block: [9; 32], actions };
    let unsigned = Unsigned::of_any_key(NETWORK, &draft.to_bytes().unwrap()).unwrap();
    let ask = Ask::new("hot", Vec::new()).with(|it| {
        it.action = ActionKind::Near;
        it.effects = unsigned.effects(engine.registry());
    });
    let facts = crate::Facts { account: Some(unsigned.signer()), ..ask.facts() };
    verdict(&engine.decide(&ask.question(&facts))).join(", ")
}

fn pay(deposit: u128) -> Action {
    Action::Transfer { deposit }
}

fn call(method: &str, args: &str, gas: u64, deposit: u128) -> Action {
    Action::FunctionCall { method: method.to_owned(), args: args.as_bytes().to_vec(), gas, deposit }
}

fn tokens(amount: u64) -> Action {
    call("ft_transfer", &format!(r#"{{"receiver_id":"payee.testnet","amount":"{amount}"}}"#), 0, 1)
}

/// INVARIANT S10: to the yoctoNEAR, what is counted for gas with it.
#[test]
fn s10_yocto_near_and_base_units_count_to_one() {
    let engine = engine();
    let (more, too_large) = (20_000_000_000_000 * 1_000_000_000, "deny.amount_too_large");
    for (receiver, actions, expected) in [
        ("payee.testnet", vec![pay(NEAR - FEE)], "pass 0"),
        ("payee.testnet", vec![pay(NEAR - FEE + 1)], too_large),
        ("payee.testnet", vec![pay(NEAR / 2), pay(NEAR / 2 - FEE - more)], "pass 0"),
        ("payee.testnet", vec![pay(NEAR / 2), pay(NEAR / 2 - FEE - more + 1)], too_large),
        ("usdc.testnet", vec![tokens(100)], "pass 0"),
        ("usdc.testnet", vec![tokens(101)], too_large),
        ("us.testnet", vec![pay(5 * NEAR)], "pass 0"),
    ] {
        assert_eq!(said(&engine, receiver, actions.clone()), expected, "{actions:?}");
    }
}

/// INVARIANT S9, S12: neither a stranger nor control of an account nor an unknown call passes as a payment.
#[test]
fn s09_what_is_more_than_a_payment_to_somebody_known_does_not_pass_as_one() {
    let engine = engine();
    assert_eq!(said(&engine, "stranger.testnet", vec![pay(1)]), "deny.destination_unknown");
    let stranger = r#"{"receiver_id":"stranger.testnet","amount":"1"}"#;
    assert_eq!(
        said(&engine, "usdc.testnet", vec![call("ft_transfer", stranger, 0, 1)]),
        "deny.destination_unknown"
    );
    let key = keystead_near::PublicKey::Ed25519([6; 32]);
    let permission = keystead_near::Permission::FullAccess;
    for action in [
        call("ft_transfer_call", stranger, 0, 1),
        call("ft_transfer", "{}", 0, 1),
        tokens(1),
        Action::AddKey { key: key.clone(), nonce: 0, permission },
        Action::DeleteKey { key: key.clone() },
        Action::Stake { stake: 1, key },
        Action::CreateAccount,
        Action::DeployContract { code: vec![0] },
        Action::DeleteAccount { beneficiary: account("us.testnet") },
    ] {
        for actions in [vec![pay(1), action.clone()], vec![action.clone(), pay(1)]] {
            let said = said(&engine, "payee.testnet", actions);
            assert!(said.starts_with("deny."), "{said} for {action:?}");
        }
    }
}

/// INVARIANT S12: under a rule that lets keys and code change, the address book says whose and which.
#[test]
fn s12_a_key_or_code_that_comes_stands_in_the_address_book_or_is_a_strangers() {
    let cedar = r#"permit(principal in Role::"trader", action == Action::"near", resource == Key::"hot")
                   when { context.class == "authority" };"#;
    let under = |listed: Option<Subject>| {
        let mut version = listing();
        version.rules.push(rule("governs-near", cedar));
        let (chain, usable_from) = (NETWORK.chain(), Default::default());
        version.address_book.extend(listed.map(|it| {
            let address = it.id(NETWORK);
            AddressEntry { chain, address, name: name("known"), usable_from }
        }));
        Engine::compile(version.into_canonical()).unwrap()
    };
    let key = keystead_near::PublicKey::Ed25519([6; 32]);
    let permission = keystead_near::Permission::FullAccess;
    let code = "code:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".parse().unwrap();
    for (action, subject) in [
        (Action::AddKey { key: key.clone(), nonce: 0, permission }, Subject::of_key(&key)),
        (Action::DeployContract { code: Vec::new() }, code),
    ] {
        let unknown = |engine: &Engine| {
            said(engine, "us.testnet", vec![action.clone()]).contains("deny.destination_unknown")
        };
        assert!(unknown(&under(None)), "a stranger: {action:?}");
        assert!(!unknown(&under(Some(subject))), "somebody known: {action:?}");
    }
}

/// A coin that the registry does not list has its chain's decimals.
#[test]
fn s10_a_near_that_nobody_listed_is_not_taken_for_ether() {
    let micro =
        |amount: u128| in_micro(&AssetIndex::default(), NETWORK.chain(), Asset::Native, amount.into());
    assert_eq!((micro(NEAR), micro(1)), (U256::from(1_000_000), U256::from(1)));
}
