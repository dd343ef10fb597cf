//! Random orders and spoiled bytes: one message is one thing, and nothing that it does goes unsaid.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use keystead_intent::DangerClass;

use crate::fixture::{UNKNOWN, US, account, draft, key, payment, token_account, token_order};
use crate::program::{TOKEN, TOKEN_2022};
use crate::{
    BudgetTerm, Cluster, Draft, EffectKind, Instruction, Message, TokenMove, Unsigned, Version, compile,
    describe, order,
};

/// The seed of every run; a failing case is shrunk and printed.
const SEED: [u8; 32] = *b"keystead-solana: bytes decide..\0";

fn run<S: Strategy>(
    name: &str,
    cases: u32,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    println!("{name}: {cases} cases, seed {:?}", String::from_utf8_lossy(&SEED));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
    TestRunner::new_with_rng(config, random).run(strategy, test).unwrap();
}

/// An order of any kind, of one wallet or another.
fn order_of((kind, who, number, small): (u8, u8, u64, u8)) -> Instruction {
    let (from, to) = (key(1 + who % 3), key(10 + small % 5));
    let account = || token_account(to, key(20 + small % 3), TOKEN);
    match kind % 11 {
        0 | 1 => order::transfer(from, to, number),
        2 => order::create_account(from, key(30 + small % 9), number, small.into(), UNKNOWN),
        3 => order::advance_nonce(key(40), from),
        4 => order::create_token_account(&account()),
        5 => order::transfer_tokens(&payment(number, Some(small)), TOKEN),
        6 => order::transfer_tokens(
            &TokenMove { destination: account().account, ..payment(number, None) },
            TOKEN_2022,
        ),
        7 => order::budget(BudgetTerm::UnitPrice(number)),
        8 => order::memo("words"),
        9 => token_order(
            &[6, small % 5, 0],
            vec![self::account(key(20), false, true), self::account(from, true, false)],
        ),
        _ => Instruction { program: UNKNOWN, accounts: Vec::new(), data: vec![small; 9] },
    }
}

fn drafts() -> impl Strategy<Value = Draft> {
    let orders = proptest::collection::vec(any::<(u8, u8, u64, u8)>().prop_map(order_of), 1..6);
    (orders, any::<bool>(), any::<[u8; 32]>()).prop_map(|(instructions, zero, blockhash)| {
        let version = if zero { Version::Zero } else { Version::Legacy };
        Draft { version, blockhash, ..draft(instructions) }
    })
}

#[test]
fn s02_every_instruction_has_its_effects() {
    run("random messages", 2_000, &drafts(), |draft| {
        let Ok(message) = compile(&draft) else { return Ok(()) };
        let unsigned = Unsigned::read(Cluster::Testnet, US, &message.to_bytes()).unwrap();
        let (ours, theirs) = (unsigned.explain(), unsigned.effects());
        prop_assert_eq!(ours.items.len(), draft.instructions.len());
        for at in 0..draft.instructions.len() {
            let path = vec![u16::try_from(at).unwrap()];
            prop_assert!(theirs.items.iter().any(|it| it.path == path), "instruction {} does nothing", at);
        }
        prop_assert_eq!(ours.class(), theirs.class());
        if draft.instructions.iter().any(|it| it.program == UNKNOWN) {
            prop_assert!(theirs.class() >= DangerClass::Opaque);
        }
        prop_assert_eq!(
            describe(&ours, &|_| None).iter().filter(|it| it.class.is_some()).count(),
            ours.items.len() + 1
        );
        prop_assert_eq!(&unsigned.effects(), &theirs);
        Ok(())
    });
}

/// The coins that a message moves are exactly those of its orders.
#[test]
fn s10_no_coin_moves_unsaid() {
    let amounts = proptest::collection::vec((any::<u64>(), any::<u8>()), 1..8);
    run("coins", 500, &amounts, |amounts| {
        let orders =
            amounts.iter().map(|(lamports, to)| order::transfer(US, key(to | 2), *lamports)).collect();
        let effects = crate::fixture::effects(orders);
        let said: u128 = effects
            .items
            .iter()
            .map(|it| if let EffectKind::Coins { lamports, .. } = it.kind { u128::from(lamports) } else { 0 })
            .sum();
        prop_assert_eq!(said, amounts.iter().map(|it| u128::from(it.0)).sum::<u128>());
        Ok(())
    });
}

/// Whatever is still read after bytes are spoiled is another message, and comes back as its own bytes.
#[test]
fn s02_spoiled_bytes_are_refused_or_another_message() {
    let spoils = proptest::collection::vec((any::<usize>(), 1..=u8::MAX), 1..4);
    run("spoiled messages", 4_000, &(drafts(), spoils), |(draft, spoils)| {
        let Ok(message) = compile(&draft) else { return Ok(()) };
        let good = message.to_bytes();
        let mut bytes = good.clone();
        spoils.iter().for_each(|(at, with)| bytes[at % good.len()] ^= with);
        let Ok(read) = Message::parse(&bytes) else { return Ok(()) };
        prop_assert_eq!(read.to_bytes(), bytes.clone());
        prop_assert_eq!(read == message, bytes == good);
        Ok(())
    });
}
