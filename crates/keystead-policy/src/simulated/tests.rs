//! What runs and bytes say of the same transaction.

use alloy_primitives::B256;
use keystead_intent::{BalanceChange, Ending, NotTaken, OpaqueReason};

use super::*;
use crate::Facts;
use crate::fixture::{
    ACCOUNT, Ask, ETHER, FRIEND, STRANGER, TOKEN, UNLISTED, allow, name, pay, pay_token, rule,
    simulation_rule, usdc, verdict, version,
};
use crate::vocabulary::RUN_ATTRIBUTES;

fn engine() -> Engine {
    let mut version = version();
    version.simulation = Some(simulation_rule());
    Engine::compile(version).unwrap()
}

fn lost(asset: Asset, amount: impl Into<Amount>) -> BalanceChange {
    let before = Amount(U256::MAX);
    let after = before.checked_sub(amount.into()).unwrap();
    BalanceChange { account: ACCOUNT, asset, id: None, before, after }
}

fn run(balances: Vec<BalanceChange>) -> Run {
    Run { balances, ..Run::without_changes(Ending::Succeeded, 21_000, 0) }
}

fn gained(token: Address, holder: Address, after: u64) -> RightChange {
    let right = Right::Allowance { before: Amount::ZERO, after: after.into() };
    RightChange { owner: ACCOUNT, token, holder, right }
}

fn asked(kinds: Vec<EffectKind>, run: Run) -> Vec<String> {
    verdict(&Ask::new("hot", kinds).with(|it| it.run = Some(run)).of(&engine()))
}

#[test]
fn s02_what_a_run_takes_beyond_the_bytes_is_refused() {
    let token = Asset::Token(TOKEN);
    let pass = ["pass 0"].as_slice();
    for (kind, balances, expected) in [
        (pay(FRIEND, 5), vec![lost(Asset::Native, 5_u64)], pass),
        (pay(FRIEND, 5), vec![lost(Asset::Native, 4_u64)], pass),
        (pay(FRIEND, 5), vec![lost(Asset::Native, 6_u64)], &["deny.simulation_takes_more"]),
        (pay(FRIEND, 5), vec![lost(token, 1_u64)], &["deny.simulation_takes_more"]),
        (pay_token(FRIEND, usdc(1)), vec![lost(token, usdc(1))], pass),
        (
            pay_token(FRIEND, usdc(1)),
            vec![lost(Asset::Token(UNLISTED), 1_u64), lost(token, usdc(2))],
            &["deny.simulation_takes_more", "deny.simulation_takes_more"],
        ),
    ] {
        assert_eq!(asked(vec![kind.clone()], run(balances)), expected, "{kind:?}");
    }
}

#[test]
fn s02_the_same_asset_of_another_account_is_not_covered() {
    let other = BalanceChange { account: FRIEND, ..lost(Asset::Native, 5_u64) };
    assert_eq!(asked(vec![pay(FRIEND, 5)], run(vec![other])), ["deny.simulation_takes_more"]);
}

#[test]
fn s02_a_right_that_the_bytes_do_not_state_is_refused() {
    let with = |rights| Run { rights, ..run(vec![]) };
    let lends = |amount| vec![EffectKind::Allowance(allow(FRIEND, amount))];
    for (kinds, right, expected) in [
        (lends(5), gained(TOKEN, FRIEND, 5), "pass 1"),
        (lends(5), gained(TOKEN, FRIEND, 6), "deny.simulation_gives_right"),
        (lends(5), gained(TOKEN, STRANGER, 5), "deny.simulation_gives_right"),
        (lends(5), gained(UNLISTED, FRIEND, 5), "deny.simulation_gives_right"),
        (vec![pay(FRIEND, 5)], gained(TOKEN, FRIEND, 1), "deny.simulation_gives_right"),
    ] {
        assert_eq!(asked(kinds, with(vec![right])), [expected], "{right:?}");
    }
    let operator =
        RightChange { right: Right::Operator { before: false, after: true }, ..gained(TOKEN, FRIEND, 0) };
    assert_eq!(asked(lends(5), with(vec![operator])), ["deny.simulation_gives_right"]);
}

/// What the run alone has against it.
fn against(kind: EffectKind, run: Run) -> Vec<String> {
    of_the_run(vec![kind], run)
}

fn of_the_run(kinds: Vec<EffectKind>, run: Run) -> Vec<String> {
    let all = asked(kinds, run);
    all.into_iter().filter(|code| code.starts_with("deny.simulation")).collect()
}

#[test]
fn s02_a_numbered_token_is_no_other_one() {
    let (token, from, to) = (UNLISTED, ACCOUNT, FRIEND);
    let nft = |id: u64| EffectKind::NftTransfer { token, from, to, id: id.into() };
    let pieces = |id: u64| EffectKind::MultiTokenTransfer { token, from, to, id: id.into(), amount: ONE };
    let of = |id: u64| BalanceChange { id: Some(id.into()), ..lost(Asset::Token(token), 1_u64) };
    let got = |id: u64| {
        let it = of(id);
        BalanceChange { before: it.after, after: it.before, ..it }
    };
    let count = lost(Asset::Token(token), 1_u64);
    for (kind, balances, passes) in [
        (nft(1), vec![count, of(1)], true),
        (nft(2), vec![count, of(1)], false),
        // A swap for junk leaves no other number of them.
        (nft(2), vec![of(1), got(9999)], false),
        (pay(FRIEND, 5), vec![of(1), got(9999)], false),
        (pieces(1), vec![of(1)], true),
        (pieces(2), vec![of(1)], false),
    ] {
        let expected = if passes { vec![] } else { vec!["deny.simulation_takes_more"] };
        assert_eq!(against(kind.clone(), run(balances)), expected, "{kind:?}");
    }
    assert_eq!(net(&run(vec![of(1), got(9999)]))[&Asset::Token(token)], ONE);
    assert_eq!(net(&run(vec![count, of(1)]))[&Asset::Token(token)], ONE);
    assert_eq!(net(&run(vec![of(1), of(2)]))[&Asset::Token(token)], Amount::from(2_u64));
}

#[test]
fn s02_each_kind_of_right_is_stated_by_its_own_effect_alone() {
    let (owner, token, id) = (ACCOUNT, TOKEN, ONE);
    let allows = |increase, amount| EffectKind::Allowance(Allowance { increase, amount, ..allow(FRIEND, 0) });
    let picture = |id: u64| EffectKind::NftApproval { token, owner, spender: FRIEND, id: id.into() };
    let operator = |approved| EffectKind::OperatorApproval { token, owner, operator: FRIEND, approved };
    let five = Amount::from(5_u64);
    let more = |after: u64| Right::Allowance { before: five, after: after.into() };
    let nft = Right::Nft { id, before: false, after: true };
    let all = Right::Operator { before: false, after: true };
    for (kind, right, holder, passes) in [
        (allows(true, five), more(10), FRIEND, true),
        (allows(true, five), more(11), FRIEND, false),
        (allows(false, five), more(6), FRIEND, false),
        (allows(false, Amount::MAX), more(11), FRIEND, true),
        (picture(1), nft, FRIEND, true),
        (picture(2), nft, FRIEND, false),
        (picture(1), nft, STRANGER, false),
        (picture(1), all, FRIEND, false),
        (operator(true), all, FRIEND, true),
        (operator(true), all, STRANGER, false),
        (operator(false), all, FRIEND, false),
        (operator(true), nft, FRIEND, false),
    ] {
        let gained = RightChange { owner, token, holder, right };
        let expected = if passes { vec![] } else { vec!["deny.simulation_gives_right"] };
        let run = Run { rights: vec![gained], ..run(vec![]) };
        assert_eq!(against(kind.clone(), run), expected, "{kind:?} {right:?}");
    }
    let elsewhere = RightChange { owner: FRIEND, token, holder: FRIEND, right: more(6) };
    let run = Run { rights: vec![elsewhere], ..run(vec![]) };
    assert_eq!(against(allows(true, five), run), ["deny.simulation_gives_right"]);
}

/// A call that nobody understands, with so many coins.
fn opaque(wei: u64) -> EffectKind {
    let (to, value, data_hash) = (Some(UNLISTED), wei.into(), B256::ZERO);
    EffectKind::Opaque { to, value, data_hash, reason: OpaqueReason::UnknownSelector }
}

#[test]
fn s02_what_is_not_understood_hides_nothing_beside_it() {
    let (caller, target) = (STRANGER, UNLISTED);
    let foreign = EffectKind::DelegateCall { caller, target };
    let own = EffectKind::DelegateCall { caller: ACCOUNT, target };
    let blind = EffectKind::BlindDigest { digest: B256::ZERO };
    let coins = |wei: u64| lost(Asset::Native, wei);
    let tokens = lost(Asset::Token(TOKEN), 1_u64);
    let of = |account, it| BalanceChange { account, ..it };
    for (kinds, balance, passes) in [
        (vec![opaque(5)], coins(5), true),
        (vec![opaque(5)], coins(6), false),
        (vec![pay(FRIEND, 5), opaque(2)], coins(7), true),
        (vec![pay(FRIEND, 5), opaque(2)], coins(8), false),
        (vec![opaque(5)], tokens, true),
        (vec![opaque(5)], of(FRIEND, tokens), false),
        (vec![opaque(5)], of(FRIEND, coins(1)), false),
        (vec![foreign.clone()], of(STRANGER, coins(9)), true),
        (vec![foreign.clone()], of(STRANGER, tokens), true),
        (vec![foreign.clone()], tokens, true),
        (vec![foreign.clone()], coins(1), false),
        (vec![foreign], of(FRIEND, tokens), false),
        (vec![own], coins(9), true),
        (vec![blind], coins(9), true),
        (vec![pay(FRIEND, 5)], tokens, false),
    ] {
        let expected = if passes { vec![] } else { vec!["deny.simulation_takes_more"] };
        assert_eq!(of_the_run(kinds.clone(), run(vec![balance])), expected, "{kinds:?} {balance:?}");
    }
    for (owner, passes) in [(ACCOUNT, true), (FRIEND, false)] {
        let run = Run { rights: vec![RightChange { owner, ..gained(TOKEN, STRANGER, 1) }], ..run(vec![]) };
        let expected = if passes { vec![] } else { vec!["deny.simulation_gives_right"] };
        assert_eq!(of_the_run(vec![opaque(0)], run), expected);
    }
}

#[test]
fn d03_only_what_rules_say_waits_for_a_run_and_only_where_they_look_at_one() {
    let (hot, cold) = (name("hot"), name("cold"));
    let lacking = Reason::NoRulePermits { effect: 0, class: DangerClass::Transfer };
    let unknown = Reason::DestinationUnknown { address: STRANGER };
    let cap = Reason::KeyUnknown { key: hot.clone() };
    for looks in RUN_ATTRIBUTES.map(Some).into_iter().chain([None]) {
        let mut version = version();
        let text = looks.map_or("context.depth == 0".to_owned(), |name| format!("context has {name}"));
        let scope = "principal, action in Action::\"sign\", resource == Key::\"hot\"";
        version.rules = vec![rule("only", &format!("permit({scope}) when {{ {text} }};"))];
        let engine = Engine::compile(version).unwrap();
        for (key, reasons, could) in [
            (&hot, vec![], true),
            (&hot, vec![lacking.clone(), unknown.clone()], looks.is_some()),
            (&hot, vec![lacking.clone(), cap.clone()], false),
            (&cold, vec![lacking.clone()], false),
        ] {
            assert_eq!(engine.could_pass_when_run(key, &reasons), could, "{looks:?} {key} {reasons:?}");
        }
    }
}

/// Each way to end, as rules name it: what fails, what was cut, and what there is nothing to run of.
#[test]
fn what_fails_passes_only_where_policy_lets_it() {
    let ended = |ending| Some(Run::without_changes(ending, 1, 0));
    let cut = Some(Run { cut: true, ..run(vec![]) });
    let (passes, fails) = ("pass 0", "deny.simulation_fails");
    for (word, ran, strictly, leniently) in [
        ("succeeds", ended(Ending::Succeeded), passes, passes),
        ("reverts", ended(Ending::Reverted { data: Vec::new().into() }), fails, passes),
        ("halts", ended(Ending::Halted), fails, passes),
        ("not_taken", ended(Ending::NotTaken(NotTaken::Funds)), fails, passes),
        // Nobody can tell all that it does: no policy takes that for a run.
        ("cut", cut, fails, fails),
        ("not_applicable", None, passes, passes),
    ] {
        for (may_fail, expected) in [(false, strictly), (true, leniently)] {
            let mut version = version();
            version.simulation = Some(SimulationRule { may_fail, ..simulation_rule() });
            let engine = Engine::compile(version).unwrap();
            let ask = Ask::new("hot", vec![pay(FRIEND, 5)]);
            let simulation = ran.as_ref().map_or(Simulated::NotApplicable, Simulated::Ran);
            assert_eq!(simulation.word(), word);
            let facts = Facts { simulation, ..ask.facts() };
            let ruling = engine.decide(&ask.question(&facts));
            assert_eq!(verdict(&ruling), [expected], "{word}, may fail: {may_fail}");
        }
    }
}

#[test]
fn rules_see_what_a_run_does_and_think_the_worst_of_none() {
    for (condition, unknown, known) in [
        ("context.simulation == \"none\"", true, false),
        ("context.simulation == \"succeeds\"", false, true),
        ("context.simulated_out <= 5", false, true),
        ("context.simulated_out <= 4", false, false),
        ("context.gains_approval", true, true),
        ("context.creates", true, false),
        ("context.simulated_assets_out.contains(\"native\")", false, true),
        ("context.simulated_out_fiat < 1000", false, false),
    ] {
        let mut version = version();
        let text = format!("permit(principal, action in Action::\"sign\", resource) when {{ {condition} }};");
        version.rules = vec![rule("only", &text)];
        let engine = Engine::compile(version).unwrap();
        let ask = || Ask::new("hot", vec![pay(FRIEND, ETHER)]);
        let ran = Run { rights: vec![gained(TOKEN, FRIEND, 1)], ..run(vec![lost(Asset::Native, 5_u64)]) };
        for (ask, expected) in [(ask(), unknown), (ask().with(|it| it.run = Some(ran)), known)] {
            let permitted = !verdict(&ask.of(&engine)).contains(&"deny.no_rule_permits".to_owned());
            assert_eq!(permitted, expected, "{condition}");
        }
    }
}
