//! Typed data in plain words: what is signed, for whom, and the values where nobody knows their meaning.

use keystead_intent::{TypedForm, TypedValue};
use keystead_speech::Phrase;

use super::Speaker;

/// What the document is and where it is valid; `contract` is the verifying contract in words.
pub(super) fn headline(form: &TypedForm, contract: Option<String>, speaker: &Speaker<'_>) -> String {
    let domain = &form.domain;
    let quoted = |text: &str| format!("{text:?}");
    let mut said = speaker.say(Phrase::TypedData { kind: &quoted(&form.primary_type) });
    if let Some(name) = domain.name.as_deref().map(quoted) {
        said = speaker.say(Phrase::TypedOf { said: &said, name: &name });
    }
    if let Some(version) = domain.version.as_deref().map(quoted) {
        said = speaker.say(Phrase::TypedVersion { said: &said, version: &version });
    }
    match contract {
        Some(contract) => speaker.say(Phrase::TypedFor { said: &said, contract: &contract }),
        None => said,
    }
}

/// One line for each value; text is quoted, so that it cannot pass for a line of its own.
pub(super) fn fields(form: &TypedForm, speaker: &Speaker<'_>) -> impl Iterator<Item = String> {
    form.fields.iter().map(|field| match &field.value {
        TypedValue::Text(text) => format!("  {}: {text:?}", field.path),
        TypedValue::Address(address) => format!("  {}: {}", field.path, speaker.who(*address)),
        value => format!("  {}: {value}", field.path),
    })
}
