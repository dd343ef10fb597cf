//! The sentences of the bundled set: English, as the standard wants it, and what people wrote beside it.

use std::collections::BTreeMap;

use keystead_speech::Language;

/// English sentences, and how another language says them. What is not in it is said in English.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Catalogue(BTreeMap<String, String>);

impl Catalogue {
    /// A language's sentences. The files are part of the program, and a test reads them.
    pub(crate) fn of(language: Language) -> Self {
        let text = match language {
            Language::English => return Self::default(),
            Language::German => include_str!("../languages/de.json"),
        };
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    pub(crate) fn say<'a>(&'a self, english: &'a str) -> &'a str {
        self.0.get(english).map_or(english, String::as_str)
    }

    /// Both sides of each sentence.
    #[cfg(test)]
    pub(crate) fn sentences(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(english, other)| (english.as_str(), other.as_str()))
    }
}
