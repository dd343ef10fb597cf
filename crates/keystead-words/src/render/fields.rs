//! Fields one after the other: which are shown, and elements of lists.

use keystead_speech::Phrase;

use super::{MAX_CALL_DEPTH, MAX_LINES, Misfit, Scene};
use crate::field::{Calldata, Field, Format, Group, Leaf, Subject, Visible};
use crate::path::{Found, Selection};
use crate::render::Call;
use crate::template::Template;
use crate::value::Value;

impl Scene<'_> {
    /// The lines of fields, in their order.
    pub(super) fn all_fields(
        &mut self,
        fields: &[Field],
        lines: &mut Vec<String>,
    ) -> Result<Vec<String>, Misfit> {
        for field in fields {
            match field {
                Field::One(leaf) => {
                    let elements = self.leaf(leaf)?;
                    lines.extend(elements.into_iter().flatten());
                }
                Field::Group(group) => self.group(group, lines)?,
            }
            if lines.len() > MAX_LINES {
                return Err(Misfit::TooLong);
            }
        }
        Ok(std::mem::take(lines))
    }

    fn group(&mut self, group: &Group, lines: &mut Vec<String>) -> Result<(), Misfit> {
        lines.extend(group.label.as_deref().map(|label| format!("{}:", self.say(label))));
        if !group.bundled {
            let inner = self.all_fields(&group.fields, &mut Vec::new())?;
            lines.extend(inner);
            return Ok(());
        }
        let mut columns = Vec::new();
        for field in &group.fields {
            let column = match field {
                Field::One(leaf) => self.leaf(leaf)?,
                Field::Group(inner) => {
                    let mut nested = Vec::new();
                    self.group(inner, &mut nested)?;
                    vec![nested]
                }
            };
            columns.push(column);
        }
        let length = columns.iter().map(Vec::len).max().unwrap_or(0);
        if columns.iter().any(|column| column.len() != length) {
            return Err(Misfit::Lengths(group.label.clone().unwrap_or_default()));
        }
        for row in 0..length {
            lines.extend(columns.iter().filter_map(|column| column.get(row)).flatten().cloned());
        }
        Ok(())
    }

    /// The lines of a field: one list for each element that it has.
    fn leaf(&mut self, leaf: &Leaf) -> Result<Vec<Vec<String>>, Misfit> {
        let selection = match &leaf.subject {
            Subject::Path(path) => self.selection(path),
            Subject::Literal(value) => {
                Some(Selection::One(Found { place: String::new(), value: value.clone(), whole: false }))
            }
        };
        match selection {
            None if matches!(leaf.visible, Visible::Never) => Ok(Vec::new()),
            None => Ok(vec![vec![self.phrase(Phrase::NotInTheseBytes { label: self.say(&leaf.label) })]]),
            Some(Selection::One(found)) => self.element(leaf, &found, None).map(|lines| vec![lines]),
            Some(Selection::Many(found)) if found.is_empty() => {
                let line = self.phrase(Phrase::NoneOf { label: self.say(&leaf.label) });
                Ok(if leaf.visible == Visible::Never { Vec::new() } else { vec![vec![line]] })
            }
            Some(Selection::Many(found)) => {
                let count = found.len();
                let elements = found.iter().enumerate();
                elements.map(|(at, found)| self.element(leaf, found, Some((at, count)))).collect()
            }
        }
    }

    fn element(
        &mut self,
        leaf: &Leaf,
        found: &Found,
        at: Option<(usize, usize)>,
    ) -> Result<Vec<String>, Misfit> {
        self.speak_of(found);
        let listed = |values: &[String]| values.iter().any(|text| found.value.is_written(text));
        let hidden = match &leaf.visible {
            Visible::Always | Visible::Optional => false,
            Visible::Never => true,
            Visible::UnlessIn(values) => listed(values),
            Visible::OnlyIn(values) if listed(values) => true,
            Visible::OnlyIn(_) => {
                return Err(Misfit::RuledOut(format!("{} = {}", leaf.label, self.raw(&found.value))));
            }
        };
        if hidden {
            let words = format!("{} = {}", found.place, self.raw(&found.value));
            self.left_out.push(words);
            return Ok(Vec::new());
        }
        Ok(self.line(leaf, &found.value, at))
    }

    fn line(&mut self, leaf: &Leaf, value: &Value, at: Option<(usize, usize)>) -> Vec<String> {
        let number = at.map(|(at, _)| format!(" [{}]", at.saturating_add(1))).unwrap_or_default();
        let label = format!("{}{number}", self.say(&leaf.label));
        let separator =
            leaf.separator.as_deref().zip(at).and_then(|(text, (at, _))| separator(self.say(text), at));
        let mut lines: Vec<String> = separator.into_iter().collect();
        match (&leaf.format, value) {
            (Format::Calldata(call), Value::Bytes(bytes)) => {
                lines.extend(self.calldata(&label, call, bytes, at))
            }
            _ => {
                let value = self.shown_as(leaf, value, at).unwrap_or_else(|| self.unfit(value));
                lines.push(format!("{label}: {value}"));
            }
        }
        lines
    }

    /// A value that its format is not for: as it is, and said to be.
    fn unfit(&self, value: &Value) -> String {
        self.phrase(Phrase::Unfit { value: &self.raw(value) })
    }

    /// A call in a call: by its own descriptor, or by what can be said without one.
    fn calldata(
        &mut self,
        label: &str,
        it: &Calldata,
        bytes: &[u8],
        at: Option<(usize, usize)>,
    ) -> Vec<String> {
        let mut of = |source: Option<&crate::field::Source>| source.and_then(|it| self.parameter(it, at));
        let (callee, amount) = (of(Some(&it.callee)), of(it.amount.as_ref()));
        let (spender, selector, chain) =
            (of(it.spender.as_ref()), of(it.selector.as_ref()), of(it.chain.as_ref()));
        let Some(to) = callee.and_then(|it| it.address()) else {
            return vec![format!("{label}: {}", self.unfit(&Value::Bytes(bytes.to_vec())))];
        };
        let selector = selector.and_then(|it| it.to_bytes()).filter(|it| it.len() >= 4);
        let data = [
            selector.map(|it| it.split_at(it.len().saturating_sub(4)).1.to_vec()).unwrap_or_default(),
            bytes.to_vec(),
        ]
        .concat();
        let (amount, from) = (amount.and_then(|it| it.uint()), spender.and_then(|it| it.address()));
        let call =
            Call { from: from.unwrap_or(self.call.to), to, value: amount.unwrap_or_default(), data: &data };
        let here = chain
            .and_then(|it| it.uint())
            .is_none_or(|it| it == alloy_primitives::U256::from(self.speaker.chain().0));
        let inner = match here && self.depth < MAX_CALL_DEPTH {
            true => self.library.call_words(&call, self.speaker, self.depth.saturating_add(1)),
            false => Vec::new(),
        };
        let head = self.phrase(Phrase::CallOf { label, whom: &self.speaker.who(to) });
        if inner.is_empty() {
            let plain = if data.is_empty() {
                self.phrase(Phrase::NoCallData {})
            } else {
                crate::phrase::bytes(&data, self.library.language())
            };
            return vec![format!("{head}: {plain}")];
        }
        [head].into_iter().chain(inner.into_iter().map(|line| format!("  {line}"))).collect()
    }
}

/// What stands before an element, with its number in place of `{index}`.
fn separator(text: &str, at: usize) -> Option<String> {
    let marked = text.replace("{index}", "{@.chainId}");
    Template::parse(&marked).ok()?.fill(|_| Some(at.saturating_add(1).to_string()))
}
