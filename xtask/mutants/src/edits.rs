//! Edits of a text that nest, and where each of them stands in what is written.

use std::ops::Range;

/// A replaced stretch of the source.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    /// The bytes that it replaces; empty where it only inserts.
    pub(crate) range: Range<usize>,
    /// What stands there instead.
    pub(crate) pieces: Vec<Piece>,
    /// The mutants behind its switches.
    pub(crate) ids: Vec<usize>,
}

/// A part of what an edit writes.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// New text.
    Text(String),
    /// A stretch of the source, with the edits inside it.
    Source(Range<usize>),
}

/// A text after its edits.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) text: String,
    /// The bytes of each edit in the new text, and its mutants; outer ones before inner ones.
    pub(crate) places: Vec<(Range<usize>, Vec<usize>)>,
}

impl Written {
    pub(crate) fn new(source: &str, edits: &[Edit]) -> Self {
        let mut written = Self::default();
        let mut sorted: Vec<&Edit> = edits.iter().collect();
        sorted.sort_by_key(|it| (it.range.start, std::cmp::Reverse(it.range.end)));
        written.write(source, 0..source.len(), &sorted);
        written
    }

    /// The mutants of the innermost edit that covers a byte of the new text.
    pub(crate) fn at(&self, byte: usize) -> Option<&[usize]> {
        let covering = self.places.iter().filter(|(range, _)| range.contains(&byte));
        covering.min_by_key(|(range, _)| range.len()).map(|(_, ids)| ids.as_slice())
    }

    fn write(&mut self, source: &str, range: Range<usize>, edits: &[&Edit]) {
        let mut at = range.start;
        let mut rest = edits;
        while let Some((edit, behind)) = rest.split_first() {
            self.text.push_str(source.get(at..edit.range.start).unwrap_or_default());
            let (inside, after) = behind.split_at(inner(edit, behind));
            let start = self.text.len();
            let place = self.places.len();
            self.places.push((start..start, edit.ids.clone()));
            for piece in &edit.pieces {
                match piece {
                    Piece::Text(text) => self.text.push_str(text),
                    Piece::Source(range) => self.write(source, range.clone(), &within(range, inside)),
                }
            }
            let end = self.text.len();
            if let Some((range, _)) = self.places.get_mut(place) {
                *range = start..end;
            }
            at = edit.range.end.max(at);
            rest = after;
        }
        self.text.push_str(source.get(at..range.end).unwrap_or_default());
    }
}

/// How many of the edits that follow stand inside this one.
fn inner(edit: &Edit, behind: &[&Edit]) -> usize {
    behind.iter().take_while(|it| it.range.start < edit.range.end).count()
}

fn within<'e>(range: &Range<usize>, edits: &[&'e Edit]) -> Vec<&'e Edit> {
    let inside = |it: &&&Edit| range.start <= it.range.start && it.range.end <= range.end;
    edits.iter().filter(inside).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_nest_and_are_found_again() {
        let edit = |range: Range<usize>, id| Edit {
            range: range.clone(),
            pieces: vec![Piece::Text(format!("<{id}:")), Piece::Source(range), Piece::Text(">".to_owned())],
            ids: vec![id],
        };
        let insert = Edit { range: 2..2, pieces: vec![Piece::Text("!".to_owned())], ids: vec![9] };
        let written = Written::new("a+(b*c)", &[edit(3..6, 2), edit(0..7, 1), insert]);
        assert_eq!(written.text, "<1:a+!(<2:b*c>)>");
        assert_eq!(written.at(9), Some([2].as_slice()));
        assert_eq!(written.at(3), Some([1].as_slice()));
        assert_eq!(written.at(5), Some([9].as_slice()));
    }
}
