//! What is asked, of whom, and where a run is cut.

use alloy_sol_types::SolEvent as _;
use keystead_intent::MAX_RUN_CHANGES;

use super::*;
use crate::traces::{ApprovalForAll, Transfer, TransferSingle};

/// The first of many contracts beside each other.
const MANY: u64 = 0x1000;

fn place(at: u64) -> Address {
    Address::left_padding_from(&at.to_be_bytes())
}

fn placed(codes: &[(Address, Vec<u8>)]) -> Chain {
    let mut chain = chain();
    for (address, code) in codes {
        chain.devnet.set_code(*address, code.clone());
    }
    chain
}

fn code(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Code that does one thing when it is called without data, and another one when it is asked something.
pub(super) fn contract(called: &[u8], asked: &[u8]) -> Vec<u8> {
    let dest = u8::try_from(called.len() + 5).unwrap();
    code(&[&hex!("3660"), &[dest, 0x57], called, &hex!("005b"), asked])
}

/// Answers everything with as much as there can be, less what stands in the first slot.
const LESS_THE_SLOT: [u8; 9] = hex!("5f54195f5260205ff3");

/// Does the same so many times, with the number of the turn on the stack; `at` is where this code begins.
fn times(count: u8, at: u8, body: &[u8]) -> Vec<u8> {
    code(&[&[0x60, count, 0x5b], body, &hex!("60019003"), &[0x80, 0x60, at + 2, 0x57]])
}

fn calls(to: Address) -> Vec<u8> {
    code(&[&hex!("5f5f5f5f3473"), to.as_slice(), &hex!("5af100")])
}

fn calls_many(count: u8) -> Vec<u8> {
    times(count, 0, &hex!("5f5f5f5f5f85611000015af150"))
}

/// What each account lost of a token.
fn lost(run: &Run, token: Address) -> Vec<(Address, Option<Amount>, u64)> {
    let of = run.balances.iter().filter(|it| it.asset == Asset::Token(token));
    of.map(|it| (it.account, it.id, u64::try_from(it.lost().0).unwrap())).collect()
}

/// A token whose balances stand in another account: it passes the coins on, and says there is less by as many.
fn silent() -> (Chain, Address) {
    let elsewhere = place(0x5afe);
    let asked = code(&[&[0x73], elsewhere.as_slice(), &hex!("31195f5260205ff3")]);
    let called = code(&[&hex!("5f5f5f5f3473"), elsewhere.as_slice(), &hex!("5af150")]);
    let (router, token) = (place(0x707e), CODE);
    (placed(&[(token, contract(&called, &asked)), (router, calls(token))]), router)
}

#[test]
fn s02_a_token_that_says_and_writes_nothing_is_asked() {
    let (chain, router) = silent();
    let run = run_of(&chain, &call(CODE, 7)).unwrap();
    assert_eq!(lost(&run, CODE), [(OTHER, None, 7), (ACCOUNT, None, 7)]);
    let run = run_of(&chain, &call(router, 7)).unwrap();
    assert_eq!(lost(&run, CODE), [(ACCOUNT, None, 7)]);
}

/// What moves balances need not be the token: the one that the bytes name is asked, although nobody calls it.
#[test]
fn s02_a_token_that_the_bytes_name_is_asked_where_the_run_never_comes_by_it() {
    let (chain, _) = silent();
    let behind = call(place(0x5afe), 7);
    assert_eq!(
        lost(&run_with(&chain, &behind, &[CODE]).unwrap(), CODE),
        [(OTHER, None, 7), (ACCOUNT, None, 7)]
    );
    assert_eq!(lost(&run_of(&chain, &behind).unwrap(), CODE), []);
}

#[test]
fn s02_a_token_that_speaks_is_asked_about_accounts_that_it_does_not_name() {
    let token = contract(&hex!("60075f555f5fa0"), &LESS_THE_SLOT);
    let router = place(0x707e);
    let run = run_of(&placed(&[(CODE, token), (router, calls(CODE))]), &call(router, 0)).unwrap();
    assert_eq!(lost(&run, CODE), [(OTHER, None, 7), (ACCOUNT, None, 7)]);
}

/// The number of tokens is the same before and after; whose the first one is, is not.
#[test]
fn s02_an_nft_that_is_swapped_for_another_one_is_missed() {
    let topics = |from: &[u8], hash: B256| {
        code(&[&hex!("60015f556001610bad62"), from, &[0x7f], hash.as_slice(), &hex!("5f5fa4")])
    };
    // Whoever asks for what begins with 1 is told the owner, everybody else a one.
    let asked = |called: &[u8]| {
        let at = u8::try_from(called.len() + 23).unwrap();
        let owner = hex!("5f5415620a11ce025f5260205ff3");
        code(&[&hex!("600435600114"), &[0x60, at, 0x57], &hex!("60015f5260205ff35b"), &owner])
    };
    for (from, found) in [(hex!("0a11ce"), 1), (hex!("0a11cf"), 0)] {
        let called = topics(&from, Transfer::SIGNATURE_HASH);
        let chain = with_code(&contract(&called, &asked(&called)));
        let run = run_of(&chain, &call(CODE, 0)).unwrap();
        let expected = [(ACCOUNT, Some(Amount::from(1_u64)), 1)];
        assert_eq!(lost(&run, CODE), expected[..found], "{run:?}");
    }
}

#[test]
fn more_contracts_than_are_asked_cut_a_run() {
    for (count, cut) in [(31, false), (32, true)] {
        let mut codes: Vec<_> = (1..=u64::from(count)).map(|it| (place(MANY + it), vec![0])).collect();
        codes.push((CODE, calls_many(count)));
        assert_eq!(run_of(&placed(&codes), &call(CODE, 0)).unwrap().cut, cut, "{count}");
    }
}

#[test]
fn more_events_than_are_looked_into_cut_a_run() {
    let log = |start: &[u8], hash: B256, end: &[u8]| code(&[start, &[0x7f], hash.as_slice(), end]);
    let right = log(&hex!("80620a11ce"), ApprovalForAll::SIGNATURE_HASH, &hex!("5f5fa3"));
    let nft = log(&hex!("805f620a11ce"), Transfer::SIGNATURE_HASH, &hex!("5f5fa4"));
    let piece = log(&hex!("805f525f620a11ce5f"), TransferSingle::SIGNATURE_HASH, &hex!("60405fa4"));
    for body in [right, nft, piece] {
        for (count, cut) in [(64, false), (65, true)] {
            let run = run_of(&with_code(&times(count, 0, &body)), &call(CODE, 0)).unwrap();
            assert_eq!((run.cut, run.succeeded()), (cut, true), "{count} {body:02x?}");
        }
    }
}

#[test]
fn more_changes_than_the_form_holds_cut_a_run() {
    let hash = TransferSingle::SIGNATURE_HASH;
    let body = code(&[&hex!("805f525f620a11ce5f7f"), hash.as_slice(), &hex!("60405fa4")]);
    for (count, cut) in [(61, false), (62, true)] {
        let called = code(&[&hex!("60015f55"), &times(count, 8, &body)]);
        let run = run_of(&with_code(&contract(&called, &LESS_THE_SLOT)), &call(CODE, 7)).unwrap();
        // Coins, and tokens of two accounts, beside the numbered ones.
        assert_eq!((run.cut, run.balances.len()), (cut, MAX_RUN_CHANGES));
    }
}

#[test]
fn d03_questions_that_take_too_much_together_cut_a_run() {
    for (count, cut) in [(20, false), (30, true)] {
        let endless = contract(&[], &hex!("5b600656"));
        let mut codes: Vec<_> =
            (1..=u64::from(count)).map(|it| (place(MANY + it), endless.clone())).collect();
        codes.push((CODE, calls_many(count)));
        assert_eq!(run_of(&placed(&codes), &call(CODE, 0)).unwrap().cut, cut, "{count}");
    }
}
