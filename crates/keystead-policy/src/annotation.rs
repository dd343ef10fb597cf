//! What a rule says by name: the few exceptions that a permit alone does not open.

use cedar_policy::{Effect, Policy};
use keystead_base::Name;
use keystead_intent::Effect as Act;

use crate::vocabulary::lower_hex;
use crate::{PolicyError, Rule};

/// The annotations of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Annotations {
    /// INVARIANT S12: `@any_destination("true")`: destinations need not be in the address book.
    pub(crate) any_destination: bool,
    /// `@opaque("0xcontract/0xselector")`: exactly this call need not be understood.
    pub(crate) opaque: Option<String>,
    /// `@blind("true")`: a bare hash may be signed.
    pub(crate) blind: bool,
}

/// Reads the annotations of a rule; unknown ones are errors, and only permits have exceptions.
pub(crate) fn read(rule: &Rule, policy: &Policy) -> Result<Annotations, PolicyError> {
    let mut read = Annotations::default();
    for (annotation, value) in policy.annotations() {
        let refuse = |expected| refused(&rule.id, annotation, expected, value);
        match annotation {
            "note" => {}
            _ if policy.effect() == Effect::Forbid => return Err(refuse("not for a forbid")),
            "any_destination" if value == "true" => read.any_destination = true,
            "blind" if value == "true" => read.blind = true,
            "any_destination" | "blind" => return Err(refuse("\"true\" or left out")),
            "opaque" if is_call(value) => read.opaque = Some(value.to_owned()),
            "opaque" => {
                return Err(refuse(
                    "\"0xcontract/0xselector\", \"0xcontract/none\" or \"0xcontract/eip712\"",
                ));
            }
            _ => return Err(refuse("one of note, any_destination, opaque, blind")),
        }
    }
    Ok(read)
}

/// How `@opaque` names the call that an effect stems from.
///
/// The second part is the selector; `eip712` for typed data, which has none; `none` for calldata
/// too short for one.
pub(crate) fn call_of(effect: &Act, typed_data: bool) -> String {
    let contract = effect.contract.map_or_else(|| "none".to_owned(), lower_hex);
    let selector = match effect.selector {
        Some(selector) => lower_hex(selector),
        None if typed_data => "eip712".to_owned(),
        None => "none".to_owned(),
    };
    format!("{contract}/{selector}")
}

fn is_call(value: &str) -> bool {
    let is_hex = |text: &str, digits: usize| {
        let digits_of = text.strip_prefix("0x").unwrap_or_default();
        digits_of.len() == digits && digits_of.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_selector = |text: &str| is_hex(text, 8) || text == "eip712" || text == "none";
    value.split_once('/').is_some_and(|(contract, call)| is_hex(contract, 40) && is_selector(call))
}

fn refused(rule: &Name, annotation: &str, expected: &'static str, found: &str) -> PolicyError {
    PolicyError::Annotation {
        rule: rule.clone(),
        annotation: annotation.to_owned(),
        expected,
        found: found.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;

    use super::*;

    fn annotations(text: &str) -> Result<Annotations, String> {
        let rule =
            Rule { id: "rule".parse().unwrap(), cedar: format!("{text}(principal, action, resource);") };
        let policy = Policy::parse(None, &rule.cedar).unwrap();
        read(&rule, &policy).map_err(|error| error.code().to_owned())
    }

    #[test]
    fn exceptions_are_exact_and_for_permits_only() {
        let call = format!("0x{}/0x12345678", "ab".repeat(20));
        let some = |opaque: &str| Annotations { opaque: Some(opaque.to_owned()), ..Annotations::default() };
        assert_eq!(annotations("@note(\"why\") permit"), Ok(Annotations::default()));
        assert_eq!(annotations(&format!("@opaque(\"{call}\") permit")), Ok(some(&call)));
        for bad in [
            "@any_destination permit",
            "@any_destination(\"yes\") permit",
            "@any_destinations(\"true\") permit",
            "@blind(\"true\") forbid",
            "@opaque(\"0xab/0x12345678\") permit",
            "@opaque(\"*\") permit",
            &format!("@opaque(\"{}\") permit", call.to_uppercase()),
        ] {
            assert_eq!(annotations(bad), Err("policy.annotation".to_owned()), "{bad}");
        }
    }
}
