//! Messages of Solana's under rules, limits and the address book that were made for other chains.

use keystead_intent::AssetEntry;
use keystead_solana::program::TOKEN as TOKEN_PROGRAM;
use keystead_solana::{
    AccountMeta, BudgetTerm, Cluster, Draft, Instruction, NewTokenAccount, Pubkey, TokenMove, Unsigned,
    Version, associated_account, compile, order,
};

use super::*;
use crate::fixture::{Ask, name, verdict, version, window};
use crate::{AddressEntry, Engine, Measure};

const CLUSTER: Cluster = Cluster::Devnet;
const US: Pubkey = Pubkey([1; 32]);
const PAYEE: Pubkey = Pubkey([2; 32]);
const MINT: Pubkey = Pubkey([3; 32]);
const STRANGER: Pubkey = Pubkey([4; 32]);
const SOL: u64 = 1_000_000_000;
/// What a message with one signature costs.
const FEE: u64 = 5_000;

/// One SOL and a hundred base units of the token a day, to one payee.
fn engine() -> Engine {
    let mut version = version();
    let (chain, token) = (CLUSTER.chain(), Asset::Token(MINT.id(CLUSTER)));
    version.chains.push(chain);
    let (address, usable_from) = (PAYEE.id(CLUSTER), Default::default());
    version.address_book.push(AddressEntry { chain, address, name: name("payee"), usable_from });
    for (asset, symbol, decimals) in [(Asset::Native, "SOL", 9), (token, "USDC", 6)] {
        let kind = keystead_intent::AssetKind::Fungible;
        version.assets.push(AssetEntry { chain, asset, symbol: symbol.to_owned(), decimals, kind });
    }
    for (id, asset, limit) in [("sol", Asset::Native, SOL), ("tokens-there", token, 100)] {
        let measure = Measure::Asset { chain, asset };
        version.windows.push(window(id, vec![name("hot")], measure, &[], limit.into()));
    }
    Engine::compile(version.into_canonical()).unwrap()
}

fn said(engine: &Engine, instructions: Vec<Instruction>) -> String {
    let draft = Draft { version: Version::Zero, payer: US, blockhash: [9; 32], instructions };
    let unsigned = Unsigned::read(CLUSTER, US, &compile(&draft).unwrap().to_bytes()).unwrap();
    let ask = Ask::new("hot", Vec::new()).with(|it| {
        it.action = ActionKind::Solana;
        it.effects = unsigned.effects();
    });
    let facts = crate::Facts { account: Some(US.id(CLUSTER)), ..ask.facts() };
    verdict(&engine.decide(&ask.question(&facts))).join(", ")
}

fn tokens(amount: u64) -> Instruction {
    let of = |wallet| associated_account(wallet, TOKEN_PROGRAM, MINT).unwrap();
    let (source, destination, decimals) = (of(US), of(PAYEE), Some(6));
    let moved = TokenMove { mint: MINT, source, authority: US, destination, wallet: None, amount, decimals };
    order::transfer_tokens(&moved, TOKEN_PROGRAM)
}

fn account() -> Instruction {
    let account = associated_account(PAYEE, TOKEN_PROGRAM, MINT).unwrap();
    let (funder, token_program, lamports) = (US, TOKEN_PROGRAM, None);
    let new = NewTokenAccount { funder, account, wallet: PAYEE, mint: MINT, token_program, lamports };
    order::create_token_account(&new)
}

/// INVARIANT S10: to the lamport, the fee with it.
#[test]
fn s10_lamports_and_base_units_count_to_one() {
    let engine = engine();
    let pay = |lamports| order::transfer(US, PAYEE, lamports);
    let price = |price| order::budget(BudgetTerm::UnitPrice(price));
    let limit = || order::budget(BudgetTerm::UnitLimit(1_000_000));
    let (rent, too_large) = (2_039_280, "deny.amount_too_large");
    for (orders, expected) in [
        (vec![pay(SOL - FEE)], "pass 0"),
        (vec![pay(SOL - FEE + 1)], too_large),
        (vec![pay(SOL / 2), pay(SOL / 2 - FEE)], "pass 0"),
        (vec![pay(SOL / 2), pay(SOL / 2)], too_large),
        (vec![limit(), price(7), pay(SOL - FEE - 7)], "pass 0"),
        (vec![limit(), price(8), pay(SOL - FEE - 7)], too_large),
        (vec![account(), tokens(100), pay(SOL - FEE - rent)], "pass 0"),
        (vec![account(), tokens(100), pay(SOL - FEE - rent + 1)], too_large),
        (vec![account(), tokens(101)], too_large),
        (vec![order::transfer(US, US, 5 * SOL)], "pass 0"),
    ] {
        assert_eq!(said(&engine, orders.clone()), expected, "{orders:?}");
    }
}

#[test]
fn s12_a_token_account_is_known_by_its_wallet_where_that_is_proven() {
    let engine = engine();
    let unknown = "deny.destination_unknown";
    for (orders, expected) in [
        (vec![order::transfer(US, PAYEE, 1)], "pass 0"),
        (vec![order::transfer(US, STRANGER, 1)], unknown),
        (vec![account(), tokens(1)], "pass 0"),
        (vec![tokens(1)], unknown),
        (vec![order::advance_nonce(STRANGER, US), order::transfer(US, PAYEE, 1)], "pass 0"),
    ] {
        assert_eq!(said(&engine, orders.clone()), expected, "{orders:?}");
    }
}

/// INVARIANT S9: neither control of an account nor an unknown program's order passes as a payment.
#[test]
fn s09_what_is_more_than_a_transfer_does_not_pass_as_one() {
    let engine = engine();
    let us = AccountMeta { key: US, signer: true, writable: true };
    let mint = AccountMeta { key: MINT, signer: false, writable: true };
    let given = [&[6, 2, 1], PAYEE.0.as_slice()].concat();
    let given = Instruction { program: TOKEN_PROGRAM, accounts: vec![mint, us], data: given };
    let unknown = Instruction { program: STRANGER, accounts: vec![us], data: vec![1] };
    for order in [given, unknown, order::create_account(US, PAYEE, 1, 0, STRANGER)] {
        let said = said(&engine, vec![order::transfer(US, PAYEE, 1), order.clone()]);
        assert!(said.starts_with("deny."), "{said} for {order:?}");
    }
}

/// A coin that the registry does not list has its chain's decimals: taken for ether, it would be worth a billionth.
#[test]
fn s10_a_coin_that_nobody_listed_is_not_taken_for_ether() {
    let micro = |chain, amount: u64| in_micro(&AssetIndex::default(), chain, Asset::Native, amount.into());
    assert_eq!(micro(CLUSTER.chain(), SOL), U256::from(1_000_000));
    assert_eq!(micro(ChainId::BITCOIN_REGTEST, SOL / 10), U256::from(1_000_000));
    assert_eq!(micro(ChainId(1), SOL), U256::from(1), "rounded up");
}
