//! What rules, destinations, chains and annotations let pass, effect by effect.

use keystead_intent::{Allowance, AuthorityKind, OpaqueReason};

use super::*;
use crate::fixture::{
    ACCOUNT, Ask, CHAIN, ETHER, FRIEND, NOW, OTHER_CHAIN, STRANGER, TOKEN, UNLISTED, YOUNG, allow, name, pay,
    pay_token, rule, usdc, verdict, version,
};

fn engine_with(rules: &[(&str, &str)]) -> Engine {
    let mut version = version();
    version.rules.extend(rules.iter().map(|(id, cedar)| rule(id, cedar)));
    Engine::compile(version.into_canonical()).unwrap()
}

fn opaque() -> EffectKind {
    EffectKind::Opaque {
        to: Some(TOKEN),
        value: Amount::ZERO,
        data_hash: Default::default(),
        reason: OpaqueReason::UnknownSelector,
    }
}

fn lend(allowance: Allowance) -> EffectKind {
    EffectKind::Allowance(allowance)
}

#[test]
fn s12_a_destination_is_known_or_named_by_a_rule() {
    let engine = engine_with(&[]);
    let anywhere = engine_with(&[(
        "anywhere",
        r#"@any_destination("true") permit(principal, action in Action::"sign", resource)
           when { context.amount <= 5 };"#,
    )]);
    let operator = |operator, approved| EffectKind::OperatorApproval {
        token: TOKEN,
        owner: ACCOUNT,
        operator,
        approved,
    };
    let owner = |subject| EffectKind::Authority { change: AuthorityKind::Owner, target: TOKEN, subject };
    let call = |target| EffectKind::DelegateCall { caller: ACCOUNT, target };
    let unknown = "deny.destination_unknown";
    for (key, kind, expected, anywhere_expected) in [
        ("hot", pay(FRIEND, 5), "pass 0", "pass 0"),
        ("hot", pay(ACCOUNT, 5), "pass 0", "pass 0"),
        ("hot", pay(STRANGER, 5), unknown, "pass 0"),
        ("hot", pay(STRANGER, 6), unknown, unknown),
        ("hot", pay(YOUNG, 5), "deny.destination_cooling", "pass 0"),
        ("hot", pay_token(STRANGER, usdc(1)), unknown, unknown),
        ("hot", lend(allow(FRIEND, 5)), "pass 1", "pass 1"),
        ("hot", lend(allow(STRANGER, 6)), unknown, unknown),
        ("hot", lend(allow(STRANGER, 0)), "pass 1", "pass 1"),
        ("hot", lend(Allowance { increase: true, ..allow(STRANGER, 0) }), unknown, "pass 1"),
        ("warm", operator(STRANGER, false), "pass 0", "pass 0"),
        ("warm", owner(Some(STRANGER)), unknown, "pass 2"),
        ("warm", owner(None), "pass 2", "pass 2"),
        ("warm", owner(Some(ACCOUNT)), unknown, "pass 2"),
    ] {
        let ask = Ask::new(key, vec![kind.clone()]);
        assert_eq!(verdict(&ask.of(&engine)), [expected], "{kind:?}");
        assert_eq!(verdict(&ask.of(&anywhere)), [anywhere_expected], "{kind:?} with a rule for anywhere");
    }
    let strange_code = Ask::new("warm", vec![call(STRANGER)]).of(&engine);
    assert_eq!(verdict(&strange_code), [unknown, "deny.cap_exceeded"]);
}

#[test]
fn s12_the_cool_off_ends_at_its_moment() {
    let engine = engine_with(&[]);
    for (now, expected) in [(NOW.0, "deny.destination_cooling"), (NOW.0 + 1, "pass 0")] {
        let ask = Ask::new("hot", vec![pay(YOUNG, 1)]).with(|it| it.now.0 = now);
        assert_eq!(verdict(&ask.of(&engine)), [expected], "{now}");
    }
    // The book names an address on one chain, and says nothing of another.
    let elsewhere = Ask::new("hot", vec![pay(FRIEND, 1)]).with(|it| it.effects.chain = OTHER_CHAIN);
    assert_eq!(verdict(&elsewhere.of(&engine)), ["deny.destination_unknown"]);
}

#[test]
fn s02_what_is_not_understood_passes_only_by_its_exact_name() {
    let call = "0x2020202020202020202020202020202020202020";
    for (annotation, action, selector, expected) in [
        ("", ActionKind::ContractCall, Some([1, 2, 3, 4]), "deny.opaque"),
        ("/0x01020304", ActionKind::ContractCall, Some([1, 2, 3, 4]), "pass 0"),
        ("/0x01020304", ActionKind::ContractCall, Some([1, 2, 3, 5]), "deny.opaque"),
        ("/0x01020304", ActionKind::TypedData, None, "deny.opaque"),
        ("/eip712", ActionKind::TypedData, None, "pass 0"),
        ("/eip712", ActionKind::ContractCall, None, "deny.opaque"),
        ("/none", ActionKind::ContractCall, None, "pass 0"),
    ] {
        let note =
            if annotation.is_empty() { String::new() } else { format!("@opaque(\"{call}{annotation}\")") };
        let text =
            format!("{note} permit(principal, action in Action::\"sign\", resource == Key::\"warm\");");
        let engine = engine_with(&[("named", &text)]);
        let ask = Ask::new("warm", vec![opaque()]).with(|it| {
            it.action = action;
            it.effects.items[0].selector = selector;
        });
        assert_eq!(verdict(&ask.of(&engine)), [expected], "{annotation} {selector:?}");
    }
    let blind = || Ask::new("warm", vec![EffectKind::BlindDigest { digest: Default::default() }]);
    assert_eq!(verdict(&blind().of(&engine_with(&[]))), ["deny.blind_digest"]);
    let text = r#"@blind("true") permit(principal, action, resource == Key::"warm");"#;
    assert_eq!(verdict(&blind().of(&engine_with(&[("blind", text)]))), ["pass 0"]);
}

#[test]
fn the_annotation_of_a_rule_that_does_not_permit_opens_nothing() {
    let text = r#"@any_destination("true") permit(principal, action in Action::"sign", resource == Key::"hot")
                  when { context.amount > 5 };"#;
    let engine = engine_with(&[("anywhere", text)]);
    assert_eq!(verdict(&Ask::new("hot", vec![pay(STRANGER, 5)]).of(&engine)), ["deny.destination_unknown"]);
    assert_eq!(verdict(&Ask::new("hot", vec![pay(STRANGER, 6)]).of(&engine)), ["pass 0"]);
}

#[test]
fn s08_a_chain_is_configured_or_nothing_is_signed() {
    let engine = engine_with(&[]);
    let delegation = |chain| EffectKind::Delegation {
        authority: Some(ACCOUNT),
        delegate: Default::default(),
        chain,
        nonce: 0,
    };
    for (chain, kind, expected) in [
        (ChainId(5), pay(ACCOUNT, 1), "deny.chain_not_allowed"),
        (OTHER_CHAIN, pay(ACCOUNT, 1), "pass 0"),
        (CHAIN, delegation(CHAIN), "pass 2"),
        (CHAIN, delegation(ChainId(0)), "deny.chain_not_allowed"),
        (CHAIN, delegation(OTHER_CHAIN), "deny.chain_not_allowed"),
    ] {
        let kind_text = format!("{kind:?}");
        let key = if matches!(kind, EffectKind::Delegation { .. }) { "warm" } else { "hot" };
        let ask = Ask::new(key, vec![kind]).with(|it| it.effects.chain = chain);
        assert_eq!(verdict(&ask.of(&engine)), [expected], "{chain} {kind_text}");
    }
}

#[test]
fn one_bad_effect_among_good_ones_denies_all() {
    let engine = engine_with(&[]);
    let mut kinds = vec![pay(FRIEND, 1); 8];
    kinds[5] = lend(Allowance { by_signature: true, ..allow(FRIEND, 1) });
    let ruling = Ask::new("hot", kinds).of(&engine);
    assert_eq!(verdict(&ruling), ["deny.forbidden"]);
    assert_eq!(ruling.rules(), [name("no-permits")], "the rule that denies is named");
    assert_eq!(verdict(&Ask::new("hot", Vec::new()).of(&engine)), ["deny.no_rule_permits",][..1]);
}

#[test]
fn amounts_are_seen_by_rules_exactly_or_as_too_much() {
    let most = u128::from(i64::MAX.unsigned_abs());
    let limited = |condition: &str| {
        let text =
            format!("forbid(principal, action in Action::\"sign\", resource) unless {{ {condition} }};");
        engine_with(&[("limit", &text)])
    };
    for (condition, kind, passes) in [
        ("context.amount <= 100", pay(FRIEND, 100), true),
        ("context.amount <= 100", pay(FRIEND, 101), false),
        ("context.amount <= 9223372036854775806", pay(FRIEND, most - 1), true),
        ("context.amount <= 9223372036854775806", pay(FRIEND, most), false),
        ("context.amount <= 9223372036854775806", pay(FRIEND, most + 1), false),
        ("context.amount_micro <= 900000", pay(FRIEND, ETHER / 10 * 9), true),
        ("context.amount_micro <= 900000", pay(FRIEND, ETHER / 10 * 9 + 1), false),
        ("context.amount_micro <= 7000000", pay_token(FRIEND, usdc(7)), true),
        ("context.amount_micro <= 6999999", pay_token(FRIEND, usdc(7)), false),
        (
            "context.amount_micro <= 9223372036854775806",
            EffectKind::Transfer {
                asset: Asset::Token(UNLISTED),
                from: ACCOUNT,
                to: FRIEND,
                amount: Amount::from(1_u64),
            },
            false,
        ),
        ("context.fee_micro <= 1000", pay(FRIEND, 1), true),
        ("context.hour == 20 && context.weekday == 1", pay(FRIEND, 1), true),
        ("context.hour < 20 || context.weekday > 5", pay(FRIEND, 1), false),
        ("context.destination_name == \"friend\"", pay(FRIEND, 1), true),
        ("context.symbol == \"USDC\" && context.asset like \"0x2020*\"", pay_token(FRIEND, usdc(1)), true),
        ("context.contract == \"0x2020202020202020202020202020202020202020\"", pay(FRIEND, 1), true),
        ("context.selector == \"0x01020304\" && context.depth == 0", pay(FRIEND, 1), true),
        ("context.effects == 1 && context.request_class == \"transfer\"", pay(FRIEND, 1), true),
        ("principal.person", pay(FRIEND, 1), false),
        ("context.assurance == \"process\"", pay(FRIEND, 1), true),
    ] {
        let ask = Ask::new("hot", vec![kind]).with(|it| it.effects.fee.max = Amount::from(ETHER / 1000));
        let found = verdict(&ask.of(&limited(condition)));
        let expected = if passes { "pass" } else { "deny.forbidden" };
        assert!(found[0].starts_with(expected), "{condition}: {found:?}");
    }
}

#[test]
fn every_context_fits_the_schema() {
    let engine = engine_with(&[]);
    let ask = Ask::new("hot", vec![pay(FRIEND, u128::MAX), lend(allow(STRANGER, 1)), opaque()]);
    let facts = ask.facts();
    let question = ask.question(&facts);
    let schema = crate::vocabulary::schema().unwrap();
    for (place, effect) in (0..).zip(&ask.effects.items) {
        let judgement = Judgement {
            engine: &engine,
            question: &question,
            effects: &ask.effects,
            effect,
            aspect: Aspect::of(effect),
            place,
        };
        let context = judgement.context(&Standing::Free).unwrap();
        context.validate(schema, &"Action::\"contract_call\"".parse().unwrap()).unwrap();
    }
}
