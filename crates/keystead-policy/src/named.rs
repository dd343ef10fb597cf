//! Which attributes of a question rules name. Nobody works out the others: most cost more than the rule.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::vocabulary::RUN_ATTRIBUTES;

/// The attributes of `context` that some rules name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// A rule looks at `context` as a whole. No such rule compiles today; if one did, it would miss nothing.
    whole: bool,
    names: BTreeSet<String>,
}

impl Named {
    /// Adds what one rule names, given as Cedar's JSON form, whose depth is checked before.
    pub(crate) fn add(&mut self, policy: &Value) {
        policy.get("conditions").into_iter().for_each(|it| self.expression(it));
    }

    fn expression(&mut self, node: &Value) {
        match node {
            Value::Object(parts) => {
                let of_context = parts.get("left").is_some_and(is_context);
                match parts.get("attr").and_then(Value::as_str).filter(|_| of_context) {
                    Some(name) => drop(self.names.insert(name.to_owned())),
                    None => parts.values().for_each(|it| self.expression(it)),
                }
                self.whole |= is_context(node);
            }
            Value::Array(parts) => parts.iter().for_each(|it| self.expression(it)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn has(&self, name: &str) -> bool {
        self.whole || self.names.contains(name)
    }
}

/// What the rules that a question is put to name together.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    /// Everything.
    All,
    /// What the rules on all keys name, and those on this key.
    Named(&'a Named, Option<&'a Named>),
}

impl Wanted<'_> {
    /// Whether a rule names this attribute.
    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(shared, sliced) => shared.has(name) || sliced.is_some_and(|it| it.has(name)),
        }
    }

    /// Whether a rule looks at a run.
    pub(crate) fn looks_at_runs(&self) -> bool {
        RUN_ATTRIBUTES.iter().any(|name| self.has(name))
    }
}

fn is_context(node: &Value) -> bool {
    node.get("Var").is_some_and(|variable| variable == "context")
}

#[cfg(test)]
mod tests {
    use cedar_policy::Policy;

    use super::*;
    use crate::fixture::{Ask, FRIEND, pay, rule, verdict, version};
    use crate::{Engine, SCHEMA};

    fn named(condition: &str) -> Named {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        let mut named = Named::default();
        named.add(&Policy::parse(None, text).unwrap().to_json().unwrap());
        named
    }

    #[test]
    fn what_a_rule_names_is_found_wherever_it_stands() {
        for (condition, names, whole) in [
            ("true", vec![], false),
            ("context.class == \"transfer\" && !(context.amount > 5)", vec!["amount", "class"], false),
            ("if context has symbol then context[\"symbol\"] like \"U*\" else false", vec!["symbol"], false),
            (
                "context.fields.hasTag(\"a\") && context.fields.getTag(\"a\").number < 5",
                vec!["fields"],
                false,
            ),
            ("[[context.depth, -context.chain]].isEmpty()", vec!["chain", "depth"], false),
            ("principal.person && {a: context.hour}.a > 1", vec!["hour"], false),
            ("[context].isEmpty()", vec![], true),
        ] {
            let found = named(condition);
            assert_eq!((found.names, found.whole), (names.iter().map(ToString::to_string).collect(), whole));
        }
    }

    /// An attribute that were not worked out, although a rule names it, would change the answer.
    #[test]
    fn every_attribute_of_the_schema_is_there_for_the_rule_that_names_it() {
        let (_, effect) = SCHEMA.split_once("type Effect = {").unwrap();
        let (effect, _) = effect.split_once("};").unwrap();
        let names: Vec<_> =
            effect.lines().filter_map(|it| it.trim().strip_prefix('"')?.split_once('"')).collect();
        assert!(names.len() > 25, "the schema has more attributes than {}", names.len());
        for (name, _) in names {
            let text = format!(
                "permit(principal, action in Action::\"sign\", resource) when {{ context has {name} }};"
            );
            let mut version = version();
            version.rules = vec![rule("has", &text)];
            let engine = Engine::compile(version).unwrap();
            assert_eq!(verdict(&Ask::new("hot", vec![pay(FRIEND, 1)]).of(&engine)), ["pass 0"], "{name}");
        }
    }
}
