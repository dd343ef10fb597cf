//! Types with the names of their parts: functions as `display.formats` writes them, and types of typed data.

use std::collections::BTreeMap;

use alloy_primitives::keccak256;

use crate::DescriptorError;

/// How deep types may be nested.
const MAX_DEPTH: usize = 8;
/// The most parts of one function or struct.
const MAX_PARTS: usize = 64;
/// The longest text of a signature.
const MAX_SIGNATURE_BYTES: usize = 4096;

/// A type of Solidity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
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
    /// Elements, and how many where the type says so.
    List(Box<Kind>, Option<usize>),
    Struct(Vec<Part>),
}

/// An argument, or a field of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// A function with the names of its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) selector: [u8; 4],
    /// Without names: `transfer(address,uint256)`.
    pub(crate) signature: String,
    pub(crate) parts: Vec<Part>,
}

impl Function {
    /// Parses `transfer(address to,uint256 value)`.
    pub(crate) fn parse(text: &str) -> Result<Self, DescriptorError> {
        let bad = || DescriptorError::Signature { found: text.chars().take(MAX_PARTS).collect() };
        if text.len() > MAX_SIGNATURE_BYTES {
            return Err(bad());
        }
        let mut reader = Reader { rest: text.trim() };
        let name = reader.word().ok_or_else(bad)?.to_owned();
        let parts = reader.parts(0).ok_or_else(bad)?;
        if !reader.rest.is_empty() {
            return Err(bad());
        }
        let signature = format!("{name}{}", tuple(&parts));
        let mut selector = [0; 4];
        selector.copy_from_slice(keccak256(&signature).split_at(4).0);
        Ok(Self { selector, signature, parts })
    }

    /// Whether each part has a name, and no two parts of one struct the same.
    pub(crate) fn is_named(&self) -> bool {
        named(&self.parts)
    }
}

fn named(parts: &[Part]) -> bool {
    let unlike = |(at, part): (usize, &Part)| {
        let before = parts.iter().take(at).any(|other| other.name == part.name);
        !part.name.is_empty() && !before && named_within(&part.kind)
    };
    parts.iter().enumerate().all(unlike)
}

fn named_within(kind: &Kind) -> bool {
    match kind {
        Kind::Struct(parts) => named(parts),
        Kind::List(inner, _) => named_within(inner),
        _ => true,
    }
}

/// The types without names, as selectors are made of them.
fn tuple(parts: &[Part]) -> String {
    let texts: Vec<String> = parts.iter().map(|part| part.kind.to_string()).collect();
    format!("({})", texts.join(","))
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Address => f.write_str("address"),
            Self::Text => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::FixedBytes(length) => write!(f, "bytes{length}"),
            Self::Uint(bits) => write!(f, "uint{bits}"),
            Self::Int(bits) => write!(f, "int{bits}"),
            Self::List(inner, None) => write!(f, "{inner}[]"),
            Self::List(inner, Some(length)) => write!(f, "{inner}[{length}]"),
            Self::Struct(parts) => f.write_str(&tuple(parts)),
        }
    }
}

/// Reads a signature from its start.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// The standard wants no blank after a comma; half of the published files have one, and it changes nothing.
    fn parts(&mut self, depth: usize) -> Option<Vec<Part>> {
        self.take('(')?;
        let mut parts = Vec::new();
        if self.take(')').is_some() {
            return Some(parts);
        }
        loop {
            parts.push(self.part(depth)?);
            match (self.take(','), parts.len() < MAX_PARTS) {
                (Some(()), true) => self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest),
                (Some(()), false) => return None,
                (None, _) => break,
            }
        }
        self.take(')')?;
        Some(parts)
    }

    fn part(&mut self, depth: usize) -> Option<Part> {
        if depth >= MAX_DEPTH {
            return None;
        }
        let base = match self.rest.starts_with('(') {
            true => Kind::Struct(self.parts(depth.saturating_add(1)).filter(|parts| !parts.is_empty())?),
            false => atom(self.word()?)?,
        };
        let kind = self.lists(base)?;
        let name = match self.take(' ') {
            Some(()) => self.word()?.to_owned(),
            None => String::new(),
        };
        Some(Part { name, kind })
    }

    fn lists(&mut self, base: Kind) -> Option<Kind> {
        let mut kind = base;
        for _ in 0..=MAX_DEPTH {
            if self.take('[').is_none() {
                return Some(kind);
            }
            let (length, rest) = self.rest.split_once(']')?;
            self.rest = rest;
            kind = Kind::List(Box::new(kind), list_length(length)?);
        }
        None
    }

    fn take(&mut self, expected: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    fn word(&mut self) -> Option<&'a str> {
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
        let end = self.rest.find(|c| !letter(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }
}

/// `[]` has any length, `[3]` that one; `[0]` would hold nothing.
fn list_length(text: &str) -> Option<Option<usize>> {
    match text {
        "" => Some(None),
        _ => number(text).filter(|length| *length > 0).map(Some),
    }
}

/// A type that is neither list nor struct.
fn atom(name: &str) -> Option<Kind> {
    let sized = |prefix: &str| name.strip_prefix(prefix).and_then(number);
    let bits = |bits: &usize| (8..=256).contains(bits) && bits.is_multiple_of(8);
    match name {
        "bool" => Some(Kind::Bool),
        "address" => Some(Kind::Address),
        "string" => Some(Kind::Text),
        "bytes" => Some(Kind::Bytes),
        _ => sized("uint")
            .filter(bits)
            .map(Kind::Uint)
            .or_else(|| sized("int").filter(bits).map(Kind::Int))
            .or_else(|| sized("bytes").filter(|length| (1..=32).contains(length)).map(Kind::FixedBytes)),
    }
}

/// A decimal number without leading zeros.
fn number(text: &str) -> Option<usize> {
    let number: usize = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// The structs of an EIP-712 `encodeType`, the primary one by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageType {
    pub(crate) primary: String,
    structs: BTreeMap<String, Vec<(String, String)>>,
}

/// What a field of typed data holds.
pub(crate) enum Content<'a> {
    List(&'a str),
    Struct(&'a [(String, String)]),
    Atom(Kind),
}

impl MessageType {
    /// Parses `Mail(Person from,string contents)Person(string name,address wallet)`.
    pub(crate) fn parse(text: &str) -> Result<Self, DescriptorError> {
        let bad = || DescriptorError::Signature { found: text.chars().take(MAX_PARTS).collect() };
        let mut structs = BTreeMap::new();
        let mut primary = None;
        if text.len() > MAX_SIGNATURE_BYTES {
            return Err(bad());
        }
        for one in text.split_inclusive(')') {
            let (name, fields) = struct_type(one).ok_or_else(bad)?;
            primary.get_or_insert_with(|| name.clone());
            if structs.insert(name, fields).is_some() || structs.len() > MAX_PARTS {
                return Err(bad());
            }
        }
        let message = Self { primary: primary.ok_or_else(bad)?, structs };
        let known = |(_, kind): &(String, String)| message.content(kind).is_some();
        match message.structs.values().flatten().all(known) {
            true => Ok(message),
            false => Err(bad()),
        }
    }

    /// What a type holds; none where it does not exist.
    pub(crate) fn content<'a>(&'a self, kind: &'a str) -> Option<Content<'a>> {
        if let Some(inner) = kind.strip_suffix(']') {
            let (element, length) = inner.rsplit_once('[')?;
            list_length(length)?;
            return match element.contains(char::is_whitespace) {
                true => None,
                false => self.content(element).map(|_| Content::List(element)),
            };
        }
        match self.structs.get(kind) {
            Some(fields) => Some(Content::Struct(fields)),
            None => atom(kind).map(Content::Atom),
        }
    }
}

/// `Person(string name,address wallet)`.
fn struct_type(text: &str) -> Option<(String, Vec<(String, String)>)> {
    let (name, fields) = text.strip_suffix(')')?.split_once('(')?;
    let fields = fields.split(',').filter(|field| !field.is_empty()).map(|field| {
        let (kind, name) = field.split_once(' ')?;
        (!name.contains(' ') && !name.is_empty()).then(|| (name.to_owned(), kind.to_owned()))
    });
    let fields: Option<Vec<_>> = fields.collect();
    Some((name.to_owned(), fields.filter(|fields| fields.len() <= MAX_PARTS)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_those_of_their_selectors() {
        for (text, signature, selector) in [
            ("transfer(address to,uint256 value)", "transfer(address,uint256)", "a9059cbb"),
            ("transfer(address to, uint256 value)", "transfer(address,uint256)", "a9059cbb"),
            ("pause()", "pause()", "8456cb59"),
            (
                "exactInputSingle((address tokenIn,address tokenOut,uint24 fee,address recipient,uint256 amountIn,uint256 amountOutMinimum,uint160 sqrtPriceLimitX96) params)",
                "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))",
                "04e45aaf",
            ),
            ("f(uint8[2][] a,(bytes32 x,string y)[3] b)", "f(uint8[2][],(bytes32,string)[3])", "4f7e0db2"),
        ] {
            let function = Function::parse(text).unwrap();
            assert_eq!(function.signature, signature);
            if signature.starts_with("f(") {
                assert_eq!(function.selector, keccak256(signature)[..4]);
            } else {
                assert_eq!(const_hex::encode(function.selector), selector, "{signature}");
            }
            assert!(function.is_named());
        }
    }

    #[test]
    fn what_is_no_function_is_refused() {
        for text in [
            "",
            "transfer",
            "transfer(address to",
            "transfer(address to,)",
            "transfer(address  to)",
            "transfer(uint value)",
            "transfer(uint7 value)",
            "transfer(address[0] to)",
            "transfer(() to)",
            "transfer(address to)x",
            "transfer(address to,  uint256 value)",
            "f(((((((((((uint8 a) a) a) a) a) a) a) a) a) a) a)",
        ] {
            assert!(Function::parse(text).is_err(), "{text}");
        }
        for text in ["f(address,uint256)", "f(address a,uint256 a)", "f((address,uint8 b) a)"] {
            assert!(!Function::parse(text).unwrap().is_named(), "{text}");
        }
    }

    #[test]
    fn types_of_messages_are_closed() {
        let mail = MessageType::parse(
            "Mail(Person from,Person[] to,string contents)Person(string name,address wallet)",
        );
        assert_eq!(mail.unwrap().primary, "Mail");
        for text in [
            "",
            "Mail",
            "Mail(Person from)",
            "Mail(string a)Mail(string a)",
            "Mail(string a,uint b)",
            "Mail(string  a)",
            "Mail(Mail[x] a)",
        ] {
            assert!(MessageType::parse(text).is_err(), "{text}");
        }
    }
}
