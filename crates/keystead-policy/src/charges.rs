//! What a request counts in which window, fixed at the moment of the decision (S10).

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;
use keystead_base::{Amount, Name};
use keystead_intent::{ChainId, Effects};

use crate::aspect::Aspect;
use crate::findings::Findings;
use crate::outflow::{Outflow, Outflows};
use crate::{Bucket, Charge, Dimension, Measure, Reason, Window};

/// Who asks for what.
pub(crate) struct Asked<'a> {
    pub(crate) requester: &'a Name,
    pub(crate) key: &'a Name,
    pub(crate) effects: &'a Effects,
}

/// The charges of all windows, in the windows' order, buckets ascending.
pub(crate) fn count(
    windows: &[Window],
    asked: &Asked<'_>,
    outflows: &Outflows<'_>,
    findings: &mut Findings,
) -> Vec<Charge> {
    let mut charges = Vec::new();
    for window in windows.iter().filter(|window| concerns(window, asked.key, asked.effects.chain)) {
        let amounts = match window.measure {
            Measure::Count => count_requests(window, asked),
            Measure::Asset { .. } | Measure::Fiat => sum_amounts(window, asked, outflows, findings),
        };
        charges.extend(amounts.into_iter().map(|(bucket, amount)| charge(window, bucket, amount)));
    }
    for it in charges.iter().filter(|it| it.amount > it.limit) {
        let (window, limit, asked) = (it.window.clone(), it.limit, it.amount);
        findings.object(Reason::AmountTooLarge { window, limit, asked });
    }
    charges
}

type Amounts = BTreeMap<Bucket, Amount>;

/// One for each destination that the window tells apart, or one.
fn count_requests(window: &Window, asked: &Asked<'_>) -> Amounts {
    let destinations: BTreeSet<Address> =
        asked.effects.items.iter().filter_map(|effect| Aspect::of(effect).destination).collect();
    let counted: Vec<Option<Address>> =
        destinations.into_iter().filter(|it| includes(window, Some(*it))).map(Some).collect();
    let nowhere = counted.is_empty() && includes(window, None);
    counted
        .into_iter()
        .chain(nowhere.then_some(None))
        .map(|destination| (bucket(window, asked, destination), Amount::from(1_u64)))
        .collect()
}

/// Sums what leaves; network fees count too, to no destination.
fn sum_amounts(
    window: &Window,
    asked: &Asked<'_>,
    outflows: &Outflows<'_>,
    findings: &mut Findings,
) -> Amounts {
    let mut amounts = Amounts::new();
    let all = outflows.moved.iter().chain([&outflows.fee]);
    for outflow in all.filter(|it| includes(window, it.destination)) {
        let Some(amount) = findings.take(measured(window, outflows, outflow)) else { continue };
        if amount != Amount::ZERO {
            let bucket = bucket(window, asked, outflow.destination);
            let sum = amounts.entry(bucket).or_default();
            *sum = sum.saturating_add(amount);
        }
    }
    amounts
}

fn measured(window: &Window, outflows: &Outflows<'_>, outflow: &Outflow) -> Result<Amount, Box<Reason>> {
    outflows.measured(window.measure, outflow)
}

fn concerns(window: &Window, key: &Name, chain: ChainId) -> bool {
    let key_fits = window.keys.is_empty() || window.keys.contains(key);
    key_fits && (window.chains.is_empty() || window.chains.contains(&chain))
}

fn includes(window: &Window, destination: Option<Address>) -> bool {
    window.destinations.is_empty() || destination.is_some_and(|it| window.destinations.contains(&it))
}

fn bucket(window: &Window, asked: &Asked<'_>, destination: Option<Address>) -> Bucket {
    let splits = |dimension| window.per.contains(&dimension);
    Bucket {
        key: splits(Dimension::Key).then(|| asked.key.clone()),
        destination: destination.filter(|_| splits(Dimension::Destination)),
        chain: splits(Dimension::Chain).then_some(asked.effects.chain),
        requester: splits(Dimension::Requester).then(|| asked.requester.clone()),
    }
}

fn charge(window: &Window, bucket: Bucket, amount: Amount) -> Charge {
    Charge {
        window: window.id.clone(),
        bucket,
        amount,
        limit: window.limit,
        span_seconds: window.span_seconds,
    }
}

#[cfg(test)]
mod tests {
    use keystead_intent::{Allowance, EffectKind};

    use super::*;
    use crate::fixture::{
        ACCOUNT, Ask, CHAIN, ETHER, FRIEND, NOW, TOKEN, YOUNG, allow, name, native, pay, pay_token, price,
        price_rule, usdc, verdict, version, window,
    };
    use crate::{Engine, Ruling};

    type Counted = (&'static str, Option<Address>, Amount);

    fn charges(ruling: Ruling) -> Vec<Charge> {
        match ruling {
            Ruling::Pass { charges, .. } => charges,
            Ruling::Deny { reasons, .. } => panic!("denied: {reasons:?}"),
        }
    }

    fn check(ask: &Ask, expected: &[Counted]) {
        let engine = Engine::compile(version()).unwrap();
        let found: Vec<_> = charges(ask.of(&engine))
            .into_iter()
            .map(|it| (it.window, it.bucket.destination, it.amount))
            .collect();
        let expected: Vec<_> = expected.iter().map(|(id, to, amount)| (name(id), *to, *amount)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn s10_what_leaves_or_may_leave_is_counted_once_in_each_window() {
        let one = Amount::from(1_u64);
        let coins = |wei: u128| ("coins", None, Amount::from(wei));
        let number = |to| ("number", Some(to), one);
        check(&Ask::new("hot", vec![pay(FRIEND, 7)]), &[coins(7), number(FRIEND)]);
        check(&Ask::new("hot", vec![pay(FRIEND, 7), pay(FRIEND, 8)]), &[coins(15), number(FRIEND)]);
        let back = Ask::new("hot", vec![pay(ACCOUNT, 7)]);
        check(&back, &[number(ACCOUNT)]);
        let fee = Ask::new("hot", vec![pay(FRIEND, 7)]).with(|it| it.effects.fee.max = Amount::from(5_u64));
        check(&fee, &[coins(12), number(FRIEND)]);
        let nothing = Ask::new("hot", vec![EffectKind::NoValue]);
        check(&nothing, &[("number", None, one)]);
        let token =
            Ask::new("hot", vec![pay_token(FRIEND, usdc(3)), EffectKind::Allowance(allow(FRIEND, 4))]);
        check(&token, &[number(FRIEND), ("tokens", None, Amount::from(3_000_004_u64))]);
    }

    #[test]
    fn s10_nothing_passes_that_exceeds_a_whole_window() {
        let engine = Engine::compile(version()).unwrap();
        let lend = |amount: Amount| EffectKind::Allowance(Allowance { amount, ..allow(FRIEND, 0) });
        let half = pay_token(FRIEND, usdc(600_000));
        let over = "deny.amount_too_large";
        for (kinds, expected) in [
            (vec![pay(FRIEND, 10 * ETHER)], vec!["pass 2"]),
            (vec![pay(FRIEND, 10 * ETHER + 1)], vec![over]),
            (vec![pay_token(FRIEND, usdc(1_000_000))], vec!["pass 0"]),
            (vec![half.clone()], vec!["pass 0"]),
            (vec![half.clone(), half], vec![over]),
            (vec![lend(usdc(1_000_000))], vec!["pass 1"]),
            (vec![lend(usdc(1_000_001))], vec![over]),
            (vec![lend(Amount::MAX)], vec!["deny.no_rule_permits", "deny.no_quorum_row", over]),
        ] {
            assert_eq!(verdict(&Ask::new("hot", kinds.clone()).of(&engine)), expected, "{kinds:?}");
        }
    }

    #[test]
    fn s10_windows_split_and_filter_as_they_say() {
        let mut version = version();
        let per = [Dimension::Key, Dimension::Destination, Dimension::Chain, Dimension::Requester];
        let all = Amount::from(100_u64);
        let chosen = Window { destinations: vec![YOUNG], ..window("chosen", vec![], native(), &[], all) };
        let elsewhere = Window {
            chains: vec![crate::fixture::OTHER_CHAIN],
            ..window("elsewhere", vec![], Measure::Count, &[], all)
        };
        version.windows = vec![chosen, elsewhere, window("split", vec![], native(), &per, all)];
        let engine = Engine::compile(version).unwrap();
        let kinds = vec![pay(FRIEND, 1), pay(YOUNG, 2), pay(FRIEND, 4)];
        let ask = Ask::new("warm", kinds).with(|it| {
            it.effects.fee.max = Amount::from(8_u64);
            it.now = NOW.plus_seconds(1);
        });
        let found: Vec<_> =
            charges(ask.of(&engine)).into_iter().map(|it| (it.window, it.bucket, it.amount)).collect();
        let bucket = |destination| Bucket {
            key: Some(name("warm")),
            destination,
            chain: Some(CHAIN),
            requester: Some(name("desk")),
        };
        assert_eq!(
            found,
            [
                (name("chosen"), Bucket::default(), Amount::from(2_u64)),
                (name("split"), bucket(None), Amount::from(8_u64)),
                (name("split"), bucket(Some(FRIEND)), Amount::from(5_u64)),
                (name("split"), bucket(Some(YOUNG)), Amount::from(2_u64)),
            ]
        );
    }

    #[test]
    fn s10_fiat_counts_at_the_price_of_the_moment_or_not_at_all() {
        let engine = Engine::compile(version()).unwrap();
        let mut prices = crate::Prices::default();
        for (source, byte, dollars) in [("alpha", 51, 2000), ("beta", 52, 2002), ("gamma", 53, 9000)] {
            prices.insert(&price(source, byte, dollars, NOW), &price_rule()).unwrap();
        }
        let ask = |kind, seconds| {
            Ask::new("warm", vec![kind]).with(|it| {
                it.prices = prices.clone();
                it.now = NOW.plus_seconds(seconds);
            })
        };
        let found = charges(ask(pay(FRIEND, ETHER / 2), 60).of(&engine));
        assert_eq!(found.iter().map(|it| it.amount).collect::<Vec<_>>(), [usdc(1001)]);
        for (kind, seconds, expected) in [
            (pay(FRIEND, ETHER / 2), 61, "deny.price_stale"),
            (pay_token(FRIEND, usdc(1)), 0, "deny.price_missing"),
            (pay(FRIEND, 500 * ETHER), 0, "deny.cap_exceeded"),
        ] {
            assert_eq!(verdict(&ask(kind, seconds).of(&engine))[0], expected);
        }
        let signed = EffectKind::Transfer {
            asset: keystead_intent::Asset::Token(TOKEN),
            from: ACCOUNT,
            to: FRIEND,
            amount: Amount::ZERO,
        };
        assert_eq!(charges(ask(signed, 0).of(&engine)), [], "nothing is worth nothing, whatever the price");
    }
}
