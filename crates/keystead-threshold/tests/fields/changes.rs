//! What is done to one field of a message, and to a message as a whole.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Field, What};

/// One way to change a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// All its bits 0, or 1; for a point, 0 is the identity.
    Fill(u8),
    Flip {
        last: bool,
    },
    /// Another value of its length: an order, a one, a point that is on no curve, another point.
    Put(Vec<u8>),
    /// What the same field held in another run.
    OtherRun,
    /// What the victim said itself in this place.
    Reflected,
    /// A list without its last element, without any, with its last twice, with its first two changed about.
    Shorter,
    Emptied,
    Doubled,
    Swapped,
    /// A list that says that it is longer than it is, a little or beyond all memory.
    Claims(Vec<u8>),
}

/// The order of the group, the least scalar that is none.
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
const ONE: &str = "0000000000000000000000000000000000000000000000000000000000000001";
/// No point has this x; this x is not below the field's order; and the generator.
const POINTS: [&str; 3] = [
    "020000000000000000000000000000000000000000000000000000000000000005",
    "02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
    "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
];

/// All changes of a field.
pub(crate) fn changes(field: &Field) -> Vec<Change> {
    use Change::{Claims, Doubled, Emptied, Fill, Flip, OtherRun, Put, Reflected, Shorter, Swapped};
    let put = |text: &str| Put(const_hex::decode(text).unwrap());
    match &field.what {
        What::Byte | What::Number => vec![Fill(0), Fill(0xff), Flip { last: true }],
        What::Bytes => {
            let mut all = vec![Fill(0), Fill(0xff), Flip { last: false }, Flip { last: true }];
            match field.at.len() {
                32 => all.extend([ORDER, ONE].map(put)),
                33 => all.extend(POINTS.map(put)),
                _ => {}
            }
            all.extend([OtherRun, Reflected]);
            all
        }
        What::List(elements) => {
            let longer = Claims(vec![0xff, 0xff, 0x03]);
            let beyond = Claims(vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
            let mut all = vec![Shorter, Emptied, Doubled, longer, beyond];
            if elements.len() > 1 {
                all.push(Swapped);
            }
            all
        }
    }
}

impl Change {
    /// The message with one field changed. `None` where there is nothing to take instead.
    pub(crate) fn apply(&self, field: &Field, bytes: &[u8], other: &[u8], mine: &[u8]) -> Option<Vec<u8>> {
        let at = field.at.clone();
        let mut value = bytes[at.clone()].to_vec();
        match self {
            Self::Fill(with) => value.fill(*with),
            Self::Flip { last: true } => *value.last_mut()? ^= 1,
            Self::Flip { last: false } => *value.first_mut()? ^= 1,
            Self::Put(instead) => value.clone_from(instead),
            Self::OtherRun => value = other.get(at.clone())?.to_vec(),
            Self::Reflected => value = mine.get(at.clone())?.to_vec(),
            Self::Claims(length) => value.clone_from(length),
            Self::Shorter | Self::Emptied | Self::Doubled | Self::Swapped => {
                let What::List(elements) = &field.what else { return None };
                return Some(self.relisted(at, elements, bytes));
            }
        }
        Some([&bytes[..at.start], &value, &bytes[at.end..]].concat())
    }

    fn relisted(&self, at: Range<usize>, elements: &[Range<usize>], bytes: &[u8]) -> Vec<u8> {
        let mut list: Vec<&[u8]> = elements.iter().map(|element| &bytes[element.clone()]).collect();
        match self {
            Self::Shorter => drop(list.pop()),
            Self::Doubled => list.extend(list.last().copied()),
            Self::Swapped => list.swap(0, 1),
            _ => list.clear(),
        }
        let end = elements.last().map_or(at.end, |last| last.end);
        let length = postcard::to_allocvec(&list.len()).unwrap();
        [&bytes[..at.start], &length, &list.concat(), &bytes[end..]].concat()
    }
}

/// Which fields are changed: of each name the first, the last and one between, from a fixed seed.
pub(crate) fn chosen(fields: &[Field], mut below: impl FnMut(usize) -> usize) -> Vec<usize> {
    let mut named: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, field) in fields.iter().enumerate() {
        named.entry(field.name.as_str()).or_default().push(at);
    }
    let mut all: Vec<usize> = named
        .values()
        .flat_map(|those| [those[0], those[below(those.len())], those[those.len() - 1]])
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}
