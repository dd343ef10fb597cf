//! Keeps amounts that hold at 2^63−1 exact in every rule.
//!
//! Cedar counts in 64 bits and amounts have 256. An amount beyond 2^63−1 is shown to rules as 2^63−1.
//! Compared with a smaller number the answer is the same as that of the whole amount; used in any
//! other way (arithmetic, comparison with another attribute, `context` as a whole) it might not be, and
//! such a rule is refused.

use keystead_base::Name;
use serde_json::Value;

use crate::limits::MAX_RULE_DEPTH;
use crate::vocabulary::{FIELD_NUMBER, SATURATING};
use crate::{PolicyError, Rule};

/// Checks one rule, given as Cedar's JSON form.
pub(crate) fn check(rule: &Rule, policy: &Value) -> Result<(), PolicyError> {
    let conditions = policy.get("conditions").and_then(Value::as_array);
    let walk = Walk { rule: &rule.id };
    conditions
        .into_iter()
        .flatten()
        .filter_map(|it| it.get("body"))
        .try_for_each(|body| walk.expression(body, 0))
}

struct Walk<'a> {
    rule: &'a Name,
}

impl Walk<'_> {
    fn expression(&self, node: &Value, depth: usize) -> Result<(), PolicyError> {
        if depth > MAX_RULE_DEPTH {
            let what = "the nesting of a rule's expression";
            return Err(PolicyError::TooMany { what, limit: MAX_RULE_DEPTH, found: depth });
        }
        let Some((operator, operands)) = single_entry(node) else {
            return self.all(node, depth);
        };
        match operator {
            "Value" => Ok(()),
            "Var" if operands == "context" => Err(self.refuse("context", "found `context` as a whole")),
            "Var" => Ok(()),
            "." => self.attribute(operands, depth),
            "has" if is_context(operands.get("left")) => Ok(()),
            "<" | "<=" | ">" | ">=" | "==" | "!=" if compares_exactly(operands) => Ok(()),
            _ => self.all(operands, depth),
        }
    }

    /// Every part of a node, whatever it is called.
    fn all(&self, node: &Value, depth: usize) -> Result<(), PolicyError> {
        let next = depth.saturating_add(1);
        match node {
            Value::Array(parts) => parts.iter().try_for_each(|part| self.expression(part, next)),
            Value::Object(parts) => parts.values().try_for_each(|part| self.expression(part, next)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    fn attribute(&self, operands: &Value, depth: usize) -> Result<(), PolicyError> {
        if let Some(attribute) = saturating(operands) {
            return Err(self.refuse(attribute, "found another use"));
        }
        match operands.get("left") {
            left if is_context(left) => Ok(()),
            Some(left) => self.expression(left, depth.saturating_add(1)),
            None => Ok(()),
        }
    }

    fn refuse(&self, attribute: &str, found: &'static str) -> PolicyError {
        PolicyError::Saturating { rule: self.rule.clone(), attribute: attribute.to_owned(), found }
    }
}

/// `context.amount < 5` or `5 > context.amount`, and the number between the ends of 64 bits.
fn compares_exactly(operands: &Value) -> bool {
    let is_amount = |side: &str| {
        let access = operands.get(side).and_then(|node| node.get("."));
        access.is_some_and(|it| saturating(it).is_some() && (is_context(it.get("left")) || is_field(it)))
    };
    let is_number = |side: &str| {
        let number = operands.get(side).and_then(|node| node.get("Value")).and_then(Value::as_i64);
        number.is_some_and(|number| number < i64::MAX && number > i64::MIN)
    };
    (is_amount("left") && is_number("right")) || (is_number("left") && is_amount("right"))
}

fn saturating(access: &Value) -> Option<&str> {
    let held = |attribute: &&str| SATURATING.contains(attribute) || *attribute == FIELD_NUMBER;
    access.get("attr").and_then(Value::as_str).filter(held)
}

/// `context.fields.getTag("…").number`, the name of the field written out.
fn is_field(access: &Value) -> bool {
    let tag = access.get("left").and_then(|node| node.get("getTag"));
    let named =
        tag.and_then(|it| it.get("right")).and_then(|it| it.get("Value")).is_some_and(Value::is_string);
    let of = tag.and_then(|it| it.get("left")).and_then(|it| it.get("."));
    let of_context = of.is_some_and(|it| is_context(it.get("left")));
    named && of_context && access.get("attr").and_then(Value::as_str) == Some(FIELD_NUMBER)
}

fn is_context(node: Option<&Value>) -> bool {
    node.and_then(|node| node.get("Var")).is_some_and(|variable| variable == "context")
}

fn single_entry(node: &Value) -> Option<(&str, &Value)> {
    let object = node.as_object().filter(|object| object.len() == 1)?;
    object.iter().next().map(|(operator, operands)| (operator.as_str(), operands))
}

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;

    use super::*;

    fn verdict(condition: &str) -> Result<(), String> {
        let cedar = format!("permit(principal, action, resource) when {{ {condition} }};");
        let rule = Rule { id: "rule".parse().unwrap(), cedar };
        let policy = cedar_policy::Policy::parse(None, &rule.cedar).unwrap();
        check(&rule, &policy.to_json().unwrap()).map_err(|error| error.code().to_owned())
    }

    #[test]
    fn amounts_are_only_compared_with_smaller_numbers() {
        for good in [
            "context.amount <= 5",
            "5 >= context.amount_micro && context.kind == \"transfer\"",
            "context[\"amount\"] == 0",
            "!(context.deadline > 1000) || context has amount",
            "context.amount < 9223372036854775806",
            "context.depth + 1 < 3",
            "[context.kind].contains(\"transfer\")",
            "{\"Var\": \"context\", \".\": 1} == {\"Var\": \"x\", \".\": 1}",
            "context.fields.hasTag(\"a\") && context.fields.getTag(\"a\").number <= 5",
            "-5 < context.fields.getTag(\"a\").number",
            "context.fields.getTag(\"a\").text == context.fields.getTag(\"b\").text",
            "if context.unlimited then false else context.fee_micro < 10",
        ] {
            assert_eq!(verdict(good), Ok(()), "{good}");
        }
        for bad in [
            "context.amount <= 9223372036854775807",
            "context.amount + 1 <= 5",
            "context.amount - 9223372036854775807 < 1",
            "context.amount * 0 == 0",
            "context.amount <= context.fee_micro",
            "5 <= context.amount + context.amount_micro",
            "[context.amount].contains(5)",
            "{\"a\": context.amount}.a < 5",
            "(if true then context else context).amount < 5",
            "context == context",
            "context.fields.getTag(\"a\").number + 1 <= 5",
            "context.fields.getTag(\"a\").number <= 9223372036854775807",
            "context.fields.getTag(\"a\").number <= context.fields.getTag(\"b\").number",
            "context.fields.getTag(context.kind).number <= 5",
            "(if true then context.fields else context.fields).getTag(\"a\").number <= 5",
            "[context.fields.getTag(\"a\").number].contains(5)",
            "context.domain_chain == 9223372036854775807",
            "{\"c\": context}.c.amount < 5",
            "(if context.amount == 5 then context.amount else 5) < 6",
            "[context].containsAny([context])",
        ] {
            assert_eq!(verdict(bad), Err("policy.saturating".to_owned()), "{bad}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_before_the_stack_is_deep() {
        let deep = format!("{}1 == 1", "1 + ".repeat(200));
        assert_eq!(verdict(&deep), Err("policy.too_many".to_owned()));
    }
}
