//! What somebody wants to be true of a policy: a file of Cedar `forbid`s that no passing request may match.
//!
//! ```cedar
//! @id("two-over-100k") @note("Over 100,000 dollars always two approvals")
//! forbid(principal, action in Action::"sign", resource)
//!   when { context.outflow_fiat > 100000000000 && context.approvals < 2 };
//! ```

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, ValidationMode, Validator};
use keystead_policy::limits::{MAX_RULE_BRACKETS, MAX_RULE_BYTES};
use serde_json::Value;

use crate::ProveError;
use crate::auxiliary::Vocabulary;
use crate::passage::rewritten;

/// The longest file of properties, in bytes.
pub const MAX_PROPERTIES_BYTES: usize = 64 * 1024;

/// The most properties in a file.
pub const MAX_PROPERTIES: usize = 256;

/// Properties, read and not yet held against a version.
#[derive(Clone, Debug, Default)]
pub struct Properties(Vec<Property>);

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Property {
    pub(crate) id: String,
    pub(crate) note: String,
    forbid: Policy,
}

impl Properties {
    /// Reads a file of properties.
    ///
    /// # Errors
    ///
    /// [`ProveError::TooMany`]: of bytes, properties, or brackets in one; [`ProveError::Syntax`]; and [`ProveError::Property`] for what is no `forbid` or has a
    /// name that another one has.
    pub fn read(text: &str) -> Result<Self, ProveError> {
        at_most("the properties, in bytes,", text.len(), MAX_PROPERTIES_BYTES)?;
        let statements = statements(text);
        at_most("the list of properties", statements.len(), MAX_PROPERTIES)?;
        let read: Result<Vec<_>, _> =
            statements.into_iter().enumerate().map(|(place, text)| property(place, text)).collect();
        let properties = read?;
        let mut seen = std::collections::BTreeSet::new();
        match properties.iter().find(|it| !seen.insert(&it.id)) {
            Some(twice) => Err(refused(&twice.id, "a name of its own (@id)", "a second one of that name")),
            None => Ok(Self(properties)),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses what does not fit the words of a version; a property that can never apply proves nothing.
    pub(crate) fn fitting(&self, vocabulary: &Vocabulary) -> Result<&[Property], ProveError> {
        let validator = Validator::new(vocabulary.schema.clone());
        self.0.iter().try_for_each(|property| property.fits(&validator))?;
        Ok(&self.0)
    }
}

impl Property {
    fn fits(&self, validator: &Validator) -> Result<(), ProveError> {
        let set = PolicySet::from_policies([self.forbid.clone()]);
        let set = set.map_err(|error| crate::passage::model(&error))?;
        let result = validator.validate(&set, ValidationMode::Strict);
        let errors = result.validation_errors().map(ToString::to_string);
        let mut reasons = errors.chain(result.validation_warnings().map(ToString::to_string));
        reasons.next().map_or(Ok(()), |found| Err(refused(&self.id, FITTING, found)))
    }

    /// The property itself.
    pub(crate) fn forbid(&self) -> &Policy {
        &self.forbid
    }

    /// What the property forbids, as a set that allows exactly that.
    pub(crate) fn matching(&self) -> Result<PolicySet, ProveError> {
        let permit = rewritten(&self.forbid, |json| {
            if let Some(effect) = json.get_mut("effect") {
                *effect = Value::String("permit".to_owned());
            }
        })?;
        PolicySet::from_policies([permit]).map_err(|error| crate::passage::model(&error))
    }
}

/// A rule's limits keep the parser from an overflow of its stack, however a property is nested.
fn property(place: usize, text: &str) -> Result<Property, ProveError> {
    at_most("the text of a property, in bytes,", text.len(), MAX_RULE_BYTES)?;
    let brackets = text.bytes().filter(|byte| matches!(byte, b'(' | b'[' | b'{')).count();
    at_most("the opening brackets of a property", brackets, MAX_RULE_BRACKETS)?;
    let name = format!("property {}", place.saturating_add(1));
    let forbid = Policy::parse(Some(PolicyId::new(&name)), text)
        .map_err(|error| ProveError::Syntax { property: name.clone(), reason: error.to_string() })?;
    let id = forbid.annotation("id").filter(|id| !id.is_empty()).unwrap_or(&name).to_owned();
    if forbid.effect() == Effect::Permit {
        return Err(refused(&id, "a forbid: what must never pass", "a permit"));
    }
    let note = forbid.annotation("note").unwrap_or_default().to_owned();
    Ok(Property { id, note, forbid })
}

/// Cedar's statements, each with its semicolon; what follows the last one is a statement if it is more than space and
/// comments.
fn statements(text: &str) -> Vec<&str> {
    let mut statements = Vec::new();
    let (mut start, mut told, mut within) = (0, false, Within::Code);
    let mut previous = ' ';
    for (at, letter) in text.char_indices() {
        within = within.after(previous, letter);
        // Escaped letters and the two of a comment's start do not begin anything again.
        previous = if within == Within::Escaped { ' ' } else { letter };
        told |= within == Within::Code && !letter.is_whitespace() && letter != '/';
        if within == Within::Code && letter == ';' {
            let end = at.saturating_add(1);
            statements.extend(text.get(start..end));
            (start, told) = (end, false);
        }
    }
    statements.extend(text.get(start..).filter(|_| told || within == Within::Text));
    statements
}

/// Where a letter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Code,
    Text,
    Escaped,
    Comment,
}

impl Within {
    fn after(self, previous: char, letter: char) -> Self {
        match (self, previous, letter) {
            (Self::Code, '/', '/') => Self::Comment,
            (Self::Code, _, '"') | (Self::Escaped, ..) => Self::Text,
            (Self::Text, _, '\\') => Self::Escaped,
            (Self::Text, _, '"') | (Self::Comment, _, '\n') => Self::Code,
            (same, ..) => same,
        }
    }
}

fn refused(property: &str, expected: &'static str, found: impl Into<String>) -> ProveError {
    ProveError::Property { property: property.to_owned(), expected, found: found.into() }
}

fn at_most(what: &'static str, found: usize, limit: usize) -> Result<(), ProveError> {
    if found <= limit { Ok(()) } else { Err(ProveError::TooMany { what, limit, found }) }
}

const FITTING: &str = "words of the schema and of this version (specs/policy-proofs.md)";

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;

    use super::*;

    fn code(text: &str) -> &'static str {
        let read = Properties::read(text).and_then(|it| {
            it.fitting(&Vocabulary::of(&[])?)?;
            Ok(())
        });
        read.map_or_else(|error| error.code(), |()| "fits")
    }

    #[test]
    fn a_property_is_a_forbid_in_words_that_exist() {
        for (text, expected) in [
            ("", "fits"),
            (
                "forbid(principal, action in Action::\"sign\", resource) when { context.approvals < 2 };",
                "fits",
            ),
            ("forbid(principal, action, resource) when { context.approvals < 2 };", "fits"),
            ("permit(principal, action, resource);", "prove.property"),
            ("forbid(principal, action, resource) when { context.approval < 2 };", "prove.property"),
            ("forbid(principal, action, resource) when { context.outflow_fiat > 1 };", "prove.property"),
            (
                "forbid(principal, action, resource) when { context.approved[\"nobody\"] < 1 };",
                "prove.property",
            ),
            ("forbid(principal == ?principal, action, resource);", "prove.syntax"),
            (
                "@id(\"a\") forbid(principal, action, resource); @id(\"a\") forbid(principal, action, resource);",
                "prove.property",
            ),
            ("forbid(", "prove.syntax"),
            ("// nothing; at all", "fits"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
        assert_eq!(code(&" ".repeat(MAX_PROPERTIES_BYTES + 1)), "prove.too_many");
        let many = "forbid(principal, action, resource);".repeat(MAX_PROPERTIES + 1);
        assert_eq!(code(&many), "prove.too_many");
    }

    #[test]
    fn a_semicolon_in_a_text_or_a_comment_ends_nothing() {
        for (text, expected) in [
            ("a;b;", vec!["a;", "b;"]),
            (" a ; ", vec![" a ;"]),
            ("a; // b;\n", vec!["a;"]),
            ("a; // b;\nc;", vec!["a;", " // b;\nc;"]),
            (r#"a "b;c";"#, vec![r#"a "b;c";"#]),
            (r#"a "b\";c";d;"#, vec![r#"a "b\";c";"#, "d;"]),
            (r#"a "b\\";c;"#, vec![r#"a "b\\";"#, "c;"]),
            ("a / b; c", vec!["a / b;", " c"]),
            (r#"a; "b"#, vec!["a;", r#" "b"#]),
        ] {
            assert_eq!(statements(text), expected, "{text}");
        }
    }

    #[test]
    fn no_property_however_nested_exhausts_the_stack() {
        for (open, close, expected) in [
            ("(", ")", "prove.too_many"),
            ("[", "]", "prove.too_many"),
            ("!", "", "prove.syntax"),
            ("-", "", "prove.syntax"),
            ("true&&", "", "fits"),
        ] {
            let count = 2_000 / open.len();
            let nested = format!("{}true{}", open.repeat(count), close.repeat(count));
            let text = format!("forbid(principal, action, resource) when {{ {nested} }};");
            assert_eq!(code(&text), expected, "{open}");
        }
    }

    #[test]
    fn properties_stand_in_the_order_of_the_file() {
        let text = (0..12).map(|_| "forbid(principal, action, resource);").collect::<String>();
        let read = Properties::read(&text).unwrap();
        let ids: Vec<_> = read.0.iter().map(|it| it.id.clone()).collect();
        assert_eq!(ids, (1..=12).map(|n| format!("property {n}")).collect::<Vec<_>>());
    }
}
