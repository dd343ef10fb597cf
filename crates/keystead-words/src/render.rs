//! A call or a message as a descriptor shows it, line by line, and what it leaves out.

mod fields;
mod shown_as;

use std::collections::BTreeSet;

use alloy_primitives::{Address, U256};
use keystead_chain::Speaker;
use keystead_speech::Phrase;

use crate::descriptor::{Descriptor, Shown};
use crate::field::{Field, Leaf, Source, Subject, Visible};
use crate::path::{Container, Found, Path, Selection, select};
use crate::template::Template;
use crate::value::{Value, parse_uint};
use crate::{Library, phrase};

/// How deep calls in calls are followed.
const MAX_CALL_DEPTH: usize = 4;
/// The most lines of one payload.
const MAX_LINES: usize = 256;

/// A call, or a message on its way to a contract.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) value: U256,
    pub(crate) data: &'a [u8],
}

/// Why a descriptor does not fit what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Misfit {
    /// A value that the descriptor rules out.
    RuledOut(String),
    /// Lists that belong together and have different lengths.
    Lengths(String),
    /// More lines than anybody reads.
    TooLong,
}

/// One call or message in front of its descriptor.
pub(crate) struct Scene<'a> {
    library: &'a Library,
    speaker: &'a Speaker<'a>,
    descriptor: &'a Descriptor,
    /// Whether its sentences are in the catalogue of the bundled set.
    bundled: bool,
    call: Call<'a>,
    data: Value,
    depth: usize,
    /// The places whose values were shown, or used for what was shown.
    spoken_of: BTreeSet<String>,
    /// What the descriptor hides on purpose.
    left_out: Vec<String>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(
        library: &'a Library,
        speaker: &'a Speaker<'a>,
        descriptor: &'a Descriptor,
        bundled: bool,
        call: &Call<'a>,
        data: Value,
        depth: usize,
    ) -> Self {
        let (spoken_of, left_out) = (BTreeSet::new(), Vec::new());
        Self { library, speaker, descriptor, bundled, call: *call, data, depth, spoken_of, left_out }
    }

    /// All that the descriptor says, then what it leaves out and what it does not speak of: nothing is hidden.
    pub(crate) fn lines(mut self, shown: &Shown) -> Vec<String> {
        let lines = self.intent(shown);
        let lines = match self.all_fields(&shown.fields, &mut Vec::new()) {
            Ok(fields) => [lines, fields, self.rest()].concat(),
            Err(misfit) => vec![self.misfit(&misfit)],
        };
        lines.into_iter().map(|line| format!("> {line}")).collect()
    }

    fn misfit(&self, misfit: &Misfit) -> String {
        match misfit {
            Misfit::RuledOut(label) => self.phrase(Phrase::RuledOut { label }),
            Misfit::Lengths(label) => self.phrase(Phrase::UnequalLists { label }),
            Misfit::TooLong => self.phrase(Phrase::TooLong {}),
        }
    }

    /// The sentence with values where each of them is known, and the plain one where not.
    fn intent(&mut self, shown: &Shown) -> Vec<String> {
        let sentence = shown.sentence.as_deref().and_then(|text| Template::parse(self.say(text)).ok());
        let filled = sentence.and_then(|it| it.fill(|path| self.interpolated(path, &shown.fields)));
        if let Some(sentence) = filled {
            return vec![sentence];
        }
        let line = |(label, text): &(Option<String>, String)| match label {
            Some(label) => format!("{}: {}", self.say(label), self.say(text)),
            None => self.say(text).to_owned(),
        };
        shown.intent.iter().map(line).collect()
    }

    fn interpolated(&mut self, path: &Path, fields: &[Field]) -> Option<String> {
        let leaf = find(path, fields)?;
        match self.selection(path)? {
            Selection::One(found) => self.shown_as(leaf, &found.value, None),
            Selection::Many(found) => {
                let count = found.len();
                let items = found.iter().enumerate();
                let items = items.map(|(at, it)| self.shown_as(leaf, &it.value, Some((at, count))));
                items.collect::<Option<Vec<_>>>().map(|items| items.join(", "))
            }
        }
    }

    /// What was hidden, and what nobody spoke of.
    fn rest(&self) -> Vec<String> {
        let mut leaves = Vec::new();
        self.data.leaves("", &mut leaves);
        let covered = |place: &str| {
            let above = |at: usize| place.get(..at).is_some_and(|it| self.spoken_of.contains(it));
            self.spoken_of.contains(place) || place.match_indices(['.', '[']).any(|(at, _)| above(at))
        };
        let silent = leaves.iter().filter(|(place, _)| !covered(place));
        let silent: Vec<String> =
            silent.map(|(place, value)| format!("{place} = {}", self.raw(value))).collect();
        let coins = !self.call.value.is_zero() && !self.spoken_of.contains(VALUE_PLACE);
        let coins = coins.then(|| {
            let amount = self.speaker.amount(keystead_intent::Asset::Native, self.call.value.into());
            self.phrase(Phrase::CoinsNotSpokenOf { amount: &amount })
        });
        let (hidden, silent) = (self.left_out.join(", "), silent.join(", "));
        let hidden = (!hidden.is_empty()).then(|| self.phrase(Phrase::LeftOut { items: &hidden }));
        let silent = (!silent.is_empty()).then(|| self.phrase(Phrase::NotSpokenOf { items: &silent }));
        coins.into_iter().chain(hidden).chain(silent).collect()
    }

    /// What a path leads to in this call.
    fn selection(&self, path: &Path) -> Option<Selection> {
        let one =
            |place: &str, value| Some(Selection::One(Found { place: place.to_owned(), value, whole: true }));
        match path {
            Path::Data(steps) => select(steps, &self.data),
            Path::Container(Container::From) => one("@.from", Value::Address(self.call.from)),
            Path::Container(Container::To) => one("@.to", Value::Address(self.call.to)),
            Path::Container(Container::Value) => one(VALUE_PLACE, Value::Uint(self.call.value)),
            Path::Container(Container::ChainId) => {
                one("@.chainId", Value::Uint(U256::from(self.speaker.chain().0)))
            }
            Path::File(_) => None,
        }
    }

    /// The value of a parameter; where both are lists, that at the same place.
    fn parameter(&mut self, source: &Source, at: Option<(usize, usize)>) -> Option<Value> {
        match source {
            Source::Path(path) => {
                let found = match (self.selection(path)?, at) {
                    (Selection::One(found), _) => found,
                    (Selection::Many(found), Some((index, count))) if found.len() == count => {
                        found.into_iter().nth(index)?
                    }
                    (Selection::Many(_), _) => return None,
                };
                self.speak_of(&found);
                Some(found.value)
            }
            Source::Constant(text) => Some(constant(text)),
            Source::Keyed { values, key } => {
                let key = self.parameter(&Source::Path(key.clone()), at)?;
                values.iter().find(|(written, _)| key.is_written(written)).map(|(_, text)| constant(text))
            }
        }
    }

    fn speak_of(&mut self, found: &Found) {
        if found.whole {
            self.spoken_of.insert(found.place.clone());
        }
    }

    /// A sentence of the descriptor in the reader's language.
    fn say<'s>(&'s self, text: &'s str) -> &'s str {
        if self.bundled { self.library.say(text) } else { text }
    }

    /// A phrase of ours in the reader's language.
    fn phrase(&self, phrase: Phrase<'_>) -> String {
        self.library.phrase(phrase)
    }

    fn raw(&self, value: &Value) -> String {
        phrase::raw(value, self.library.language(), &|address| self.speaker.party(address))
    }
}

/// The field of a path, where it is always shown.
fn find<'f>(path: &Path, fields: &'f [Field]) -> Option<&'f Leaf> {
    fields.iter().find_map(|field| match field {
        Field::One(leaf)
            if leaf.subject == Subject::Path(path.clone()) && leaf.visible == Visible::Always =>
        {
            Some(leaf.as_ref())
        }
        Field::One(_) => None,
        Field::Group(group) => find(path, &group.fields),
    })
}

/// A constant as the value that it is written as.
fn constant(text: &str) -> Value {
    match (crate::field::parse_address(text), parse_uint(text)) {
        (Ok(address), _) => Value::Address(address),
        (_, Some(number)) => Value::Uint(number),
        _ => Value::Text(text.to_owned()),
    }
}

const VALUE_PLACE: &str = "@.value";

#[cfg(test)]
mod tests;
