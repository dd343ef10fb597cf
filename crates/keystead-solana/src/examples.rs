//! Messages of every order, and what policy reads of them: `specs/check_solana.py` says the same from the page alone.

use std::process::Command;

use keystead_base::Coded as _;
use serde_json::{Value, json};

use crate::fixture::*;
use crate::program::{MEMO, NATIVE_MINT, SYSTEM, TOKEN, TOKEN_2022};
use crate::{BudgetTerm, Cluster, Draft, Instruction, TokenMove, Unsigned, Version, compile, order};

type Named = (&'static str, Vec<Instruction>);

fn pay() -> Instruction {
    order::transfer(US, PAYEE, 7)
}

fn system(data: &[&[u8]], accounts: Vec<crate::AccountMeta>) -> Instruction {
    Instruction { program: SYSTEM, accounts, data: data.concat() }
}

fn coins() -> Vec<Named> {
    let sysvar = |text: &str| account(text.parse().unwrap(), false, false);
    let hashes = || sysvar("SysvarRecentB1ockHashes11111111111111111111");
    let rent = || sysvar("SysvarRent111111111111111111111111111111111");
    let nonce = || account(NONCE, false, true);
    let (us, payee) = (|| account(US, true, true), || account(PAYEE, false, true));
    let lamports = 9_u64.to_le_bytes();
    vec![
        ("a transfer", vec![pay()]),
        ("with a durable nonce", vec![order::advance_nonce(NONCE, US), pay()]),
        ("a nonce that is voided", vec![pay(), order::advance_nonce(NONCE, OTHER)]),
        ("an odd order that makes it durable", vec![system(&[&[4, 0, 0, 0, 9]], vec![nonce()]), pay()]),
        ("an account for System", vec![order::create_account(US, OTHER, 5, 80, SYSTEM)]),
        ("an account for a program", vec![order::create_account(US, OTHER, 5, 80, UNKNOWN)]),
        ("an account that another program gets", vec![system(&[&[1, 0, 0, 0], &UNKNOWN.0], vec![us()])]),
        (
            "a nonce account's coins",
            vec![system(&[&[5, 0, 0, 0], &lamports], vec![nonce(), payee(), hashes(), rent(), us()])],
        ),
        ("a nonce's first authority", vec![system(&[&[6, 0, 0, 0], &US.0], vec![nonce(), hashes(), rent()])]),
        ("a nonce's next authority", vec![system(&[&[7, 0, 0, 0], &PAYEE.0], vec![nonce(), us()])]),
        ("an order that is not known", vec![system(&[&[3, 0, 0, 0], &[0; 40]], vec![us(), payee()])]),
        ("bytes behind an order", vec![system(&[&[2, 0, 0, 0], &lamports, &[0]], vec![us(), payee()])]),
        ("a program that is not known", vec![Instruction { program: UNKNOWN, ..pay() }]),
        ("no data", vec![Instruction { program: UNKNOWN, accounts: Vec::new(), data: Vec::new() }]),
    ]
}

fn tokens() -> Vec<Named> {
    let new = token_account(PAYEE, MINT, TOKEN);
    let create = |of| order::create_token_account(&of);
    let sends = |decimals, program| order::transfer_tokens(&payment(1_500, decimals), program);
    let source = || account(payment(1, None).source, false, true);
    let (us, payee) = (|| account(US, true, false), || account(PAYEE, false, true));
    let gives = token_order(
        &[&[6, 2, 1], OTHER.0.as_slice()].concat(),
        vec![account(new.account, false, true), us()],
    );
    let wrapped = token_account(US, NATIVE_MINT, TOKEN);
    let to_2022 = token_account(PAYEE, MINT, TOKEN_2022);
    let move_2022 = TokenMove { destination: to_2022.account, ..payment(3, Some(0)) };
    let amount = [&[4], u64::MAX.to_le_bytes().as_slice()].concat();
    let checked = |amount: u64| [&[13], amount.to_le_bytes().as_slice(), &[6]].concat();
    let with_mint = || vec![source(), account(MINT, false, false), payee(), us()];
    vec![
        ("tokens to an account", vec![sends(Some(6), TOKEN)]),
        ("tokens to a wallet", vec![create(new), sends(Some(6), TOKEN)]),
        ("tokens of no mint", vec![sends(None, TOKEN)]),
        ("tokens of a proven mint", vec![create(new), sends(None, TOKEN)]),
        ("an account that changes hands", vec![create(new), gives, sends(Some(6), TOKEN)]),
        ("another token program", vec![create(new), sends(Some(6), TOKEN_2022)]),
        ("Token-2022", vec![create(to_2022), order::transfer_tokens(&move_2022, TOKEN_2022)]),
        ("an account of ours in Token-2022", vec![create(token_account(US, MINT, TOKEN_2022))]),
        ("another one's account", vec![create(crate::NewTokenAccount { account: OTHER, ..new })]),
        (
            "coins that are wrapped",
            vec![
                create(wrapped),
                order::transfer(US, wrapped.account, 5),
                token_order(&[17], vec![account(wrapped.account, false, true)]),
            ],
        ),
        (
            "a right to all of a token that is not named",
            vec![token_order(&amount, vec![source(), payee(), us()])],
        ),
        ("a right to some", vec![token_order(&checked(5), with_mint())]),
        ("a right to all", vec![token_order(&checked(1 << 63), with_mint())]),
        ("a right taken back", vec![token_order(&[5], vec![source(), us()])]),
        ("an authority given up", vec![token_order(&[6, 0, 0], vec![source(), us()])]),
        (
            "a permanent delegate",
            vec![token_2022_order(&[&[6, 8, 1], PAYEE.0.as_slice()].concat(), vec![source(), us()])],
        ),
        ("coins of a closed account", vec![token_order(&[9], vec![source(), payee(), us()])]),
        (
            "coins of a closed account, to us",
            vec![token_order(&[9], vec![source(), account(US, true, true), us()])],
        ),
        ("several signers", vec![token_order(&[5], vec![source(), account(MINT, false, false), us()])]),
        ("minting", vec![token_order(&[7; 9], vec![source(), payee(), us()])]),
    ]
}

fn terms() -> Vec<Named> {
    use BudgetTerm::{HeapBytes, LoadedBytes, UnitLimit, UnitPrice};
    let with = |terms: &[BudgetTerm]| terms.iter().map(|it| order::budget(*it)).chain([pay()]).collect();
    let memo = |data: &[u8]| Instruction { program: MEMO, accounts: Vec::new(), data: data.to_vec() };
    let checks = Instruction { program: crate::program::PRECOMPILES[0], accounts: Vec::new(), data: vec![3] };
    vec![
        ("a price and a limit", with(&[UnitLimit(100_000), UnitPrice(25)])),
        ("a price without a limit", with(&[UnitPrice(1_000_001)])),
        ("a limit beyond all", with(&[UnitPrice(1_000_000), UnitLimit(u32::MAX)])),
        ("a price beyond all", with(&[UnitPrice(u64::MAX)])),
        ("a price twice", with(&[UnitPrice(1), UnitPrice(2)])),
        ("heap and accounts", with(&[HeapBytes(65_536), LoadedBytes(1)])),
        ("an odd heap", with(&[HeapBytes(65_537)])),
        ("signatures that a program checks", vec![checks, pay()]),
        ("words", vec![order::memo("invoice 7")]),
        ("bytes that are no words", vec![memo(b"\xff\xfe")]),
    ]
}

fn example(name: &str, account: crate::Pubkey, message: &[u8]) -> Value {
    let effects = match Unsigned::read(Cluster::Mainnet, account, message) {
        Ok(unsigned) => serde_json::to_value(unsigned.effects()).unwrap(),
        Err(error) => json!({ "refused": error.code() }),
    };
    let (account, message) = (const_hex::encode(account.0), const_hex::encode(message));
    json!({ "name": name, "chain": Cluster::Mainnet.chain(), "account": account, "message": message, "effects": effects })
}

fn examples() -> Vec<Value> {
    let all = coins().into_iter().chain(tokens()).chain(terms());
    let mut examples: Vec<_> =
        all.map(|(name, orders)| example(name, US, &message(orders).to_bytes())).collect();
    let legacy = Draft { version: Version::Legacy, payer: OTHER, ..draft(vec![pay()]) };
    let legacy = compile(&legacy).unwrap().to_bytes();
    examples.push(example("a fee of somebody else, legacy", US, &legacy));
    examples.push(example("no signature of ours", PAYEE, &legacy));
    for (name, at, byte) in
        [("more signers than keys", 0, 9), ("another version", 0, 0x81), ("a key twice", 36, 0)]
    {
        let mut spoiled = legacy.clone();
        match name {
            "a key twice" => spoiled.copy_within(4..36, at),
            _ => spoiled[at] = byte,
        }
        examples.push(example(name, US, &spoiled));
    }
    examples.push(example("a cut", US, &legacy[..legacy.len() - 1]));
    examples.push(example("a byte more", US, &[legacy.as_slice(), &[0]].concat()));
    examples
}

/// `KEYSTEAD_BLESS=1` writes them anew.
#[test]
fn s02_the_examples_of_the_page_hold_and_a_second_reading_says_the_same() {
    let specs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs");
    let path = format!("{specs}/examples/solana.json");
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&examples()).unwrap() + "\n").unwrap();
    }
    let stored: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(stored, examples());
    let output = Command::new("python3").arg(format!("{specs}/check_solana.py")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
