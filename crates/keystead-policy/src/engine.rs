//! A compiled policy version, and the one pure decision.

use std::collections::BTreeSet;

use keystead_base::{Amount, Name};
use keystead_intent::{ActionKind, AssetIndex, AuthorityChange, DangerClass, Effects};

use crate::charges::Asked;
use crate::destination::AddressBook;
use crate::fields::Fields;
use crate::findings::Findings;
use crate::outflow::{Outflows, Worth};
use crate::rows::Matter;
use crate::rules::Rules;
use crate::{
    Facts, PolicyError, PolicyRef, PolicyVersion, Question, Reason, Ruling, Sections, Subject, charges, fees,
    locks, payload, rows, simulated, structure, vocabulary,
};

/// A policy version, checked and compiled. Immutable: share it in an `Arc`.
#[derive(Debug)]
pub struct Engine {
    pub(crate) version: PolicyVersion,
    reference: PolicyRef,
    pub(crate) rules: Rules,
    pub(crate) book: AddressBook,
    assets: AssetIndex,
}

impl Engine {
    /// Checks a version and compiles it.
    ///
    /// # Errors
    ///
    /// [`PolicyError`]: the first thing that is wrong.
    pub fn compile(version: PolicyVersion) -> Result<Self, PolicyError> {
        structure::check(&version)?;
        let assets = AssetIndex::new(&version.assets, &version.contracts)?;
        Ok(Self {
            rules: Rules::compile(&version.rules, &version.roster)?,
            book: AddressBook::of(&version.address_book),
            assets,
            reference: version.reference(),
            version,
        })
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> &PolicyVersion {
        &self.version
    }

    /// Its number and digest.
    #[must_use]
    pub fn reference(&self) -> PolicyRef {
        self.reference
    }

    /// What assets and contracts are, as this version says: what payloads are decoded with.
    #[must_use]
    pub fn registry(&self) -> &AssetIndex {
        &self.assets
    }

    /// How many rules a question about this key is put to: those on this key and those on all.
    #[must_use]
    pub fn rules_for(&self, key: Option<&Name>) -> usize {
        self.rules.evaluated_for(key)
    }

    /// Whether some rule permits this requester such an action with this key, as far as its scope says. Who answers no
    /// has not looked at what is asked, and neither has anybody else to.
    #[must_use]
    pub fn could_permit(&self, requester: &Name, action: ActionKind, key: &Name) -> bool {
        self.version.roster.speaks(requester.as_str()) && self.rules.could_permit(requester, action, key)
    }

    /// Decides. The same question always has the same answer, on every node.
    ///
    /// Default deny: every effect needs a rule that permits it and none that forbids it or fails; its
    /// chain and destination must be known; its class needs a quorum row; and its amounts must be
    /// measurable.
    #[must_use]
    pub fn decide(&self, question: &Question<'_>) -> Ruling {
        if !self.version.roster.speaks(question.requester.as_str()) {
            return Findings::deny(Reason::UnknownRequester { requester: question.requester.clone() });
        }
        let is_authority = question.action == ActionKind::Authority;
        match (question.subject, question.key) {
            (Subject::Payload(effects), Some(key)) if !is_authority => self.payload(question, key, effects),
            (Subject::Authority(change, sections), _) if is_authority => {
                self.authority(question, change, sections)
            }
            _ => Findings::deny(misshapen()),
        }
    }

    fn payload(&self, question: &Question<'_>, key: &Name, effects: &Effects) -> Ruling {
        let mut findings = Findings::default();
        payload::judge(self, question, effects, &mut findings);
        locks::judge(self.version.bitcoin.as_ref(), key, effects, question.facts.now, &mut findings);
        simulated::check(self.run_terms(key, effects), question, effects, &mut findings);
        let outflows = Outflows::of(effects, question.facts.account, self.worth(question.facts));
        self.check_caps(question.facts, &outflows, &mut findings);
        fees::check(&self.version.fee_caps, key, effects, &outflows, &mut findings);
        let matter = Matter {
            key: Some(key),
            classes: classes(question, effects),
            change: None,
            outflows: Some(&outflows),
        };
        let requirement = rows::require(&self.version.quorums, &matter, &mut findings);
        let asked = Asked { requester: question.requester, key, effects };
        let charges = charges::count(&self.version.windows, &asked, &outflows, &mut findings);
        findings.into_ruling(requirement, charges)
    }

    /// INVARIANT S9: a change of authority is a class of its own, with quorum rows of its own.
    fn authority(&self, question: &Question<'_>, change: &AuthorityChange, sections: Sections) -> Ruling {
        let mut findings = Findings::default();
        let class = DangerClass::Authority;
        let context = vocabulary::change_context(change, sections, question.facts.now);
        let answer = context.and_then(|it| {
            self.rules.ask(question.requester, ActionKind::Authority, question.key, it, Fields::new)
        });
        payload::weigh(answer.as_ref(), Reason::NoRulePermits { effect: 0, class }, &mut findings);
        let change = change.kind();
        let classes = BTreeSet::from([class]);
        let matter = Matter { key: question.key, classes, change: Some(change), outflows: None };
        if change.must_be_named() && !rows::names(&self.version.quorums, change, &matter) {
            findings.object(Reason::ChangeNotNamed { change });
        }
        let requirement = rows::require(&self.version.quorums, &matter, &mut findings);
        findings.into_ruling(requirement, Vec::new())
    }

    pub(crate) fn worth<'a>(&'a self, facts: &Facts<'a>) -> Worth<'a> {
        Worth { prices: facts.prices, rule: self.version.prices.as_ref(), now: facts.now }
    }

    /// A key whose home is weak guards little, however many people agree.
    fn check_caps(&self, facts: &Facts<'_>, outflows: &Outflows<'_>, findings: &mut Findings) {
        for cap in self.version.caps.iter().filter(|cap| cap.level == facts.assurance) {
            let asked = if outflows.could_exceed_cap(cap.measure) {
                Some(Amount::MAX)
            } else {
                findings.take(outflows.total(cap.measure))
            };
            if let Some(asked) = asked.filter(|asked| *asked > cap.amount) {
                findings.object(Reason::CapExceeded { level: cap.level, limit: cap.amount, asked });
            }
        }
    }
}

/// Whether a request does nothing but call an earlier one off.
pub(crate) fn cancels(question: &Question<'_>, effects: &Effects) -> bool {
    question.action == ActionKind::Replacement && effects.only_uses_nonce(question.facts.account)
}

/// INVARIANT S4, S9: what takes the place of an earlier transaction needs what it needs by itself, and what policy asks of
/// replacements. What only calls one off is a class of its own: it moves nothing, and may need less.
fn classes(question: &Question<'_>, effects: &Effects) -> BTreeSet<DangerClass> {
    if cancels(question, effects) {
        return BTreeSet::from([DangerClass::Cancel]);
    }
    let replaces = question.action == ActionKind::Replacement;
    let own = replaces.then_some(DangerClass::Replacement);
    effects.items.iter().map(|effect| effect.class()).chain(own).collect()
}

/// A question whose parts do not belong together never reaches a rule.
fn misshapen() -> Reason {
    Reason::Undecodable {
        code: "policy.question".to_owned(),
        text: "a payload needs a key and an action that signs; a change of authority the action authority"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use keystead_intent::{ChangeKind, EffectKind, KeyCeremony, KeyKind};

    use super::*;
    use crate::fixture::{Ask, ETHER, FRIEND, ask_authority, name, pay, rule, verdict, version};

    #[test]
    fn who_and_what_must_fit_together() {
        let engine = Engine::compile(version()).unwrap();
        let ask = || Ask::new("hot", vec![pay(FRIEND, 1)]);
        for (ask, expected) in [
            (ask(), "pass 0"),
            (ask().with(|it| it.requester = name("node")), "deny.unknown_requester"),
            (ask().with(|it| it.requester = name("mallory")), "deny.unknown_requester"),
            (ask().with(|it| it.requester = name("ana")), "deny.no_rule_permits"),
            (ask().with(|it| it.key = Some(name("cold"))), "deny.no_rule_permits"),
            (ask().with(|it| it.key = None), "deny.undecodable"),
            (ask().with(|it| it.action = ActionKind::Authority), "deny.undecodable"),
        ] {
            assert_eq!(verdict(&ask.of(&engine))[0], expected);
        }
    }

    #[test]
    fn a_rule_that_fails_denies_where_cedar_would_skip_it() {
        for text in [
            "permit(principal, action in Action::\"sign\", resource) when { context.depth + 9223372036854775807 > 0 };",
            "forbid(principal, action in Action::\"sign\", resource) when { context.chain * 9223372036854775807 == 3 };",
        ] {
            let mut version = version();
            version.rules.push(rule("fails", text));
            let engine = Engine::compile(version.into_canonical()).unwrap();
            let nested = |it: &mut Ask| {
                it.effects.items[0].path = vec![0];
                it.effects.chain = crate::fixture::OTHER_CHAIN;
                it.effects.items[0].kind = EffectKind::NoValue;
            };
            let ruling = Ask::new("hot", vec![pay(FRIEND, 1)]).with(nested).of(&engine);
            assert_eq!(verdict(&ruling), ["deny.rule_error"], "{text}");
            assert_eq!(ruling.rules(), [name("fails")]);
        }
    }

    #[test]
    fn s09_authority_is_a_class_with_a_row_of_its_own() {
        let engine = Engine::compile(version()).unwrap();
        let change = AuthorityChange::Key(KeyCeremony::Create {
            key: name("new"),
            kind: KeyKind::HdSecp256k1,
            home: name("node-1"),
        });
        for (requester, expected) in [("ana", "pass 2"), ("desk", "deny.no_rule_permits")] {
            let ruling = ask_authority(&engine, requester, None, &change, Sections::default());
            assert_eq!(verdict(&ruling), [expected]);
            if let Ruling::Pass { requirement, charges, rules } = ruling {
                assert_eq!((requirement.delay_seconds, charges.len()), (3600, 0));
                assert_eq!((requirement.rows, rules), (vec![name("authority")], vec![name("govern")]));
                assert_eq!(requirement.vetoers, [name("vetoer")]);
            }
        }
    }

    #[test]
    fn s09_a_key_is_wiped_only_where_a_row_names_it() {
        let change = AuthorityChange::Key(KeyCeremony::Destroy { key: name("hot") });
        let suspend = AuthorityChange::Key(KeyCeremony::Suspend { key: name("hot") });
        let row = |keys: &[&str]| {
            let mut row =
                crate::fixture::row("wipe", keys, &[DangerClass::Authority], None, &[("founder", 3)], 9000);
            row.changes = vec![ChangeKind::DestroyKey];
            row
        };
        let ask = |version: &PolicyVersion, change: &AuthorityChange| {
            let engine = Engine::compile(version.clone().into_canonical()).unwrap();
            ask_authority(&engine, "ana", Some("hot"), change, Sections::default())
        };
        let mut version = version();
        assert_eq!(verdict(&ask(&version, &change)), ["deny.change_not_named"]);
        version.quorums.push(row(&["cold"]));
        assert_eq!(verdict(&ask(&version, &change)), ["deny.change_not_named"]);
        version.quorums.pop();
        version.quorums.push(row(&[]));
        let Ruling::Pass { requirement, .. } = ask(&version, &change) else { panic!("denied") };
        assert_eq!((requirement.people(), requirement.delay_seconds), (5, 9000));
        assert_eq!(requirement.rows, [name("authority"), name("wipe")]);
        let Ruling::Pass { requirement, .. } = ask(&version, &suspend) else { panic!("denied") };
        assert_eq!(requirement.rows, [name("authority")]);
    }

    #[test]
    fn rules_see_what_an_authority_change_touches() {
        let mut version = version();
        let text = r#"forbid(principal, action == Action::"authority", resource)
                      when { context.change == "policy" && context.sections.contains("roster") };"#;
        version.rules.push(rule("roster-alone", text));
        let engine = Engine::compile(version.into_canonical()).unwrap();
        let change = AuthorityChange::Policy { document: Default::default() };
        for (roster, expected) in [(true, "deny.forbidden"), (false, "pass 2")] {
            let sections = Sections { roster, rules: true, ..Sections::default() };
            let ruling = ask_authority(&engine, "ana", None, &change, sections);
            assert_eq!(verdict(&ruling), [expected]);
        }
    }

    #[test]
    fn a_key_in_a_weak_home_moves_no_more_than_its_cap() {
        let mut version = version();
        version.windows.clear();
        version.caps[0].amount = Amount::from(5 * ETHER);
        let engine = Engine::compile(version).unwrap();
        for (wei, expected) in [(5 * ETHER, "pass 2"), (5 * ETHER + 1, "deny.cap_exceeded")] {
            let ask = Ask::new("hot", vec![pay(FRIEND, wei)]);
            assert_eq!(verdict(&ask.of(&engine)), [expected]);
            // The fee is a part of what it moves.
            let ask = Ask::new("hot", vec![pay(FRIEND, wei - 3)])
                .with(|it| it.effects.fee.max = Amount::from(3_u64));
            assert_eq!(verdict(&ask.of(&engine)), [expected]);
        }
    }

    #[test]
    fn a_thousand_rules_on_other_keys_are_not_evaluated() {
        let mut version = version();
        let before = Engine::compile(version.clone()).unwrap().rules_for(Some(&name("hot")));
        version.rules.extend((0..1000).map(|n| {
            let text = format!(
                "permit(principal, action in Action::\"sign\", resource == Key::\"other-{n}\") when {{ context.depth < {n} }};"
            );
            rule(&format!("r{n}"), &text)
        }));
        let engine = Engine::compile(version.clone().into_canonical()).unwrap();
        assert_eq!(before, 4, "three on the key and one on all");
        assert_eq!(engine.rules_for(Some(&name("hot"))), before);
        assert_eq!(engine.rules_for(Some(&name("other-7"))), 2);
        assert_eq!(engine.rules_for(None), 1);
        assert_eq!(verdict(&Ask::new("hot", vec![pay(FRIEND, 1)]).of(&engine)), ["pass 0"]);

        // Every other form of scope is put to every question: `in`, `is`, a condition.
        for (id, scope) in [
            ("by-in", "resource in Key::\"other\") when { context.depth < 3"),
            ("by-is", "resource is Key) when { context.depth < 3"),
            ("by-condition", "resource) when { resource == Key::\"other\""),
        ] {
            version
                .rules
                .push(rule(id, &format!("permit(principal, action in Action::\"sign\", {scope} }};")));
        }
        let engine = Engine::compile(version.into_canonical()).unwrap();
        assert_eq!(engine.rules_for(Some(&name("hot"))), before + 3);
    }

    #[test]
    fn a_sliced_forbid_wins_over_a_shared_permit() {
        let mut version = version();
        version.rules.push(rule("all", "permit(principal, action in Action::\"sign\", resource);"));
        version.rules.push(rule("stop", "forbid(principal, action, resource == Key::\"hot\");"));
        let engine = Engine::compile(version.into_canonical()).unwrap();
        let ruling = Ask::new("hot", vec![pay(FRIEND, 1)]).of(&engine);
        assert_eq!(
            (verdict(&ruling), ruling.rules()),
            (vec!["deny.forbidden".to_owned()], [name("stop")].as_slice())
        );
    }
}
