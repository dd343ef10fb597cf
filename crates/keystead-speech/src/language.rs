//! The languages, and what each of them says.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use crate::Phrase;
use crate::template::fill;

/// A language that words are said in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// `en`.
    #[default]
    English,
    /// `de`.
    German,
}

type Texts = BTreeMap<String, String>;

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

    /// A phrase with its values.
    #[must_use]
    pub fn say(self, phrase: &Phrase<'_>) -> String {
        let text = self.texts().get(phrase.key()).or_else(|| Self::English.texts().get(phrase.key()));
        match text {
            Some(text) => fill(text, &phrase.values()),
            // No file lacks one: a test reads them. Whatever there is to say is said all the same.
            None => format!("{phrase:?}"),
        }
    }

    /// Its file: one text for each phrase.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::English => include_str!("../languages/en.json"),
            Self::German => include_str!("../languages/de.json"),
        }
    }

    fn texts(self) -> &'static Texts {
        static ENGLISH: OnceLock<Texts> = OnceLock::new();
        static GERMAN: OnceLock<Texts> = OnceLock::new();
        let read = match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        };
        read.get_or_init(|| serde_json::from_str(self.file()).unwrap_or_default())
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// A tag that is no language of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {}; found {found:?}", Language::ALL.map(Language::tag).join(", "))]
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::phrase::SHAPES;
    use crate::template::values_of;

    #[test]
    fn every_phrase_is_in_every_language_with_the_same_values() {
        let wanted: BTreeSet<&str> = SHAPES.iter().map(|(key, _)| *key).collect();
        for language in Language::ALL {
            let texts: Texts = serde_json::from_str(language.file()).unwrap();
            let found: BTreeSet<&str> = texts.keys().map(String::as_str).collect();
            assert_eq!(
                wanted.difference(&found).collect::<Vec<_>>(),
                [""; 0].iter().collect::<Vec<_>>(),
                "{language} lacks"
            );
            assert_eq!(
                found.difference(&wanted).collect::<Vec<_>>(),
                [""; 0].iter().collect::<Vec<_>>(),
                "{language} has more"
            );
            for (key, values) in SHAPES {
                let wanted: BTreeSet<&str> = values.iter().copied().collect();
                let found =
                    values_of(&texts[*key]).unwrap_or_else(|| panic!("{language} {key}: an open brace"));
                assert_eq!(found, wanted, "{language} {key}");
            }
        }
    }

    /// What warns stands out in every language: what is in capitals in one is so in all.
    #[test]
    fn what_shouts_in_one_language_shouts_in_all() {
        let shouts = |text: &str| {
            let words = text.split(|it: char| !it.is_alphabetic());
            words.filter(|it| it.chars().count() > 1).any(|it| it == it.to_uppercase())
        };
        for (key, _) in SHAPES {
            let texts = Language::ALL.map(|it| it.texts()[*key].as_str());
            assert!(texts.iter().all(|it| shouts(it) == shouts(texts[0])), "{key}: {texts:?}");
        }
    }

    /// Files are read by people who add a language: their phrases stand in one order.
    #[test]
    fn a_language_is_one_file_and_another_tag_is_refused() {
        assert_eq!("de".parse(), Ok(Language::German));
        let error = "fr".parse::<Language>().unwrap_err().to_string();
        assert_eq!(error, "expected one of en, de; found \"fr\"");
        for language in Language::ALL {
            let lines =
                language.file().lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next());
            let keys: Vec<&str> = lines.collect();
            let wanted: Vec<&str> = SHAPES.iter().map(|(key, _)| *key).collect();
            assert_eq!(keys, wanted, "{language}");
        }
    }
}
