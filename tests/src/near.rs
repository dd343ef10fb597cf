//! Transactions of NEAR's, a key that signs them, and a policy that lists a network.

use keystead_base::{Amount, Digest, PublicAccount};
use keystead_decision::Controls;
use keystead_intent::{Action, Asset, AssetEntry, AssetKind, ChainId, KeyKind, NearTransaction};
use keystead_near::{AccountId, Draft, Network};
use keystead_policy::{AddressEntry, Measure, PolicyVersion, Window};
use keystead_quantum::{QuantumKey, Scheme};

use crate::fixture::{BIRTH, name};
use crate::world::World;

/// The network that the policy lists.
pub const NETWORK: Network = Network::Testnet;
/// Its chain.
pub const TESTNET: ChainId = ChainId::NEAR_TESTNET;
/// The account that has the key.
pub const US: &str = "us.testnet";
/// Who stands in the address book.
pub const PAYEE: &str = "payee.testnet";
/// A coin, in yoctoNEAR.
pub const NEAR: u128 = 1_000_000_000_000_000_000_000_000;
/// What is counted for the gas of a transaction with one action that calls nothing.
pub const GAS: u128 = 30_000_000_000_000 * 1_000_000_000;

/// Lists the network, its coin and the payee, and allows so many yoctoNEAR a day.
pub fn lists_near(policy: &mut PolicyVersion, yocto: u128) {
    policy.chains.push(TESTNET);
    let (address, usable_from) = (account(PAYEE).id(NETWORK), BIRTH);
    policy.address_book.push(AddressEntry { chain: TESTNET, address, name: name("payee"), usable_from });
    policy.address_book.sort_by_key(|entry| (entry.chain, entry.address));
    let (asset, symbol, kind) = (Asset::Native, "NEAR".to_owned(), AssetKind::Fungible);
    policy.assets.push(AssetEntry { chain: TESTNET, asset, symbol, decimals: 24, kind });
    let measure = Measure::Asset { chain: TESTNET, asset };
    let (keys, chains, destinations, per) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (id, limit, span_seconds) = (name("near-per-day"), Amount::from(yocto), 86_400);
    policy.windows.push(Window { id, keys, chains, destinations, measure, per, limit, span_seconds });
    policy.windows.sort_by(|a, b| a.id.cmp(&b.id));
}

/// A key of ML-DSA-65 of a seed of this byte.
///
/// # Panics
///
/// Never for 32 bytes.
#[must_use]
pub fn key_of(seed: u8) -> QuantumKey {
    QuantumKey::from_seed(Scheme::MlDsa65, &[seed; 32]).expect("a key")
}

/// Its account.
///
/// # Panics
///
/// Never for a key of ML-DSA-65.
#[must_use]
pub fn account_of(key: &QuantumKey) -> PublicAccount {
    PublicAccount::ml_dsa_65(key.public().as_bytes().first_chunk().expect("1,952 bytes"))
}

/// What proves control of it.
///
/// # Panics
///
/// When the library does not sign.
#[must_use]
pub fn proof_by(key: &QuantumKey, challenge: &Digest) -> Vec<u8> {
    let signature = key.sign(challenge.as_bytes()).expect("a signature");
    [key.public().as_bytes(), signature.as_bytes()].concat()
}

/// Gives birth to the key under this name, and drills its backup.
pub fn make_near_key<C: Controls>(world: &mut World<C>, called: &str, seed: u8) -> QuantumKey {
    let key = key_of(seed);
    let born = (KeyKind::HdMlDsa65, account_of(&key));
    world.make_whole_key(called, seed, born, |challenge| proof_by(&key, challenge));
    key
}

/// A name.
///
/// # Panics
///
/// When it is none.
#[must_use]
pub fn account(text: &str) -> AccountId {
    text.parse().expect("a name")
}

/// An unsigned transaction of ours with a nonce.
///
/// # Panics
///
/// When it is none that is read.
#[must_use]
pub fn transaction(key: &QuantumKey, nonce: u64, to: &str, actions: Vec<keystead_near::Action>) -> Vec<u8> {
    let (signer, receiver, key) = (account(US), account(to), key.public().clone());
    let draft = Draft { signer, key, nonce, receiver, block: [9; 32], actions };
    draft.to_bytes().expect("a transaction")
}

/// A payment to the payee.
#[must_use]
pub fn payment(key: &QuantumKey, nonce: u64, yocto: u128) -> Vec<u8> {
    transaction(key, nonce, PAYEE, vec![keystead_near::Action::Transfer { deposit: yocto }])
}

/// The request for a signature of it.
#[must_use]
pub fn asks(key: &str, transaction: Vec<u8>) -> Action {
    let account = keystead_intent::AccountRef { key: name(key), index: 0 };
    Action::Near(NearTransaction { account, chain: TESTNET, transaction: transaction.into() })
}
