//! The types of a document: names, fields, arrays, and the text that is hashed.

use std::collections::{BTreeMap, BTreeSet};

use super::TypedDataError;
use super::json::Json;

/// The most struct types of one document.
pub(crate) const MAX_TYPES: usize = 32;
/// The most fields of one struct.
pub(crate) const MAX_FIELDS: usize = 64;
/// The longest name.
pub(crate) const MAX_IDENTIFIER_BYTES: usize = 64;
/// The most dimensions of one array.
pub(crate) const MAX_DIMENSIONS: usize = 4;
/// The struct that names where a document is valid.
pub(crate) const DOMAIN_TYPE: &str = "EIP712Domain";

/// Struct types by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schema {
    structs: BTreeMap<String, Vec<Field>>,
}

/// One field of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: TypeName,
    /// As written, which is how it is hashed.
    text: String,
}

/// A type, and the dimensions of arrays of it, innermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TypeName {
    pub(crate) base: Base,
    pub(crate) dimensions: Vec<Option<usize>>,
}

/// A type that is not an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    Bool,
    Address,
    Text,
    Bytes,
    /// Bytes, 1 to 32.
    FixedBytes(usize),
    /// Bits, 8 to 256.
    Uint(usize),
    /// Bits, 8 to 256.
    Int(usize),
    Struct(String),
}

/// EIP-712 `encodeType` of a struct, from the `types` of a document in JSON.
///
/// # Errors
///
/// [`TypedDataError`] says where the types are none.
pub fn encode_type(types: &str, name: &str) -> Result<String, TypedDataError> {
    Schema::parse(&Json::parse(types)?)?.encode_type(name)
}

impl Schema {
    /// Parses the `types` member.
    pub(crate) fn parse(types: &Json) -> Result<Self, TypedDataError> {
        let members = types.object("types")?;
        if members.len() > MAX_TYPES {
            return Err(TypedDataError::TooMany { limit: MAX_TYPES, what: "types" });
        }
        let mut structs = BTreeMap::new();
        for (name, fields) in members {
            identifier(name)?;
            if !matches!(base(name)?, Base::Struct(_)) {
                return Err(TypedDataError::Type { expected: "a name for a struct", found: name.clone() });
            }
            structs.insert(name.clone(), parse_fields(name, fields)?);
        }
        Ok(Self { structs })
    }

    /// A struct's fields.
    pub(crate) fn fields(&self, name: &str) -> Result<&[Field], TypedDataError> {
        let unknown = || TypedDataError::Type { expected: "a declared type", found: name.to_owned() };
        self.structs.get(name).map(Vec::as_slice).ok_or_else(unknown)
    }

    /// Whether a struct is declared.
    pub(crate) fn declares(&self, name: &str) -> bool {
        self.structs.contains_key(name)
    }

    /// EIP-712 `encodeType`: the struct, then those it refers to by name.
    pub(crate) fn encode_type(&self, name: &str) -> Result<String, TypedDataError> {
        let mut reached = self.reached(name)?;
        reached.remove(name);
        let mut text = self.one_type(name)?;
        for other in reached {
            text.push_str(&self.one_type(other)?);
        }
        Ok(text)
    }

    /// What nothing refers to is not signed, so it is not part of what anybody should read.
    pub(crate) fn check_all_used(&self, primary: &str) -> Result<(), TypedDataError> {
        let reached = self.reached(primary)?;
        let unused =
            self.structs.keys().find(|name| *name != DOMAIN_TYPE && !reached.contains(name.as_str()));
        match unused {
            None => Ok(()),
            Some(name) => Err(TypedDataError::UnusedType { name: name.clone() }),
        }
    }

    fn reached<'s>(&'s self, name: &'s str) -> Result<BTreeSet<&'s str>, TypedDataError> {
        let mut reached = BTreeSet::new();
        let mut waiting = vec![name];
        while let Some(name) = waiting.pop() {
            if name == DOMAIN_TYPE {
                return Err(TypedDataError::Type { expected: "a type of a message", found: name.to_owned() });
            }
            if reached.insert(name) {
                waiting.extend(self.fields(name)?.iter().filter_map(Field::struct_name));
            }
        }
        Ok(reached)
    }

    fn one_type(&self, name: &str) -> Result<String, TypedDataError> {
        let fields: Vec<String> =
            self.fields(name)?.iter().map(|field| format!("{} {}", field.text, field.name)).collect();
        Ok(format!("{name}({})", fields.join(",")))
    }
}

impl Field {
    /// The type as written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn struct_name(&self) -> Option<&str> {
        match &self.kind.base {
            Base::Struct(name) => Some(name),
            _ => None,
        }
    }
}

fn parse_fields(name: &str, fields: &Json) -> Result<Vec<Field>, TypedDataError> {
    let place = format!("types.{name}");
    let list = fields.list(&place)?;
    if list.len() > MAX_FIELDS {
        return Err(TypedDataError::TooMany { limit: MAX_FIELDS, what: "fields of one type" });
    }
    let mut parsed: Vec<Field> = Vec::new();
    for field in list {
        let field = parse_field(&place, field)?;
        if parsed.iter().any(|known| known.name == field.name) {
            return Err(TypedDataError::Type { expected: "a field name used once", found: field.name });
        }
        parsed.push(field);
    }
    Ok(parsed)
}

fn parse_field(place: &str, field: &Json) -> Result<Field, TypedDataError> {
    let members = field.members(place, &["name", "type"])?;
    let [name, text] = members.as_slice() else {
        return Err(TypedDataError::value(place, "a name and a type"));
    };
    let (name, text) = (name.text(place)?, text.text(place)?);
    identifier(name)?;
    Ok(Field { name: name.to_owned(), kind: type_name(text)?, text: text.to_owned() })
}

/// Names go into the hashed text unquoted, so nothing but letters, digits, `_` and `$` may occur.
fn identifier(name: &str) -> Result<(), TypedDataError> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$';
    let first = name.bytes().next().is_some_and(|byte| letter(byte) && !byte.is_ascii_digit());
    match first && name.len() <= MAX_IDENTIFIER_BYTES && name.bytes().all(letter) {
        true => Ok(()),
        false => Err(TypedDataError::Type { expected: "an identifier", found: name.to_owned() }),
    }
}

fn type_name(text: &str) -> Result<TypeName, TypedDataError> {
    let bad = || TypedDataError::Type { expected: "a type", found: text.to_owned() };
    let (name, mut rest) = text.split_at(text.find('[').unwrap_or(text.len()));
    let mut dimensions = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.strip_prefix('[').and_then(|it| it.split_once(']')).ok_or_else(bad)?;
        dimensions.push(dimension(length).ok_or_else(bad)?);
        rest = after;
    }
    if dimensions.len() > MAX_DIMENSIONS {
        return Err(TypedDataError::TooMany { limit: MAX_DIMENSIONS, what: "dimensions of one array" });
    }
    identifier(name)?;
    Ok(TypeName { base: base(name)?, dimensions })
}

fn dimension(length: &str) -> Option<Option<usize>> {
    match length {
        "" => Some(None),
        _ => canonical_number(length).filter(|length| *length > 0).map(Some),
    }
}

/// `uint` and `int` without bits are aliases in source code and hash differently from what they
/// mean, so they are refused, like every width that does not exist.
fn base(name: &str) -> Result<Base, TypedDataError> {
    let bad = || TypedDataError::Type { expected: "a type", found: name.to_owned() };
    let sized = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Some(canonical_number(text)),
        false => None,
    };
    let bits =
        |bits: Option<usize>| bits.filter(|bits| (8..=256).contains(bits) && bits % 8 == 0).ok_or_else(bad);
    match name {
        "bool" => return Ok(Base::Bool),
        "address" => return Ok(Base::Address),
        "string" => return Ok(Base::Text),
        "bytes" => return Ok(Base::Bytes),
        "byte" | "function" | "fixed" | "ufixed" => return Err(bad()),
        _ => {}
    }
    if let Some(size) = name.strip_prefix("uint").and_then(sized) {
        return bits(size).map(Base::Uint);
    }
    if let Some(size) = name.strip_prefix("int").and_then(sized) {
        return bits(size).map(Base::Int);
    }
    if let Some(size) = name.strip_prefix("bytes").and_then(sized) {
        return size.filter(|size| (1..=32).contains(size)).map(Base::FixedBytes).ok_or_else(bad);
    }
    Ok(Base::Struct(name.to_owned()))
}

/// A decimal number without leading zeros.
fn canonical_number(text: &str) -> Option<usize> {
    let number: usize = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
