//! Paths: where in the arguments, the file or the transaction a value stands.

use crate::DescriptorError;
use crate::value::Value;

/// The longest path.
const MAX_PATH_BYTES: usize = 256;
/// The most steps of one path.
const MAX_STEPS: usize = 16;
/// The most values that one path may select.
pub(crate) const MAX_SELECTED: usize = 256;

/// A path of the standard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// `#.` or nothing: the arguments of the call, or the fields of the message.
    Data(Vec<Step>),
    /// `@.`: the transaction, or the domain of the message.
    Container(Container),
    /// `$.`: the file.
    File(Vec<String>),
}

/// What a transaction or a domain says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    From,
    To,
    Value,
    ChainId,
}

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    /// From the end, where it is negative.
    Index(i64),
    /// From the first to before the last; `[]` is everything.
    Slice(Option<i64>, Option<i64>),
}

/// A value, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) place: String,
    pub(crate) value: Value,
    /// Whether it is the value that stands there, and no slice of its bytes.
    pub(crate) whole: bool,
}

/// What a path selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    One(Found),
    /// By a slice of a list: one for each element.
    Many(Vec<Found>),
}

impl Path {
    /// Parses a path; without a root it is relative to `base`.
    pub(crate) fn parse(text: &str, base: &[Step]) -> Result<Self, DescriptorError> {
        let bad = || DescriptorError::Path { found: text.chars().take(MAX_PATH_BYTES).collect() };
        if text.len() > MAX_PATH_BYTES {
            return Err(bad());
        }
        if let Some(rest) = text.strip_prefix("@.") {
            return container(rest).map(Self::Container).ok_or_else(bad);
        }
        if let Some(rest) = text.strip_prefix("$.") {
            let names: Vec<String> = rest.split('.').map(str::to_owned).collect();
            let named = names.iter().all(|it| is_name(it)) && names.len() <= MAX_STEPS;
            return if named { Ok(Self::File(names)) } else { Err(bad()) };
        }
        let (mut steps, rest) = match (text.strip_prefix("#."), text) {
            (Some(rest), _) => (Vec::new(), rest),
            (None, "#") => (Vec::new(), ""),
            (None, rest) => (base.to_vec(), rest),
        };
        if !rest.is_empty() {
            rest.split('.').try_for_each(|segment| parse_segment(segment, &mut steps)).ok_or_else(bad)?;
        }
        if steps.len() > MAX_STEPS { Err(bad()) } else { Ok(Self::Data(steps)) }
    }

    /// The steps down the arguments, where it leads there.
    pub(crate) fn steps(&self) -> &[Step] {
        match self {
            Self::Data(steps) => steps,
            Self::Container(_) | Self::File(_) => &[],
        }
    }
}

fn container(text: &str) -> Option<Container> {
    match text {
        "from" => Some(Container::From),
        "to" => Some(Container::To),
        "value" => Some(Container::Value),
        "chainId" => Some(Container::ChainId),
        _ => None,
    }
}

/// `name`, `[0]`, or `name[0]`, which the standard's own examples write too.
fn parse_segment(segment: &str, steps: &mut Vec<Step>) -> Option<()> {
    let (name, mut rest) = segment.split_at(segment.find('[').unwrap_or(segment.len()));
    match (name, rest) {
        ("", "") => return None,
        ("", _) => {}
        (name, _) if is_name(name) => steps.push(Step::Name(name.to_owned())),
        _ => return None,
    }
    while !rest.is_empty() {
        let (inner, after) = rest.strip_prefix('[')?.split_once(']')?;
        steps.push(selector(inner)?);
        rest = after;
    }
    Some(())
}

fn selector(text: &str) -> Option<Step> {
    let bound = |text: &str| match text {
        "" => Some(None),
        number => index(number).map(Some),
    };
    match text.split_once(':') {
        Some((start, end)) => Some(Step::Slice(bound(start)?, bound(end)?)),
        None if text.is_empty() => Some(Step::Slice(None, None)),
        None => index(text).map(Step::Index),
    }
}

fn index(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.len() <= 9 && digits.bytes().all(|it| it.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte == b'-';
    !text.is_empty() && text.bytes().all(letter)
}

/// Follows steps down a value; none where they lead nowhere.
pub(crate) fn select(steps: &[Step], root: &Value) -> Option<Selection> {
    let mut found = vec![Found { place: String::new(), value: root.clone(), whole: true }];
    let mut many = false;
    for step in steps {
        let mut next = Vec::new();
        for it in found {
            many |= follow(step, it, &mut next)?;
        }
        if next.len() > MAX_SELECTED {
            return None;
        }
        found = next;
    }
    match many {
        true => Some(Selection::Many(found)),
        false => found.pop().map(Selection::One),
    }
}

/// Adds what a step leads to, and says whether that is one for each element of a list.
fn follow(step: &Step, from: Found, found: &mut Vec<Found>) -> Option<bool> {
    match (step, from.value) {
        (Step::Name(name), Value::Struct(parts)) => {
            let (_, value) = parts.into_iter().find(|(known, _)| known == name)?;
            let dot = if from.place.is_empty() { "" } else { "." };
            found.push(Found { place: format!("{}{dot}{name}", from.place), value, whole: from.whole });
            Some(false)
        }
        (Step::Index(index), Value::List(items)) => {
            let at = place(*index, items.len())?;
            let value = items.into_iter().nth(at)?;
            found.push(Found { place: format!("{}[{at}]", from.place), value, whole: from.whole });
            Some(false)
        }
        (Step::Slice(start, end), Value::List(items)) => {
            let (start, end) = range(*start, *end, items.len())?;
            let items = items.into_iter().enumerate().take(end).skip(start);
            found.extend(items.map(|(at, value)| Found {
                place: format!("{}[{at}]", from.place),
                value,
                whole: from.whole,
            }));
            Some(true)
        }
        (Step::Slice(start, end), value) => {
            let bytes = value.to_bytes()?;
            let (start, end) = range(*start, *end, bytes.len())?;
            let whole = from.whole && end.checked_sub(start) == Some(bytes.len());
            let value = Value::Bytes(bytes.get(start..end)?.to_vec());
            found.push(Found { place: from.place, value, whole });
            Some(false)
        }
        _ => None,
    }
}

fn range(start: Option<i64>, end: Option<i64>, length: usize) -> Option<(usize, usize)> {
    let edge =
        |it: i64| place(it, length.saturating_add(1)).filter(|_| it >= 0).or_else(|| place(it, length));
    let start = start.map_or(Some(0), edge)?;
    let end = end.map_or(Some(length), edge)?;
    (start <= end).then_some((start, end))
}

fn place(index: i64, length: usize) -> Option<usize> {
    let at = match usize::try_from(index) {
        Ok(at) => at,
        Err(_) => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
    };
    (at < length).then_some(at)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, U256};

    use super::*;

    fn root() -> Value {
        let number = |it: u64| Value::Uint(U256::from(it));
        let point = |it| Value::Struct(vec![("x".to_owned(), number(it))]);
        Value::Struct(vec![
            ("list".to_owned(), Value::List(vec![point(1), point(2), point(3)])),
            ("path".to_owned(), Value::Bytes((0..43).collect())),
            ("who".to_owned(), Value::Address(Address::repeat_byte(7))),
            ("none".to_owned(), Value::List(vec![])),
        ])
    }

    fn places(text: &str) -> Option<Vec<String>> {
        let path = Path::parse(text, &[]).unwrap();
        match select(path.steps(), &root())? {
            Selection::One(it) => Some(vec![it.place]),
            Selection::Many(them) => Some(them.into_iter().map(|it| it.place).collect()),
        }
    }

    #[test]
    fn paths_lead_to_their_values() {
        let texts = |it: &[&str]| Some(it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
        for (path, expected) in [
            ("#.who", texts(&["who"])),
            ("who", texts(&["who"])),
            ("list.[0].x", texts(&["list[0].x"])),
            ("list[-1].x", texts(&["list[2].x"])),
            ("list.[].x", texts(&["list[0].x", "list[1].x", "list[2].x"])),
            ("list.[1:].x", texts(&["list[1].x", "list[2].x"])),
            ("list.[:-1].x", texts(&["list[0].x", "list[1].x"])),
            ("none.[]", texts(&[])),
            ("list.x", None),
            ("list.[3]", None),
            ("list.[-4]", None),
            ("nobody", None),
            ("path.[0:44]", None),
            ("path.[5:4]", None),
        ] {
            assert_eq!(places(path), expected, "{path}");
        }
    }

    #[test]
    fn bytes_are_sliced_from_both_ends() {
        let bytes = |text: &str| {
            let path = Path::parse(text, &[]).unwrap();
            match select(path.steps(), &root()) {
                Some(Selection::One(Found { value: Value::Bytes(bytes), whole, .. })) => (bytes, whole),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(bytes("path.[0:20]"), ((0..20).collect(), false));
        assert_eq!(bytes("path.[:20]"), ((0..20).collect(), false));
        assert_eq!(bytes("path.[-20:]"), ((23..43).collect(), false));
        assert_eq!(bytes("path.[]"), ((0..43).collect(), true));
        assert_eq!(bytes("who.[0:1]"), (vec![7], false));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", "a..b", "a.[0", "a.0]", "a.[x]", "a.[1:2:3]", "@.gas", "$.", "a b", "a.[9999999999]"]
        {
            let path = Path::parse(text, &[]);
            assert!(path.is_err() || text.is_empty(), "{text}: {path:?}");
        }
        assert!(Path::parse(&["a"; 17].join("."), &[]).is_err());
    }
}
