//! What each order does, and twins of it that are not understood.

use keystead_intent::{DangerClass, OpaqueReason};

use super::*;
use crate::fixture::*;
use crate::program::{MEMO, NATIVE_MINT, TOKEN, TOKEN_2022};
use crate::{Instruction, order};

fn kinds(instructions: Vec<Instruction>) -> Vec<EffectKind> {
    effects(instructions).items.into_iter().map(|it| it.kind).collect()
}

fn class(instructions: Vec<Instruction>) -> DangerClass {
    effects(instructions).class()
}

fn opaque(instruction: Instruction) -> OpaqueReason {
    match &kinds(vec![order::transfer(US, PAYEE, 1), instruction])[1] {
        EffectKind::Opaque { reason } => *reason,
        other => panic!("understood: {other:?}"),
    }
}

#[test]
fn s02_a_transfer_is_a_transfer_and_its_twins_are_not_understood() {
    let good = order::transfer(US, PAYEE, 1_500_000_000);
    let coins = EffectKind::Coins { from: US, to: PAYEE, wallet: None, lamports: 1_500_000_000 };
    assert_eq!(kinds(vec![good.clone()]), [coins]);
    assert_eq!(class(vec![good.clone()]), DangerClass::Transfer);
    type Twin = fn(&mut Instruction);
    let twins: [Twin; 7] = [
        |it| it.data.push(0),
        |it| it.data.truncate(11),
        |it| it.data[3] = 1,
        |it| it.accounts.push(account(OTHER, false, false)),
        |it| it.accounts.truncate(1),
        |it| it.accounts[0].key = OTHER,
        |it| it.accounts[1].key = UNKNOWN,
    ];
    for (at, twin) in twins.into_iter().enumerate() {
        let mut bad = good.clone();
        twin(&mut bad);
        // Whoever does not sign, and what cannot be changed, moves nothing.
        bad.accounts.iter_mut().filter(|it| it.key == OTHER).for_each(|it| it.signer = false);
        bad.accounts.iter_mut().filter(|it| it.key == UNKNOWN).for_each(|it| it.writable = false);
        let sent = effects(vec![bad]);
        assert!(matches!(sent.items[0].kind, EffectKind::Opaque { .. }), "twin {at}");
        assert_eq!(sent.class(), DangerClass::Opaque);
    }
}

/// The map of an unknown order must not read as one that is known: each number of the System program that is not read.
#[test]
fn s02_other_orders_and_programs_are_not_understood() {
    for number in [3_u8, 8, 9, 10, 11, 12, 13, 255] {
        let order = Instruction { data: vec![number, 0, 0, 0], ..order::transfer(US, PAYEE, 1) };
        assert_eq!(opaque(order), OpaqueReason::UnknownSelector);
    }
    for number in [0_u8, 1, 2, 7, 8, 10, 11, 14, 15, 16, 18, 19, 20, 21, 22, 23, 24, 26, 38, 45, 255] {
        assert_eq!(opaque(token_order(&[number], Vec::new())), OpaqueReason::UnknownSelector, "{number}");
    }
    let unknown = Instruction { program: UNKNOWN, ..order::transfer(US, PAYEE, 1) };
    assert_eq!(opaque(unknown), OpaqueReason::UnknownSelector);
}

#[test]
fn s09_an_account_that_another_program_gets_is_a_change_of_authority() {
    let create = |account, owner| order::create_account(US, account, 5, 80, owner);
    for (order, expected) in [
        (create(OTHER, SYSTEM), DangerClass::Transfer),
        (create(OTHER, TOKEN), DangerClass::Transfer),
        (create(OTHER, UNKNOWN), DangerClass::Authority),
        (create(US, SYSTEM), DangerClass::Authority),
    ] {
        assert_eq!(class(vec![order]), expected);
    }
    let assign = [&[1, 0, 0, 0], UNKNOWN.0.as_slice()].concat();
    let assign = Instruction { program: SYSTEM, accounts: vec![account(US, true, true)], data: assign };
    assert_eq!(class(vec![assign]), DangerClass::Authority);
}

/// INVARIANT S4: a durable transaction has a place, whatever its first instruction has behind its number.
#[test]
fn s04_a_durable_nonce_is_a_place_and_a_recent_blockhash_is_none() {
    let advance = order::advance_nonce(NONCE, US);
    let pay = || order::transfer(US, PAYEE, 1);
    let durable = effects(vec![advance.clone(), pay()]);
    assert_eq!(durable.lifetime, Lifetime::Durable { account: NONCE, value: [9; 32] });
    assert_eq!(durable.class(), DangerClass::Transfer);
    let slot = durable.nonce().unwrap();
    assert_eq!((slot.account.0, slot.value.0), (NONCE.0, [9; 32]));
    assert_eq!(effects(vec![pay()]).nonce(), None);
    assert_eq!(effects(vec![pay(), advance.clone()]).nonce(), None, "only the first makes it durable");
    let longer = Instruction { data: vec![4, 0, 0, 0, 1], ..advance };
    let odd = effects(vec![longer, pay()]);
    assert_eq!((odd.nonce(), odd.class()), (Some(slot), DangerClass::Opaque));
}

#[test]
fn s02_tokens_move_to_a_wallet_only_where_that_is_proven() {
    let pay = |decimals| order::transfer_tokens(&payment(1_500_000, decimals), TOKEN);
    let account = token_account(PAYEE, MINT, TOKEN);
    let wallet_of = |instructions: Vec<Instruction>| match kinds(instructions).pop() {
        Some(EffectKind::Tokens(it)) => Some((it.mint, it.wallet)),
        _ => None,
    };
    let create = || order::create_token_account(&account);
    assert_eq!(wallet_of(vec![pay(Some(6))]), Some((MINT, None)));
    assert_eq!(wallet_of(vec![create(), pay(Some(6))]), Some((MINT, Some(PAYEE))));
    assert_eq!(wallet_of(vec![pay(None)]), None, "nothing says of which mint");
    assert_eq!(wallet_of(vec![create(), pay(None)]), Some((MINT, Some(PAYEE))));
    // The account changes hands between: by what is read, or by what is not.
    let gives_away = token_order(
        &[&[6, 2, 1], OTHER.0.as_slice()].concat(),
        vec![self::account(account.account, false, true), self::account(US, true, false)],
    );
    assert_eq!(wallet_of(vec![create(), gives_away, pay(Some(6))]), Some((MINT, None)));
    let unknown = Instruction { program: UNKNOWN, accounts: Vec::new(), data: vec![1] };
    assert_eq!(wallet_of(vec![create(), unknown, pay(Some(6))]), Some((MINT, None)));
    let after = kinds(vec![pay(Some(6)), create()]);
    assert!(matches!(&after[0], EffectKind::Tokens(it) if it.wallet.is_none()), "a proof comes before");
}

#[test]
fn s02_a_token_account_is_the_wallets_own_or_not_understood() {
    let good = token_account(PAYEE, MINT, TOKEN);
    assert_eq!(kinds(vec![order::create_token_account(&good)]), [EffectKind::NewTokenAccount(good)]);
    for bad in [
        NewTokenAccount { account: OTHER, ..good },
        NewTokenAccount { wallet: OTHER, ..good },
        NewTokenAccount { mint: OTHER, ..good },
        NewTokenAccount { token_program: TOKEN_2022, ..good },
    ] {
        assert_eq!(opaque(order::create_token_account(&bad)), OpaqueReason::MalformedArguments);
    }
    let nested = Instruction { data: vec![2], ..order::create_token_account(&good) };
    assert_eq!(opaque(nested), OpaqueReason::UnknownSelector);
    let of_2022 = token_account(PAYEE, MINT, TOKEN_2022);
    assert_eq!(of_2022.lamports, None);
    assert_eq!(
        class(vec![order::create_token_account(&of_2022)]),
        DangerClass::Opaque,
        "its price is unstated"
    );
    let ours = token_account(US, MINT, TOKEN_2022);
    assert_eq!(class(vec![order::create_token_account(&ours)]), DangerClass::Transfer);
}

#[test]
fn s02_coins_for_an_account_of_wrapped_coins_are_its_wallets() {
    let wrapped = token_account(US, NATIVE_MINT, TOKEN);
    let wrap = |it| vec![order::create_token_account(it), order::transfer(US, it.account, 5)];
    let wallets = |it| match &kinds(wrap(it))[1] {
        EffectKind::Coins { wallet, .. } => *wallet,
        other => panic!("{other:?}"),
    };
    assert_eq!(wallets(&wrapped), Some(US));
    assert_eq!(wallets(&token_account(US, MINT, TOKEN)), None, "coins in an account of tokens are not in it");
}

/// The classes are those of the same rights on Ethereum.
#[test]
fn s09_rights_and_authorities_have_their_classes() {
    let source = || account(payment(1, None).source, false, true);
    let (payee, us) = (|| account(PAYEE, false, false), || account(US, true, false));
    let mint = || account(MINT, false, true);
    let approve = |amount: u64| [&[4], amount.to_le_bytes().as_slice()].concat();
    let checked = |amount: u64| [&[13], amount.to_le_bytes().as_slice(), &[6]].concat();
    let set = |number: u8| [&[6, number, 1], PAYEE.0.as_slice()].concat();
    let with_mint = || vec![source(), account(MINT, false, false), payee(), us()];
    for (order, expected) in [
        (token_order(&checked(5), with_mint()), DangerClass::Allowance),
        (token_order(&checked(u64::MAX), with_mint()), DangerClass::UnlimitedAllowance),
        (token_order(&checked(1 << 63), with_mint()), DangerClass::UnlimitedAllowance),
        // The token is not in the bytes.
        (token_order(&approve(5), vec![source(), payee(), us()]), DangerClass::Opaque),
        (token_order(&[5], vec![source(), us()]), DangerClass::Transfer),
        (token_order(&set(0), vec![mint(), us()]), DangerClass::Authority),
        (token_order(&set(1), vec![mint(), us()]), DangerClass::Authority),
        (token_order(&set(2), vec![source(), us()]), DangerClass::Authority),
        (token_order(&set(3), vec![source(), us()]), DangerClass::Authority),
        (token_order(&[6, 2, 0], vec![source(), us()]), DangerClass::Authority),
        (token_order(&set(4), vec![mint(), us()]), DangerClass::Opaque),
        (token_2022_order(&set(4), vec![mint(), us()]), DangerClass::Authority),
        (token_2022_order(&set(8), vec![mint(), us()]), DangerClass::Authority),
        (token_2022_order(&set(18), vec![mint(), us()]), DangerClass::Opaque),
        (token_order(&[6, 2, 2], vec![source(), us()]), DangerClass::Opaque),
        // Closing gives away coins that the bytes do not count, unless they are ours.
        (token_order(&[9], vec![source(), account(PAYEE, false, true), us()]), DangerClass::Opaque),
        (token_order(&[9], vec![source(), account(US, true, true), us()]), DangerClass::Transfer),
        (token_order(&[17], vec![source()]), DangerClass::Transfer),
        // A token account of several signers.
        (
            token_order(&approve(5), vec![source(), payee(), account(MINT, false, false), us()]),
            DangerClass::Opaque,
        ),
    ] {
        assert_eq!(class(vec![order.clone()]), expected, "{order:?}");
    }
}

#[test]
fn s02_a_memo_is_text_that_its_signers_stand_for() {
    let memo = |data: &[u8], accounts| Instruction { program: MEMO, accounts, data: data.to_vec() };
    assert_eq!(class(vec![order::memo("invoice 7")]), DangerClass::Statement);
    assert_eq!(class(vec![memo(b"\xff\xfe", Vec::new())]), DangerClass::Opaque);
    assert_eq!(class(vec![memo("pay \u{202e}ecila".as_bytes(), Vec::new())]), DangerClass::Opaque);
    assert_eq!(class(vec![memo(b"x", vec![account(PAYEE, false, false)])]), DangerClass::Opaque);
}

#[test]
fn the_fee_is_counted_to_the_lamport_and_never_too_low() {
    use crate::fee::BudgetTerm::{HeapBytes, LoadedBytes, UnitLimit, UnitPrice};
    let pay = || order::transfer(US, PAYEE, 1);
    let of = |terms: &[BudgetTerm]| {
        let orders = terms.iter().map(|it| order::budget(*it)).chain([pay()]).collect();
        effects(orders)
    };
    for (terms, lamports) in [
        (vec![], 5_000),
        (vec![UnitLimit(300)], 5_000),
        (vec![UnitPrice(1)], 5_001),
        (vec![UnitLimit(100_000), UnitPrice(25)], 5_003),
        (vec![UnitPrice(25), UnitLimit(100_000)], 5_003),
        (vec![UnitLimit(u32::MAX), UnitPrice(1_000_000)], 1_405_000),
        // Nobody says a limit: two instructions, 200,000 units each.
        (vec![UnitPrice(1_000_000)], 405_000),
        (vec![UnitPrice(u64::MAX), UnitLimit(1_400_000)], u64::MAX),
        (vec![HeapBytes(65_536), LoadedBytes(1)], 5_000),
    ] {
        let sent = of(&terms);
        assert_eq!(sent.fee.total(), lamports, "{terms:?}");
        assert_eq!(sent.class(), DangerClass::Transfer);
    }
    assert_eq!(effects(vec![pay(), order::transfer(OTHER, PAYEE, 1)]).fee.base, 10_000);
    for odd in [HeapBytes(1_024), HeapBytes(65_537), HeapBytes(512 * 1_024), LoadedBytes(0)] {
        assert_eq!(of(&[odd]).class(), DangerClass::Opaque, "validators refuse it: {odd:?}");
    }
    let twice = of(&[UnitLimit(1_000_000), UnitPrice(1), UnitPrice(9)]);
    assert_eq!((twice.class(), twice.fee.priority), (DangerClass::Opaque, 9), "of two prices the higher");
    // Validators pass over what stands behind, and charge.
    let mut longer = order::budget(UnitPrice(7));
    longer.data.push(0);
    let mut with_account = order::budget(UnitPrice(8));
    with_account.accounts.push(account(PAYEE, false, false));
    for (odd, price) in [(longer, 7), (with_account, 8)] {
        let sent = effects(vec![order::budget(UnitLimit(1_000_000)), odd, pay()]);
        assert_eq!((sent.class(), sent.fee.priority), (DangerClass::Opaque, price));
    }
    let checks = crate::program::PRECOMPILES.map(|program| Instruction {
        program,
        accounts: Vec::new(),
        data: vec![3, 0],
    });
    let checked = effects(checks.to_vec());
    assert_eq!((checked.fee.signatures, checked.class()), (10, DangerClass::Opaque));
}
