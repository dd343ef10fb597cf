//! Typed data drawn at random: nested structs, lists of lists, odd names, and what has to be refused.

use alloy_primitives::U256;
use serde_json::{Map, Value, json};

use crate::dice::Dice;

/// Names that are no trouble in EIP-712 and trouble elsewhere; each type and each field takes one.
const NAMES: [&str; 24] = [
    "amount",
    "Amount",
    "a",
    "A",
    "_",
    "$",
    "_$1",
    "to",
    "from",
    "type",
    "name",
    "value",
    "data",
    "toString",
    "constructor",
    "hasOwnProperty",
    "length",
    "message",
    "uintx",
    "Bytes",
    "None",
    "self",
    "lambda",
    "chainId",
];

/// A document before anything is spoiled.
pub(crate) struct Document {
    pub(crate) types: Map<String, Value>,
    pub(crate) domain: Map<String, Value>,
    pub(crate) primary: String,
    pub(crate) message: Value,
}

impl Document {
    /// One to four structs; each but the first is a part of one before it.
    pub(crate) fn draw(dice: &mut Dice, chain: u64) -> Self {
        let count = 1 + dice.below(4);
        let names: Vec<String> = (0..count).map(|at| format!("{}{at}", dice.pick(&NAMES))).collect();
        let mut structs: Vec<Vec<(String, String)>> =
            (0..count).map(|at| fields(dice, &names[at + 1..])).collect();
        for (at, name) in names.iter().enumerate().skip(1) {
            let holder = dice.below(at);
            let kind = format!("{name}{}", dimensions(dice));
            structs[holder].push((format!("part{at}"), kind));
        }
        let as_json = |(name, kind): &(String, String)| json!({ "name": name, "type": kind });
        let types = names
            .iter()
            .zip(&structs)
            .map(|(name, fields)| (name.clone(), fields.iter().map(as_json).collect()));
        let types: Map<String, Value> = types.collect();
        let message = Values { names: &names, structs: &structs }.structure(dice, 0);
        let mut document = Self { types, domain: domain(dice, chain), primary: names[0].clone(), message };
        if dice.once_in(25) {
            document.refer_to_itself();
        }
        if !dice.once_in(4) {
            document.declare_domain();
        }
        document
    }

    pub(crate) fn text(&self) -> String {
        let Self { types, domain, primary, message } = self;
        json!({ "types": types, "domain": domain, "primaryType": primary, "message": message }).to_string()
    }

    /// A list of its own type within the primary one, with one element whose list is empty.
    fn refer_to_itself(&mut self) {
        let kind = format!("{}[]", self.primary);
        if let Some(fields) = self.types.get_mut(&self.primary).and_then(Value::as_array_mut) {
            fields.push(json!({ "name": "again", "type": kind }));
        }
        let mut inner = self.message.clone();
        inner["again"] = json!([]);
        self.message["again"] = json!([inner]);
    }

    fn declare_domain(&mut self) {
        let present = DOMAIN.iter().filter(|(name, _)| self.domain.contains_key(*name));
        let fields = present.map(|(name, kind)| json!({ "name": name, "type": kind })).collect();
        self.types.insert("EIP712Domain".to_owned(), fields);
    }

    /// Changes one thing into what EIP-712 does not have, or cannot be one value in all readers.
    pub(crate) fn spoil(&mut self, dice: &mut Dice) -> &'static str {
        let (name, kind, value, what) = *dice.pick(&SPOILS);
        if let Some(fields) = self.types.get_mut(&self.primary).and_then(Value::as_array_mut) {
            fields.push(json!({ "name": name, "type": kind }));
        }
        let value = serde_json::from_str(value).expect("a value");
        self.message.as_object_mut().expect("a struct").insert(name.to_owned(), value);
        what
    }
}

/// A field, its type, its value, and what is wrong with that.
const SPOILS: [(&str, &str, &str, &str); 26] = [
    ("z", "uint8", "256", "beyond the type"),
    ("z", "uint8", "-1", "a negative uint"),
    ("z", "int8", "128", "beyond the type"),
    ("z", "int8", "\"-129\"", "beyond the type"),
    (
        "z",
        "uint256",
        "\"0x1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"",
        "beyond the type",
    ),
    ("z", "uint7", "1", "a width that is none"),
    ("z", "uint08", "1", "a width with a zero before it"),
    ("z", "uint264", "1", "a width that is none"),
    ("z", "uint", "1", "an alias, which hashes as it is written"),
    ("z", "bytes33", "\"0x00\"", "a width that is none"),
    ("z", "bytes4", "\"0x000000\"", "too short"),
    ("z", "bytes4", "\"0x0000000000\"", "too long"),
    ("z", "bytes", "\"0x000\"", "half a byte"),
    ("z", "address", "\"0x00000000000000000000000000000000000000\"", "too short"),
    ("z", "uint8[2]", "[1]", "a list of another length"),
    ("z", "uint8[]", "7", "no list"),
    ("z", "bool", "\"true\"", "a word, and no truth value"),
    ("z", "bool", "2", "a number, and no truth value"),
    ("z", "uint8", "1.5", "no integer"),
    ("z", "Missing", "{}", "a type that nobody declared"),
    ("z", "Uint8", "1", "a type in another case"),
    ("z", "UINT256", "1", "a type in another case"),
    ("z", "Address", "\"0x0000000000000000000000000000000000000000\"", "a type in another case"),
    ("z", "BOOL", "true", "a type in another case"),
    ("z", "Bytes4", "\"0x00000000\"", "a type in another case"),
    ("y z", "uint8", "1", "a name with a space, of which another type could be made"),
];

const DOMAIN: [(&str, &str); 5] = [
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
    ("salt", "bytes32"),
];

/// Any part of a domain, the chain always.
fn domain(dice: &mut Dice, chain: u64) -> Map<String, Value> {
    let mut domain = Map::new();
    for (name, _) in DOMAIN {
        let value = match name {
            "chainId" => number(dice, U256::from(chain)),
            _ if dice.once_in(2) => continue,
            "verifyingContract" => dice.address().to_string().into(),
            "salt" => const_hex::encode_prefixed(dice.bytes(32)).into(),
            _ => text(dice).into(),
        };
        domain.insert(name.to_owned(), value);
    }
    domain
}

/// Fields of simple types, and of structs that come later.
fn fields(dice: &mut Dice, later: &[String]) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for _ in 0..1 + dice.below(6) {
        let name = dice.pick(&NAMES).to_string();
        if fields.iter().any(|field| field.0 == name) {
            continue;
        }
        let base = match !later.is_empty() && dice.once_in(4) {
            true => dice.pick(later).clone(),
            false => simple(dice),
        };
        fields.push((name, format!("{base}{}", dimensions(dice))));
    }
    fields
}

fn simple(dice: &mut Dice) -> String {
    let bits = 8 * (1 + dice.below(32));
    match dice.below(8) {
        0 => "bool".to_owned(),
        1 => "address".to_owned(),
        2 => "string".to_owned(),
        3 => "bytes".to_owned(),
        4 => format!("bytes{}", bits / 8),
        5 => format!("int{bits}"),
        6 => "uint256".to_owned(),
        _ => format!("uint{bits}"),
    }
}

fn dimensions(dice: &mut Dice) -> String {
    let count = dice.below(8).saturating_sub(5);
    (0..count)
        .map(|_| if dice.once_in(2) { "[]".to_owned() } else { format!("[{}]", 1 + dice.below(3)) })
        .collect()
}

struct Values<'a> {
    names: &'a [String],
    structs: &'a [Vec<(String, String)>],
}

impl Values<'_> {
    fn structure(&self, dice: &mut Dice, at: usize) -> Value {
        let fields = self.structs[at].iter();
        Value::Object(fields.map(|(name, kind)| (name.clone(), self.value(dice, kind))).collect())
    }

    fn value(&self, dice: &mut Dice, kind: &str) -> Value {
        if let Some((inner, length)) = kind.strip_suffix(']').and_then(|it| it.rsplit_once('[')) {
            let length = length.parse().unwrap_or_else(|_| dice.below(4));
            return (0..length).map(|_| self.value(dice, inner)).collect();
        }
        match self.names.iter().position(|name| name == kind) {
            Some(at) => self.structure(dice, at),
            None => atom(dice, kind),
        }
    }
}

fn atom(dice: &mut Dice, kind: &str) -> Value {
    match kind {
        "bool" => dice.once_in(2).into(),
        "address" if dice.once_in(2) => dice.address().to_string().to_lowercase().into(),
        "address" => dice.address().to_string().into(),
        "string" => text(dice).into(),
        "bytes" => {
            let length = dice.below(70);
            const_hex::encode_prefixed(dice.bytes(length)).into()
        }
        _ => sized(dice, kind),
    }
}

fn sized(dice: &mut Dice, kind: &str) -> Value {
    let (name, size) = kind.split_at(kind.find(|it: char| it.is_ascii_digit()).expect("a size"));
    let size: usize = size.parse().expect("a size");
    match name {
        "bytes" => const_hex::encode_prefixed(dice.bytes(size)).into(),
        "int" => signed(dice, size),
        _ => {
            let value = dice.number(size);
            number(dice, value)
        }
    }
}

/// From −2^(bits−1) on, the least among them.
fn signed(dice: &mut Dice, bits: usize) -> Value {
    let magnitude = dice.number(bits - 1);
    match dice.below(3) {
        0 => number(dice, magnitude),
        1 => format!("-{}", U256::from(1) << (bits - 1)).into(),
        _ if magnitude.is_zero() => 0.into(),
        _ if magnitude < U256::from(1_u64 << 53) => {
            json!(-i64::try_from(magnitude.to::<u64>()).expect("53 bits"))
        }
        _ => format!("-{magnitude}").into(),
    }
}

/// As a number where every reader has that exactly, or as text in either base.
fn number(dice: &mut Dice, value: U256) -> Value {
    match dice.below(3) {
        0 if value < U256::from(1_u64 << 53) => value.to::<u64>().into(),
        1 => format!("{value:#x}").into(),
        _ => value.to_string().into(),
    }
}

/// Letters of several scripts, quotes, control characters, and what looks like something else.
fn text(dice: &mut Dice) -> String {
    const PIECES: [&str; 14] = [
        "",
        "a",
        "Ether Mail",
        "\"",
        "\\",
        "\n",
        "\u{0}",
        "é",
        "字",
        "\u{1f980}",
        "0x00",
        "1",
        "{}",
        "\u{202e}",
    ];
    (0..dice.below(6)).map(|_| *dice.pick(&PIECES)).collect()
}
