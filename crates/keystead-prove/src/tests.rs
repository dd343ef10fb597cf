//! What cvc5 says of the fixture's policy, and of versions of it that are wrong in one place.

use keystead_base::{Amount, Coded as _};
use keystead_fixture::{CHAIN, Desk, ETHER, name};
use keystead_intent::{Asset, ChainId, DangerClass};
use keystead_policy::{FeeCap, Measure, PolicyVersion, Rule, Threshold};

use crate::{Label, Part, Properties, Prover, Theorem, parts};

const PROPERTIES: &str = r#"
@id("two-over-two-ether") @note("Over two ether always two approvals")
forbid(principal, action in Action::"sign", resource)
  when { context.asset == "native" && !context.to_itself && context.amount_micro > 2000000 && context.approvals < 2 };
@id("nobody-alone") @note("Nobody approves their own")
forbid(principal, action, resource) when { context.requester_approves };
@id("authority-by-two") @note("No authority changes without two approvers")
forbid(principal, action == Action::"authority", resource) when { context.approved["approver"] < 2 };
@id("only-transfers") @note("Nobody is given a right to take more")
forbid(principal, action in Action::"sign", resource) when { context.class == "unlimited_allowance" };
@id("vetoed") @note("What a vetoer stopped does not pass")
forbid(principal, action, resource) when { context.vetoed_by.contains("vetoer") };
"#;

fn policy() -> PolicyVersion {
    Desk::default().policy()
}

fn changed(change: impl FnOnce(&mut PolicyVersion)) -> PolicyVersion {
    let mut version = policy();
    change(&mut version);
    version.into_canonical()
}

fn rule(id: &str, cedar: &str) -> Rule {
    Rule { id: name(id), cedar: cedar.to_owned() }
}

/// The names of the properties that do not hold.
async fn refuted(version: &PolicyVersion) -> Vec<String> {
    let properties = Properties::read(PROPERTIES).unwrap();
    let findings = Prover::start().unwrap().properties(version, &properties).await.unwrap();
    assert_eq!(findings.len(), properties.len());
    let name = |theorem: Theorem| match theorem {
        Theorem::Property { id, .. } => id,
        Theorem::NeverFails { rule } => rule,
    };
    findings.into_iter().filter(|it| !it.holds()).map(|it| name(it.theorem)).collect()
}

#[tokio::test]
async fn s09_stated_properties_are_proven_of_a_sound_policy() {
    assert_eq!(refuted(&policy()).await, Vec::<String>::new());
}

#[tokio::test]
async fn s09_a_row_that_asks_for_one_too_few_is_found() {
    let version = changed(|it| {
        let row = it.quorums.iter_mut().find(|row| row.id == name("large-two")).unwrap();
        row.needs[0].count = 1;
    });
    assert_eq!(refuted(&version).await, ["two-over-two-ether"]);
    let version = changed(|it| it.quorums.iter_mut().for_each(|row| row.vetoers.clear()));
    assert_eq!(refuted(&version).await, ["vetoed"]);
    let version = changed(|it| {
        it.rules.push(rule("any", "permit(principal, action in Action::\"sign\", resource) when { context.class == \"unlimited_allowance\" };"));
        let row = it.quorums.iter_mut().find(|row| row.id == name("anything-small")).unwrap();
        row.classes.push(DangerClass::UnlimitedAllowance);
    });
    // Whoever may take everything later may take two ether.
    assert_eq!(refuted(&version).await, ["two-over-two-ether", "only-transfers"]);
}

#[tokio::test]
async fn s09_a_threshold_one_unit_too_high_is_found() {
    let with = |amount: u128| {
        changed(|it| {
            let row = it.quorums.iter_mut().find(|row| row.id == name("large-two")).unwrap();
            let measure = Measure::Asset { chain: CHAIN, asset: Asset::Native };
            row.from = Some(Threshold { measure, amount: Amount::from(amount) });
        })
    };
    // Two ether and a millionth are the first that the property speaks of: of two ether and a wei it says so, too,
    // rounded up.
    assert_eq!(refuted(&with(2 * ETHER)).await, Vec::<String>::new());
    assert_eq!(refuted(&with(3 * ETHER)).await, ["two-over-two-ether"]);
}

#[tokio::test]
async fn what_refutes_is_shown() {
    let version = changed(|it| it.quorums.iter_mut().for_each(|row| row.vetoers.clear()));
    let properties = Properties::read(PROPERTIES).unwrap();
    let findings = Prover::start().unwrap().properties(&version, &properties).await.unwrap();
    let witness = findings.iter().find_map(|it| it.refuted_by.as_ref()).unwrap();
    assert!(witness.principal.starts_with("Member::"), "{witness:?}");
    assert_eq!(witness.context["vetoed_by"], serde_json::json!(["vetoer"]), "{witness:?}");
}

#[tokio::test]
async fn s02_a_rule_that_may_fail_is_found() {
    let sound = Prover::start().unwrap().failures(&policy()).await.unwrap();
    assert!(sound.iter().all(|it| it.holds()), "{sound:?}");
    let version = changed(|it| {
        it.rules.push(rule(
            "sums",
            "forbid(principal, action in Action::\"sign\", resource) when { context.depth + context.effects > 9 };",
        ));
    });
    let findings = Prover::start().unwrap().failures(&version).await.unwrap();
    let failing: Vec<_> = findings.iter().filter(|it| !it.holds()).map(|it| &it.theorem).collect();
    assert_eq!(failing, [&Theorem::NeverFails { rule: "sums".to_owned() }]);
}

#[tokio::test]
async fn a_property_that_may_fail_is_refused() {
    let text = "forbid(principal, action in Action::\"sign\", resource)
        when { context.amount_micro + context.fee_micro > 100 && context.approvals < 2 };";
    let properties = Properties::read(text).unwrap();
    let error = Prover::start().unwrap().properties(&policy(), &properties).await.unwrap_err();
    assert_eq!(error.code(), "prove.property");
}

#[tokio::test]
async fn s13_nothing_is_said_of_rules_that_may_fail() {
    let failing = "forbid(principal, action in Action::\"sign\", resource) when { context.depth + context.effects < 0 };";
    let version = changed(|it| it.rules.push(rule("fails", failing)));
    assert_eq!(label(&version, &policy()).await.0, Label::Neither);
}

async fn label(current: &PolicyVersion, next: &PolicyVersion) -> (Label, Vec<(Part, Label)>) {
    let proven = Prover::start().unwrap().compare(current, next).await.unwrap();
    let parts = parts(current, next, &proven);
    let all = parts.iter().fold(Label::Same, |all, it| all.and(it.label));
    (all, parts.iter().map(|it| (it.part, it.label)).collect())
}

#[tokio::test]
async fn s13_a_version_is_labeled_by_what_it_lets_pass() {
    let stricter_row = changed(|it| it.quorums.iter_mut().for_each(|row| row.delay_seconds += 5));
    let another_rule = changed(|it| {
        it.rules.push(rule("more", "permit(principal, action == Action::\"typed_data\", resource) when { context.class == \"transfer\" };"));
    });
    let another_forbid = changed(|it| {
        it.rules.push(rule(
            "less",
            "forbid(principal, action in Action::\"sign\", resource) when { context.depth > 3 };",
        ));
    });
    let both = changed(|it| {
        it.rules.clone_from(&another_rule.rules);
        it.quorums.clone_from(&stricter_row.quorums);
    });
    let worded = changed(|it| {
        for rule in &mut it.rules {
            rule.cedar =
                rule.cedar.replace("context.class == \"transfer\"", "!(\"transfer\" != context.class)");
        }
    });
    let another_chain = changed(|it| it.chains.push(ChainId(40_000)));
    for (what, next, expected) in [
        ("another delay", &stricter_row, Label::Tightens),
        ("another permit", &another_rule, Label::Loosens),
        ("another forbid", &another_forbid, Label::Tightens),
        ("a permit and a delay", &both, Label::Neither),
        ("other words", &worded, Label::Same),
        ("another chain", &another_chain, Label::Loosens),
    ] {
        assert_eq!(label(&policy(), next).await.0, expected, "{what}");
        let back = match expected {
            Label::Tightens => Label::Loosens,
            Label::Loosens => Label::Tightens,
            same => same,
        };
        assert_eq!(label(next, &policy()).await.0, back, "{what}, taken back");
    }
}

#[tokio::test]
async fn s13_parts_that_no_solver_sees_have_a_direction_of_their_own() {
    let of = async |change: fn(&mut PolicyVersion)| label(&policy(), &changed(change)).await.1;
    for (change, expected) in [
        (
            (|it| it.windows[0].limit = Amount::from(1_u64)) as fn(&mut PolicyVersion),
            (Part::Windows, Label::Tightens),
        ),
        (|it| drop(it.windows.remove(0)), (Part::Windows, Label::Loosens)),
        (|it| it.windows[0].id = name("afresh"), (Part::Windows, Label::Neither)),
        (|it| it.windows[0].span_seconds /= 2, (Part::Windows, Label::Loosens)),
        (|it| drop(it.address_book.remove(0)), (Part::AddressBook, Label::Tightens)),
        (|it| it.address_book[0].name = name("other"), (Part::AddressBook, Label::Neither)),
        (|it| it.timing.cool_off_seconds += 1, (Part::Timing, Label::Tightens)),
        (|it| it.timing.skew_seconds += 1, (Part::Timing, Label::Neither)),
        (|it| it.roster.people.retain(|person| person.name != name("dora")), (Part::Roster, Label::Tightens)),
        (
            |it| it.roster.people.iter_mut().for_each(|person| person.roles.push(name("zebra"))),
            (Part::Roster, Label::Neither),
        ),
        (|it| it.fresh_heads.clear(), (Part::Others, Label::Neither)),
        (|it| it.bitcoin = Some(keystead_policy::BitcoinTerms::default()), (Part::Others, Label::Neither)),
    ] {
        assert_eq!(of(change).await, [expected]);
    }
    // Ceilings that Cedar's numbers hold are proven, too; those in fiat are read off alone.
    let fees = async |change: fn(&mut FeeCap)| {
        let mut cap = FeeCap {
            id: name("gas"),
            keys: Vec::new(),
            chains: vec![CHAIN],
            max_fee_per_gas: Some(Amount::from(100_u64)),
            max_priority_fee_per_gas: None,
            fee: Some(Amount::MAX),
            fee_fiat: None,
        };
        let before = changed(|it| it.fee_caps = vec![cap.clone()]);
        change(&mut cap);
        label(&before, &changed(|it| it.fee_caps = vec![cap])).await.1
    };
    let proven = |label| vec![(Part::RulesAndRows, label), (Part::FeeCaps, label)];
    assert_eq!(fees(|it| it.max_fee_per_gas = Some(Amount::from(99_u64))).await, proven(Label::Tightens));
    assert_eq!(fees(|it| it.max_fee_per_gas = None).await, proven(Label::Loosens));
    assert_eq!(fees(|it| it.keys = vec![name("hot")]).await, proven(Label::Loosens));
    assert_eq!(fees(|it| it.fee = Some(Amount::from(ETHER * 100))).await, [(Part::FeeCaps, Label::Tightens)]);
    let dora_freezes = changed(|it| {
        let dora = it.roster.people.iter_mut().find(|person| person.name == name("dora")).unwrap();
        dora.roles = vec![name("freezer"), name("trader")];
    });
    let without = changed(|it| it.roster.people.retain(|person| person.name != name("dora")));
    assert_eq!(label(&dora_freezes, &without).await.1, [(Part::Roster, Label::Neither)], "fewer can freeze");
}

#[tokio::test]
async fn a_version_that_does_not_compile_has_no_proofs() {
    let broken = changed(|it| it.rules.push(rule("broken", "permit(")));
    let error = Prover::start().unwrap().failures(&broken).await.unwrap_err();
    assert_eq!(error.code(), "policy.syntax");
}
