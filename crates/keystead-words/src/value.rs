//! Values with the names of their parts, whether they come from calldata or from typed data.

use alloy_primitives::{Address, I256, U256};
use keystead_chain::typed_data;

use crate::kind::{Content, Kind, MessageType};

/// How deep values of typed data may be nested here.
const MAX_DEPTH: usize = 24;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Bool(bool),
    Address(Address),
    Uint(U256),
    Int(I256),
    /// Of fixed or of any length.
    Bytes(Vec<u8>),
    Text(String),
    List(Vec<Value>),
    Struct(Vec<(String, Value)>),
}

impl Value {
    /// A number, where it is one; bytes of at most one word are read as one, because a slice of a word is such.
    pub(crate) fn uint(&self) -> Option<U256> {
        match self {
            Self::Uint(number) => Some(*number),
            Self::Bytes(bytes) => U256::try_from_be_slice(bytes),
            _ => None,
        }
    }

    /// An address, or twenty bytes.
    pub(crate) fn address(&self) -> Option<Address> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Bytes(bytes) => Address::try_from(bytes.as_slice()).ok(),
            _ => None,
        }
    }

    /// What a slice is cut from.
    pub(crate) fn to_bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Address(address) => Some(address.to_vec()),
            Self::Uint(number) => Some(number.to_be_bytes_vec()),
            Self::Bytes(bytes) => Some(bytes.clone()),
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Bool(_) | Self::Int(_) | Self::List(_) | Self::Struct(_) => None,
        }
    }

    /// How lists in descriptors write it, to compare it with them.
    pub(crate) fn is_written(&self, text: &str) -> bool {
        match self {
            Self::Bool(value) => text == value.to_string(),
            Self::Address(address) => text.parse() == Ok(*address),
            Self::Uint(number) => parse_uint(text) == Some(*number),
            Self::Int(number) => text.parse() == Ok(*number),
            // A slice of a number is compared with a number, where the list has one.
            Self::Bytes(bytes) => match text.strip_prefix("0x") {
                Some(digits) => const_hex::decode(digits).is_ok_and(|it| it == *bytes),
                None => self.uint().is_some_and(|it| parse_uint(text) == Some(it)),
            },
            Self::Text(value) => value == text,
            Self::List(_) | Self::Struct(_) => false,
        }
    }

    /// Every value that is neither list nor struct, by its path from here; an empty list is one of its own.
    pub(crate) fn leaves(&self, path: &str, found: &mut Vec<(String, Value)>) {
        match self {
            Self::Struct(parts) => {
                let dot = if path.is_empty() { "" } else { "." };
                parts.iter().for_each(|(name, value)| value.leaves(&format!("{path}{dot}{name}"), found));
            }
            Self::List(items) if !items.is_empty() => {
                let items = items.iter().enumerate();
                items.for_each(|(index, item)| item.leaves(&format!("{path}[{index}]"), found));
            }
            leaf => found.push((path.to_owned(), leaf.clone())),
        }
    }
}

/// A decimal number, or hex digits after `0x`.
pub(crate) fn parse_uint(text: &str) -> Option<U256> {
    match text.strip_prefix("0x") {
        Some(digits) if (1..=64).contains(&digits.len()) => U256::from_str_radix(digits, 16).ok(),
        None if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 78 => {
            U256::from_str_radix(text, 10).ok()
        }
        _ => None,
    }
}

/// The message of a document, whose type is the one that is described.
pub(crate) fn message(kind: &MessageType, document: &typed_data::Document) -> Option<Value> {
    let fields = match kind.content(&kind.primary)? {
        Content::Struct(fields) => fields,
        Content::List(_) | Content::Atom(_) => return None,
    };
    structure(kind, fields, document.fields(), 0)
}

fn structure(
    types: &MessageType,
    fields: &[(String, String)],
    values: &[typed_data::Value],
    depth: usize,
) -> Option<Value> {
    if fields.len() != values.len() || depth > MAX_DEPTH {
        return None;
    }
    let parts = fields.iter().zip(values).map(|((name, kind), value)| {
        Some((name.clone(), field(types, kind, value, depth.saturating_add(1))?))
    });
    parts.collect::<Option<Vec<_>>>().map(Value::Struct)
}

fn field(types: &MessageType, kind: &str, value: &typed_data::Value, depth: usize) -> Option<Value> {
    match types.content(kind)? {
        Content::List(element) if depth <= MAX_DEPTH => {
            let items = value.items()?.iter().map(|it| field(types, element, it, depth.saturating_add(1)));
            items.collect::<Option<Vec<_>>>().map(Value::List)
        }
        Content::List(_) => None,
        Content::Struct(fields) => structure(types, fields, value.items()?, depth),
        Content::Atom(kind) => atom(&kind, value),
    }
}

fn atom(kind: &Kind, value: &typed_data::Value) -> Option<Value> {
    match (kind, value) {
        (Kind::Bytes, typed_data::Value::Bytes(bytes)) => Some(Value::Bytes(bytes.clone())),
        (Kind::Text, typed_data::Value::Text(text)) => Some(Value::Text(text.clone())),
        (kind, typed_data::Value::Word(word)) => from_word(kind, &word.0),
        _ => None,
    }
}

/// A type that fills one word, if the word is the one encoding of a value of it.
pub(crate) fn from_word(kind: &Kind, word: &[u8; 32]) -> Option<Value> {
    let number = U256::from_be_bytes(*word);
    match kind {
        Kind::Bool => (number <= U256::from(1)).then(|| Value::Bool(!number.is_zero())),
        Kind::Address => {
            (number.bit_len() <= 160).then(|| Value::Address(Address::from_word((*word).into())))
        }
        Kind::Uint(bits) => (number.bit_len() <= *bits).then_some(Value::Uint(number)),
        Kind::Int(bits) => {
            let value = I256::from_raw(number);
            let magnitude = if value.is_negative() { !number } else { number };
            (magnitude.bit_len() < *bits).then_some(Value::Int(value))
        }
        Kind::FixedBytes(length) => {
            let (bytes, padding) = word.split_at_checked(*length)?;
            padding.iter().all(|byte| *byte == 0).then(|| Value::Bytes(bytes.to_vec()))
        }
        Kind::Text | Kind::Bytes | Kind::List(..) | Kind::Struct(_) => None,
    }
}
