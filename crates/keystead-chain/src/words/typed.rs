//! Typed data in plain words: what is signed, for whom, and the values where nobody knows their meaning.

use keystead_intent::{TypedForm, TypedValue};

use super::Speaker;

/// What the document is and where it is valid; `contract` is the verifying contract in words.
pub(super) fn headline(form: &TypedForm, contract: Option<String>) -> String {
    let domain = &form.domain;
    let name = domain.name.as_deref().map(|it| format!(" of {it:?}")).unwrap_or_default();
    let version = domain.version.as_deref().map(|it| format!(" version {it:?}")).unwrap_or_default();
    let contract = contract.map(|it| format!(" for {it}")).unwrap_or_default();
    format!("Typed data {:?}{name}{version}{contract}", form.primary_type)
}

/// One line for each value; text is quoted, so that it cannot pass for a line of its own.
pub(super) fn fields(form: &TypedForm, speaker: &Speaker<'_>) -> impl Iterator<Item = String> {
    form.fields.iter().map(|field| match &field.value {
        TypedValue::Text(text) => format!("  {}: {text:?}", field.path),
        TypedValue::Address(address) => format!("  {}: {}", field.path, speaker.who(*address)),
        value => format!("  {}: {value}", field.path),
    })
}
