//! What holds for every request: no panic, one answer, and nothing loosens by adding.

use std::sync::LazyLock;

use alloy_primitives::{Address, B256};
use keystead_base::Amount;
use keystead_intent::{
    ActionKind, Allowance, Asset, AuthorityKind, ChainId, DangerClass, EffectKind, OpaqueReason,
};
use proptest::prelude::*;

use crate::fixture::{
    ACCOUNT, Ask, CHAIN, FRIEND, NOW, OTHER_CHAIN, STRANGER, TOKEN, UNLISTED, YOUNG, native, pay, price,
    price_rule, row, rule, verdict, version,
};
use crate::{Engine, Prices, Ruling, Threshold};

fn any_address() -> impl Strategy<Value = Address> {
    prop::sample::select(vec![ACCOUNT, FRIEND, STRANGER, TOKEN, UNLISTED, YOUNG, Address::ZERO])
}

fn any_amount() -> impl Strategy<Value = Amount> {
    prop_oneof![
        any::<u64>().prop_map(Amount::from),
        any::<u128>().prop_map(Amount::from),
        any::<[u8; 32]>().prop_map(|bytes| Amount(alloy_primitives::U256::from_le_bytes(bytes))),
        prop::sample::select(vec![Amount::ZERO, Amount::MAX]),
    ]
}

fn any_asset() -> impl Strategy<Value = Asset> {
    prop::sample::select(vec![Asset::Native, Asset::Token(TOKEN), Asset::Token(UNLISTED)])
}

fn any_move() -> impl Strategy<Value = EffectKind> {
    (any_asset(), any_address(), any_address(), any_amount(), any_amount(), 0..3_u8).prop_map(
        |(asset, from, to, amount, id, which)| match which {
            0 => EffectKind::Transfer { asset, from, to, amount },
            1 => EffectKind::NftTransfer { token: TOKEN, from, to, id },
            _ => EffectKind::MultiTokenTransfer { token: TOKEN, from, to, id, amount },
        },
    )
}

fn any_right() -> impl Strategy<Value = EffectKind> {
    (any_address(), any_address(), any_amount(), any::<[bool; 2]>(), prop::option::of(any_amount()), 0..4_u8)
        .prop_map(|(owner, spender, amount, [increase, by_signature], deadline, which)| match which {
            0 => EffectKind::AllowanceReduction { token: TOKEN, owner, spender, amount },
            1 => EffectKind::NftApproval { token: TOKEN, owner, spender, id: amount },
            2 => EffectKind::OperatorApproval { token: TOKEN, owner, operator: spender, approved: increase },
            _ => EffectKind::Allowance(Allowance {
                token: TOKEN,
                owner,
                spender,
                amount,
                increase,
                deadline,
                by_signature,
            }),
        })
}

fn any_power() -> impl Strategy<Value = EffectKind> {
    (any_address(), any_address(), any::<bool>(), any_amount(), 0..9_u8).prop_map(
        |(one, other, flag, value, which)| match which {
            0 => EffectKind::Authority {
                change: AuthorityKind::Owner,
                target: one,
                subject: flag.then_some(other),
            },
            1 => EffectKind::Delegation {
                authority: flag.then_some(one),
                delegate: other,
                chain: ChainId(u64::from(flag)),
                nonce: 0,
            },
            2 => EffectKind::Creation { init_code_hash: B256::ZERO },
            3 => EffectKind::DelegateCall { caller: one, target: other },
            4 => EffectKind::Cancel { account: one },
            5 => EffectKind::NoValue,
            6 => EffectKind::Statement { message: Default::default() },
            7 => EffectKind::BlindDigest { digest: B256::ZERO },
            _ => EffectKind::Opaque {
                to: flag.then_some(one),
                value,
                data_hash: B256::ZERO,
                reason: OpaqueReason::TooDeep,
            },
        },
    )
}

fn any_ask() -> impl Strategy<Value = Ask> {
    let kinds = prop::collection::vec(prop_oneof![any_move(), any_right(), any_power()], 0..5);
    let key = prop::sample::select(vec!["hot", "warm", "cold"]);
    let chain = prop::sample::select(vec![CHAIN, OTHER_CHAIN, ChainId(3)]);
    let action =
        prop::sample::select(vec![ActionKind::ContractCall, ActionKind::TypedData, ActionKind::Authority]);
    (key, kinds, chain, action, any_amount(), any::<bool>()).prop_map(
        |(key, kinds, chain, action, fee, priced)| {
            Ask::new(key, kinds).with(|it| {
                it.effects.chain = chain;
                it.effects.fee.max = fee;
                it.action = action;
                it.prices = if priced { prices() } else { Prices::default() };
            })
        },
    )
}

fn prices() -> Prices {
    let mut prices = Prices::default();
    for (source, byte) in [("alpha", 51), ("beta", 52)] {
        prices.insert(&price(source, byte, 2000, NOW), &price_rule()).unwrap();
    }
    prices
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::compile(version()).unwrap());

fn passes(ruling: &Ruling) -> Option<(u64, u64)> {
    match ruling {
        Ruling::Pass { requirement, .. } => Some((requirement.people(), requirement.delay_seconds)),
        Ruling::Deny { .. } => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_has_one_answer_with_reasons(ask in any_ask()) {
        let ruling = ask.of(&ENGINE);
        prop_assert_eq!(&ruling, &ask.of(&ENGINE));
        prop_assert_eq!(ruling.reasons().is_empty(), passes(&ruling).is_some());
        if let Ruling::Pass { charges, rules, requirement } = &ruling {
            prop_assert!(!rules.is_empty() && !requirement.rows.is_empty());
            prop_assert!(charges.iter().all(|it| it.amount > Amount::ZERO && it.amount <= it.limit));
        }
        let bytes = borsh::to_vec(&ruling).unwrap();
        prop_assert_eq!(borsh::from_slice::<Ruling>(&bytes).unwrap(), ruling);
    }

    #[test]
    fn a_further_row_never_asks_for_less(ask in any_ask(), people in 1..=3_u32, delay in 0..9_u64, from in any_amount()) {
        let mut more = version();
        let from = Some(Threshold { measure: native(), amount: from });
        more.quorums.push(row("zz", &[], &DangerClass::ALL, from, &[("approver", people)], delay));
        let (before, after) = (ask.of(&ENGINE), ask.of(&Engine::compile(more).unwrap()));
        if let (Some(before), Some(after)) = (passes(&before), passes(&after)) {
            prop_assert!(after.0 >= before.0 && after.1 >= before.1);
        }
    }

    #[test]
    fn a_further_forbid_never_lets_more_pass(ask in any_ask(), micro in 0..i64::MAX) {
        let mut more = version();
        let text = format!("forbid(principal, action in Action::\"sign\", resource) when {{ context.amount_micro > {micro} }};");
        more.rules.push(rule("zz", &text));
        let (before, after) = (ask.of(&ENGINE), ask.of(&Engine::compile(more).unwrap()));
        prop_assert!(passes(&before).is_some() || passes(&after).is_none());
    }

    #[test]
    fn s09_a_cancel_burns_nothing_that_as_large_a_payment_would_not_need(fee in any_amount()) {
        let mut version = version();
        version.caps.clear();
        version.windows.clear();
        version.quorums.push(row("calling-off", &[], &[DangerClass::Cancel], None, &[("freezer", 1)], 0));
        let engine = Engine::compile(version.into_canonical()).unwrap();
        let cancel = Ask::cancel("hot").with(|it| it.effects.fee.max = fee).of(&engine);
        let payment = Ask::new("hot", vec![pay(FRIEND, 0)]).with(|it| it.effects.fee.max = fee).of(&engine);
        let (Ruling::Pass { requirement: cancel, .. }, Ruling::Pass { requirement: payment, .. }) = (cancel, payment)
        else { panic!("denied") };
        let dear = |it: &keystead_base::Name| it.as_str() == "paying-much";
        prop_assert_eq!(cancel.rows.iter().any(dear), payment.rows.iter().any(dear));
        prop_assert_eq!(cancel.people(), payment.people() + 1);
        prop_assert!(cancel.delay_seconds >= payment.delay_seconds);
    }

    #[test]
    fn a_larger_amount_never_passes_more_easily(small in any::<u64>(), more in any::<u64>(), to in any_address()) {
        let ask = |wei| Ask::new("hot", vec![pay(to, wei)]).of(&ENGINE);
        let (small, large) = (ask(u128::from(small)), ask(u128::from(small) + u128::from(more)));
        match (passes(&small), passes(&large)) {
            (None, Some(_)) => prop_assert!(false, "{:?} {:?}", verdict(&small), verdict(&large)),
            (Some(small), Some(large)) => prop_assert!(large >= small),
            _ => {}
        }
    }
}

#[test]
fn the_fixture_lets_something_pass() {
    assert_eq!(verdict(&Ask::new("hot", vec![pay(FRIEND, 1)]).of(&ENGINE)), ["pass 0"]);
}
