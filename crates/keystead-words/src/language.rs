//! The languages of the bundled set: English, as the standard wants it, and what people wrote beside it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A language that words are said in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// `en`: what the descriptors themselves say.
    #[default]
    English,
    /// `de`.
    German,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// Its tag (BCP 47).
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// A tag that is no language of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of en, de; found {found:?}")]
pub struct LanguageError {
    /// What was found.
    pub found: String,
}

impl FromStr for Language {
    type Err = LanguageError;

    fn from_str(text: &str) -> Result<Self, LanguageError> {
        let known = Self::ALL.into_iter().find(|language| language.tag() == text);
        known.ok_or_else(|| LanguageError { found: text.to_owned() })
    }
}

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
