//! Values of typed data: checked against their types, and hashed while they are read.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, I256, U256, keccak256};

use super::TypedDataError;
use super::json::Json;
use super::schema::{Base, Schema};

/// How deep values may be nested.
const MAX_VALUE_DEPTH: usize = 24;

/// A value of a known type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Anything that fills one word, as the ABI would encode it.
    Word(B256),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// `string`.
    Text(String),
    /// The elements of an array.
    List(Vec<Value>),
    /// The fields of a struct, in the order of its type.
    Struct(Vec<Value>),
}

impl Value {
    pub(crate) fn uint(&self) -> Option<U256> {
        match self {
            Self::Word(word) => Some(U256::from_be_bytes(word.0)),
            _ => None,
        }
    }

    pub(crate) fn address(&self) -> Option<Address> {
        match self {
            Self::Word(word) => Some(Address::from_word(*word)),
            _ => None,
        }
    }

    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The elements or fields, where it has some.
    #[must_use]
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) | Self::Struct(items) => Some(items),
            _ => None,
        }
    }
}

/// Reads values by a schema.
#[derive(Debug)]
pub(crate) struct Reader<'s> {
    schema: &'s Schema,
    /// Hashed once: a list of a thousand small structs would hash long types as often.
    type_hashes: BTreeMap<&'s str, B256>,
}

impl<'s> Reader<'s> {
    pub(crate) fn new(schema: &'s Schema) -> Self {
        Self { schema, type_hashes: BTreeMap::new() }
    }

    /// A struct's fields, and EIP-712 `hashStruct`.
    pub(crate) fn structure(
        &mut self,
        name: &'s str,
        json: &Json,
        place: &str,
        depth: usize,
    ) -> Result<(Value, B256), TypedDataError> {
        let fields = self.schema.fields(name)?;
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let members = json.members(place, &names)?;
        let mut encoded = self.type_hash(name)?.to_vec();
        let mut values = Vec::with_capacity(members.len());
        for (field, member) in fields.iter().zip(members) {
            let place = format!("{place}.{}", field.name);
            let (value, word) =
                self.value(&field.kind.base, &field.kind.dimensions, member, &place, depth)?;
            encoded.extend_from_slice(word.as_slice());
            values.push(value);
        }
        Ok((Value::Struct(values), keccak256(encoded)))
    }

    /// A value, and its word in EIP-712 `encodeData`.
    fn value(
        &mut self,
        base: &'s Base,
        dimensions: &[Option<usize>],
        json: &Json,
        place: &str,
        depth: usize,
    ) -> Result<(Value, B256), TypedDataError> {
        if depth >= MAX_VALUE_DEPTH {
            return Err(TypedDataError::TooMany { limit: MAX_VALUE_DEPTH, what: "levels" });
        }
        let depth = depth.saturating_add(1);
        match (dimensions.split_last(), base) {
            (Some((length, inner)), _) => self.list(base, inner, *length, json, place, depth),
            (None, Base::Struct(name)) => self.structure(name, json, place, depth),
            (None, base) => atom(base, json).ok_or_else(|| TypedDataError::value(place, expected(base))),
        }
    }

    fn list(
        &mut self,
        base: &'s Base,
        inner: &[Option<usize>],
        length: Option<usize>,
        json: &Json,
        place: &str,
        depth: usize,
    ) -> Result<(Value, B256), TypedDataError> {
        let items = json.list(place)?;
        if length.is_some_and(|length| length != items.len()) {
            return Err(TypedDataError::value(place, "a list of the declared length"));
        }
        let mut encoded = Vec::new();
        let mut values = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let (value, word) = self.value(base, inner, item, &format!("{place}[{index}]"), depth)?;
            encoded.extend_from_slice(word.as_slice());
            values.push(value);
        }
        Ok((Value::List(values), keccak256(encoded)))
    }

    fn type_hash(&mut self, name: &'s str) -> Result<B256, TypedDataError> {
        if let Some(hash) = self.type_hashes.get(name) {
            return Ok(*hash);
        }
        let hash = keccak256(self.schema.encode_type(name)?);
        self.type_hashes.insert(name, hash);
        Ok(hash)
    }
}

/// A value that is neither list nor struct, and its word.
fn atom(base: &Base, json: &Json) -> Option<(Value, B256)> {
    let word = match (base, json) {
        (Base::Bool, Json::Bool(value)) => B256::from(U256::from(u8::from(*value))),
        (Base::Address, Json::Text(text)) => address(text)?.into_word(),
        (Base::Uint(bits), _) => B256::from(uint(json).filter(|value| value.bit_len() <= *bits)?),
        (Base::Int(bits), _) => B256::from(int(json).filter(|value| fits(*value, *bits))?.into_raw()),
        (Base::FixedBytes(length), Json::Text(text)) => {
            B256::right_padding_from(&hex(text).filter(|bytes| bytes.len() == *length)?)
        }
        (Base::Bytes, Json::Text(text)) => {
            let bytes = hex(text)?;
            let hash = keccak256(&bytes);
            return Some((Value::Bytes(bytes), hash));
        }
        (Base::Text, Json::Text(text)) => return Some((Value::Text(text.clone()), keccak256(text))),
        _ => return None,
    };
    Some((Value::Word(word), word))
}

/// A JSON integer, a decimal string, or hex digits after `0x`.
pub(crate) fn uint(json: &Json) -> Option<U256> {
    match json {
        Json::Integer(number) => u128::try_from(*number).ok().map(U256::from),
        Json::Text(text) => match text.strip_prefix("0x") {
            Some(digits) => from_digits(digits, 16),
            None => from_digits(text, 10),
        },
        _ => None,
    }
}

/// An address: `0x` and forty hex digits.
pub(crate) fn address(text: &str) -> Option<Address> {
    Address::try_from(hex(text)?.as_slice()).ok()
}

/// Bytes: `0x` and pairs of hex digits.
pub(crate) fn hex(text: &str) -> Option<Vec<u8>> {
    const_hex::decode(text.strip_prefix("0x")?).ok()
}

fn int(json: &Json) -> Option<I256> {
    match json {
        Json::Integer(number) => I256::try_from(*number).ok(),
        Json::Text(text) => match text.strip_prefix('-') {
            Some(digits) => {
                I256::checked_from_sign_and_abs(alloy_primitives::Sign::Negative, from_digits(digits, 10)?)
            }
            None => I256::checked_from_sign_and_abs(alloy_primitives::Sign::Positive, uint(json)?),
        },
        _ => None,
    }
}

/// Two's complement: from −2^(bits−1) to 2^(bits−1) − 1.
fn fits(value: I256, bits: usize) -> bool {
    let magnitude = if value.is_negative() { !value.into_raw() } else { value.into_raw() };
    magnitude.bit_len() < bits
}

fn from_digits(digits: &str, radix: u64) -> Option<U256> {
    let digit = |byte: u8| if radix == 16 { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
    match !digits.is_empty() && digits.len() <= MAX_DIGITS && digits.bytes().all(digit) {
        true => U256::from_str_radix(digits, radix).ok(),
        false => None,
    }
}

fn expected(base: &Base) -> String {
    match base {
        Base::Bool => "true or false".into(),
        Base::Address => "an address".into(),
        Base::Text => "a string".into(),
        Base::Bytes => "bytes in hex".into(),
        Base::FixedBytes(length) => format!("{length} bytes in hex"),
        Base::Uint(bits) => format!("a uint{bits}"),
        Base::Int(bits) => format!("an int{bits}"),
        Base::Struct(name) => format!("a {name}"),
    }
}

/// 2^256 has 78 decimal digits.
const MAX_DIGITS: usize = 78;
