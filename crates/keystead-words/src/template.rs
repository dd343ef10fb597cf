//! `interpolatedIntent`: a sentence with values in it.

use crate::DescriptorError;
use crate::path::Path;

/// The most values of one sentence.
const MAX_VALUES: usize = 16;

/// A sentence, in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Value(Path),
}

impl Template {
    /// Parses `Send {value} to {to}`; doubled braces stand for themselves.
    pub(crate) fn parse(text: &str) -> Result<Self, DescriptorError> {
        let bad = || DescriptorError::Template { found: text.to_owned() };
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let doubled = rest.starts_with("{{") || rest.starts_with("}}");
            rest = match (letter, doubled) {
                ('{' | '}', true) => {
                    plain.push(letter);
                    rest.get(2..).unwrap_or_default()
                }
                ('{', false) => {
                    let (path, after) = rest.get(1..).unwrap_or_default().split_once('}').ok_or_else(bad)?;
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Value(Path::parse(path, &[])?));
                    after
                }
                ('}', false) => return Err(bad()),
                _ => {
                    plain.push(letter);
                    rest.get(letter.len_utf8()..).unwrap_or_default()
                }
            };
        }
        pieces.push(Piece::Text(plain));
        let template = Self(pieces);
        match template.values().count() <= MAX_VALUES {
            true => Ok(template),
            false => Err(DescriptorError::TooMany { limit: MAX_VALUES, what: "values in one sentence" }),
        }
    }

    /// The paths of its values, in their order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Value(path) => Some(path),
            Piece::Text(_) => None,
        })
    }

    /// The sentence, if every value is known.
    pub(crate) fn fill(&self, mut value: impl FnMut(&Path) -> Option<String>) -> Option<String> {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => Some(text.clone()),
            Piece::Value(path) => value(path),
        });
        pieces.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_filled_and_doubled_braces_stand_for_themselves() {
        let say = |text: &str| {
            Template::parse(text).unwrap().fill(|path| match path.steps().len() {
                0 => None,
                steps => Some(format!("<{steps}>")),
            })
        };
        for (text, expected) in [
            ("Send {value} to {order.to}", Some("Send <1> to <2>")),
            ("{{f}} with {a}", Some("{f} with <1>")),
            ("nothing", Some("nothing")),
            ("grüßt {a}", Some("grüßt <1>")),
            ("{@.value}", None),
        ] {
            assert_eq!(say(text).as_deref(), expected, "{text}");
        }
        for text in ["{", "}", "a {b", "{a b}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
        assert!(Template::parse(&"{a}".repeat(17)).is_err());
    }
}
