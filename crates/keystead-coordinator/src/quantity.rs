//! Numbers and bytes as EIP-1474 writes them, and in no other way: what two programs read differently is
//! signed by neither.

use alloy_primitives::{Bytes, U64, U256};
use serde::de::{Deserialize as _, Deserializer, Error as _};

/// A quantity below 2^256; absent and null are none.
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<U256>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parse(&text).map_err(D::Error::custom)).transpose()
}

/// A quantity below 2^64; absent and null are none.
pub(crate) fn small<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<U64>, D::Error> {
    let found = whole(deserializer)?;
    let fits = |it: U256| u64::try_from(it).map_err(|_| D::Error::custom(format!("{it} is not below 2^64")));
    Ok(found.map(fits).transpose()?.map(U64::from))
}

/// Bytes, two digits for each; absent and null are none.
pub(crate) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Bytes>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| data(&text).map_err(D::Error::custom)).transpose()
}

fn parse(text: &str) -> Result<U256, String> {
    let wrong =
        || format!("a quantity is `0x` and 1 to 64 digits without leading zeros, found {}", cut(text));
    let digits = text.strip_prefix("0x").ok_or_else(wrong)?;
    let compact = digits == "0" || !digits.starts_with('0');
    let whole = (1..=64).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_hexdigit());
    match compact && whole {
        true => U256::from_str_radix(digits, 16).map_err(|_| wrong()),
        false => Err(wrong()),
    }
}

fn data(text: &str) -> Result<Bytes, String> {
    let digits =
        text.strip_prefix("0x").ok_or_else(|| format!("bytes begin with `0x`, found {}", cut(text)))?;
    const_hex::decode(digits).map(Bytes::from).map_err(|error| format!("bytes in hexadecimal: {error}"))
}

/// As much of a caller's text as an error repeats.
fn cut(text: &str) -> String {
    format!("{:?}", text.chars().take(MAX_REPEATED).collect::<String>())
}

const MAX_REPEATED: usize = 80;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn s02_a_quantity_is_written_in_one_way() {
        for (text, found) in [
            (json!("0x0"), Some(0)),
            (json!("0x2a"), Some(42)),
            (json!("0x2A"), Some(42)),
            (json!("0xffffffffffffffff"), Some(u64::MAX)),
            (json!("0x10000000000000001"), None),
            (json!("0x02a"), None),
            (json!("0x00"), None),
            (json!("0X2a"), None),
            (json!("0x"), None),
            (json!("42"), None),
            (json!("0b11"), None),
            (json!("0x-1"), None),
            (json!("0x_1"), None),
            (json!(42), None),
        ] {
            assert_eq!(small(text.clone()).ok().flatten(), found.map(U64::from), "{text}");
        }
        let widest = format!("0x{}", "f".repeat(64));
        assert_eq!(whole(json!(widest)).unwrap(), Some(U256::MAX));
        assert!(whole(json!(format!("{widest}0"))).is_err());
        assert_eq!(whole(Value::Null).unwrap(), None);
    }

    #[test]
    fn s02_bytes_are_written_in_one_way() {
        for (text, found) in [
            ("0x", Some(vec![])),
            ("0x0aFF", Some(vec![10, 255])),
            ("0aff", None),
            ("0xabc", None),
            ("0X00", None),
        ] {
            assert_eq!(bytes(json!(text)).ok().flatten(), found.map(Bytes::from), "{text}");
        }
    }
}
