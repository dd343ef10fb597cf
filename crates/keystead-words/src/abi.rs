//! Arguments out of calldata, if they are the one canonical encoding of themselves.
//!
//! Contracts read other encodings too (dirty high bits, shared or shifted tails, bytes after the end); two readers
//! could then see two things in the same bytes. A canonical encoding is read once from its start to its end, so
//! that no bytes, however they are made, cost more than their length.

use crate::kind::{Kind, Part};
use crate::value::{Value, from_word};

/// Decodes what follows the selector.
pub(crate) fn decode(parts: &[Part], data: &[u8]) -> Option<Value> {
    let (values, used) = sequence(parts.iter().map(|part| &part.kind), data)?;
    let names = parts.iter().map(|part| part.name.clone());
    (used == data.len()).then(|| Value::Struct(names.zip(values).collect()))
}

/// Values one after the other: heads, then tails in the same order. Also says how many bytes they took.
fn sequence<'k>(kinds: impl Iterator<Item = &'k Kind> + Clone, data: &[u8]) -> Option<(Vec<Value>, usize)> {
    let mut tail = 0_usize;
    for kind in kinds.clone() {
        tail = tail.checked_add(kind.head_bytes()).filter(|length| *length <= data.len())?;
    }
    let (mut values, mut at) = (Vec::new(), 0_usize);
    for kind in kinds {
        let start = if kind.is_dynamic() { tail } else { at };
        if kind.is_dynamic() && length(data.get(at..)?)? != tail {
            return None;
        }
        let (value, used) = read(kind, data.get(start..)?)?;
        if kind.is_dynamic() {
            tail = tail.checked_add(used)?;
        }
        at = at.checked_add(kind.head_bytes())?;
        values.push(value);
    }
    Some((values, tail))
}

fn read(kind: &Kind, data: &[u8]) -> Option<(Value, usize)> {
    match kind {
        Kind::Bytes => padded(data).map(|(bytes, used)| (Value::Bytes(bytes.to_vec()), used)),
        Kind::Text => {
            let (bytes, used) = padded(data)?;
            Some((Value::Text(std::str::from_utf8(bytes).ok()?.to_owned()), used))
        }
        Kind::List(inner, Some(count)) => list(inner, *count, data),
        Kind::List(inner, None) => {
            let (list, used) = list(inner, length(data)?, data.get(WORD..)?)?;
            Some((list, used.checked_add(WORD)?))
        }
        Kind::Struct(parts) => {
            let (values, used) = sequence(parts.iter().map(|part| &part.kind), data)?;
            Some((Value::Struct(parts.iter().map(|part| part.name.clone()).zip(values).collect()), used))
        }
        word => Some((from_word(word, data.first_chunk()?)?, WORD)),
    }
}

fn list(inner: &Kind, count: usize, data: &[u8]) -> Option<(Value, usize)> {
    // Every element takes at least a word, so that no count is counted to that the bytes do not hold.
    if count > data.len() / WORD {
        return None;
    }
    let (values, used) = sequence(std::iter::repeat_n(inner, count), data)?;
    Some((Value::List(values), used))
}

/// Bytes behind their length, filled up with zeros to whole words.
fn padded(data: &[u8]) -> Option<(&[u8], usize)> {
    let length = length(data)?;
    let used = length.checked_next_multiple_of(WORD)?.checked_add(WORD)?;
    let (bytes, padding) = data.get(WORD..used)?.split_at_checked(length)?;
    padding.iter().all(|byte| *byte == 0).then_some((bytes, used))
}

/// A length or an offset.
fn length(data: &[u8]) -> Option<usize> {
    let (high, low) = data.first_chunk::<WORD>()?.split_at(WORD - 8);
    let low = u64::from_be_bytes(low.try_into().ok()?);
    high.iter().all(|byte| *byte == 0).then(|| usize::try_from(low).ok())?
}

impl Kind {
    fn is_dynamic(&self) -> bool {
        match self {
            Self::Bytes | Self::Text | Self::List(_, None) => true,
            Self::List(inner, Some(_)) => inner.is_dynamic(),
            Self::Struct(parts) => parts.iter().any(|part| part.kind.is_dynamic()),
            _ => false,
        }
    }

    /// The bytes that it takes among the heads: its own, or an offset.
    fn head_bytes(&self) -> usize {
        match self {
            kind if kind.is_dynamic() => WORD,
            Self::List(inner, Some(count)) => inner.head_bytes().saturating_mul(*count),
            Self::Struct(parts) => {
                parts.iter().fold(0, |sum: usize, part| sum.saturating_add(part.kind.head_bytes()))
            }
            _ => WORD,
        }
    }
}

const WORD: usize = 32;

#[cfg(test)]
mod tests {
    use alloy_dyn_abi::{DynSolType, DynSolValue};
    use alloy_primitives::{Address, I256, U256};
    use proptest::prelude::*;

    use super::*;
    use crate::kind::Function;

    /// Some type that both sides have.
    fn kinds() -> impl Strategy<Value = DynSolType> {
        let atoms = prop_oneof![
            Just(DynSolType::Bool),
            Just(DynSolType::Address),
            Just(DynSolType::String),
            Just(DynSolType::Bytes),
            (1_usize..=32).prop_map(DynSolType::FixedBytes),
            (1_usize..=32).prop_map(|it| DynSolType::Uint(it * 8)),
            (1_usize..=32).prop_map(|it| DynSolType::Int(it * 8)),
        ];
        atoms.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(|it| DynSolType::Array(Box::new(it))),
                (inner.clone(), 1_usize..4).prop_map(|(it, n)| DynSolType::FixedArray(Box::new(it), n)),
                proptest::collection::vec(inner, 1..4).prop_map(DynSolType::Tuple),
            ]
        })
    }

    /// Names each part, because functions here have names.
    fn named(kind: &DynSolType, name: &str) -> String {
        format!("{} {name}", typed(kind))
    }

    fn typed(kind: &DynSolType) -> String {
        match kind {
            DynSolType::Tuple(parts) => {
                let parts: Vec<String> =
                    parts.iter().enumerate().map(|(at, it)| named(it, &format!("p{at}"))).collect();
                format!("({})", parts.join(","))
            }
            DynSolType::Array(inner) => format!("{}[]", typed(inner)),
            DynSolType::FixedArray(inner, n) => format!("{}[{n}]", typed(inner)),
            atom => atom.sol_type_name().into_owned(),
        }
    }

    fn same(ours: &Value, theirs: &DynSolValue) -> bool {
        match (ours, theirs) {
            (Value::Bool(a), DynSolValue::Bool(b)) => a == b,
            (Value::Address(a), DynSolValue::Address(b)) => a == b,
            (Value::Uint(a), DynSolValue::Uint(b, _)) => a == b,
            (Value::Int(a), DynSolValue::Int(b, _)) => a == b,
            (Value::Bytes(a), DynSolValue::Bytes(b)) => a == b,
            (Value::Bytes(a), DynSolValue::FixedBytes(b, n)) => a[..] == b[..*n],
            (Value::Text(a), DynSolValue::String(b)) => a == b,
            (Value::List(a), DynSolValue::Array(b) | DynSolValue::FixedArray(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Value::Struct(a), DynSolValue::Tuple(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|((_, a), b)| same(a, b))
            }
            _ => false,
        }
    }

    /// Some value of a type, out of bytes that repeat.
    fn value_of(kind: &DynSolType, bytes: &mut impl Iterator<Item = u8>) -> DynSolValue {
        let mut word = [0; 32];
        word.fill_with(|| bytes.next().unwrap_or_default());
        let number = U256::from_be_bytes(word);
        let shift = |bits: usize| 256 - bits;
        let count = usize::from(word[0] % 4);
        let mut items =
            |inner: &DynSolType, count| (0..count).map(|_| value_of(inner, bytes)).collect::<Vec<_>>();
        match kind {
            DynSolType::Bool => DynSolValue::Bool(word[0] % 2 == 1),
            DynSolType::Address => DynSolValue::Address(Address::from_word(word.into())),
            DynSolType::Uint(bits) => DynSolValue::Uint(number >> shift(*bits), *bits),
            DynSolType::Int(bits) => DynSolValue::Int(I256::from_raw(number).asr(shift(*bits)), *bits),
            DynSolType::FixedBytes(length) => {
                word[*length..].fill(0);
                DynSolValue::FixedBytes(word.into(), *length)
            }
            DynSolType::Bytes => DynSolValue::Bytes(word.repeat(2)[..usize::from(word[0] % 65)].to_vec()),
            DynSolType::String => DynSolValue::String("grüße ".repeat(count)),
            DynSolType::Array(inner) => DynSolValue::Array(items(inner, count)),
            DynSolType::FixedArray(inner, length) => DynSolValue::FixedArray(items(inner, *length)),
            DynSolType::Tuple(kinds) => {
                DynSolValue::Tuple(kinds.iter().map(|it| value_of(it, bytes)).collect())
            }
            other => panic!("no {other:?} here"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        /// What alloy encodes reads as what it was; one bit or one word more is another value, or none.
        #[test]
        fn s02_arguments_decode_as_alloy_encodes_them(
            kinds in proptest::collection::vec(kinds(), 1..4),
            seed in proptest::collection::vec(any::<u8>(), 1..256),
            flip in any::<prop::sample::Index>(),
        ) {
            let kind = DynSolType::Tuple(kinds);
            let value = value_of(&kind, &mut seed.iter().copied().cycle());
            let function = Function::parse(&format!("f{}", typed(&kind))).unwrap();
            let data = value.abi_encode_params();
            let decoded = decode(&function.parts, &data);
            prop_assert!(decoded.as_ref().is_some_and(|it| same(it, &value)), "{decoded:?} {value:?}");
            let mut spoiled = data.clone();
            let at = flip.index(spoiled.len());
            spoiled[at] ^= 1;
            prop_assert_ne!(decode(&function.parts, &spoiled), decoded);
            prop_assert_eq!(decode(&function.parts, &[data, vec![0; 32]].concat()), None);
        }
    }

    #[test]
    fn s02_other_encodings_of_the_same_values_are_refused() {
        let word = |number: u64| U256::from(number).to_be_bytes::<32>().to_vec();
        let bytes = Function::parse("f(bytes a,bytes b)").unwrap();
        let tail = |text: &[u8]| [word(text.len() as u64), text.to_vec(), vec![0; 32 - text.len()]].concat();
        let both = [word(64), word(128), tail(b"one"), tail(b"two")].concat();
        assert!(decode(&bytes.parts, &both).is_some());
        let shared = [word(64), word(64), tail(b"one")].concat();
        let swapped = [word(128), word(64), tail(b"two"), tail(b"one")].concat();
        let gap = [word(96), word(160), word(0), tail(b"one"), tail(b"two")].concat();
        let mut dirty = both.clone();
        *dirty.last_mut().unwrap() = 1;
        for other in [shared, swapped, gap, dirty, vec![], vec![0xff; 128]] {
            assert_eq!(decode(&bytes.parts, &other), None);
        }
        let address = Function::parse("f(address a)").unwrap();
        let mut high = Address::repeat_byte(7).into_word().to_vec();
        assert!(decode(&address.parts, &high).is_some());
        high[0] = 1;
        assert_eq!(decode(&address.parts, &high), None);
        let int = Function::parse("f(int8 a)").unwrap();
        let word = |number: i64| I256::try_from(number).unwrap().to_be_bytes::<32>();
        assert!(decode(&int.parts, &word(-128)).is_some());
        assert_eq!(decode(&int.parts, &word(128)), None);
    }

    #[test]
    fn a_list_that_claims_more_than_there_is_costs_nothing() {
        let nested = Function::parse("f(uint256[][][][] a)").unwrap();
        let mut data = vec![0; 64];
        data[31] = 32;
        data[32..].fill(0xff);
        assert_eq!(decode(&nested.parts, &data), None);
        let fixed = Function::parse("f(uint256[1000000][1000000][1000000] a)").unwrap();
        assert_eq!(decode(&fixed.parts, &data), None);
    }
}
