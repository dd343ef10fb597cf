//! Messages of Solana's, and a policy that lists a cluster.

use keystead_base::Amount;
use keystead_intent::{Action, Asset, AssetEntry, AssetKind, ChainId, SolanaMessage};
use keystead_policy::{AddressEntry, Measure, PolicyVersion, Rule, Window};
use keystead_solana::{Cluster, Draft, Instruction, Pubkey, Version, compile, order};

use crate::fixture::{BIRTH, name};

/// The cluster that the policy lists.
pub const CLUSTER: Cluster = Cluster::Devnet;
/// Its chain.
pub const DEVNET: ChainId = ChainId::SOLANA_DEVNET;
/// Who stands in the address book.
pub const PAYEE: Pubkey = Pubkey([2; 32]);
/// A coin, in lamports.
pub const SOL: u64 = 1_000_000_000;
/// What a message with one signature costs.
pub const FEE: u64 = 5_000;

/// Lists the cluster, its coin and the payee, and allows so many lamports a day.
pub fn lists_solana(policy: &mut PolicyVersion, lamports: u64) {
    policy.chains.push(DEVNET);
    let (address, usable_from) = (PAYEE.id(CLUSTER), BIRTH);
    policy.address_book.push(AddressEntry { chain: DEVNET, address, name: name("payee"), usable_from });
    policy.address_book.sort_by_key(|entry| (entry.chain, entry.address));
    let (asset, symbol, kind) = (Asset::Native, "SOL".to_owned(), AssetKind::Fungible);
    policy.assets.push(AssetEntry { chain: DEVNET, asset, symbol, decimals: 9, kind });
    let measure = Measure::Asset { chain: DEVNET, asset };
    let (keys, chains, destinations, per) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (id, limit, span_seconds) = (name("lamports-per-day"), Amount::from(lamports), 86_400);
    policy.windows.push(Window { id, keys, chains, destinations, measure, per, limit, span_seconds });
    policy.windows.sort_by(|a, b| a.id.cmp(&b.id));
}

/// Whoever has this role moves what a key has by messages that are transfers.
pub fn moves_sol(policy: &mut PolicyVersion, role: &str, key: &str) {
    let cedar = format!(
        r#"permit(principal in Role::"{role}", action == Action::"solana", resource == Key::"{key}")
           when {{ context.class == "transfer" }};"#
    );
    policy.rules.push(Rule { id: name(&format!("{role}-moves-sol")), cedar });
    policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
}

/// A message with a blockhash of this byte.
///
/// # Panics
///
/// When it is too long.
#[must_use]
pub fn message(payer: Pubkey, blockhash: u8, instructions: Vec<Instruction>) -> Vec<u8> {
    message_with(payer, [blockhash; 32], instructions)
}

/// A message.
///
/// # Panics
///
/// When it is too long.
#[must_use]
pub fn message_with(payer: Pubkey, blockhash: [u8; 32], instructions: Vec<Instruction>) -> Vec<u8> {
    let draft = Draft { version: Version::Zero, payer, blockhash, instructions };
    compile(&draft).expect("a message").to_bytes()
}

/// A payment to the payee.
#[must_use]
pub fn payment(from: Pubkey, blockhash: u8, lamports: u64) -> Vec<u8> {
    message(from, blockhash, vec![order::transfer(from, PAYEE, lamports)])
}

/// The request for a signature of it.
#[must_use]
pub fn asks(key: &str, message: Vec<u8>) -> Action {
    let account = keystead_intent::AccountRef { key: name(key), index: 0 };
    Action::Solana(SolanaMessage { account, chain: DEVNET, message: message.into() })
}
