//! What rules, destinations, chains and annotations let pass, effect by effect.

use alloy_primitives::{Address, B256};
use keystead_base::Timestamp;
use keystead_intent::{
    Allowance, AuthorityKind, OpaqueReason, TypedDomain, TypedField, TypedForm, TypedValue,
};

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
        let context = judgement.context(&Standing::Free, Wanted::All).unwrap();
        context.validate(schema, &"Action::\"contract_call\"".parse().unwrap()).unwrap();
    }
}

/// An order of a venue: one primary type of one verifying contract.
fn order(contract: Address, primary: &str, amount: u64) -> TypedForm {
    let field = |path: &str, value| TypedField { path: path.to_owned(), value };
    TypedForm {
        primary_type: primary.to_owned(),
        domain: TypedDomain {
            name: Some("Venue".to_owned()),
            version: Some("2".to_owned()),
            chain: Some(Amount::from(CHAIN.0)),
            verifying_contract: Some(contract),
            salt: None,
        },
        fields: vec![
            field("maker", TypedValue::Address(ACCOUNT)),
            field("sellAmount", TypedValue::Uint(Amount::from(amount))),
            field("legs.length", TypedValue::Uint(Amount::from(1_u64))),
            field("legs[0].memo", TypedValue::Text("hello".to_owned())),
        ],
    }
}

/// What a rule says to typed data that nobody else understands.
fn typed(engine: &Engine, form: TypedForm) -> String {
    let ask = Ask::new("hot", vec![opaque()]).with(|it| {
        it.action = ActionKind::TypedData;
        it.effects.items[0].selector = None;
        it.effects.typed = Some(form);
    });
    verdict(&ask.of(engine)).remove(0)
}

#[test]
fn s02_a_rule_allows_one_primary_type_of_one_verifying_contract_only() {
    let contract = lower_hex(TOKEN);
    let text = format!(
        r#"@opaque("{contract}/eip712") permit(principal, action == Action::"typed_data", resource == Key::"hot")
           when {{ context.primary_type == "Order" && context.verifying_contract == "{contract}"
                  && context.domain_name == "Venue" && context.domain_version == "2" && context.domain_chain == 1
                  && context.fields.hasTag("sellAmount") && context.fields.getTag("sellAmount").number <= 100
                  && context.fields.hasTag("maker")
                  && context.fields.getTag("maker").text == "{maker}" }};"#,
        maker = lower_hex(ACCOUNT),
    );
    let mut version = version();
    version.rules.push(rule("orders", &text));
    version.quorums.push(crate::fixture::row("orders", &["hot"], &[DangerClass::Opaque], None, &[], 0));
    let engine = Engine::compile(version.into_canonical()).unwrap();
    let good = || order(TOKEN, "Order", 100);
    assert_eq!(typed(&engine, good()), "pass 0");
    assert_eq!(typed(&engine, order(TOKEN, "Cancel", 100)), "deny.no_rule_permits");
    assert_eq!(typed(&engine, order(UNLISTED, "Order", 100)), "deny.no_rule_permits");
    assert_eq!(typed(&engine, order(TOKEN, "Order", 101)), "deny.no_rule_permits");
    for change in [
        (|it| it.domain.name = None) as fn(&mut TypedForm),
        |it| it.domain.version = Some("1".to_owned()),
        |it| it.domain.chain = None,
        |it| it.domain.chain = Some(Amount::MAX),
        |it| it.fields[0].value = TypedValue::Address(STRANGER),
        |it| it.fields[0].path = "taker".to_owned(),
        |it| it.fields[1].value = TypedValue::Uint(Amount::MAX),
        |it| it.fields.clear(),
    ] {
        let mut form = good();
        change(&mut form);
        assert_eq!(typed(&engine, form.clone()), "deny.no_rule_permits", "{form:?}");
    }
}

#[test]
fn a_rule_names_contract_selector_and_arguments_of_a_call() {
    let contract = lower_hex(TOKEN);
    let text = format!(
        r#"@opaque("{contract}/0x01020304") permit(principal, action == Action::"contract_call", resource == Key::"hot")
           when {{ context.contract == "{contract}" && context.selector == "0x01020304"
                  && context.fields.hasTag("0") && context.fields.getTag("0").text == "{friend}"
                  && context.fields.hasTag("1") && context.fields.getTag("1").number <= 7
                  && !context.fields.hasTag("2") }};"#,
        friend = lower_hex(FRIEND.into_word()),
    );
    let mut version = version();
    version.rules.push(rule("stake", &text));
    version.quorums.push(crate::fixture::row("stake", &["hot"], &[DangerClass::Opaque], None, &[], 0));
    let engine = Engine::compile(version.into_canonical()).unwrap();
    let word = |number: u64| B256::from(U256::from(number));
    for (arguments, expected) in [
        (vec![FRIEND.into_word(), word(7)], "pass 0"),
        (vec![FRIEND.into_word(), word(8)], "deny.no_rule_permits"),
        (vec![FRIEND.into_word(), B256::repeat_byte(0xff)], "deny.no_rule_permits"),
        (vec![STRANGER.into_word(), word(7)], "deny.no_rule_permits"),
        (vec![FRIEND.into_word(), word(7), word(0)], "deny.no_rule_permits"),
        (vec![FRIEND.into_word()], "deny.no_rule_permits"),
    ] {
        let ask = Ask::new("hot", vec![opaque()]).with(|it| it.effects.items[0].arguments = arguments);
        assert_eq!(verdict(&ask.of(&engine)), [expected]);
    }
}

#[test]
fn a_rule_speaks_of_business_hours_in_block_time_with_a_fixed_offset() {
    // 08:00 to 18:00 at UTC-5, Monday to Friday: the day begins at 13:00 UTC.
    let engine = engine_with(&[(
        "hours",
        r#"forbid(principal, action in Action::"sign", resource == Key::"hot")
           unless { context.weekday <= 5 && context.hour >= 13 && context.hour < 23 };"#,
    )]);
    let hour = 3_600_000;
    let midnight = NOW.0 - NOW.0 % (24 * hour);
    for (day, hours, expected) in [
        (0, 13, "pass 0"),
        (0, 23, "deny.forbidden"),
        (0, 12, "deny.forbidden"),
        (4, 22, "pass 0"),
        (5, 15, "deny.forbidden"),
        (6, 15, "deny.forbidden"),
        (7, 15, "pass 0"),
    ] {
        let now = Timestamp(midnight + (day * 24 + hours) * hour);
        let ask = Ask::new("hot", vec![pay(FRIEND, 1)]).with(|it| it.now = now);
        assert_eq!(verdict(&ask.of(&engine)), [expected], "day {day}, hour {hours}");
    }
}

#[test]
fn a_rule_keeps_duties_apart_by_role() {
    let mut version = version();
    let text =
        r#"forbid(principal, action in Action::"sign", resource) when { principal in Role::"auditor" };"#;
    version.rules.push(rule("auditors-sign-nothing", text));
    version.roster.services[0].roles = vec![name("auditor"), name("trader")];
    let engine = Engine::compile(version.into_canonical()).unwrap();
    assert_eq!(verdict(&Ask::new("hot", vec![pay(FRIEND, 1)]).of(&engine)), ["deny.forbidden"]);
}

#[test]
fn s12_a_cooling_entry_does_not_pass_whatever_moment_it_names() {
    let mut next = version();
    next.address_book[0].name = name("renamed");
    let engine = Engine::compile(next.clone()).unwrap();
    let cooling = crate::Cooling::default().after(&version(), &next, NOW);
    for (seconds, expected) in
        [(0, "deny.destination_cooling"), (3599, "deny.destination_cooling"), (3600, "pass 0")]
    {
        let ask = Ask::new("hot", vec![pay(FRIEND, 5)]).with(|it| {
            it.cooling = cooling.clone();
            it.now = NOW.plus_seconds(seconds);
        });
        assert_eq!(verdict(&ask.of(&engine)), [expected]);
    }
}
